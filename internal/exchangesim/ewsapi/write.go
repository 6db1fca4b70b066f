package ewsapi

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// writer builds an answer by appending to a buffer.
type writer struct{ buf []byte }

// raw appends markup.
func (w *writer) raw(parts ...string) {
	b := w.buf
	for _, p := range parts {
		b = append(b, p...)
	}
	w.buf = b
}

// text appends character data. Characters that XML does not allow become U+FFFD.
func (w *writer) text(s string) {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '<' && c != '>' && c != '&' && c != '"' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if with := escaped(r, size); with != "" {
			w.buf = append(w.buf, s[from:i]...)
			w.buf = append(w.buf, with...)
			from = i + size
		}
		i += size
	}
	w.buf = append(w.buf, s[from:]...)
}

// escaped is what to write for a character, "" for itself.
func escaped(r rune, size int) string {
	switch r {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	case '"':
		return "&quot;"
	case '\r':
		return "&#xD;"
	case '\t', '\n':
		return ""
	}
	if !isXMLChar(r) || r == utf8.RuneError && size == 1 {
		return "\ufffd"
	}
	return ""
}

// tag appends an element of the types namespace with text in it.
func (w *writer) tag(name, value string) {
	if value == "" {
		w.raw(`<t:`, name, `/>`)
		return
	}
	w.raw(`<t:`, name, `>`)
	w.text(value)
	w.raw(`</t:`, name, `>`)
}

func (w *writer) tagBool(name string, v bool) {
	w.raw(`<t:`, name, `>`, strconv.FormatBool(v), `</t:`, name, `>`)
}

func (w *writer) tagInt(name string, v int) {
	w.raw(`<t:`, name, `>`)
	w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	w.raw(`</t:`, name, `>`)
}

// tagTime appends a time as the server always does, in UTC with a Z.
func (w *writer) tagTime(name string, t time.Time) {
	w.raw(`<t:`, name, `>`)
	w.time(t)
	w.raw(`</t:`, name, `>`)
}

func (w *writer) time(t time.Time) { w.buf = t.UTC().AppendFormat(w.buf, time.RFC3339) }

// itemID appends an id with its change key. Ids are base64 and need no escaping.
func (w *writer) itemID(tag, id, changeKey string) {
	w.raw(`<t:`, tag, ` Id="`, id)
	if changeKey != "" {
		w.raw(`" ChangeKey="`, changeKey)
	}
	w.raw(`"/>`)
}
