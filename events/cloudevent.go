package events

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"
)

// The CloudEvents binding for NATS
// (https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/nats-protocol-binding.md): in binary mode, which
// we write, the attributes are headers and the payload is the data; in structured mode the payload is the whole event.

const (
	specVersion = "1.0"
	jsonType    = "application/json"

	headerPrefix      = "ce-"
	headerContentType = "content-type"
	headerMsgID       = "Nats-Msg-Id" // JetStream drops a second message with the same one
)

// DeduplicationID is Source#ID: what tells two copies of one event from two events.
func (e Event) DeduplicationID() string { return e.Source + "#" + e.ID }

// Header returns the headers of the event's NATS message in binary mode, including the one by which JetStream drops
// copies. The message's payload is Data.
func (e Event) Header() map[string][]string {
	h := make(map[string][]string, 9+len(e.Extensions))
	for name, v := range e.attributes() {
		if v != "" {
			h[headerPrefix+name] = []string{escapeHeader(v)}
		}
	}
	h[headerContentType] = []string{jsonType}
	h[headerMsgID] = []string{escapeHeader(e.DeduplicationID())}
	return h
}

// attributes returns everything but the data. An extension cannot hide an attribute of the specification, and one
// whose name the specification does not allow is left out ([Event.Validate] tells).
func (e Event) attributes() map[string]string {
	all := make(map[string]string, 7+len(e.Extensions))
	for name, v := range e.Extensions {
		if attributeName(name) {
			all[name] = v
		}
	}
	all["specversion"] = specVersion
	all["id"], all["source"], all["type"], all["subject"] = e.ID, e.Source, e.Type, e.Subject
	all["datacontenttype"] = jsonType
	all["time"] = ""
	if !e.Time.IsZero() {
		all["time"] = e.Time.UTC().Format(time.RFC3339Nano)
	}
	return all
}

