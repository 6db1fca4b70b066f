package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func syncAll(t testing.TB, m *Mailbox, state string, limit int) (Page, []Change) {
	t.Helper()
	var all []Change
	for range 1000 {
		p, err := m.Sync(m.Calendar(), state, limit, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Changes...)
		if state = p.State; p.Last {
			return p, all
		}
	}
	t.Fatal("synchronization does not end")
	return Page{}, nil
}

func kinds(changes []Change) string {
	var s []string
	for _, c := range changes {
		name := "-"
		if c.Item != nil {
			name = c.Item.Subject
		}
		s = append(s, string(c.Kind)+" "+name)
	}
	return strings.Join(s, ", ")
}

func TestSync(t *testing.T) {
	m := newMailboxT(t)
	a, b, c := add(t, m, "a", now), add(t, m, "b", now), add(t, m, "c", now)
	first, all := syncAll(t, m, "", 512)
	if got := kinds(all); got != "Create c, Create b, Create a" {
		t.Errorf("MS-OXWSSYNC_R382: %s", got)
	}
	if len(first.State) < 420 {
		t.Errorf("state has %d characters", len(first.State))
	}
	if again, _ := syncAll(t, m, first.State, 512); again.State != first.State {
		t.Error("the state changed without a change")
	}
	update(t, m, a.ID, func(it *Item) { it.Subject = "A" })
	update(t, m, a.ID, func(it *Item) { it.Subject = "AA" })
	if err := m.Delete(Actor{}, b.ID, "", MoveToDeletedItems); err != nil {
		t.Fatal(err)
	}
	add(t, m, "d", now)
	gone := add(t, m, "e", now)
	if err := m.Delete(Actor{}, gone.ID, "", HardDelete); err != nil {
		t.Fatal(err)
	}
	update(t, m, c.ID, func(it *Item) { it.IsRead = true })
	_, all = syncAll(t, m, first.State, 512)
	if got, want := kinds(all), "ReadFlagChange c, Create d, Delete -, Update AA"; got != want {
		t.Errorf("changes: %s, want %s", got, want)
	}
	if _, all = syncAll(t, m, first.State, 1); len(all) != 4 {
		t.Errorf("in pages of one: %s", kinds(all))
	}
	p, err := m.Sync(m.Calendar(), first.State, 512, []string{a.ID})
	if got := kinds(p.Changes); err != nil || strings.Contains(got, "AA") || len(p.Changes) != 3 {
		t.Errorf("MS-OXWSSYNC_R3851: %s (%v)", got, err)
	}
}

// TestSyncShowsEmptyUpdates: an update that changes nothing has a new change key and is no read flag change.
func TestSyncShowsEmptyUpdates(t *testing.T) {
	m := newMailboxT(t)
	it := add(t, m, "a", now)
	p, _ := syncAll(t, m, "", 0)
	update(t, m, it.ID, func(*Item) {})
	if _, all := syncAll(t, m, p.State, 0); kinds(all) != "Update a" || all[0].Item.ChangeKey == it.ChangeKey {
		t.Errorf("changes: %s", kinds(all))
	}
}

// TestSyncShowsOccurrencesAsTheirMaster: synchronization has no calendaring logic.
func TestSyncShowsOccurrencesAsTheirMaster(t *testing.T) {
	m := newMailboxT(t)
	master := addSeries(t, m, now, Recurrence{Pattern: Daily, Interval: 1, Count: 5})
	p, all := syncAll(t, m, "", 512)
	if len(all) != 1 {
		t.Fatalf("a series of five gives %d changes", len(all))
	}
	second, _ := m.OccurrenceAt(master.ID, 2)
	update(t, m, second.ID, func(it *Item) { it.Subject = "Other" })
	p, all = syncAll(t, m, p.State, 512)
	if len(all) != 1 || all[0].Kind != ChangeUpdate || all[0].ID != master.ID {
		t.Errorf("edited occurrence: %s", kinds(all))
	}
	if err := m.Delete(Actor{}, second.ID, "", HardDelete); err != nil {
		t.Fatal(err)
	}
	if _, all = syncAll(t, m, p.State, 512); len(all) != 1 || all[0].Kind != ChangeUpdate {
		t.Errorf("deleted occurrence: %s", kinds(all))
	}
}

