// Package dispatcher sees to it that every wanted mailbox has a record and a job when it needs one.
//
// It follows the wanted set and copies each entry into its mailbox's record; it does not poll, for a released
// mailbox carries its own next poll as a schedule. From the records it knows when each mailbox is due, and it wakes those
// that nobody has looked at a second later: their schedule was lost (somebody purged a stream, restored a backup) or
// NATS's scheduler sleeps (ADR 7). Once a minute it takes over every entry that its record does not have. Everything it
// does is a compare-and-set or may be done twice, so any number of dispatchers may run.
//
// Every minute it also finds a stream, consumer or bucket that somebody removed, or made anew. Nothing is mended then
// while everything runs: Ready says what is lost and Run ends with [bus.ErrLost], so that the process is started again,
// and bus.Ensure, which comes first, makes what is missing. The records are told of every entry again then, since they
// are compared by content, whatever the bucket's revisions. Only a bucket that is wholly empty while there are records is
// taken for a loss and not for the wish to switch everything off: then the mailboxes stay as they are, with a warning.
package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// Options say what a dispatcher works with. Bus is needed.
type Options struct {
	Bus   *bus.Bus
	Log   zerolog.Logger
	Sweep time.Duration // between looks whether all is there and taken over, default one minute
	// Patience is how late a mailbox may be before it is woken, default one second. A schedule of NATS fires within a
	// quarter of that, so a mailbox that is later has a token that waits for a worker, or has none.
	Patience time.Duration
	// Parallel is how many records are changed at once when many entries come, default 64.
	Parallel int
}

// Dispatcher follows the wanted set.
type Dispatcher struct {
	opts  Options
	bus   *bus.Bus
	log   zerolog.Logger
	ready atomic.Bool

	ended atomic.Pointer[error] // why Run gave up
	slots chan struct{}         // one for each entry that is being taken over
	takes sync.WaitGroup

	// By mailbox token; there may be a hundred thousand.
	mu     sync.Mutex
	boxes  map[string]jobs.Digest
	want   map[string]bus.MailboxEntry // the newest known entry of each
	busy   map[string]bool             // which are being taken over
	agenda agenda                      // when each enabled one is to be woken, should nobody have looked at it
	waves  waves

	// Of the sweep alone.
	rested   time.Time // before that, nobody is tried
	woken    int       // since the last warning
	warned   time.Time
	lateness lateness
}

// New makes a dispatcher. Its bus must have been through Ensure.
func New(o Options) (*Dispatcher, error) {
	if o.Bus == nil {
		return nil, errors.New("dispatcher: a bus is needed")
	}
	if o.Sweep == 0 {
		o.Sweep = time.Minute
	}
	if o.Patience == 0 {
		o.Patience = time.Second
	}
	if o.Parallel == 0 {
		o.Parallel = 64
	}
	return &Dispatcher{
		opts: o, bus: o.Bus, log: o.Log, slots: make(chan struct{}, o.Parallel),
		boxes: map[string]jobs.Digest{}, want: map[string]bus.MailboxEntry{}, busy: map[string]bool{},
		waves: waves{},
	}, nil
}

// Ready says why the dispatcher cannot do its work at the moment, or nothing.
func (d *Dispatcher) Ready() error {
	if err := d.ended.Load(); err != nil {
		return *err
	}
	switch {
	case !d.bus.Up():
		return errors.New("no connection to NATS")
	case !d.ready.Load():
		return errors.New("the mailboxes' records are still being read")
	}
	return nil
}

// Run works until its context ends, and only then returns nil. An error says why work could not begin or go on.
func (d *Dispatcher) Run(parent context.Context) error {
	ctx, stop := context.WithCancelCause(parent)
	var parts sync.WaitGroup
	part := func(name string, f func(context.Context) error) {
		parts.Go(func() {
			if err := f(ctx); err != nil {
				err = fmt.Errorf("dispatcher: %s: %w", name, err)
				d.ended.CompareAndSwap(nil, &err)
				stop(err)
			}
		})
	}
	loaded := make(chan struct{})
	part("records", func(ctx context.Context) error { return d.follow(ctx, loaded) })
	part("mailboxes", func(ctx context.Context) error { return d.wanted(ctx, loaded) })
	part("changes", func(ctx context.Context) error { return d.changes(ctx, loaded) })
	part("sweep", func(ctx context.Context) error { return d.sweep(ctx, loaded) })
	part("refused", d.retry)
	parts.Go(func() { d.bus.KeepClock(ctx) })
	parts.Wait()
	d.takes.Wait()
	defer stop(nil)
	return outcome(parent, ctx)
}

// outcome is why the parts, whose context is a child of parent, ended: nothing if parent did, otherwise a part's error,
// also when that wraps the end of some other context.
func outcome(parent, parts context.Context) error {
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(parts)
}

// follow keeps what is known of the records up to date.
func (d *Dispatcher) follow(ctx context.Context, loaded chan struct{}) error {
	return d.bus.WatchDigests(ctx, func(mb string, g jobs.Digest, stored time.Time) {
		if g.Due.IsZero() {
			g.Due = stored
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		was := d.boxes[mb]
		d.boxes[mb] = g
		d.seen(mb, was, g)
		d.looked(was, g)
		if g.Enabled {
			d.agenda.set(mb, g.Due.Add(d.opts.Patience))
		} else {
			d.agenda.drop(mb)
		}
	}, func() {
		d.ready.Store(true)
		close(loaded)
	})
}

// sweep looks, again and again, whether everything is there, taken over and looked at.
func (d *Dispatcher) sweep(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	t, late := time.NewTicker(d.opts.Sweep), time.NewTicker(d.opts.Patience/rounds)
	defer t.Stop()
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-late.C:
			d.wakeForgotten(ctx)
		case <-t.C:
			if err := d.look(ctx); err != nil {
				return err
			}
			d.warnLate()
		}
	}
}

// look is one sweep. Its error is the loss of what NATS kept; other troubles pass, or the next sweep meets them again.
func (d *Dispatcher) look(ctx context.Context) error {
	err := d.bus.Intact(ctx)
	switch {
	case errors.Is(err, bus.ErrLost):
		return err
	case err != nil:
		if ctx.Err() == nil {
			d.log.Warn().Err(err).Msg("NATS does not answer; the next sweep tries again")
		}
		return nil
	}
	d.takeStale(ctx)
	return nil
}

// Count is a summary of the mailboxes for people.
type Count struct {
	Enabled, New, OK, Denied, Blocked, Failed, Held, Throttled, Late int
}

// Count counts the mailboxes by how they fare.
func (d *Dispatcher) Count() Count {
	d.mu.Lock()
	defer d.mu.Unlock()
	var c Count
	for _, b := range d.boxes {
		if !b.Enabled {
			continue
		}
		switch b.State {
		case jobs.StateNew:
			c.New++
		case jobs.StateOK:
			c.OK++
		case jobs.StateDenied:
			c.Denied++
		case jobs.StateBlocked:
			c.Blocked++
		case jobs.StateFailed:
			c.Failed++
		case jobs.StateHeld:
			c.Held++
		}
		if b.Throttled {
			c.Throttled++
		}
	}
	c.Enabled, c.Late, _ = d.overdue()
	return c
}
