package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// guide is the file as ROOMS' guide describes it, with what else may stand in one.
const guide = `<?xml version="1.0" encoding="utf-8"?>
<!-- Konfiguration für ROOMS -->
<RoomsAppSettings>
  <!-- <add key="ExchangeTenantId" value="commented out" /> -->
  <add key="ReportPath" value="C:\Program Files (x86)\Garaio\ROOMS\Reports" />
  <add key="ExchangeTenantId" value="sim-tenant" />
  <add
     key="ExchangeAppId"
     value="  sim-app  " />
  <add key='ExchangeClientSecret' value='a&amp;b&lt;c&quot;d&#39;e' />
  <ExchangeServiceUser>no</ExchangeServiceUser>
  <add name="ExchangeServiceUser" connectionString="no" />
  <add key="ExchangeSyncUrl" value="nobody documents it" />
  <add key="ExchangeCertThumbprint" value="" />
</RoomsAppSettings>
`

// found are the keys of a file with their values, in order.
func found(f *roomsFile) (all []string) {
	for _, e := range f.entries {
		all = append(all, e.key+"="+e.value.Reveal())
	}
	return all
}

var guided = []string{"ExchangeTenantId=sim-tenant", "ExchangeAppId=  sim-app  ", `ExchangeClientSecret=a&b<c"d'e`, "ExchangeCertThumbprint="}

func utf16Of(s string, order binary.ByteOrder, mark bool) []byte {
	var b bytes.Buffer
	if mark {
		s = "\ufeff" + s
	}
	_ = binary.Write(&b, order, utf16.Encode([]rune(s)))
	return b.Bytes()
}

