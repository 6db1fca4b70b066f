package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim/store"
)

const ann, bob = "ann@contoso.example", "bob@contoso.example"

var errTest = errors.New("no luck")

func send(t *testing.T, r *rooms, typ string, data any, now time.Time) {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.handle(bus.Delivered{Event: events.Event{ID: "1", Source: "test", Type: typ, Data: raw}}, now); err != nil {
		t.Fatal(err)
	}
}

func page(mailbox, reason string, all ...events.Change) events.CalendarChanged {
	return events.CalendarChanged{Mailbox: mailbox, Reason: reason, Changes: all}
}

func lines(r *rooms) string {
	var all []string
	for _, e := range r.view().news {
		all = append(all, e.who+" · "+e.what)
	}
	return strings.Join(all, "\n")
}

func TestRooms_RemembersWhatItWasTold(t *testing.T) {
	l := newLag()
	r := newRooms(map[string]string{ann: "Ann Archer"}, bob, l)
	send(t, r, events.TypeCalendarChanged, page(ann, events.ReasonInitial, meeting(nil)), monday)
	send(t, r, events.TypeSyncCompleted, events.SyncCompleted{Mailbox: ann, Items: 1}, monday)
	l.edited(store.Effect{Kind: store.EffectUpdate, Mailbox: ann, ItemID: "x", ChangeKey: "v2", Time: monday.Add(-time.Second)})
	send(t, r, events.TypeCalendarChanged, page(ann, events.ReasonChange, meeting(func(c *events.Change) { c.ChangeKey, c.Location = "v2", "Rigi" })), monday)
	send(t, r, events.TypeCalendarChanged, page(ann, events.ReasonChange, events.Change{Kind: events.KindDeleted, ItemID: "x"}), monday)
	send(t, r, events.TypeCalendarChanged, page(bob, events.ReasonChange, meeting(func(c *events.Change) { c.Subject = "\x1b[2JHi\nthere" })), monday)
	send(t, r, events.TypeCalendarChanged, page(ann, events.ReasonChange, events.Change{Kind: events.KindDeleted, ItemID: "x"}), monday)
	want := "Ann Archer · calendar read, 1 appointments\nAnn Archer · Budget review now in Rigi\nAnn Archer · Budget review cancelled\n" +
		bob + " · [2JHi there added, Tue 10:00–11:00\nAnn Archer · an appointment cancelled"
	if got := lines(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v := r.view(); v.events != 6 || v.news[1].notable || !v.news[3].notable {
		t.Errorf("%+v", v)
	}
	if s := l.since(time.Time{}); s.n != 1 || s.p50 != time.Second {
		t.Errorf("lag %+v", s)
	}
}

func TestRooms_RefusalsBeginAndEnd(t *testing.T) {
	l := newLag()
	r := newRooms(nil, "", l)
	send(t, r, events.TypeAccessDenied, events.AccessDenied{Mailbox: bob, Since: monday.Add(time.Second), Status: 403, Hint: "HTTP 403 without a reason"}, monday)
	send(t, r, events.TypeAccessDenied, events.AccessDenied{Mailbox: ann, Since: monday, Code: "ErrorAccessDenied", Hint: "check"}, monday)
	if v := r.view(); v.refused != 2 || len(v.refusals) != 2 || v.refusals[0].address != ann || v.refusals[1].answer != "HTTP 403" {
		t.Errorf("%+v", v)
	}
	l.edited(store.Effect{Kind: store.EffectUpdate, Mailbox: ann, ItemID: "x", ChangeKey: "v", Time: monday})
	send(t, r, events.TypeCalendarChanged, page(ann, events.ReasonInitial), monday)
	send(t, r, events.TypeAccessRestored, events.AccessRestored{Mailbox: ann, Since: monday, Until: monday.Add(21 * time.Second)}, monday)
	send(t, r, events.TypeMailboxBlocked, events.MailboxBlocked{Mailbox: "gone@contoso.example", Code: "ErrorNonExistentMailbox", Hint: "gone"}, monday)
	want := bob + " · refused: HTTP 403 without a reason\n" + ann + " · refused with ErrorAccessDenied: check\n" +
		ann + " · access is back after 21s\ngone@contoso.example · refused with ErrorNonExistentMailbox: gone"
	if got := lines(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v := r.view(); v.refused != 3 || v.restored != 1 || len(v.refusals) != 2 {
		t.Errorf("%+v", v)
	}
	expect(t, l, account{Edits: 1, Refused: 1})
	l.edited(store.Effect{Kind: store.EffectUpdate, Mailbox: ann, ItemID: "x", ChangeKey: "w", Time: monday})
	expect(t, l, account{Edits: 2, Refused: 1, Waiting: 1})
}

func TestRooms_AnEventAgainstTheContractIsAnError(t *testing.T) {
	r := newRooms(nil, "", newLag())
	err := r.handle(bus.Delivered{Event: events.Event{ID: "7", Type: events.TypeCalendarChanged, Data: json.RawMessage(`{"changes":3}`)}}, monday)
	if err == nil || !strings.Contains(err.Error(), "event 7 of type exchange.calendar.changed.v1") {
		t.Errorf("error %v", err)
	}
	if err := r.handle(bus.Delivered{Event: events.Event{ID: "8", Type: "exchange.later.v9", Data: json.RawMessage(`3`)}}, monday); err != nil {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestNews_KeepsTheNewest(t *testing.T) {
	var n news
	for range 3 * maxNews {
		n.add(entry{})
	}
	if last := n.kept[len(n.kept)-1]; last.n != 3*maxNews || len(n.kept) > maxNews || len(n.kept) < maxNews/2 {
		t.Errorf("last %d, %d kept", last.n, len(n.kept))
	}
}

func TestWarnings_SayWhatALogLineSays(t *testing.T) {
	r := newRooms(nil, "", newLag())
	w := &world{rooms: r}
	log := w.logger()
	log.Info().Msg("not worth it")
	log.Warn().Str("mailbox", "x").Err(errTest).Msg("token left")
	log.Warn().Str("mailbox", "y").Msg("token left")
	log.Error().Msg("other")
	if got := lines(r); got != "warning · token left: x: no luck\nwarning · other" {
		t.Errorf("%q", got)
	}
	r.warn(time.Now().Add(warnEvery), "token left", "")
	if n := len(r.view().news); n != 3 {
		t.Errorf("%d entries after a while, want 3", n)
	}
}
