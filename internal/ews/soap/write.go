package soap

import (
	"unicode/utf8"

	"roomsync/internal/xmltext"
)

// AppendEscaped appends s as it has to stand in text or in a quoted attribute's value, and returns the extended slice.
// Characters that XML forbids, and bytes that are not UTF-8, become U+FFFD each, as they do in reading and by
// [xmltext.Clean]. Line ends and tabs become references, so that they reach the other side unchanged.
func AppendEscaped(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		if asItIs[s[i]] {
			i++
			continue
		}
		n, instead := escape(s[i:])
		if instead != "" {
			dst = append(append(dst, s[from:i]...), instead...)
			from = i + n
		}
		i += n
	}
	return append(dst, s[from:]...)
}

// asItIs holds the bytes that need no closer look.
var asItIs = func() (t [256]bool) {
	for c := byte(0x20); c < utf8.RuneSelf; c++ {
		_, instead := escape(string(rune(c)))
		t[c] = instead == ""
	}
	return t
}()

// escape returns the length of the first character of s, and what to write instead of it, "" for itself.
func escape(s string) (n int, instead string) {
	switch c := s[0]; {
	case c == '&':
		return 1, "&amp;"
	case c == '<':
		return 1, "&lt;"
	case c == '>':
		return 1, "&gt;"
	case c == '"':
		return 1, "&quot;"
	case c == '\t':
		return 1, "&#9;"
	case c == '\n':
		return 1, "&#10;"
	case c == '\r':
		return 1, "&#13;"
	case 0x20 <= c && c < utf8.RuneSelf:
		return 1, ""
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 || !xmltext.Legal(r) {
		return n, "\uFFFD"
	}
	return n, ""
}
