package main

import (
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func effect(kind store.EffectKind, mailbox, item, version string, second int) store.Effect {
	return store.Effect{Kind: kind, Mailbox: mailbox, ItemID: item, ChangeKey: version, Time: noon.Add(time.Duration(second) * time.Second)}
}

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func expect(t *testing.T, l *lag, want account) {
	t.Helper()
	got := l.total()
	if got != want {
		t.Errorf("account %+v, want %+v", got, want)
	}
	if got.Edits != got.Told+got.Undone+got.Refused+got.Waiting {
		t.Errorf("%+v does not add up", got)
	}
}

// An event with a version tells the edits that led to it, and none after it.
func TestLag_AVersionTellsTheEditsBeforeIt(t *testing.T) {
	l := newLag()
	for i, version := range []string{"v1", "v2", "v3"} {
		l.edited(effect(store.EffectUpdate, "a", "x", version, i))
	}
	l.edited(effect(store.EffectUpdate, "b", "x", "v2", 0)) // the same names elsewhere
	l.told("a", events.Change{Kind: events.KindUpdated, ItemID: "x", ChangeKey: "v2"}, at(5))
	expect(t, l, account{Edits: 4, Told: 2, Waiting: 2})
	if s := l.since(at(0)); s != (spread{4 * time.Second, 5 * time.Second, 2}) {
		t.Errorf("spread %+v", s)
	}
	l.told("a", events.Change{Kind: events.KindUpdated, ItemID: "x", ChangeKey: "v2"}, at(6)) // told twice counts once
	l.told("a", events.Change{Kind: events.KindUpdated, ItemID: "x", ChangeKey: "unheard of"}, at(6))
	expect(t, l, account{Edits: 4, Told: 2, Waiting: 2})
}

func TestLag_ADeletionIsToldWithoutAVersion(t *testing.T) {
	l := newLag()
	l.edited(effect(store.EffectUpdate, "a", "x", "v1", 0))
	l.edited(effect(store.EffectDelete, "a", "x", "v1", 1))
	l.told("a", events.Change{Kind: events.KindDeleted, ItemID: "x"}, at(3))
	expect(t, l, account{Edits: 2, Told: 2})
}

// What was made and deleted between two looks is never told.
func TestLag_UndoneBeforeAnybodyLooked(t *testing.T) {
	l := newLag()
	l.edited(effect(store.EffectCreate, "a", "x", "v1", 0))
	l.edited(effect(store.EffectUpdate, "a", "x", "v2", 1))
	l.edited(effect(store.EffectDelete, "a", "x", "v2", 2))
	expect(t, l, account{Edits: 3, Undone: 3})
}

func TestLag_RefusedMailboxesAreLeftOut(t *testing.T) {
	l := newLag()
	l.edited(effect(store.EffectUpdate, "a", "x", "v1", 0))
	l.edited(effect(store.EffectUpdate, "b", "x", "v1", 0))
	l.refuse("a", true)
	l.edited(effect(store.EffectUpdate, "a", "x", "v2", 1))
	expect(t, l, account{Edits: 3, Refused: 2, Waiting: 1})
	l.refuse("a", false)
	l.edited(effect(store.EffectUpdate, "a", "x", "v3", 2))
	l.told("a", events.Change{Kind: events.KindCreated, ItemID: "x", ChangeKey: "v3"}, at(4))
	expect(t, l, account{Edits: 4, Refused: 2, Told: 1, Waiting: 1})
	if s := l.since(at(0)); s.p99 != 2*time.Second {
		t.Errorf("spread %v counts the time of the refusal", s)
	}
}

func TestLag_ForgetsOldSamplesOnly(t *testing.T) {
	l := newLag()
	for i := range maxSamples + 10 {
		l.take(sample{at: at(i), took: time.Duration(i)})
	}
	if s := l.since(time.Time{}); s.n != maxSamples || len(l.samples) != maxSamples {
		t.Errorf("%d samples", s.n)
	}
	if s := l.since(at(maxSamples + 8)); s.n != 2 || s.p50 != maxSamples+8 || s.p99 != maxSamples+9 {
		t.Errorf("the newest two: %+v", s)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		values []time.Duration
		p      int
		want   time.Duration
	}{{nil, 50, 0}, {hundred[:1], 50, 1}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:3], 50, 2}, {hundred, 50, 50}, {hundred, 99, 99}} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("p%d of %d values: %d, want %d", c.p, len(c.values), got, c.want)
		}
	}
}

func TestSpread_String(t *testing.T) {
	if got := (spread{}).String(); got != "unknown yet" {
		t.Error(got)
	}
	if got := (spread{240 * time.Millisecond, 3449 * time.Millisecond, 9}).String(); got != "p50 240 ms, p99 3.4 s" {
		t.Error(got)
	}
}

func TestMeter(t *testing.T) {
	m := &meter{}
	if r := m.rate(at(0), 100); r != 0 {
		t.Errorf("rate %v at the start", r)
	}
	if r := m.rate(at(2), 120); r != 10 {
		t.Errorf("rate %v, want 10", r)
	}
	for s := 3; s <= 60; s++ {
		m.rate(at(s), 120)
	}
	if r := m.rate(at(61), 145); r != 5 {
		t.Errorf("rate %v, want 25 in the last 5 s", r)
	}
	if len(m.times) > 7 {
		t.Errorf("%d times kept", len(m.times))
	}
}

// TestLag_Late: an edit of which no event comes is late after a while, until one comes.
func TestLag_Late(t *testing.T) {
	l := newLag()
	l.edited(store.Effect{Mailbox: "a", ItemID: "1", Kind: store.EffectCreate, ChangeKey: "v1", Time: monday})
	l.edited(store.Effect{Mailbox: "a", ItemID: "1", Kind: store.EffectUpdate, ChangeKey: "v2", Time: monday.Add(20 * time.Second)})
	for after, want := range map[time.Duration]string{
		10 * time.Second: "", 11 * time.Second: "LATE: 1 edit not told for 11s", 40 * time.Second: "LATE: 2 edits not told yet, the oldest for 40s",
	} {
		if got := l.late(monday.Add(after), 10*time.Second).String(); got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
	}
	l.told("a", events.Change{Kind: events.KindUpdated, ItemID: "1", ChangeKey: "v2"}, monday.Add(time.Minute))
	if got := l.late(monday.Add(time.Hour), 0); got.edits != 0 {
		t.Errorf("%+v", got)
	}
}

// TestLag_DeletedBeforeAnybodyLooked: of what was not there any more when a calendar was first read, nothing is told.
func TestLag_DeletedBeforeAnybodyLooked(t *testing.T) {
	l := newLag()
	for _, item := range []string{"unknown", "known"} {
		l.edited(store.Effect{Mailbox: "a", ItemID: item, Kind: store.EffectUpdate, ChangeKey: "v1", Time: monday})
		l.edited(store.Effect{Mailbox: "a", ItemID: item, Kind: store.EffectDelete, Time: monday})
	}
	l.edited(store.Effect{Mailbox: "b", ItemID: "unknown", Kind: store.EffectDelete, Time: monday})
	l.listed("a", func(item string) bool { return item == "known" })
	if a := l.total(); a.Undone != 2 || a.Waiting != 3 {
		t.Errorf("%+v", a)
	}
}
