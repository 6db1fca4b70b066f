package traffic

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/seed"
	"roomsync/internal/exchangesim/store"
)

func company(t *testing.T) *store.Company {
	t.Helper()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := store.New(store.Options{Now: func() time.Time { return now }})
	if _, err := seed.Fill(c, seed.Options{Seed: 1, Mailboxes: 10}); err != nil {
		t.Fatal(err)
	}
	return c
}

func do(t *testing.T, c *store.Company, opts Options, n int) []Edit {
	t.Helper()
	g, err := New(c, opts)
	if err != nil {
		t.Fatal(err)
	}
	edits, err := g.Do(n)
	if err != nil {
		t.Fatal(err)
	}
	return edits
}

func last(c *store.Company) uint64 {
	all := c.Effects(0)
	return all[len(all)-1].Seq
}

// Every edit is one effect, of the kind and in the place that it claims.
func TestDo_ListsWhatItDid(t *testing.T) {
	c := company(t)
	before := last(c)
	edits := do(t, c, Options{Seed: 3}, 500)
	effects := c.Effects(before)
	if len(edits) != 500 || len(effects) != 500 {
		t.Fatalf("%d edits, %d effects", len(edits), len(effects))
	}
	want := map[Kind]store.EffectKind{
		Create: store.EffectCreate, EditItem: store.EffectUpdate, Move: store.EffectUpdate, EditSeries: store.EffectUpdate,
		EditOccurrence: store.EffectUpdate, CancelOccurrence: store.EffectUpdate,
	}
	seen := map[Kind]int{}
	for i, e := range edits {
		f := effects[i]
		seen[e.Kind]++
		if e.N != i+1 || f.Mailbox != e.Mailbox || f.UID != e.UID || f.OriginalDate != e.OriginalDate {
			t.Fatalf("edit %+v, effect %+v", e, f)
		}
		if k, ok := want[e.Kind]; ok && f.Kind != k {
			t.Errorf("%s is the effect %s", e.Kind, f.Kind)
		}
	}
	for _, w := range plan {
		if seen[w.kind] == 0 {
			t.Errorf("no %s in %v", w.kind, seen)
		}
	}
}

func TestDo_SameSeedSameEdits(t *testing.T) {
	one, two := do(t, company(t), Options{Seed: 5}, 200), do(t, company(t), Options{Seed: 5}, 200)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same seed made other edits")
	}
	if other := do(t, company(t), Options{Seed: 6}, 200); reflect.DeepEqual(one, other) {
		t.Error("another seed made the same edits")
	}
}

func TestDo_KeepsToItsMailboxesAndSparesBookings(t *testing.T) {
	c := company(t)
	const room = "room0001@contoso.example"
	m := c.Mailbox(room)
	items, err := m.Items(m.Calendar())
	if err != nil {
		t.Fatal(err)
	}
	booking := items[0]
	key := store.PropertyKey{Name: "BookingId", Type: "String"}
	if _, _, err := m.Update(store.Actor{}, booking.ID, store.Basis{}, func(it *store.Item) error {
		it.Extended = map[store.PropertyKey][]string{key: {"b1"}}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, e := range do(t, c, Options{Mailboxes: []string{room}, SpareBookings: "BookingId"}, 300) {
		if e.Mailbox != room || e.ItemID == booking.ID {
			t.Fatalf("edit %+v", e)
		}
	}
	if left, err := m.Items(m.Calendar()); err != nil || len(left) > full+1 {
		t.Errorf("%d items, %v", len(left), err)
	}
	if _, err := New(c, Options{Mailboxes: []string{"nobody@contoso.example"}}); err == nil {
		t.Error("an unknown mailbox was accepted")
	}
}

func TestRun_KeepsTheRateAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		g, err := New(company(t), Options{Rate: 2.5, OnEdit: func(Edit) { n++ }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		time.Sleep(10*time.Second + time.Millisecond)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n != 25 {
			t.Errorf("%d edits in 10 s at 2.5 a second", n)
		}
	})
}
