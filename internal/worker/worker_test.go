package worker_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/testenv"
)

func TestMain(m *testing.M) {
	ats.Register()
	os.Exit(m.Run())
}

const alice = "user0001@contoso.example"

// world is an Env in a bubble with one worker and a dispatcher, following alice's events after her first
// synchronization.
func world(t *testing.T, sim exchangesim.Options, f func(e *testenv.Env, ch <-chan bus.Delivered)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		if sim.Mailboxes == 0 {
			sim.Mailboxes, sim.Items = 2, -1
		}
		e := testenv.Start(t, testenv.Options{Sim: sim})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		e.Worker("w1", nil)
		e.Want(alice)
		f(e, ch)
	})
}

// synced waits for the end of the first synchronization and returns the items told on the way.
func synced(e *testenv.Env, ch <-chan bus.Delivered) []events.Change {
	e.T.Helper()
	var told []events.Change
	for {
		d := e.Next(ch, time.Minute)
		if d.Type == events.TypeSyncCompleted {
			return told
		}
		told = append(told, page(e, d).Changes...)
	}
}

func page(e *testenv.Env, d bus.Delivered) events.CalendarChanged {
	e.T.Helper()
	if d.Type != events.TypeCalendarChanged {
		e.T.Fatalf("event %s, want %s: %s", d.Type, events.TypeCalendarChanged, d.Data)
	}
	return data[events.CalendarChanged](e, d)
}

func data[T any](e *testenv.Env, d bus.Delivered) T {
	e.T.Helper()
	var v T
	testenv.Must(e.T, json.Unmarshal(d.Data, &v))
	return v
}

func appointment(subject string, start time.Time) *store.Item {
	return &store.Item{Subject: subject, Start: start, End: start.Add(time.Hour), StartZone: "W. Europe Standard Time", EndZone: "W. Europe Standard Time", FreeBusy: "Busy"}
}

func create(e *testenv.Env, subject string, start time.Time) *store.Item {
	e.T.Helper()
	m := e.Sim.Company().Mailbox(alice)
	it, err := m.Create(store.Actor{}, m.Calendar(), appointment(subject, start))
	testenv.Must(e.T, err)
	return it
}

func TestChange_BecomesAnEvent(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		start := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Hour)
		it := create(e, "Budget", start)
		got := page(e, e.Next(ch, 2*time.Minute))
		if len(got.Changes) != 1 || got.Reason != events.ReasonChange || got.Mailbox != alice {
			e.T.Fatalf("got %+v", got)
		}
		c := got.Changes[0]
		if c.Kind != events.KindCreated || c.ItemID != it.ID || c.ChangeKey != it.ChangeKey || c.UID != it.UID || c.Subject != "Budget" || !c.Start.Equal(start) || c.TimeZone.IANA != "Europe/Berlin" {
			e.T.Errorf("got %+v", c)
		}
		m := e.Sim.Company().Mailbox(alice)
		testenv.Must(e.T, m.Delete(store.Actor{}, it.ID, "", store.MoveToDeletedItems))
		got = page(e, e.Next(ch, 2*time.Minute))
		if c := got.Changes[0]; len(got.Changes) != 1 || c.Kind != events.KindDeleted || c.ItemID != it.ID {
			e.T.Errorf("got %+v", got)
		}
		e.Quiet(ch, 10*time.Minute)
	})
}

func TestFirstSynchronization_TellsTheWindow(t *testing.T) {
	world(t, exchangesim.Options{Seed: 3, Mailboxes: 2, Items: 40}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		told := synced(e, ch)
		seen := map[string]bool{}
		for _, c := range told {
			if seen[c.ItemID] {
				e.T.Errorf("item %s told twice", c.ItemID)
			}
			seen[c.ItemID] = true
		}
		m := e.Sim.Company().Mailbox(alice)
		now := time.Now()
		view, err := m.View(m.Calendar(), now.AddDate(0, 0, -6), now.AddDate(0, 0, 364), 100_000)
		testenv.Must(e.T, err)
		occurrences := map[string]bool{}
		for _, c := range told {
			for _, o := range c.Occurrences {
				occurrences[o.ItemID] = true
			}
		}
		for _, it := range view.Items {
			if !seen[it.ID] && !occurrences[it.ID] {
				e.T.Errorf("%s %q at %v was not told", it.Type, it.Subject, it.Start)
			}
		}
		if len(told) < 10 {
			e.T.Errorf("only %d items told: the seed is no test", len(told))
		}
		e.Quiet(ch, 5*time.Minute)
	})
}

