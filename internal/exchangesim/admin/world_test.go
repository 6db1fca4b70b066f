package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/seed"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/exchangesim/store"
)

type testClock struct{ offset time.Duration }

func (c *testClock) Now() time.Time        { return time.Now().Add(c.offset) }
func (c *testClock) Offset() time.Duration { return c.offset }
func (c *testClock) Jump(by time.Duration) { c.offset += by }

// world is a simulator behind its admin API, and its document.
type world struct {
	Parts
	t       *testing.T
	srv     *httptest.Server
	doc     map[string]any
	schemas *jsonschema.Compiler
	seen    map[string]bool // operations that answered with success
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := &testClock{}
	w := &world{t: t, seen: map[string]bool{}}
	w.Parts = Parts{
		Company: store.New(store.Options{Now: clock.Now}), Faults: faults.New(faults.Options{}),
		Clock: clock, Seed: 1, Unanchored: func() uint64 { return 3 }, Policy: policy.New(policy.Options{Now: clock.Now}),
	}
	w.Users = directory.New(directory.Options{Now: clock.Now, Exists: func(address string) bool {
		return address == "svc@contoso.example" || w.Company.Mailbox(address) != nil
	}})
	w.Entra = entra.New(entra.Options{Now: clock.Now, Users: w.Users.SignIn})
	w.SignIn = signin.New(signin.Options{
		Entra: w.Entra, Users: w.Users, Refused: w.Policy.Count, Schemes: signin.Schemes{Bearer: true, Basic: true, NTLM: true},
	})
	if _, err := seed.Fill(w.Company, seed.Options{Seed: 1, Mailboxes: 5, Items: 4}); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, &w.doc); err != nil {
		t.Fatal(err)
	}
	w.schemas = jsonschema.NewCompiler()
	if err := w.schemas.AddResource("openapi.json", w.doc); err != nil {
		t.Fatal(err)
	}
	w.srv = httptest.NewServer(New(w.Parts))
	t.Cleanup(w.srv.Close)
	return w
}

// do makes a request, and checks status and body against the document. The path is that of the document with values in
// the place of its parameters.
func (w *world) do(method, path, body string, want int) map[string]any {
	w.t.Helper()
	req, err := http.NewRequest(method, w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.srv.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(res.Body); err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != want {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, res.StatusCode, want, &raw)
	}
	var out map[string]any
	if raw.Len() > 0 {
		if err := json.Unmarshal(raw.Bytes(), &out); err != nil {
			w.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	w.validate(method, path, res.StatusCode, out)
	return out
}

// validate holds an answer against the schema that the document gives for the operation and status.
func (w *world) validate(method, path string, status int, body map[string]any) {
	w.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	template := w.template(method, path)
	if template == "" {
		if status != http.StatusNotFound {
			w.t.Errorf("%s %s is not in the document", method, path)
		}
		return
	}
	key := fmt.Sprint(status)
	responses := w.doc["paths"].(map[string]any)[template].(map[string]any)[strings.ToLower(method)].(map[string]any)["responses"].(map[string]any)
	if responses[key] == nil {
		if status < 400 {
			w.t.Errorf("%s %s: status %d is not in the document", method, template, status)
		}
		key = "default"
	} else {
		w.seen[method+" "+template] = true
	}
	if status == http.StatusNoContent {
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	s, err := w.schemas.Compile(fmt.Sprintf("openapi.json#/paths/%s/%s/responses/%s/content/application~1json/schema",
		escape.Replace(template), strings.ToLower(method), key))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Validate(any(body)); err != nil {
		w.t.Errorf("%s %s: %v", method, template, err)
	}
}

// template finds the document's path for one with values in it.
func (w *world) template(method, path string) string {
	best := ""
	for t, ops := range w.doc["paths"].(map[string]any) {
		if ops.(map[string]any)[strings.ToLower(method)] != nil && fits(t, path) && (best == "" || strings.Contains(best, "{")) {
			best = t
		}
	}
	return best
}

func fits(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}
