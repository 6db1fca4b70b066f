package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"roomsync/internal/xmltext"
)

// token is what both sides report; neighbouring texts are joined, comments left out.
type token struct {
	kind         Kind
	space, local string
	text         string
	attrs        []xml.Attr
}

func scan(data []byte) ([]token, error) {
	var s Scanner
	var out []token
	for s.Reset(data); ; {
		switch kind := s.Next(); kind {
		case Done:
			return out, s.Err()
		case Start:
			t := token{kind: Start, space: s.Space(), local: string(s.Local())}
			for _, a := range s.attrs {
				t.attrs = append(t.attrs, xml.Attr{Name: xml.Name{Space: a.space, Local: string(a.local)}, Value: string(a.value)})
			}
			out = append(out, t)
		case End:
			out = append(out, token{kind: End, space: s.Space(), local: string(s.Local())})
		case Text:
			out = appendText(out, string(s.Chars()))
		}
	}
}

func appendText(out []token, text string) []token {
	if text == "" {
		return out
	}
	if n := len(out); n > 0 && out[n-1].kind == Text {
		out[n-1].text += text
		return out
	}
	return append(out, token{kind: Text, text: text})
}

var errRule = errors.New("refused by a rule that encoding/xml does not have")

var (
	ncName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	declaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*("1\.0"|'1\.0')` +
		`([ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("(?i:utf-8)"|'(?i:utf-8)'))?` +
		`([ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*("(yes|no)"|'(yes|no)'))?[ \t\r\n]*\?>`)
	quoted = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// referee reads data with encoding/xml and applies the rules that Scanner adds. It knows nothing of Scanner.
type referee struct {
	data            []byte
	raw, cooked     *xml.Decoder
	out             []token
	prefixes        []map[string]string
	elements, depth int
	roots           int
}

func referenceTokens(data []byte) ([]token, error) {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	r := &referee{data: data, raw: xml.NewDecoder(bytes.NewReader(data)), cooked: xml.NewDecoder(bytes.NewReader(data))}
	for {
		err := r.next()
		if err == io.EOF {
			if r.roots != 1 {
				return nil, errRule
			}
			return r.out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (r *referee) next() error {
	cooked, err := r.cooked.Token()
	if err != nil {
		return err
	}
	from := r.raw.InputOffset()
	raw, err := r.raw.RawToken()
	if err != nil {
		return err
	}
	switch t := cooked.(type) {
	case xml.StartElement:
		if start, ok := raw.(xml.StartElement); ok {
			return r.start(t, start, string(r.data[from:r.raw.InputOffset()]))
		}
		return errors.New("the two decoders disagree")
	case xml.EndElement:
		r.depth--
		r.prefixes = r.prefixes[:len(r.prefixes)-1]
		r.out = append(r.out, token{kind: End, space: t.Name.Space, local: t.Name.Local})
	case xml.CharData:
		source := r.data[from:r.raw.InputOffset()]
		if r.depth == 0 && (len(bytes.Trim(t, " \t\n")) > 0 || bytes.HasPrefix(source, []byte("<![CDATA[")) || bytes.Contains(source, []byte("&"))) {
			return errRule
		}
		if r.depth > 0 {
			r.out = appendText(r.out, string(t))
		}
	case xml.ProcInst:
		if from != 0 || !declaration.Match(r.data) {
			return errRule
		}
	case xml.Directive:
		return errRule
	}
	return nil
}

func (r *referee) start(t, raw xml.StartElement, source string) error {
	if r.depth == 0 {
		r.roots++
	}
	r.depth++
	r.elements++
	scope := map[string]string{}
	r.prefixes = append(r.prefixes, scope)
	if r.depth > MaxDepth || r.elements > MaxElements || r.roots > 1 || len(t.Attr) > MaxAttributes || attached(source) {
		return errRule
	}
	for _, a := range raw.Attr {
		isXML := a.Value == nsXML
		switch {
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Name.Local == "xmlns" || isXML != (a.Name.Local == "xml") {
				return errRule
			}
			scope[a.Name.Local] = a.Value
		case a.Name.Space == "" && a.Name.Local == "xmlns" && isXML:
			return errRule
		}
	}
	tok := token{kind: Start, space: t.Name.Space, local: t.Name.Local}
	if !r.known(raw.Name, false) {
		return errRule
	}
	for i, a := range t.Attr {
		if !r.known(raw.Attr[i].Name, true) {
			return errRule
		}
		if slices.ContainsFunc(tok.attrs, func(b xml.Attr) bool { return a.Name == b.Name }) {
			return errRule
		}
		tok.attrs = append(tok.attrs, a)
	}
	r.out = append(r.out, tok)
	return nil
}

// attached says whether something follows an attribute's value without white space.
func attached(tag string) bool {
	for _, at := range quoted.FindAllStringIndex(tag, -1) {
		if !strings.ContainsAny(tag[at[1]:at[1]+1], " \t\r\n/>") {
			return true
		}
	}
	return false
}

func (r *referee) known(n xml.Name, attribute bool) bool {
	if !ncName.MatchString(n.Local) || n.Space != "" && !ncName.MatchString(n.Space) {
		return false
	}
	if n.Space == "" || n.Space == "xml" || attribute && n.Space == "xmlns" {
		return true
	}
	for _, scope := range r.prefixes {
		if _, ok := scope[n.Space]; ok {
			return true
		}
	}
	return false
}

var numeric = regexp.MustCompile(`&#(x[0-9a-fA-F]+|[0-9]+);`)

// cleaned is data with the leniency applied by other means: forbidden characters, and references to them, are U+FFFD.
func cleaned(data []byte) []byte {
	var b strings.Builder
	for _, r := range string(data) {
		if !xmltext.Legal(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return numeric.ReplaceAllFunc([]byte(b.String()), func(ref []byte) []byte {
		var v struct {
			Text string `xml:",chardata"`
		}
		err := xml.Unmarshal([]byte("<a>"+string(ref)+"</a>"), &v)
		if err != nil && strings.Contains(err.Error(), "illegal character code") {
			return []byte("&#xFFFD;")
		}
		return ref
	})
}

// compare fails the test unless Scanner and encoding/xml with the rules agree about data.
func compare(t *testing.T, data []byte) {
	t.Helper()
	got, gotErr := scan(data)
	same := cleaned(data)
	if bytes.Contains(data, []byte("<![CDATA[")) && numeric.Match(data) {
		return // in a CDATA section a reference is plain text, which cleaned cannot tell
	}
	want, wantErr := referenceTokens(same)
	if (gotErr == nil) != (wantErr == nil) {
		t.Fatalf("scanner: %v; encoding/xml: %v\n%q", gotErr, wantErr, data)
	}
	if gotErr != nil {
		return
	}
	if !slices.EqualFunc(got, want, func(a, b token) bool {
		return a.kind == b.kind && a.space == b.space && a.local == b.local && a.text == b.text && slices.Equal(a.attrs, b.attrs)
	}) {
		t.Fatalf("tokens differ for %q\nscanner      %+v\nencoding/xml %+v", data, got, want)
	}
	for _, tok := range got {
		if !utf8.ValidString(tok.text) || strings.ContainsFunc(tok.text, func(r rune) bool { return !xmltext.Legal(r) }) {
			t.Fatalf("a forbidden character came through in %q", tok.text)
		}
	}
}

// documents exercise every rule; each is also a seed of the fuzzers.
var documents = []string{
	``, ` `, `<a/>`, `<a></a>`, `<a>`, `</a>`, `<a></b>`, `<a/><b/>`, `<a/>x`, `x<a/>`, `<a/> <!-- c --> `, `<a`, `<a `, `<`, `<a/`, `<a / >`, `< a/>`, `<a></a >`, `<a></ a>`,
	`<a><!-- - --></a>`, `<a><!-- -- --></a>`, `<a><!----></a>`, `<a><!---></a>`, `<a><!-- --->`, `<a>x<!-- c -->y</a>`,
	`<a b="1"/>`, `<a b='1"2'/>`, `<a b="1" b="2"/>`, `<a b=1/>`, `<a b/>`, `<a b="1"c="2"/>`, `<a b="<"/>`, `<a b=">"/>`, `<a b = "1"/>`, `<a b="]]>"/>`, "<a b='1\r\n2\r3'/>",
	`<a>&lt;&gt;&amp;&quot;&apos;</a>`, `<a>&nbsp;</a>`, `<a>&lt</a>`, `<a>&</a>`, `<a>&;</a>`, `<a>&#;</a>`, `<a>&#x;</a>`, `<a>&#X41;</a>`, `<a>&#65;&#x41;&#x0000000000000000000041;</a>`,
	`<a>&#x1;</a>`, `<a>&#0;</a>`, `<a>&#xD800;</a>`, `<a>&#xFFFE;</a>`, `<a>&#x110000;</a>`, `<a>&#99999999999999999999;</a>`, `<a b="&#x1;&#10;"/>`, `<a>&#13;&#xD;</a>`,
	"<a>\x01\x00\x0b</a>", "<a>\xff\xfe</a>", "<a>\xed\xa0\x80</a>", "<a>\xef\xbf\xbe</a>", "<a>ä€😀</a>", "<a b='\x01ä'/>", "<\x01a/>", "<ä/>", "<a>\r\n\r\n\n\r</a>", "<a>x\ry</a>",
	`<a>]]></a>`, `<a>]]</a>`, `<a>]]&gt;</a>`, `<a>]&#93;></a>`, `<a><![CDATA[<x>&amp;]]></a>`, `<a><![CDATA[]]]]></a>`, `<a><![CDATA[x</a>`, `<![CDATA[x]]><a/>`, `<a>1<![CDATA[2]]>3</a>`, "<a><![CDATA[\r\n\x01]]></a>",
	`<!DOCTYPE a><a/>`, `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, `<a><!ELEMENT b></a>`, `<?pi x?><a/>`, `<a><?pi x?></a>`, `<a/><?pi?>`,
	`<?xml version="1.0"?><a/>`, `<?xml version="1.0" encoding="utf-8"?><a/>`, `<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><a/>`, `<?xml version="1.1"?><a/>`, `<?xml version="1.0" encoding="utf-16"?><a/>`,
	`<?xml version="1.0" encoding=""?><a/>`, `<?xml encoding="utf-8"?><a/>`, ` <?xml version="1.0"?><a/>`, `<?xml version="1.0" standalone="maybe"?><a/>`, `<?xml version="1.0" x="y"?><a/>`, `<?xml?><a/>`, `<?xml version="1.0"?><?xml version="1.0"?><a/>`,
	"\xEF\xBB\xBF<a/>", "\xEF\xBB\xBF<?xml version=\"1.0\"?><a/>", "<a>\xEF\xBB\xBF</a>", "\xff\xfe<\x00a\x00/\x00>\x00",
	`<p:a xmlns:p="u"/>`, `<p:a/>`, `<a p:b="1"/>`, `<a xmlns="u"><b xmlns=""/><c/></a>`, `<p:a xmlns:p="u"><p:b xmlns:p="v"/><p:c/></p:a>`, `<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, `<a xmlns:p="u" b="1" p:b="2"/>`,
	`<a xmlns:p=""/>`, `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="de"/>`, `<a xml:lang="de"/>`, `<a xmlns:xml="u"/>`, `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, `<a xmlns:xmlns="u"/>`, `<xmlns:a/>`,
	`<a:b:c xmlns:a="u"/>`, `<:a/>`, `<a:/>`, `<a:1 xmlns:a="u"/>`, `<-a/>`, `<1/>`, `<a.b-c_d/>`, `<a xmlns:p="u"><p:b></q:b></a>`, `<a xmlns:p="u" xmlns:q="u"><p:b></q:b></a>`,
	strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth), strings.Repeat("<a>", MaxDepth+1) + strings.Repeat("</a>", MaxDepth+1),
}

func TestScannerAgreesWithEncodingXML(t *testing.T) {
	for _, doc := range documents {
		compare(t, []byte(doc))
	}
}

// TestTruncated cuts a document everywhere: no cut may pass for a whole document.
func TestTruncated(t *testing.T) {
	doc := []byte(`<?xml version="1.0"?><s:a xmlns:s="u" b="&lt;"><c/>text &amp; <![CDATA[x]]><!-- c --></s:a>`)
	for n := range doc {
		compare(t, doc[:n])
		if _, err := scan(doc[:n]); err == nil {
			t.Errorf("cut after %d bytes, and no error: %q", n, doc[:n])
		}
	}
}

func FuzzDifferential(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(compare)
}

// FuzzScanner: no panic, an end in any case, memory in proportion to the document.
func FuzzScanner(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Scanner
		s.Reset(data)
		if Body(&s) == nil {
			ReadFault(&s)
		}
		_ = s.Finish()
		if n := cap(s.buf); n > 8*len(data)+1024 {
			t.Fatalf("%d bytes of buffer for a document of %d", n, len(data))
		}
		if s.Next() != Done {
			t.Fatal("a token after the end")
		}
	})
}
