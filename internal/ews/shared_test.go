package ews

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// shared returns a folder of the reference data beside the checkout, or skips the test.
func shared(t testing.TB, folder string) string {
	t.Helper()
	dir := os.Getenv("ROOMSYNC_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared") // two up to the checkout's root, and beside it
	}
	dir = filepath.Join(dir, folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference data: set ROOMSYNC_SHARED to the folder that holds %s", folder)
	}
	return dir
}

func TestCodesAreTheSchemas(t *testing.T) {
	schema, err := os.ReadFile(filepath.Join(shared(t, "ews-schema"), "messages.xsd"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := bytes.Cut(schema, []byte(`<xs:simpleType name="ResponseCodeType">`))
	list, _, _ = bytes.Cut(list, []byte(`</xs:simpleType>`))
	n := 0
	for line := range strings.Lines(string(list)) {
		_, value, found := strings.Cut(line, `<xs:enumeration value="`)
		if !found {
			continue
		}
		n++
		value, _, _ = strings.Cut(value, `"`)
		if codes[value] != value {
			t.Errorf("%s is missing: run go generate", value)
		}
	}
	if n < 400 || n != len(codes) {
		t.Errorf("the schema has %d codes, codes.go %d", n, len(codes))
	}
}

// decoders are the operations we speak; each returns what it read.
var decoders = map[string]struct {
	op     *operation
	answer func(m *message) (result any, fault *calsync.Fault)
}{
	"SyncFolderItems": {syncFolderItems, func(m *message) (any, *calsync.Fault) { return m.delta() }},
	"GetItem": {getItem, func(m *message) (any, *calsync.Fault) {
		r := m.item()
		return r.Appointment, r.Err
	}},
	"FindItem": {findItem, func(m *message) (any, *calsync.Fault) {
		found, _, fault := m.calendarView()
		return found, fault
	}},
	"CreateItem":   {createItem, func(m *message) (any, *calsync.Fault) { return nil, m.done() }}, // samples are of messages too, which have no id
	"UpdateItem":   {updateItem, func(m *message) (any, *calsync.Fault) { return m.written() }},
	"DeleteItem":   {deleteItem, func(m *message) (any, *calsync.Fault) { return nil, m.done() }},
	"GetFolder":    {getFolder, func(m *message) (any, *calsync.Fault) { return m.folder() }},
	"ResolveNames": {resolveNames, func(m *message) (any, *calsync.Fault) { return m.resolutions() }},
}

// decodeDocument reads a document as the answer to op on the given status.
func decodeDocument(op string, status int, doc []byte) (results []any, faults []*calsync.Fault, err error) {
	d := decoders[op]
	x := &exchange{client: &Client{opt: Options{}.withDefaults()}, call: call{op: d.op, answer: func(m *message) {
		r, f := d.answer(m)
		results, faults = append(results, r), append(faults, f)
	}}}
	x.answer.Write(doc)
	fault, err := x.decode(&http.Response{StatusCode: status, Header: http.Header{}})
	if fault != nil {
		faults = append(faults, fault)
	}
	return results, faults, err
}

// TestSamples: every response of the operations we speak decodes, with the codes that the manifest lists; every
// other document reads to its end.
func TestSamples(t *testing.T) {
	dir := shared(t, "ews-samples")
	f, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := csv.NewReader(f)
	table.Comma, table.LazyQuotes = '\t', true
	rows, err := table.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int{}
	for _, row := range rows[1:] {
		file, op, direction, want := row[0], row[1], row[2], row[3]
		doc, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		var s soap.Scanner
		s.Reset(doc)
		if err := s.Finish(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		_, ours := decoders[op]
		switch {
		case direction == "fault":
			checkFaultSample(t, file, want, doc)
		case ours && direction == "response":
			checkSample(t, file, op, want, doc)
		default:
			continue
		}
		read[op+" "+direction]++
	}
	t.Log(read)
	if read["FindItem response"] < 40 || read["GetItem response"] < 20 || read["SyncFolderItems response"] < 5 || read["Fault fault"] < 5 {
		t.Errorf("too few samples were read: %v", read)
	}
}

func checkSample(t *testing.T, file, op, want string, doc []byte) {
	t.Helper()
	results, faults, err := decodeDocument(op, 200, doc)
	if err != nil || len(results) == 0 {
		t.Errorf("%s: %d results, %v", file, len(results), err)
		return
	}
	var got []string
	for _, f := range faults {
		switch {
		case f == nil:
			got = append(got, NoError)
		case f.Kind == calsync.FaultMalformed && bytes.Contains(doc, []byte(":CalendarItem>")):
			t.Errorf("%s: %v", file, f)
		case f.Code != "":
			got = append(got, f.Code)
		}
	}
	for _, code := range strings.Split(want, ",") {
		accepted := code == ErrorNameResolutionMultipleResults || code == ErrorNameResolutionNoResults // results, not faults
		if code != NoError && !accepted && !slices.Contains(got, code) {
			t.Errorf("%s: codes %v, want %s", file, got, code)
		}
	}
}

func checkFaultSample(t *testing.T, file, want string, doc []byte) {
	t.Helper()
	_, faults, err := decodeDocument("GetItem", 500, doc)
	if err != nil || len(faults) != 1 || faults[0].Kind != calsync.FaultSOAP || faults[0].Code != want || faults[0].Message == "" {
		t.Errorf("%s: %+v, %v; want %q", file, faults, err, want)
	}
}

// requests are all the forms of request that the client can send.
func requests() map[string][]byte {
	nasty := "a<b>&\"'\x00\x1f\r\n\xffä"
	w := calsync.Window{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	bodies := map[string]func(*request){
		"sync-first":  func(r *request) { r.syncFolderItems("", "", 512) },
		"sync-next":   func(r *request) { r.syncFolderItems("AAA="+nasty, "H4sI"+nasty, 1) },
		"get":         func(r *request) { r.getItem([]string{"AAA=", nasty}, itemIDElement) },
		"masters":     func(r *request) { r.getItem([]string{"AAA="}, masterIDElement) },
		"find":        func(r *request) { r.calendarView("", w) },
		"find-folder": func(r *request) { r.calendarView("AAA=", w) },
		"get-folder":  func(r *request) { r.getFolder("") },
		"resolve":     func(r *request) { r.resolveNames("Müller & Söhne" + nasty) },
	}
	all := map[string][]byte{}
	for name, body := range bodies {
		for _, schema := range []string{"Exchange2007_SP1", "Exchange2013_SP1", "Exchange2016"} {
			impersonating := request{schema: schema, address: "a&b@contoso.example", impersonate: true}
			delegate := request{schema: schema, address: "a&b@contoso.example"}
			all[name+"-"+schema+"-impersonating"] = impersonating.envelope(body)
			all[name+"-"+schema+"-delegate"] = delegate.envelope(body)
		}
	}
	return all
}

// TestRequestsAreValid checks every form of request against Microsoft's schema.
func TestRequestsAreValid(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, doc := range requests() {
		file := filepath.Join(dir, name+".xml")
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if complaints := xmllint(t, files...); complaints != "" {
		t.Error(complaints)
	}
	// The judge must be able to say no.
	bad := filepath.Join(dir, "bad.xml")
	r := request{schema: "Exchange2016"}
	if err := os.WriteFile(bad, r.envelope(func(r *request) { r.syncFolderItems("", "", maxChanges+1) }), 0o600); err != nil {
		t.Fatal(err)
	}
	if xmllint(t, bad) == "" {
		t.Error("a MaxChangesReturned of 513 was accepted")
	}
}

func TestRequestsAreDeterministic(t *testing.T) {
	first := requests()
	for name, doc := range requests() {
		if !bytes.Equal(doc, first[name]) {
			t.Errorf("%s differs from one time to the next", name)
		}
		var s soap.Scanner
		s.Reset(doc)
		if err := s.Finish(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
