package jobs

import (
	"slices"
	"time"
)

// Outage is what the fleet knows of workers that cannot sign in to Exchange. One that cannot *doubts* that anybody can, and
// one that can contradicts. A doubt that stands for a minute opens the outage: then no worker can sign in, and every
// mailbox waits. It is stored whole, always by compare-and-set. docs/adr/0005-shared-tokens.md explains it.
type Outage struct {
	Doubted time.Time `json:"doubted,omitzero"` // since when nobody has contradicted; zero when nobody doubts
	Renewed time.Time `json:"renewed,omitzero"` // when a worker last doubted
	Held    time.Time `json:"held,omitzero"`    // when one contradicted last

	Open   bool      `json:"open"`
	Since  time.Time `json:"since,omitzero"`
	Closed time.Time `json:"closed,omitzero"`
	Cause  Cause     `json:"cause,omitzero"` // of the worker that opened it

	// As in a [Record], for the events that tell of it.
	Epoch    string     `json:"epoch,omitempty"`
	Commits  uint64     `json:"commits,omitempty"`
	EventSeq uint64     `json:"eventSeq,omitempty"`
	Outbox   []Outgoing `json:"outbox,omitempty"`
}

// Cause is why a worker cannot sign in. It holds no secret, and no text of a server's.
type Cause struct {
	Reason  string    `json:"reason"` // one of the Refused constants of package events
	Code    string    `json:"code,omitempty"`
	AADSTS  int       `json:"aadsts,omitempty"` // Entra's number, 0 when it gave none
	Status  int       `json:"status,omitempty"` // HTTP status, 0 without an answer
	Problem string    `json:"problem"`          // in words
	Advice  string    `json:"advice,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Next    time.Time `json:"next,omitzero"` // when it is tried again; zero when that is not known
}

const (
	// OutageAfter is how long a doubt stands before it is taken for true.
	OutageAfter = time.Minute
	// doubtRenewed is how often somebody says anew that he doubts. A doubt of workers that are all gone is none.
	doubtRenewed = 20 * time.Second
	// heldFor is how long it counts that somebody can sign in.
	heldFor = 20 * time.Second
)

// Doubt notes that a worker cannot sign in. It returns whether that changed anything, and when the worker is to come again.
// The outage opens when nobody has contradicted for long enough.
func (o *Outage) Doubt(c Cause, now time.Time) (changed bool, again time.Duration) {
	switch {
	case o.Open:
		return false, doubtRenewed
	case o.Doubted.IsZero() && within(o.Held, now, heldFor):
		return false, o.Held.Add(heldFor).Sub(now)
	case o.Doubted.IsZero(), !within(o.Renewed, now, 2*doubtRenewed):
		o.Doubted, o.Renewed = now, now
		return true, doubtRenewed
	case now.Sub(o.Doubted) >= OutageAfter:
		o.Open, o.Since, o.Closed, o.Cause = true, o.Doubted, time.Time{}, c
		o.Doubted, o.Renewed = time.Time{}, time.Time{}
		return true, doubtRenewed
	}
	again = min(doubtRenewed, o.Doubted.Add(OutageAfter).Sub(now))
	if within(o.Renewed, now, doubtRenewed) {
		return false, again
	}
	o.Renewed = now
	return true, again
}

// within reports whether t is less than d ago. A time that lies ahead is of a clock that was set back, and counts for nothing.
func within(t, now time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return age < d && age > -time.Minute
}

// Contradict notes that a worker can sign in. It returns whether anybody had doubted it.
func (o *Outage) Contradict(now time.Time) (changed bool) {
	if !o.Open && o.Doubted.IsZero() {
		return false
	}
	if o.Open {
		o.Open, o.Closed = false, now
	}
	o.Doubted, o.Renewed, o.Held = time.Time{}, time.Time{}, now
	return true
}

// Clone is a copy that may be changed.
func (o *Outage) Clone() Outage {
	c := *o
	c.Outbox = slices.Clone(o.Outbox)
	return c
}
