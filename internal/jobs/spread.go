package jobs

import "time"

// Spread watches how far refusals spread over the mailboxes of one credential at one server, as one worker sees it. A
// bare refusal has many causes, and only the spread tells a mailbox's from the tenant's.
//
// It counts mailboxes that were fine: one that was refused before, or never worked, says nothing new. It is not safe
// for concurrent use.
type Spread struct {
	looks  []look // since the oldest refusal that counts, each mailbox by its newest
	worked string // the mailbox that worked most recently, and was not refused since
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
	// spreadSure is how many must be refused, with none that works between them, soon after it was found that only a part
	// of the tenant is refused.
	spreadSure = 20
	// maxLooks bounds the memory; what is older is diluted beyond counting.
	maxLooks = 4096
)

// Worked notes that a mailbox was looked at and works.
func (s *Spread) Worked(mailbox string, at time.Time) {
	s.worked = mailbox
	if len(s.looks) > 0 {
		s.add(look{mailbox, at, false})
	}
}

// Refused notes that a mailbox that was fine is refused.
func (s *Spread) Refused(mailbox string, at time.Time) {
	s.add(look{mailbox, at, true})
	if s.worked == mailbox {
		s.worked = s.before()
	}
}

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
// within five minutes, at least five are refused, and at least half. When sure is set, twenty, and all.
func (s *Spread) Wide(sure bool) (refused, observed int, wide bool) {
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
		if sure && refused < observed {
			return refused, observed, false
		}
		if !sure && refused >= spreadLeast && 2*refused >= observed || sure && refused >= spreadSure {
			return refused, observed, true
		}
	}
	return refused, observed, false
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
