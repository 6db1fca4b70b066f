package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// canary is a secret that must be nowhere but where it belongs.
type canary struct {
	name  string
	value string
}

// needle is one way in which a canary could stand somewhere.
type needle struct {
	canary   string
	encoding string
	text     []byte
}

// window is how many bytes of a needle are looked up; none may be shorter.
const window = 8

// searcher looks for many needles at once: it looks up every eight bytes of what it searches.
type searcher map[uint64][]needle

func newSearcher(t *testing.T, canaries []canary) searcher {
	t.Helper()
	s := searcher{}
	for _, c := range canaries {
		for _, n := range c.needles() {
			if len(n.text) < window {
				t.Fatalf("%s as %s is too short to be told from chance", n.canary, n.encoding)
			}
			key := binary.BigEndian.Uint64(n.text)
			s[key] = append(s[key], n)
		}
	}
	return s
}

// find names what is found in data, each once.
func (s searcher) find(data []byte) []string {
	var found []string
	var key uint64
	for i, b := range data {
		key = key<<8 | uint64(b)
		if i < window-1 {
			continue
		}
		for _, n := range s[key] {
			what := n.canary + " as " + n.encoding
			if bytes.HasPrefix(data[i-window+1:], n.text) && !slices.Contains(found, what) {
				found = append(found, what)
			}
		}
	}
	return found
}

// needles are the canary in all the forms that programs put text into.
func (c canary) needles() []needle {
	var all []needle
	add := func(encoding, text string) {
		if !slices.ContainsFunc(all, func(n needle) bool { return string(n.text) == text }) {
			all = append(all, needle{c.name, encoding, []byte(text)})
		}
	}
	add("plain text", c.value)
	for i := range 3 {
		add(fmt.Sprintf("base64 at %d", i), shifted(base64.RawStdEncoding, c.value, i))
		add(fmt.Sprintf("base64url at %d", i), shifted(base64.RawURLEncoding, c.value, i))
	}
	add("hex", hex.EncodeToString([]byte(c.value)))
	add("HEX", strings.ToUpper(hex.EncodeToString([]byte(c.value))))
	asPath := strings.TrimPrefix((&url.URL{Path: "/" + c.value}).EscapedPath(), "/")
	for _, escaped := range []string{url.QueryEscape(c.value), url.PathEscape(c.value), asPath} {
		add("URL encoding", escaped)
		add("url encoding", lowerEscapes(escaped))
	}
	add("JSON", jsonText(c.value, false))
	add("JSON for HTML", jsonText(c.value, true))
	add("ASCII JSON", asciiText(c.value))
	add("UTF-16LE", utf16Text(c.value))
	return all
}

// shifted is text in base64 where so many bytes come before it in the encoded whole, without the digits that depend on what
// comes before and after.
func shifted(e *base64.Encoding, text string, before int) string {
	digits := e.EncodeToString(append(make([]byte, before), text...))
	if (before+len(text))%3 != 0 {
		digits = digits[:len(digits)-1]
	}
	return digits[[]int{0, 2, 3}[before]:]
}

func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], bytes.ToLower(b[i:i+3]))
		}
	}
	return string(b)
}

func jsonText(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // into a buffer
	quoted := strings.TrimSpace(b.String())
	return quoted[1 : len(quoted)-1]
}

// asciiText is JSON as libraries write it that escape all but ASCII.
func asciiText(s string) string {
	var b strings.Builder
	for _, r := range jsonText(s, false) {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.String()
}

func utf16Text(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// planted are the forms again, made by other means than needles makes them, each in the middle of something.
func planted(value string) map[string]string {
	all := map[string]string{
		"plain text":    "secret=" + value + ";",
		"hex":           fmt.Sprintf("%x", "a"+value+"b"),
		"HEX":           fmt.Sprintf("%X", "a"+value+"b"),
		"a form":        url.Values{"client_id": {"x"}, "client_secret": {value}}.Encode(),
		"a path":        (&url.URL{Path: "/" + value + "/x"}).EscapedPath(),
		"a quoted form": fmt.Sprintf("%q", url.Values{"password": {value}}.Encode()),
	}
	for i := range 3 {
		text := strings.Repeat("x", i) + value + "yz"
		all[fmt.Sprintf("Authorization header, %d before", i)] = "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
		all[fmt.Sprintf("segment of a token, %d before", i)] = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	if strings.Contains(value, "\xff") { // no text
		return all
	}
	doc, _ := json.Marshal(map[string]string{"secret": value}) // strings only
	all["JSON"] = string(doc)
	var escaped, wide strings.Builder
	for _, r := range value { // none of ours is beyond the basic plane
		wide.WriteString(string([]byte{byte(r), byte(r >> 8)}))
		switch {
		case r == '"':
			escaped.WriteString(`\"`)
		case r > '~':
			fmt.Fprintf(&escaped, "\\u%04x", r)
		default:
			escaped.WriteRune(r)
		}
	}
	all["UTF-16LE"], all["ASCII JSON"] = wide.String(), `"`+escaped.String()+`"`
	return all
}

// TestCanary_Searcher proves that the searcher finds what it looks for, in every form and in a file between others, and
// nothing else.
func TestCanary_Searcher(t *testing.T) {
	for name, value := range map[string]string{
		"a secret": canarySecret, "a password": canaryPassword + "1", "the PFX password": canaryPFX, "the sealing key": canaryKey,
		"a wrong secret": wrongCanary, "a part of a key": "\x00\xff\x10\x80 some bytes of a key \xfe\x01",
	} {
		s := newSearcher(t, []canary{{name, value}})
		for form, text := range planted(value) {
			scratch := &org{system: &system{t: t}, dir: t.TempDir()}
			scratch.put("some/file", strings.Repeat("noise ", 1000)+text+strings.Repeat(" noise", 1000))
			if found := s.search(folderSink(t, scratch.dir)); len(found) == 0 {
				t.Errorf("%s as %s is not found in %q", name, form, text)
			}
		}
		other := value[:len(value)/2] + "_" + value[len(value)/2+1:]
		for form, text := range planted(other) {
			if found := s.find([]byte(text)); len(found) > 0 {
				t.Errorf("%s as %s is found where it is not: %q", name, form, found)
			}
		}
	}
}
