package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// hotLimit bounds how often one run begins anew because triggers came meanwhile; what is left gets another token.
const hotLimit = 10

// pageBytes bounds the events of one commit: the record that carries them must fit in a message of 1 MiB.
const pageBytes = 256 << 10

// sync brings the mailbox up to date with every trigger there was when it began, and again while more come.
func (r *run) sync(ctx context.Context) error {
	for range hotLimit {
		if err := r.flush(ctx); err != nil {
			return err
		}
		rec := r.record()
		if !rec.Settings.Enabled || r.w.bus.Now().Before(rec.Until()) {
			return errNothing
		}
		if err := r.enter(ctx, &rec); err != nil {
			return err
		}
		if rec.Crashes >= jobs.CrashLimit {
			return &calsync.Fault{Operation: "job", Kind: "crash", Code: "crash loop"}
		}
		if r.w.writer != nil {
			if err := r.bookings(ctx); err != nil {
				return err
			}
		}
		if err := r.pass(ctx); err != nil {
			return err
		}
		r.note(func(now *jobs.Record) { now.Done = max(now.Done, rec.Want) })
		if now := r.record(); now.Done >= now.Want {
			return nil
		}
	}
	return nil
}

// errNothing says that the run had nothing to ask of Exchange: there was only an outbox to publish.
var errNothing = errors.New("worker: nothing to ask of Exchange")

// pass reads from Exchange until there is nothing new.
func (r *run) pass(ctx context.Context) error {
	if rec := r.record(); rec.Cursor == "" || rec.Listed != rec.Settings.Scope() {
		return r.list(ctx)
	}
	if err := r.pull(ctx); err != nil {
		return err
	}
	rec := r.record()
	if w := r.window(); calsync.Rolled(calsync.Window{From: rec.Window.From, To: rec.Window.To}, w) {
		return r.roll(ctx, w)
	}
	return nil
}

// target says where the mailbox's calendar is.
func (r *run) target() calsync.Target {
	s := r.record().Settings
	return calsync.Target{Address: s.Address, URL: s.URL, Folder: s.Folder, Schema: Schema(s.Mode)}
}

// Schema is the schema version to ask for in a sync mode, "" in an unknown one.
func Schema(mode string) string { return schemas[mode] }

// schemas is the schema version that each mode asks for: the newest that the oldest server of that name knows.
var schemas = map[string]string{
	events.ModeExchange2010:     "Exchange2010_SP2",
	events.ModeExchange2013:     "Exchange2013_SP1",
	events.ModeExchange2016:     "Exchange2016",
	events.ModeExchange2016Pull: "Exchange2016",
	events.ModeO365:             "Exchange2016",
	events.ModeO365Pull:         "Exchange2016",
}

// window is what recurrences are to be expanded over as of today.
func (r *run) window() calsync.Window {
	s := r.record().Settings
	past, future := or(s.PastDays, r.w.opts.PastDays), or(s.FutureDays, r.w.opts.FutureDays)
	return calsync.WindowFor(r.w.bus.Now(), past, future)
}

func (r *run) fields() calsync.Fields {
	return calsync.FieldsOf(events.Mailbox{Fields: r.record().Settings.Fields})
}

// mostLetters bounds the further messages of one commit.
const mostLetters = 200

// told is what one commit tells ROOMS: changes, and the marks that keep them from being told again.
type told struct {
	reason  string
	window  calsync.Window
	changes []events.Change
	// ahead are items whose version told is not the one that the listing at the cursor named.
	ahead map[string]string
	// listing says that what has been told is known from the shadow, so that parts need leave no marks.
	listing bool
	// anew tells also what ROOMS knows in the same version: it is to know something else of it.
	anew bool
	// more are further messages of the same commit.
	more []jobs.Outgoing
}

// tell commits changes and publishes them, in as many commits as their size demands. Only the last one makes the
// change of the record, which moves the cursor; the others leave marks, so that a page told in parts is not told
// twice when a crash makes it be read again.
func (r *run) tell(ctx context.Context, t told, last func(*jobs.Record)) error {
	parts, err := calsync.Split(t.changes, pageBytes)
	if err != nil {
		return err
	}
	for len(t.more) > mostLetters { // dead letters of a calendar that is full of them
		if err := r.emit(ctx, t.more[:mostLetters], func(*jobs.Record) {}); err != nil {
			return err
		}
		t.more = t.more[mostLetters:]
	}
	for i, part := range parts {
		out, err := r.messages(t, part)
		if err != nil {
			return err
		}
		r.changes += len(part)
		if i < len(parts)-1 {
			err = r.emit(ctx, out, func(rec *jobs.Record) {
				if !t.listing {
					mark(rec, part)
				}
			})
		} else {
			err = r.emit(ctx, append(out, t.more...), func(rec *jobs.Record) { r.settle(rec, t, last) })
		}
		if err != nil {
			return err
		}
	}
	if len(parts) > 0 {
		return nil
	}
	if len(t.more) > 0 {
		return r.emit(ctx, t.more, func(rec *jobs.Record) { r.settle(rec, t, last) })
	}
	r.note(func(rec *jobs.Record) { r.settle(rec, t, last) })
	return nil
}

// settle makes the change of the last commit: marks of what it covers go, marks of what is ahead of it stay.
func (r *run) settle(rec *jobs.Record, t told, last func(*jobs.Record)) {
	next := map[string]string{}
	for id, ck := range t.ahead {
		next[id] = ck
	}
	rec.Ahead = next
	last(rec)
}

// mark notes what has been told of a page whose cursor is not committed yet.
func mark(rec *jobs.Record, part []events.Change) {
	if rec.Ahead == nil {
		rec.Ahead = map[string]string{}
	}
	for _, c := range part {
		rec.Ahead[c.ItemID] = c.ChangeKey
		if c.Kind == events.KindDeleted {
			rec.Ahead[c.ItemID] = jobs.DeletedKey
		}
	}
}

// messages makes the event of one part, and the step of the shadow that goes with it.
func (r *run) messages(t told, part []events.Change) ([]jobs.Outgoing, error) {
	page := events.CalendarChanged{
		Mailbox: r.record().Settings.Address,
		Reason:  t.reason,
		Window:  events.Window{Start: t.window.From, End: t.window.To},
		Changes: part,
	}
	data, err := page.AppendJSON(nil) // not through encoding/json, which would scan it all again
	if err != nil {
		return nil, fmt.Errorf("worker: encode an event: %w", err)
	}
	step := bus.ShadowEntry{Put: map[string]string{}}
	for _, c := range part {
		if c.Kind == events.KindDeleted {
			step.Remove = append(step.Remove, c.ItemID)
		} else {
			step.Put[c.ItemID] = c.ChangeKey
		}
	}
	shadow, err := json.Marshal(step)
	if err != nil {
		return nil, fmt.Errorf("worker: encode a shadow step: %w", err)
	}
	return []jobs.Outgoing{
		{Kind: jobs.OutEvent, Type: events.TypeCalendarChanged, Data: data},
		{Kind: jobs.OutShadow, Data: shadow},
	}, nil
}
