package bus_test

import (
	"context"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

// TestFleet_ColdStartAsksOnce, and once again when all find their token expired.
func TestFleet_ColdStartAsksOnce(t *testing.T) {
	inFleet(t, 64, func(f *fleet) {
		f.one()
		f.wantAsked(1)
		time.Sleep(2 * time.Hour)
		f.one()
		f.wantAsked(2)
		late := f.start("late", keyA)
		before := time.Now()
		f.one()
		if took := time.Since(before); took > 0 {
			t.Errorf("a process that starts later waits %v for the token", took)
		}
		if n := late.store.total(); n != 1 {
			t.Errorf("and calls the store %d times, want once", n)
		}
		f.wantAsked(2)
	})
}

func TestFleet_OneRenewsAheadOfExpiryAndOthersAdopt(t *testing.T) {
	inFleet(t, 64, func(f *fleet) {
		first := f.one()
		if failed := f.work(38 * time.Minute); failed > 0 {
			t.Errorf("%d times no token", failed)
		}
		f.wantAsked(1)
		cost := map[*process]int{}
		for _, p := range f.all {
			cost[p] = -p.store.total()
		}
		if failed := f.work(10 * time.Minute); failed > 0 {
			t.Errorf("%d times no token", failed)
		}
		f.wantAsked(2)
		if g := f.one(); g == first {
			t.Error("48 minutes into its hour the first token is still in use")
		}
		// Reading is all that it costs, save for the one who asked and those that came in the same second.
		readOnce := 0
		for p := range cost {
			switch cost[p] += p.store.total(); {
			case cost[p] == 1:
				readOnce++
			case cost[p] > 4:
				t.Errorf("%s called the store %d times to have a new token", p.name, cost[p])
			}
		}
		if readOnce < len(cost)*7/8 {
			t.Errorf("%d of %d processes called the store once, want nearly all: %v", readOnce, len(cost), cost)
		}
	})
}

func TestFleet_RenewsWhenTheIssuerWants(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.issuer.life, f.issuer.refreshIn = 24*time.Hour, 12*time.Hour
		f.one()
		f.work(12*time.Hour - time.Minute)
		f.wantAsked(1)
		f.work(3 * time.Hour) // spread over a tenth of the lifetime
		f.wantAsked(2)
		f.one()
	})
}

// TestFleet_ADueTokenServesAndIsRenewedSoon in a process that starts when nobody has renewed it for long.
func TestFleet_ADueTokenServesAndIsRenewedSoon(t *testing.T) {
	inFleet(t, 1, func(f *fleet) {
		f.issuer.life, f.issuer.refreshIn = 4*time.Hour, time.Hour
		old := f.one()
		f.all[0].die()
		time.Sleep(2 * time.Hour)
		f.all = nil
		f.start("late", keyA)
		before := time.Now()
		if f.one() != old || time.Since(before) > 0 {
			t.Errorf("the due token does not serve at once, but after %v", time.Since(before))
		}
		f.work(13 * time.Minute) // a tenth of what is left of it, and a bit
		f.wantAsked(2)
	})
}

// TestFleet_TwelveHoursAskOncePerLifetime has one process after the other die and start anew, so that they meet young, due and
// expired tokens. It is no longer than the bucket's TTL, since a NATS server in a bubble judges ages by the real clock.
func TestFleet_TwelveHoursAskOncePerLifetime(t *testing.T) {
	inFleet(t, 4, func(f *fleet) {
		began := time.Now()
		for time.Since(began) < 12*time.Hour {
			f.all[0].die()
			f.all = f.all[1:]
			f.start("again", keyA)
			if failed := f.work(13 * time.Minute); failed > 0 {
				t.Fatalf("%d times no token", failed)
			}
		}
		// An hour's token is renewed after 39 to 45 minutes.
		if n := len(f.issuer.asked()); n < 12*60/46 || n > 12*60/39+2 {
			t.Errorf("%d requests in twelve hours", n)
		}
		f.wantSpaced(0, 39*time.Minute)
	})
}

