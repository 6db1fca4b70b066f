package admin

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/hook"
)

func TestDocument_HasEveryRouteAndNoOther(t *testing.T) {
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", doc.OpenAPI)
	}
	listed := map[string]bool{}
	for path, ops := range doc.Paths {
		for method := range ops {
			listed[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, r := range routes {
		if !listed[r.method+" "+r.path] {
			t.Errorf("%s %s is not in the document", r.method, r.path)
		}
		delete(listed, r.method+" "+r.path)
	}
	for op := range listed {
		t.Errorf("%s is in the document only", op)
	}
}

func TestDocument_ListsEverySpecial(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas struct {
				Then struct {
					Properties struct{ Special, Write struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	if got, want := doc.Components.Schemas.Then.Properties.Special.Enum, faults.Specials(); !slices.Equal(got, want) {
		t.Errorf("the document has %q, the simulator %q", got, want)
	}
	for _, write := range doc.Components.Schemas.Then.Properties.Write.Enum {
		if _, err := faults.New(faults.Options{}).Add(faults.Rule{Fault: "E23", Then: []faults.Then{{Write: hook.WriteFault(write)}}}); err != nil {
			t.Errorf("%s: %v", write, err)
		}
	}
}

// TestEveryOperation uses all of them as a person with curl would, and checks each answer against the document.
func TestEveryOperation(t *testing.T) {
	w := newWorld(t)
	w.do("GET", "/admin/openapi.json", "", 200)
	w.mailboxes()
	w.items()
	w.wandering()
	w.faultRules()
	w.tokens()
	w.certificates()
	w.app()
	w.accounts()
	w.permissions()
	w.policies()
	w.clockAndTraffic()
	for _, r := range routes {
		if !w.seen[r.method+" "+r.path] {
			t.Errorf("%s %s was not used", r.method, r.path)
		}
	}
}

const anna = "/admin/mailboxes/anna@contoso.example"

func (w *world) mailboxes() {
	t := w.t
	if got := w.do("GET", "/admin/mailboxes?limit=2&after=room0001@contoso.example", "", 200); got["total"] != 5.0 || len(got["mailboxes"].([]any)) != 2 {
		t.Errorf("mailboxes %v", got)
	}
	if got := w.do("POST", "/admin/mailboxes", `{"people": 3, "rooms": 2, "items": 5}`, 201); got["people"] != 3.0 || got["rooms"] != 2.0 || got["items"] != 25.0 {
		t.Errorf("seeded %v", got)
	}
	if w.Company.Mailbox("user0007@contoso.example") == nil || w.Company.Mailbox("room0003@contoso.example") == nil {
		t.Error("new mailboxes are not numbered after the old ones")
	}
	w.do("POST", "/admin/mailboxes", `{"address": "Anna@contoso.example", "name": "Anna", "zone": "GMT Standard Time"}`, 201)
	if got := w.do("GET", anna, "", 200); got["name"] != "Anna" || got["access"] != "allowed" {
		t.Errorf("anna %v", got)
	}
	if got := w.do("PUT", anna+"/access", `{"access": "403"}`, 200); got["access"] != "403" {
		t.Errorf("closed %v", got)
	}
	if a := w.Faults.Before(&hook.Call{Mailbox: "anna@contoso.example", Operation: "GetItem", Attempt: 1}); a == nil || a.Status != 403 {
		t.Errorf("a closed mailbox answers %+v", a)
	}
	w.do("PUT", anna+"/access", `{"access": "allowed"}`, 200)
	w.do("POST", anna+"/throttle", `{"for": "30s"}`, 204)
	if a := w.Faults.Before(&hook.Call{Mailbox: "anna@contoso.example", Operation: "GetItem", Attempt: 2}); a == nil || a.SOAPFault == nil || a.SOAPFault.BackOff < 29*time.Second {
		t.Errorf("a throttled mailbox answers %+v", a)
	}
	m := w.Company.Mailbox("anna@contoso.example")
	page, err := m.Sync(m.Calendar(), "", 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.do("POST", anna+"/invalidate-sync-states", "", 204)
	if _, err := m.Sync(m.Calendar(), page.State, 10, nil); err == nil {
		t.Error("an old SyncState is still good")
	}
	w.do("DELETE", "/admin/mailboxes/user0007@contoso.example", "", 204)
	w.do("GET", "/admin/mailboxes/user0005@contoso.example", "", 200)
	w.do("DELETE", "/admin/mailboxes/user0005@contoso.example", "", 204) // a gap is not filled
	w.do("POST", "/admin/mailboxes", `{"people": 1}`, 201)
	w.do("GET", "/admin/mailboxes/user0005@contoso.example", "", 404)
	w.do("GET", "/admin/mailboxes/user0007@contoso.example", "", 200)
}

func (w *world) items() {
	t := w.t
	made := w.do("POST", anna+"/items", `{"subject": "Lunch", "start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z", "required": ["Beat@contoso.example"], "freeBusy": "Tentative"}`, 201)
	path := anna + "/items/" + url.PathEscape(made["id"].(string))
	if strings.Contains(made["id"].(string), "/") && !strings.Contains(path, "%2F") {
		t.Errorf("path %s", path)
	}
	if got := w.do("GET", path, "", 200); got["subject"] != "Lunch" || got["organizer"] != "anna@contoso.example" || got["freeBusy"] != "Tentative" {
		t.Errorf("item %v", got)
	}
	changed := w.do("PATCH", path, fmt.Sprintf(`{"subject": "Late lunch", "start": "2026-11-23T13:00:00Z", "end": "2026-11-23T14:00:00Z", "changeKey": %q}`, made["changeKey"]), 200)
	if changed["subject"] != "Late lunch" || changed["changeKey"] == made["changeKey"] || changed["start"] != "2026-11-23T13:00:00Z" {
		t.Errorf("changed %v", changed)
	}
	w.do("PATCH", path, fmt.Sprintf(`{"subject": "Too late", "changeKey": %q}`, made["changeKey"]), 409)
	w.do("POST", anna+"/items", `{"subject": "Stand-up", "start": "2026-11-23T09:00:00Z", "recurrence": {"pattern": "weekly", "days": ["Monday", "Tuesday"], "count": 6}}`, 201)
	shown := w.do("GET", anna+"/items?from=2026-11-23&to=2026-12-20", "", 200)["items"].([]any)
	if len(shown) != 7 {
		t.Errorf("%d appointments shown, want lunch and six stand-ups", len(shown))
	}
	occurrence := shown[len(shown)-1].(map[string]any)
	w.do("DELETE", anna+"/items/"+url.PathEscape(occurrence["id"].(string))+"?how=HardDelete", "", 204)
	if held := w.do("GET", anna+"/items", "", 200)["items"].([]any); len(held) != 2 || held[0].(map[string]any)["deleted"] != 1.0 {
		t.Errorf("the calendar holds %v", held)
	}
	w.do("DELETE", path, "", 204)
	w.do("GET", path, "", 404)
	got := w.do("GET", "/admin/effects?limit=5", "", 200)
	if got["last"] != 5.0 || len(got["effects"].([]any)) != 5 {
		t.Errorf("effects %v", got)
	}
	if got := w.do("GET", "/admin/effects?since=1000000", "", 200); len(got["effects"].([]any)) != 0 {
		t.Errorf("effects of the future: %v", got)
	}
}

func (w *world) faultRules() {
	t := w.t
	w.do("GET", "/admin/catalog", "", 200)
	rule := w.do("POST", "/admin/faults", `{"fault": "H4", "mailbox": "room*@contoso.example", "attempt": "1-2", "then": [{"backOff": "2s"}], "until": {"count": 1}}`, 201)
	w.do("POST", "/admin/faults", `{"fault": "E16", "rate": 0.5}`, 201)
	c := &hook.Call{ID: 1, Mailbox: "room0001@contoso.example", Operation: "GetItem", Attempt: 1, Fence: "1", Time: time.Now()}
	if a := w.Faults.Before(c); a == nil || a.SOAPFault.BackOff != 2*time.Second {
		t.Errorf("answer %+v", a)
	}
	w.Faults.Done(c, 500, []string{"ErrorServerBusy"}, time.Millisecond)
	w.Faults.Before(&hook.Call{ID: 2, Mailbox: "room0001@contoso.example", Operation: "GetItem", Attempt: 2, Time: time.Now()})
	rules := w.do("GET", "/admin/faults", "", 200)["rules"].([]any)
	if len(rules) != 2 || rules[0].(map[string]any)["fired"] != 1.0 {
		t.Errorf("rules %v", rules)
	}
	w.do("DELETE", "/admin/faults/"+rule["id"].(string), "", 204)
	w.do("DELETE", "/admin/faults/"+rule["id"].(string), "", 404)
	w.do("DELETE", "/admin/faults", "", 204)
	if got := w.do("GET", "/admin/calls?mailbox=room0001@contoso.example", "", 200); len(got["calls"].([]any)) != 1 || got["last"] != 1.0 {
		t.Errorf("calls %v", got)
	}
	v := w.do("GET", "/admin/violations", "", 200)["violations"].([]any)
	if len(v) != 1 || v[0].(map[string]any)["kind"] != "too-early" {
		t.Errorf("violations %v", v)
	}
	n := w.do("GET", "/admin/counters", "", 200)
	if n["ews"].(map[string]any)["faults"].(map[string]any)["H4"] != 1.0 || n["unanchored"] != 3.0 || n["refused"] != 0.0 {
		t.Errorf("counters %v", n)
	}
}

func (w *world) tokens() {
	t := w.t
	ask := w.ask
	w.do("PUT", "/admin/tokens/lifetime", `{"lifetime": "90s", "refreshIn": "45s"}`, 204)
	ask("sim-secret")
	tokens := w.do("GET", "/admin/tokens", "", 200)["tokens"].([]any)
	if len(tokens) != 1 {
		t.Fatalf("tokens %v", tokens)
	}
	tok := tokens[0].(map[string]any)
	issued, _ := time.Parse(time.RFC3339Nano, tok["issued"].(string))
	expires, _ := time.Parse(time.RFC3339Nano, tok["expires"].(string))
	if tok["id"] != "sim-app/1" || expires.Sub(issued) != 90*time.Second {
		t.Errorf("token %v", tok)
	}
	if got := w.do("DELETE", "/admin/tokens/sim-app%2F1", "", 200); got["revoked"] != 1.0 {
		t.Errorf("revoked %v", got)
	}
	w.do("DELETE", "/admin/tokens/sim-app%2F1", "", 404)
	ask("sim-secret")
	if got := w.do("DELETE", "/admin/tokens", "", 200); got["revoked"] != 1.0 {
		t.Errorf("revoked %v", got)
	}
	w.do("PUT", "/admin/tokens/secret", `{"secret": "new"}`, 204)
	if was, is := ask("sim-secret"), ask("new"); was != 401 || is != 200 {
		t.Errorf("old secret %d, new secret %d", was, is)
	}
}

// ask asks for a token and returns the status.
func (w *world) ask(secret string) int {
	code, _ := w.askFor("client_credentials", "client_secret", secret)
	return code
}

// askFor asks for a token with more parameters, and returns the status and the AADSTS number.
func (w *world) askFor(grant string, more ...string) (status int, code float64) {
	form := url.Values{"grant_type": {grant}, "client_id": {"sim-app"}, "scope": {entra.Audience + "/.default"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	req := httptest.NewRequest("POST", "/sim-tenant/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.Entra.ServeHTTP(rec, req)
	var doc struct {
		Codes []float64 `json:"error_codes"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &doc)
	return rec.Code, append(doc.Codes, 0)[0]
}

func (w *world) certificates() {
	t := w.t
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]string{"pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
	w.do("POST", "/admin/certificates", string(body), 201)
	all := w.do("GET", "/admin/certificates", "", 200)["certificates"].([]any)
	if len(all) != 1 {
		t.Fatalf("certificates %v", all)
	}
	w.do("DELETE", "/admin/certificates/"+all[0].(map[string]any)["thumbprint"].(string), "", 204)
}

func (w *world) clockAndTraffic() {
	t := w.t
	if got := w.do("POST", "/admin/clock", `{"jump": "2h"}`, 200); got["offset"] != "2h0m0s" {
		t.Errorf("clock %v", got)
	}
	w.do("GET", "/admin/clock", "", 200)
	if got := w.do("POST", "/admin/traffic", `{"edits": 50, "mailboxes": ["room0001@contoso.example"]}`, 200); len(got["edits"].([]any)) != 50 {
		t.Errorf("traffic %v", got)
	}
	w.do("POST", "/admin/reset", "", 204)
	if w.Clock.Offset() != 0 || w.Faults.Counters().Calls != 0 || len(w.Company.Mailboxes()) != 10 {
		t.Error("reset did not put things right, or went too far")
	}
}

func TestErrors_NameTheField(t *testing.T) {
	w := newWorld(t)
	const user = "/admin/mailboxes/user0001@contoso.example"
	for _, c := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/admin/mailboxes", `{}`, 400, "address"},
		{"POST", "/admin/mailboxes", `{"address": "nobody"}`, 400, "address"},
		{"POST", "/admin/mailboxes", `{"address": "user0001@contoso.example"}`, 409, "address"},
		{"POST", "/admin/mailboxes", `{"address": "a@x.example", "kind": "car"}`, 400, "kind"},
		{"POST", "/admin/mailboxes", `{"address": "a@x.example", "zone": "Mars"}`, 400, "zone"},
		{"POST", "/admin/mailboxes", `{"people": 2000000}`, 400, "people"},
		{"POST", "/admin/mailboxes", `{"people": "many"}`, 400, "people"},
		{"POST", "/admin/mailboxes", `{"peopel": 3}`, 400, "peopel"},
		{"POST", "/admin/mailboxes", `{`, 400, ""},
		{"GET", "/admin/mailboxes?limit=x", ``, 400, "limit"},
		{"GET", "/admin/mailboxes/nobody@x.example", ``, 404, ""},
		{"POST", user + "/items", `{"subject": "x"}`, 400, "start"},
		{"POST", user + "/items", `{"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T11:00:00Z"}`, 400, ""},
		{"POST", user + "/items", `{"start": "2026-11-23T12:00:00Z", "freeBusy": "Maybe"}`, 400, "freeBusy"},
		{"POST", user + "/items", `{"start": "2026-11-23T12:00:00Z", "recurrence": {"pattern": "hourly"}}`, 400, "recurrence.pattern"},
		{"GET", user + "/items?from=now&to=2026-11-23", ``, 400, "from"},
		{"GET", user + "/items/nonsense", ``, 404, ""},
		{"DELETE", user + "/items/nonsense?how=Shred", ``, 404, ""},
		{"PUT", user + "/access", `{"access": "maybe"}`, 400, "access"},
		{"POST", user + "/throttle", `{"for": "soon"}`, 400, ""},
		{"POST", user + "/throttle", `{}`, 400, "for"},
		{"POST", "/admin/faults", `{"fault": "H9"}`, 400, "fault"},
		{"POST", "/admin/faults", `{"fault": "H1", "attempt": "x"}`, 400, "attempt"},
		{"PUT", "/admin/tokens/lifetime", `{"lifetime": "1ms"}`, 400, "lifetime"},
		{"PUT", "/admin/tokens/secret", `{"secret": ""}`, 400, "secret"},
		{"POST", "/admin/certificates", `{"pem": "-----BEGIN"}`, 400, "pem"},
		{"DELETE", "/admin/certificates/00", ``, 404, ""},
		{"POST", "/admin/traffic", `{"edits": 0}`, 400, "edits"},
		{"POST", "/admin/traffic", `{"edits": 1, "mailboxes": ["nobody@x.example"]}`, 400, "mailboxes"},
		{"GET", "/admin/effects?since=-1", ``, 400, "since"},
		{"GET", "/admin/nothing", ``, 404, ""},
	} {
		got := w.do(c.method, c.path, c.body, c.status)
		if field, _ := got["field"].(string); field != c.field || got["error"] == "" {
			t.Errorf("%s %s %s: %v, want the field %q", c.method, c.path, c.body, got, c.field)
		}
	}
}
