package bus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

// asError returns the *tokens.Error in err.
func asError(t *testing.T, err error) *tokens.Error {
	t.Helper()
	var e *tokens.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *tokens.Error", err)
	}
	return e
}

func TestFleet_OldTokenServesThroughAnOutage(t *testing.T) {
	inFleet(t, 32, func(f *fleet) {
		f.issuer.life, f.issuer.refreshIn = 4*time.Hour, time.Hour
		old := f.one()
		f.issuer.fails(always(&tokens.Error{Status: 503}))
		if failed := f.work(2 * time.Hour); failed > 0 {
			t.Errorf("%d times no token", failed)
		}
		if f.one() != old {
			t.Error("not the old token")
		}
		// An hour of failures: 5, 10, 20, 40, 80, 160 s, then every 5 minutes and a bit.
		if n := len(f.issuer.asked()) - 1; n < 12 || n > 18 {
			t.Errorf("%d requests in the outage", n)
		}
		f.wantSpaced(1, 5*time.Second)

		n := len(f.issuer.asked())
		f.issuer.fails(nil)
		f.work(7 * time.Minute)
		f.wantAsked(n + 1)
		if f.one() == old {
			t.Error("seven minutes after the outage the old token is still in use")
		}

		f.issuer.fails(always(&tokens.Error{Status: 503}))
		f.work(2 * time.Hour)
		calls := f.issuer.asked()[n+1:]
		if len(calls) < 10 {
			t.Fatalf("%d requests in the next outage", len(calls))
		}
		if d := calls[1].at.Sub(calls[0].at); d > 100*time.Second {
			t.Errorf("the next outage begins with a pause of %v", d)
		}
	})
}

func TestFleet_ColdInAnOutage(t *testing.T) {
	inFleet(t, 32, func(f *fleet) {
		f.issuer.fails(always(&tokens.Error{Status: 429, Code: "temporarily_unavailable", RetryAfter: 90 * time.Second}))
		if generations, failed := f.get(); failed != len(f.all) {
			t.Fatalf("tokens %v", generations)
		}
		f.wantAsked(1)
		f.each(func(p *process) {
			_, err := p.cache.Get(f.t.Context())
			e := asError(t, err)
			if e.Status != 429 || e.Code != "temporarily_unavailable" || e.RetryAfter <= 0 || e.RetryAfter > 35*time.Second {
				t.Errorf("%s is told %v, to be repeated in %v", p.name, e, e.RetryAfter)
			}
		})
		f.work(80 * time.Second)
		f.wantAsked(1)
		f.issuer.fails(nil)
		f.work(50 * time.Second)
		f.one()
		f.wantAsked(2)
		f.wantSpaced(1, 90*time.Second)
	})
}

func TestFleet_ColdInALongOutageComesBackSoon(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.issuer.fails(always(&tokens.Error{Status: 503}))
		f.work(time.Hour)
		if n := len(f.issuer.asked()); n < 14 || n > 20 {
			t.Errorf("%d requests in an hour", n)
		}
		f.wantSpaced(1, 5*time.Second)
		n := len(f.issuer.asked())
		f.issuer.fails(nil)
		for len(f.issuer.asked()) == n {
			f.work(10 * time.Second)
		}
		f.work(40 * time.Second)
		f.one()
		f.wantAsked(n + 1)
	})
}

var invalidClient = &tokens.Error{Status: 401, Code: "invalid_client", AADSTS: 7000215, RetryAfter: 15 * time.Minute, Hint: "the client secret is wrong"}

// secretMustBe makes the issuer refuse all processes whose secret is another.
func (f *fleet) secretMustBe(s string) {
	f.issuer.fails(func(name string, _ tokens.Request) error {
		for _, p := range f.all {
			if p.name == name && p.secretIs(s) {
				return nil
			}
		}
		return invalidClient
	})
}

func (p *process) secretIs(s string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.secret == s
}

func TestFleet_ARefusedCredentialIsTriedEveryQuarterOfAnHour(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.secretMustBe("secret two")
		f.work(2 * time.Hour)
		if n := len(f.issuer.asked()); n < 7 || n > 9 {
			t.Errorf("%d requests in two hours", n)
		}
		f.wantSpaced(1, 15*time.Minute)
		f.each(func(p *process) {
			_, err := p.cache.Get(f.t.Context())
			if e := asError(t, err); e.Code != "invalid_client" || e.AADSTS != 7000215 || e.Status != 401 || e.Hint != invalidClient.Hint {
				t.Errorf("%s reports %v", p.name, e)
			}
		})
	})
}

// TestFleet_ACorrectedSecretEndsTheWaiting, in a process that reads it anew as in one that is started anew, and the others
// get their token from there.
func TestFleet_ACorrectedSecretEndsTheWaiting(t *testing.T) {
	for name, correct := range map[string]func(*fleet){
		"read anew": func(f *fleet) { f.all[3].setSecret("secret two") },
		"restarted": func(f *fleet) { f.start("again", keyA).setSecret("secret two") },
		"other keys": func(f *fleet) {
			f.all[3].setKeys(keyB, keyA)
			f.all[3].setSecret("secret two")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inFleet(t, 8, func(f *fleet) {
				f.secretMustBe("secret two")
				f.work(2 * time.Minute)
				f.wantAsked(1)
				if name == "other keys" {
					f.each(func(p *process) { p.setKeys(keyA, keyB) })
				}
				correct(f)
				f.work(80 * time.Second)
				f.one()
				f.wantAsked(2)
			})
		})
	}
}

