package signin

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNTLM_WrongPassword: however many requests there are, it is tried once in ten minutes; another one at once.
func TestNTLM_WrongPassword(t *testing.T) {
	s := newServer(t, nil)
	a := newAccount("wrong-canary")
	rt := a.ntlm(s)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { wantFailure(t, rt, s, "refuses the service user") })
	}
	wg.Wait()
	e := wantFailure(t, rt, s, "ExchangeServicePassword")
	if s.bad != 1 || s.took() != "negotiate authenticate" {
		t.Errorf("tried %d times", s.bad)
	}
	if e.HTTPStatus() != 401 || e.RetryDelay() > pause || e.RetryDelay() < pause-time.Minute {
		t.Errorf("%+v", e)
	}
	a.password.Store(rightPassword)
	want(t, rt, s)
	if s.bad != 1 {
		t.Errorf("tried %d times", s.bad)
	}
}

// TestNTLM_PasswordChangedMeanwhile: it is read for each handshake, and again after a refusal.
func TestNTLM_PasswordChangedMeanwhile(t *testing.T) {
	s := newServer(t, nil)
	a := newAccount("wrong-canary")
	u := a.user()
	read := u.Password
	u.Password = func() (string, error) {
		p, err := read()
		a.password.Store(rightPassword) // the operator was just about to
		return p, err
	}
	want(t, NewNTLM(u).Connect(base(s)), s)
	if s.bad != 1 || s.conns != 1 {
		t.Errorf("%d refusals, %d connections", s.bad, s.conns)
	}
}

// TestNTLM_GoodPasswordRefusedNowAndThen passes the refusal on as what it is, and forgives a few of them.
func TestNTLM_GoodPasswordRefusedNowAndThen(t *testing.T) {
	var refuse atomic.Bool
	s := newServer(t, nil)
	s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
		if !refuse.Load() || kind != "authenticate" {
			return false
		}
		s.refuse(w, r)
		return true
	}
	rt := newAccount(rightPassword).ntlm(s)
	another := func() (int, error) {
		rt.(*ntlmTransport).CloseIdleConnections()
		status, _, err := post(t.Context(), rt, s.URL, "text")
		return status, err
	}
	want(t, rt, s)
	for range 3 {
		refuse.Store(true)
		for range patience - 1 {
			if status, err := another(); status != 401 || err != nil {
				t.Errorf("%d, %v", status, err)
			}
		}
		refuse.Store(false)
		if status, err := another(); status != 200 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
	}
	refuse.Store(true)
	for range patience {
		_, _ = another()
	}
	s.took()
	if _, err := another(); err == nil || s.took() != "" {
		t.Errorf("tried after %d refusals in a row: %v", patience, err)
	}
}

func TestNTLM_HandshakeCutOff(t *testing.T) {
	s := newServer(t, func(s *server) { s.closes = true })
	e := wantFailure(t, newAccount(rightPassword).ntlm(s), s, "closes the connection during the NTLM handshake")
	if s.conns != handshakes || s.took() != "negotiate negotiate negotiate" || e.HTTPStatus() != 0 {
		t.Errorf("%d connections", s.conns)
	}
}

// TestNTLM_UnknownOutcome: when the connection breaks after the last message, the server may have done what it was asked.
// That is neither a refusal nor a reason to ask again.
func TestNTLM_UnknownOutcome(t *testing.T) {
	var breaks atomic.Bool
	breaks.Store(true)
	s := newServer(t, nil)
	s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
		if kind != "authenticate" || !breaks.Load() {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	rt := newAccount(rightPassword).ntlm(s)
	status, _, err := post(t.Context(), rt, s.URL, "text")
	if e := (*Error)(nil); err == nil || errors.As(err, &e) || errors.Is(err, errGone) {
		t.Errorf("%d, %v", status, err)
	}
	if took := s.took(); took != "negotiate authenticate" {
		t.Error(took)
	}
	breaks.Store(false)
	want(t, rt, s)
}

func TestNTLM_AnswersBeforeTheChallenge(t *testing.T) {
	for status, log := range map[int]string{503: "negotiate", 302: "negotiate", 403: "negotiate", 407: "negotiate"} {
		s := newServer(t, nil)
		s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			return true
		}
		if got, _, err := post(t.Context(), newAccount(rightPassword).ntlm(s), s.URL, "text"); got != status || err != nil || s.took() != log {
			t.Errorf("%d: %d, %v", status, got, err)
		}
	}
	s := newServer(t, func(s *server) { s.anonymous = true })
	rt := newAccount(rightPassword).ntlm(s)
	want(t, rt, s)
	want(t, rt, s)
	if took := s.took(); took != "negotiate plain plain" {
		t.Error(took)
	}
}

func TestNTLM_NonsenseForAChallenge(t *testing.T) {
	for _, header := range []string{"NTLM", "NTLM !", "NTLM TlRMTVNTUAACAAAA", "NTLM " + strings.Repeat("A", 400)} {
		s := newServer(t, nil)
		s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
			w.Header().Set("Www-Authenticate", header)
			w.WriteHeader(401)
			return true
		}
		wantFailure(t, newAccount(rightPassword).ntlm(s), s, "must speak NTLMv2")
		if took := s.took(); took != "negotiate" {
			t.Errorf("%s: %s", header, took)
		}
	}
}

// TestNTLM_UsersShareNoConnection, nor do their connections serve requests that are not theirs.
func TestNTLM_UsersShareNoConnection(t *testing.T) {
	s := newServer(t, nil)
	b := base(s)
	right, wrong := newAccount(rightPassword), newAccount("wrong-canary")
	a, w := NewNTLM(right.user()).Connect(b), NewNTLM(wrong.user()).Connect(b)
	want(t, a, s)
	wantFailure(t, w, s, "refuses")
	if status, _, err := post(t.Context(), b, s.URL, "text"); status != 401 || err != nil {
		t.Errorf("a request of nobody: %d, %v", status, err)
	}
	if s.conns != 3 {
		t.Errorf("%d connections", s.conns)
	}
}
