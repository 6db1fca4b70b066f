package worker

import (
	"context"
	"encoding/json"
	"slices"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// calendarChange is what an answer changed of the calendar, which ROOMS need not be told again.
type calendarChange struct {
	wrote calsync.Written // nothing was written when its ItemID is empty
	gone  []string        // ids of what was deleted
}

// answer tells ROOMS what became of a revision.
func (r *run) answer(ctx context.Context, in *incoming, seen calsync.Seen, plan calsync.Plan, wrote calsync.Written) error {
	if plan.Answer.Kind == calsync.Rejected {
		return r.stale(ctx, in)
	}
	change := calendarChange{gone: deleted(in.link.Link, plan)}
	in.link.Link = plan.Done(wrote, r.w.bus.Now())
	in.link.Event = in.Event.DeduplicationID()
	if !plan.Untold {
		change.wrote = wrote
	}
	l, address := in.link, r.record().Settings.Address
	item, key, uid := l.ItemID, l.ChangeKey, l.UID
	if l.State != calsync.LinkLive {
		item, key = "", ""
	}
	if plan.Answer.Kind == calsync.Conflict {
		a := events.BookingConflict{BookingID: l.BookingID, Revision: in.Booking.Revision, Mailbox: address, Reason: plan.Answer.Reason,
			ItemID: item, ChangeKey: key, UID: uid, Lost: names(plan.Answer.Lost)}
		var err error
		if a.Current, err = r.standing(ctx, seen, wrote, l.BookingID); err != nil {
			return err
		}
		return r.tellAnswer(ctx, in, events.TypeBookingConflict, a, change)
	}
	a := events.BookingApplied{BookingID: l.BookingID, Revision: in.Booking.Revision, Mailbox: address, Reason: plan.Answer.Reason,
		ItemID: item, ChangeKey: key, UID: uid, Lost: names(plan.Answer.Overwritten)}
	if len(a.Lost) > 0 && seen.Sight == calsync.Found {
		a.Previous = r.shown(seen.Held.Appointment, nil, l.BookingID)
	}
	return r.tellAnswer(ctx, in, events.TypeBookingApplied, a, change)
}

// deleted are the appointments that a plan deleted, and the one that an attempt before it deleted.
func deleted(had calsync.Link, plan calsync.Plan) []string {
	var ids []string
	for _, s := range plan.Steps {
		if s.Kind == calsync.StepDelete {
			ids = append(ids, s.ItemID)
		}
	}
	if plan.Answer.Reason == events.AppliedCancelled && had.State == calsync.LinkLive && !slices.Contains(ids, had.ItemID) {
		ids = append(ids, had.ItemID)
	}
	return ids
}

// standing is the appointment as it is now, nothing where there is none.
func (r *run) standing(ctx context.Context, seen calsync.Seen, wrote calsync.Written, booking string) (*events.Change, error) {
	if seen.Sight != calsync.Found {
		return nil, nil
	}
	a := seen.Held.Appointment
	if wrote.ItemID != "" {
		results, err := r.w.cal.Get(ctx, r.target(), []string{wrote.ItemID})
		if err != nil {
			return nil, err
		}
		if results[0].Err != nil {
			return nil, nil // gone again; ROOMS will be told
		}
		a = results[0].Appointment
	}
	var listed []calsync.Appointment
	if a.Type == calsync.Master {
		var err error
		if listed, err = r.w.cal.List(ctx, r.target(), r.window()); err != nil {
			return nil, err
		}
	}
	return r.shown(a, listed, booking), nil
}

// shown is an appointment in the contract's words. Of a series without a listing, the meetings are said to be left out.
func (r *run) shown(a calsync.Appointment, listed []calsync.Appointment, booking string) *events.Change {
	c := r.describe(events.KindUpdated, a, listed, r.window())
	if c.BookingID = booking; a.Type == calsync.Master && listed == nil {
		c.Omitted = append(c.Omitted, "occurrences")
	}
	return &c
}

// superseded answers a revision that a later one follows in the queue.
func (r *run) superseded(ctx context.Context, in *incoming) error {
	return r.tellAnswer(ctx, in, events.TypeBookingApplied, events.BookingApplied{
		BookingID: in.Booking.ID, Revision: in.Booking.Revision, Mailbox: r.record().Settings.Address, Reason: events.AppliedSuperseded,
	}, calendarChange{})
}

// stale answers a revision at or below the one answered last. The same event again has its answer.
func (r *run) stale(ctx context.Context, in *incoming) error {
	if in.link.Event == in.Event.DeduplicationID() {
		return r.settled(ctx, in, nil, calendarChange{})
	}
	a := events.BookingRejected{
		BookingID: in.Booking.ID, Revision: in.Booking.Revision, Mailbox: r.record().Settings.Address, Reason: events.RejectedStale,
		ItemID: in.link.ItemID, Hint: "a revision at least as high was answered before: nothing is to be done",
	}
	out, err := jobs.Event(events.TypeBookingRejected, a)
	if err != nil {
		return err
	}
	return r.settled(ctx, in, []jobs.Outgoing{out}, calendarChange{})
}

// invalid answers an event that does not keep to the contract.
func (r *run) invalid(ctx context.Context, in *incoming) error {
	return r.reject(ctx, in, events.BookingRejected{
		Reason: events.RejectedInvalid, Faults: in.Faults, Hint: "send a higher revision without these faults",
	}, false)
}

// reject gives an event up: an answer and a dead letter, and the link if it changed.
func (r *run) reject(ctx context.Context, in *incoming, a events.BookingRejected, link bool) error {
	a.BookingID, a.Revision, a.Mailbox = in.Booking.ID, in.Booking.Revision, r.record().Settings.Address
	out, err := jobs.Reject(a, in.Event, jobs.Letter{Sequence: in.Sequence, Stored: in.Stored, Payload: in.Raw, Attempts: r.record().Attempts + 1})
	if err != nil {
		return err
	}
	if link {
		in.link.Event = in.Event.DeduplicationID()
		l, err := in.link.outgoing()
		if err != nil {
			return err
		}
		out = append(out, l)
	}
	return r.settled(ctx, in, out, calendarChange{})
}

// tellAnswer settles an event with its answer, and the link with it unless the revision was superseded.
func (r *run) tellAnswer(ctx context.Context, in *incoming, typ string, data any, change calendarChange) error {
	answer, err := jobs.Event(typ, data)
	if err != nil {
		return err
	}
	out := []jobs.Outgoing{answer}
	if in.fate == calsync.Do {
		l, err := in.link.outgoing()
		if err != nil {
			return err
		}
		out = append(out, l)
	}
	return r.settled(ctx, in, out, change)
}

// settled commits what follows from an event, and that it has its answer. What was written is in the shadow with it, and
// what was deleted is marked, so that neither is told as news when the next page names it.
func (r *run) settled(ctx context.Context, in *incoming, out []jobs.Outgoing, change calendarChange) error {
	step := bus.ShadowEntry{Remove: change.gone}
	if change.wrote.ItemID != "" {
		step.Put = map[string]string{change.wrote.ItemID: change.wrote.ChangeKey}
	}
	if len(step.Put)+len(step.Remove) > 0 {
		data, err := json.Marshal(step)
		if err != nil {
			return err
		}
		out = append(out, jobs.Outgoing{Kind: jobs.OutShadow, Data: data})
	}
	err := r.emit(ctx, out, func(rec *jobs.Record) {
		rec.Applied = in.Sequence
		if rec.Ahead == nil && len(change.gone) > 0 {
			rec.Ahead = map[string]string{}
		}
		for _, id := range change.gone {
			rec.Ahead[id] = jobs.DeletedKey
		}
	})
	if err == nil {
		r.changes++
	}
	return err
}
