package worker

import (
	"context"
	"maps"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// roll moves the window on with time: what comes into it has not changed, so no listing of changes will ever name
// it. A series with occurrences in the new part is told whole, a single appointment unless ROOMS knows it.
func (r *run) roll(ctx context.Context, w calsync.Window) error {
	rec := r.record()
	t := told{reason: events.ReasonWindow, window: w, ahead: maps.Clone(rec.Ahead), anew: true}
	listed, err := r.w.cal.List(ctx, r.target(), w)
	if err != nil {
		return err
	}
	var entered []calsync.Appointment
	for _, a := range listed {
		if !a.Start.Before(rec.Window.To) {
			entered = append(entered, a)
		}
	}
	if len(entered) > 0 {
		if err := r.entered(ctx, entered, listed, &t); err != nil {
			return err
		}
	}
	if t.ahead == nil {
		t.ahead = map[string]string{}
	}
	for _, c := range t.changes { // the cursor may not be as far yet; the next pull ends these marks
		t.ahead[c.ItemID] = c.ChangeKey
	}
	return r.tell(ctx, t, func(rec *jobs.Record) { rec.Window = jobs.Window{From: w.From, To: w.To} })
}

func (r *run) entered(ctx context.Context, entered, listed []calsync.Appointment, t *told) error {
	shadow, err := r.shadow(ctx)
	if err != nil {
		return err
	}
	singles, series := split(entered)
	var ids []string
	for _, a := range singles {
		if _, known := shadow[a.ID]; !known {
			ids = append(ids, a.ID)
		}
	}
	results, err := r.get(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		switch res := results[id]; {
		case res.Err == nil:
			t.changes = append(t.changes, calsync.Describe(events.KindCreated, res.Appointment, r.fields()))
		case !gone(res.Err):
			t.more = append(t.more, r.poisoned(id, res.Err))
		}
	}
	return r.tellSeries(ctx, series, listed, shadow, t)
}
