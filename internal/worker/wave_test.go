package worker_test

import (
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/testenv"
)

// look has an operator look at a mailbox.
func (x *tenant) look(address string) {
	x.T.Helper()
	testenv.Must(x.T, x.Bus.Look(x.T.Context(), events.MailboxToken(address)))
}

// asked are the times, in whole seconds, at which mailboxes were asked for since then.
func (x *tenant) asked(addresses []string, since time.Time) (all []time.Time) {
	for _, a := range addresses {
		for _, c := range x.Sim.Faults().Calls(0, a, 0) {
			if !c.Time.Before(since.Truncate(time.Second)) {
				all = append(all, c.Time)
			}
		}
	}
	return all
}

// busiest is the largest number of times within a second.
func busiest(all []time.Time) (most int) {
	n := map[int64]int{}
	for _, at := range all {
		n[at.Unix()]++
		most = max(most, n[at.Unix()])
	}
	return most
}

// TestWave: a quarter of the mailboxes is refused and waits for an hour. When one of them is let in alone, three others are
// asked for; when all are, they are found to work within half a minute, at a bounded rate, and each is told once.
func TestWave(t *testing.T) {
	fleet(t, 120, 2, func(x *tenant) {
		refused := x.addresses[:30]
		x.forbid(refused)
		x.touch()
		time.Sleep(10 * time.Minute)
		if denied, _, single, _ := x.counts(); denied != 0 || single != 30 {
			x.T.Fatalf("%d events of the tenant, %d of single mailboxes", denied, single)
		}
		x.Dispatcher() // a second one changes nothing
		time.Sleep(time.Second)

		x.Sim.Faults().Allow(refused[7])
		began := time.Now()
		x.look(refused[7])
		time.Sleep(5 * time.Minute)
		others := append(append([]string{}, refused[:7]...), refused[8:]...)
		if n := len(x.asked(others, began)); n != 3 {
			x.T.Errorf("%d calls for the others after one was let in alone, want 3", n)
		}
		if _, _, single, back := x.counts(); single != 30 || back != 1 {
			x.T.Errorf("%d told to be refused, %d restored", single, back)
		}

		x.allow()
		began = time.Now()
		x.look(refused[0])
		time.Sleep(30 * time.Second)
		if _, _, _, back := x.counts(); back != 30 {
			x.T.Errorf("%d of 30 restored half a minute after one was", back)
		}
		if n := busiest(x.asked(others, began)); n > 3*20+2 { // a change costs three calls
			x.T.Errorf("%d calls for them in a second", n)
		}
		x.settled()
	})
}

// TestWave_OfAnotherReason: what was mended is not what is wrong with the others.
func TestWave_OfAnotherReason(t *testing.T) {
	fleet(t, 40, 1, func(x *tenant) {
		x.forbid(x.addresses[:5])
		for _, a := range x.addresses[5:10] {
			testenv.Must(x.T, x.Sim.Faults().Forbid(a, faults.DeniedSOAP))
		}
		time.Sleep(5 * time.Minute)
		x.Sim.Faults().Allow(x.addresses[0])
		began := time.Now()
		x.look(x.addresses[0])
		time.Sleep(5 * time.Minute)
		if n := len(x.asked(x.addresses[1:5], began)); n != 3 {
			x.T.Errorf("%d calls for those with the same reason, want 3", n)
		}
		if n := len(x.asked(x.addresses[5:10], began)); n != 0 {
			x.T.Errorf("%d calls for those with another reason", n)
		}
	})
}
