package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenFile is a whole message, for anybody to test against.
type goldenFile struct {
	Subject string            `json:"subject"`
	Headers map[string]string `json:"headers,omitempty"`
	Data    json.RawMessage   `json:"data"`
}

// goldenValue is what a file holds, as a Go value of its type.
type goldenValue struct {
	file string // without .json; "<message>.<case>"
	typ  string // event type, or SchemaMailbox
	data any
}

const room, anna = "room0001@contoso.example", "anna.muster@contoso.example"

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func ptr[T any](v T) *T { return &v }

func render(t *testing.T, v goldenValue) []byte {
	t.Helper()
	data, err := json.Marshal(v.data)
	if err != nil {
		t.Fatal(err)
	}
	f := goldenFile{Subject: "$KV." + BucketMailboxes + "." + MailboxToken(room), Data: data}
	if v.typ != SchemaMailbox {
		e := Event{
			ID: "01-" + v.file, Source: "urn:roomsync:contoso", Type: v.typ, Subject: goldenToken(v.data),
			Time: at("2026-11-24T07:30:00.125Z"), Data: data,
		}
		if f.Subject = EventsSubject(e.Subject); strings.HasPrefix(v.typ, "rooms.") {
			f.Subject, e.Source = ChangesSubject(e.Subject), "urn:rooms:contoso"
			e.Extensions = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
		}
		f.Headers = map[string]string{}
		for name, values := range e.Header() {
			f.Headers[name] = values[0]
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// goldenToken is what stands for the mailbox in an event's subject.
func goldenToken(data any) string {
	scope := ""
	switch d := data.(type) {
	case AccessDenied:
		scope = d.Scope
	case AccessRestored:
		scope = d.Scope
	}
	if scope == "" || scope == ScopeMailbox {
		return MailboxToken(room)
	}
	return TenantToken("1f0c8e55d2a4b7e6")
}

func TestGoldenFiles(t *testing.T) {
	seen, typed := map[string]bool{}, map[string]bool{}
	for _, v := range goldens() {
		path := filepath.Join("testdata", v.file+".json")
		seen[path], typed[v.typ] = true, true
		t.Run(v.file, func(t *testing.T) {
			want := render(t, v)
			if *update {
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (go test ./events -update writes it)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what this version writes; want:\n%s", path, want)
			}
			readBack(t, got, v)
		})
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, path := range files {
		if !seen[path] {
			t.Errorf("%s belongs to no test", path)
		}
	}
	for _, typ := range append(Types(), SchemaMailbox) {
		if !typed[typ] {
			t.Errorf("no golden file of %s", typ)
		}
	}
}

// readBack goes the other way: headers and data of the file give the value again, and its schema accepts the data.
func readBack(t *testing.T, file []byte, v goldenValue) {
	t.Helper()
	var f goldenFile
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	if err := validate(v.typ, f.Data); err != nil {
		t.Errorf("schema refuses the data: %v", err)
	}
	if v.typ != SchemaMailbox {
		h := map[string][]string{}
		for name, value := range f.Headers {
			h[strings.ToUpper(name)] = []string{value} // a client may change the case
		}
		e, err := Parse(h, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != v.typ || e.ID != "01-"+v.file || !e.Time.Equal(at("2026-11-24T07:30:00.125Z")) {
			t.Errorf("parsed as %+v", e)
		}
	}
	got := reflect.New(reflect.TypeOf(v.data))
	if err := json.Unmarshal(f.Data, got.Interface()); err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, must(json.Marshal(got.Interface())), f.Data) {
		t.Errorf("decoded and encoded again, the data differ")
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