// TestFleet_ARefusalOfAnUnknownKey cannot be compared with one's own credential, and therefore holds.
func TestFleet_ARefusalOfAnUnknownKey(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.secretMustBe("secret two")
		for _, p := range f.all[:len(f.all)/2] {
			p.setKeys(keyB)
		}
		f.work(time.Hour)
		if n := len(f.issuer.asked()); n > 5 {
			t.Errorf("%d requests in an hour, want four or so", n)
		}
	})
}

// TestFleet_TwoWrongSecrets cost as much as two, however their processes take turns.
func TestFleet_TwoWrongSecrets(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.secretMustBe("secret two")
		for _, p := range f.all[:len(f.all)/2] {
			p.setSecret("secret three")
		}
		f.work(time.Hour)
		if n := len(f.issuer.asked()); n < 8 || n > 10 {
			t.Errorf("%d requests in an hour, want four for each secret", n)
		}
		f.wantSpaced(1, 5*time.Second)
	})
}

// TestFleet_ThrottlingHoldsForEveryCredential.
func TestFleet_ThrottlingHoldsForEveryCredential(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.issuer.fails(always(&tokens.Error{Status: 429, RetryAfter: 10 * time.Minute}))
		f.work(time.Minute)
		f.all[3].setSecret("secret two")
		f.work(8 * time.Minute)
		f.wantAsked(1)
	})
}

// TestFleet_AHostThatDoesNotReachTheIssuer lets another be first, which perhaps does.
func TestFleet_AHostThatDoesNotReachTheIssuer(t *testing.T) {
	for range 8 {
		inFleet(t, 2, func(f *fleet) {
			f.issuer.fails(func(name string, _ tokens.Request) error {
				if name == "p1" {
					return nil
				}
				return &tokens.Error{Err: errors.New("no route to host")}
			})
			if _, err := f.all[0].cache.Get(f.t.Context()); err == nil || !strings.Contains(err.Error(), "no route to host") {
				t.Errorf("the one who asked says %v", err)
			}
			if _, err := f.all[1].cache.Get(f.t.Context()); err == nil || !strings.Contains(err.Error(), "another process asked") {
				t.Errorf("the other says %v", err)
			}
			for range 30 {
				f.get()
				time.Sleep(time.Second)
			}
			f.one()
			f.wantSpaced(1, 5*time.Second)
			if calls := f.issuer.asked(); len(calls) != 2 || calls[1].process != "p1" {
				t.Errorf("asked: %v", calls)
			}
		})
	}
}

// TestFleet_NonsenseOfTheIssuer is a failure as any other, and not shared.
func TestFleet_NonsenseOfTheIssuer(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.issuer.life = 30 * time.Second
		f.work(2 * time.Minute)
		if generations, failed := f.get(); failed != len(f.all) {
			t.Errorf("tokens of half a minute are in use: %v", generations)
		}
		f.wantSpaced(1, 5*time.Second)
		f.issuer.life = 200 * 365 * 24 * time.Hour
		f.work(4 * time.Minute)
		f.one()
		tok, err := f.all[3].cache.Get(f.t.Context())
		must(t, err)
		if left := time.Until(tok.Expires); left > 48*time.Hour {
			t.Errorf("a token for %v", left)
		}
	})
}

// TestFleet_ARefusalInsteadOfAForcedRefresh is spaced as every failure, and the forced refresh is made up for.
func TestFleet_ARefusalInsteadOfAForcedRefresh(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		bad := f.one()
		f.issuer.fails(always(&tokens.Error{Status: 503}))
		f.each(func(p *process) {
			if retry, err := p.cache.Reject(f.t.Context(), bad, ""); retry || asError(t, err).Status != 503 {
				t.Errorf("%s: %v, %v", p.name, retry, err)
			}
		})
		f.wantAsked(2)
		f.issuer.fails(nil)
		time.Sleep(10 * time.Second)
		f.each(func(p *process) {
			if retry, err := p.cache.Reject(f.t.Context(), bad, ""); !retry || err != nil {
				t.Errorf("%s: %v, %v; want another token", p.name, retry, err)
			}
		})
		f.wantAsked(3)
	})
}

func TestFleet_ASecretThatCannotBeReadHoldsNobodyUp(t *testing.T) {
	inFleet(t, 2, func(f *fleet) {
		f.all[0].setSecret("")
		_, err := f.all[0].cache.Get(f.t.Context())
		if !strings.Contains(asError(t, err).Error(), "cannot be read") {
			t.Errorf("%v", err)
		}
		f.wantAsked(0)
		_, err = f.all[1].cache.Get(f.t.Context())
		must(t, err)
		time.Sleep(10 * time.Second)
		f.one()
		f.wantAsked(1)
	})
}
