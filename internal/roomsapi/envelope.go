package roomsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"roomsync/events"
)

// The envelope of what ROOMS sends is checked here, so that ROOMS hears of a fault at once, and of all of them. Whether a booking
// makes sense is the worker's to say, in an event.

// Modes of the HTTP binding of CloudEvents (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
const (
	typeStructured = "application/cloudevents+json"
	typeBatch      = "application/cloudevents-batch+json"
	typeJSON       = "application/json"
	headerPrefix   = "Ce-"
)

// Bounds of attributes, in bytes. JetStream keeps source and id in memory as long as its window is.
const (
	maxAttribute  = 512
	maxAttributes = 4 << 10 // all of an event
)

// incoming is one event of a request.
type incoming struct {
	events.Event
	mailbox string // token
}

// envelope is an event that is being checked. Its attributes are as text; where says how faults name one.
type envelope struct {
	index  int
	attrs  map[string]string
	data   []byte
	where  func(attribute string) string
	faults []fault
}

func (e *envelope) fault(attribute, detail string, args ...any) {
	id := e.attrs["id"]
	if len(id) > maxAttribute {
		id = ""
	}
	e.faults = append(e.faults, fault{e.index, id, e.where(attribute), fmt.Sprintf(detail, args...)})
}

// decode takes a request apart, by its mode.
func (a *API) decode(r *http.Request, body []byte) ([]incoming, []fault) {
	switch mode(r) {
	case typeStructured:
		in, faults := a.structured(body, 0, "")
		return []incoming{in}, faults
	case typeBatch:
		return a.batch(body)
	}
	e := envelope{attrs: map[string]string{}, data: body, where: headerName}
	for name, v := range r.Header {
		if attribute, ok := strings.CutPrefix(name, headerPrefix); ok && len(v) > 0 {
			e.attrs[strings.ToLower(attribute)] = v[0]
		}
	}
	in := a.check(&e, func() (events.Event, error) { return events.Parse(r.Header, body) })
	return []incoming{in}, e.faults
}

// headerName is where an attribute stands in binary mode, in which the body is the data.
func headerName(attribute string) string {
	if within, ok := strings.CutPrefix(attribute, "data"); ok && (within == "" || within[0] == '/') || attribute == "" {
		return within
	}
	return strings.ToLower(headerPrefix) + attribute
}

// mode is the media type that decides; "" for one that is not read.
func mode(r *http.Request) string {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return ""
	}
	switch {
	case mediaType == typeStructured, mediaType == typeBatch:
		return mediaType
	case strings.HasPrefix(mediaType, "application/cloudevents"):
		return ""
	case mediaType == typeJSON, strings.HasSuffix(mediaType, "+json"):
		return typeJSON
	}
	return ""
}

func (a *API) batch(body []byte) ([]incoming, []fault) {
	var raw []json.RawMessage
	if f := wellFormed(body); f != "" {
		return nil, []fault{{Where: "", Detail: f}}
	}
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, []fault{{Where: "", Detail: "a batch is a JSON array of events"}}
	}
	if len(raw) > MaxBatch {
		return nil, []fault{{Where: "", Detail: fmt.Sprintf("has %d events; send at most %d at once", len(raw), MaxBatch)}}
	}
	all, faults := make([]incoming, len(raw)), []fault(nil)
	for i, one := range raw {
		in, f := a.structured(one, i, "/"+strconv.Itoa(i))
		all[i], faults = in, append(faults, f...)
	}
	return all, append(faults, twice(all, faults)...)
}

// twice finds events of one batch that have the same source and id: only one of them would be stored.
func twice(all []incoming, faults []fault) []fault {
	if len(faults) > 0 {
		return nil
	}
	first := map[string]int{}
	var found []fault
	for i, in := range all {
		if j, ok := first[in.DeduplicationID()]; ok {
			found = append(found, fault{i, in.ID, "/" + strconv.Itoa(i) + "/id", fmt.Sprintf("is also the id of event %d, and the source is the same: each event has an id of its own", j)})
		} else {
			first[in.DeduplicationID()] = i
		}
	}
	return found
}

// structured checks an event in the JSON format. at is its place in the body.
func (a *API) structured(body []byte, index int, at string) (incoming, []fault) {
	e := envelope{index: index, attrs: map[string]string{}, where: func(attribute string) string { return strings.TrimSuffix(at+"/"+attribute, "/") }}
	if f := wellFormed(body); f != "" {
		return incoming{}, []fault{{index, "", at, f}}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return incoming{}, []fault{{index, "", at, "an event is a JSON object"}}
	}
	e.data = members["data"]
	for _, name := range slices.Sorted(maps.Keys(members)) {
		e.member(name, members[name])
	}
	in := a.check(&e, func() (events.Event, error) {
		var event events.Event
		err := event.UnmarshalJSON(body)
		return event, err
	})
	return in, e.faults
}

