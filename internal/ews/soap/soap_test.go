package soap

import (
	"encoding/xml"
	"strings"
	"testing"

	"roomsync/internal/xmltext"
)

func read(t *testing.T, doc string) *Scanner {
	t.Helper()
	s := new(Scanner)
	s.Reset([]byte(doc))
	return s
}

func TestLimits(t *testing.T) {
	tests := map[string]string{
		"elements":   "<a>" + strings.Repeat("<b/>", MaxElements) + "</a>",
		"depth":      strings.Repeat("<a>", 1_000_000),
		"attributes": "<a" + strings.Repeat(" b='1'", MaxAttributes+1) + "/>",
	}
	for name, doc := range tests {
		if err := read(t, doc).Finish(); err == nil {
			t.Errorf("%s beyond the limit were accepted", name)
		}
	}
	if err := read(t, "<a>"+strings.Repeat("<b/>", MaxElements-1)+"</a>").Finish(); err != nil {
		t.Error(err)
	}
}

// TestErrorsQuoteNothing: a document holds personal data, an error goes to logs.
func TestErrorsQuoteNothing(t *testing.T) {
	for _, doc := range []string{`<a>&secret;</a>`, `<secret></a>`, `<a secret></a>`, `<a b="secret<"/>`, `secret`, `<?secret?>`, `<!secret>`} {
		if err := read(t, doc).Finish(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestChildSkipsWhatIsLeft(t *testing.T) {
	s := read(t, `<r>x<a><n><m/></n>1</a>y<b/>z<c>2<n>9</n>3<!-- -->&amp;4</c><d>&lt;</d><e>&amp;1<!-- --><![CDATA[`+"\r\n"+`<]]>&gt;</e></r>`)
	s.Next()
	var got []string
	for d := s.Depth(); s.Child(d); {
		name := string(s.Local())
		if name != "a" {
			name += "=" + s.String()
		}
		got = append(got, name)
	}
	if want := "a b= c=23&4 d=< e=&1\n<>"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := s.Finish(); err != nil {
		t.Error(err)
	}
}

// TestDocumentIsLeftAlone: joining the pieces of a text must not write into the document.
func TestDocumentIsLeftAlone(t *testing.T) {
	const doc = `<r>one<![CDATA[two]]>three&amp;</r>`
	data := []byte(doc)
	var s Scanner
	s.Reset(data)
	s.Next()
	if got := s.String(); got != "onetwothree&" || string(data) != doc {
		t.Errorf("read %q, left %q", got, data)
	}
}

// TestNamespaceDecides: an element matches by namespace and local name, whatever its prefix.
func TestNamespaceDecides(t *testing.T) {
	tests := []struct {
		doc  string
		want bool
	}{
		{`<t:Id xmlns:t="` + NSTypes + `"/>`, true},
		{`<x:Id xmlns:x="` + NSTypes + `"/>`, true},
		{`<Id xmlns="` + NSTypes + `"/>`, true},
		{`<Id/>`, false},
		{`<t:Id xmlns:t="` + NSMessages + `"/>`, false},
		{`<t:Id xmlns:t="` + NSTypes + `/"/>`, false},
	}
	for _, tt := range tests {
		s := read(t, tt.doc)
		s.Next()
		if got := s.Is(NSTypes, "Id"); got != tt.want {
			t.Errorf("%s: %v", tt.doc, got)
		}
	}
}

func TestBody(t *testing.T) {
	const ns = ` xmlns:s="` + NSEnvelope + `"`
	tests := []struct {
		doc, want string // want is the local name found, "" for an error
	}{
		{`<s:Envelope` + ns + `><s:Header><s:Body><no/></s:Body></s:Header><s:Body><x/></s:Body></s:Envelope>`, "x"},
		{`<Envelope xmlns="` + NSEnvelope + `"><Body xmlns="` + NSEnvelope + `"><x xmlns=""/></Body></Envelope>`, "x"},
		{`<s:Envelope` + ns + `><s:Body></s:Body></s:Envelope>`, ""},
		{`<s:Envelope` + ns + `></s:Envelope>`, ""},
		{`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><x/></s:Body></s:Envelope>`, ""},
		{`<html><body/></html>`, ""},
		{``, ""},
	}
	for _, tt := range tests {
		s := read(t, tt.doc)
		err := Body(s)
		if got := string(s.Local()); (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%s: %q, %v", tt.doc, got, err)
		}
	}
}

func TestFault(t *testing.T) {
	s := read(t, `<s:Envelope xmlns:s="`+NSEnvelope+`"><s:Body><s:Fault><faultcode xmlns:a="`+NSTypes+`">a:ErrorServerBusy</faultcode>`+
		`<faultstring xml:lang="en-US">busy</faultstring><detail><e:ResponseCode xmlns:e="`+NSErrors+`">ErrorServerBusy</e:ResponseCode>`+
		`<e:Message xmlns:e="`+NSErrors+`">later</e:Message><t:MessageXml xmlns:t="`+NSTypes+`"><t:Value Name="BackOffMilliseconds">297749</t:Value><t:LineNumber>7</t:LineNumber></t:MessageXml></detail></s:Fault></s:Body></s:Envelope>`)
	if err := Body(s); err != nil {
		t.Fatal(err)
	}
	f := ReadFault(s)
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if f.Code != "ErrorServerBusy" || f.Detail != "ErrorServerBusy" || f.String != "busy" || f.Message != "later" {
		t.Errorf("%+v", f)
	}
	if f.Values.Get("BackOffMilliseconds") != "297749" || f.Values.Get("LineNumber") != "7" || f.Values.Get("x") != "" {
		t.Errorf("%+v", f.Values)
	}
}

// FuzzEscape: what is written reads back as the same characters, in text and in attributes, here and in encoding/xml.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a<b>&\"'", "\x00\x0b\x1f", "\xff", "\r\n\t", "]]>", "ä€😀\uFFFE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := xmltext.Clean(s)
		doc := append(AppendEscaped([]byte(`<a b="`), s), `">`...)
		doc = append(AppendEscaped(doc, s), `</a>`...)
		sc := read(t, string(doc))
		sc.Next()
		if attr := string(sc.Attr("b")); attr != want {
			t.Errorf("attribute %q, want %q", attr, want)
		}
		if text := sc.String(); text != want || sc.Finish() != nil {
			t.Errorf("text %q, want %q, %v", text, want, sc.Err())
		}
		var v struct {
			B    string `xml:"b,attr"`
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal(doc, &v); err != nil || v.B != want || v.Text != want {
			t.Errorf("encoding/xml: %+v, %v", v, err)
		}
	})
}
