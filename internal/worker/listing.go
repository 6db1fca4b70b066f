package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// list synchronizes from nothing: at first, and when the server has forgotten the cursor.
//
// It takes the complete listing of ids with a new cursor, then the appointments in the window, tells what ROOMS does
// not know of or knows otherwise, and moves the cursor with the last of it. Being interrupted costs nothing but time:
// what has been told stands in the shadow. An item that the listing lacks is told as deleted only when the listing
// was complete and the item, asked for by its id, is not there.
func (r *run) list(ctx context.Context) error {
	began := r.w.bus.Now()
	rec := r.record()
	scope := rec.Settings.Scope()
	t := told{reason: events.ReasonResync, window: r.window(), ahead: map[string]string{}, listing: true}
	r.note(func(rec *jobs.Record) { rec.Ahead = nil }) // the shadow says what has been told
	if rec.Listed == "" {
		t.reason = events.ReasonInitial
	}
	t.anew = rec.Listed != "" && rec.Listed != scope
	listed, cursor, err := r.listing(ctx)
	if err != nil {
		return err
	}
	shadow, err := r.shadow(ctx)
	if err != nil {
		return err
	}
	items, err := r.inWindow(ctx, shadow, &t)
	if err != nil {
		return err
	}
	if err := r.elsewhere(ctx, shadow, listed, &t); err != nil {
		return err
	}
	if err := r.missing(ctx, shadow, listed, &t); err != nil {
		return err
	}
	for _, c := range t.changes {
		if ck, ok := listed[c.ItemID]; c.Kind != events.KindDeleted && (!ok || ck != "" && ck != c.ChangeKey) {
			t.ahead[c.ItemID] = c.ChangeKey
		}
	}
	if t.more, err = r.completed(t, items, began); err != nil {
		return err
	}
	return r.tell(ctx, t, func(rec *jobs.Record) {
		rec.Cursor, rec.Window = cursor, jobs.Window{From: t.window.From, To: t.window.To}
		rec.Listed = scope
	})
}

// listing reads every item's id and change key, to the end.
func (r *run) listing(ctx context.Context) (listed map[string]string, cursor string, err error) {
	listed = map[string]string{}
	for range maxPages {
		d, err := r.w.cal.Probe(ctx, r.target(), cursor, 512)
		if err != nil {
			return nil, "", err
		}
		for _, c := range calsync.Fold(d.Changes) {
			if c.Kind == calsync.Deleted {
				delete(listed, c.ID)
			} else {
				listed[c.ID] = c.ChangeKey
			}
		}
		cursor = d.Cursor
		if !d.More {
			return listed, cursor, nil
		}
	}
	return nil, "", &calsync.Fault{Operation: "SyncFolderItems", Kind: calsync.FaultMalformed, Code: "endless pages"}
}

// shadow reads what ROOMS has been told exists.
func (r *run) shadow(ctx context.Context) (calsync.Shadow, error) {
	known, seq, err := r.w.bus.Shadow(ctx, r.mb, r.record().ItemsSeq)
	if err != nil {
		return nil, err
	}
	r.note(func(rec *jobs.Record) { rec.ItemsSeq = seq })
	return calsync.Shadow(known), nil
}

// inWindow adds the appointments of the window that ROOMS does not know in this version, and returns how many the
// window holds, a series counting once.
func (r *run) inWindow(ctx context.Context, shadow calsync.Shadow, t *told) (int, error) {
	listed, err := r.w.cal.List(ctx, r.target(), t.window)
	if err != nil {
		return 0, err
	}
	singles, series := split(listed)
	var ids []string
	for _, a := range singles {
		if t.anew || shadow[a.ID] != a.ChangeKey {
			ids = append(ids, a.ID)
		}
	}
	results, err := r.get(ctx, ids)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		switch res := results[id]; {
		case res.Err == nil:
			t.changes = append(t.changes, calsync.Describe(kindFor(shadow, id), res.Appointment, r.fields()))
		case !gone(res.Err):
			t.more = append(t.more, r.poisoned(id, res.Err))
		}
	}
	if err := r.tellSeries(ctx, series, listed, shadow, t); err != nil {
		return 0, err
	}
	return len(singles) + len(series), nil
}

// elsewhere adds items that ROOMS knows, that have changed, and that the window does not show: they were moved out of it
// while nobody listened.
func (r *run) elsewhere(ctx context.Context, shadow calsync.Shadow, listed map[string]string, t *told) error {
	seen := make(map[string]bool, len(t.changes))
	for _, c := range t.changes {
		seen[c.ItemID] = true
	}
	var ids []string
	for id, ck := range shadow {
		if now, ok := listed[id]; ok && now != ck && !seen[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	results, err := r.get(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if res := results[id]; res.Err == nil && res.Appointment.ChangeKey != shadow[id] {
			t.changes = append(t.changes, r.describe(events.KindUpdated, res.Appointment, nil, t.window))
		}
	}
	return nil
}

// split separates single appointments from series; of each series one occurrence stands for all.
func split(listed []calsync.Appointment) (singles, series []calsync.Appointment) {
	seen := map[string]bool{}
	for _, a := range listed {
		switch {
		case a.Type != calsync.Occurrence && a.Type != calsync.Exception:
			singles = append(singles, a)
		case !seen[a.UID]:
			seen[a.UID] = true
			series = append(series, a)
		}
	}
	return singles, series
}

// tellSeries adds the masters of the given occurrences. Master and occurrences share the change key.
func (r *run) tellSeries(ctx context.Context, some, listed []calsync.Appointment, shadow calsync.Shadow, t *told) error {
	if len(some) == 0 {
		return nil
	}
	ids := make([]string, len(some))
	for i, a := range some {
		ids[i] = a.ID
	}
	masters, err := r.ask(ctx, r.w.cal.Masters, ids)
	if err != nil {
		return err
	}
	for i, m := range masters {
		switch {
		case m.Err == nil && (t.anew || shadow[m.Appointment.ID] != m.Appointment.ChangeKey):
			kind := kindFor(shadow, m.Appointment.ID)
			t.changes = append(t.changes, calsync.Series(kind, m.Appointment, listed, t.window, r.fields()))
		case m.Err != nil && !gone(m.Err):
			t.more = append(t.more, r.poisoned(ids[i], m.Err))
		}
	}
	return nil
}

func kindFor(shadow calsync.Shadow, id string) string {
	if _, ok := shadow[id]; ok {
		return events.KindUpdated
	}
	return events.KindCreated
}

// missing adds the deletions that happened while nobody listened.
func (r *run) missing(ctx context.Context, shadow calsync.Shadow, listed map[string]string, t *told) error {
	ids := shadow.Missing(listed)
	results, err := r.get(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if res := results[id]; res.Err != nil && gone(res.Err) {
			t.changes = append(t.changes, events.Change{Kind: events.KindDeleted, ItemID: id})
		}
	}
	return nil
}

// completed is the event at the end of a listing.
func (r *run) completed(t told, items int, began time.Time) ([]jobs.Outgoing, error) {
	data, err := json.Marshal(events.SyncCompleted{
		Mailbox: r.record().Settings.Address, Reason: t.reason, Items: items, Started: began,
		Window: events.Window{Start: t.window.From, End: t.window.To},
	})
	if err != nil {
		return nil, fmt.Errorf("worker: encode an event: %w", err)
	}
	return append(t.more, jobs.Outgoing{Kind: jobs.OutEvent, Type: events.TypeSyncCompleted, Data: data}), nil
}
