package admin

import (
	"fmt"
	"testing"
	"time"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/exchangesim/store"
)

func (w *world) app() {
	t := w.t
	if got := w.do("PATCH", "/admin/app", `{"disabled": true}`, 200); got["disabled"] != true || got["consent"] != true {
		t.Errorf("app %v", got)
	}
	if status, code := w.askFor("client_credentials", "client_secret", "new"); status != 400 || code != 7000112 {
		t.Errorf("a disabled app got %d, %v", status, code)
	}
	w.do("PATCH", "/admin/app", `{"disabled": false}`, 200)
	if got := w.do("GET", "/admin/app", "", 200); got["disabled"] != false {
		t.Errorf("app %v", got)
	}
	old := w.do("POST", "/admin/secrets", fmt.Sprintf(`{"secret": "gone", "expires": %q}`, time.Now().Add(-time.Hour).Format(time.RFC3339)), 201)
	if status, code := w.askFor("client_credentials", "client_secret", "gone"); status != 401 || code != 7000222 {
		t.Errorf("an expired secret got %d, %v", status, code)
	}
	w.do("DELETE", "/admin/secrets/"+old["id"].(string), "", 204)
	if _, code := w.askFor("client_credentials", "client_secret", "gone"); code != 7000215 {
		t.Errorf("a removed secret got %v", code)
	}
	if all := w.do("GET", "/admin/secrets", "", 200)["secrets"].([]any); len(all) != 1 || all[0].(map[string]any)["hint"] != "new" {
		t.Errorf("secrets %v", all)
	}
	w.federation()
}

