package exchangesim

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/go-ntlmssp"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/signin"
)

// asUser puts a user name beside the requests, which Microsoft's client turns into NTLM.
func asUser(name, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

func TestNTLM_MicrosoftsClientSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 2, Items: -1, BusyShare: NoBusyShare})
		defer c.stop()
		bare := c.http.Transport.(*http.Transport)
		c.http.Transport = ntlmssp.Negotiator{RoundTripper: bare}
		plain, asAnna := envelope("", syncFolder), envelope(impersonate(anna), syncFolder)
		for _, s := range []struct{ who, name, password, body, want string }{
			{"address", anna, "simulated", plain, "200 NoError"},
			{"domain and name", `CONTOSO\user0001`, "simulated", plain, "200 NoError"},
			{"service user", `contoso\SVC`, "simulated", asAnna, "200 NoError"},
			{"somebody else", "user0002@contoso.example", "simulated", asAnna, "500 fault ErrorImpersonateUserDenied"},
			{"wrong password", anna, "guess", plain, "401 Bearer Basic empty"},
			{"other domain", `FABRIKAM\user0001`, "simulated", plain, "401 Bearer Basic empty"},
			{"nobody", "nobody@contoso.example", "simulated", plain, "401 Bearer Basic empty"},
		} {
			bare.CloseIdleConnections()
			if got := c.ews(s.body, asUser(s.name, s.password)); got != s.want {
				t.Errorf("%s: %q, want %q", s.who, got, s.want)
			}
		}
		calls := c.sim.Faults().Calls(0, "", 0)
		if last := calls[len(calls)-1]; last.SignIn != hook.NTLM || last.Refused != hook.ImpersonateUser {
			t.Errorf("the log says %+v", last)
		}
		c.sim.Users().SetState(anna, directory.Disabled)
		bare.CloseIdleConnections()
		if got := c.ews(plain, asUser(anna, "simulated")); !strings.HasPrefix(got, "401") {
			t.Errorf("a disabled account: %q", got)
		}
	})
}

// A sign-in belongs to the connection: what comes on it later needs no credentials, what comes on another does.
func TestNTLM_IsBoundToTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare})
		defer c.stop()
		bare := c.http.Transport
		plain := envelope("", syncFolder)
		nobody := func(*http.Request) {}
		c.http.Transport = ntlmssp.Negotiator{RoundTripper: bare}
		c.ews(plain, asUser(anna, "simulated"))
		c.http.Transport = bare
		if got := c.ews(plain, nobody); got != "200 NoError" {
			t.Errorf("on the same connection: %q", got)
		}
		c.sim.SignIn().SetSchemes(signin.Schemes{Basic: true})
		if got := c.ews(plain, nobody); got != "401 Basic empty" {
			t.Errorf("with NTLM switched off: %q", got)
		}
		c.sim.SignIn().Reset()
		c.http.CloseIdleConnections()
		if got := c.ews(plain, nobody); got != "401 Bearer Basic empty" {
			t.Errorf("on another connection: %q", got)
		}
		c.splitHandshake(plain)
	})
}

// splitHandshake answers a challenge on another connection than the one that it came on.
func (c *client) splitHandshake(body string) {
	c.t.Helper()
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		c.t.Fatal(err)
	}
	step := func(message []byte) *http.Response {
		req, _ := http.NewRequest("POST", "http://sim.example"+EWSPath, strings.NewReader(body))
		req.Header.Set("Authorization", "NTLM "+base64.StdEncoding.EncodeToString(message))
		res, err := c.http.Do(req)
		if err != nil {
			c.t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	before := c.sim.SignIn().Refused()
	offer := step(negotiate).Header.Get("Www-Authenticate")
	if c.sim.SignIn().Refused() != before {
		c.t.Error("a step of the handshake counts as a refusal")
	}
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(offer, "NTLM "))
	if err != nil {
		c.t.Fatalf("challenge %q: %v", offer, err)
	}
	answer, err := ntlmssp.NewAuthenticateMessage(challenge, anna, "simulated", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.http.CloseIdleConnections()
	if status := step(answer).StatusCode; status != 401 {
		c.t.Errorf("the answer on another connection: %d", status)
	}
	if status := step(answer).StatusCode; status != 401 {
		c.t.Errorf("the answer once more: %d", status)
	}
}

// A server of somebody else's making, without ConnContext, serves NTLM too.
func TestNTLM_OnAPlainServer(t *testing.T) {
	sim, err := New(Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	hc := &http.Client{Transport: ntlmssp.Negotiator{RoundTripper: srv.Client().Transport}}
	for range 3 {
		req, _ := http.NewRequest("POST", srv.URL+EWSPath, strings.NewReader(envelope("", syncFolder)))
		asUser(anna, "simulated")(req)
		res, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body) // else the connection cannot be used again
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	if n := sim.SignIn().Refused(); n != 1 {
		t.Errorf("%d requests without credentials, want the first one only: the connection is not remembered", n)
	}
}
