package soap

import "strconv"

// Child goes to the next child element of the element at the given depth (that of its Start, see [Scanner.Depth]) and
// says whether there was one. What is left of the child before, and all text in between, is skipped. When it
// returns false the element has ended or an error occurred. A decoder is a loop over Child with a switch on Local:
//
//	for d := s.Depth(); s.Child(d); {
//		if s.Is(soap.NSTypes, "Subject") { subject = s.String() }
//	}
func (s *Scanner) Child(depth int) bool {
	for s.err == nil && s.depth >= depth {
		switch s.Next() {
		case Start:
			if s.depth == depth+1 {
				return true
			}
		case Done:
			return false
		}
	}
	return false
}

// Bytes returns the characters of the current element, without those of its children, and goes to its end. The
// result is valid until the next call of any method that reads.
func (s *Scanner) Bytes() []byte {
	depth := s.depth
	var text []byte
	pieces := 0
	for s.err == nil && s.depth >= depth {
		if s.Next() != Text || s.depth != depth {
			continue
		}
		if pieces++; pieces == 1 {
			text = s.text
			if len(s.buf) > 0 && s.endFollows() {
				continue
			}
			if len(s.buf) > 0 { // the next token reuses the buffer
				text = append([]byte(nil), text...)
			}
			continue
		}
		text = append(text[:len(text):len(text)], s.text...)
	}
	return text
}

// endFollows says that the next token is an end tag, which leaves the buffer's characters alone.
func (s *Scanner) endFollows() bool {
	return s.pos+1 < len(s.data) && s.data[s.pos] == '<' && s.data[s.pos+1] == '/'
}

// String returns the characters of the current element and goes to its end.
func (s *Scanner) String() string { return string(s.Bytes()) }

// Int returns the current element's integer and goes to its end. ok is false if it holds none.
func (s *Scanner) Int() (n int, ok bool) {
	n, err := strconv.Atoi(string(trim(s.Bytes())))
	return n, err == nil
}

// Bool returns the current element's boolean and goes to its end. ok is false if it holds none.
func (s *Scanner) Bool() (value, ok bool) { return ParseBool(s.Bytes()) }

// ParseBool reads an xs:boolean.
func ParseBool(b []byte) (value, ok bool) {
	switch string(trim(b)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

func trim(b []byte) []byte {
	for len(b) > 0 && class[b[0]]&white != 0 {
		b = b[1:]
	}
	for len(b) > 0 && class[b[len(b)-1]]&white != 0 {
		b = b[:len(b)-1]
	}
	return b
}

// Finish reads the rest of the document. Only when it returns nil was the whole document well-formed: a body that was
// cut off may have decoded well up to there.
func (s *Scanner) Finish() error {
	for s.Next() != Done {
	}
	return s.err
}
