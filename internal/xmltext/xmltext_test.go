package xmltext

import (
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for s, want := range map[string]string{
		"":                       "",
		"Sitzung ä 🏢\t\r\n":      "Sitzung ä 🏢\t\r\n",
		"a\x00b\x1fc\x0b":        "a\uFFFDb\uFFFDc\uFFFD",
		"\xff\xfe":               "\uFFFD\uFFFD",
		"\xed\xa0\x80":           "\uFFFD\uFFFD\uFFFD", // half a surrogate pair
		"\uFFFE\uFFFF\uFFFD":     "\uFFFD\uFFFD\uFFFD",
		"\u0080\u009f\u00a0\x7f": "\u0080\u009f\u00a0\x7f",
	} {
		if got := Clean(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x00\xffä")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) != utf8.RuneCountInString(s) || Clean(got) != got {
			t.Errorf("%q: %q", s, got)
		}
		for _, r := range got {
			if !Legal(r) {
				t.Errorf("%q keeps %U", s, r)
			}
		}
	})
}
