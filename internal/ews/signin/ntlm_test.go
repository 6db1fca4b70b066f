package signin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/Azure/go-ntlmssp"
)

func TestNTLM_SignsAConnectionInOnce(t *testing.T) {
	for name, s := range map[string]*server{"http": newServer(t, nil), "https": newTLSServer(t, nil)} {
		rt := newAccount(rightPassword).ntlm(s)
		for range 5 {
			want(t, rt, s)
		}
		if took := s.took(); took != "negotiate authenticate plain plain plain plain" || s.conns != 1 {
			t.Errorf("%s: %s by %d connections", name, took, s.conns)
		}
	}
}

func TestNTLM_UserPrincipalName(t *testing.T) {
	s := newServer(t, func(s *server) { s.account = `\svc@contoso.example` })
	a := newAccount(rightPassword)
	a.name = "svc@contoso.example"
	want(t, a.ntlm(s), s)
}

// TestNTLM_ManyAtOnce: however many requests there are, each handshake stays on its connection and each connection is
// signed in once.
func TestNTLM_ManyAtOnce(t *testing.T) {
	const workers, requests = 32, 20
	s := newTLSServer(t, func(s *server) { s.protected = true })
	rt := newAccount(rightPassword).ntlm(s)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range requests {
				want(t, rt, s)
			}
		})
	}
	wg.Wait()
	took := strings.Fields(s.took())
	count := map[string]int{}
	for _, kind := range took {
		count[kind]++
	}
	if s.wasted != 0 || s.conns > workers || count["negotiate"] != s.conns || count["authenticate"] != s.conns || len(took) != workers*requests+s.conns {
		t.Errorf("%v by %d connections", count, s.conns)
	}
	if took[0] != "negotiate" || took[1] != "authenticate" || s.bad != 0 {
		t.Errorf("began with %v, %d handshakes failed", took[:4], s.bad)
	}
}

// TestNTLM_ServerThatForgets signs each request in, which IIS can be told to do.
func TestNTLM_ServerThatForgets(t *testing.T) {
	for tells, log := range map[bool]string{
		true:  "negotiate authenticate negotiate authenticate negotiate authenticate",
		false: "negotiate authenticate plain negotiate authenticate plain negotiate authenticate",
	} {
		s := newServer(t, func(s *server) { s.forgets, s.tells = true, tells })
		rt := newAccount(rightPassword).ntlm(s)
		for range 3 {
			want(t, rt, s)
		}
		if took := s.took(); took != log || s.conns != 1 {
			t.Errorf("tells %v: %s by %d connections", tells, took, s.conns)
		}
	}
}

// TestNTLM_ClosedConnections: what the server has closed meanwhile is opened and signed in anew. In a bubble, so that
// it is known when the client has noticed.
func TestNTLM_ClosedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := &pipes{ch: make(chan net.Conn), done: make(chan struct{})}
		s := newServer(t, func(s *server) { s.Listener = pipes })
		b := base(s)
		b.DialContext = pipes.dial
		rt := NewNTLM(newAccount(rightPassword).user()).Connect(b)
		defer rt.(*ntlmTransport).CloseIdleConnections()
		const many = 2 * handshakes
		atOnce(t, rt, s, many)
		s.took()
		s.CloseClientConnections()
		synctest.Wait()
		want(t, rt, s)
		if took := s.took(); took != "negotiate authenticate" || s.conns != many+1 {
			t.Errorf("%s by %d connections", took, s.conns)
		}
		rt.(*ntlmTransport).CloseIdleConnections()
		want(t, rt, s)
		if s.conns != many+2 {
			t.Errorf("%d connections", s.conns)
		}
	})
}

// atOnce makes n requests that are answered when all of them are there.
func atOnce(t *testing.T, rt http.RoundTripper, s *server, n int) {
	t.Helper()
	want(t, rt, s) // until the password has worked, they would come one after the other
	gate := make(chan struct{})
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		<-gate
		_, _ = io.Copy(w, r.Body)
	}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { want(t, rt, s) })
	}
	synctest.Wait()
	close(gate)
	wg.Wait()
}

