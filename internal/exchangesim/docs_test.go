package exchangesim

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/hook"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/exchangesim.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The document tells the truth about what is implemented.
func TestDocument_NamesEveryFaultCauseAndMagicAddress(t *testing.T) {
	text := document(t)
	missing := regexp.MustCompile(`(?m)^\| \((.*)\) \| not implemented`).FindStringSubmatch(text)
	if missing == nil {
		t.Fatal("no line of what is not implemented")
	}
	text = strings.Replace(text, missing[0], "", 1)
	for _, f := range faults.Catalog() {
		word := regexp.MustCompile(`\b` + f.ID + `\b`)
		if word.MatchString(missing[1]) == f.Implemented() || f.Implemented() && !word.MatchString(text) {
			t.Errorf("%s: implemented %t, and the document says otherwise", f.ID, f.Implemented())
		}
	}
	for _, m := range faults.Magic() {
		if !strings.Contains(text, "| `"+m.Prefix+"` |") {
			t.Errorf("no %s", m.Prefix)
		}
	}
	for _, cause := range hook.Causes() {
		if !strings.Contains(text, "`"+string(cause)+"`") {
			t.Errorf("no %s", cause)
		}
	}
	for _, line := range regexp.MustCompile(`--fault "([^"]+)"`).FindAllStringSubmatch(text, -1) {
		if _, err := faults.Parse(line[1]); err != nil {
			t.Errorf("%s: %v", line[0], err)
		}
	}
}

var curl = regexp.MustCompile(`curl -s (?:-X (\w+) )?'?localhost:8445([^\s'\x60]+)'?(?: -d '([^']+)')?`)

// Every curl line of the document works, in its order.
func TestDocument_EveryExampleWorks(t *testing.T) {
	sim, err := New(Options{Seed: 1, Mailboxes: 10})
	if err != nil {
		t.Fatal(err)
	}
	lines := curl.FindAllStringSubmatch(document(t), -1)
	if len(lines) < 20 {
		t.Fatalf("only %d examples found", len(lines))
	}
	for _, l := range lines {
		method := l[1]
		switch {
		case method != "":
		case l[3] != "":
			method = http.MethodPost
		default:
			method = http.MethodGet
		}
		rec := httptest.NewRecorder()
		sim.Handler().ServeHTTP(rec, httptest.NewRequest(method, l[2], strings.NewReader(l[3])))
		if rec.Code < 200 || rec.Code > 299 {
			t.Errorf("%s: %d %s", l[0], rec.Code, rec.Body)
		}
	}
}