func TestSyncStateIsRefused(t *testing.T) {
	m := newMailboxT(t)
	other, err := m.company.AddMailbox(MailboxSpec{Address: "bob@contoso.example"})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := syncAll(t, m, "", 10)
	corrupt := []byte(p.State)
	corrupt[100] ^= 1
	for name, state := range map[string]string{
		"corrupt": string(corrupt), "truncated": p.State[:416], "garbage": "H4sIAAAA", "lower case": strings.ToLower(p.State),
	} {
		if _, err := m.Sync(m.Calendar(), state, 10, nil); !errors.Is(err, ErrSyncState) {
			t.Errorf("%s state: %v", name, err)
		}
	}
	if _, err := other.Sync(other.Calendar(), p.State, 10, nil); !errors.Is(err, ErrSyncState) {
		t.Errorf("state of another mailbox: %v", err)
	}
	if _, err := m.Sync(m.FolderID("inbox"), p.State, 10, nil); !errors.Is(err, ErrSyncState) {
		t.Errorf("state of another folder: %v", err)
	}
	m.InvalidateSyncStates()
	if _, err := m.Sync(m.Calendar(), p.State, 10, nil); !errors.Is(err, ErrSyncState) {
		t.Errorf("state from before a move of the mailbox: %v", err)
	}
	if _, err := m.Sync(m.folderID(4711), "", 10, nil); !errors.Is(err, ErrSyncFolderNotFound) {
		t.Errorf("unknown folder: %v", err)
	}
}

// TestSyncForgetsOldDeletions: a state from before the oldest remembered deletion is too old, a fresh one is not.
func TestSyncForgetsOldDeletions(t *testing.T) {
	m := newMailboxT(t)
	old, _ := syncAll(t, m, "", 10)
	for range maxTombstones + 1 {
		it := add(t, m, "x", now)
		if err := m.Delete(Actor{}, it.ID, "", HardDelete); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Sync(m.Calendar(), old.State, 10, nil); !errors.Is(err, ErrSyncState) {
		t.Errorf("old state: %v", err)
	}
	if p, _ := syncAll(t, m, "", 10); p.State == "" {
		t.Error("no fresh state")
	}
}

// TestSyncConverges plays a client that synchronizes in small pages while others change the calendar between them.
// It must never be told to create what it has or to change what it has not, and must end with what is there.
func TestSyncConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(Options{Now: func() time.Time { return now }})
		m, err := c.AddMailbox(MailboxSpec{Address: "ann@contoso.example"})
		if err != nil {
			t.Fatal(err)
		}
		client := map[string]string{} // id → change key
		state := ""
		step := func(limit int) bool {
			p, err := m.Sync(m.Calendar(), state, limit, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Changes) > limit {
				t.Fatalf("%d changes, limit %d", len(p.Changes), limit)
			}
			if state == p.State && len(p.Changes) > 0 {
				t.Fatal("changes but no new state")
			}
			state = p.State
			for _, ch := range p.Changes {
				_, have := client[ch.ID]
				if have != (ch.Kind != ChangeCreate) {
					t.Fatalf("%s of an item that the client has=%v", ch.Kind, have)
				}
				if ch.Kind == ChangeDelete {
					delete(client, ch.ID)
				} else {
					client[ch.ID] = ch.Item.ChangeKey
				}
			}
			return p.Last
		}
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			items, _ := m.Items(m.Calendar())
			op := rapid.IntRange(0, 5).Draw(t, "op")
			if op < 3 || len(items) == 0 {
				if op == 2 {
					step(rapid.IntRange(1, 3).Draw(t, "limit"))
				} else {
					create(t, m)
				}
				continue
			}
			changeOne(t, m, items[rapid.IntRange(0, len(items)-1).Draw(t, "which")], op)
		}
		for n := 0; !step(2); n++ {
			if n > 200 {
				t.Fatal("synchronization does not end")
			}
		}
		want := map[string]string{}
		items, _ := m.Items(m.Calendar())
		for _, it := range items {
			want[it.ID] = it.ChangeKey
		}
		if !maps.Equal(client, want) {
			t.Fatalf("client has %d items, server %d: %v", len(client), len(want), slices.Sorted(maps.Keys(client)))
		}
	})
}

func create(t *rapid.T, m *Mailbox) {
	if _, err := m.Create(Actor{}, m.Calendar(), &Item{Start: now, End: now}); err != nil {
		t.Fatal(err)
	}
}

func changeOne(t *rapid.T, m *Mailbox, it *Item, op int) {
	var err error
	switch op {
	case 3:
		_, _, err = m.Update(Actor{}, it.ID, Basis{}, func(it *Item) error { it.Subject += "x"; return nil })
	case 4:
		err = m.Delete(Actor{}, it.ID, "", HardDelete)
	default:
		_, _, err = m.Update(Actor{}, it.ID, Basis{}, func(it *Item) error { it.IsRead = !it.IsRead; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSyncNoChange(b *testing.B) {
	m := newMailboxT(b)
	for i := range 200 {
		add(b, m, fmt.Sprint(i), now)
	}
	p, _ := syncAll(b, m, "", 512)
	for b.Loop() {
		if _, err := m.Sync(m.Calendar(), p.State, 512, nil); err != nil {
			b.Fatal(err)
		}
	}
}
