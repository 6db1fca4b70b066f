package worker

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// maxPages bounds the pages of one pass, should a server never come to an end.
const maxPages = 1000

// pull reads and tells page after page of what changed since the cursor.
func (r *run) pull(ctx context.Context) error {
	marks := r.record().Ahead
	for range maxPages {
		d, err := r.w.cal.Probe(ctx, r.target(), r.record().Cursor, r.w.opts.PageSize)
		if err != nil {
			return err
		}
		if err := r.page(ctx, d); err != nil {
			return err
		}
		if !d.More {
			return r.resolve(ctx, marks)
		}
	}
	return &calsync.Fault{Operation: "SyncFolderItems", Kind: calsync.FaultMalformed, Code: "endless pages"}
}

// resolve ends the marks that were there before a pull and that no page of it named. The cursor is beyond what they
// stand for now, so nothing more will name them, not even a deletion: an item that came and went between two listings
// is in neither. It is asked for, and told as deleted when it is not there. To a delegate that proves nothing: then
// everything is listed anew, which settles it.
func (r *run) resolve(ctx context.Context, marks map[string]string) error {
	rec := r.record()
	var left []string
	for id, ck := range marks {
		if rec.Ahead[id] == ck {
			left = append(left, id)
		}
	}
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	ask := slices.DeleteFunc(slices.Clone(left), func(id string) bool { return marks[id] == jobs.DeletedKey })
	results, err := r.get(ctx, ask)
	if err != nil {
		return err
	}
	t := told{reason: events.ReasonChange, window: calsync.Window{From: rec.Window.From, To: rec.Window.To}, ahead: maps.Clone(rec.Ahead)}
	anew := false
	for _, id := range left {
		delete(t.ahead, id)
		switch res, asked := results[id]; {
		case !asked || res.Err == nil || !gone(res.Err):
		case r.w.opts.Delegate:
			anew = true
		default:
			t.changes = append(t.changes, events.Change{Kind: events.KindDeleted, ItemID: id})
		}
	}
	return r.tell(ctx, t, func(rec *jobs.Record) {
		if anew {
			rec.Cursor = ""
		}
	})
}

// page tells what a page says, and moves the cursor beyond it.
func (r *run) page(ctx context.Context, d calsync.Delta) error {
	rec := r.record()
	var fresh []calsync.ItemChange
	for _, c := range calsync.Fold(d.Changes) {
		if !known(&rec, c) {
			fresh = append(fresh, c)
		}
	}
	t := told{reason: events.ReasonChange, window: calsync.Window{From: rec.Window.From, To: rec.Window.To}}
	if err := r.read(ctx, fresh, &t); err != nil {
		return err
	}
	t.ahead = stillAhead(&rec, d.Changes, t.changes)
	return r.tell(ctx, t, func(rec *jobs.Record) { rec.Cursor = d.Cursor })
}

// known reports whether ROOMS has been told of exactly this already.
func known(rec *jobs.Record, c calsync.ItemChange) bool {
	if c.Kind == calsync.Deleted {
		return rec.Told(c.ID, jobs.DeletedKey)
	}
	return !c.Unsure && rec.Told(c.ID, c.ChangeKey)
}

// stillAhead marks what was read newer than the page says, and keeps the marks of items that the page does not name:
// their time is yet to come.
func stillAhead(rec *jobs.Record, page []calsync.ItemChange, changes []events.Change) map[string]string {
	ahead := map[string]string{}
	named := make(map[string]bool, len(page))
	versions := make(map[[2]string]bool, len(page))
	for _, c := range page {
		named[c.ID] = true
		versions[[2]string{c.ID, c.ChangeKey}] = true
	}
	for _, c := range changes {
		if c.Kind != events.KindDeleted && !versions[[2]string{c.ItemID, c.ChangeKey}] {
			ahead[c.ItemID] = c.ChangeKey
		}
	}
	for id, ck := range rec.Ahead {
		if !named[id] {
			ahead[id] = ck
		}
	}
	return ahead
}

