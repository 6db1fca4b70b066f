// Package dispatcher sees to it that every wanted mailbox has a record and a job when it needs one.
//
// It follows the wanted set and copies each entry into its mailbox's record; it does not poll, for a released
// mailbox carries its own next poll as a schedule. Once a minute it looks for mailboxes that ought to have been
// looked at and were not (somebody purged a stream, restored a backup) and wakes them, and takes over every entry that
// its record does not have. Everything it does is a compare-and-set or may be done twice, so any number of dispatchers
// may run.
//
// The same look finds a stream, consumer or bucket that somebody removed, or made anew. Nothing is mended then while
// everything runs: Ready says what is lost and Run ends with [bus.ErrLost], so that the process is started again, and
// bus.Ensure, which comes first, makes what is missing. The records are told of every entry again then, since they are
// compared by content, whatever the bucket's revisions. Only a bucket that is wholly empty while there are records is
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
	Sweep time.Duration // between looks for forgotten mailboxes, default one minute
	Grace time.Duration // how late a mailbox may be before it counts as late, default two minutes
	// Patience is how late a mailbox may be before it is woken, default ten seconds, looked at every half of that. It is
	// short because NATS's scheduler was seen to fall asleep with every schedule overdue; a token from here wakes it.
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
	mu    sync.Mutex
	boxes map[string]jobs.Digest
	want  map[string]bus.MailboxEntry // the newest known entry of each
	busy  map[string]bool             // which are being taken over
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
		o.Patience = 10 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 2 * time.Minute
	}
	if o.Parallel == 0 {
		o.Parallel = 64
	}
	return &Dispatcher{
		opts: o, bus: o.Bus, log: o.Log, slots: make(chan struct{}, o.Parallel),
		boxes: map[string]jobs.Digest{}, want: map[string]bus.MailboxEntry{}, busy: map[string]bool{},
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
	part("sweep", func(ctx context.Context) error { return d.sweep(ctx, loaded) })
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
		d.boxes[mb] = g
	}, func() {
		d.ready.Store(true)
		close(loaded)
	})
}

// sweep looks, at every interval, whether everything is there, taken over and looked at.
func (d *Dispatcher) sweep(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	t, late := time.NewTicker(d.opts.Sweep), time.NewTicker(d.opts.Patience/2)
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

// longQueue is after how many mailboxes that have a token already a round ends: the queue is long, nothing is forgotten.
const longQueue = 50

func (d *Dispatcher) wakeForgotten(ctx context.Context) {
	woken, queued := 0, 0
	defer func() {
		if woken > 0 {
			d.log.Warn().Int("mailboxes", woken).Msg("woke mailboxes that nobody had looked at when they were due")
		}
	}()
	for _, mb := range d.forgotten() {
		if ctx.Err() != nil || !d.bus.Up() || queued == longQueue {
			return
		}
		r, seq, err := d.bus.Record(ctx, mb)
		placed := false
		if err == nil { // refused: a token stands in the queue, which is only long
			placed, err = d.bus.PutToken(ctx, mb, jobs.Urgent(r.Lane, jobs.LanePoll), jobs.Hint{Seq: seq, Record: r})
		}
		if err != nil {
			d.log.Error().Str("mailbox", mb).Err(err).Msg("a forgotten mailbox could not be woken; the next sweep tries again")
			continue
		}
		if placed {
			woken++
		} else {
			queued++
		}
	}
}

func (d *Dispatcher) forgotten() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var late []string
	limit := d.bus.Now().Add(-d.opts.Patience)
	for mb, b := range d.boxes {
		if b.Enabled && b.Due.Before(limit) {
			late = append(late, mb)
		}
	}
	return late
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
	now := d.bus.Now()
	for _, b := range d.boxes {
		if !b.Enabled {
			continue
		}
		c.Enabled++
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
		if b.Due.Before(now.Add(-d.opts.Grace)) {
			c.Late++
		}
	}
	return c
}
