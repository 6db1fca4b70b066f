package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// try enters and leaves with an outcome.
func try(t *testing.T, g *guard, password string, o outcome) error {
	t.Helper()
	leave, err := g.enter(t.Context(), password)
	if err != nil {
		return err
	}
	return leave(o)
}

func TestGuard_OneAtATimeUntilProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("hint")
		var mu sync.Mutex
		in, most := 0, 0
		come := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			in += n
			most = max(most, in)
		}
		run := func(o outcome) (errs int) {
			failed := make(chan error, 10)
			for range 10 {
				go func() {
					leave, err := g.enter(t.Context(), "p")
					if err != nil {
						failed <- err
						return
					}
					come(1)
					time.Sleep(time.Second)
					come(-1)
					failed <- leave(o)
				}()
			}
			for range 10 {
				if <-failed != nil {
					errs++
				}
			}
			return errs
		}
		if errs := run(unknown); most != 1 || errs != 0 { // a server that is not there
			t.Errorf("%d at once, %d failed", most, errs)
		}
		if errs := run(refused); most != 1 || errs != 10 {
			t.Errorf("%d at once, %d failed", most, errs)
		}
		time.Sleep(pause)
		if err := try(t, g, "p", accepted); err != nil {
			t.Error(err)
		}
		if errs := run(accepted); most != 10 || errs != 0 {
			t.Errorf("%d at once, %d failed", most, errs)
		}
	})
}

func TestGuard_Pause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("hint")
		if err := try(t, g, "p", refused); err == nil {
			t.Error("not barred")
		}
		time.Sleep(pause - time.Minute)
		var e *Error
		if err := try(t, g, "p", accepted); !errors.As(err, &e) || e.Retry != time.Minute || e.Status != 401 || e.Hint != "hint" {
			t.Errorf("%+v", err)
		}
		if err := try(t, g, "q", unknown); err != nil {
			t.Errorf("another password: %v", err)
		}
		time.Sleep(time.Minute)
		if err := try(t, g, "p", refused); !errors.As(err, &e) || e.Retry != pause {
			t.Errorf("after the pause: %v", err)
		}
	})
}

// TestGuard_APasswordThatWorkedAndDoesNotAnyMore is barred at the third refusal in a row, and then counts as unproven.
func TestGuard_APasswordThatWorkedAndDoesNotAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("hint")
		for _, o := range []outcome{accepted, refused, refused, accepted, refused, unknown, refused} {
			if err := try(t, g, "p", o); err != nil {
				t.Fatalf("outcome %d: %v", o, err)
			}
		}
		if err := try(t, g, "p", refused); err == nil {
			t.Error("not barred at the third")
		}
		time.Sleep(pause)
		if free, _, err := g.may("p"); free || err != nil {
			t.Errorf("many may try it at once, or nobody: %v, %v", free, err)
		}
		if err := try(t, g, "p", refused); err == nil {
			t.Error("it is given three tries again")
		}
	})
}

// TestGuard_OneMailboxsRefusals: a refusal that comes while the password works for another request is not the password's.
func TestGuard_OneMailboxsRefusals(t *testing.T) {
	g := newGuard("hint")
	if err := try(t, g, "p", accepted); err != nil {
		t.Fatal(err)
	}
	for range patience {
		var all []func(outcome) error
		for range patience {
			leave, err := g.enter(t.Context(), "p")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, leave)
		}
		if err := try(t, g, "p", accepted); err != nil {
			t.Fatal(err)
		}
		for _, leave := range all {
			if err := leave(refused); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestGuard_WaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("hint")
		leave, err := g.enter(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errNotMine)
		defer cancel()
		if _, err := g.enter(ctx, "p"); !errors.Is(err, errNotMine) {
			t.Error(err)
		}
		if err := leave(accepted); err != nil {
			t.Error(err)
		}
	})
}

var errNotMine = errors.New("out of time")

func TestOutcomeOf(t *testing.T) {
	const soap, page = "text/xml; charset=utf-8", "text/html"
	for _, c := range []struct {
		status int
		kind   string
		want   outcome
	}{
		{200, soap, accepted}, {500, soap, accepted}, {401, "", refused}, {500, page, unknown}, {302, page, unknown}, {403, "", unknown},
		{404, page, unknown}, {407, "", unknown}, {429, "", unknown}, {502, page, unknown}, {503, "", unknown}, {504, "", unknown},
	} {
		if got := outcomeOf(&http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {c.kind}}}); got != c.want {
			t.Errorf("%d %s: %d, want %d", c.status, c.kind, got, c.want)
		}
	}
}

// TestNTLM_AMailboxThatIsRefused: a mailbox which answers 401 to everybody does not count against a password that works for
// the others, however often it is asked for, while most requests go over connections that are signed in already.
func TestNTLM_AMailboxThatIsRefused(t *testing.T) {
	s := newServer(t, func(s *server) {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if text, _ := io.ReadAll(r.Body); string(text) == "forbidden" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	})
	rt := newAccount(rightPassword).ntlm(s)
	good := func() {
		t.Helper()
		if status, _, err := post(t.Context(), rt, s.URL, "fine"); status != 200 || err != nil {
			t.Fatalf("%d, %v", status, err)
		}
	}
	good()
	for range 3 * patience {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("forbidden"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%+v, %v", resp, err)
		}
		good() // on another connection, which is signed in, since this one is still in use
		_ = resp.Body.Close()
	}
}

// TestNTLM_AChangedPasswordBehindSignedConnections: connections that were signed in before go on working, and do not make a
// password that was changed be tried for ever.
func TestNTLM_AChangedPasswordBehindSignedConnections(t *testing.T) {
	tries := 0
	var changed atomic.Bool
	s := newServer(t, func(s *server) {
		s.before = func(w http.ResponseWriter, r *http.Request, kind string) bool {
			if kind != "authenticate" || !changed.Load() {
				return false
			}
			tries++
			s.refuse(w, r)
			return true
		}
	})
	rt := newAccount(rightPassword).ntlm(s)
	want(t, rt, s)
	changed.Store(true)
	want(t, rt, s)
	s.CloseClientConnections()
	for range 10 {
		_, _, _ = post(t.Context(), rt, s.URL, "text")
	}
	if tries != patience {
		t.Errorf("tried %d times, want %d", tries, patience)
	}
}

// TestGuards_TellServersApart: a password that one server refuses may be tried at another.
func TestGuards_TellServersApart(t *testing.T) {
	var bad atomic.Int32
	wrong, right := basicServer(t, func() string { return "another" }, &bad), basicServer(t, func() string { return rightPassword }, new(atomic.Int32))
	b := NewBasic(newAccount(rightPassword).user())
	rt := b.Connect(base(wrong))
	wantFailure(t, rt, wrong, "refuses the service user")
	if err := b.Barred(); err == nil {
		t.Error("not barred at the only server")
	}
	want(t, rt, right)
	wantFailure(t, rt, wrong, "refuses the service user")
	if bad.Load() != 1 {
		t.Errorf("tried %d times", bad.Load())
	}
	if err := b.Barred(); err != nil {
		t.Errorf("barred everywhere: %v", err)
	}
}
