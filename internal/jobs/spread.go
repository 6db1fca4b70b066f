package jobs

import (
	"math"
	"time"
)

// Spread watches how far refusals spread over the mailboxes of one credential at one server, as one worker sees it. A
// bare refusal has many causes, and only the spread tells a mailbox's from the tenant's.
//
// It counts mailboxes that were fine: one that was refused before, or never worked, says nothing new. It is not safe
// for concurrent use.
type Spread struct {
	// Round is how long it takes until every mailbox has been looked at once: the poll interval. Zero is a minute.
	Round time.Duration

	looks  []look // since the oldest refusal that counts, each mailbox by its newest
	worked string // the mailbox that worked most recently, and was not refused since
	people population
}

type look struct {
	mailbox string
	at      time.Time
	refused bool
}

const (
	// spreadFor is how long a look counts.
	spreadFor = 5 * time.Minute
	// spreadLeast is how many mailboxes must be refused. A tenant with fewer never shows a spread.
	spreadLeast = 5
	// spreadBase and spreadFine are why a policy that refuses a quarter of the mailboxes opens nothing, in whatever order
	// chance has them looked at. Of n mailboxes that are looked at in a round, 6 + log4(n) must be refused, and three more
	// for each that works between them. A row of that length comes by chance in less than one of four thousand rounds.
	spreadBase, spreadFine = 6, 3
	// spreadFew is up to how many mailboxes all are known, so that four fifths of them may be counted instead.
	spreadFew = 32
	// spreadSure is how many must be refused, with none that works between them, soon after it was found that only a part
	// of the tenant is refused. Where that part is nine of ten, such a row comes by chance once in 38,000.
	spreadSure = 100
	// maxLooks bounds the memory; what is older is diluted beyond counting.
	maxLooks = 4096
)

// Worked notes that a mailbox was looked at and works.
func (s *Spread) Worked(mailbox string, at time.Time) {
	s.worked = mailbox
	s.people.seen(mailbox, at, s.round())
	if len(s.looks) > 0 {
		s.add(look{mailbox, at, false})
	}
}

// Refused notes that a mailbox that was fine is refused.
func (s *Spread) Refused(mailbox string, at time.Time) {
	s.people.seen(mailbox, at, s.round())
	s.add(look{mailbox, at, true})
	if s.worked == mailbox {
		s.worked = s.before()
	}
}

// round is how long a round takes at most: polls are spread by a tenth, and each takes its time.
func (s *Spread) round() time.Duration {
	if s.Round <= 0 {
		return 5 * time.Minute / 4
	}
	return s.Round * 5 / 4
}

// Forget begins anew after the breaker has closed, but for the mailbox that worked most recently.
func (s *Spread) Forget() { s.looks = nil }

// before is the mailbox that worked most recently and has not been refused since, of those looked at of late.
func (s *Spread) before() string {
	seen := map[string]bool{}
	for i := len(s.looks) - 1; i >= 0; i-- {
		l := s.looks[i]
		if !l.refused && !seen[l.mailbox] {
			return l.mailbox
		}
		seen[l.mailbox] = true
	}
	return ""
}

func (s *Spread) add(l look) {
	old := 0 // nothing before the oldest refusal that counts is of use
	for old < len(s.looks) && (!s.looks[old].refused || l.at.Sub(s.looks[old].at) > spreadFor) {
		old++
	}
	old = max(old, len(s.looks)-maxLooks+1)
	s.looks = s.looks[old:]
	if len(s.looks) == 0 {
		s.looks = nil
	}
	if l.refused || len(s.looks) > 0 {
		s.looks = append(s.looks, l)
	}
}

// Wide reports whether refusals have spread: of the mailboxes looked at of late, counted back from now to any moment
// within five minutes, nearly all are refused, and so many that it is no chance (see spreadBase). Where the mailboxes are
// so few that all are known, five are enough that are four fifths of them. When sure is set, a hundred, and all.
func (s *Spread) Wide(sure bool) (refused, observed int, wide bool) {
	enough := s.enough()
	seen := map[string]bool{}
	for i := len(s.looks) - 1; i >= 0; i-- {
		l := s.looks[i]
		if seen[l.mailbox] {
			continue
		}
		seen[l.mailbox] = true
		if observed++; l.refused {
			refused++
		}
		switch {
		case sure && refused < observed:
			return refused, observed, false
		case sure && refused >= spreadSure, !sure && float64(refused-spreadFine*(observed-refused)) >= enough:
			return refused, observed, true
		}
	}
	if all, known := s.people.all(s.newest(), s.round()); !sure && known && refused >= spreadLeast && 5*refused >= 4*all {
		return refused, all, true
	}
	return refused, observed, false
}

// enough is how many refusals in a row are no chance.
func (s *Spread) enough() float64 {
	return spreadBase + math.Log2(float64(s.people.about(s.newest(), s.round())))/2
}

func (s *Spread) newest() time.Time {
	if len(s.looks) == 0 {
		return time.Time{}
	}
	return s.looks[len(s.looks)-1].at
}

// LastWorked is the mailbox that worked most recently and was not refused since, "" when none is known.
func (s *Spread) LastWorked() string { return s.worked }

// RefusedSince lists the mailboxes that were newly refused and have not worked since.
func (s *Spread) RefusedSince() []string {
	var list []string
	seen := map[string]bool{}
	for i := len(s.looks) - 1; i >= 0; i-- {
		if l := s.looks[i]; !seen[l.mailbox] {
			seen[l.mailbox] = true
			if l.refused {
				list = append(list, l.mailbox)
			}
		}
	}
	return list
}
