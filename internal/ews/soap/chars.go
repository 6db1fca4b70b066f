package soap

import (
	"bytes"
	"unicode/utf8"

	"roomsync/internal/xmltext"
)

// The classes of a byte.
const (
	nameStart = 1 << iota // may start a name
	namePart              // may stand in a name
	white                 // white space
	special               // in text: not plain, look closer
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_':
			t[c] = nameStart | namePart
		case '0' <= c && c <= '9', c == '-', c == '.':
			t[c] = namePart
		case c == ' ', c == '\t', c == '\n':
			t[c] = white
		case c == '\r':
			t[c] = white | special
		case c < 0x20, c >= utf8.RuneSelf, c == '<', c == '&', c == ']':
			t[c] = special
		}
	}
	t['"'], t['\''] = special, special // they end an attribute's value
	return t
}()

// The places where characters stand; what ends them differs.
const (
	inText  = 0
	inCDATA = 1
	// other values are the quote around an attribute's value
)

// characters reads text from s.pos to its end: "<" or the end of the document for text, "]]>" for CDATA, the quote for
// an attribute's value. It leaves s.pos before the end mark. The result is a part of the document if it stands there as
// it is, else a part of s.buf.
func (s *Scanner) characters(where byte) []byte {
	i, data := s.pos, s.data
	for i < len(data) {
		if class[data[i]]&special == 0 {
			i++
			continue
		}
		n := s.plain(i, where)
		if n == 0 {
			break
		}
		i += n
	}
	if s.err != nil {
		return nil
	}
	if i == len(data) || s.atEnd(i, where) {
		text := data[s.pos:i]
		s.pos = i
		return text
	}
	return s.rewritten(i, where)
}

// plain returns the length of the character at i if it is to be taken as it is, and 0 if it ends the text or has to
// be rewritten.
func (s *Scanner) plain(i int, where byte) int {
	switch c := s.data[i]; {
	case class[c]&special == 0:
		return 1
	case s.atEnd(i, where):
		return 0
	case c >= utf8.RuneSelf:
		r, n := utf8.DecodeRune(s.data[i:])
		if r == utf8.RuneError && n == 1 || !xmltext.Legal(r) {
			return 0
		}
		return n
	case c == '<':
		if where != inCDATA {
			s.fail(i, "an unescaped < in an attribute's value")
			return 0
		}
		return 1
	case c == ']':
		if where == inText && bytes.HasPrefix(s.data[i:], []byte("]]>")) {
			s.fail(i, "an unescaped ]]> in text")
			return 0
		}
		return 1
	case c == '&':
		if where == inCDATA {
			return 1
		}
		return 0
	case c == '"', c == '\'':
		return 1
	default: // a control character, or \r
		return 0
	}
}

func (s *Scanner) atEnd(i int, where byte) bool {
	switch where {
	case inText:
		return s.data[i] == '<'
	case inCDATA:
		return s.data[i] == ']' && bytes.HasPrefix(s.data[i:], []byte("]]>"))
	default:
		return s.data[i] == where
	}
}

// rewritten goes on where characters met the first character, at i, that does not stand for itself.
func (s *Scanner) rewritten(i int, where byte) []byte {
	from := len(s.buf)
	s.buf = append(s.buf, s.data[s.pos:i]...)
	for i < len(s.data) && !s.atEnd(i, where) {
		if n := s.plain(i, where); n > 0 {
			s.buf = append(s.buf, s.data[i:i+n]...)
			i += n
			continue
		}
		if s.err != nil {
			return nil
		}
		n := s.rewrite(i)
		if n == 0 {
			return nil
		}
		i += n
	}
	s.pos = i
	return s.buf[from:]
}

// rewrite appends what the character or reference at i means, and returns its length in the document.
func (s *Scanner) rewrite(i int) int {
	switch c := s.data[i]; {
	case c == '&':
		r, n := reference(s.data[i:])
		if n == 0 {
			s.fail(i, "a malformed or unknown reference")
			return 0
		}
		s.buf = utf8.AppendRune(s.buf, r)
		return n
	case c == '\r': // a line's end is \n, however it is written (XML 1.0, 2.11)
		s.buf = append(s.buf, '\n')
		if i+1 < len(s.data) && s.data[i+1] == '\n' {
			return 2
		}
		return 1
	default:
		_, n := utf8.DecodeRune(s.data[i:])
		s.buf = utf8.AppendRune(s.buf, utf8.RuneError)
		return n
	}
}

var entities = []struct {
	text string
	r    rune
}{{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}}

// reference reads the reference that b starts with; the length is 0 if there is none. A reference to a character that
// XML forbids means U+FFFD.
func reference(b []byte) (rune, int) {
	for _, e := range entities {
		if len(b) >= len(e.text) && string(b[:len(e.text)]) == e.text {
			return e.r, len(e.text)
		}
	}
	if len(b) < 4 || b[1] != '#' {
		return 0, 0
	}
	i, base := 2, rune(10)
	if b[2] == 'x' {
		i, base = 3, 16
	}
	var r rune
	first := i
	for ; i < len(b) && b[i] != ';'; i++ {
		d := digit(b[i])
		if d >= base || r > utf8.MaxRune {
			return 0, 0
		}
		r = r*base + d
	}
	if i == len(b) || i == first || r > utf8.MaxRune {
		return 0, 0
	}
	if !xmltext.Legal(r) {
		r = utf8.RuneError
	}
	return r, i + 1
}

func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return 99
}
