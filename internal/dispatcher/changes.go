package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// How ROOMS' events are noticed.
const (
	noticesAhead = 1024
	askAgain     = time.Second // after trouble, or while a mailbox's entry is being taken over
	// declineMost is how many events of a mailbox that is not wanted are declined in one commit.
	declineMost = 50
)

// notices gathers what ROOMS published, by mailbox, so that many events of one mailbox cost one change of its record.
type notices struct {
	mu      sync.Mutex
	waiting map[string][]bus.Notice // also while they are being handled: then it holds those that came since
}

// add keeps a notice and reports whether its mailbox is to be handled by the caller.
func (n *notices) add(x bus.Notice) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	have, busy := n.waiting[x.Mailbox]
	n.waiting[x.Mailbox] = append(have, x)
	return !busy
}

// take returns a mailbox's notices. With none left the mailbox is handled no more.
func (n *notices) take(mb string) []bus.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.waiting[mb]
	if len(all) == 0 {
		delete(n.waiting, mb)
		return nil
	}
	n.waiting[mb] = nil
	return all
}

// changes tells the mailboxes of what ROOMS wants of them.
func (d *Dispatcher) changes(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return nil
	}
	q, err := d.bus.Notices(ctx, noticesAhead)
	if err != nil {
		return err
	}
	defer q.Stop()
	n := notices{waiting: map[string][]bus.Notice{}}
	slots := make(chan struct{}, d.opts.Parallel)
	var handling sync.WaitGroup
	defer handling.Wait()
	for {
		x, err := q.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !n.add(x):
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		handling.Go(func() {
			defer func() { <-slots }()
			for all := n.take(x.Mailbox); len(all) > 0; all = n.take(x.Mailbox) {
				d.passOn(ctx, x.Mailbox, all)
			}
		})
	}
}

// passOn settles the notices of one mailbox.
func (d *Dispatcher) passOn(ctx context.Context, mb string, all []bus.Notice) {
	newest := uint64(0)
	for _, x := range all {
		newest = max(newest, x.Sequence)
	}
	settled, err := d.asked(ctx, mb, newest)
	if err != nil && ctx.Err() == nil {
		d.log.Warn().Str("mailbox", mb).Err(err).Msg("ROOMS' changes not passed on; trying again in a moment")
	}
	for _, x := range all {
		if settled {
			_ = x.Ack()
		} else {
			_ = x.Later(askAgain)
		}
	}
}

// asked passes a mailbox's events on to its job, or declines them. It reports false when that is not possible yet.
func (d *Dispatcher) asked(ctx context.Context, mb string, seq uint64) (bool, error) {
	enabled, err := d.bus.Ask(ctx, mb, seq)
	if err != nil || enabled {
		return enabled, err
	}
	e, err := d.bus.Mailbox(ctx, mb)
	if err != nil || e.Mailbox.Enabled && !e.Removed {
		return false, err // its entry is being taken over
	}
	err = d.decline(ctx, mb, seq)
	if errors.Is(err, bus.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// decline answers the events of a mailbox that is not wanted.
func (d *Dispatcher) decline(ctx context.Context, mb string, seq uint64) error {
	r, _, err := d.bus.Record(ctx, mb)
	if err != nil {
		return err
	}
	for at := d.bus.Answered(&r); at < seq; {
		var out []jobs.Outgoing
		for len(out) < declineMost {
			c, err := d.bus.NextChange(ctx, mb, at)
			if errors.Is(err, bus.ErrNotFound) || err == nil && c.Sequence > seq {
				at = seq
				break
			}
			if err != nil {
				return err
			}
			messages, err := declined(c)
			if err != nil {
				return err
			}
			out, at = append(out, messages...), c.Sequence
		}
		if err := d.bus.Decline(ctx, mb, at, out); err != nil {
			return err
		}
	}
	return nil
}

// declined is what follows from an event for a mailbox that is not wanted.
func declined(c bus.Change) ([]jobs.Outgoing, error) {
	var b events.BookingCancelled // whose fields both types have
	_ = json.Unmarshal(c.Event.Data, &b)
	a := events.BookingRejected{
		BookingID: b.BookingID, Revision: b.Revision, Mailbox: b.Mailbox, Reason: events.RejectedMailbox,
		Hint: "the mailbox is not wanted, or switched off: roomsync mailboxes set switches it on; then send the booking again",
	}
	return jobs.Reject(a, c.Event, jobs.Letter{Sequence: c.Sequence, Stored: c.Stored, Payload: c.Raw})
}