func TestNTLM_NeverBasic(t *testing.T) {
	s := newServer(t, func(s *server) { s.offers = []string{`Basic realm="x"`, "NTLM"} })
	want(t, newAccount(rightPassword).ntlm(s), s)
	s = newServer(t, func(s *server) { s.offers = []string{`Basic realm="x"`, `Bearer client_id="x", trusted_issuers="y"`} })
	e := wantFailure(t, newAccount(rightPassword).ntlm(s), s, "does not offer NTLM but Basic, Bearer")
	if took := s.took(); took != "negotiate" || e.HTTPStatus() != 401 {
		t.Errorf("%s, %+v", took, e)
	}
}

func TestNTLM_Negotiate(t *testing.T) {
	for _, offers := range [][]string{{"Negotiate"}, {"Negotiate", "NTLM"}} {
		s := newServer(t, func(s *server) { s.offers = offers })
		rt := newAccount(rightPassword).ntlm(s)
		want(t, rt, s)
		s.CloseClientConnections()
		rt.(*ntlmTransport).CloseIdleConnections()
		want(t, rt, s)
		log := "negotiate authenticate negotiate authenticate"
		if len(offers) == 1 { // found out once
			log = "negotiate " + log
		}
		if took := s.took(); took != log {
			t.Errorf("%v: %s", offers, took)
		}
	}
}

// TestNTLM_ExtendedProtection: the server that demands a channel binding takes it, and nothing else.
func TestNTLM_ExtendedProtection(t *testing.T) {
	s := newTLSServer(t, func(s *server) { s.protected = true })
	want(t, newAccount(rightPassword).ntlm(s), s)
	for name, state := range map[string]*tls.ConnectionState{"none": nil, "of another server": connected(t, newTLSServer(t, nil), true)} {
		c := &conn{challenge: s.challenge()}
		message, err := ntlmssp.NewAuthenticateMessage(withBinding(c.challenge, state), rightUser, rightPassword, nil)
		if err != nil || s.authentic(c, message, connected(t, s, false)) {
			t.Errorf("a channel binding %s is taken: %v", name, err)
		}
	}
	plain := newServer(t, func(s *server) { s.protected = false })
	want(t, newAccount(rightPassword).ntlm(plain), plain)
}

// connected returns the state of a connection to s; with another certificate if other says so.
func connected(t *testing.T, s *server, other bool) *tls.ConnectionState {
	t.Helper()
	cert := *s.Certificate()
	if other { // all servers of httptest have the same
		cert.Raw = append([]byte{}, cert.Raw...)
		cert.Raw[len(cert.Raw)-1]++
	}
	state := &tls.ConnectionState{}
	state.PeerCertificates = append(state.PeerCertificates, &cert)
	return state
}

func TestNTLM_PasswordThatCannotBeRead(t *testing.T) {
	s := newServer(t, nil)
	for _, err := range []error{errors.New("no such file"), nil} {
		rt := NewNTLM(User{Name: rightUser, Password: func() (string, error) { return "", err }}).Connect(base(s))
		wantFailure(t, rt, s, "--password-file")
	}
	if took := s.took(); took != "" {
		t.Error(took)
	}
}

func TestNTLM_Unreachable(t *testing.T) {
	s := newServer(t, nil)
	rt := newAccount(rightPassword).ntlm(s)
	s.Close()
	if _, _, err := post(t.Context(), rt, s.URL, "text"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func TestCredentialsShowNoPassword(t *testing.T) {
	u := User{Name: "x", Password: func() (string, error) { return "canary", nil }}
	b, n := NewBasic(u), NewNTLM(u)
	if p, err := b.present(false); p != "canary" || err != nil {
		t.Fatal(err)
	}
	g := n.guards.of("https://mail.contoso.com")
	g.proven, g.barred = "canary", "canary"
	if text := fmt.Sprintf("%v %+v %#v %v %+v %#v", b, b, b, n, n, n); strings.Contains(text, "canary") {
		t.Error(text)
	}
}
