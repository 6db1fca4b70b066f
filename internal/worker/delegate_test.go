package worker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// before calls f before every request, with the operation's name in the interface.
type before struct {
	calsync.Reader
	f func(method string)
}

func (b *before) Probe(ctx context.Context, t calsync.Target, cursor string, most int) (calsync.Delta, error) {
	b.f("Probe")
	return b.Reader.Probe(ctx, t, cursor, most)
}

func (b *before) List(ctx context.Context, t calsync.Target, w calsync.Window) ([]calsync.Appointment, error) {
	b.f("List")
	return b.Reader.List(ctx, t, w)
}

func (b *before) Get(ctx context.Context, t calsync.Target, ids []string) ([]calsync.Result, error) {
	b.f("Get")
	return b.Reader.Get(ctx, t, ids)
}

func (b *before) Rights(ctx context.Context, t calsync.Target) (calsync.Rights, error) {
	b.f("Rights")
	return b.Reader.Rights(ctx, t)
}

// office is a world whose worker is a delegate in alice's calendar; on is asked before each of its requests.
type office struct {
	*testenv.Env
	ch    <-chan bus.Delivered
	on    func(method string)
	items []*store.Item // in the calendar before the first synchronization
}

func delegate(t *testing.T, f func(o *office)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		o := &office{Env: e, ch: e.Events(events.MailboxToken(alice)), on: func(string) {}}
		o.grant(store.Reviewer)
		o.items = o.created(3)
		e.Dispatcher()
		e.Worker("w1", func(w *worker.Options) {
			w.Delegate = true
			w.Calendar = &before{Reader: e.Delegate(), f: func(method string) { o.on(method) }}
		})
		e.Want(alice)
		if told := synced(e, o.ch); len(told) != len(o.items) {
			t.Fatalf("told %+v", told)
		}
		f(o)
	})
}

func (o *office) grant(a store.Access) {
	testenv.Must(o.T, o.Sim.Company().Mailbox(alice).Grant(exchangesim.ServiceUser, "calendar", a))
}

// once makes f run before the next call of a method.
func (o *office) once(method string, f func()) {
	o.on = func(m string) {
		if m == method {
			o.on = func(string) {}
			f()
		}
	}
}

// denied waits for the one event that rights are missing.
func (o *office) denied() events.AccessDenied {
	o.T.Helper()
	d := o.Next(o.ch, 10*time.Minute)
	got := data[events.AccessDenied](o.Env, d)
	if d.Type != events.TypeAccessDenied || got.Reason != events.RefusedFolderRights || got.Scope != events.ScopeMailbox {
		o.T.Fatalf("got %s %s", d.Type, d.Data)
	}
	return got
}

// restored waits for rights that were given back to be noticed.
func (o *office) restored() {
	o.T.Helper()
	if d := o.Next(o.ch, 2*time.Hour); d.Type != events.TypeAccessRestored {
		o.T.Fatalf("got %s %s", d.Type, d.Data)
	}
}

// told reads events until the changes of so many items came, which it returns by id.
func (o *office) told(n int) map[string]events.Change {
	o.T.Helper()
	got := map[string]events.Change{}
	for len(got) < n {
		if d := o.Next(o.ch, 2*time.Hour); d.Type == events.TypeCalendarChanged {
			for _, c := range page(o.Env, d).Changes {
				got[c.ItemID] = c
			}
		}
	}
	return got
}

func (o *office) created(n int) []*store.Item {
	var items []*store.Item
	for range n {
		items = append(items, create(o.Env, "meeting", time.Now().Add(24*time.Hour)))
	}
	return items
}

// TestDelegate_RightsTakenAway between two polls: the folder is "not found", which deletes nothing; what changed
// meanwhile is told when they are back.
func TestDelegate_RightsTakenAway(t *testing.T) {
	delegate(t, func(o *office) {
		o.grant(store.NoAccess)
		o.denied()
		m := o.Sim.Company().Mailbox(alice)
		testenv.Must(o.T, m.Delete(store.Actor{}, o.items[0].ID, "", store.HardDelete))
		made := o.created(1)[0]
		o.Quiet(o.ch, 3*time.Hour)
		o.grant(store.Reviewer)
		got := o.told(2)
		if got[o.items[0].ID].Kind != events.KindDeleted || got[made.ID].Kind != events.KindCreated {
			o.T.Errorf("told %+v", got)
		}
		o.restored()
		o.Quiet(o.ch, time.Hour)
	})
}

