package dispatcher

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestAgenda_AgainstAMap compares it with a map that is searched.
func TestAgenda_AgainstAMap(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var a agenda
		model := map[string]time.Time{}
		for step := range 2000 {
			mb, now := fmt.Sprint("mb", rnd.IntN(50)), at(step)
			switch rnd.IntN(5) {
			case 0, 1:
				to := at(step + rnd.IntN(100))
				a.set(mb, to)
				model[mb] = to
			case 2:
				from, to := model[mb], at(step+rnd.IntN(100))
				if rnd.IntN(2) == 0 {
					from = from.Add(time.Second)
				} else if !from.IsZero() {
					model[mb] = to
				}
				a.move(mb, from, to)
			case 3:
				a.drop(mb)
				delete(model, mb)
			case 4:
				checkTake(t, &a, model, rnd.IntN(5), now)
			}
		}
		checkTake(t, &a, model, 100, at(10_000))
	}
}

// checkTake takes from both and compares.
func checkTake(t *testing.T, a *agenda, model map[string]time.Time, n int, now time.Time) {
	t.Helper()
	due := 0
	for _, at := range model {
		if !at.After(now) {
			due++
		}
	}
	next := now.Add(7 * time.Second)
	got := a.take(n, now, next)
	if len(got) != min(due, n) {
		t.Fatalf("took %d of at most %d, %d are due", len(got), n, due)
	}
	var last time.Time
	for _, mb := range got {
		if at := model[mb]; at.After(now) || at.Before(last) {
			t.Fatalf("took %s of %v, at %v and after %v", mb, at, now, last)
		}
		last = model[mb]
		model[mb] = next
	}
	for mb, at := range model {
		if at.Before(last) {
			t.Fatalf("left %s of %v, took one of %v", mb, at, last)
		}
	}
}