func TestRefused_OneEventAtEachEnd(t *testing.T) {
	for _, fault := range []string{"H22", "E12"} {
		t.Run(fault, func(t *testing.T) {
			world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
				synced(e, ch)
				id := deny(e, fault)
				denied := data[events.AccessDenied](e, e.Next(ch, 5*time.Minute))
				if denied.Mailbox != alice || denied.Hint == "" || denied.NextCheck.Sub(denied.Since) < 10*time.Minute {
					e.T.Errorf("got %+v", denied)
				}
				e.Quiet(ch, 5*time.Hour)
				allow(e, id)
				d := e.Next(ch, 2*time.Hour)
				restored := data[events.AccessRestored](e, d)
				if d.Type != events.TypeAccessRestored || !restored.Since.Equal(denied.Since) || restored.Checks < 4 || restored.Checks > 7 {
					e.T.Errorf("got %s %+v", d.Type, restored)
				}
				it := create(e, "after", time.Now().Add(time.Hour))
				if got := page(e, e.Next(ch, 5*time.Minute)); got.Changes[0].ItemID != it.ID {
					e.T.Errorf("got %+v", got)
				}
			})
		})
	}
}

// TestBusy_NoRequestBeforeTheTimeIsOver: the simulator itself tells of every request that comes too early.
func TestBusy_NoRequestBeforeTheTimeIsOver(t *testing.T) {
	for _, fault := range []string{"H4", "E1", "H1"} {
		t.Run(fault, func(t *testing.T) {
			world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
				synced(e, ch)
				throttle(e, fault, 5*time.Minute)
				began := time.Now()
				create(e, "late", began.Add(time.Hour))
				testenv.Must(e.T, e.Bus.Trigger(e.T.Context(), events.MailboxToken(alice), "booking"))
				time.Sleep(2 * time.Minute) // fake time, in the middle of the back-off
				if r, _, err := e.Bus.Record(e.T.Context(), events.MailboxToken(alice)); err != nil || r.Owner != "" || r.Throttled != 1 || r.Attempts != 0 {
					e.T.Errorf("meanwhile owner %q holds it, throttled %d, attempts %d, %v", r.Owner, r.Throttled, r.Attempts, err)
				}
				page(e, e.Next(ch, 10*time.Minute))
				if took := time.Since(began); took < 5*time.Minute || took > 6*time.Minute {
					e.T.Errorf("told after %v", took)
				}
				if v := e.Sim.Faults().Violations(); len(v) > 0 {
					e.T.Errorf("violations: %+v", v)
				}
			})
		})
	}
}

func TestLostCursor_NoFalseDeletionAndNoTrueOneLost(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		var items []*store.Item
		for i := range 30 {
			items = append(items, create(e, fmt.Sprint("meeting ", i), time.Now().Add(time.Duration(i+1)*24*time.Hour)))
		}
		told := synced(e, ch)
		for len(told) < 30 {
			told = append(told, page(e, e.Next(ch, 2*time.Minute)).Changes...)
		}
		m := e.Sim.Company().Mailbox(alice)
		m.InvalidateSyncStates()
		testenv.Must(e.T, m.Delete(store.Actor{}, items[7].ID, "", store.HardDelete))
		got := page(e, e.Next(ch, 5*time.Minute))
		if got.Reason != events.ReasonResync || len(got.Changes) != 1 || got.Changes[0].Kind != events.KindDeleted || got.Changes[0].ItemID != items[7].ID {
			e.T.Errorf("got %+v", got)
		}
		if d := e.Next(ch, time.Minute); d.Type != events.TypeSyncCompleted {
			e.T.Errorf("got %s", d.Type)
		}
		e.Quiet(ch, 10*time.Minute)
	})
}

// TestWindow_RollsOn lets two days pass while nobody works, which fake time does faster than with everybody idling.
func TestWindow_RollsOn(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		far := create(e, "far", time.Now().Add(366*24*time.Hour+time.Hour))
		ch := e.Events(events.MailboxToken(alice))
		d, w := e.Dispatcher(), e.Worker("w1", nil)
		e.Want(alice)
		if told := synced(e, ch); len(told) != 0 {
			t.Fatalf("told of %+v, which is beyond the window", told)
		}
		testenv.Must(t, w.Stop())
		testenv.Must(t, d.Stop())
		time.Sleep(48 * time.Hour)
		e.Worker("w2", nil)
		got := page(e, e.Next(ch, time.Hour))
		if got.Reason != events.ReasonWindow || len(got.Changes) != 1 || got.Changes[0].ItemID != far.ID {
			t.Errorf("got %+v", got)
		}
		e.Quiet(ch, time.Hour)
	})
}

// deny refuses every call for alice with a fault of the catalogue and returns the rule's id.
func deny(e *testenv.Env, fault string) string {
	e.T.Helper()
	r, err := e.Sim.Faults().Add(faults.Rule{Fault: fault, Mailbox: alice})
	testenv.Must(e.T, err)
	return r.ID
}

func allow(e *testenv.Env, id string) {
	if !e.Sim.Faults().Remove(id) {
		e.T.Fatalf("no rule %s", id)
	}
}

// throttle answers alice's next call with a demand to wait.
func throttle(e *testenv.Env, fault string, d time.Duration) {
	e.T.Helper()
	then := faults.Then{BackOff: faults.Duration(d)}
	if fault == "H1" {
		then = faults.Then{RetryAfter: fmt.Sprint(int(d.Seconds()))}
	}
	_, err := e.Sim.Faults().Add(faults.Rule{Fault: fault, Mailbox: alice, Until: faults.Until{Count: 1}, Then: []faults.Then{then}})
	testenv.Must(e.T, err)
}
