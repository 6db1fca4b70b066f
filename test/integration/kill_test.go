package integration

import (
	"math/rand/v2"
	"testing"
	"time"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/traffic"
)

// TestKill_NothingLostDoubledOrReordered edits calendars at random while two workers bring them up to date, one of
// which is killed (SIGKILL) again and again, and judges the events by the simulator's own log.
func TestKill_NothingLostDoubledOrReordered(t *testing.T) {
	edits, mailboxes := 10_000, 60
	if testing.Short() {
		edits = 1_000
	}
	s := startSystem(t, exchangesim.Options{Seed: 7, Mailboxes: mailboxes, Items: 10, BusyShare: exchangesim.NoBusyShare})
	audit := newAuditor(s.sim.Company())
	s.follow(audit.take)
	s.dispatcher()
	workers := []*process{s.worker(), s.worker()}
	s.want()
	eventually(t, time.Minute, audit.settled)

	gen, err := traffic.New(s.sim.Company(), traffic.Options{Seed: 7})
	must(t, err)
	rnd := rand.New(rand.NewPCG(7, 7))
	kills := 0
	for done := 0; done < edits; {
		n := min(25, edits-done)
		_, err := gen.Do(n)
		must(t, err)
		done += n
		if rnd.IntN(10) == 0 {
			i := rnd.IntN(len(workers))
			workers[i].kill()
			workers[i] = s.worker()
			kills++
		}
		pace := time.NewTimer(50 * time.Millisecond) // so that edits come while pages are being read
		<-pace.C
	}
	eventually(t, 2*time.Minute, audit.settled)
	audit.mu.Lock()
	defer audit.mu.Unlock()
	for i, f := range audit.faults {
		if i == 10 {
			t.Errorf("… and %d more", len(audit.faults)-i)
			break
		}
		t.Error(f)
	}
	for _, v := range s.sim.Faults().Violations() {
		t.Errorf("violation: %+v", v)
	}
	t.Logf("%d edits, %d kills: %d events with %d changes", edits, kills, audit.pages, audit.changes)
	if kills < edits/1000 || audit.changes < edits/4 {
		t.Errorf("%d kills and %d changes: the test proves nothing", kills, audit.changes)
	}
}
