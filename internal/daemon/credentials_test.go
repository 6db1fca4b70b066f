package daemon

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/exchangesim"
	simentra "roomsync/internal/exchangesim/entra"
	"roomsync/internal/tokens"
	"roomsync/internal/tokens/certs"
)

const owner = "user0001@contoso.example"

// simulated is an Exchange, and the secrets to sign in to it.
type simulated struct {
	*exchangesim.Server
	url  string
	dir  string
	cert *x509.Certificate
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 2, Items: 3, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	t.Cleanup(srv.Close)
	s := &simulated{Server: sim, url: srv.URL, dir: t.TempDir()}
	s.cert = s.newCert(t, "app.pem", 100*24*time.Hour)
	if err := sim.Entra().AddCertificate(s.cert); err != nil {
		t.Fatal(err)
	}
	s.write(t, "secret", "sim-secret")
	s.write(t, "password", "simulated")
	return s
}

func (s *simulated) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newCert writes a certificate with its key.
func (s *simulated) newCert(t *testing.T, name string, life time.Duration) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	return cert
}

// exchange is a configuration with everything in it, for one way to sign in.
func (s *simulated) exchange(t *testing.T, auth, user string) config.Exchange {
	t.Helper()
	var w config.Worker
	args := []string{"--auth=basic", "--ews-url=" + s.url + exchangesim.EWSPath, "--authority-url=" + s.url, "--tenant-id=sim-tenant", "--app-id=sim-app",
		"--client-secret-file=" + filepath.Join(s.dir, "secret"), "--username=somebody", "--password-file=" + filepath.Join(s.dir, "password")}
	if err := config.Load(args, config.OS(), &w); err != nil {
		t.Fatal(err)
	}
	e := w.Exchange
	e.Username = user
	e.Auth, e.CertDir, e.CertThumbprint, e.TokenFile = auth, s.dir, certs.Thumbprint(s.cert), filepath.Join(s.dir, "token")
	return e
}

// readCalendar looks into the owner's calendar once.
func readCalendar(t *testing.T, e config.Exchange) error {
	t.Helper()
	cal, end, err := Calendar(e, config.Work{Slots: 4, BookingSlots: 1})
	if err != nil {
		return err
	}
	defer end()
	delta, err := cal.Probe(t.Context(), calsync.Target{Address: owner}, "", 0)
	if err == nil && len(delta.Changes) != 3 {
		t.Errorf("%d changes", len(delta.Changes))
	}
	return err
}

// TestCalendar signs in to the simulated Exchange, as the service user or the app, and as the owner without
// impersonation.
func TestCalendar(t *testing.T) {
	s := newSimulated(t)
	const subject = "system:serviceaccount:roomsync:worker"
	must(t, s.Entra().AddFederatedCredential(simentra.FederatedCredential{Name: "cluster", Issuer: simentra.SimulatedIssuer, Subject: subject}))
	token, err := s.Entra().IssueFederatedToken(simentra.FederatedToken{Subject: subject})
	must(t, err)
	s.write(t, "token", token)
	for auth, user := range map[string]string{
		config.AuthSecret: "", config.AuthCertificate: "", config.AuthBasic: exchangesim.ServiceUser, config.AuthDelegated: owner,
		config.AuthFederated: "", config.AuthNTLM: exchangesim.ServiceUser,
	} {
		if err := readCalendar(t, s.exchange(t, auth, user)); err != nil {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

// TestCalendar_WrongCredentials: each kind has its own message, and none is said of another.
func TestCalendar_WrongCredentials(t *testing.T) {
	s := newSimulated(t)
	s.Entra().RemoveCertificate(certs.Thumbprint(s.cert))
	s.write(t, "secret", "wrong-canary")
	s.write(t, "password", "wrong-canary")
	for auth, part := range map[string]string{
		config.AuthSecret: "ExchangeClientSecret", config.AuthCertificate: "ExchangeCertThumbprint",
		config.AuthBasic: "ExchangeServicePassword", config.AuthDelegated: "ExchangeServicePassword", config.AuthNTLM: "ExchangeServicePassword",
	} {
		err := readCalendar(t, s.exchange(t, auth, owner))
		var f *calsync.Fault
		if !errors.As(err, &f) || f.Kind != calsync.FaultToken || f.Unknown || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", auth, err)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "canary") {
			t.Errorf("%s: a secret is in %s", auth, text)
		}
	}
}

// TestCalendar_Requests looks at what Exchange is sent: who acts, and for whom.
func TestCalendar_Requests(t *testing.T) {
	s := newSimulated(t)
	for auth, want := range map[string]struct {
		scheme       string
		impersonates bool
	}{
		config.AuthSecret: {"Bearer", true}, config.AuthCertificate: {"Bearer", true}, config.AuthBasic: {"Basic", true},
		config.AuthDelegated: {"Bearer", false}, config.AuthNTLM: {"NTLM", false}, // its first message has no body
	} {
		var scheme, body string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data, _ := io.ReadAll(r.Body)
			scheme, _, _ = strings.Cut(r.Header.Get("Authorization"), " ")
			body = string(data)
			w.WriteHeader(http.StatusForbidden)
		}))
		e := s.exchange(t, auth, owner)
		e.EWSURL = srv.URL + exchangesim.EWSPath
		if err := readCalendar(t, e); err == nil {
			t.Errorf("%s: no error", auth)
		}
		srv.Close()
		if scheme != want.scheme || strings.Contains(body, "ExchangeImpersonation") != want.impersonates || (body == "") != (auth == config.AuthNTLM) {
			t.Errorf("%s: %s, %s", auth, scheme, body)
		}
	}
}

