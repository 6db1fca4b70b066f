package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim/store"
)

// lag measures how long an edit in Exchange takes until its event is with ROOMS, and accounts for every edit: it is
// told, or undone before anybody looked, or in a mailbox that refuses access, or still on its way.
//
// An event that carries a version of an item tells all edits up to that version. It is safe for concurrent use.
type lag struct {
	mu      sync.Mutex
	edits   map[place][]edit // not told yet, oldest first
	refused map[string]bool  // mailboxes whose edits nobody can see
	samples []sample         // a ring of the newest
	n       int              // samples ever taken
	account account
}

// place is where an item lives.
type place struct{ mailbox, item string }

// edit is a version of an item.
type edit struct {
	kind    store.EffectKind
	version string // change key
	at      time.Time
}

// sample is one edit that was told.
type sample struct {
	at   time.Time // when it was told
	took time.Duration
}

// account says what became of all edits; Edits is the sum of the others.
type account struct{ Edits, Told, Undone, Refused, Waiting int }

// maxSamples bounds the ring: an hour at the default rate.
const maxSamples = 15_000

func newLag() *lag { return &lag{edits: map[place][]edit{}, refused: map[string]bool{}} }

// edited notes an effect in Exchange.
func (l *lag) edited(e store.Effect) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account.Edits++
	if l.refused[e.Mailbox] {
		l.account.Refused++
		return
	}
	p := place{e.Mailbox, e.ItemID}
	waiting := l.edits[p]
	if e.Kind == store.EffectDelete && len(waiting) > 0 && waiting[0].kind == store.EffectCreate {
		l.account.Undone += len(waiting) + 1
		delete(l.edits, p)
		return
	}
	l.edits[p] = append(waiting, edit{e.Kind, e.ChangeKey, e.Time})
}

// told notes that ROOMS heard of a change.
func (l *lag) told(mailbox string, c events.Change, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := place{mailbox, c.ItemID}
	waiting := l.edits[p]
	last := slices.IndexFunc(waiting, func(e edit) bool {
		if c.Kind == events.KindDeleted {
			return e.kind == store.EffectDelete
		}
		return e.kind != store.EffectDelete && e.version == c.ChangeKey
	})
	for _, e := range waiting[:last+1] {
		l.take(sample{at, at.Sub(e.at)})
	}
	if waiting = waiting[last+1:]; len(waiting) == 0 {
		delete(l.edits, p)
	} else {
		l.edits[p] = waiting
	}
}

func (l *lag) take(s sample) {
	l.account.Told++
	if len(l.samples) < maxSamples {
		l.samples = append(l.samples, s)
	} else {
		l.samples[l.n%maxSamples] = s
	}
	l.n++
}

// refuse leaves a mailbox's edits out of the measurement, or takes them in again: what Exchange hides from roomsync
// says nothing about roomsync.
func (l *lag) refuse(mailbox string, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !refused {
		delete(l.refused, mailbox)
		return
	}
	l.refused[mailbox] = true
	for p, waiting := range l.edits {
		if p.mailbox == mailbox {
			l.account.Refused += len(waiting)
			delete(l.edits, p)
		}
	}
}

// listed notes that a mailbox was read from the beginning. What was deleted before that, of items nobody knew, is not told.
func (l *lag) listed(mailbox string, known func(item string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, waiting := range l.edits {
		if p.mailbox == mailbox && waiting[len(waiting)-1].kind == store.EffectDelete && !known(p.item) {
			l.account.Undone += len(waiting)
			delete(l.edits, p)
		}
	}
}

// total is what became of all edits so far.
func (l *lag) total() account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account
	for _, waiting := range l.edits {
		a.Waiting += len(waiting)
	}
	return a
}

// late counts the edits that ROOMS should have heard of by now, and tells how long the oldest has been on its way.
func (l *lag) late(now time.Time, after time.Duration) delay {
	l.mu.Lock()
	defer l.mu.Unlock()
	var d delay
	for _, waiting := range l.edits {
		for _, e := range waiting {
			if age := now.Sub(e.at); age > after {
				d.edits++
				d.oldest = max(d.oldest, age)
			}
		}
	}
	return d
}

// delay says how many edits are late; zero when none is.
type delay struct {
	edits  int
	oldest time.Duration
}

func (d delay) String() string {
	if d.edits == 0 {
		return ""
	}
	if d.edits == 1 {
		return fmt.Sprintf("LATE: 1 edit not told for %v", d.oldest.Round(time.Second))
	}
	return fmt.Sprintf("LATE: %d edits not told yet, the oldest for %v", d.edits, d.oldest.Round(time.Second))
}

// spread is the median and the slow end of some samples; all zero when there are none.
type spread struct {
	p50, p99 time.Duration
	n        int
}

func (s spread) String() string {
	if s.n == 0 {
		return "unknown yet"
	}
	return "p50 " + short(s.p50) + ", p99 " + short(s.p99)
}

// short is a duration to two or three digits.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// since looks at the samples that were taken at that time or later.
func (l *lag) since(t time.Time) spread {
	l.mu.Lock()
	var took []time.Duration
	for _, s := range l.samples {
		if !s.at.Before(t) {
			took = append(took, s.took)
		}
	}
	l.mu.Unlock()
	slices.Sort(took)
	return spread{percentile(took, 50), percentile(took, 99), len(took)}
}

// percentile is the smallest value that at least p percent of the sorted values do not exceed (nearest rank).
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

// meter turns a growing count into a rate over the last seconds.
type meter struct {
	times  []time.Time
	counts []uint64
}

// meterSpan is how far back a meter looks.
const meterSpan = 5 * time.Second

// rate notes the count now and returns the mean growth per second over the last meterSpan.
func (m *meter) rate(now time.Time, count uint64) float64 {
	m.times, m.counts = append(m.times, now), append(m.counts, count)
	for len(m.times) > 2 && now.Sub(m.times[1]) >= meterSpan {
		m.times, m.counts = m.times[1:], m.counts[1:]
	}
	span := now.Sub(m.times[0]).Seconds()
	if span <= 0 {
		return 0
	}
	return float64(count-m.counts[0]) / span
}
