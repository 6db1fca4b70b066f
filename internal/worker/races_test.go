package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// hooked calls list before the n-th listing of a window.
type hooked struct {
	calsync.Reader
	list func(n int)
	n    int
}

func (h *hooked) List(ctx context.Context, t calsync.Target, w calsync.Window) ([]calsync.Appointment, error) {
	h.n++
	h.list(h.n)
	return h.Reader.List(ctx, t, w)
}

// TestFirstSynchronization_ItemThatCameAndWent: an item made between the listing of ids and that of the window, and
// deleted before the next poll, is in no listing of changes; its deletion is told all the same.
func TestFirstSynchronization_ItemThatCameAndWent(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		var it *store.Item
		e.Worker("w1", func(o *worker.Options) {
			o.Calendar = &hooked{Reader: o.Calendar, list: func(n int) {
				if n == 1 {
					it = create(e, "between", time.Now().Add(24*time.Hour))
				}
			}}
		})
		e.Want(alice)
		if told := synced(e, ch); len(told) != 1 || told[0].ItemID != it.ID {
			t.Fatalf("told %+v", told)
		}
		testenv.Must(t, e.Sim.Company().Mailbox(alice).Delete(store.Actor{}, it.ID, "", store.HardDelete))
		got := page(e, e.Next(ch, 5*time.Minute))
		if c := got.Changes[0]; c.Kind != events.KindDeleted || c.ItemID != it.ID {
			t.Errorf("told %+v", got)
		}
		e.Quiet(ch, 10*time.Minute)
		if r, _, err := e.Bus.Record(t.Context(), events.MailboxToken(alice)); err != nil || len(r.Ahead) > 0 {
			t.Errorf("marks left: %v, %v", r.Ahead, err)
		}
	})
}

// TestWindow_RollDoesNotDouble: an item made while the window rolls is told once.
func TestWindow_RollDoesNotDouble(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		d, w := e.Dispatcher(), e.Worker("w1", nil)
		e.Want(alice)
		synced(e, ch)
		testenv.Must(t, w.Stop())
		testenv.Must(t, d.Stop())
		time.Sleep(48 * time.Hour)
		e.Worker("w2", func(o *worker.Options) {
			o.Calendar = &hooked{Reader: o.Calendar, list: func(n int) {
				if n == 1 {
					create(e, "far", time.Now().Add(364*24*time.Hour+time.Hour))
				}
			}}
		})
		if got := page(e, e.Next(ch, time.Hour)); got.Reason != events.ReasonWindow || len(got.Changes) != 1 {
			t.Errorf("told %+v", got)
		}
		e.Quiet(ch, time.Hour)
	})
}

// TestResync_TellsWhatMovedOutOfTheWindow while nobody listened.
func TestResync_TellsWhatMovedOutOfTheWindow(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		it := create(e, "meeting", time.Now().Add(24*time.Hour))
		if got := page(e, e.Next(ch, 5*time.Minute)); got.Changes[0].ItemID != it.ID {
			e.T.Fatalf("told %+v", got)
		}
		m := e.Sim.Company().Mailbox(alice)
		m.InvalidateSyncStates()
		start := time.Now().Add(500 * 24 * time.Hour)
		_, _, err := m.Update(store.Actor{}, it.ID, store.Basis{}, func(x *store.Item) error {
			x.Start, x.End = start, start.Add(time.Hour)
			return nil
		})
		testenv.Must(e.T, err)
		for {
			got := page(e, e.Next(ch, 10*time.Minute))
			if c := got.Changes[0]; got.Reason == events.ReasonResync {
				if c.ItemID != it.ID || c.Start.Before(start.Add(-time.Minute)) {
					e.T.Errorf("told %+v", c)
				}
				return
			}
		}
	})
}

// TestAttempts_AreCountedByKind: a server that was away for long does not make the first forgotten cursor the last straw.
func TestAttempts_AreCountedByKind(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		mb := events.MailboxToken(alice)
		r, err := e.Sim.Faults().Add(faults.Rule{Fault: "H10", Mailbox: alice})
		testenv.Must(e.T, err)
		record := func() jobs.Record {
			rec, _, err := e.Bus.Record(e.T.Context(), mb)
			testenv.Must(e.T, err)
			return rec
		}
		for record().Attempts < 4 {
			time.Sleep(time.Second) // fake time
		}
		allow(e, r.ID)
		e.Sim.Company().Mailbox(alice).InvalidateSyncStates()
		if d := e.Next(ch, 20*time.Minute); d.Type != events.TypeSyncCompleted {
			e.T.Errorf("got %s %s", d.Type, d.Data)
		}
		if rec := record(); rec.State == jobs.StateFailed {
			e.T.Errorf("given up: %+v", rec.LastError)
		}
	})
}

// busyboxes counts how many runs are in a mailbox at once.
type busyboxes struct {
	calsync.Reader
	mu       sync.Mutex
	now, max map[string]int
}

func (b *busyboxes) Probe(ctx context.Context, t calsync.Target, cursor string, n int) (calsync.Delta, error) {
	b.count(t.Address, 1)
	defer b.count(t.Address, -1)
	time.Sleep(40 * time.Second) // fake time: longer than AckWait
	return b.Reader.Probe(ctx, t, cursor, n)
}

func (b *busyboxes) count(address string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[address] += n
	b.max[address] = max(b.max[address], b.now[address])
}

// TestSlowExchange_OneOwnerAtATime: tokens that wait for a slot longer than the queue's patience are delivered again; that
// must not make two owners of one mailbox.
func TestSlowExchange_OneOwnerAtATime(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 20, Items: -1}})
		e.Dispatcher()
		var b *busyboxes
		lost := 0
		var mu sync.Mutex
		e.Worker("w1", func(o *worker.Options) {
			b = &busyboxes{Reader: o.Calendar, now: map[string]int{}, max: map[string]int{}}
			o.Calendar = b
			o.Slots = map[jobs.Lane]int{jobs.LanePoll: 4}
			o.Observe = func(out worker.Outcome) {
				mu.Lock()
				defer mu.Unlock()
				if out.Code == "lost" {
					lost++
				}
			}
		})
		for i := range 16 {
			e.Want(fmt.Sprintf("user%04d@contoso.example", i+1))
		}
		time.Sleep(20 * time.Minute) // fake time
		b.mu.Lock()
		defer b.mu.Unlock()
		for address, n := range b.max {
			if n > 1 {
				t.Errorf("%s had %d runs at once", address, n)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if len(b.max) < 10 || lost > 0 {
			t.Errorf("%d mailboxes looked at, %d runs lost their lease", len(b.max), lost)
		}
	})
}
