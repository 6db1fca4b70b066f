package events

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHeader(t *testing.T) {
	e := Event{
		ID: "7", Source: "urn:rooms", Type: TypeBookingUpserted, Subject: "a=40b", Time: at("2026-11-24T08:00:00+01:00"),
		Extensions: map[string]string{"comment": "100% \"Zürich\"", "id": "hides the id", "Bad-Name": "x"},
		Data:       json.RawMessage(`{}`),
	}
	want := map[string][]string{
		"ce-specversion": {"1.0"}, "ce-id": {"7"}, "ce-source": {"urn:rooms"}, "ce-type": {TypeBookingUpserted},
		"ce-subject": {"a=40b"}, "ce-time": {"2026-11-24T07:00:00Z"}, "ce-datacontenttype": {"application/json"},
		"ce-comment":   {"100%25%20%22Z%C3%BCrich%22"},
		"content-type": {"application/json"}, "Nats-Msg-Id": {"urn:rooms#7"},
	}
	if got := e.Header(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if err := e.Validate(); err == nil || !strings.Contains(err.Error(), "Bad-Name") {
		t.Errorf("Validate = %v, want it to name the extension", err)
	}
}

func binary(change func(map[string][]string)) map[string][]string {
	h := Event{ID: "7", Source: "urn:rooms", Type: TypeBookingUpserted}.Header()
	change(h)
	return h
}

func TestParseBinary(t *testing.T) {
	want := Event{ID: "7", Source: "urn:rooms", Type: TypeBookingUpserted, Data: json.RawMessage(`{"a":1}`)}
	extended := want
	extended.Extensions = map[string]string{"traceparent": "00-1-2-01", "dataschema": "urn:x"}
	timed := want
	timed.Time = at("2026-11-24T07:00:00Z")
	odd := want
	odd.Subject = `a=40b 50%zz "q"`
	for _, tt := range []struct {
		name   string
		change func(map[string][]string)
		want   Event
	}{
		{"as written", func(map[string][]string) {}, want},
		{"canonical names", func(h map[string][]string) {
			for name, v := range maps.Clone(h) {
				delete(h, name)
				h[strings.ToUpper(name[:1])+name[1:]] = v
			}
		}, want},
		{"two cases", func(h map[string][]string) { h["CE-ID"] = []string{"other"}; h["Ce-Id"] = nil }, want},
		{"repeated", func(h map[string][]string) { h["ce-id"] = []string{"7", "8"} }, want},
		{"extensions", func(h map[string][]string) {
			h["ce-traceparent"], h["ce-dataschema"], h["ce-not_a-name"] = []string{"00-1-2-01"}, []string{"urn:x"}, []string{"?"}
		}, extended},
		{"time zone", func(h map[string][]string) { h["ce-time"] = []string{"2026-11-24T08:00:00+01:00"} }, timed},
		{"odd values", func(h map[string][]string) { h["ce-subject"] = []string{`"a=40b 50%zz \"q\""`} }, odd},
		{"charset", func(h map[string][]string) { h["ce-datacontenttype"] = []string{"application/json; charset=utf-8"} }, want},
		{"other JSON", func(h map[string][]string) { h["ce-datacontenttype"] = []string{"application/vnd.rooms+json"} }, want},
		{"no content type", func(h map[string][]string) { delete(h, "ce-datacontenttype"); delete(h, "content-type") }, want},
	} {
		got, err := Parse(binary(tt.change), []byte(`{"a":1}`))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseStructured(t *testing.T) {
	headers := []map[string][]string{
		{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}},
		{"content-type": {"application/cloudevents"}}, // as the SDKs of Go write it
		{"Nats-Msg-Id": {"urn:rooms#7"}},              // the binding's version 1.0.2
		nil,
	}
	const attrs = `"specversion":"1.0","id":"7","source":"urn:rooms","type":"t"`
	want := Event{ID: "7", Source: "urn:rooms", Type: "t", Data: json.RawMessage(`{"a": 1}`)}
	for _, tt := range []struct {
		name, payload string
		extensions    map[string]string
	}{
		{"data", `{` + attrs + `,"data":{"a": 1}}`, nil},
		{"base64", `{` + attrs + `,"data_base64":"eyJhIjogMX0="}`, nil},
		{"extensions", `{` + attrs + `,"data":{"a": 1},"n":5,"b":true,"none":null}`, map[string]string{"n": "5", "b": "true"}},
		{"percent is itself", `{` + attrs + `,"data":{"a": 1},"p":"%41"}`, map[string]string{"p": "%41"}},
	} {
		want.Extensions = tt.extensions
		for _, h := range headers {
			got, err := Parse(h, []byte(tt.payload))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, headers %v: got %+v, %v\nwant %+v", tt.name, h, got, err, want)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	set := func(name string, v ...string) map[string][]string {
		return binary(func(h map[string][]string) { h[name] = v })
	}
	structured := func(mediaType string) map[string][]string { return map[string][]string{"content-type": {mediaType}} }
	for _, tt := range []struct {
		header        map[string][]string
		payload, want string
	}{
		{nil, `{}`, "specversion"},
		{nil, `hello`, "no JSON object"},
		{set("ce-specversion", "0.3"), `{}`, "specversion"},
		{set("ce-id"), `{}`, "id is missing"},
		{set("ce-source", ""), `{}`, "source is missing"},
		{set("ce-type"), `{}`, "type is missing"},
		{set("ce-time", "yesterday"), `{}`, "RFC 3339"},
		{set("ce-datacontenttype", "text/xml"), `<a/>`, "application/json"},
		{structured("application/cloudevents+json"), `[]`, "no JSON object"},
		{structured("application/cloudevents+json"), `{"specversion":"1.0"}`, "id is missing"},
		{structured("application/cloudevents+json"), `{"specversion":{}}`, "specversion"},
		{structured("application/cloudevents+json"), `{"data_base64":"?"}`, "data_base64"},
		{structured("application/cloudevents+json"), `{"data_base64":5}`, "data_base64"},
		{structured("application/cloudevents-batch+json"), `[]`, "one event"},
		{structured("application/cloudevents+avro"), ``, "application/cloudevents+json"},
	} {
		e, err := Parse(tt.header, []byte(tt.payload))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v %s: error %v, want one with %q", tt.header, tt.payload, err, tt.want)
		}
		if !reflect.DeepEqual(e, Event{}) {
			t.Errorf("%v: an event and an error", tt.header)
		}
	}
}

// Any event comes back from either mode, and its headers are such as NATS can carry.
func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 20, 80)
		e := Event{
			ID: text.Draw(t, "id"), Source: text.Draw(t, "source"), Type: text.Draw(t, "type"), Subject: rapid.String().Draw(t, "subject"),
			Time: time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC(),
			Data: json.RawMessage(must(json.Marshal(rapid.String().Draw(t, "data")))),
		}
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`x[a-z0-9]{0,20}`), rapid.ID).Draw(t, "extensions") {
			if e.Extensions == nil {
				e.Extensions = map[string]string{}
			}
			e.Extensions[name] = text.Draw(t, name)
		}
		h := e.Header()
		for name, v := range h {
			if strings.ContainsFunc(v[0], func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("header %s: %q needs encoding", name, v[0])
			}
		}
		same := func(mode string, got Event, err error) {
			if err != nil || !reflect.DeepEqual(got, e) {
				t.Errorf("%s: got %+v, %v\nwant %+v", mode, got, err, e)
			}
		}
		got, err := Parse(h, e.Data)
		same("binary", got, err)
		body := must(e.MarshalJSON())
		got, err = Parse(map[string][]string{"content-type": {"application/cloudevents+json"}}, body)
		same("structured", got, err)
	})
}

func FuzzParse(f *testing.F) {
	f.Add("ce-id", "7", []byte(`{}`))
	f.Add("content-type", "application/cloudevents+json", []byte(`{"specversion":"1.0","id":"7","source":"s","type":"t","data":null}`))
	f.Fuzz(func(t *testing.T, name, value string, data []byte) {
		e, err := Parse(binary(func(h map[string][]string) { h[name] = []string{value} }), data)
		if err == nil && e.Validate() != nil {
			t.Errorf("parsed what is not valid: %+v", e)
		}
	})
}
