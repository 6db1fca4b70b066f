package dispatcher

import (
	"context"
	"reflect"
	"strings"
	"time"

	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// wanted follows the wanted set and takes over its entries, many at once.
func (d *Dispatcher) wanted(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	return d.bus.WatchMailboxes(ctx, func(e bus.MailboxEntry) {
		d.mu.Lock()
		d.want[e.Token] = e
		d.mu.Unlock()
		if !d.current(e) {
			d.take(ctx, e.Token)
		}
	}, func() {
		d.missAbsent()
		d.takeStale(ctx)
	})
}

// missAbsent notes, once the wanted set has been listed completely, that enabled mailboxes without an entry are no longer
// wanted: their entries went with a bucket that was made anew, or while no dispatcher ran and without a trace.
func (d *Dispatcher) missAbsent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.want) == 0 {
		if len(d.boxes) > 0 {
			d.log.Warn().Int("records", len(d.boxes)).Msg("the bucket of the wanted mailboxes is empty although there are records: nothing is switched off, for that looks like a loss (roomsync mailboxes set brings entries back)")
		}
		return
	}
	for mb, g := range d.boxes {
		if _, ok := d.want[mb]; !ok && g.Enabled {
			d.want[mb] = bus.MailboxEntry{Token: mb, Removed: true}
		}
	}
}

// takeStale takes over every entry that its record does not have.
func (d *Dispatcher) takeStale(ctx context.Context) {
	d.mu.Lock()
	var stale []string
	for mb, e := range d.want {
		if !d.has(e) {
			stale = append(stale, mb)
		}
	}
	d.mu.Unlock()
	for _, mb := range stale {
		d.take(ctx, mb)
	}
}

// take takes a mailbox's entry over when a slot is free, and returns before that is done.
func (d *Dispatcher) take(ctx context.Context, mb string) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	d.takes.Go(func() {
		defer func() { <-d.slots }()
		for e, ok := d.claim(mb); ok; e, ok = d.release(e) {
			if err := d.adopt(ctx, e); err != nil && ctx.Err() == nil {
				d.log.Error().Str("mailbox", e.Token).Err(err).Msg("entry not taken over; the next sweep tries again")
			}
		}
	})
}

// claim returns a mailbox's newest entry, unless somebody is taking that mailbox's entries over already.
func (d *Dispatcher) claim(mb string) (bus.MailboxEntry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[mb] {
		return bus.MailboxEntry{}, false
	}
	d.busy[mb] = true
	return d.want[mb], true
}

// release ends a claim, unless a newer entry came meanwhile: then it returns that.
func (d *Dispatcher) release(done bus.MailboxEntry) (bus.MailboxEntry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.want[done.Token]; e.Revision != done.Revision || e.Removed != done.Removed {
		return e, true
	}
	delete(d.busy, done.Token)
	return bus.MailboxEntry{}, false
}

// current reports whether the record has the entry already.
func (d *Dispatcher) current(e bus.MailboxEntry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.has(e)
}

// has is current for those who hold mu.
func (d *Dispatcher) has(e bus.MailboxEntry) bool {
	g, ok := d.boxes[e.Token]
	if !ok {
		return e.Removed
	}
	return g.Revision == e.Revision && g.Enabled == (e.Mailbox.Enabled && !e.Removed)
}

// known is the revision that the record had when it was last heard of.
func (d *Dispatcher) known(mb string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.boxes[mb].Revision
}

// adopt copies an entry into its record, and wakes the mailbox if that changed anything and it is enabled.
//
// An entry older than what the record has is either one that we are late to see, or one of a bucket that was made anew;
// the bucket's leader knows which. A record that was changed since is left to whoever changed it: its digest is on its
// way, and the next sweep compares again. Nor is a token that could not be put tried again here: by its record the
// mailbox is due, so wakeForgotten sees to it.
func (d *Dispatcher) adopt(ctx context.Context, e bus.MailboxEntry) error {
	seen := d.known(e.Token)
	if e.Revision <= seen {
		var err error
		if e, err = d.bus.Mailbox(ctx, e.Token); err != nil {
			return err
		}
	}
	changed := false
	r, seq, err := d.bus.UpdateRecord(ctx, e.Token, func(r *jobs.Record) bool {
		changed = false
		if r.Settings.Revision > e.Revision && r.Settings.Revision != seen {
			return false
		}
		want := settings(r, e)
		if reflect.DeepEqual(want, r.Settings) {
			return false
		}
		had := r.Settings
		had.Revision = want.Revision
		changed = !reflect.DeepEqual(want, had)
		apply(r, want, changed && !e.Removed)
		return true
	})
	if err != nil || !changed || !r.Settings.Enabled {
		return err
	}
	if err := d.bus.Wake(ctx, e.Token, &r, seq); err != nil && ctx.Err() == nil {
		d.log.Warn().Str("mailbox", e.Token).Err(err).Msg("entry taken over, but no token put; the mailbox is woken when it is late")
	}
	return nil
}

// settings are what a record's must be by the entry. A removed one's say of whom they were.
func settings(r *jobs.Record, e bus.MailboxEntry) jobs.Settings {
	if e.Removed {
		return jobs.Settings{Address: r.Settings.Address, Revision: e.Revision}
	}
	m := e.Mailbox
	return jobs.Settings{
		Address: strings.ToLower(m.Address), Mode: m.Mode, URL: m.URL, Folder: m.Folder, Enabled: m.Enabled,
		Fields: m.Fields, PastDays: m.PastDays, FutureDays: m.FutureDays,
		Winner: m.Winner, Resource: m.Resource, Revision: e.Revision,
	}
}

// apply changes a record's settings and, when look is set, asks for a look at the mailbox, also when it is refused at
// the moment: the change may be the cure. A back-off that Exchange asked for stays.
func apply(r *jobs.Record, s jobs.Settings, look bool) {
	r.Settings = s
	if !look {
		return
	}
	r.Want++
	r.Lane = jobs.Urgent(r.Lane, jobs.LanePoll)
	r.Unhold() // the breaker holds it again unless it is elsewhere now
	if r.State != jobs.StateNew && r.State != jobs.StateOK {
		r.NotBefore = time.Time{}
	}
}
