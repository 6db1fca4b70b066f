// Package dispatcher sees to it that every wanted mailbox has a record and a job when it needs one.
//
// It follows the wanted set and copies each entry into its mailbox's record; it does not poll, for a released
// mailbox carries its own next poll as a schedule. Once a minute it looks for mailboxes that ought to have been
// looked at and were not (somebody purged a stream, restored a backup) and wakes them. Everything it does is a
// compare-and-set or may be done twice, so any number of dispatchers may run.
package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	Grace time.Duration // how late a mailbox may be before it counts as forgotten, default two minutes
	// Parallel is how many records are changed at once when many entries come, default 64.
	Parallel int
}

// Dispatcher follows the wanted set.
type Dispatcher struct {
	opts  Options
	bus   *bus.Bus
	log   zerolog.Logger
	ready atomic.Bool

	mu    sync.Mutex
	boxes map[string]jobs.Digest // by mailbox token; there may be a hundred thousand
}

// New makes a dispatcher. Its bus must have been through Ensure.
func New(o Options) (*Dispatcher, error) {
	if o.Bus == nil {
		return nil, errors.New("dispatcher: a bus is needed")
	}
	if o.Sweep == 0 {
		o.Sweep = time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 2 * time.Minute
	}
	if o.Parallel == 0 {
		o.Parallel = 64
	}
	return &Dispatcher{opts: o, bus: o.Bus, log: o.Log, boxes: map[string]jobs.Digest{}}, nil
}

// Ready says why the dispatcher cannot do its work at the moment, or nothing.
func (d *Dispatcher) Ready() error {
	switch {
	case !d.bus.Up():
		return errors.New("no connection to NATS")
	case !d.ready.Load():
		return errors.New("the mailboxes' records are still being read")
	}
	return nil
}

// Run works until ctx ends. An error says that work could not begin or go on.
func (d *Dispatcher) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	part := func(name string, f func(context.Context) error) {
		parts.Go(func() {
			if err := f(ctx); err != nil {
				stop(fmt.Errorf("dispatcher: %s: %w", name, err))
			}
		})
	}
	loaded := make(chan struct{})
	part("records", func(ctx context.Context) error { return d.follow(ctx, loaded) })
	part("mailboxes", func(ctx context.Context) error { return d.wanted(ctx, loaded) })
	part("sweep", func(ctx context.Context) error { return d.sweep(ctx, loaded) })
	parts.Go(func() { d.bus.KeepClock(ctx) })
	parts.Wait()
	stop(nil)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
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

// wanted takes over every entry of the wanted set, many at once.
func (d *Dispatcher) wanted(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	slots := make(chan struct{}, d.opts.Parallel)
	var busy sync.WaitGroup
	defer busy.Wait()
	return d.bus.WatchMailboxes(ctx, func(e bus.MailboxEntry) {
		if d.current(e) {
			return
		}
		slots <- struct{}{}
		busy.Go(func() {
			defer func() { <-slots }()
			if err := d.adopt(ctx, e); err != nil && ctx.Err() == nil {
				d.log.Error().Str("mailbox", e.Token).Err(err).Msg("entry not taken over; the next sweep tries again")
			}
		})
	})
}

// current reports whether the record has the entry already.
func (d *Dispatcher) current(e bus.MailboxEntry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.boxes[e.Token]
	return ok && b.Revision >= e.Revision
}

// adopt copies an entry into its record, and wakes the mailbox if it is enabled.
func (d *Dispatcher) adopt(ctx context.Context, e bus.MailboxEntry) error {
	changed := false
	r, seq, err := d.bus.UpdateRecord(ctx, e.Token, func(r *jobs.Record) bool {
		if changed = r.Settings.Revision < e.Revision; !changed {
			return false
		}
		apply(r, e)
		return true
	})
	if err != nil || !changed || !r.Settings.Enabled {
		return err
	}
	return d.bus.Wake(ctx, e.Token, &r, seq)
}

// apply changes a record's settings and asks for a look at the mailbox, also when it is refused at the moment: the
// change may be the cure. A back-off that Exchange asked for stays.
func apply(r *jobs.Record, e bus.MailboxEntry) {
	address, m := r.Settings.Address, e.Mailbox
	r.Settings = jobs.Settings{
		Address: strings.ToLower(m.Address), Mode: m.Mode, URL: m.URL, Folder: m.Folder, Enabled: m.Enabled && !e.Removed,
		Fields: m.Fields, PastDays: m.PastDays, FutureDays: m.FutureDays, Revision: e.Revision,
	}
	if e.Removed {
		r.Settings.Address = address
		return
	}
	r.Want++
	r.Lane = jobs.Urgent(r.Lane, jobs.LanePoll)
	if r.State != jobs.StateNew && r.State != jobs.StateOK {
		r.NotBefore = time.Time{}
	}
}

// sweep wakes mailboxes that were forgotten.
func (d *Dispatcher) sweep(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	t := time.NewTicker(d.opts.Sweep)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			d.wakeForgotten(ctx)
		}
	}
}

func (d *Dispatcher) wakeForgotten(ctx context.Context) {
	for _, mb := range d.forgotten() {
		r, seq, err := d.bus.Record(ctx, mb)
		placed := false
		if err == nil { // refused: a token stands in the queue, which is only long
			placed, err = d.bus.PutToken(ctx, mb, jobs.Urgent(r.Lane, jobs.LanePoll), jobs.Hint{Seq: seq, Record: r})
		}
		if err != nil {
			d.log.Error().Str("mailbox", mb).Err(err).Msg("a forgotten mailbox could not be woken")
			return
		}
		if placed {
			d.log.Warn().Str("mailbox", mb).Msg("woke a mailbox that nobody had looked at when it was due")
		}
	}
}

func (d *Dispatcher) forgotten() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var late []string
	limit := d.bus.Now().Add(-d.opts.Grace)
	for mb, b := range d.boxes {
		if b.Enabled && b.Due.Before(limit) {
			late = append(late, mb)
		}
	}
	return late
}

// Count is a summary of the mailboxes for people.
type Count struct {
	Enabled, New, OK, Denied, Blocked, Failed, Throttled, Late int
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
