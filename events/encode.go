package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The types of a page of changes are encoded by hand: pages are what the fleet writes all day, and encoding/json would
// check each nested value anew at every level. All other types go through encoding/json (see extra.go).

// writer appends a JSON text to b. The first error is kept, and makes the rest of no account.
type writer struct {
	b   []byte
	err error
}

func (w *writer) result() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

func (w *writer) open()  { w.b = append(w.b, '{') }
func (w *writer) close() { w.b = append(w.b, '}') }

// name begins a member. Names are ours and need no escaping.
func (w *writer) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) str(name, v string) {
	w.name(name)
	w.b = appendString(w.b, v)
}

// optional writes a string that is left out when empty.
func (w *writer) optional(name, v string) {
	if v != "" {
		w.str(name, v)
	}
}

// flag writes a truth that is left out when false.
func (w *writer) flag(name string, v bool) {
	if v {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

// number writes a number that is left out when 0.
func (w *writer) number(name string, v int) {
	if v != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	}
}

// time writes an instant, in UTC whatever its location is.
func (w *writer) time(name string, t time.Time) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 { // RFC 3339 has four digits
		w.err = fmt.Errorf("encode %s: year %d does not fit RFC 3339", name, y)
		return
	}
	w.name(name)
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *writer) instant(name string, t *time.Time) {
	if t != nil {
		w.time(name, *t)
	}
}

// list writes an array, [] when there is nothing in it.
func list[T any](w *writer, name string, all []T, one func(*writer, *T)) {
	w.name(name)
	w.b = append(w.b, '[')
	for i := range all {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		one(w, &all[i])
	}
	w.b = append(w.b, ']')
}

// optionalList writes an array that is left out when empty.
func optionalList[T any](w *writer, name string, all []T, one func(*writer, *T)) {
	if len(all) > 0 {
		list(w, name, all, one)
	}
}

// extra writes the members that this version does not know, in order of their names. A member that it does know is
// never taken from there.
func (w *writer) extra(x Extra, known map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if known[name] {
			continue
		}
		if !json.Valid(x[name]) {
			w.err = fmt.Errorf("encode: extra field %q holds no JSON", name)
			return
		}
		if w.b[len(w.b)-1] != '{' {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, name)
		w.b = append(w.b, ':')
		w.b = append(w.b, x[name]...)
	}
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD, as in encoding/json.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[done:i]...)
		b = appendEscaped(b, r)
		i += size
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

// appendEscaped appends what may not, or (U+2028, U+2029 in JavaScript) had better not, stand as itself.
func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
