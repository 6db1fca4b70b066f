package worker_test

import (
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/testenv"
)

// TestBreaker_NoFalseAlarm: what is no spread opens nothing.
func TestBreaker_NoFalseAlarm(t *testing.T) {
	t.Run("a few of many", func(t *testing.T) {
		fleet(t, 80, 1, func(x *tenant) {
			x.forbid([]string{x.addresses[3], x.addresses[30], x.addresses[50], x.addresses[70]})
			x.touch()
			if n := x.during(20 * time.Minute); n < 1400 {
				x.T.Errorf("%d calls: the others do not go on", n)
			}
			if denied, _, single, _ := x.counts(); denied != 0 || single != 4 {
				x.T.Errorf("%d events of the tenant, %d of single mailboxes", denied, single)
			}
		})
	})
	t.Run("a quarter of forty", func(t *testing.T) { // RestrictAccess with a group that lacks a few
		fleet(t, 40, 1, func(x *tenant) {
			x.forbid(x.addresses[:10])
			x.touch()
			if n := x.during(20 * time.Minute); n < 30*18 {
				x.T.Errorf("%d calls: the others do not go on", n)
			}
			if denied, _, single, _ := x.counts(); denied != 0 || single != 10 {
				x.T.Errorf("%d events of the tenant, %d of single mailboxes", denied, single)
			}
		})
	})
	t.Run("a tiny tenant", func(t *testing.T) {
		fleet(t, 4, 1, func(x *tenant) {
			x.forbid(x.addresses)
			x.touch()
			if n := x.during(time.Hour / 2); n > 10 {
				x.T.Errorf("%d calls", n)
			}
			if denied, _, single, _ := x.counts(); denied != 0 || single != 4 {
				x.T.Errorf("%d events of the tenant, %d of single mailboxes", denied, single)
			}
			x.allow()
			time.Sleep(70 * time.Minute)
			x.settled()
		})
	})
}

// TestBreaker_StartWithManyRefused: mailboxes that were refused before a worker starts are looked at each by itself.
func TestBreaker_StartWithManyRefused(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 60, Items: -1}})
		for _, m := range e.Sim.Company().Mailboxes() {
			testenv.Must(t, e.Sim.Faults().Forbid(m.Address, faults.Denied403))
			e.Want(m.Address)
		}
		ch := e.Events("*")
		e.Dispatcher()
		w := e.Worker("w1", nil) // none of them was ever fine: that is no change
		for range 60 {
			if d := e.Next(ch, time.Minute); d.Type != events.TypeAccessDenied || strings.HasPrefix(d.Mailbox, "_tenant-") {
				t.Fatalf("got %s of %s", d.Type, d.Mailbox)
			}
		}
		time.Sleep(90 * time.Minute)
		testenv.Must(t, w.Stop())
		time.Sleep(time.Hour)
		e.Worker("w2", nil) // all are due at once
		e.Quiet(ch, 2*time.Hour)
	})
}