func TestParseRooms_Encodings(t *testing.T) {
	declared := func(name string) string { return strings.Replace(guide, "utf-8", name, 1) }
	latin, err := charmap.ISO8859_1.NewEncoder().String(declared("iso-8859-1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"UTF-8":                           []byte(guide),
		"UTF-8 with a mark":               []byte("\ufeff" + guide),
		"UTF-8 with a mark, Windows":      []byte("\ufeff" + strings.ReplaceAll(guide, "\n", "\r\n")),
		"UTF-16 little-endian":            utf16Of(declared("utf-16"), binary.LittleEndian, true),
		"UTF-16 big-endian":               utf16Of(declared("UTF-16"), binary.BigEndian, true),
		"UTF-16 without a mark":           utf16Of(declared("utf-16"), binary.LittleEndian, false),
		"UTF-16 big-endian, without":      utf16Of(guide, binary.BigEndian, false),
		"UTF-16, Windows":                 utf16Of(strings.ReplaceAll(guide, "\n", "\r\n"), binary.LittleEndian, true),
		"Latin 1, declared":               []byte(latin),
		"Windows 1252, declared":          []byte(strings.Replace(latin, "iso-8859-1", "windows-1252", 1)),
		"UTF-8 that claims to be another": []byte(declared("utf-16")),
	} {
		f, err := parseRooms(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var lines []int
		for _, e := range f.entries {
			lines = append(lines, e.line)
		}
		if got := found(f); !slices.Equal(got, guided) || !slices.Equal(lines, []int{6, 7, 10, 14}) {
			t.Errorf("%s: %q in lines %v", name, got, lines)
		}
	}
}

func TestParseRooms_AsDotNet(t *testing.T) {
	for text, want := range map[string]string{
		`<r><add key="exchangeTENANTid" value="t"/></r>`: "ExchangeTenantId=t",
		`<r><appSettings><add key="ExchangeAppId" value="a"/></appSettings><x><y><add key="ExchangeTenantId" value="t"/></y></x></r>`: "ExchangeAppId=a ExchangeTenantId=t",
		`<r><add key="ExchangeAppId" value="a"/><remove key="exchangeappid"/></r>`:                                                    "",
		`<r><add key="ExchangeAppId" value="a"/><clear/><add key="ExchangeTenantId" value="t"/></r>`:                                  "ExchangeTenantId=t",
		`<r><add key="ExchangeAppId" value="a"/><s><clear/></s></r>`:                                                                  "ExchangeAppId=a",
		`<add key="ExchangeAppId" value="a"/>`:                                                                                        "",
		`<r><Add key="ExchangeAppId" value="a"/><add Key="ExchangeAppId" value="b"/></r>`:                                             "",
		`<r>text<![CDATA[<add key="ExchangeAppId" value="a"/>]]></r>`:                                                                 "",
	} {
		f, err := parseRooms([]byte(text))
		if err != nil || strings.Join(found(f), " ") != want {
			t.Errorf("%s: %q, %v; want %q", text, found(f), err, want)
		}
	}
}

func TestParseRooms_Refuses(t *testing.T) {
	const head = "<RoomsAppSettings>\n"
	for text, want := range map[string]roomsError{
		"":                          {0, "is empty"},
		"  \n":                      {0, "is empty"},
		"address,mode\nroom@b,O365": {1, "is no XML file"},
		"\x00\x01\x02":              {1, "is no XML file"},
		"<!DOCTYPE x [<!ENTITY a \"" + canary + "\">]>\n" + head + "</RoomsAppSettings>":              {1, "holds a document type declaration"},
		head + `<add key="ExchangeServicePassword" value="my&` + canary + `"/></RoomsAppSettings>`:    {2, "has an & that begins no entity"},
		head + `<add key="ExchangeServicePassword" value="my&` + canary + `;"/></RoomsAppSettings>`:   {2, "has an & that begins no entity"},
		head + `<add key="ExchangeServicePassword" value="my<` + canary + `"/></RoomsAppSettings>`:    {2, "has a < inside a value"},
		head + `<add key="ExchangeServicePassword" value="my"` + canary + `"/></RoomsAppSettings>`:    {2, "has an attribute without a value"},
		head + `<add key="ExchangeServicePassword" value=` + canary + ` /></RoomsAppSettings>`:        {2, "has an attribute without a quoted value"},
		head + `<add key="ExchangeServicePassword" value="` + canary + `">` + "\n</RoomsAppSettings>": {3, "has an element that is closed by another"},
		head + "\n\n<add ":                         {4, "ends before its elements do"},
		head:                                       {2, "ends before its elements do"},
		head + "</RoomsAppSettings>\n</x>":         {3, "has an end tag without its element"},
		head + "</RoomsAppSettings>\n<x/>":         {3, "has a second root element"},
		head + "</RoomsAppSettings>\n\ntrailing":   {4, "is no XML file"},
		head + "<add key='x' value='f\xfcr'/>":     {2, "holds bytes that are no UTF-8"},
		head + "<add key='a' key='b'/>":            {2, "has an element with the same attribute twice"},
		head + strings.Repeat("<a>", 70):           {2, "has elements nested deeper than 64"},
		"<?xml version='1.0' encoding='utf-7'?>\n": {1, "declares an encoding that is not read"},
		"\xff\xfe\x00\x00":                         {1, "is UTF-32"},
		"\xff\xfe<":                                {0, "is UTF-16 that was cut off"},
		"<RoomsAppSettings configProtectionProvider='DataProtectionConfigurationProvider'><EncryptedData/></RoomsAppSettings>": {1, "is encrypted for .NET"},
	} {
		f, err := parseRooms([]byte(text))
		var e *roomsError
		if !errors.As(err, &e) || f != nil || e.line != want.line || !strings.HasPrefix(e.problem, want.problem) || strings.Contains(e.problem, canary) {
			t.Errorf("%q: line %d, %v; want line %d, %s", text, e.line, err, want.line, want.problem)
		}
	}
}

// What the operator is told of lines that contradict each other, of slips, and of files that are something else.
func TestLoad_RoomsConfig(t *testing.T) {
	lines := func(s ...string) string {
		return "<RoomsAppSettings>\n" + strings.Join(s, "\n") + "\n</RoomsAppSettings>"
	}
	const id, app, sec = `<add key="ExchangeTenantId" value="t"/>`, `<add key="ExchangeAppId" value="a"/>`, `<add key="ExchangeClientSecret" value="` + canary + `"/>`
	tests := map[string]struct {
		file     string
		faults   []string
		findings []string
	}{
		"fine":             {lines(id, app, sec), nil, nil},
		"the same twice":   {lines(id, app, sec, id), nil, []string{"note rooms:5 ExchangeTenantId: stands in line 2 too, with the same value"}},
		"another twice":    {lines(`<add key="ExchangeTenantId" value="x"/>`, app, sec, id), nil, []string{"warning rooms:5 ExchangeTenantId: stands in line 2 too, with another value: this line counts"}},
		"in two sections":  {lines(`<s><add key="ExchangeTenantId" value="x"/></s>`, app, sec, id), []string{"rooms:5 ExchangeTenantId: stands in line 2 too, in another section and with another value"}, nil},
		"same in two":      {lines(`<s>`+id+`</s>`, app, sec, id), nil, []string{"note rooms:5 ExchangeTenantId: stands in line 2 too, with the same"}},
		"secrets differ":   {lines(id, app, `<add key="ExchangeClientSecret" value="`+canary+`2"/>`, sec), nil, []string{"warning rooms:5 ExchangeClientSecret: stands in line 4 too, with another"}},
		"no value":         {lines(app, sec, `<add key="ExchangeTenantId"/>`), []string{`rooms:4 ExchangeTenantId: has no value: write <add key="ExchangeTenantId" value="…" />`}, nil},
		"a slip":           {lines(id, app, sec, `<add key="ExchangeServicUser" value="`+canary+`"/>`), nil, []string{`warning rooms:5: the key "ExchangeServicUser" is not read: if it is meant to be ExchangeServiceUser`}},
		"secret ID":        {lines(id, app, `<add key="ExchangeClientSecret" value="0a1b2c3d-0000-4444-8888-0123456789ab"/>`), nil, []string{"warning rooms:4 ExchangeClientSecret: looks like the secret's ID"}},
		"none of the keys": {lines(`<add key="Other" value="x"/>`), []string{"--auth: nothing to sign in with"}, []string{"warning rooms: holds none of the keys ExchangeTenantId"}},
		"something else":   {`<configuration><add key="Other" value="x"/></configuration>`, []string{`--rooms-config "rooms": is no RoomsAppSettings.config`}, nil},
		"another root":     {strings.ReplaceAll(lines(id, app, sec), "RoomsAppSettings", "configuration"), nil, nil},
		"malformed":        {lines(id, app, `<add key="ExchangeClientSecret" value="a&`+canary+`"/>`), []string{"rooms:4: has an & that begins no entity: in a value it is written &amp;"}, nil},
		"too large":        {lines(id, app, sec) + strings.Repeat(" ", maxRooms), []string{`--rooms-config "rooms": open`}, nil},
		"spaces around":    {lines(`<add key="ExchangeTenantId" value=" t "/>`, app, `<add key="ExchangeClientSecret" value=" `+canary+`	"/>`), nil, nil},
		"more than a line": {lines(id, app, `<add key="ExchangeClientSecret" value="`+canary+"\nx"+`"/>`), []string{"rooms:4 ExchangeClientSecret: it has more than one line"}, nil},
		"a password's end": {lines(id, app, sec, `<add key="ExchangeServiceUser" value="u@b"/>`, `<add key="ExchangeServicePassword" value="`+canary+` "/>`), nil, []string{"warning rooms:6 ExchangeServicePassword: begins or ends with a space", "note rooms:5 ExchangeServiceUser: is not used by this worker, which signs in by secret"}},
	}
	for name, tt := range tests {
		var w Worker
		err := Load(args("--rooms-config rooms --token-key-file key --ews-url http://127.0.0.1/EWS/Exchange.asmx --authority-url http://127.0.0.1"), world(nil, with(files, "rooms", tt.file)), &w)
		var faults Faults
		if errors.As(err, &faults); (err == nil) != (len(tt.faults) == 0) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			expect(t, name, faults, tt.faults)
		}
		said := ""
		for _, f := range w.Findings() {
			said += "\n" + f.Level + " " + f.About + ": " + f.Problem
		}
		if strings.Contains(said, canary) || strings.Count(said, "\n") != len(tt.findings) {
			t.Errorf("%s: findings %s", name, said)
		}
		for _, want := range tt.findings {
			if !strings.Contains(said, "\n"+want) {
				t.Errorf("%s: lacks %q:%s", name, want, said)
			}
		}
	}
	var w Worker
	err := Load(args("--rooms-config nowhere --app-id a"), world(nil, files), &w)
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), `--rooms-config "nowhere": open nowhere: file does not exist`) {
		t.Errorf("%v", err)
	}
}

