package worker

import (
	"context"
	"errors"
	"slices"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// decideMost is how often one event is decided on anew because the appointment was not as it was believed to be.
const decideMost = 6

// booking brings one event to its answer.
func (r *run) booking(ctx context.Context, in *incoming) error {
	var err error
	if in.link, err = r.readLink(ctx, in.Booking.ID); err != nil { // an earlier event of the batch may have written it
		return err
	}
	switch {
	case in.fate == calsync.Bad:
		return r.invalid(ctx, in)
	case in.fate == calsync.Superseded:
		return r.superseded(ctx, in)
	case in.fate == calsync.Stale:
		return r.stale(ctx, in)
	}
	return r.bring(ctx, in)
}

// bring brings the calendar in line with a revision, and answers it.
func (r *run) bring(ctx context.Context, in *incoming) error {
	seen := calsync.Seen{}
	if in.Sequence <= r.doubt || r.record().Settings.Resource {
		var err error
		if seen, err = r.see(ctx, in); err != nil {
			return r.stopped(ctx, in, err)
		}
	}
	for range decideMost {
		plan := calsync.Decide(in.Booking, in.link.Link, seen, r.policy())
		var err error
		if !plan.Look && !r.unseen(in, seen, plan) {
			r.wrote = in.Sequence
			var wrote calsync.Written
			wrote, err = r.write(ctx, in, plan)
			if err == nil {
				return r.answer(ctx, in, seen, plan, wrote)
			}
			if !r.changed(err) {
				return r.failedWrite(ctx, in, err)
			}
		}
		if seen, err = r.see(ctx, in); err != nil {
			return r.stopped(ctx, in, err)
		}
	}
	return r.gaveUp(ctx, in, seen)
}

// unseen says whether a plan does nothing because nobody has looked: that the appointment is as it was last is no answer.
func (r *run) unseen(in *incoming, seen calsync.Seen, plan calsync.Plan) bool {
	return len(plan.Steps) == 0 && seen.Sight == calsync.Unseen && in.link.State == calsync.LinkLive && plan.Answer.Kind == calsync.Applied
}

// failedWrite finds out whether a write was done that Exchange refuses with an answer that leaves it open: about sending, say.
func (r *run) failedWrite(ctx context.Context, in *incoming, err error) error {
	var f *calsync.Fault
	if !errors.As(err, &f) || !f.Unknown || r.w.judge(f).OfWrite() == jobs.WriteLater {
		return r.stopped(ctx, in, err)
	}
	seen, lookErr := r.see(ctx, in)
	if lookErr != nil {
		return r.stopped(ctx, in, lookErr)
	}
	if plan := calsync.Decide(in.Booking, in.link.Link, seen, r.policy()); len(plan.Steps) == 0 {
		return r.answer(ctx, in, seen, plan, calsync.Written{})
	}
	refused := *f
	refused.Unknown = false
	return r.stopped(ctx, in, &refused)
}

// changed says whether a write failed because the appointment is not as it was believed to be.
func (r *run) changed(err error) bool {
	var f *calsync.Fault
	return errors.As(err, &f) && !f.Unknown && r.w.judge(f).OfWrite() == jobs.WriteAnew
}

// see looks into the calendar for a booking's appointment, its meetings, and what else stands at its time.
func (r *run) see(ctx context.Context, in *incoming) (calsync.Seen, error) {
	found, err := r.w.writer.Find(ctx, r.target(), in.Booking.ID)
	if err != nil {
		return calsync.Seen{}, err
	}
	s := calsync.Look(in.Booking, in.link.Link, found)
	if s.Sight == calsync.Found && s.Held.Type == calsync.Master {
		if s.Meetings, err = r.meetings(ctx, s.Held.Appointment); err != nil {
			return s, err
		}
	}
	if s.Successor != nil && s.Successor.Type == calsync.Master {
		if s.SuccessorMeetings, err = r.meetings(ctx, s.Successor.Appointment); err != nil {
			return s, err
		}
	}
	s.Clashes, err = r.clashes(ctx, in)
	return s, err
}

// meetings are those of a series that differ from it: read by the ids that it names.
func (r *run) meetings(ctx context.Context, series calsync.Appointment) ([]calsync.Appointment, error) {
	if len(series.Modified) == 0 {
		return nil, nil
	}
	var ids []string
	for _, m := range series.Modified {
		ids = append(ids, m.ID)
	}
	results, err := r.w.cal.Get(ctx, r.target(), ids)
	if err != nil {
		return nil, err
	}
	var all []calsync.Appointment
	for _, x := range results {
		switch {
		case x.Err == nil:
			all = append(all, x.Appointment)
		case !gone(x.Err):
			return nil, x.Err
		}
	}
	return all, nil
}

// clashes are what else stands at the time of a booking in a resource's calendar, as far as the window goes.
func (r *run) clashes(ctx context.Context, in *incoming) ([]calsync.Appointment, error) {
	if !r.record().Settings.Resource || in.Booking.Cancelled {
		return nil, nil
	}
	w := r.window()
	if in.Booking.Content.Recurrence == nil {
		w = calsync.Window{From: in.Booking.Content.Start, To: in.Booking.Content.End}
	}
	listed, err := r.w.cal.List(ctx, r.target(), w)
	if err != nil {
		return nil, err
	}
	return calsync.Clashes(in.Booking, in.link.Link, listed, w), nil
}

// stopped says what an error on the way to an answer means: the booking is given up, or waits with its mailbox.
func (r *run) stopped(ctx context.Context, in *incoming, err error) error {
	var f *calsync.Fault
	if !errors.As(err, &f) {
		return err
	}
	v := r.verdict(f)
	fate, give := v.OfWrite(), v.Class.GiveUp(v.Code)
	a := events.BookingRejected{Reason: events.RejectedRefused, Code: f.Code, ItemID: in.link.ItemID, Hint: "Exchange refuses this booking: send a revision that it accepts"}
	switch {
	case f.Unknown && give > 0 && attempts(r.record(), v.Class)+1 >= give:
		a.Reason, a.Hint = events.RejectedFailed, "Exchange answers nothing that can be understood: have an operator look at it, then send the booking again"
	case f.Unknown:
		return err
	case fate == jobs.WriteDenied && writes[f.Operation]:
		a.Reason, a.Hint = events.RejectedMailbox, jobs.Advice(v.Reason, r.w.opts.Identity, r.record().Settings.Address)
	case fate == jobs.WriteRefused && writes[f.Operation]:
	case give > 1 && attempts(r.record(), v.Class)+1 >= give && writes[f.Operation]:
		a.Reason, a.Hint = events.RejectedFailed, "too many attempts failed: have an operator look at it, then send the booking again"
	default:
		return err
	}
	r.w.log.Warn().Str("mailbox", r.mb).Str("booking", in.Booking.ID).Int64("revision", in.Booking.Revision).Str("code", v.Code).Msg("a booking is given up")
	in.link.Link = calsync.Failed(in.link.Link, in.Booking, f.Unknown, r.w.bus.Now())
	return r.reject(ctx, in, a, true)
}

// writes are the operations that change something: a refusal of these concerns the booking alone.
var writes = map[string]bool{"CreateItem": true, "UpdateItem": true, "DeleteItem": true}

// gaveUp answers an event whose appointment others change faster than we can write.
func (r *run) gaveUp(ctx context.Context, in *incoming, seen calsync.Seen) error {
	in.link.Link = calsync.Failed(in.link.Link, in.Booking, false, r.w.bus.Now())
	a := events.BookingConflict{
		BookingID: in.Booking.ID, Revision: in.Booking.Revision, Mailbox: r.record().Settings.Address, Reason: events.ConflictChanged,
		ItemID: seen.Held.ID, ChangeKey: seen.Held.ChangeKey, UID: seen.Held.UID,
	}
	var err error
	if a.Current, err = r.standing(ctx, seen, calsync.Written{}, in.Booking.ID); err != nil {
		return err
	}
	return r.tellAnswer(ctx, in, events.TypeBookingConflict, a, calendarChange{})
}

// names are parts in the contract's words.
func names(parts []calsync.Part) []string {
	var all []string
	for _, p := range parts {
		all = append(all, string(p))
	}
	slices.Sort(all)
	return all
}
