package worker

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// gate is the way to one server with our credential: what this worker has seen of it, and what the fleet knows. While
// its breaker is open, only canaries and whom an operator sends go through.
type gate struct {
	w    *Worker
	key  string
	open atomic.Bool // the breaker is; asked before every request
	idle uint64      // where it stood when it was last seen abandoned; of doAside alone

	mu     sync.Mutex // held for moments, never across requests
	spread jobs.Spread
	state  jobs.Breaker // as stored at seq, never changed in place
	seq    uint64
}

// putTries bounds how often a change is tried that others are faster with, with putPause to twice that between.
const (
	putTries = 10
	putPause = 20 * time.Millisecond
)

// abandonedEvery is how often breakers are looked at that nobody may ask through any more.
const abandonedEvery = 10 * time.Minute

// errHeld says that the access breaker holds the mailbox.
var errHeld = errors.New("worker: the access breaker is open")

// gate returns the gate to a mailbox's server, "" being the fleet's default.
func (w *Worker) gate(url string) *gate {
	if g, ok := w.byURL.Load(url); ok {
		return g.(*gate)
	}
	g := w.gateOf(gateKey(w.opts.Identity, or(url, w.opts.Server)))
	w.byURL.Store(url, g)
	return g
}

func (w *Worker) gateOf(key string) *gate {
	g, _ := w.gates.LoadOrStore(key, &gate{w: w, key: key, spread: jobs.Spread{Round: w.opts.PollInterval}})
	return g.(*gate)
}

// gateKey names a credential at a server, the same in every worker, without telling either.
func gateKey(id jobs.Identity, url string) string {
	as := "owner"
	if id.Delegate {
		as = "delegate"
	}
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join([]string{string(id.SignIn), id.Tenant, id.App, id.User, as, url}, "\n"))))
	return hex.EncodeToString(sum[:8])
}

func (g *gate) token() string { return events.TenantToken(g.key) }

// watchGates keeps the gates as the fleet sees them. It calls loaded once, when it knows those there are.
func (w *Worker) watchGates(ctx context.Context, loaded func()) error {
	begun := false
	for attempt := 1; ; attempt++ {
		err := w.bus.WatchBreakers(ctx, func(key string, x jobs.Breaker, seq uint64) { w.gateOf(key).set(x, seq) }, func() {
			begun = true
			loaded()
		})
		if err == nil || ctx.Err() != nil || begun || attempt == 10 { // at the start the server may just be electing a leader
			return err
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return nil
		}
	}
}

// set takes over what is stored, unless something newer is known.
func (g *gate) set(x jobs.Breaker, seq uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seq > g.seq {
		g.take(x, seq)
	}
}

// reset takes over what the leader says stands there instead of what was at stale, whatever its sequence: it goes back when
// the bucket is purged or restored from a backup, or a crash loses writes.
func (g *gate) reset(x jobs.Breaker, seq, stale uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seq > g.seq || g.seq == stale {
		g.take(x, seq)
	}
}

// take replaces the state. Callers hold mu.
func (g *gate) take(x jobs.Breaker, seq uint64) {
	was := g.state.Open
	g.state, g.seq = x, seq
	g.open.Store(x.Open)
	if len(x.Outbox) > 0 {
		g.w.aside(g.flushLate)
	}
	switch {
	case x.Open && !was:
		g.w.log.Warn().Str("scope", string(x.Scope)).Str("reason", x.Refusal.Reason).Str("code", x.Refusal.Code).Int("refused", x.Refused).Int("observed", x.Observed).
			Time("nextCheck", x.NextCheck).Msg("Exchange refuses many mailboxes at once: all of this sign-in wait, but for canaries")
	case !x.Open && was:
		g.closed(&x)
	}
}

// closed lets the mailboxes that were refused one by one, before it was known that it concerned all, look again at once
// when all can go on. Callers hold mu.
func (g *gate) closed(x *jobs.Breaker) {
	msg := "access is back; the mailboxes that waited go on"
	if x.Partial {
		msg = "no longer all mailboxes wait: those that work go on, and each that is refused still is told of by itself and looked at again slowly"
	}
	g.w.log.Warn().Bool("partial", x.Partial).Int("checks", x.Checks).Msg(msg)
	early := g.spread.RefusedSince()
	g.spread.Forget()
	if x.Partial || len(early) == 0 {
		return
	}
	g.w.aside(func(ctx context.Context) {
		for _, mb := range early {
			if err := g.w.bus.Look(ctx, mb); err != nil && ctx.Err() == nil {
				g.w.log.Warn().Str("mailbox", mb).Err(err).Msg("not looked at again at once; its re-check comes")
			}
		}
	})
}

