package ewsapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/internal/exchangesim/store"
)

// TestMain runs the tests and then checks every answer that any of them received against Microsoft's schema.
func TestMain(m *testing.M) {
	code := m.Run()
	if why, err := validateAnswers(); err != nil {
		fmt.Fprintln(os.Stderr, "answers do not validate:", err)
		code = 1
	} else if why != "" {
		fmt.Println("answers were not validated:", why)
	}
	os.Exit(code)
}

var answers struct {
	sync.Mutex
	all [][]byte
}

func keep(answer []byte) {
	answers.Lock()
	defer answers.Unlock()
	answers.all = append(answers.all, bytes.Clone(answer))
}

// shared finds the reference data beside the checkout, "" when it is not there.
func shared() string {
	if dir := os.Getenv("ROOMSYNC_SHARED"); dir != "" {
		return dir
	}
	dir, _ := os.Getwd()
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	return ""
}

// validateAnswers says why it could not check, or what is invalid.
func validateAnswers() (skipped string, err error) {
	schema := filepath.Join(shared(), "ews-schema", "soap-ews.xsd")
	if _, err := os.Stat(schema); err != nil {
		return "no schema at " + schema + " (set ROOMSYNC_SHARED)", nil
	}
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("ROOMSYNC_REQUIRE_INTEROP") == "1" {
			return "", err
		}
		return "xmllint is not installed (libxml2-utils)", nil
	}
	if len(answers.all) == 0 {
		return "no answers", nil
	}
	dir, err := os.MkdirTemp("", "answers")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	args := []string{"--nonet", "--noout", "--schema", schema}
	for i, a := range answers.all {
		name := filepath.Join(dir, fmt.Sprintf("%04d.xml", i))
		if err := os.WriteFile(name, a, 0o600); err != nil {
			return "", err
		}
		args = append(args, name)
	}
	out, err := exec.Command(lint, args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	return "", fmt.Errorf("%w\n%s", err, explain(dir, string(out)))
}

// explain shows the first complaints, each with the beginning of the answer it is about.
func explain(dir, out string) string {
	var b strings.Builder
	shown := 0
	for line := range strings.Lines(out) {
		if strings.HasSuffix(strings.TrimSpace(line), "validates") {
			continue
		}
		if shown++; shown > 12 {
			break
		}
		b.WriteString(line)
		if name, _, ok := strings.Cut(line, ".xml:"); ok {
			body, _ := os.ReadFile(filepath.Join(dir, filepath.Base(name)+".xml"))
			_, inner, _ := strings.Cut(string(body), "<s:Body>")
			fmt.Fprintf(&b, "    %.600s\n", inner)
		}
	}
	return b.String()
}

// now is the time in all tests.
var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// server is a simulated Exchange with some mailboxes, called without a network.
type server struct {
	t       *testing.T
	company *store.Company
	h       http.Handler
	user    string
	header  map[string]string
	soap    string // SOAP header
}

const (
	ann  = "ann@contoso.example"
	bob  = "bob@contoso.example"
	room = "room1@contoso.example"
)

func newServer(t *testing.T, opts Options) *server {
	t.Helper()
	c := store.New(store.Options{Seed: 1, Now: func() time.Time { return now }})
	for _, spec := range []store.MailboxSpec{
		{Address: ann, Name: "Ann Archer"}, {Address: bob, Name: "Bob Baker"},
		{Address: room, Name: "Room 1", Kind: store.KindRoom},
	} {
		if _, err := c.AddMailbox(spec); err != nil {
			t.Fatal(err)
		}
	}
	c.AddRoomList(store.RoomList{Name: "Rooms", Address: "rooms@contoso.example", Rooms: []string{room}})
	return &server{t: t, company: c, h: New(c, opts), user: ann}
}

// answer is one answer.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	root   *element
}

const (
	envelopeStart = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="` + nsTypes + `" xmlns:m="` + nsMessages + `">`
	versionHeader = `<t:RequestServerVersion Version="Exchange2016"/>`
)

// call sends a SOAP body as the server's user.
func (s *server) call(body string) answer {
	s.t.Helper()
	return s.post(envelopeStart + `<s:Header>` + versionHeader + s.soap + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`)
}

func (s *server) post(document string) answer {
	s.t.Helper()
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(document))
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if s.user != "" {
		r.SetBasicAuth(s.user, "simulated")
	}
	for k, v := range s.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	a := answer{t: s.t, status: w.Code, header: w.Header(), body: w.Body.String()}
	if a.status == http.StatusGatewayTimeout {
		return a // scripted, not EWS
	}
	root, err := parseXML(a.body)
	if err != nil {
		s.t.Fatalf("answer is not XML: %v\n%s", err, a.body)
	}
	a.root = root
	keep(w.Body.Bytes())
	return a
}

// codes lists the response codes of an answer in order, a Fault's too.
func (a answer) codes() []string {
	var codes []string
	for _, e := range a.all("ResponseCode") {
		codes = append(codes, e.text)
	}
	return codes
}

// want fails unless the answer's codes are these.
func (a answer) want(codes ...string) answer {
	a.t.Helper()
	if got := strings.Join(a.codes(), " "); got != strings.Join(codes, " ") {
		a.t.Fatalf("codes %s, want %s\n%s", got, strings.Join(codes, " "), a.body)
	}
	return a
}

// ok fails unless everything succeeded.
func (a answer) ok() answer {
	a.t.Helper()
	for _, c := range a.codes() {
		if c != "NoError" {
			a.t.Fatalf("answer: %s", a.body)
		}
	}
	if a.status != http.StatusOK {
		a.t.Fatalf("status %d: %s", a.status, a.body)
	}
	return a
}

// all returns the elements with that name, in order.
func (a answer) all(name string) []*element {
	var found []*element
	var walk func(*element)
	walk = func(e *element) {
		if e.name == name && e.ns != nsSOAP {
			found = append(found, e)
		}
		for _, k := range e.kids {
			walk(k)
		}
	}
	walk(a.root)
	return found
}

// text returns the text of the first element with that name; it must be there.
func (a answer) text(name string) string {
	a.t.Helper()
	found := a.all(name)
	if len(found) == 0 {
		a.t.Fatalf("no %s in %s", name, a.body)
	}
	return found[0].text
}

// id returns the first item's id and change key.
func (a answer) id() (id, changeKey string) {
	a.t.Helper()
	found := a.all("ItemId")
	if len(found) == 0 {
		a.t.Fatalf("no ItemId in %s", a.body)
	}
	return found[0].attr("Id"), found[0].attr("ChangeKey")
}