func TestFleet_AProcessThatDiesAskingIsReplaced(t *testing.T) {
	for name, how := range map[string]struct {
		end func(*process)
		max time.Duration
	}{
		"killed":  {func(p *process) { p.bus.Close() }, 45 * time.Second}, // the lease runs out
		"stopped": {func(p *process) { p.cache.Close() }, 5 * time.Second},
		"hangs":   {func(*process) {}, 45 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inFleet(t, 16, func(f *fleet) {
				released := make(chan struct{})
				defer close(released)
				hang := f.start("hangs", keyA)
				f.hangs(hang, name != "stopped", released)
				ctx, cancel := context.WithCancel(f.t.Context())
				defer cancel()
				go func() { _, _ = hang.cache.Get(ctx) }()
				time.Sleep(2 * time.Second)
				f.wantAsked(1)
				how.end(hang)
				f.all = f.all[:len(f.all)-1]
				began := time.Now()
				f.one()
				if took := time.Since(began); took > how.max {
					t.Errorf("the others wait %v for a token, want %v at most", took, how.max)
				}
				f.wantAsked(2)
			})
		})
	}
}

// hangs makes the issuer leave a process without an answer until released, or until the process gives up unless deaf.
func (f *fleet) hangs(p *process, deaf bool, released chan struct{}) {
	inner := f.issuer.source(p.name)
	p.reset(f, func(ctx context.Context, r tokens.Request) (tokens.Token, error) {
		done := ctx.Done()
		if deaf {
			done = nil
		}
		quick, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = inner(quick, r) // is counted
		select {
		case <-released:
		case <-done:
		}
		return tokens.Token{}, context.Canceled
	})
}

func TestFleet_ARejectedTokenIsReplacedOnce(t *testing.T) {
	inFleet(t, 64, func(f *fleet) {
		bad := f.one()
		f.each(func(p *process) {
			if retry, err := p.cache.Reject(f.t.Context(), bad, "challenge"); !retry || err != nil {
				t.Errorf("%s: %v, %v; want another token", p.name, retry, err)
			}
		})
		f.wantAsked(2)
		if f.one() == bad {
			t.Error("the rejected token is in use")
		}
		if call := f.issuer.asked()[1]; call.rejected != bad || call.claims != "challenge" {
			t.Errorf("the issuer is told that %q was rejected with %q, want %q", call.rejected, call.claims, bad)
		}
	})
}

// TestFleet_AServerThatRejectsEverything costs a request every ten minutes, of the whole fleet.
func TestFleet_AServerThatRejectsEverything(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.one()
		began := time.Now()
		for time.Since(began) < time.Hour {
			f.each(func(p *process) {
				tok, err := p.cache.Get(f.t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := p.cache.Reject(f.t.Context(), tok.Generation, ""); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(5 * time.Second)
		}
		if n := len(f.issuer.asked()); n < 6 || n > 7 {
			t.Errorf("%d requests in an hour, want one every ten minutes", n)
		}
		f.wantSpaced(2, 10*time.Minute)
	})
}

// TestFleet_ALateRejectionAdopts what others have got meanwhile, and may then be followed by one of the new token.
func TestFleet_ALateRejectionAdopts(t *testing.T) {
	inFleet(t, 2, func(f *fleet) {
		bad := f.one()
		if retry, err := f.all[0].cache.Reject(f.t.Context(), bad, ""); !retry || err != nil {
			t.Fatalf("%v, %v", retry, err)
		}
		time.Sleep(11 * time.Minute)
		if retry, err := f.all[1].cache.Reject(f.t.Context(), bad, ""); !retry || err != nil {
			t.Errorf("late: %v, %v; want the token that is there", retry, err)
		}
		f.wantAsked(2)
		again := f.one()
		if retry, err := f.all[1].cache.Reject(f.t.Context(), again, ""); !retry || err != nil {
			t.Errorf("of the new one: %v, %v; want another", retry, err)
		}
		f.wantAsked(3)
	})
}
