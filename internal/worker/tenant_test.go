package worker_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

// tenant is a fleet of many mailboxes that have all been synchronized.
type tenant struct {
	*testenv.Env
	addresses []string
	workers   []*testenv.Part

	mu     sync.Mutex
	events []bus.Delivered // all but the first synchronizations'
}

// fleet starts workers for n mailboxes that are polled every minute.
func fleet(t *testing.T, n, workers int, f func(x *tenant)) {
	t.Helper()
	logged(t, n, workers, nil, f)
}

// logged is fleet with a log of all parts.
func logged(t *testing.T, n, workers int, log io.Writer, f func(x *tenant)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Log: zerolog.New(log).With().Timestamp().Logger(), Sim: exchangesim.Options{Mailboxes: n, Items: -1, Calls: 1_000_000}})
		x := &tenant{Env: e}
		e.Dispatcher()
		for i := range workers {
			x.workers = append(x.workers, e.Worker(fmt.Sprint("w", i), nil))
		}
		for _, m := range e.Sim.Company().Mailboxes() {
			x.addresses = append(x.addresses, m.Address)
			e.Want(m.Address)
		}
		ch := e.Events("*")
		for range n {
			if d := e.Next(ch, time.Minute); d.Type != events.TypeSyncCompleted {
				t.Fatalf("got %s", d.Type)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			for {
				select {
				case d := <-ch:
					x.mu.Lock()
					x.events = append(x.events, d)
					x.mu.Unlock()
				case <-ctx.Done():
					return
				}
			}
		}()
		time.Sleep(2 * time.Minute) // fake time: everybody has been polled, and worked
		f(x)
	})
}

// forbid refuses mailboxes as a policy does.
func (x *tenant) forbid(addresses []string) {
	for _, a := range addresses {
		testenv.Must(x.T, x.Sim.Faults().Forbid(a, faults.Denied403))
	}
}

func (x *tenant) allow() {
	for _, a := range x.addresses {
		x.Sim.Faults().Allow(a)
	}
}

// of returns the events so far of a type, those of the whole tenant apart from those of single mailboxes.
func (x *tenant) of(typ string) (tenant, single []bus.Delivered) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range x.events {
		switch {
		case d.Type != typ:
		case strings.HasPrefix(d.Mailbox, events.TenantToken("")):
			tenant = append(tenant, d)
		default:
			single = append(single, d)
		}
	}
	return tenant, single
}

// counts are the numbers of denied and restored events: the tenant's, and single mailboxes'.
func (x *tenant) counts() (denied, restored, singleDenied, singleRestored int) {
	d, sd := x.of(events.TypeAccessDenied)
	r, sr := x.of(events.TypeAccessRestored)
	return len(d), len(r), len(sd), len(sr)
}

// restored waits for the event that the tenant's access is back.
func (x *tenant) restored(patience time.Duration) []bus.Delivered {
	x.T.Helper()
	for range patience / time.Second {
		if r, _ := x.of(events.TypeAccessRestored); len(r) > 0 {
			return r
		}
		time.Sleep(time.Second)
	}
	x.T.Fatalf("access is not told to be back within %v", patience)
	return nil
}

// calls counts the calls to Exchange while f runs.
func (x *tenant) calls(f func()) int {
	before := x.Sim.Faults().Counters().Calls
	f()
	return int(x.Sim.Faults().Counters().Calls - before)
}

func (x *tenant) during(d time.Duration) int { return x.calls(func() { time.Sleep(d) }) }

// touch changes every calendar, and wants a look at some of them.
func (x *tenant) touch() {
	for i, a := range x.addresses {
		m := x.Sim.Company().Mailbox(a)
		_, err := m.Create(store.Actor{}, m.Calendar(), appointment("changed meanwhile", time.Now().Add(48*time.Hour)))
		testenv.Must(x.T, err)
		if i%10 == 0 {
			testenv.Must(x.T, x.Bus.Trigger(x.T.Context(), events.MailboxToken(a), jobs.LaneBooking))
		}
	}
}

// settled checks that every mailbox was told its change, works, and is not held; nobody came too early, nor two at once.
func (x *tenant) settled() {
	x.T.Helper()
	told := map[string]int{}
	x.mu.Lock()
	for _, d := range x.events {
		if d.Type == events.TypeCalendarChanged {
			told[d.Mailbox]++
		}
	}
	x.mu.Unlock()
	lost := 0
	for _, a := range x.addresses {
		r := record(x.Env, a)
		if r.State != jobs.StateOK || !r.Held.IsZero() || r.Done < r.Want || told[events.MailboxToken(a)] != 1 {
			if lost++; lost < 4 {
				x.T.Errorf("%s: state %q, held %v, want %d, done %d, told %d times", a, r.State, r.Held, r.Want, r.Done, told[events.MailboxToken(a)])
			}
		}
	}
	if lost > 0 {
		x.T.Errorf("%d mailboxes are not in order", lost)
	}
	if v := x.Sim.Faults().Violations(); len(v) > 0 {
		x.T.Errorf("violations: %+v", v[:min(3, len(v))])
	}
}