func wellFormed(body []byte) string {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "is empty"
	case !utf8.Valid(body):
		return "holds bytes that are no UTF-8"
	}
	var v json.RawMessage
	if err := json.Unmarshal(body, &v); err != nil { // json.Valid would not say where
		return "is no JSON: " + strings.TrimPrefix(err.Error(), "json: ")
	}
	return ""
}

// member takes one member of the event's object.
func (e *envelope) member(name string, raw json.RawMessage) {
	var text string
	switch {
	case name == "data" || string(raw) == "null":
	case name == "data_base64":
		var err error
		if json.Unmarshal(raw, &text) != nil {
			e.fault(name, "must be a string")
		} else if e.data, err = base64.StdEncoding.DecodeString(text); err != nil {
			e.fault(name, "is no base64")
		}
	case raw[0] == '{' || raw[0] == '[':
		e.fault(name, "must be a string, a number or a truth: attributes have no parts")
	case raw[0] == '"':
		_ = json.Unmarshal(raw, &text) // it is well-formed
		e.attrs[name] = text
	default:
		e.attrs[name] = string(raw)
	}
}

// check finds what is wrong with an event, all of it. parse makes the event of what was sent.
func (a *API) check(e *envelope, parse func() (events.Event, error)) incoming {
	e.attributes()
	if v, ok := e.attrs["type"]; ok && v != events.TypeBookingUpserted && v != events.TypeBookingCancelled {
		e.fault("type", "must be %s or %s", events.TypeBookingUpserted, events.TypeBookingCancelled)
	}
	mailbox := a.mailboxOf(e)
	if len(e.faults) > 0 {
		return incoming{}
	}
	event, err := parse()
	if err != nil {
		e.fault("", "%s", strings.TrimPrefix(err.Error(), "cloudevent: "))
		return incoming{}
	}
	event.Subject = mailbox
	return incoming{event, mailbox}
}

// attributes checks what CloudEvents asks of them.
func (e *envelope) attributes() {
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if e.attrs[name] == "" {
			e.fault(name, "is missing")
		}
	}
	if v := e.attrs["specversion"]; v != "" && v != "1.0" {
		e.fault("specversion", `must be "1.0"`)
	}
	if v := e.attrs["time"]; v != "" {
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			e.fault("time", "must be in RFC 3339, such as 2027-01-11T09:00:00Z")
		}
	}
	if v := e.attrs["datacontenttype"]; v != "" && !isJSON(v) {
		e.fault("datacontenttype", "must be %s", typeJSON)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(e.attrs)) {
		v := e.attrs[name]
		total += len(name) + len(v)
		switch {
		case len(v) > maxAttribute:
			e.fault(name, "has %d bytes; at most %d are taken", len(v), maxAttribute)
		case strings.ContainsFunc(v, unicode.IsControl):
			e.fault(name, "holds control characters")
		}
	}
	if total > maxAttributes {
		e.fault("", "the attributes have %d bytes together; at most %d are taken", total, maxAttributes)
	}
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == typeJSON || strings.HasSuffix(mediaType, "+json"))
}

// mailboxOf is the token of the mailbox that an event's data names.
func (a *API) mailboxOf(e *envelope) string {
	if max := a.opts.Bus.MaxChange(); len(e.data) > max {
		e.fault("data", "has %d bytes; at most %d are taken", len(e.data), max)
		return ""
	}
	if e.data == nil {
		e.fault("data", "is missing")
		return ""
	}
	if f := wellFormed(e.data); f != "" {
		e.fault("data", "%s", f)
		return ""
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.data, &data); err != nil || data == nil {
		e.fault("data", "must be a JSON object")
		return ""
	}
	var address string
	if err := json.Unmarshal(data["mailbox"], &address); err != nil || !isAddress(address) {
		e.fault("data/mailbox", "must be the mailbox's SMTP address, such as room0001@contoso.example")
		return ""
	}
	token := a.opts.MailboxToken(address)
	if v := e.attrs["subject"]; v != "" && v != token {
		e.fault("subject", "is not the token of the mailbox in the data; leave it out, and it is computed")
	}
	return token
}

// isAddress tells a plain SMTP address (RFC 5321, section 4.5.3.1.3 has the length) from what cannot be one.
func isAddress(v string) bool {
	local, domain, ok := strings.Cut(v, "@")
	plain := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`@<>()[],;:\"`, r) }
	return ok && local != "" && domain != "" && len(v) <= 254 && !strings.ContainsFunc(local+domain, plain)
}