// attributeName says whether the specification allows a name: lower-case letters and digits. "data" is the payload.
func attributeName(name string) bool {
	if name == "" || name == "data" || name == "data_base64" {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Validate reports what the CloudEvents specification asks for and e lacks.
func (e Event) Validate() error {
	var errs []error
	for _, a := range []struct{ name, v string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if a.v == "" {
			errs = append(errs, fmt.Errorf("cloudevent: attribute %s is missing", a.name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if !attributeName(name) {
			errs = append(errs, fmt.Errorf("cloudevent: extension %q: use lower-case letters and digits", name))
		}
	}
	return errors.Join(errs...)
}

// Parse reads an event from a NATS message, in binary or in structured mode. Header names may be in any case; headers
// that are no attributes are ignored. It fails when a required attribute is missing or the data is not JSON by its
// content type; whether the data suits the type is for its decoder to say.
func Parse(header map[string][]string, data []byte) (Event, error) {
	h := lowerNames(header)
	switch structured, err := isStructured(h); {
	case err != nil:
		return Event{}, err
	case structured:
		return parseStructured(data)
	}
	attrs := map[string]string{}
	for name, v := range h {
		name, ok := strings.CutPrefix(name, headerPrefix)
		if ok && attributeName(name) {
			attrs[name] = unescapeHeader(v)
		}
	}
	if attrs["datacontenttype"] == "" {
		attrs["datacontenttype"] = h[headerContentType]
	}
	return fromAttributes(attrs, data)
}

// isStructured tells the mode: by the content type, or, as the binding had it before NATS knew headers (version 1.0.2),
// structured when there are none that say anything.
func isStructured(h map[string]string) (bool, error) {
	contentType := h[headerContentType]
	if contentType == "" {
		return h[headerPrefix+"specversion"] == "", nil
	}
	switch mediaType, _, _ := mime.ParseMediaType(contentType); {
	case mediaType == "application/cloudevents+json", mediaType == "application/cloudevents":
		return true, nil
	case strings.HasPrefix(mediaType, "application/cloudevents"):
		return false, fmt.Errorf("cloudevent: content type %s is not read: send one event as application/cloudevents+json", mediaType)
	}
	return false, nil
}

// lowerNames gives each header its first value. Where a name occurs in several cases, the lower-case one counts.
func lowerNames(header map[string][]string) map[string]string {
	h := make(map[string]string, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) { // lower case sorts last
		if len(header[name]) > 0 {
			h[strings.ToLower(name)] = header[name][0]
		}
	}
	return h
}

func fromAttributes(attrs map[string]string, data []byte) (Event, error) {
	if v := attrs["specversion"]; v != specVersion {
		return Event{}, fmt.Errorf("cloudevent: specversion is %q, want %q", v, specVersion)
	}
	if err := checkContentType(attrs["datacontenttype"]); err != nil {
		return Event{}, err
	}
	e := Event{ID: attrs["id"], Source: attrs["source"], Type: attrs["type"], Subject: attrs["subject"]}
	if len(data) > 0 {
		e.Data = json.RawMessage(data)
	}
	if v := attrs["time"]; v != "" {
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return Event{}, fmt.Errorf("cloudevent: time %q is not in RFC 3339", v)
		}
		e.Time = t.UTC()
	}
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype"} {
		delete(attrs, name)
	}
	if len(attrs) > 0 {
		e.Extensions = attrs
	}
	if err := e.Validate(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// checkContentType accepts JSON, under any name of it; none given means JSON.
func checkContentType(v string) error {
	if v == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(v)
	if err == nil && (mediaType == jsonType || strings.HasSuffix(mediaType, "+json")) {
		return nil
	}
	return fmt.Errorf("cloudevent: datacontenttype is %q: send %s", v, jsonType)
}

// MarshalJSON writes the event in the JSON format of CloudEvents, which is the payload in structured mode.
func (e Event) MarshalJSON() ([]byte, error) {
	var w writer
	w.open()
	attrs := e.attributes()
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		w.optional(name, attrs[name])
	}
	if len(e.Data) > 0 {
		w.extra(Extra{"data": e.Data}, nil)
	}
	w.close()
	return w.result()
}

// UnmarshalJSON reads what [Event.MarshalJSON] writes, with the errors of [Parse].
func (e *Event) UnmarshalJSON(data []byte) error {
	parsed, err := parseStructured(data)
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

func parseStructured(payload []byte) (Event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return Event{}, fmt.Errorf("cloudevent: the payload is no JSON object: %w", err)
	}
	data, err := structuredData(members)
	if err != nil {
		return Event{}, err
	}
	attrs := map[string]string{}
	for name, raw := range members {
		if !attributeName(name) || string(raw) == "null" { // null is the same as absent
			continue
		}
		if attrs[name], err = attributeText(raw); err != nil {
			return Event{}, fmt.Errorf("cloudevent: attribute %s: %w", name, err)
		}
	}
	return fromAttributes(attrs, data)
}

func structuredData(members map[string]json.RawMessage) ([]byte, error) {
	raw, ok := members["data_base64"]
	if !ok {
		return members["data"], nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("cloudevent: data_base64 is no string: %w", err)
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("cloudevent: data_base64: %w", err)
	}
	return data, nil
}

// attributeText gives the canonical text of an attribute: strings as they are, truths and numbers as written.
func attributeText(raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case '{', '[':
		return "", errors.New("is neither a string, a number nor a truth")
	}
	return string(raw), nil
}

// escapeHeader percent-encodes what the binding wants encoded: everything but the printable ASCII characters, and
// space, double quote and percent.
func escapeHeader(v string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }
	i := 0
	for i < len(v) && plain(v[i]) {
		i++
	}
	if i == len(v) {
		return v
	}
	const upperHex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(v)+8), v[:i]...)
	for ; i < len(v); i++ {
		if c := v[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// unescapeHeader reverses escapeHeader. A percent sign without two hexadecimal digits stands for itself, and a quoted
// string loses its quotes first, as the specification's rules for headers say.
func unescapeHeader(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = unquote(v[1 : len(v)-1])
	}
	if !strings.Contains(v, "%") {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if c, ok := hexByte('%', v[i:]); ok {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, v[i])
	}
	return string(b)
}

// unquote removes the backslashes of a quoted string.
func unquote(v string) string {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b = append(b, v[i])
	}
	return string(b)
}

// hexByte reads a byte written as a sign and two hexadecimal digits, if s begins with one.
func hexByte(sign byte, s string) (byte, bool) {
	if len(s) < 3 || s[0] != sign {
		return 0, false
	}
	hi, lo := hexDigit(s[1]), hexDigit(s[2])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

// hexDigit is the value of a digit, -1 if it is none.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