// aside does something beside the jobs, in turn.
func (w *Worker) aside(f func(context.Context)) {
	select {
	case w.asides <- f:
	default: // whatever it is, another worker or a later moment does it
	}
}

// doAside does what is to be done beside the jobs, until ctx ends.
func (w *Worker) doAside(ctx context.Context) {
	tick := time.NewTicker(abandonedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-w.asides:
			f(ctx)
		case <-tick.C:
			w.gates.Range(func(_, g any) bool {
				g.(*gate).closeAbandoned(ctx)
				return ctx.Err() == nil
			})
		}
	}
}

// closeAbandoned closes a breaker that nobody asks through any more, such as that of a former sign-in: whoever was told
// that it opened would take all for refused for ever. It must be seen so twice, since after an outage of NATS, or at the
// start, the canaries come a little later. Whether all can go on is not known, so each mailbox finds out by itself.
func (g *gate) closeAbandoned(ctx context.Context) {
	x, seq := g.snapshot()
	seen := g.idle
	if g.idle = 0; !g.w.bus.Up() || !x.Abandoned(g.w.bus.Now(), g.w.opts.AccessRecheck) {
		return
	}
	if g.idle = seq; seen != seq {
		return
	}
	err := g.change(ctx, func(b *jobs.Breaker) bool {
		now := g.w.bus.Now()
		if !b.Abandoned(now, g.w.opts.AccessRecheck) {
			return false
		}
		b.Worked("", false, now)
		return tell(b, g.token(), events.TypeAccessRestored, now, opened(b, now))
	})
	switch {
	case err == nil:
		g.w.log.Info().Str("breaker", g.key).Msg("a breaker is closed that nobody has asked through for long: that sign-in or server is no longer used")
	case ctx.Err() == nil:
		g.w.log.Warn().Err(err).Msg("a breaker that nobody asks through any more is not closed yet; trying again")
	}
}

// flushLate publishes what whoever changed the breaker has not published by now: he may have died.
func (g *gate) flushLate(ctx context.Context) {
	if sleep(ctx, 2*time.Second+rand.N(4*time.Second)) {
		g.flush(ctx)
	}
}

// snapshot is the state as known here, to be changed.
func (g *gate) snapshot() (jobs.Breaker, uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state.Clone(), g.seq
}

// change stores what f makes of the breaker, by compare-and-set, and publishes what it tells. f returns false to leave
// it as it is; that is no error. It may be called more than once. [bus.ErrConflict] says that others were faster every time.
func (g *gate) change(ctx context.Context, f func(*jobs.Breaker) bool) error {
	for try := 1; ; try++ {
		x, seq := g.snapshot()
		if x.Epoch == "" {
			x.Epoch = crand.Text()[:8]
		}
		if !f(&x) {
			return nil
		}
		err := g.put(ctx, x, seq)
		if err == nil {
			g.flush(ctx)
			return nil
		}
		if !g.again(ctx, err, try) {
			return err
		}
	}
}

// again reports whether what failed with err may be tried once more, and pauses before.
func (g *gate) again(ctx context.Context, err error, try int) bool {
	return errors.Is(err, bus.ErrConflict) && try < putTries && sleep(ctx, putPause+rand.N(putPause))
}

// put stores the breaker over what stands at seq. After [bus.ErrConflict] the gate knows what stands there instead.
func (g *gate) put(ctx context.Context, x jobs.Breaker, seq uint64) error {
	at, err := g.w.bus.PutBreaker(ctx, g.key, &x, seq)
	if err == nil {
		g.set(x, at)
		return nil
	}
	if errors.Is(err, bus.ErrConflict) {
		now, at, readErr := g.w.bus.Breaker(ctx, g.key)
		if readErr != nil {
			return readErr
		}
		g.reset(now, at, seq)
	}
	return err
}

// flush publishes the events of the breaker's outbox, our own or those of a worker that died.
func (g *gate) flush(ctx context.Context) {
	for try := 1; ctx.Err() == nil; try++ {
		x, seq := g.snapshot()
		if len(x.Outbox) == 0 {
			return
		}
		err := g.w.bus.FlushBreaker(ctx, g.token(), &x)
		if err == nil {
			err = g.put(ctx, x, seq)
		}
		if err == nil {
			return
		}
		if !g.again(ctx, err, try) {
			g.w.log.WithLevel(g.w.loudness("breaker's event")).Err(err).Msg("an event about the access of many mailboxes is not published yet; trying again")
			g.w.aside(g.flushLate)
			return
		}
	}
}
