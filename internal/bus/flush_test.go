package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

func outbox(mb string, commit, n int) []jobs.Outgoing {
	var out []jobs.Outgoing
	for i := range n {
		data, _ := json.Marshal(events.SyncCompleted{Mailbox: "a@contoso.example", Items: commit*100 + i})
		out = append(out, jobs.Outgoing{Kind: jobs.OutEvent, ID: fmt.Sprintf("%s/%d/%d", mb, commit, i), Type: events.TypeSyncCompleted, Data: data})
	}
	return out
}

// TestFlush_MayBeRepeatedByAnybody repeats flushes from records of the past, as a worker does that comes after one
// that died at any point, and finds every event once and in order.
func TestFlush_MayBeRepeatedByAnybody(t *testing.T) {
	b := connect(t, start(t))
	var r jobs.Record
	for commit := 1; commit <= 5; commit++ {
		r.Outbox = outbox("a", commit, 3)
		before := r
		must(t, b.Flush(t.Context(), "a", &r))
		again := before
		must(t, b.Flush(t.Context(), "a", &again))
		if again.EventSeq != r.EventSeq || len(again.Outbox) != 0 {
			t.Fatalf("repeated: event sequence %d, want %d", again.EventSeq, r.EventSeq)
		}
	}
	ids := readEvents(t, b, "a", 15)
	for i, id := range ids {
		if want := fmt.Sprintf("a/%d/%d", i/3+1, i%3); id != want {
			t.Errorf("event %d is %s, want %s", i, id, want)
		}
	}
}

func readEvents(t *testing.T, b *bus.Bus, mb string, n int) []string {
	t.Helper()
	var ids []string
	stop := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := b.Events(ctx, mb, 1, func(d bus.Delivered) error {
		if ids = append(ids, d.ID); len(ids) == n {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("%d events came, want %d: %v", len(ids), n, err)
	}
	return ids
}

// TestFlush_GoesOnWhereItsPredecessorDied, also when that was so long ago that the server has forgotten the ids.
func TestFlush_GoesOnWhereItsPredecessorDied(t *testing.T) {
	for _, later := range []time.Duration{0, time.Hour} {
		for died := range 4 {
			testenv.Bubble(t, func(t *testing.T) {
				b := connect(t, start(t))
				first := jobs.Record{Outbox: outbox("a", 1, 3)[:died]}
				must(t, b.Flush(t.Context(), "a", &first))
				time.Sleep(later)
				second := jobs.Record{Outbox: outbox("a", 1, 3)}
				must(t, b.Flush(t.Context(), "a", &second))
				third := jobs.Record{EventSeq: second.EventSeq, Outbox: outbox("a", 2, 1)}
				must(t, b.Flush(t.Context(), "a", &third))
				got := fmt.Sprint(readEvents(t, b, "a", 4))
				if got != "[a/1/0 a/1/1 a/1/2 a/2/0]" {
					t.Errorf("died after %d, %v later: %s", died, later, got)
				}
			})
		}
	}
}

// TestFlush_AStaleOwnerCannotWrite: an owner that was overtaken does not know the newest sequence.
func TestFlush_AStaleOwnerCannotWrite(t *testing.T) {
	b := connect(t, start(t))
	var r jobs.Record
	r.Outbox = outbox("a", 1, 1)
	must(t, b.Flush(t.Context(), "a", &r))
	stale := r
	r.Outbox = outbox("a", 2, 1)
	must(t, b.Flush(t.Context(), "a", &r))
	stale.Outbox = outbox("a", 7, 1)
	if err := b.Flush(t.Context(), "a", &stale); err == nil {
		t.Error("a stale owner published an event")
	}
}

func TestShadow(t *testing.T) {
	b := connect(t, start(t))
	var r jobs.Record
	step := func(commit int, e bus.ShadowEntry) {
		data, _ := json.Marshal(e)
		r.Outbox = []jobs.Outgoing{{Kind: jobs.OutShadow, ID: fmt.Sprintf("a/%d/0", commit), Data: data}}
		must(t, b.Flush(t.Context(), "a", &r))
	}
	for i := range 100 {
		step(2*i, bus.ShadowEntry{Put: map[string]string{fmt.Sprint("item", i%10): fmt.Sprint("ck", i)}})
		step(2*i+1, bus.ShadowEntry{Put: map[string]string{"doomed": "x"}})
	}
	step(200, bus.ShadowEntry{Remove: []string{"doomed"}})
	for range 2 { // the first reading writes it anew as one, the second reads that
		got, seq, err := b.Shadow(t.Context(), "a", r.ItemsSeq)
		must(t, err)
		if len(got) != 10 || got["item3"] != "ck93" {
			t.Fatalf("got %v", got)
		}
		r.ItemsSeq = seq
	}
	step(201, bus.ShadowEntry{Put: map[string]string{"new": "ck"}})
	if got, _, err := b.Shadow(t.Context(), "a", r.ItemsSeq); err != nil || len(got) != 11 {
		t.Fatalf("after writing anew: %d items, %v", len(got), err)
	}
}
