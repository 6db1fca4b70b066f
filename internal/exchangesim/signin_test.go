package exchangesim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/faults"
)

func TestSignIn_OnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 5, Items: -1, BusyShare: NoBusyShare, TokenLifetime: 10 * time.Second})
		defer c.stop()
		plain, asAnna := envelope("", syncFolder), envelope(impersonate(anna), syncFolder)
		token := c.token()
		nobody := func(*http.Request) {}
		wrong := func(r *http.Request) { r.SetBasicAuth(anna, "guess") }
		for _, s := range []struct {
			who  string
			body string
			auth func(*http.Request)
			want string
		}{
			{"nobody", plain, nobody, "401 Bearer Basic empty"},
			{"owner", plain, basic(anna), "200 NoError"},
			{"owner in capitals", plain, basic(strings.ToUpper(anna)), "200 NoError"},
			{"owner, wrong password", plain, wrong, "401 Bearer Basic empty"},
			{"unknown user", plain, basic("nobody@contoso.example"), "401 Bearer Basic empty"},
			{"owner as somebody else", asAnna, basic("room0001@contoso.example"), "500 fault ErrorImpersonateUserDenied"},
			{"service user", asAnna, basic(ServiceUser), "200 NoError"},
			{"app", asAnna, bearer(token), "200 NoError"},
			{"unknown token", asAnna, bearer("a.b.c"), `401 diagnostics=2000001 Bearer error="invalid_token" empty`},
		} {
			if got := c.ews(s.body, s.auth); got != s.want {
				t.Errorf("%s: %q, want %q", s.who, got, s.want)
			}
		}
		if n := c.sim.SignIn().Refused(); n != 4 {
			t.Errorf("%d requests refused, want 4", n)
		}
		if got := c.ews(plain, bearer(token)); !strings.HasPrefix(got, "500 fault Error") {
			t.Errorf("an app without impersonation, which has no mailbox: %q", got)
		}
		calls := c.sim.Faults().Calls(0, anna, 0)
		if last := calls[len(calls)-1]; last.TokenID != "sim-app/1" || last.Caller != "sim-app" {
			t.Errorf("the log says %+v", last)
		}
		time.Sleep(10 * time.Second)
		if got := c.ews(asAnna, bearer(token)); got != `401 diagnostics=2000002 Bearer error="invalid_token" empty` {
			t.Errorf("expired token: %q", got)
		}
		token = c.token()
		c.sim.Clock().Jump(time.Minute)
		if got := c.ews(asAnna, bearer(token)); !strings.HasPrefix(got, "401 diagnostics=2000002") {
			t.Errorf("after the clock jumped: %q", got)
		}
		token = c.token()
		c.sim.Entra().Revoke("")
		if got := c.ews(asAnna, bearer(token)); !strings.HasPrefix(got, "401 diagnostics=2000001") {
			t.Errorf("revoked token: %q", got)
		}
	})
}

func TestLatency_IsAddedToEWSAndTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare, Latency: 250 * time.Millisecond})
		defer c.stop()
		began := time.Now()
		c.token()
		c.ews(envelope("", syncFolder), basic(anna))
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("two calls took %v, want 500ms", took)
		}
	})
}

func TestRun_TrafficChangesCalendars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Seed: 1, Mailboxes: 5, Traffic: 2, BusyShare: NoBusyShare})
		before := len(c.sim.Company().Effects(0))
		time.Sleep(30*time.Second + time.Millisecond)
		c.stop()
		if n := len(c.sim.Company().Effects(0)) - before; n != 60 {
			t.Errorf("%d edits in 30 s at 2 a second", n)
		}
	})
}

// A compressed answer is spoilt too.
func TestFault_IllegalCharactersInACompressedAnswer(t *testing.T) {
	sim, err := New(Options{Mailboxes: 1, BusyShare: NoBusyShare, Faults: []string{"E15"}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	c := &client{t: t, sim: sim}
	req, _ := http.NewRequest("POST", srv.URL+EWSPath, strings.NewReader(envelope("", getItems(c.items()))))
	basic(anna)(req)
	res, err := srv.Client().Do(req) // asks for gzip and unpacks it
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || strings.Count(string(body), "Subject>&#xB;") != 20 || res.Header.Get(faults.FaultHeader) != "E15" || res.Header.Get(faults.SpoilHeader) != "" {
		t.Errorf("%v, %d subjects spoilt, headers %v", err, strings.Count(string(body), "Subject>&#xB;"), res.Header)
	}
}

// Over real TCP and TLS: the certificate is good for a client that trusts it, and for no other; a stop ends calls that
// hang.
func TestListen_TLSAndCleanStop(t *testing.T) {
	cert, pem, err := Certificate()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen("127.0.0.1:0", cert)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := New(Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare, Faults: []string{"H15 SyncFolderItems", "H10 GetFolder"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- sim.Serve(ctx, l) }()
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(pem)
	good := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}}}
	defer good.CloseIdleConnections()
	base := "https://" + l.Addr().String()
	res, err := good.Get(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if _, err := http.Get(base + "/"); err == nil {
		t.Error("a client that does not trust the certificate got an answer")
	}
	sent := make(chan struct{}, 9)
	trace := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent <- struct{}{} }})
	post := func(body string) error {
		req, _ := http.NewRequestWithContext(trace, "POST", base+EWSPath, strings.NewReader(envelope("", body)))
		basic(anna)(req)
		res, err := good.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	const getFolder = `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>`
	if err := post(getFolder); err == nil {
		t.Error("a reset connection gave no error")
	}
	<-sent
	hung := make(chan error, 1)
	go func() { hung <- post(syncFolder) }()
	<-sent
	cancel()
	if err := <-served; err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-hung; err == nil {
		t.Error("a call that hangs was answered")
	}
}

func TestListen_RefusesPlainHTTPBeyondLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:8445", "[::]:0", "example.org:80", "8445"} {
		if l, err := Listen(address, nil); err == nil {
			l.Close()
			t.Errorf("%s was opened without TLS", address)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := Listen(address, nil)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		l.Close()
	}
}

func TestNew_RefusesAWrongRule(t *testing.T) {
	if _, err := New(Options{Faults: []string{"H99"}}); err == nil || !strings.Contains(err.Error(), "H99") {
		t.Errorf("New = %v", err)
	}
}
