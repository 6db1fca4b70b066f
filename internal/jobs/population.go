package jobs

import "time"

// population is about how many mailboxes one worker looks at. Few are known by name, of many only the looks are counted.
type population struct {
	began time.Time            // of the first look of those that come regularly
	few   map[string]time.Time // the newest look at each, spreadFew at most
	more  time.Time            // when one was looked at that is not among the few

	// Looks in the round under way, and in the one before it.
	round     time.Time
	now, last int
}

// manyUnknown is how many mailboxes there may be until a round has shown it.
const manyUnknown = 1024

// seen notes a look. It costs a look-up in a small map.
func (p *population) seen(mailbox string, at time.Time, round time.Duration) {
	switch age := at.Sub(p.round); {
	case p.began.IsZero(), age >= 2*round: // the first look, or a round without any: the breaker was open, or NATS away
		*p = population{began: at, round: at, few: map[string]time.Time{}}
	case age >= round:
		p.round, p.last, p.now = p.round.Add(round), p.now, 0
	}
	p.now++
	if _, known := p.few[mailbox]; !known && len(p.few) == spreadFew {
		p.forget(at, round)
	}
	if _, known := p.few[mailbox]; known || len(p.few) < spreadFew {
		p.few[mailbox] = at
	} else {
		p.more = at
	}
}

// forget drops those of the few that nobody looks at any more. While there are more it is not worth the time.
func (p *population) forget(at time.Time, round time.Duration) {
	if !p.more.IsZero() && at.Sub(p.more) < remembered(round) {
		return
	}
	for mailbox, seen := range p.few {
		if at.Sub(seen) > remembered(round) {
			delete(p.few, mailbox)
		}
	}
}

// remembered is how long a mailbox counts that is not looked at again.
func remembered(round time.Duration) time.Duration { return max(spreadFor, 2*round) }

// complete reports whether a whole round has been watched.
func (p *population) complete(at time.Time, round time.Duration) bool {
	return !p.began.IsZero() && at.Sub(p.began) >= round
}

// all is how many mailboxes there are, and whether that is known: they are few, and a whole round has been watched.
func (p *population) all(at time.Time, round time.Duration) (n int, known bool) {
	for _, seen := range p.few {
		if at.Sub(seen) <= remembered(round) {
			n++
		}
	}
	return n, p.complete(at, round) && (p.more.IsZero() || at.Sub(p.more) > remembered(round))
}

// about is how many mailboxes are looked at in a round, at least one.
func (p *population) about(at time.Time, round time.Duration) int {
	n := max(p.now, p.last, 1)
	if !p.complete(at, round) {
		n = max(n, manyUnknown)
	}
	return n
}