func FuzzParseRooms(f *testing.F) {
	f.Add(guide)
	f.Add("<r><add key='exchangeappid' value='a&#10;b'/><clear/><s><remove key='x'/></s></r>")
	f.Add("<!DOCTYPE x><r/>")
	f.Add("<?xml version='1.0' encoding='windows-1252'?><r>\x80</r>")
	f.Add("<r a='&x;'")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseRooms([]byte(text))
		lines := strings.Count(text, "\n") + 1
		if err != nil {
			var e *roomsError
			if !errors.As(err, &e) || file != nil || e.line < 0 || e.line > lines {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, e := range file.entries {
			if !slices.Contains(roomsKeys, e.key) || e.line < 1 || e.line > lines {
				t.Fatalf("%s in line %d of %d", e.key, e.line, lines)
			}
		}
		// The same text in UTF-16 holds the same. In 8-bit encodings, and where bytes look like UTF-16, it is another text.
		if strings.Contains(strings.ToLower(text), "encoding") || strings.ContainsRune(text, 0) || strings.HasPrefix(text, "\ufeff") {
			return
		}
		again, err := parseRooms(utf16Of(text, binary.LittleEndian, true))
		if err != nil || !slices.Equal(found(file), found(again)) {
			t.Fatalf("in UTF-16: %v, %q; %q", err, found(again), found(file))
		}
	})
}
