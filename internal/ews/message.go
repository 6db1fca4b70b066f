package ews

import (
	"bytes"
	"errors"
	"fmt"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// message is one response message while it is read: the answer to one of the things asked for.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsemessages
type message struct {
	*soap.Scanner
	exchange *exchange

	class, code, text string
	values            soap.Values
	problem           error // a success that lacks what it must have
}

// messages reads an operation's response to the document's end and calls call.answer for each response message.
func (x *exchange) messages() error {
	s := &x.scanner
	if !s.Is(soap.NSMessages, x.call.op.response) {
		return fmt.Errorf("the answer's body is no %s", x.call.op.response)
	}
	found := false
	for d := s.Depth(); s.Child(d); {
		if !s.Is(soap.NSMessages, "ResponseMessages") {
			continue
		}
		found = true
		for d := s.Depth(); s.Child(d); {
			if !s.Is(soap.NSMessages, x.call.op.message) {
				return fmt.Errorf("an element among the response messages is no %s", x.call.op.message)
			}
			m := message{Scanner: s, exchange: x, class: class(s.Attr("ResponseClass"))}
			x.call.answer(&m)
			if m.class == "" {
				return errors.New("a response message without a ResponseClass")
			}
			if m.problem != nil {
				return m.problem
			}
		}
	}
	if err := s.Finish(); err != nil {
		return err
	}
	if !found {
		return errors.New("an answer without response messages")
	}
	return nil
}

func class(b []byte) string {
	switch string(b) {
	case "Success":
		return "Success"
	case "Warning":
		return "Warning"
	case "Error":
		return "Error"
	}
	return ""
}

// next goes to the next element of the message that is the operation's own. The common ones are read on the way.
func (m *message) next(depth int) bool {
	for m.Child(depth) {
		switch {
		case m.Is(soap.NSMessages, "ResponseCode"):
			m.code = codeString(bytes.TrimSpace(m.Bytes()))
		case m.Is(soap.NSMessages, "MessageText"):
			m.text = m.String()
		case m.Is(soap.NSMessages, "MessageXml"):
			m.values = soap.ReadValues(m.Scanner)
		case m.Is(soap.NSMessages, "DescriptiveLinkKey"):
		default:
			return true
		}
	}
	return false
}

// fault returns nil for success. A Warning means that the thing was not done, as with ErrorBatchProcessingStopped, or
// that the result is not the one asked for, as with an ambiguous name.
func (m *message) fault() *calsync.Fault {
	if m.class == "Success" && (m.code == NoError || m.code == "") {
		return nil
	}
	f := m.exchange.fault(calsync.FaultResponse)
	f.Status, f.Code, f.Message = 200, m.code, m.text
	readDetails(f, m.values, m.text)
	return m.exchange.leave(f)
}

// lacking notes that a successful message does not hold what the protocol demands of it.
func (m *message) lacking(what string) {
	if m.problem == nil {
		m.problem = fmt.Errorf("%s without %s", m.exchange.call.op.message, what)
	}
}

// malformed is the Fault of an answer that fits the protocol's form and makes no sense.
func malformed(op *operation, text string) *calsync.Fault {
	return &calsync.Fault{Operation: op.name, Kind: calsync.FaultMalformed, Status: 200, Err: errors.New(text)}
}

// codeString returns a ResponseCode, without an allocation for those the schema knows.
func codeString(b []byte) string {
	if code, ok := codes[string(b)]; ok {
		return code
	}
	return string(b)
}
