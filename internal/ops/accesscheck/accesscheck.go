// Package accesscheck asks Exchange, for many mailboxes at once, whether their calendars may be read: what
// Test-ApplicationAccessPolicy tells of one mailbox by the book, this tells of a fleet by trying.
//
// It begins with a single call, so that a wrong sign-in is found by one try and not by many. Then calls run side by
// side, never two for one mailbox. What Exchange asks for is obeyed: a mailbox or server that wants time gets it, and
// too many connections make it fewer.
package accesscheck

import (
	"cmp"
	"context"
	"slices"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// Asker asks Exchange what we may do in a calendar. Errors that Exchange gave are *[calsync.Fault].
type Asker interface {
	Rights(ctx context.Context, t calsync.Target) (calsync.Rights, error)
}

// Options say how to check. Asker is needed.
type Options struct {
	Asker    Asker
	Identity jobs.Identity // as whom Asker signs in, for advice
	Server   string        // URL of mailboxes that name none, for messages
	Parallel int           // calls at once; 32 by default, for a delegate 10, Microsoft's advice for one account
	// Patience is how long a mailbox that Exchange wants left alone is waited for; two minutes by default.
	Patience time.Duration
	// Progress is told of every mailbox that is settled; optional, called from one goroutine.
	Progress func(Progress)
}

// Progress is how far a check is.
type Progress struct {
	Settled, Total int
	Findings       int
	Waiting        int // left alone for a while, as Exchange asked
}

// Mailbox is one to be asked for.
type Mailbox struct {
	calsync.Target
	Canary bool // it must be refused: if it is not, we may do more than we should
}

// Access is what came of asking for a mailbox.
type Access string

// The outcomes.
const (
	Granted   Access = "granted"
	Denied    Access = "denied"
	Blocked   Access = "blocked"   // no such mailbox, disabled …
	Throttled Access = "throttled" // Exchange wants it left alone for longer than our patience
	Failed    Access = "failed"    // no answer, or none that makes sense
	Unchecked Access = "unchecked" // not asked for: the check ended before
)

// Result is what came of asking for one mailbox.
type Result struct {
	Address  string           `json:"address"`
	Access   Access           `json:"access"`
	Finding  bool             `json:"finding"` // somebody ought to look at it
	Canary   bool             `json:"canary,omitempty"`
	Scope    string           `json:"scope,omitempty"`  // as in events
	Reason   string           `json:"reason,omitempty"` // as in events
	Code     string           `json:"code,omitempty"`   // what decided: a ResponseCode, "HTTP 403", or a word
	Read     bool             `json:"read,omitempty"`   // rights that Exchange says we have
	Write    bool             `json:"write,omitempty"`  // appointments may be made
	Evidence *events.Evidence `json:"evidence,omitempty"`
	Hint     string           `json:"hint,omitempty"`
}

// Report is the outcome of a check.
type Report struct {
	Summary   Summary  `json:"summary"`
	Mailboxes []Result `json:"mailboxes"` // findings first
}

// Summary counts a report's results.
type Summary struct {
	Total     int           `json:"total"`
	Granted   int           `json:"granted"`
	ReadOnly  int           `json:"readOnly"` // of those granted: Exchange says that no appointments may be made
	Denied    int           `json:"denied"`
	Blocked   int           `json:"blocked"`
	Throttled int           `json:"throttled"`
	Failed    int           `json:"failed"`
	Unchecked int           `json:"unchecked"`
	Findings  int           `json:"findings"`
	Took      time.Duration `json:"-"`
	Seconds   float64       `json:"seconds"`
	Stopped   []Stop        `json:"stopped,omitempty"` // why mailboxes were not asked for
}

// Stop is what makes asking for more mailboxes useless.
type Stop struct {
	Server   string           `json:"server,omitempty"` // whose mailboxes it concerns, "" for all
	Problem  string           `json:"problem"`
	Reason   string           `json:"reason,omitempty"`
	Code     string           `json:"code,omitempty"`
	Hint     string           `json:"hint,omitempty"`
	Evidence *events.Evidence `json:"evidence,omitempty"`
}

// Run asks for every mailbox, until all are settled, nothing more can be, or ctx ends; then it reports what is known.
// A mailbox given twice is asked for once.
func Run(ctx context.Context, o Options, boxes []Mailbox) Report {
	if o.Parallel <= 0 {
		o.Parallel = 32
		if o.Identity.Delegate {
			o.Parallel = 10
		}
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}
	c := newCheck(o, unique(boxes))
	began := time.Now()
	c.run(ctx)
	return c.report(time.Since(began))
}

// unique drops mailboxes given before; one of a pair that is a canary makes it one.
func unique(boxes []Mailbox) []Mailbox {
	place := make(map[string]int, len(boxes))
	var all []Mailbox
	for _, b := range boxes {
		if i, known := place[b.Address]; known {
			all[i].Canary = all[i].Canary || b.Canary
			continue
		}
		place[b.Address] = len(all)
		all = append(all, b)
	}
	return all
}

// order puts findings first, canaries before others, then by kind and reason.
func order(a, b Result) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(slices.Index(kinds, a.Access), slices.Index(kinds, b.Access)),
		cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Address, b.Address))
}

var kinds = []Access{Denied, Blocked, Throttled, Failed, Unchecked, Granted}

func rank(r Result) int {
	switch {
	case r.Finding && r.Canary:
		return 0
	case r.Finding:
		return 1
	}
	return 2
}

func (c *check) report(took time.Duration) Report {
	s := Summary{Total: len(c.boxes), Took: took, Seconds: took.Round(time.Millisecond).Seconds(), Stopped: c.stops}
	for _, r := range c.results {
		if r.Finding {
			s.Findings++
		}
		switch r.Access {
		case Granted:
			s.Granted++
			if r.Read && !r.Write {
				s.ReadOnly++
			}
		case Denied:
			s.Denied++
		case Blocked:
			s.Blocked++
		case Throttled:
			s.Throttled++
		case Failed:
			s.Failed++
		case Unchecked:
			s.Unchecked++
		}
	}
	slices.SortFunc(c.results, order)
	return Report{Summary: s, Mailboxes: c.results}
}