func (w *world) federation() {
	t := w.t
	w.do("POST", "/admin/federated-credentials", `{"name": "k8s", "subject": "system:serviceaccount:rooms:worker"}`, 201)
	w.do("POST", "/admin/federated-credentials", `{"name": "k8s", "subject": "another"}`, 409)
	token := w.do("POST", "/admin/federated-token", `{"subject": "system:serviceaccount:rooms:worker", "lifetime": "10m"}`, 201)["token"].(string)
	show := func() (int, float64) {
		return w.askFor("client_credentials", "client_assertion", token, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	}
	if status, code := show(); status != 200 {
		t.Errorf("federated sign-in: %d %v", status, code)
	}
	w.do("PUT", "/admin/issuers", `{"issuer": "https://k8s.example", "jwks": {"keys": [{"kty": "RSA", "kid": "1", "n": "`+modulus+`", "e": "AQAB"}]}}`, 204)
	if all := w.do("GET", "/admin/federated-credentials", "", 200)["federatedCredentials"].([]any); len(all) != 1 || all[0].(map[string]any)["issuer"] != entra.SimulatedIssuer {
		t.Errorf("trusts %v", all)
	}
	w.do("DELETE", "/admin/federated-credentials/k8s", "", 204)
	if _, code := show(); code != 70025 {
		t.Errorf("without a trust: %v", code)
	}
	if n := w.Entra.Stats().ByCredential["client_credentials/federated"]; n != (entra.CredentialStats{Requests: 2, Issued: 1}) {
		t.Errorf("counted %+v", n)
	}
}

// modulus is that of some 1024-bit key: nothing is signed with it.
const modulus = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"

func (w *world) accounts() {
	t := w.t
	const svc = "/admin/users/svc@contoso.example"
	if got := w.do("PUT", svc, `{"state": "mfaRequired", "password": "better"}`, 200); got["state"] != "mfaRequired" {
		t.Errorf("account %v", got)
	}
	user := func(password string) float64 {
		_, code := w.askFor("password", "username", "svc@contoso.example", "password", password)
		return code
	}
	if code := user("better"); code != 50076 {
		t.Errorf("a user who needs a second factor got %v", code)
	}
	w.do("PUT", svc, `{"state": "enabled"}`, 200)
	w.do("PUT", "/admin/lockout", `{"threshold": 2, "duration": "30m"}`, 204)
	if a, b, c := user("simulated"), user("simulated"), user("better"); a != 50126 || b != 50126 || c != 50053 {
		t.Errorf("two wrong passwords and the right one got %v, %v, %v", a, b, c)
	}
	if got := w.do("GET", svc, "", 200); got["lockedUntil"] == nil {
		t.Errorf("account %v", got)
	}
	w.do("PUT", svc, `{"state": "enabled"}`, 200)
	if code := user("better"); code != 0 {
		t.Errorf("an unlocked account got %v", code)
	}
	if got := w.do("PUT", "/admin/sign-in", `{"basic": false}`, 200); got["basic"] != false || got["ntlm"] != true {
		t.Errorf("sign-in %v", got)
	}
	w.do("GET", "/admin/sign-in", "", 200)
	if w.SignIn.Schemes() != (signin.Schemes{Bearer: true, NTLM: true}) {
		t.Errorf("schemes %+v", w.SignIn.Schemes())
	}
}

func (w *world) permissions() {
	got := w.do("PUT", anna+"/permissions/svc@contoso.example", `{"folders": {"calendar": "Editor", "Deleted Items": "Editor", "drafts": "Reviewer"}}`, 200)
	if all := got["permissions"].([]any); len(all) != 3 {
		w.t.Errorf("permissions %v", all)
	}
	w.do("PUT", anna+"/permissions/svc@contoso.example", `{"folders": {"drafts": "None"}}`, 200)
	if all := w.do("GET", anna+"/permissions", "", 200)["permissions"].([]any); len(all) != 2 {
		w.t.Errorf("permissions %v", all)
	}
	m := w.Company.Mailbox("anna@contoso.example")
	if m.AccessOf("svc@contoso.example", m.Calendar()) != store.Editor {
		w.t.Error("no editor")
	}
}

// appCall is a call by the app for anna's mailbox.
func appCall() *hook.Call {
	return &hook.Call{Mailbox: "anna@contoso.example", Operation: "GetItem", Caller: hook.Principal{AppID: "sim-app", Permitted: true}}
}

func (w *world) policies() {
	t := w.t
	w.do("PUT", "/admin/policy/organization", `{"ewsEnabled": true, "ewsAllowedAppIds": ["other"], "delay": "2h"}`, 200)
	if got := w.do("GET", "/admin/policy", "", 200)["organization"].(map[string]any); got["effectiveAt"] == nil || got["effective"].(map[string]any)["ewsEnabled"] != nil {
		t.Errorf("organization %v", got)
	}
	if a := w.Policy.Admit(appCall()); a != nil {
		t.Errorf("before its time a policy answers %+v", a)
	}
	w.Clock.Jump(2 * time.Hour)
	if a := w.Policy.Admit(appCall()); a == nil || a.Status != 403 {
		t.Errorf("an app that is not listed gets %+v", a)
	}
	w.do("PUT", "/admin/policy/organization", `{"ewsEnabled": null, "ewsApplicationAccessPolicy": "EnforceBlockList", "ewsBlockList": ["Bad*"]}`, 200)
	w.do("PUT", "/admin/policy/groups/SyncIsAllowed", `{"members": ["user0001@contoso.example"]}`, 204)
	p := w.do("POST", "/admin/policy/application-access", `{"appId": "sim-app", "accessRight": "RestrictAccess", "policyScopeGroupId": "SyncIsAllowed", "answer": "soap"}`, 201)
	if a := w.Policy.Admit(appCall()); a == nil || a.Response == nil {
		t.Errorf("outside of the group: %+v", a)
	}
	if got := w.do("GET", "/admin/policy/application-access/test?appId=sim-app&mailbox=anna@contoso.example", "", 200); got["accessCheckResult"] != "Denied" {
		t.Errorf("test %v", got)
	}
	a := w.do("POST", "/admin/policy/role-assignments", `{"appId": "sim-app", "role": "Application EWS.AccessAsApp"}`, 201)
	if a := w.Policy.Admit(appCall()); a != nil {
		t.Errorf("with a role: %+v", a)
	}
	w.do("GET", "/admin/policy", "", 200)
	w.do("DELETE", "/admin/policy/role-assignments/"+a["id"].(string)+"?delay=1h", "", 204)
	w.do("DELETE", "/admin/policy/application-access/"+p["id"].(string), "", 204)
	w.do("GET", "/admin/policy", "", 200)
	w.smallPolicies()
	w.Clock.Jump(-2 * time.Hour)
	if n := w.do("GET", "/admin/counters", "", 200)["refusals"].(map[string]any); n["app-not-allowed"] != 1.0 || n["application-access-policy"] != 1.0 {
		t.Errorf("refusals %v", n)
	}
}

func (w *world) smallPolicies() {
	t := w.t
	w.do("PUT", "/admin/policy/impersonation/sim-app", `{"denied": true}`, 204)
	if code := w.Policy.Impersonate(appCall(), "anna@contoso.example"); code != "ErrorImpersonationDenied" {
		t.Errorf("impersonation %q", code)
	}
	w.do("PUT", "/admin/policy/impersonation/sim-app", `{}`, 204)
	w.do("PUT", anna+"/impersonation", `{"denied": true, "attempts": 3, "for": "1h"}`, 204)
	if got := w.do("GET", "/admin/policy", "", 200)["deniedImpersonation"].(map[string]any); len(got) != 1 {
		t.Errorf("denials %v", got)
	}
	w.do("PUT", anna+"/impersonation", `{"denied": false}`, 204)
	w.do("PUT", anna+"/ews", `{"ewsEnabled": false, "license": "F3"}`, 204)
	w.do("PUT", "/admin/policy/scream-test", `{"share": 1, "for": "20m"}`, 204)
	if got := w.do("GET", "/admin/policy", "", 200); got["screamTest"] == nil || got["mailboxes"].(map[string]any)["anna@contoso.example"] == nil {
		t.Errorf("policy %v", got)
	}
	w.do("DELETE", "/admin/policy", "", 204)
	if a := w.Policy.Admit(appCall()); a != nil {
		t.Errorf("without policies: %+v", a)
	}
}

func TestReset_OpensEverything(t *testing.T) {
	w := newWorld(t)
	w.do("PATCH", "/admin/app", `{"consent": false, "publicClient": false}`, 200)
	w.do("PUT", "/admin/users/user0001@contoso.example", `{"state": "disabled"}`, 200)
	w.do("PUT", "/admin/sign-in", `{"bearer": false}`, 200)
	w.do("PUT", "/admin/policy/organization", `{"ewsEnabled": false}`, 200)
	w.Policy.Admit(appCall())
	w.do("POST", "/admin/reset", "", 204)
	if w.Entra.App() != entra.WorkingApp() || w.Users.SignIn("user0001@contoso.example", "simulated") != directory.OK ||
		!w.SignIn.Schemes().Bearer || w.Policy.Admit(appCall()) != nil || len(w.Policy.Refusals()) != 0 {
		t.Error("something is still shut or counted")
	}
}

func TestErrors_OfAccessNameTheField(t *testing.T) {
	w := newWorld(t)
	const user, svc = "/admin/mailboxes/user0001@contoso.example", "svc@contoso.example"
	for _, c := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"PATCH", "/admin/app", `{"consnet": false}`, 400, "consnet"},
		{"POST", "/admin/secrets", `{}`, 400, "secret"},
		{"DELETE", "/admin/secrets/none", ``, 404, ""},
		{"POST", "/admin/federated-credentials", `{"name": "x"}`, 400, "subject"},
		{"DELETE", "/admin/federated-credentials/none", ``, 404, ""},
		{"PUT", "/admin/issuers", `{"issuer": "https://x.example", "jwks": {"keys": []}}`, 400, "jwks"},
		{"PUT", "/admin/issuers", `{"issuer": "https://x.example", "jwks": {"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]}}`, 400, "jwks"},
		{"PUT", "/admin/issuers", `{"issuer": "https://issuer.contoso.example", "jwks": {}}`, 400, "issuer"},
		{"POST", "/admin/federated-token", `{}`, 400, "subject"},
		{"GET", "/admin/users/nobody@x.example", ``, 404, ""},
		{"PUT", "/admin/users/nobody@x.example", `{}`, 404, ""},
		{"PUT", "/admin/users/" + svc, `{"state": "asleep"}`, 400, "state"},
		{"PUT", "/admin/lockout", `{"threshold": 0, "duration": "1m"}`, 400, "threshold"},
		{"PUT", "/admin/sign-in", `{"kerberos": true}`, 400, "kerberos"},
		{"PUT", "/admin/policy/organization", `{"ewsEnabled": true, "delay": "-1h"}`, 400, "delay"},
		{"PUT", "/admin/policy/organization", `{"ewsApplicationAccessPolicy": "Maybe"}`, 400, "ewsApplicationAccessPolicy"},
		{"PUT", "/admin/policy/groups/g", `{"members": ["nobody@x.example"]}`, 400, "members"},
		{"POST", "/admin/policy/application-access", `{"accessRight": "DenyAccess", "policyScopeGroupId": "g"}`, 400, "appId"},
		{"POST", "/admin/policy/application-access", `{"appId": "a", "accessRight": "Allow", "policyScopeGroupId": "g"}`, 400, "accessRight"},
		{"POST", "/admin/policy/application-access", `{"appId": "a", "accessRight": "DenyAccess"}`, 400, "policyScopeGroupId"},
		{"POST", "/admin/policy/application-access", `{"appId": "a", "accessRight": "DenyAccess", "policyScopeGroupId": "g", "answer": "shrug"}`, 400, "answer"},
		{"GET", "/admin/policy/application-access/test?appId=a&mailbox=b", ``, 400, "mailbox"},
		{"DELETE", "/admin/policy/application-access/none", ``, 404, ""},
		{"DELETE", "/admin/policy/application-access/none?delay=soon", ``, 400, "delay"},
		{"POST", "/admin/policy/role-assignments", `{"appId": "a", "role": "full_access_as_app"}`, 400, "role"},
		{"DELETE", "/admin/policy/role-assignments/none", ``, 404, ""},
		{"PUT", "/admin/policy/scream-test", `{"share": 2, "for": "1m"}`, 400, "share"},
		{"PUT", "/admin/policy/scream-test", `{"share": 0.5}`, 400, "for"},
		{"PUT", user + "/ews", `{"license": "Gold"}`, 400, "license"},
		{"PUT", user + "/impersonation", `{"denied": true, "attempts": -1}`, 400, "attempts"},
		{"PUT", user + "/permissions/nobody@x.example", `{"folders": {}}`, 404, ""},
		{"PUT", user + "/permissions/" + svc, `{"folders": {"calendar": "Boss"}}`, 400, "folders.calendar"},
		{"PUT", user + "/permissions/" + svc, `{"folders": {"attic": "Editor"}}`, 400, "folders.attic"},
	} {
		got := w.do(c.method, c.path, c.body, c.status)
		if field, _ := got["field"].(string); field != c.field || got["error"] == "" || got["hint"] == "" {
			t.Errorf("%s %s %s: %v, want the field %q", c.method, c.path, c.body, got, c.field)
		}
	}
}
