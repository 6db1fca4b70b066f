package worker

import (
	"cmp"
	"context"
	"time"

	"roomsync/internal/calsync"
)

// writing is the carrying out of one plan.
type writing struct {
	*run
	in *incoming

	at  calsync.Written // the appointment as the newest write left it; ChangeKey is empty where that is not known
	uid string          // of the series, once it has been read
	// meetings are those of the series, once they have been listed, by original start.
	meetings map[int64]calsync.Appointment
}

// write carries out a plan, step by step, and returns what became of the appointment, nothing if it was not written to.
func (r *run) write(ctx context.Context, in *incoming, plan calsync.Plan) (calsync.Written, error) {
	w := writing{run: r, in: in}
	for _, s := range plan.Steps {
		if err := w.step(ctx, s, plan.Steps); err != nil {
			return calsync.Written{}, err
		}
	}
	if w.at.ItemID != "" && w.at.ChangeKey == "" { // deleting a meeting does not say what its series has become
		return w.reread(ctx)
	}
	return w.at, nil
}

func (w *writing) step(ctx context.Context, s calsync.Step, all []calsync.Step) (err error) {
	d := calsync.Draft{
		ItemID: s.ItemID, ChangeKey: s.ChangeKey, BookingID: w.in.Booking.ID, Revision: w.in.Booking.Revision,
		Content: s.Content, Parts: s.Parts, Notify: s.Notify,
	}
	switch s.Kind {
	case calsync.StepCreate:
		w.at, err = w.w.writer.Create(ctx, w.target(), d)
	case calsync.StepUpdate:
		w.at, err = w.w.writer.Update(ctx, w.target(), d)
	case calsync.StepDelete:
		err = w.w.writer.Delete(ctx, w.target(), calsync.Deletion{ItemID: s.ItemID, ChangeKey: s.ChangeKey, Notify: s.Notify, Message: s.Message})
	default:
		err = w.meeting(ctx, s, d, all)
	}
	return err
}

// meeting changes or cancels one meeting of a series. All of a series share one change key, so that each such write makes
// the one that was listed with the others an old one.
func (w *writing) meeting(ctx context.Context, s calsync.Step, d calsync.Draft, all []calsync.Step) error {
	if w.at.ItemID == "" {
		w.at = calsync.Written{ItemID: s.ItemID, ChangeKey: s.ChangeKey}
	}
	if err := w.list(ctx, all); err != nil {
		return err
	}
	m, ok := w.meetings[s.Original.Unix()]
	if !ok {
		return &calsync.Fault{Operation: "FindItem", Kind: calsync.FaultResponse, Code: "ErrorItemNotFound"}
	}
	if s.Kind == calsync.StepCancelMeeting {
		err := w.w.writer.Delete(ctx, w.target(), calsync.Deletion{ItemID: m.ID, Notify: s.Notify, Message: s.Message})
		w.at.ChangeKey = ""
		return err
	}
	if w.at.ChangeKey == "" {
		var err error
		if w.at, err = w.reread(ctx); err != nil {
			return err
		}
	}
	d.ItemID, d.ChangeKey, d.BookingID = m.ID, w.at.ChangeKey, ""
	wrote, err := w.w.writer.Update(ctx, w.target(), d)
	w.at.ChangeKey = wrote.ChangeKey
	return err
}

// list finds the ids of the meetings that the plan writes to.
func (w *writing) list(ctx context.Context, all []calsync.Step) error {
	if w.meetings != nil {
		return nil
	}
	if _, err := w.reread(ctx); err != nil {
		return err
	}
	var span calsync.Window
	for _, s := range all {
		if s.Original.IsZero() {
			continue
		}
		if span.From.IsZero() || s.Original.Before(span.From) {
			span.From = s.Original
		}
		if s.Original.After(span.To) {
			span.To = s.Original
		}
	}
	// Those that were moved stand elsewhere, but never beyond their neighbours.
	span.From, span.To = span.From.Add(-aside), span.To.Add(aside)
	listed, err := w.w.writer.Meetings(ctx, w.target(), w.uid, span)
	if err != nil {
		return err
	}
	w.meetings = map[int64]calsync.Appointment{}
	for _, m := range listed {
		w.meetings[cmp.Or(m.RecurrenceID, m.Start).Truncate(time.Minute).Unix()] = m
	}
	return nil
}

// aside is how far from its place in the pattern a meeting is looked for.
const aside = 32 * 24 * time.Hour

// reread reads which version of the appointment there is now.
func (w *writing) reread(ctx context.Context) (calsync.Written, error) {
	results, err := w.w.writer.Read(ctx, w.target(), []string{w.at.ItemID})
	if err != nil {
		return calsync.Written{}, err
	}
	if results[0].Err != nil {
		return calsync.Written{}, results[0].Err
	}
	h := results[0].Held
	w.uid = h.UID
	return calsync.Written{ItemID: h.ID, ChangeKey: h.ChangeKey}, nil
}