// TestDelegate_RightsTakenAwayInMidRun: each place where "not found" could be taken for "deleted", or make the cursor
// move beyond what was not read.
func TestDelegate_RightsTakenAwayInMidRun(t *testing.T) {
	cases := map[string]struct {
		before string // the call before which the rights go
		resync bool   // the server forgets the cursor first
	}{
		"between a page and its items":      {before: "Get"},
		"between a listing and the window":  {before: "List", resync: true},
		"between the window and its items":  {before: "Get", resync: true},
		"between an item and the last look": {before: "Rights", resync: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			delegate(t, func(o *office) {
				m := o.Sim.Company().Mailbox(alice)
				o.once(c.before, func() { o.grant(store.NoAccess) })
				if c.resync {
					m.InvalidateSyncStates()
					testenv.Must(o.T, m.Delete(store.Actor{}, o.items[0].ID, "", store.HardDelete))
				}
				made := o.created(2)
				o.denied()
				o.Quiet(o.ch, 3*time.Hour)
				o.grant(store.Reviewer)
				want := map[string]string{made[0].ID: events.KindCreated, made[1].ID: events.KindCreated}
				if c.resync {
					want[o.items[0].ID] = events.KindDeleted
				}
				got := o.told(len(want))
				for id, kind := range want {
					if got[id].Kind != kind {
						o.T.Errorf("told %+v, want %s of %s", got, kind, id)
					}
				}
			})
		})
	}
}

// TestDelegate_ItemThatCameAndWent: that an item is not found proves nothing; a complete listing does.
func TestDelegate_ItemThatCameAndWent(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		o := &office{Env: e, ch: e.Events(events.MailboxToken(alice))}
		o.grant(store.Reviewer)
		var it *store.Item
		o.once("List", func() { it = create(e, "between", time.Now().Add(24*time.Hour)) })
		e.Dispatcher()
		e.Worker("w1", func(w *worker.Options) {
			w.Delegate = true
			w.Calendar = &before{Reader: e.Delegate(), f: func(method string) { o.on(method) }}
		})
		e.Want(alice)
		synced(e, o.ch)
		testenv.Must(t, e.Sim.Company().Mailbox(alice).Delete(store.Actor{}, it.ID, "", store.HardDelete))
		got := page(e, e.Next(o.ch, 5*time.Minute))
		if c := got.Changes[0]; got.Reason != events.ReasonResync || c.Kind != events.KindDeleted || c.ItemID != it.ID {
			t.Errorf("told %+v", got)
		}
		if d := e.Next(o.ch, time.Minute); d.Type != events.TypeSyncCompleted {
			t.Errorf("got %s", d.Type)
		}
		e.Quiet(o.ch, time.Hour)
	})
}

// TestDelegate_PrivateItem: an item that a delegate may not see concerns itself alone, also where Exchange stops the
// batch at it.
func TestDelegate_PrivateItem(t *testing.T) {
	delegate(t, func(o *office) {
		items := o.created(4)
		_, err := o.Sim.Faults().Add(faults.Rule{Fault: "E16", Mailbox: alice, Operation: "GetItem",
			Item: &faults.Item{ID: items[1].ID, Rest: "ErrorBatchProcessingStopped"}, Then: []faults.Then{{Code: "ErrorAccessDenied"}}})
		testenv.Must(o.T, err)
		var got []string
		for _, c := range page(o.Env, o.Next(o.ch, 2*time.Minute)).Changes {
			got = append(got, c.ItemID)
		}
		want := []string{items[0].ID, items[2].ID, items[3].ID}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			o.T.Errorf("told %q, want %q", got, want)
		}
		o.Quiet(o.ch, time.Hour)
	})
}
