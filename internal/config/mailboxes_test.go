package config

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"roomsync/events"
)

func parseFile(t *testing.T, name string) ([]events.Mailbox, error) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return ParseMailboxesCSV(f, name)
}

func TestParseMailboxesCSV_Good(t *testing.T) {
	tests := map[string][]events.Mailbox{
		"testdata/good.csv": {
			{Address: "room0001@contoso.example", Mode: "O365Pull", Enabled: true},
			{Address: "room0002@contoso.example", Mode: "O365", Enabled: true},
		},
		"testdata/good-spreadsheet.csv": { // a byte order mark, semicolons, CR LF, capitals
			{
				Address: "room0001@contoso.example", Mode: "Exchange2016Pull", URL: "https://mail.contoso.example/EWS/Exchange.asmx",
				Folder: "AAMk=", Fields: []string{"location", "subject"}, PastDays: 30, FutureDays: 90,
			},
			{Address: "room0002@contoso.example", Mode: "O365", Enabled: true, Fields: []string{}},
		},
	}
	for name, want := range tests {
		got, err := parseFile(t, name)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, err, got, want)
		}
	}
}

func TestParseMailboxesCSV_ReportsEveryFaultAndImportsNothing(t *testing.T) {
	want, err := os.ReadFile("testdata/bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseFile(t, "testdata/bad.csv")
	var lines LineErrors
	if !errors.As(err, &lines) || list != nil {
		t.Fatalf("%v, %v", list, err)
	}
	if err.Error()+"\n" != string(want) {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestParseMailboxesCSV_Header(t *testing.T) {
	tests := map[string]string{ // content: part of the error
		"":                                   "is empty",
		"\n\n":                               "is empty",
		"address\na@b.example\n":             `column "mode": missing`,
		"address,mod\na@b.example,O365\n":    `column "mod": there is address, mode,`,
		"address,mode,mode\na@b.c,O365,\n":   "stands there twice",
		"room@b.example,O365\n":              `column "address": missing`,
		"address,mode\n\"a@b.example,O365\n": "line 2: ",
		"address,mode\na@b.example,O365\"\n": "not read",
		"address,mode\n\xe4@b.example,O365":  "UTF-8",
	}
	for content, want := range tests {
		list, err := ParseMailboxesCSV(strings.NewReader(content), "x.csv")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.csv") {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
		if list != nil {
			t.Errorf("%q: gave mailboxes", content)
		}
	}
	if list, err := ParseMailboxesCSV(strings.NewReader("address,mode\n"), "x.csv"); err != nil || len(list) != 0 {
		t.Errorf("a header only: %v, %v", list, err)
	}
}

func TestParseMailboxesCSV_ReadError(t *testing.T) {
	_, err := ParseMailboxesCSV(failingReader{}, "x.csv")
	if err == nil || !strings.Contains(err.Error(), "x.csv") {
		t.Errorf("%v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"room@contoso.example":        "room@contoso.example",
		"Anna.Muster@Contoso.Example": "anna.muster@contoso.example",
		"o'brien+x=1@contoso.example": "o'brien+x=1@contoso.example",
		"":                            "", "room": "", "@contoso.example": "", "room@": "", "a@b@c": "", "a b@c.example": "",
		"<room@contoso.example>": "", "Room <room@contoso.example>": "", `"a"@c.example`: "", "room@contoso.example\n": "",
		"räum@contoso.example": "", "room@contoso..example": "", strings.Repeat("x", 300) + "@contoso.example": "",
	} {
		got, err := ParseAddress(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzParseMailboxesCSV(f *testing.F) {
	for _, name := range []string{"testdata/good.csv", "testdata/good-spreadsheet.csv", "testdata/bad.csv"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, content string) {
		list, err := ParseMailboxesCSV(strings.NewReader(content), "x.csv")
		if err != nil && list != nil {
			t.Error("an error and mailboxes")
		}
		seen := map[string]bool{}
		for _, m := range list {
			if a, err := ParseAddress(m.Address); err != nil || a != m.Address || seen[a] {
				t.Errorf("address %q: %v, seen %v", m.Address, err, seen[a])
			}
			seen[m.Address] = true
			if _, err := oneOf(m.Mode, modes); err != nil {
				t.Errorf("mode %q", m.Mode)
			}
		}
	})
}