// TestNewIssuer_Federated sends what is in the file, to a double since the simulated Entra knows no other issuer.
func TestNewIssuer_Federated(t *testing.T) {
	var sent string
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"issuer":"%[1]s/sim-tenant/v2.0","authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t"}`, srv.URL)
			return
		}
		sent = r.PostFormValue("client_assertion")
		_, _ = io.WriteString(w, `{"access_token":"t","expires_in":3600}`)
	}))
	defer srv.Close()
	s := newSimulated(t)
	e := s.exchange(t, config.AuthFederated, "")
	e.AuthorityURL = srv.URL
	if _, err := NewIssuer(e, nil); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("without the file: %v", err)
	}
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":4000000000}`)) + ".x"
	s.write(t, "token", token)
	i, err := NewIssuer(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := i.Source(t.Context(), tokens.Request{}); err != nil || tok.Value.Reveal() != "t" || sent != token {
		t.Errorf("sent %q: %v, %v", sent, tok, err)
	}
}

func TestNewIssuer_Identity(t *testing.T) {
	s := newSimulated(t)
	s.write(t, "token", "e30.e30.x")
	seen := map[tokens.Identity]string{}
	for _, auth := range []string{config.AuthSecret, config.AuthCertificate, config.AuthFederated, config.AuthDelegated} {
		e := s.exchange(t, auth, owner)
		i, err := NewIssuer(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[i.Identity]; other != "" {
			t.Errorf("%s and %s are both %v", auth, other, i.Identity)
		}
		seen[i.Identity] = auth
		if text := fmt.Sprintf("%+v %v", i.Identity, i); strings.Contains(text, "simulated") || strings.Contains(text, "sim-secret") {
			t.Errorf("a secret is in %v", i.Identity)
		}
		for _, change := range []func(*config.Exchange){
			func(e *config.Exchange) { e.TenantID = "other" }, func(e *config.Exchange) { e.AppID = "other" }, func(e *config.Exchange) { e.AuthorityURL = "https://login.example" },
		} {
			changed := e
			change(&changed)
			if other, err := NewIssuer(changed, nil); err != nil || other.Identity == i.Identity {
				t.Errorf("%s is also that of %+v, %v", i.Identity, changed, err)
			}
		}
	}
}

func TestNewIssuer_Credential(t *testing.T) {
	s := newSimulated(t)
	s.write(t, "token", "e30.e30.x")
	for auth, want := range map[string][2]string{
		config.AuthSecret:      {"sim-secret", "renewed"},
		config.AuthDelegated:   {"simulated", "renewed"},
		config.AuthFederated:   {"federated", "federated"},
		config.AuthCertificate: {certs.Thumbprint(s.cert), certs.Thumbprint(s.cert)},
	} {
		i, err := NewIssuer(s.exchange(t, auth, owner), nil)
		if err != nil {
			t.Fatal(err)
		}
		for n, text := range want {
			if got, err := i.Credential(); got.Reveal() != text || err != nil {
				t.Errorf("%s: %q, %v", auth, got.Reveal(), err)
			}
			if n == 0 {
				s.write(t, "secret", "renewed")
				s.write(t, "password", "renewed")
				s.write(t, "token", "e30.e30.y")
			}
		}
		if end := i.NotAfter(); (auth == config.AuthCertificate) != end.Equal(s.cert.NotAfter) {
			t.Errorf("%s ends %v", auth, end)
		}
		s.write(t, "secret", "sim-secret")
		s.write(t, "password", "simulated")
	}
}

func TestNewIssuer_Faults(t *testing.T) {
	s := newSimulated(t)
	missing := s.exchange(t, config.AuthCertificate, "")
	missing.CertThumbprint = strings.Repeat("0", 40)
	expired := s.exchange(t, config.AuthCertificate, "")
	expired.CertThumbprint = certs.Thumbprint(s.newCert(t, "old.pem", -time.Minute))
	nobody := s.exchange(t, config.AuthDelegated, "svc")
	for part, e := range map[string]config.Exchange{
		"no certificate with the thumbprint": missing, "expired on": expired, "user principal name": nobody, "needs no access tokens": s.exchange(t, config.AuthBasic, "x"),
	} {
		if _, err := NewIssuer(e, nil); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	var warned []string
	soon := s.exchange(t, config.AuthCertificate, "")
	soon.CertThumbprint = certs.Thumbprint(s.newCert(t, "soon.pem", time.Hour))
	if _, err := NewIssuer(soon, func(err error) { warned = append(warned, err.Error()) }); err != nil || len(warned) != 1 || !strings.Contains(warned[0], "expires on") {
		t.Errorf("%v, %q", err, warned)
	}
}
