package worker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/testenv"
)

// limitEvents changes how many events the stream to ROOMS takes; -1 is any number.
func limitEvents(e *testenv.Env, change func(s jetstream.StreamInfo) int64) {
	e.T.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(e.NATS))
	testenv.Must(e.T, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	testenv.Must(e.T, err)
	s, err := js.Stream(e.T.Context(), events.StreamEvents)
	testenv.Must(e.T, err)
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = change(*s.CachedInfo())
	cfg.MaxAge = 0 // an update looks at ages by the real clock, also in a bubble, where all messages are decades old
	_, err = js.UpdateStream(e.T.Context(), cfg)
	testenv.Must(e.T, err)
}

// TestStreamFull_HoldsUpAndLosesNothing: while ROOMS' stream takes no more, the change waits in the record, nobody loops,
// and it is told once there is room.
func TestStreamFull_HoldsUpAndLosesNothing(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		limitEvents(e, func(s jetstream.StreamInfo) int64 { return int64(s.State.Msgs) })
		it := create(e, "waits", time.Now().Add(time.Hour))
		e.Quiet(ch, 10*time.Minute)
		if calls := len(e.Sim.Faults().Calls(0, alice, 0)); calls > 200 {
			e.T.Errorf("%d calls while the stream was full", calls)
		}
		limitEvents(e, func(jetstream.StreamInfo) int64 { return -1 })
		if got := page(e, e.Next(ch, time.Minute)); len(got.Changes) != 1 || got.Changes[0].ItemID != it.ID {
			e.T.Errorf("got %+v", got)
		}
		e.Quiet(ch, 5*time.Minute)
	})
}

// TestPoisonItem_ConcernsItselfAlone: an item that Exchange cannot give is put aside; its neighbours are told.
func TestPoisonItem_ConcernsItselfAlone(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		var items []*store.Item
		for range 3 {
			items = append(items, create(e, "neighbour", time.Now().Add(time.Hour)))
		}
		_, err := e.Sim.Faults().Add(faults.Rule{Fault: "E14", Mailbox: alice, Operation: "GetItem", Item: &faults.Item{ID: items[1].ID}})
		testenv.Must(e.T, err)
		told := map[string]bool{}
		for _, c := range page(e, e.Next(ch, 2*time.Minute)).Changes {
			told[c.ItemID] = true
		}
		if !told[items[0].ID] || told[items[1].ID] || !told[items[2].ID] {
			e.T.Errorf("told %v", told)
		}
		nc, err := nats.Connect("", nats.InProcessServer(e.NATS))
		testenv.Must(e.T, err)
		defer nc.Close()
		js, err := jetstream.New(nc)
		testenv.Must(e.T, err)
		dead, err := js.Stream(e.T.Context(), events.StreamDead)
		testenv.Must(e.T, err)
		if n := dead.CachedInfo().State.Msgs; n != 1 {
			e.T.Errorf("%d dead letters, want 1", n)
		}
		e.Quiet(ch, 5*time.Minute)
	})
}

// TestOneMailboxInTrouble_LeavesTheOthersAlone: with one mailbox forbidden and one throttled, a third is told of its
// change as soon as ever.
func TestOneMailboxInTrouble_LeavesTheOthersAlone(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 5, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		e.Worker("w1", nil)
		for _, m := range e.Sim.Company().Mailboxes() {
			e.Want(m.Address)
		}
		synced(e, ch)
		testenv.Must(t, e.Sim.Faults().Forbid("user0002@contoso.example", faults.Denied403))
		_, err := e.Sim.Faults().Add(faults.Rule{Fault: "H15", Mailbox: "user0003@contoso.example"})
		testenv.Must(t, err)
		e.Sim.Faults().Throttle("user0004@contoso.example", time.Hour)
		for range 10 {
			began := time.Now()
			create(e, "on time", began.Add(time.Hour))
			page(e, e.Next(ch, 2*time.Minute))
			if late := time.Since(began); late > 70*time.Second {
				t.Errorf("told after %v", late)
			}
		}
		if v := e.Sim.Faults().Violations(); len(v) > 0 {
			t.Errorf("violations: %+v", v)
		}
	})
}

// TestStop_HandsBack: a worker that is stopped with a call that never ends gives the mailbox back in time, and another
// takes it up within a second.
func TestStop_HandsBack(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		w := e.Worker("w1", nil)
		e.Want(alice)
		synced(e, ch)
		it := create(e, "handed over", time.Now().Add(time.Hour))
		rule, err := e.Sim.Faults().Add(faults.Rule{Fault: "H15", Mailbox: alice})
		testenv.Must(t, err)
		waitCalls(e, func(r faults.Rule) bool { return r.Fired > 0 })
		began := time.Now()
		testenv.Must(t, w.Stop())
		if took := time.Since(began); took < 10*time.Second || took > 25*time.Second {
			t.Errorf("stopped after %v", took)
		}
		e.Sim.Faults().Remove(rule.ID)
		began = time.Now()
		e.Worker("w2", nil)
		if got := page(e, e.Next(ch, time.Minute)); got.Changes[0].ItemID != it.ID {
			t.Errorf("got %+v", got)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("taken over after %v", took)
		}
	})
}

// waitCalls waits until a rule of the simulator satisfies f.
func waitCalls(e *testenv.Env, f func(faults.Rule) bool) {
	e.T.Helper()
	for range 1000 {
		for _, r := range e.Sim.Faults().Rules() {
			if f(r) {
				return
			}
		}
		time.Sleep(time.Second) // fake time
	}
	e.T.Fatal("no call came")
}

// TestSettings_ChangedFieldsAreToldAnew: what ROOMS is to know of items that it knows already is told again.
func TestSettings_ChangedFieldsAreToldAnew(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		it := create(e, "Secret project", time.Now().Add(time.Hour))
		if c := page(e, e.Next(ch, 2*time.Minute)).Changes[0]; c.Subject == "" {
			e.T.Fatalf("told %+v", c)
		}
		entry := events.Mailbox{Address: alice, Mode: events.ModeO365Pull, Enabled: true, Fields: []string{}}
		_, err := e.Bus.PutMailbox(e.T.Context(), events.MailboxToken(alice), entry)
		testenv.Must(e.T, err)
		c := page(e, e.Next(ch, 2*time.Minute)).Changes[0]
		if c.ItemID != it.ID || c.Kind != events.KindUpdated || c.Subject != "" || c.Organizer != nil {
			e.T.Errorf("told %+v", c)
		}
		entry.Enabled = false
		_, err = e.Bus.PutMailbox(e.T.Context(), events.MailboxToken(alice), entry)
		testenv.Must(e.T, err)
		synced(e, ch)
		create(e, "unseen", time.Now().Add(2*time.Hour))
		e.Quiet(ch, 10*time.Minute)
		entry.Enabled = true
		_, err = e.Bus.PutMailbox(e.T.Context(), events.MailboxToken(alice), entry)
		testenv.Must(e.T, err)
		if c := page(e, e.Next(ch, 2*time.Minute)).Changes[0]; c.Kind != events.KindCreated {
			e.T.Errorf("told %+v", c)
		}
	})
}
