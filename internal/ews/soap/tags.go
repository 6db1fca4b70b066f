package soap

import (
	"bytes"
	"strings"
)

// startTag reads a start tag or an empty-element tag and makes its element the current one.
func (s *Scanner) startTag() {
	at := s.pos
	s.pos++
	prefix, local := s.name()
	name := s.data[at+1 : s.pos]
	s.attributes()
	if s.err != nil {
		return
	}
	if s.elements++; s.elements > MaxElements {
		s.fail(at, "more elements than any answer has")
	}
	switch {
	case s.depth == MaxDepth:
		s.fail(at, "elements nested too deep")
	case s.depth == 0 && s.rooted:
		s.fail(at, "a second root element")
	}
	if s.err != nil {
		return
	}
	s.rooted = true
	before := len(s.bindings)
	s.bind(at)
	s.space, s.local = s.resolve(prefix, at), local
	s.open = append(s.open[:s.depth], element{name: name, space: s.space, local: local, bindings: before})
	s.depth++
	s.resolveAttributes(at)
}

// attributes reads up to and including the tag's end.
func (s *Scanner) attributes() {
	s.attrs = s.attrs[:0]
	for s.err == nil {
		apart := s.spaces()
		if s.pos == len(s.data) {
			s.fail(s.pos, "the document ends within a tag")
			return
		}
		switch s.data[s.pos] {
		case '>':
			s.pos++
			return
		case '/':
			if s.empty = bytes.HasPrefix(s.data[s.pos:], []byte("/>")); !s.empty {
				s.fail(s.pos, "a malformed tag")
			}
			s.pos += 2
			return
		}
		if !apart || len(s.attrs) == MaxAttributes {
			s.fail(s.pos, "a malformed tag, or one with too many attributes")
			return
		}
		s.attribute()
	}
}

func (s *Scanner) attribute() {
	prefix, local := s.name()
	s.spaces()
	if s.pos == len(s.data) || s.data[s.pos] != '=' {
		s.fail(s.pos, "an attribute without a value")
		return
	}
	s.pos++
	s.spaces()
	if s.pos == len(s.data) || s.data[s.pos] != '"' && s.data[s.pos] != '\'' {
		s.fail(s.pos, "an attribute's value without quotes")
		return
	}
	quote := s.data[s.pos]
	s.pos++
	value := s.characters(quote)
	if s.pos == len(s.data) {
		s.fail(s.pos, "the document ends within an attribute's value")
	}
	s.pos++
	s.attrs = append(s.attrs, attribute{prefix: prefix, local: local, value: value})
}

// bind puts the namespace declarations among the attributes into effect (Namespaces in XML 1.0, section 3).
func (s *Scanner) bind(at int) {
	for i := range s.attrs {
		a := &s.attrs[i]
		var prefix []byte
		switch {
		case len(a.prefix) == 0 && string(a.local) == "xmlns":
		case string(a.prefix) == "xmlns":
			prefix = a.local
			if string(prefix) == "xmlns" || len(a.value) == 0 {
				s.fail(at, "a namespace declaration that may not be")
			}
		default:
			continue
		}
		space := known(a.value)
		if (string(prefix) == "xml") != (space == nsXML) {
			s.fail(at, "a namespace declaration that may not be")
		}
		s.bindings = append(s.bindings, binding{prefix, space})
	}
}

// known returns a namespace as a string, without an allocation for those that EWS uses.
func known(uri []byte) string {
	switch string(uri) {
	case NSTypes:
		return NSTypes
	case NSMessages:
		return NSMessages
	case NSEnvelope:
		return NSEnvelope
	case NSErrors:
		return NSErrors
	case nsXSI:
		return nsXSI
	case nsXSD:
		return nsXSD
	case nsXML:
		return nsXML
	}
	return string(uri)
}

// resolve returns the namespace that prefix is bound to.
func (s *Scanner) resolve(prefix []byte, at int) string {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if string(s.bindings[i].prefix) == string(prefix) {
			return s.bindings[i].space
		}
	}
	switch string(prefix) {
	case "":
		return ""
	case "xml":
		return nsXML
	}
	s.fail(at, "a namespace prefix that is not declared")
	return ""
}

// resolveAttributes resolves the prefixes of attributes and refuses duplicates.
func (s *Scanner) resolveAttributes(at int) {
	for i := range s.attrs {
		a := &s.attrs[i]
		switch string(a.prefix) {
		case "":
		case "xmlns":
			a.space = "xmlns"
		default:
			a.space = s.resolve(a.prefix, at)
		}
		for j := range i {
			if b := &s.attrs[j]; string(a.local) == string(b.local) && a.space == b.space {
				s.fail(at, "an attribute given twice")
			}
		}
	}
}

// endTag reads an end tag, which must fit the innermost open element.
func (s *Scanner) endTag() {
	at := s.pos
	if s.depth == 0 {
		s.fail(at, "an end tag without a start tag")
		return
	}
	s.pos += 2
	name := s.open[s.depth-1].name
	if !bytes.HasPrefix(s.data[s.pos:], name) {
		s.fail(at, "an end tag that does not fit its start tag")
		return
	}
	s.pos += len(name)
	s.spaces()
	if s.pos == len(s.data) || s.data[s.pos] != '>' {
		s.fail(at, "a malformed end tag")
		return
	}
	s.pos++
	s.pop()
}

// pop closes the innermost element; Space and Local name it.
func (s *Scanner) pop() {
	s.depth--
	e := &s.open[s.depth]
	s.space, s.local = e.space, e.local
	s.bindings = s.bindings[:e.bindings]
	s.attrs = s.attrs[:0]
}

// declaration reads the XML declaration, if there is one: version 1.0, UTF-8 (XML 1.0, productions 23-26, 32, 80).
func (s *Scanner) declaration() {
	const start = "<?xml"
	at, rest := s.pos, s.data[s.pos:]
	if !bytes.HasPrefix(rest, []byte(start)) || len(rest) == len(start) || class[rest[len(start)]]&white == 0 {
		return // none; another processing instruction is refused by token
	}
	s.pos += len(start)
	if v, _ := s.pseudo("version"); v != "1.0" {
		s.fail(at, "an XML declaration without version 1.0")
	}
	if e, ok := s.pseudo("encoding"); ok && !strings.EqualFold(e, "utf-8") {
		s.fail(at, "an encoding other than UTF-8")
	}
	if v, ok := s.pseudo("standalone"); ok && v != "yes" && v != "no" {
		s.fail(at, "a malformed XML declaration")
	}
	s.spaces()
	if !bytes.HasPrefix(s.data[s.pos:], []byte("?>")) {
		s.fail(at, "a malformed XML declaration")
		return
	}
	s.pos += 2
}

// pseudo reads one pseudo-attribute of the XML declaration; ok is false, and nothing is read, when another stands there.
func (s *Scanner) pseudo(name string) (value string, ok bool) {
	at := s.pos
	if !s.spaces() || !bytes.HasPrefix(s.data[s.pos:], []byte(name)) {
		s.pos = at
		return "", false
	}
	s.pos += len(name)
	s.spaces()
	if bytes.HasPrefix(s.data[s.pos:], []byte("=")) {
		s.pos++
		s.spaces()
		if rest := s.data[s.pos:]; len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
			if end := bytes.IndexByte(rest[1:], rest[0]); end >= 0 {
				s.pos += end + 2
				return string(rest[1 : 1+end]), true
			}
		}
	}
	s.pos = at
	return "", false
}
