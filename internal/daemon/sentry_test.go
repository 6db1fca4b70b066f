package daemon

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/ews/signin"
	"roomsync/internal/tokens"
)

// lookout is a sentry in front of a sign-in that can be told what to say.
type lookout struct {
	*sentry
	mu    sync.Mutex
	err   error
	looks int
	log   bytes.Buffer
}

func (l *lookout) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *lookout) say(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lookout) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.log.Reset()
	return l.log.String()
}

// watch runs f with a sentry, in fake time.
func watch(t *testing.T, first error, f func(t *testing.T, l *lookout)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookout{err: first}
		l.sentry = newSentry(zerolog.New(l), func(context.Context) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.looks++
			return l.err
		})
		if why, _ := l.Now(); why == nil {
			t.Error("it can sign in before it was tried")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.run(ctx); close(done) }()
		synctest.Wait()
		f(t, l)
		stop()
		<-done
	})
}

var locked = &tokens.Error{Code: "invalid_grant", AADSTS: 50053, Status: 400, Reason: tokens.ReasonUserLocked, RetryAfter: 30 * time.Second, Hint: "the service user's account is locked"}

// TestSentry_ALockedUser: the warning says who is locked and when it is tried again, once in five minutes, and names no mailbox.
func TestSentry_ALockedUser(t *testing.T) {
	e := *locked
	watch(t, nil, func(t *testing.T, l *lookout) {
		e.NextAsk = time.Now().Add(29*time.Minute + 50*time.Second)
		l.say(&e)
		l.Doubt(t.Context())
		why, _ := l.Now()
		if why == nil || why.Reason != events.RefusedUserLocked || !strings.HasSuffix(why.Error(), "the service user's account is locked; tried again in 30 min") {
			t.Fatalf("%v", why)
		}
		said := l.said()
		for _, part := range []string{`"level":"warn"`, `"reason":"user-locked"`, `"aadsts":"AADSTS50053"`, `"triedAgainIn":"30 min"`, `"do":"the service user's account is locked"`} {
			if !strings.Contains(said, part) {
				t.Errorf("no %s in %s", part, said)
			}
		}
		if strings.Contains(said, "mailbox") {
			t.Error(said)
		}
		time.Sleep(9 * time.Minute)
		if n := strings.Count(l.said(), "\n"); n != 1 {
			t.Errorf("%d more warnings in nine minutes", n)
		}
	})
}

// TestSentry_ComesAndGoes: whoever waits is told, and a sign-in that was warned of is told to be back.
func TestSentry_ComesAndGoes(t *testing.T) {
	watch(t, &tokens.Error{Err: errors.New("connection refused"), RetryAfter: 5 * time.Second, Hint: "see whether this host reaches the authority"}, func(t *testing.T, l *lookout) {
		why, changed := l.Now()
		if why == nil || why.Reason != events.RefusedSignInTrouble {
			t.Fatalf("%+v", why)
		}
		l.say(nil)
		<-changed
		if why, changed = l.Now(); why != nil {
			t.Errorf("%v", why)
		}
		if said := l.said(); !strings.Contains(said, "signed in to Exchange again") {
			t.Error(said)
		}
		began := time.Now()
		l.say(locked)
		l.Doubt(t.Context())
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("a doubt was looked into after %v", took)
		}
		l.use(func(context.Context) error { return nil })
		if why, _ := l.Now(); why != nil {
			t.Errorf("with another sign-in: %v", why)
		}
	})
}

// TestSentry_NoAnswer: an issuer that hangs is trouble after ten seconds, and a doubt waits no longer than it may.
func TestSentry_NoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSentry(zerolog.Nop(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		time.Sleep(lookFor + time.Second)
		if why, _ := s.Now(); why == nil || why.Reason != events.RefusedSignInTrouble || !strings.Contains(why.Error(), "nobody has answered") {
			t.Errorf("%v", why)
		}
		began := time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		s.Doubt(short)
		if took := time.Since(began); took != time.Second {
			t.Errorf("a doubt took %v", took)
		}
		stop()
		<-done
	})
}

func TestCauseOf_APassword(t *testing.T) {
	c, pause := causeOf(&signin.Error{Status: 401, Retry: 10 * time.Minute, Hint: "the server refuses the service user: check --username"}, time.Now())
	if c.Reason != events.RefusedSignIn || c.Problem != "the server refuses the service user" || c.Advice != "check --username" || pause != mostBetween || time.Until(c.Next) < 9*time.Minute {
		t.Errorf("%+v, %v", c, pause)
	}
}

// TestReasons: packages that may not know the wire contract spell its words as it does.
func TestReasons(t *testing.T) {
	for ours, theirs := range map[string]string{
		refusal: events.RefusedSignIn, trouble: events.RefusedSignInTrouble,
		tokens.ReasonUserLocked: events.RefusedUserLocked, tokens.ReasonPasswordExpired: events.RefusedPasswordExpired,
	} {
		if ours != theirs {
			t.Errorf("%q is %q", ours, theirs)
		}
	}
}
