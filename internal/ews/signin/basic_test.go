package signin

import (
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// basicServer takes a password and counts the others.
func basicServer(t *testing.T, password func() string, bad *atomic.Int32) *server {
	t.Helper()
	s := newServer(t, func(s *server) { s.offers = []string{`Basic realm="x"`, "NTLM"} })
	s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
		if r.Header.Get("Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte(rightUser+":"+password())) {
			s.serve(w, r, new(conn))
			return true
		}
		bad.Add(1)
		s.refuse(w, r)
		return true
	}
	return s
}

func basic(a *account, s *server) http.RoundTripper { return NewBasic(a.user()).Connect(base(s)) }

func TestBasic(t *testing.T) {
	var bad atomic.Int32
	s := basicServer(t, func() string { return rightPassword }, &bad)
	a := newAccount(rightPassword)
	rt := basic(a, s)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { want(t, rt, s) })
	}
	wg.Wait()
	if bad.Load() != 0 || a.reads.Load() != 1 {
		t.Errorf("%d refusals, the password was read %d times", bad.Load(), a.reads.Load())
	}
}

func TestBasic_WrongPassword(t *testing.T) {
	var bad atomic.Int32
	s := basicServer(t, func() string { return rightPassword }, &bad)
	a := newAccount("wrong-canary")
	rt := basic(a, s)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { wantFailure(t, rt, s, "refuses the service user") })
	}
	wg.Wait()
	if bad.Load() != 1 {
		t.Errorf("tried %d times", bad.Load())
	}
	a.password.Store(rightPassword)
	want(t, rt, s)
	if bad.Load() != 1 {
		t.Errorf("tried %d times", bad.Load())
	}
}

// TestBasic_Rotation: the password in use is refused, and the file holds another: it is taken up, and nobody notices.
func TestBasic_Rotation(t *testing.T) {
	var bad atomic.Int32
	var right atomic.Value
	right.Store("old-canary")
	s := basicServer(t, func() string { return right.Load().(string) }, &bad)
	a := newAccount("old-canary")
	rt := basic(a, s)
	want(t, rt, s)
	a.password.Store("new-canary")
	want(t, rt, s)
	right.Store("new-canary")
	want(t, rt, s)
	want(t, rt, s)
	if bad.Load() != 1 {
		t.Errorf("%d refusals", bad.Load())
	}
	right.Store("newer-canary") // which the operator does not know of
	for i := range patience {
		status, _, err := post(t.Context(), rt, s.URL, "text")
		if e := (*Error)(nil); i < patience-1 && (status != 401 || err != nil) || i == patience-1 && !errors.As(err, &e) {
			t.Errorf("refusal %d: %d, %v", i, status, err)
		}
	}
	wantFailure(t, rt, s, "refuses the service user")
	if bad.Load() != 1+patience {
		t.Errorf("%d refusals", bad.Load())
	}
}

func TestBasic_NotOffered(t *testing.T) {
	s := newServer(t, func(s *server) { s.offers = []string{"Negotiate", "NTLM"} })
	wantFailure(t, basic(newAccount(rightPassword), s), s, "does not offer Basic but Negotiate, NTLM: use --auth ntlm")
	if s := newServer(t, nil); true {
		s.Close()
		if _, _, err := post(t.Context(), basic(newAccount(rightPassword), s), s.URL, "text"); err == nil {
			t.Error("no error")
		}
	}
	rt := NewBasic(User{Name: "x", Password: func() (string, error) { return "", errors.New("no such file") }}).Connect(base(s))
	wantFailure(t, rt, s, "--password-file")
}