// read turns the entries of a page into changes, in the page's order. An item that is gone by the time it is read
// is not told of: the deletion will come in a later page, unless this one names it as well.
func (r *run) read(ctx context.Context, page []calsync.ItemChange, t *told) error {
	var ids []string
	for _, c := range page {
		if c.Kind != calsync.Deleted {
			ids = append(ids, c.ID)
		}
	}
	results, err := r.get(ctx, ids)
	if err != nil {
		return err
	}
	listed, err := r.expansions(ctx, results, t.window)
	if err != nil {
		return err
	}
	ours, err := r.ours(ctx, ids, results, t)
	if err != nil {
		return err
	}
	for _, c := range page {
		if c.Kind == calsync.Deleted {
			t.changes = append(t.changes, events.Change{Kind: events.KindDeleted, ItemID: c.ID})
			continue
		}
		res := results[c.ID]
		switch {
		case res.Err == nil && ours[c.ID].echo:
		case res.Err == nil:
			change := r.describe(string(c.Kind), res.Appointment, listed, t.window)
			change.BookingID = ours[c.ID].booking
			t.changes = append(t.changes, change)
		case gone(res.Err) && c.Unsure:
			t.changes = append(t.changes, events.Change{Kind: events.KindDeleted, ItemID: c.ID})
		case !gone(res.Err):
			t.more = append(t.more, r.poisoned(c.ID, res.Err))
		}
	}
	return nil
}

// get reads items in full, by id.
func (r *run) get(ctx context.Context, ids []string) (map[string]calsync.Result, error) {
	results, err := r.ask(ctx, r.w.cal.Get, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]calsync.Result, len(ids))
	for i, res := range results {
		found[ids[i]] = res
	}
	return found, nil
}

// itemOnly reports whether an error in an item's place concerns that item alone. One that makes no sense does, the
// answer around it being sound, and so does an id that the server cannot read: another server may have given it. So
// does a refusal to a delegate who may read the calendar: that item is private.
func (r *run) itemOnly(f *calsync.Fault) bool {
	return f.Kind == calsync.FaultMalformed || r.w.judge(f).Class == jobs.ItemConflict || strings.HasPrefix(f.Code, "ErrorInvalidId") ||
		r.w.opts.Delegate && f.Code == "ErrorAccessDenied"
}

// gone reports whether an item's error says that it is not there.
func gone(f *calsync.Fault) bool { return f.Code == "ErrorItemNotFound" }

// poisoned is the dead letter of an item that cannot be read. The rest of its page goes on.
func (r *run) poisoned(id string, f *calsync.Fault) jobs.Outgoing {
	data, _ := json.Marshal(map[string]any{
		"mailbox": r.record().Settings.Address, "itemId": id, "operation": f.Operation, "code": f.Code,
		"httpStatus": f.Status, "requestId": f.RequestID, "reason": "the item cannot be read; the rest of the calendar goes on",
	})
	return jobs.Outgoing{Kind: jobs.OutDead, Data: data}
}

// expansions lists the occurrences of the series among the results, in one listing over as much of the window as
// they can be in.
func (r *run) expansions(ctx context.Context, results map[string]calsync.Result, w calsync.Window) ([]calsync.Appointment, error) {
	for _, res := range results {
		if res.Err == nil && res.Appointment.Type == calsync.Master {
			return r.w.cal.List(ctx, r.target(), w)
		}
	}
	return nil, nil
}

// describe makes the change of one appointment; a series takes its occurrences from the listing.
func (r *run) describe(kind string, a calsync.Appointment, listed []calsync.Appointment, w calsync.Window) events.Change {
	if a.Type == calsync.Master {
		return calsync.Series(kind, a, listed, w, r.fields())
	}
	return calsync.Describe(kind, a, r.fields())
}
