package soap

import (
	"bytes"
	"errors"
)

// ErrNoEnvelope says that a document is not a SOAP 1.1 envelope with a body.
var ErrNoEnvelope = errors.New("not a SOAP 1.1 envelope with one element in its body")

// Body goes to the Start of the one element in the envelope's body. The header is skipped.
func Body(s *Scanner) error {
	if s.Next() != Start {
		return errors.Join(ErrNoEnvelope, s.Err())
	}
	if !s.Is(NSEnvelope, "Envelope") {
		return ErrNoEnvelope
	}
	for d := s.Depth(); s.Child(d); {
		if s.Is(NSEnvelope, "Body") {
			if s.Child(s.Depth()) {
				return nil
			}
			break
		}
	}
	return errors.Join(ErrNoEnvelope, s.Err())
}

// Fault is a SOAP 1.1 Fault with the detail that Exchange gives.
type Fault struct {
	Code    string // faultcode without its prefix, such as "ErrorServerBusy" or "Client"
	String  string // faultstring
	Detail  string // ResponseCode of the detail, "" if there is none
	Message string // Message of the detail
	Values  Values
}

// Values are the details of an error in a MessageXml element: the t:Value elements by their names, and other
// elements by their local names.
type Values struct{ pairs []pair }

type pair struct{ name, value string }

// Get returns a value, "" when it is not there.
func (v Values) Get(name string) string {
	for _, p := range v.pairs {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// maxValues is far above the handful that Exchange sends.
const maxValues = 32

// ReadValues reads the current MessageXml element and goes to its end.
func ReadValues(s *Scanner) Values {
	var v Values
	for d := s.Depth(); s.Child(d); {
		name := s.Local()
		if s.Is(NSTypes, "Value") {
			name = s.Attr("Name")
		}
		p := pair{name: string(name)}
		p.value = string(bytes.TrimSpace(s.Bytes()))
		if len(v.pairs) < maxValues {
			v.pairs = append(v.pairs, p)
		}
	}
	return v
}

// ReadFault reads the current Fault element and goes to its end.
func ReadFault(s *Scanner) Fault {
	var f Fault
	for d := s.Depth(); s.Child(d); {
		switch { // the parts of a Fault are in no namespace (SOAP 1.1, section 4.4)
		case s.Is("", "faultcode"):
			code := bytes.TrimSpace(s.Bytes())
			f.Code = string(code[bytes.IndexByte(code, ':')+1:])
		case s.Is("", "faultstring"):
			f.String = s.String()
		case s.Is("", "detail"):
			f.readDetail(s)
		}
	}
	return f
}

func (f *Fault) readDetail(s *Scanner) {
	for d := s.Depth(); s.Child(d); {
		switch {
		case s.Is(NSErrors, "ResponseCode"):
			f.Detail = string(bytes.TrimSpace(s.Bytes()))
		case s.Is(NSErrors, "Message"):
			f.Message = s.String()
		case s.Is(NSTypes, "MessageXml"):
			f.Values = ReadValues(s)
		}
	}
}
