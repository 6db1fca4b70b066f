package store

import (
	"errors"
	"testing"
	"time"
)

// booking makes a company with an organizer and an attended room, on a clock that the test moves.
func booking(t *testing.T) (c *Company, ann, room *Mailbox, clock *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c = New(Options{Seed: 1, Now: func() time.Time { return now }})
	var err error
	if ann, err = c.AddMailbox(MailboxSpec{Address: "ann@contoso.example", Name: "Ann Archer"}); err != nil {
		t.Fatal(err)
	}
	if room, err = c.AddMailbox(MailboxSpec{Address: "room@contoso.example", Name: "Room", Kind: KindRoom}); err != nil {
		t.Fatal(err)
	}
	room.SetAttendant(true, 3*time.Second)
	return c, ann, room, &now
}

func meet(t *testing.T, m *Mailbox, hour int, rec *Recurrence) *Item {
	t.Helper()
	start := time.Date(2026, 3, 3, hour, 0, 0, 0, time.UTC)
	it, err := m.Create(Actor{Name: m.Address}, m.Calendar(), &Item{Subject: "Secret", Body: Body{Text: "of State"}, Start: start, End: start.Add(time.Hour),
		Recurrence: rec, Resources: []Attendee{{Person: Person{Address: "Room@contoso.example"}}}})
	if err != nil {
		t.Fatal(err)
	}
	m.Invite(Actor{Name: m.Address}, InviteRequest, it, it.Resources, "")
	return it
}

func TestAttendant_AcceptsDeclinesAndForgets(t *testing.T) {
	c, ann, room, now := booking(t)
	first := meet(t, ann, 10, nil)
	c.Work()
	if n := len(room.Busy(first.Start, first.End)); n != 0 {
		t.Fatal("the attendant acts at once")
	}
	*now = now.Add(3 * time.Second)
	c.Work()
	shown := room.Busy(first.Start, first.End)
	if len(shown) != 1 || shown[0].Subject != "Ann Archer" || shown[0].Body.Text != "" || shown[0].UID != first.UID || shown[0].MyResponse != "Accept" {
		t.Fatalf("the room shows %+v", shown)
	}
	got, _ := ann.Item(first.ID)
	if got.Resources[0].Response != "Accept" || got.ChangeKey == first.ChangeKey || got.Subject != "Secret" {
		t.Errorf("the organizer's copy is %+v", got)
	}
	// A series of which one meeting collides is declined as a whole.
	series := meet(t, ann, 10, &Recurrence{Pattern: Daily, Interval: 1, Start: NewDate(2026, 3, 1), Count: 10})
	*now = now.Add(3 * time.Second)
	c.Work()
	if got, _ := ann.Item(series.ID); got.Resources[0].Response != "Decline" {
		t.Errorf("the answer is %q", got.Resources[0].Response)
	}
	if all, _ := room.Items(room.Calendar()); len(all) != 1 {
		t.Errorf("the room holds %d items", len(all))
	}
	ann.Invite(Actor{}, InviteCancel, first, first.Resources, "off")
	*now = now.Add(3 * time.Second)
	c.Work()
	if all, _ := room.Items(room.Calendar()); len(all) != 0 {
		t.Errorf("the room holds %d items after the cancellation", len(all))
	}
}

// TestAttendant_Tidies: what somebody writes into the room's calendar shows his name later, once.
func TestAttendant_Tidies(t *testing.T) {
	c, _, room, now := booking(t)
	it, err := room.Create(Actor{Name: "svc"}, room.Calendar(), &Item{Subject: "Direct", Body: Body{Text: "x"}, Start: *now, End: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		*now = now.Add(time.Minute)
		c.Work()
	}
	got, _ := room.Item(it.ID)
	if got.Subject != "Room" || got.Body.Text != "" || len(c.Effects(0)) != 2 {
		t.Errorf("%q, %d effects", got.Subject, len(c.Effects(0)))
	}
}

func TestSnapshot_RewindsAndRefills(t *testing.T) {
	c, ann, room, _ := booking(t)
	kept := meet(t, ann, 10, nil)
	changed := meet(t, ann, 12, nil)
	state, err := ann.Sync(ann.Calendar(), "", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := ann.Snapshot()
	newer, _, err := ann.Update(Actor{}, changed.ID, Basis{}, func(it *Item) error { it.Subject = "Newer"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	late := meet(t, ann, 14, nil)
	if err := ann.Delete(Actor{}, kept.ID, "", HardDelete); err != nil {
		t.Fatal(err)
	}
	if err := room.Restore(s, false); err == nil {
		t.Error("a backup went into another mailbox")
	}
	before := c.Effects(0)
	if err := ann.Restore(s, false); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]*Item{kept.ID: kept, changed.ID: changed, late.ID: nil} {
		if got, _ := ann.Item(id); got != want {
			t.Errorf("%s is %+v, want %+v", id, got, want)
		}
	}
	if n := len(c.Effects(0)) - len(before); n != 3 {
		t.Errorf("%d effects of the restore, want one each of create, update and delete", n)
	}
	if _, err := ann.Sync(ann.Calendar(), state.State, 0, nil); !errors.Is(err, ErrSyncState) {
		t.Errorf("a state from before: %v", err)
	}
	again, _, err := ann.Update(Actor{}, changed.ID, Basis{ChangeKey: changed.ChangeKey, Resolution: NeverOverwrite}, func(it *Item) error { it.Subject = "Other"; return nil })
	if err != nil || again.ChangeKey == newer.ChangeKey {
		t.Errorf("%v: a change key came twice, or the old one is not good any more", err)
	}
	page, err := ann.Sync(ann.Calendar(), "", 0, nil)
	if err != nil || len(page.Changes) != 2 {
		t.Fatalf("%d items, %v", len(page.Changes), err)
	}
	if err := ann.Restore(s, true); err != nil {
		t.Fatal(err)
	}
	after, err := ann.Sync(ann.Calendar(), page.State, 0, nil)
	if err != nil || len(after.Changes) != 4 {
		t.Errorf("%d changes, %v; want two gone and two new", len(after.Changes), err)
	}
	if _, err := ann.Item(kept.ID); !errors.Is(err, ErrItemNotFound) {
		t.Errorf("an old id is good still: %v", err)
	}
}
