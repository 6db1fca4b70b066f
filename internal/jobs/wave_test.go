package jobs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// surf runs a wave over n mailboxes of which a share works again, each look taking a while, in steps of a quarter of a
// second. It returns how many were asked for, the most in any second, how many work, and how long it took.
func surf(t *testing.T, n int, share float64, seed uint64) (calls, perSecond, works int, took time.Duration) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 5))
	members := map[string]Digest{}
	fine := map[string]bool{}
	for i := range n {
		mb := fmt.Sprint("mb", i)
		members[mb] = Digest{Enabled: true, State: StateDenied, Detail: Detail{Failed: t0.Add(time.Duration(rnd.IntN(3600)) * time.Second), Gate: "g", Reason: "forbidden"}}
		fine[mb] = rnd.Float64() < share
	}
	w := NewWave(Group{}, members)
	answers := map[int][]string{} // by step
	second := make([]int, 1<<14)
	step := 0
	for ; !w.Over(); step++ {
		now := t0.Add(time.Duration(step) * time.Second / 4)
		for _, mb := range answers[step] {
			d := members[mb]
			if d.Failed = now; fine[mb] {
				d.State, d.Failed = StateOK, time.Time{}
				works++
			}
			w.Seen(mb, d)
		}
		for _, p := range w.Next(WaveRate/4, now, func(mb string) Digest { return members[mb] }) {
			calls++
			second[step/4]++
			perSecond = max(perSecond, second[step/4])
			after := step + 1 + rnd.IntN(8)
			answers[after] = append(answers[after], p.Mailbox)
		}
		if step >= 4*len(second)-4 {
			t.Fatal("it never ends")
		}
	}
	return calls, perSecond, works, time.Duration(step) * time.Second / 4
}

// TestWave_OneMailboxAlone: ten thousand are refused, and one of them was let in by itself. Three are asked for.
func TestWave_OneMailboxAlone(t *testing.T) {
	if calls, _, _, took := surf(t, 10_000, 0, 1); calls != 3 || took > time.Minute {
		t.Errorf("%d calls in %v", calls, took)
	}
}

// TestWave_All: all work again. Each is asked for once, at the rate, and soon.
func TestWave_All(t *testing.T) {
	for n, most := range map[int]time.Duration{1: 5 * time.Second, 40: 15 * time.Second, 1000: time.Minute + 15*time.Second, 10_000: 9 * time.Minute} {
		calls, perSecond, works, took := surf(t, n, 1, 1)
		t.Logf("%d mailboxes: %d calls in %v, %d in a second", n, calls, took, perSecond)
		if calls != n || works != n || perSecond > WaveRate || took > most {
			t.Errorf("%d mailboxes: %d calls, %d work, %d in a second, took %v", n, calls, works, perSecond, took)
		}
	}
}

// TestWave_SomeWorkAgain: for every one that works about one is asked for in vain at most, whatever their share.
func TestWave_SomeWorkAgain(t *testing.T) {
	for _, share := range []float64{0.01, 0.1, 0.3, 0.5, 0.7, 0.9} {
		for seed := range 200 {
			calls, perSecond, works, _ := surf(t, 1000, share, uint64(seed))
			if vain := calls - works; vain > works-scoreLeast+waveMost/4 || perSecond > WaveRate {
				t.Errorf("%.0f%% work again: %d asked for in vain, %d work, %d calls in a second", 100*share, vain, works, perSecond)
			}
		}
	}
	if calls, _, works, _ := surf(t, 1000, 0.9, 7); works < 890*calls/1000 || calls != 1000 {
		t.Errorf("nine of ten work again: %d calls, %d work", calls, works)
	}
}

