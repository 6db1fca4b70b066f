// Package xmltext knows which characters XML can carry. Both sides of a comparison need it: what is written to Exchange comes
// back without the others.
package xmltext

import (
	"strings"
	"unicode/utf8"
)

// Legal says whether XML allows the character (XML 1.0, production 2).
func Legal(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// Clean replaces each character that XML forbids, and each byte that is not UTF-8, by U+FFFD. It returns s itself where there
// is none.
func Clean(s string) string {
	if first := unclean(s); first < len(s) {
		return replaced(s, first)
	}
	return s
}

// unclean returns where the first character is that has to be replaced, len(s) where there is none.
func unclean(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !Legal(r) {
			return i
		}
		i += n
	}
	return len(s)
}

func replaced(s string, first int) string {
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteString(s[:first])
	for _, r := range s[first:] { // a byte that is not UTF-8 comes as U+FFFD
		if !Legal(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}
