package worker

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// outage is this worker's part in finding out whether anybody in the fleet can sign in.
type outage struct {
	w    *Worker
	news chan struct{} // holds a value when something else is stored

	mu    sync.Mutex // never held across a request
	state jobs.Outage
	seq   uint64
}

// doubtAfter is how long a worker is without a sign-in before it says so: at its start it is, for a moment.
const doubtAfter = 5 * time.Second

// watchOutage doubts and contradicts until ctx ends. A fleet that is well pays for one consumer per worker, and no message.
func (w *Worker) watchOutage(ctx context.Context) error {
	if w.opts.SignIn == (always{}) {
		return nil
	}
	o := &outage{w: w, news: make(chan struct{}, 1)}
	acting, stop := context.WithCancel(ctx)
	var both sync.WaitGroup
	both.Go(func() { o.act(acting) })
	defer both.Wait()
	defer stop()
	for attempt := 1; ; attempt++ {
		err := w.bus.WatchOutage(ctx, o.set)
		if err == nil || ctx.Err() != nil || attempt == 10 {
			return err
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return nil
		}
	}
}

// set takes over what is stored, unless something newer is known.
func (o *outage) set(x jobs.Outage, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq > o.seq {
		o.take(x, seq)
	}
}

// take replaces the state. Callers hold mu.
func (o *outage) take(x jobs.Outage, seq uint64) {
	o.state, o.seq = x, seq
	select {
	case o.news <- struct{}{}:
	default:
	}
}

func (o *outage) snapshot() (jobs.Outage, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Clone(), o.seq
}

// act says what this worker knows whenever its sign-in changes, others say something, or time has passed.
func (o *outage) act(ctx context.Context) {
	for ctx.Err() == nil {
		why, changed := o.w.opts.SignIn.Now()
		again := o.say(ctx, why)
		t := time.NewTimer(again + rand.N(time.Second)) // workers that lose it together do not speak at once
		select {
		case <-ctx.Done():
		case <-changed:
		case <-o.news:
		case <-t.C:
		}
		t.Stop()
	}
}

// idle is when a worker comes again that has nothing to say.
const idle = time.Minute

// say doubts or contradicts, and returns when to come again.
func (o *outage) say(ctx context.Context, why *NoSignIn) time.Duration {
	again := idle
	turn := func(x *jobs.Outage, now time.Time) (changed bool) {
		was := x.Open
		if why == nil {
			changed = x.Contradict(now)
		} else {
			changed, again = x.Doubt(why.Cause, now)
		}
		switch {
		case x.Open && !was:
			return o.tell(x, events.TypeAccessDenied, now, nobodySignsIn(x, now))
		case was && !x.Open:
			return o.tell(x, events.TypeAccessRestored, now, somebodySignsIn(x, now))
		}
		return changed
	}
	if why != nil {
		if without := time.Since(why.Since); without < doubtAfter {
			return doubtAfter - without
		}
	}
	if err := o.change(ctx, turn); err != nil && ctx.Err() == nil {
		o.w.log.WithLevel(o.w.loudness("outage")).Err(err).Msg("whether any worker can sign in could not be told to the others; trying again")
		return 10 * time.Second
	}
	return again
}

// change stores what f makes of the state, by compare-and-set, and publishes what it tells: also what a worker that died
// has left.
func (o *outage) change(ctx context.Context, f func(*jobs.Outage, time.Time) bool) error {
	for try := 1; ; try++ {
		x, seq := o.snapshot()
		if x.Epoch == "" {
			x.Epoch = crand.Text()[:8]
		}
		was := x.Open
		if !f(&x, o.w.bus.Now()) {
			if len(x.Outbox) > 0 { // whoever put it there publishes it, unless he has died
				_ = sleep(ctx, 2*time.Second+rand.N(4*time.Second))
			}
			return o.flush(ctx)
		}
		err := o.put(ctx, x, seq)
		if err == nil {
			o.log(was, &x)
			return o.flush(ctx)
		}
		if !errors.Is(err, bus.ErrConflict) || try == putTries || !sleep(ctx, putPause+rand.N(putPause)) {
			return err
		}
	}
}

// put stores x over what stands at seq. After [bus.ErrConflict] it is known what stands there instead.
func (o *outage) put(ctx context.Context, x jobs.Outage, seq uint64) error {
	at, err := o.w.bus.PutOutage(ctx, &x, seq)
	if errors.Is(err, bus.ErrConflict) {
		now, at, readErr := o.w.bus.Outage(ctx)
		if readErr != nil {
			return readErr
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if at > o.seq || o.seq == seq { // the bucket may have been purged
			o.take(now, at)
		}
		return err
	}
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if at > o.seq {
			o.state, o.seq = x, at // no news to this worker
		}
	}
	return err
}

// flush publishes the events of the outbox.
func (o *outage) flush(ctx context.Context) error {
	for try := 1; ; try++ {
		x, seq := o.snapshot()
		if len(x.Outbox) == 0 {
			return nil
		}
		err := o.w.bus.FlushOutage(ctx, &x)
		if err == nil {
			err = o.put(ctx, x, seq)
		}
		if err == nil || !errors.Is(err, bus.ErrConflict) || try == putTries || !sleep(ctx, putPause+rand.N(putPause)) {
			return err
		}
	}
}

func (o *outage) log(was bool, x *jobs.Outage) {
	switch {
	case x.Open && !was:
		o.w.log.Warn().Str("reason", x.Cause.Reason).Time("since", x.Since).Msg("no worker of the fleet can sign in to Exchange: every mailbox waits")
	case was && !x.Open:
		o.w.log.Info().Str("reason", x.Cause.Reason).Str("after", Roughly(x.Closed.Sub(x.Since))).Msg("the fleet can sign in to Exchange again")
	}
}

// tell puts an event into the outbox. Its id is the same whoever publishes it.
func (o *outage) tell(x *jobs.Outage, typ string, now time.Time, data any) bool {
	raw, err := json.Marshal(data)
	if err != nil {
		return false
	}
	x.Commits++
	x.Outbox = append(x.Outbox, jobs.Outgoing{
		Kind: jobs.OutEvent, ID: fmt.Sprintf("%s/%s/%d/0", bus.OutageToken, x.Epoch, x.Commits), Type: typ, Time: now, Data: raw,
	})
	return true
}

// signingIn stands for an operation of Exchange's in what is told of a sign-in that does not get that far.
const signingIn = "sign-in"

// nobodySignsIn is the event that no worker can sign in. No mailbox was asked for, so it names none.
func nobodySignsIn(x *jobs.Outage, now time.Time) events.AccessDenied {
	c := x.Cause
	next := c.Next
	if next.Before(now) {
		next = now.Add(time.Minute)
	}
	hint := "no worker can sign in to Exchange, and every mailbox waits: " + c.Problem
	if c.Advice != "" {
		hint += ": " + c.Advice
	}
	return events.AccessDenied{
		Since: x.Since, Operation: signingIn, Status: c.Status, Hint: hint, NextCheck: next, Scope: events.ScopeCredential, Reason: c.Reason,
		Evidence: &events.Evidence{Operation: signingIn, Status: c.Status, At: now}, FirstSeen: x.Since, LastSeen: now,
	}
}

// somebodySignsIn is the event that it is over.
func somebodySignsIn(x *jobs.Outage, now time.Time) events.AccessRestored {
	return events.AccessRestored{
		Since: x.Since, Until: now, Scope: events.ScopeCredential, Reason: x.Cause.Reason, FirstSeen: x.Since, LastSeen: now,
		Evidence: &events.Evidence{Operation: signingIn, Status: x.Cause.Status, At: now},
	}
}