// TestWave_Silence of those asked for ends a wave: no worker runs.
func TestWave_Silence(t *testing.T) {
	members := map[string]Digest{}
	for i := range 10 {
		members[fmt.Sprint(i)] = Digest{Enabled: true}
	}
	known := func(mb string) Digest { return members[mb] }
	w := NewWave(Group{}, members)
	members["0"] = Digest{} // removed since
	if got := w.Next(100, t0, known); len(got) != 3 || got[0].Mailbox != "1" || got[2].Mailbox != "3" {
		t.Errorf("asked for %v", got)
	}
	w.Skip("1")
	if got := w.Next(100, t0, known); len(got) != 1 || w.Over() {
		t.Errorf("in place of one that is not looked at: %v, over %v", got, w.Over())
	}
	if got := w.Next(100, t0.Add(waveAnswer+1), known); len(got) != 0 || !w.Over() || w.Silent != 3 {
		t.Errorf("after a minute: %v, over %v, %d silent", got, w.Over(), w.Silent)
	}
	if rest := w.Rest(0); rest != waveRest || w.Rest(rest) != 2*waveRest || w.Rest(time.Hour) != waveRestMost {
		t.Errorf("rests %v at first", rest)
	}
	w.Works = 1
	if w.Rest(8*time.Minute) != waveRest {
		t.Error("rests long although some work")
	}
}

// TestWave_OfTwoDispatchers: the second finds that those whom it would ask for have answered, and asks for nobody else.
func TestWave_OfTwoDispatchers(t *testing.T) {
	members := map[string]Digest{}
	for i := range 10 {
		members[fmt.Sprint(i)] = Digest{Enabled: true, State: StateDenied, Detail: Detail{Failed: t0}}
	}
	first, second := NewWave(Group{}, members), NewWave(Group{}, members)
	known := func(mb string) Digest { return members[mb] }
	for _, p := range first.Next(5, t0.Add(time.Minute), known) {
		mb := p.Mailbox
		members[mb] = Digest{Enabled: true, State: StateDenied, Detail: Detail{Failed: t0.Add(time.Minute)}}
		first.Seen(mb, members[mb])
	}
	if got := second.Next(5, t0.Add(time.Minute), known); len(got) > 0 || !first.Over() || !second.Over() {
		t.Errorf("asked for %v, over %v and %v", got, first.Over(), second.Over())
	}
}

// TestRecord_Retry changes what is parked by us, and nothing else.
func TestRecord_Retry(t *testing.T) {
	g := Group{"g", "forbidden"}
	parked := func(change func(r *Record)) Record {
		x := &Failure{At: t0, Class: Denied, Reason: g.Reason, Gate: g.Gate}
		r := Record{State: StateDenied, NotBefore: t0.Add(time.Hour), NextPoll: t0.Add(time.Hour), LastError: x, Refusal: x, Settings: Settings{Enabled: true}}
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		change         func(r *Record)
		comes, changed bool
	}{
		"parked":            {func(*Record) {}, true, true},
		"owned":             {func(r *Record) { r.Owner = "w" }, true, false},
		"asked for already": {func(r *Record) { r.NotBefore = time.Time{} }, true, false},
		"looked at since": {func(r *Record) {
			r.LastError = &Failure{At: t0.Add(time.Second), Class: Denied, Reason: g.Reason, Gate: g.Gate}
		}, true, false},
		"works":                      {func(r *Record) { r.State = StateOK }, false, false},
		"off":                        {func(r *Record) { r.Settings.Enabled = false }, false, false},
		"held":                       {func(r *Record) { r.Held = t0.Add(time.Hour) }, false, false},
		"another reason":             {func(r *Record) { r.LastError = &Failure{Class: Denied, Reason: "x", Gate: "g"} }, false, false},
		"refused, and throttled now": {func(r *Record) { r.LastError = &Failure{Class: Throttled, Code: "ErrorServerBusy", Gate: "g"} }, false, false},
	} {
		r := parked(c.change)
		before := r
		comes, changed := r.Retry(Probe{Group: g, Failed: t0}, t0)
		if comes != c.comes || changed != c.changed || changed != (r.Want == before.Want+1 && r.Until().IsZero()) {
			t.Errorf("%s: comes %v, changed %v, want %d, until %v", name, comes, changed, r.Want, r.Until())
		}
	}
}
