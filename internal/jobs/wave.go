package jobs

import (
	"cmp"
	"slices"
	"time"
)

// Group is what refused mailboxes have in common that are probably mended by the same act: by which sign-in and server,
// and why.
type Group struct{ Gate, Reason string }

// Group is the group of a mailbox that is refused. One that the access breaker holds is in none.
func (d Digest) Group() (g Group, refused bool) {
	if !d.Enabled || d.Gate == "" || d.State != StateDenied && d.State != StateBlocked {
		return g, false
	}
	return Group{d.Gate, d.Reason}, true
}

// Probe is a refused mailbox to be looked at early, and when it was last refused.
type Probe struct {
	Mailbox string
	Group   Group
	Failed  time.Time
}

// Retry has a mailbox looked at now if it is refused as the probe says. It reports whether a look comes, or came meanwhile,
// and whether that needed a change of the record. A back-off that Exchange asked for stays.
func (r *Record) Retry(p Probe, now time.Time) (comes, changed bool) {
	d := r.Digest()
	switch own, refused := d.Group(); {
	case !refused || own != p.Group, r.throttled():
		return false, false
	case r.Owner != "", !now.Before(r.NotBefore), d.Failed.UnixMilli() != p.Failed.UnixMilli():
		return true, false // another dispatcher was faster, or its own time has come
	}
	r.Want++
	r.Lane = Urgent(r.Lane, LanePoll)
	r.NotBefore = time.Time{}
	return true, true
}

// Wave is the looks at a group of refused mailboxes after one of them was found to work again: a few first, and more as
// long as they work too. A policy that was mended for one alone costs three calls, and never does a wave ask for many
// more mailboxes that are refused still than for those that work.
//
// It is not safe for concurrent use.
type Wave struct {
	group  Group
	queue  []string             // to be asked for, in this order
	failed map[string]time.Time // the newest failure of each when the wave began
	asked  map[string]time.Time // that have not answered, and when they were asked for
	window int                  // how many may be in asked
	score  int                  // those that worked less those that did not, kept below scoreMost

	Works, Refused, Silent int // of those that have been asked for
}

const (
	waveFirst = 3   // probes
	waveMost  = 100 // are asked for at once
	// WaveRate is how many mailboxes a second are asked for at most, by all waves together.
	WaveRate = 20
	// scoreLeast ends a wave: so many more were refused than worked, counted from scoreMost above it at most.
	scoreLeast, scoreMost = -3, 10
	// waveAnswer is how long a mailbox is given to be looked at.
	waveAnswer = time.Minute
	// waveRest is the pause after a wave before the next one of the group; it doubles to waveRestMost while nobody works.
	waveRest, waveRestMost = time.Minute, 15 * time.Minute
)

// NewWave makes a wave of a group's mailboxes. Those that were not looked at for the longest time come first, so that
// every dispatcher chooses the same.
func NewWave(g Group, members map[string]Digest) *Wave {
	w := &Wave{group: g, failed: map[string]time.Time{}, asked: map[string]time.Time{}, window: waveFirst}
	for mb, d := range members {
		w.queue = append(w.queue, mb)
		w.failed[mb] = d.Failed
	}
	slices.SortFunc(w.queue, func(a, b string) int {
		return cmp.Or(members[a].Failed.Compare(members[b].Failed), cmp.Compare(a, b))
	})
	return w
}

// Next returns at most n mailboxes to be asked for now. known says how a mailbox fares. One that was looked at since the
// wave began, for another dispatcher or by itself, has answered.
func (w *Wave) Next(n int, now time.Time, known func(mb string) Digest) []Probe {
	for mb, at := range w.asked {
		if now.Sub(at) > waveAnswer {
			w.count(mb, &w.Silent, -1)
		}
	}
	var next []Probe
	for len(next) < n && len(w.queue) > 0 && w.may() {
		mb := w.queue[0]
		w.queue = w.queue[1:]
		w.asked[mb] = now
		w.Seen(mb, known(mb))
		if _, open := w.asked[mb]; open {
			next = append(next, Probe{mb, w.group, w.failed[mb]})
		}
	}
	return next
}

// may reports whether another mailbox may be asked for. While none works, the probes are all.
func (w *Wave) may() bool {
	probing := w.Works == 0 && w.Refused+w.Silent+len(w.asked) >= waveFirst
	return !probing && len(w.asked) < w.window && w.score > scoreLeast
}

// Seen notes how a mailbox fares now.
func (w *Wave) Seen(mb string, d Digest) {
	_, asked := w.asked[mb]
	switch {
	case !asked:
	case !d.Enabled:
		w.Skip(mb)
	case d.State == StateOK:
		w.count(mb, &w.Works, 1)
	case !d.Failed.Equal(w.failed[mb]):
		w.count(mb, &w.Refused, -1)
	}
}

// Skip takes back that a mailbox was asked for: no look at it comes.
func (w *Wave) Skip(mb string) { delete(w.asked, mb) }

func (w *Wave) count(mb string, n *int, worth int) {
	delete(w.asked, mb)
	*n++
	w.score = min(w.score+worth, scoreMost)
	w.window = min(max(w.window+worth, waveFirst), waveMost)
}

// Over reports whether nobody is to be asked for any more, and everybody has answered.
func (w *Wave) Over() bool {
	return len(w.asked) == 0 && (len(w.queue) == 0 || w.score <= scoreLeast)
}

// Rest is the pause before the next wave of the group, the one before this one having been followed by last.
func (w *Wave) Rest(last time.Duration) time.Duration {
	if w.Works > 0 || last == 0 {
		return waveRest
	}
	return min(2*last, waveRestMost)
}
