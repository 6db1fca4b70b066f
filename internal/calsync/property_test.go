package calsync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// play draws one calendar, lets both sides change it while attempts break off, and then waits for quiet.
func play(seed uint64, b brain, verbose bool) *world {
	w := newWorld(rand.New(rand.NewPCG(seed, 1)), b)
	w.verbose = verbose
	w.rooms.edit()
	for range 4 + w.r.IntN(16) {
		switch w.r.IntN(8) {
		case 0, 1:
			w.rooms.edit()
		case 2, 3:
			w.people()
		case 4, 5:
			w.run()
		case 6:
			if !w.tried {
				w.pull() // a run that goes on from a broken one first does what is pending
			}
		default:
			if len(w.rooms.inbox) > 0 {
				w.rooms.read()
			}
		}
	}
	w.calm = true
	w.settle()
	return w
}

// settle goes round until nothing is left to do.
func (w *world) settle() {
	for round := 0; ; round++ {
		if round > 200 {
			w.fault("no quiet after 200 rounds")
			return
		}
		if w.applied == len(w.changes) && len(w.exchange.pulled) == 0 && len(w.rooms.inbox) == 0 {
			w.judge()
			return
		}
		w.run()
		w.pull()
		for len(w.rooms.inbox) > 0 {
			w.rooms.read()
		}
	}
}

// judge demands what must hold in the end.
func (w *world) judge() {
	for revision := int64(1); revision <= w.rooms.revision; revision++ {
		if n := w.answers[revision]; n != 1 {
			w.fault(fmt.Sprintf("revision %d has %d answers", revision, n))
		}
	}
	if w.messages > 4*w.edits {
		w.fault(fmt.Sprintf("%d messages for %d edits", w.messages, w.edits))
	}
	w.faults = append(w.faults, w.exchange.faults...)
	ours := 0
	for _, i := range w.exchange.items {
		if i.where == "calendar" && i.bookingID == theBooking && !i.peoples && !i.cancelled {
			ours++
		}
	}
	if ours > 1 {
		w.fault("duplicates")
	}
	linked := w.exchange.find(w.link.ItemID)
	there := linked != nil && !linked.cancelled && w.link.State == LinkLive
	switch {
	case w.rooms.stands && !there:
		w.fault("ROOMS has it, Exchange has not")
	case !w.rooms.stands && there:
		w.fault("Exchange has it, ROOMS has not")
	case !w.rooms.stands && ours > 0:
		w.fault("resurrected")
	case there:
		w.compare(linked)
	}
}

func (w *world) compare(i *item) {
	want, is := DigestsOf(stored(placed(w.rooms.content)), w.policy, ""), DigestsOf(i.content, w.policy, "")
	for _, p := range parts(want, is) {
		if want[p] != is[p] {
			w.fault("the sides differ in " + string(p))
		}
	}
}

func TestConverges(t *testing.T) {
	cases := 20_000
	if testing.Short() {
		cases = 2_000
	}
	begun := time.Now()
	for seed := range uint64(cases) {
		w := play(seed, sound(), false)
		if len(w.faults) > 0 {
			w = play(seed, sound(), true)
			t.Fatalf("seed %d (%s): %s\n%s", seed, w.policy.Winner, strings.Join(slices.Compact(w.faults), "; "), strings.Join(w.log, "\n"))
		}
	}
	t.Logf("%.0f cases a minute", float64(cases)/time.Since(begun).Minutes())
}

// Each of these planners is wrong in one way, and must be found out.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute, and minutes with the race detector; run without -short")
	}
	for name, mutant := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20_000) {
				if found := survives(seed, mutant); found != "" {
					t.Logf("seed %d: %s", seed, found)
					return
				}
			}
			t.Error("nobody noticed")
		})
	}
}

// survives plays a mutant, which may also break down.
func survives(seed uint64, b brain) (found string) {
	defer func() {
		if broken := recover(); broken != nil {
			found = fmt.Sprint(broken)
		}
	}()
	return strings.Join(play(seed, b, false).faults, "; ")
}
