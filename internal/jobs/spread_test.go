package jobs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// outage is n mailboxes that some workers poll once a minute, in an order of chance and each time another, when a share of
// them is refused at one moment.
type outage struct {
	n, workers int
	share      float64
}

// run has the mailboxes polled until each was looked at once after that moment, and reports whether a worker takes it for
// an outage of all, and how many mailboxes were refused until then.
func (o outage) run(seed uint64) (wide bool, refused int) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	spreads := make([]Spread, o.workers)
	for i := range spreads {
		spreads[i].Round = time.Minute
	}
	affected := map[int]bool{}
	for _, mb := range rnd.Perm(o.n)[:int(o.share*float64(o.n)+0.5)] {
		affected[mb] = true
	}
	for round := range 4 {
		for i, mb := range rnd.Perm(o.n) {
			at := t0.Add(time.Duration(round)*time.Minute + time.Duration(i)*time.Minute/time.Duration(o.n))
			s := &spreads[rnd.IntN(o.workers)]
			if round < 3 || !affected[mb] {
				s.Worked(fmt.Sprint(mb), at)
				continue
			}
			s.Refused(fmt.Sprint(mb), at)
			refused++
			if _, _, wide := s.Wide(false); wide {
				return true, refused
			}
		}
	}
	return false, refused
}

// TestSpread_OrdersOfChance: what is a policy for some mailboxes opens nothing, whatever the order in which they are looked
// at, and what concerns nearly all does, soon. Of forty mailboxes a quarter was taken for an outage before.
func TestSpread_OrdersOfChance(t *testing.T) {
	cases := []struct {
		outage
		runs        int
		least, most float64 // of the runs that open
		refused     int     // mailboxes, at most, until then
	}{
		{outage{40, 1, 0.25}, 4000, 0, 0.001, 0},
		{outage{20, 1, 0.25}, 4000, 0, 0.001, 0},
		{outage{12, 1, 0.25}, 4000, 0, 0.001, 0},
		{outage{8, 1, 0.5}, 4000, 0, 0.001, 0},
		{outage{40, 3, 0.25}, 4000, 0, 0.001, 0},
		{outage{200, 1, 0.25}, 1000, 0, 0.002, 0},
		{outage{1000, 3, 0.25}, 20, 0, 0, 0},
		{outage{10_000, 3, 0.25}, 1, 0, 0, 0},
		{outage{40, 1, 1. / 3}, 4000, 0, 0.01, 0},
		{outage{200, 1, 1. / 3}, 500, 0, 0.03, 0},

		{outage{5, 1, 1}, 100, 1, 1, 5},
		{outage{10, 1, 0.9}, 1000, 1, 1, 9},
		{outage{40, 1, 1}, 100, 1, 1, 10},
		{outage{40, 1, 0.9}, 2000, 0.98, 1, 36},
		{outage{40, 3, 1}, 1000, 0.97, 1, 30},
		{outage{200, 2, 0.95}, 500, 1, 1, 50},
		{outage{10_000, 3, 1}, 3, 1, 1, 45},
		{outage{10_000, 3, 0.9}, 3, 1, 1, 150},
	}
	for _, c := range cases {
		opened, worst := 0, 0
		for seed := range c.runs {
			if wide, refused := c.run(uint64(seed)); wide {
				opened++
				worst = max(worst, refused)
			}
		}
		share := float64(opened) / float64(c.runs)
		t.Logf("%5d mailboxes, %d workers, %3.0f%% refused: opens in %6.2f%% of the orders, after %d at most", c.n, c.workers, 100*c.share, 100*share, worst)
		if share < c.least || share > c.most || c.least > 0 && worst > c.refused {
			t.Errorf("want %.2f%% to %.2f%%, after %d at most", 100*c.least, 100*c.most, c.refused)
		}
	}
}
