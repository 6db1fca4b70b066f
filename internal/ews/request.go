package ews

import (
	"strconv"

	"roomsync/internal/ews/soap"
)

// operation holds the names of an operation, put together once.
type operation struct {
	name     string
	response string // the element in the answer's body
	message  string // the element for each thing asked for
	writes   bool   // it changes something, so that an unknown outcome matters
}

func newOperation(name string) *operation {
	return &operation{name: name, response: name + "Response", message: name + "ResponseMessage"}
}

func newWrite(name string) *operation {
	op := newOperation(name)
	op.writes = true
	return op
}

// request builds an envelope by appending. The same question gives the same bytes.
type request struct {
	buf         []byte
	schema      string
	address     string
	impersonate bool
	err         error // why it cannot be written
}

const (
	envelopeStart = `<?xml version="1.0" encoding="utf-8"?>` +
		`<s:Envelope xmlns:s="` + soap.NSEnvelope + `" xmlns:m="` + soap.NSMessages + `" xmlns:t="` + soap.NSTypes + `">` +
		`<s:Header><t:RequestServerVersion Version="`
	impersonationStart = `<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>`
	impersonationEnd   = `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`
	envelopeEnd        = `</s:Body></s:Envelope>`
)

// envelope returns a whole request around what body writes.
func (r *request) envelope(body func(*request)) []byte {
	r.buf = make([]byte, 0, 2048)
	r.raw(envelopeStart)
	r.text(r.schema)
	r.raw(`"/>`)
	if r.impersonate && r.address != "" {
		r.raw(impersonationStart)
		r.text(r.address)
		r.raw(impersonationEnd)
	}
	r.raw(`</s:Header><s:Body>`)
	body(r)
	r.raw(envelopeEnd)
	return r.buf
}

// raw appends markup.
func (r *request) raw(s string) { r.buf = append(r.buf, s...) }

// text appends characters, escaped for text or a quoted attribute's value.
func (r *request) text(s string) { r.buf = soap.AppendEscaped(r.buf, s) }

func (r *request) int(n int) { r.buf = strconv.AppendInt(r.buf, int64(n), 10) }

// folder writes the id of a folder, the mailbox's default calendar for "". A delegate has to say whose
// calendar is meant; who impersonates is that mailbox already.
func (r *request) folder(id string) {
	switch {
	case id != "":
		r.raw(`<t:FolderId Id="`)
		r.text(id)
		r.raw(`"/>`)
	case r.impersonate || r.address == "":
		r.raw(`<t:DistinguishedFolderId Id="calendar"/>`)
	default:
		r.raw(`<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>`)
		r.text(r.address)
		r.raw(`</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`)
	}
}

// properties writes an ItemShape that asks for the ids and the given properties, and for extended ones by their paths.
func (r *request) properties(uris []string, paths ...string) {
	r.raw(`<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>`)
	if len(uris)+len(paths) > 0 {
		r.raw(`<t:AdditionalProperties>`)
		for _, uri := range uris {
			r.raw(`<t:FieldURI FieldURI="`)
			r.raw(uri)
			r.raw(`"/>`)
		}
		for _, path := range paths {
			r.raw(path)
		}
		r.raw(`</t:AdditionalProperties>`)
	}
	r.raw(`</m:ItemShape>`)
}
