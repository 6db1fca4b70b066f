package worker

import (
	"context"
	"encoding/json"
	"errors"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// batchMost bounds how many of ROOMS' events are read before the first is done: among them superseded ones are found.
const batchMost = 100

// incoming is an event of ROOMS that waits for its answer.
type incoming struct {
	bus.Change
	calsync.Incoming
	fate calsync.Fate
	link linked
}

// linked is a booking's link, and the sequence at which it stands.
type linked struct {
	calsync.Link
	seq uint64
}

// bookings does what ROOMS wants of the mailbox, event by event in the queue's order, until none waits for an answer.
func (r *run) bookings(ctx context.Context) error {
	for r.record().Asked > r.record().Applied {
		if err := r.tried(ctx); err != nil {
			return err
		}
		batch, err := r.batch(ctx)
		if err != nil {
			return err
		}
		for i := range batch {
			if err := r.booking(ctx, &batch[i]); err != nil {
				return err
			}
		}
		if len(batch) == 0 { // somebody purged them, or they were too old
			if err := r.commit(ctx, func(rec *jobs.Record) error { rec.Applied = rec.Tried; return nil }); err != nil {
				return err
			}
		}
	}
	return nil
}

// tried stores that events may be written that came during this run. Those that came before are covered since its
// beginning.
func (r *run) tried(ctx context.Context) error {
	if rec := r.record(); rec.Tried >= rec.Asked {
		return nil
	}
	return r.commit(ctx, func(rec *jobs.Record) error { rec.Tried = max(rec.Tried, rec.Asked); return nil })
}

// batch reads the events that come next, and says what is to be done about each.
func (r *run) batch(ctx context.Context) ([]incoming, error) {
	rec := r.record()
	var all []incoming
	links := map[string]linked{}
	for at := rec.Applied; len(all) < batchMost && at < rec.Tried; {
		c, err := r.w.bus.NextChange(ctx, r.mb, at)
		if errors.Is(err, bus.ErrNotFound) || err == nil && c.Sequence > rec.Tried {
			break
		}
		if err != nil {
			return nil, err
		}
		at = c.Sequence
		in := incoming{Change: c, Incoming: r.parse(c)}
		if in.link, err = r.link(ctx, links, in.Booking.ID); err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	plain := make([]calsync.Incoming, len(all))
	for i := range all {
		plain[i] = all[i].Incoming
	}
	for i, fate := range calsync.Supersede(plain, func(id string) int64 { return links[id].Revision }) {
		all[i].Incoming, all[i].fate = plain[i], fate
	}
	return all, nil
}

func (r *run) parse(c bus.Change) calsync.Incoming {
	if c.Err != nil {
		return calsync.Incoming{Faults: []events.Invalid{{Problem: c.Err.Error(), Do: "send a CloudEvent"}}}
	}
	b, faults := calsync.ParseBooking(c.Event, r.record().Settings.Address)
	b.Stored = c.Stored
	return calsync.Incoming{Booking: b, Faults: faults}
}

// link reads a booking's link, once for each batch.
func (r *run) link(ctx context.Context, known map[string]linked, id string) (linked, error) {
	if l, ok := known[id]; ok || id == "" {
		return l, nil
	}
	l, err := r.readLink(ctx, id)
	known[id] = l
	return l, err
}

func (r *run) readLink(ctx context.Context, id string) (linked, error) {
	l := linked{Link: calsync.Link{BookingID: id}}
	data, seq, err := r.w.bus.Link(ctx, r.mb, id)
	l.seq = seq
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return l, nil
	case err != nil:
		return l, err
	}
	if err := json.Unmarshal(data, &l.Link); err != nil {
		r.w.log.Error().Str("mailbox", r.mb).Err(err).Msg("the link of a booking is not understood; its appointment is looked for in the calendar")
		l.Link = calsync.Link{BookingID: id, Unsure: true}
	}
	return l, nil
}

// outgoing is the message that stores a link in place of the one that was read.
func (l linked) outgoing() (jobs.Outgoing, error) {
	data, err := json.Marshal(l.Link)
	return jobs.Outgoing{Kind: jobs.OutLink, Key: jobs.LinkKey(l.BookingID), Expect: l.seq, Data: data}, err
}

func (r *run) policy() calsync.Policy {
	s := r.record().Settings
	return calsync.Policy{Winner: calsync.Winner(or(s.Winner, events.WinnerROOMS)), Resource: s.Resource}
}
