package store

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newMailboxT(t testing.TB) *Mailbox {
	t.Helper()
	c := New(Options{Seed: 1, Now: func() time.Time { return now }})
	m, err := c.AddMailbox(MailboxSpec{Address: "Ann@contoso.example", Name: "Ann Archer"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// add creates a single appointment of one hour.
func add(t testing.TB, m *Mailbox, subject string, start time.Time) *Item {
	t.Helper()
	it, err := m.Create(Actor{}, m.Calendar(), &Item{Subject: subject, Start: start, End: start.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// addSeries creates a series that begins at start in Berlin.
func addSeries(t testing.TB, m *Mailbox, start time.Time, r Recurrence) *Item {
	t.Helper()
	loc, _ := Location(DefaultZone)
	r.Start = DateOf(start, loc)
	it, err := m.Create(Actor{}, m.Calendar(), &Item{Subject: "Series", Start: start, End: start.Add(time.Hour), Recurrence: &r})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func update(t testing.TB, m *Mailbox, id string, change func(*Item)) *Item {
	t.Helper()
	it, _, err := m.Update(Actor{}, id, Basis{}, func(it *Item) error { change(it); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// TestIDs checks lengths and layout against recorded ids.
func TestIDs(t *testing.T) {
	m := newMailboxT(t)
	it := add(t, m, "One", now)
	master := addSeries(t, m, time.Date(2025, 7, 2, 10, 0, 0, 0, time.UTC), Recurrence{Pattern: Daily, Interval: 1, Count: 3})
	occurrence, err := m.OccurrenceAt(master.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, id string
		length   int
	}{{"item", it.ID, 152}, {"folder", it.FolderID, 120}, {"occurrence", occurrence.ID, 168}, {"change key", it.ChangeKey, 40}} {
		if len(c.id) != c.length {
			t.Errorf("%s id has %d characters, want %d", c.what, len(c.id), c.length)
		}
	}
	if !strings.HasPrefix(it.ID, "AAMkA") || !strings.HasPrefix(it.ChangeKey, "DwAAABYAAA") {
		t.Errorf("id %s, change key %s do not begin as recorded ones do", it.ID, it.ChangeKey)
	}
	raw, _ := base64.StdEncoding.DecodeString(occurrence.ID)
	// as in a recorded id of an occurrence on 2 July 2025
	if want := "\x08\x08\xdd\xb8\xfb\x63\x5f\xc0\x00"; string(raw[43:52]) != want {
		t.Errorf("occurrence id holds %x, want the ticks %x", raw[43:52], want)
	}
}

func TestIDsAreExact(t *testing.T) {
	m := newMailboxT(t)
	id := add(t, m, "One", now).ID
	swapped := swapCase(id)
	if _, err := m.Item(swapped); err == nil {
		t.Error("an id with other case was accepted")
	}
	for _, bad := range []string{"", "x", "AAMkAA==", id[:148], id + "AAAA", m.Calendar()[:80]} {
		if _, err := m.Item(bad); !errors.Is(err, ErrIDMalformed) {
			t.Errorf("id %.20q: %v, want %v", bad, err, ErrIDMalformed)
		}
	}
	if _, err := m.Item(m.itemID(1, 4711)); !errors.Is(err, ErrItemNotFound) {
		t.Errorf("unknown id: %v", err)
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// TestChangeKeys: the id stays, the change key changes, and a series shares one with its occurrences.
func TestChangeKeys(t *testing.T) {
	m := newMailboxT(t)
	it := add(t, m, "One", now)
	changed := update(t, m, it.ID, func(it *Item) { it.Subject = "Two" })
	if changed.ID != it.ID || changed.ChangeKey == it.ChangeKey {
		t.Errorf("id %v, change key %v", changed.ID == it.ID, changed.ChangeKey == it.ChangeKey)
	}
	if it.Subject != "One" {
		t.Error("a stored item was modified")
	}
	master := addSeries(t, m, now, Recurrence{Pattern: Daily, Interval: 1, Count: 3})
	second, _ := m.OccurrenceAt(master.ID, 2)
	third, _ := m.OccurrenceAt(master.ID, 3)
	edited := update(t, m, second.ID, func(it *Item) { it.Location = "Elsewhere" })
	third, err := m.Item(third.ID)
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := m.Item(master.ID)
	if edited.ChangeKey != third.ChangeKey || whole.ChangeKey != third.ChangeKey || whole.ChangeKey == master.ChangeKey {
		t.Error("master and occurrences do not share a new change key")
	}
	if edited.Type != Exception || third.Type != Occurrence || edited.ID != second.ID || edited.UID != master.UID {
		t.Errorf("edited is %s, third %s", edited.Type, third.Type)
	}
}

func TestMoveGivesANewID(t *testing.T) {
	m := newMailboxT(t)
	it := add(t, m, "One", now)
	moved, err := m.Move(Actor{}, it.ID, m.FolderID("deleteditems"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Item(it.ID); moved.ID == it.ID || !errors.Is(err, ErrItemNotFound) || moved.UID != it.UID {
		t.Errorf("old id: %v; uid kept: %v", err, moved.UID == it.UID)
	}
}

func TestConflictResolution(t *testing.T) {
	m := newMailboxT(t)
	old := add(t, m, "One", now)
	update(t, m, old.ID, func(it *Item) { it.Subject = "Two" })
	set := func(r Resolution, key string, change func(*Item)) error {
		_, _, err := m.Update(Actor{}, old.ID, Basis{ChangeKey: key, Resolution: r}, func(it *Item) error { change(it); return nil })
		return err
	}
	subject := func(it *Item) { it.Subject = "Three" }
	location := func(it *Item) { it.Location = "There" }
	for _, c := range []struct {
		name   string
		how    Resolution
		key    string
		change func(*Item)
		want   error
	}{
		{"MSOXWSCORE_R588 never", NeverOverwrite, old.ChangeKey, location, ErrConflict},
		{"auto, same property", AutoResolve, old.ChangeKey, subject, ErrConflict},
		{"MSOXWSCORE_R583 auto, other property", AutoResolve, old.ChangeKey, location, nil},
		{"MSOXWSCORE_R582 always", AlwaysOverwrite, old.ChangeKey, subject, nil},
		{"no key", NeverOverwrite, "", location, ErrChangeKeyRequired},
		{"nonsense key", NeverOverwrite, "xx", location, ErrInvalidChangeKey},
	} {
		if err := set(c.how, c.key, c.change); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	m := newMailboxT(t)
	create := func(change func(*Item)) error {
		it := &Item{Start: now, End: now.Add(time.Hour)}
		change(it)
		_, err := m.Create(Actor{}, m.Calendar(), it)
		return err
	}
	for _, c := range []struct {
		name   string
		change func(*Item)
		want   error
	}{
		{"MSOXWSMTGS_R1204", func(it *Item) { it.End = it.Start.Add(-time.Minute) }, ErrEndBeforeStart},
		{"MSOXWSMTGS_R1203", func(it *Item) { it.End = it.Start.AddDate(5, 0, 2) }, ErrDurationTooLong},
		{"unknown zone", func(it *Item) { it.StartZone = "Mars" }, ErrTimeZone},
		{"weekly without days", func(it *Item) { it.Recurrence = &Recurrence{Pattern: Weekly, Interval: 1} }, ErrInvalidRecurrence},
		{"interval 0", func(it *Item) { it.Recurrence = &Recurrence{Pattern: Daily} }, ErrInvalidRecurrence},
	} {
		if err := create(c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAllDayIsMidnightToMidnight(t *testing.T) {
	m := newMailboxT(t)
	loc, _ := Location(DefaultZone)
	noon := time.Date(2026, 3, 29, 12, 0, 0, 0, loc) // the day the clocks change
	it, err := m.Create(Actor{}, m.Calendar(), &Item{AllDay: true, Start: noon.UTC(), End: noon.Add(time.Hour).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if it.End.Sub(it.Start) != 23*time.Hour || clock(it.Start, loc) != 0 || clock(it.End, loc) != 0 {
		t.Errorf("all day is %s to %s", it.Start.In(loc), it.End.In(loc))
	}
}

// TestAllDayOfNoLength: an all-day event that ends where it begins lasts that day.
func TestAllDayOfNoLength(t *testing.T) {
	m := newMailboxT(t)
	loc, _ := Location(DefaultZone)
	midnight := time.Date(2026, 3, 9, 0, 0, 0, 0, loc).UTC()
	it, err := m.Create(Actor{}, m.Calendar(), &Item{AllDay: true, Start: midnight, End: midnight})
	if err != nil || !it.Start.Equal(midnight) || it.End.Sub(it.Start) != day {
		t.Errorf("all day is %s to %s (%v)", it.Start, it.End, err)
	}
}

func TestEffects(t *testing.T) {
	m := newMailboxT(t)
	changed := m.company.EffectsChanged()
	var seen []EffectKind
	m.company.OnEffect(func(e Effect) { seen = append(seen, e.Kind) })
	it, err := m.Create(Actor{Name: "app", Call: 7}, m.Calendar(), &Item{Start: now, End: now.Add(time.Hour),
		Extended: map[PropertyKey][]string{{Set: "s", Name: "BookingId", Type: "String"}: {"B-1"}}})
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	update(t, m, it.ID, func(it *Item) { it.Subject = "x" })
	if err := m.Delete(Actor{Name: "app"}, it.ID, "", MoveToDeletedItems); err != nil {
		t.Fatal(err)
	}
	want := []EffectKind{EffectCreate, EffectUpdate, EffectDelete}
	if !slices.Equal(seen, want) {
		t.Errorf("observed %v, want %v", seen, want)
	}
	effects := m.company.Effects(0)
	if e := effects[0]; e.Seq != 1 || e.Actor != "app" || e.Call != 7 || e.Booking != "B-1" || e.Folder != "calendar" || e.ItemID != it.ID {
		t.Errorf("first effect is %+v", e)
	}
	if e := effects[2]; e.ItemID != it.ID || e.Booking != "B-1" || e.Folder != "calendar" {
		t.Errorf("delete is %+v", e)
	}
	if rest := m.company.Effects(2); len(rest) != 1 || rest[0].Seq != 3 {
		t.Errorf("effects after 2: %+v", rest)
	}
}

// TestConcurrentUse is for the race detector: many writers and readers of one mailbox.
func TestConcurrentUse(t *testing.T) {
	m := newMailboxT(t)
	shared := add(t, m, "Shared", now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			state := ""
			for i := range 50 {
				it := add(t, m, "Mine", now.Add(time.Duration(i)*time.Hour))
				update(t, m, shared.ID, func(it *Item) { it.Sequence++; it.Subject += "x" })
				page, err := m.Sync(m.Calendar(), state, 10, nil)
				if err != nil {
					t.Error(err)
				}
				state = page.State
				if err := m.Delete(Actor{}, it.ID, "", HardDelete); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if it, _ := m.Item(shared.ID); len(it.Subject) != len("Shared")+400 {
		t.Errorf("%d updates survived, want 400", len(it.Subject)-len("Shared"))
	}
}
