package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFleet_ServesFromMemoryWhileNATSIsAway(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.one()
		f.link.down()
		if failed := f.work(59 * time.Minute); failed > 0 {
			t.Errorf("%d times no token, although none had expired", failed)
		}
		time.Sleep(2 * time.Minute)
		f.each(func(p *process) {
			_, err := p.cache.Get(f.t.Context())
			if text := asError(t, err).Error(); !strings.Contains(text, "NATS") {
				t.Errorf("%s: %v", p.name, text)
			}
		})
		f.work(time.Hour)
		f.wantAsked(1)

		f.link.up()
		f.work(20 * time.Second)
		f.one()
		f.wantAsked(2)
	})
}

// TestFleet_WhileNATSFlaps costs no more requests than there are leases, nor than processes that cannot share what they got.
func TestFleet_WhileNATSFlaps(t *testing.T) {
	for _, period := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 11 * time.Second} {
		inFleet(t, 8, func(f *fleet) {
			f.issuer.latency = 700 * time.Millisecond
			ctx, stop := context.WithCancel(f.t.Context())
			var flapping sync.WaitGroup
			flapping.Go(func() {
				for ctx.Err() == nil {
					srv := f.link.cut()
					time.Sleep(period)
					f.link.attach(srv)
					time.Sleep(period)
				}
			})
			f.work(3 * time.Minute)
			stop()
			flapping.Wait()
			f.work(time.Minute)
			f.one()
			if n := len(f.issuer.asked()); n > 3 {
				t.Errorf("%v up, %v down: %d requests in three minutes", period, period, n)
			}
			f.wantSpaced(1, 5*time.Second)
		})
	}
}

func TestFleet_TheServerCrashesWhileTheIssuerIsAsked(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		crashed := make(chan struct{})
		go func() {
			time.Sleep(500 * time.Millisecond)
			f.link.crash()
			close(crashed)
		}()
		f.get()
		<-crashed
		f.work(20 * time.Second)
		f.one()
		f.wantAsked(1)
	})
}

// TestFleet_TheTokenWaitsForNATS, which goes away while the issuer is asked.
func TestFleet_TheTokenWaitsForNATS(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		go func() {
			time.Sleep(500 * time.Millisecond)
			srv := f.link.cut()
			time.Sleep(15 * time.Second)
			f.link.attach(srv)
		}()
		f.work(time.Minute)
		f.one()
		f.wantAsked(1)
	})
}

// TestFleet_NewsGetsLost, or cannot be waited for: the others look again by themselves.
func TestFleet_NewsGetsLost(t *testing.T) {
	for name, tt := range map[string]struct {
		wait func(context.Context) error
		most time.Duration
	}{
		"lost":      {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 6 * time.Second},
		"no longer": {func(context.Context) error { return errLost }, 3 * time.Second},
	} {
		inFleet(t, 8, func(f *fleet) {
			for _, p := range f.all {
				p.store.wait = tt.wait
			}
			began := time.Now()
			f.one()
			if took := time.Since(began); took > tt.most {
				t.Errorf("%s: the token comes after %v", name, took)
			}
			for _, p := range f.all {
				if n := p.store.total(); n > 10 {
					t.Errorf("%s: %s called the store %d times", name, p.name, n)
				}
			}
			f.wantAsked(1)
		})
	}
}

func TestFleet_TheBucketIsLost(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		old := f.one()
		must(f.t, operator(f.t, f.link.srv).DeleteKeyValue(f.t.Context(), "tokens"))
		if failed := f.work(50 * time.Minute); failed > 0 {
			t.Errorf("%d times no token", failed)
		}
		f.wantAsked(1)
		must(f.t, f.connect("another dispatcher").Ensure(f.t.Context()))
		f.work(2 * time.Minute)
		f.wantAsked(2)
		if f.one() == old {
			t.Error("the old token is in use")
		}
	})
}

func TestFleet_AnEntryIsDeletedByHand(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.one()
		kv, key, _ := f.entry()
		must(f.t, kv.Delete(f.t.Context(), key))
		f.start("late", keyA)
		f.work(time.Minute)
		f.wantAsked(2)
		kv, key, _ = f.entry()
		must(f.t, kv.Purge(f.t.Context(), key))
		f.work(time.Hour)
		f.wantAsked(3)
		f.one()
	})
}

// TestFleet_HostsClocksAreWrong by ten minutes against the store's, which decides nothing but when to look.
func TestFleet_HostsClocksAreWrong(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		inFleet(t, 8, func(f *fleet) {
			f.ahead.Store(int64(ahead))
			for _, p := range f.all {
				p.reset(f, f.issuer.source(p.name))
			}
			f.one()
			tok, err := f.all[5].cache.Get(f.t.Context())
			must(f.t, err)
			if left := time.Until(tok.Expires); left < time.Hour-2*time.Second || left > time.Hour {
				t.Errorf("clock ahead by %v: %v left of the token", ahead, left)
			}
			if failed := f.work(3 * time.Hour); failed > 0 {
				t.Errorf("clock ahead by %v: %d times no token", ahead, failed)
			}
			if n := len(f.issuer.asked()); n > renewals(3*time.Hour) {
				t.Errorf("clock ahead by %v: %d requests in three hours", ahead, n)
			}
		})
	}
}

// TestFleet_TheServersClockIsSet back or forth by an hour: whatever the entry then says, nobody is held up by it.
func TestFleet_TheServersClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		inFleet(t, 8, func(f *fleet) {
			f.one()
			f.ahead.Store(int64(by))
			f.start("late", keyA)
			f.work(30 * time.Minute)
			if _, failed := f.get(); failed > 0 || len(f.issuer.asked()) > 2 {
				t.Errorf("set by %v: %d have no token after %d requests", by, failed, len(f.issuer.asked()))
			}
			f.issuer.fails(always(invalidClient))
			f.work(time.Hour)
			f.ahead.Store(0)
			f.issuer.fails(nil)
			f.work(20 * time.Minute)
			f.one()
			f.wantSpaced(2, 5*time.Second)
		})
	}
}

// loses makes the answer to the nth Put of a process get lost.
func (p *process) loses(n int) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.lose = n
}

func TestFleet_TheAnswerOfTheStoreGetsLost(t *testing.T) {
	for name, nth := range map[string]int{"lease": 1, "token": 2} {
		inFleet(t, 8, func(f *fleet) {
			f.all[0].loses(nth)
			_, err := f.all[0].cache.Get(f.t.Context())
			if nth == 1 && (err == nil || !strings.Contains(err.Error(), errLost.Error())) {
				t.Errorf("%s: %v", name, err)
			}
			f.work(10 * time.Second)
			f.one()
			f.wantAsked(1)
		})
	}
}

// TestFleet_TheStoreFailsForAWhile when the token is there: it is shared as soon as that can be.
func TestFleet_TheStoreFailsForAWhile(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		for _, p := range f.all {
			p.store.fail = map[int]bool{2: true, 3: true, 4: true}
		}
		_, _ = f.all[0].cache.Get(f.t.Context())
		f.one()
		f.wantAsked(1)
	})
}

var errLost = errors.New("the answer got lost")
