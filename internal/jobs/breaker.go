package jobs

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// Breaker is what the fleet knows of the access of one credential at one server. While it is open, no mailbox is asked
// for but its canaries: whatever is wanted of the others waits, and is not told of one by one. It is stored whole,
// always by compare-and-set. docs/adr/0006-access-breaker.md explains it.
type Breaker struct {
	Open    bool      `json:"open"`
	Since   time.Time `json:"since,omitzero"`  // when it opened
	Closed  time.Time `json:"closed,omitzero"` // when it closed
	Partial bool      `json:"partial,omitempty"`

	Scope    Scope    `json:"scope,omitempty"`   // whom it concerns
	Refusal  *Failure `json:"refusal,omitempty"` // the newest
	Address  string   `json:"address,omitempty"` // whose it is
	Refused  int      `json:"refused,omitempty"` // of Observed, when it opened
	Observed int      `json:"observed,omitempty"`

	Canaries  []Canary  `json:"canaries,omitempty"`
	Checks    int       `json:"checks,omitempty"` // that found it refused still
	NextCheck time.Time `json:"nextCheck,omitzero"`

	// As in a [Record], for the events that tell of it.
	Epoch    string     `json:"epoch,omitempty"`
	Commits  uint64     `json:"commits,omitempty"`
	EventSeq uint64     `json:"eventSeq,omitempty"`
	Outbox   []Outgoing `json:"outbox,omitempty"`
}

// Canary is a mailbox that is asked for while the breaker is open. Any that works closes it.
type Canary struct {
	Mailbox string    `json:"mailbox"` // token
	From    time.Time `json:"from"`    // not before
	Done    bool      `json:"done,omitempty"`
	Refused bool      `json:"refused,omitempty"` // it was refused since the breaker opened, or is why it did
}

const (
	checkFirst = time.Minute
	// checkHeadStart lets the canary that was refused go before the others, so that it is known whether all can go on.
	checkHeadStart = 2 * time.Second
	// checkTime is how long a check is given before the mailboxes held look what came of it.
	checkTime = 10 * time.Second
	// overdue is how long a canary may fail to say anything before another mailbox takes its place: its worker died, it was
	// removed, or Exchange gave it no answer.
	overdue = time.Minute
	// heldMost is how long a mailbox is held before it looks again: the breaker may close early.
	heldMost = 10 * time.Minute
	// heldSpread is over what time those held come back, so that they are no flood; heldUrgent where something waits.
	heldSpread, heldUrgent = time.Minute, 10 * time.Second
	// maxCanaries bounds them: the one that was refused, and others in turn.
	maxCanaries = 3
	// partialFor is how long after a partial refusal each mailbox is left to find out by itself.
	partialFor = 15 * time.Minute
)

// Check reports what an open breaker lacks, should somebody else have written it.
func (b *Breaker) Check() error {
	if b.Open && (b.Refusal == nil || len(b.Canaries) == 0) {
		return errors.New("an open breaker without a refusal, or without canaries")
	}
	return nil
}

// Clone is a copy that may be changed.
func (b *Breaker) Clone() Breaker {
	c := *b
	c.Canaries, c.Outbox = slices.Clone(b.Canaries), slices.Clone(b.Outbox)
	return c
}

// Sure reports whether more evidence than usual is needed to open the breaker: it was found a while ago that only a
// part of the tenant is refused.
func (b *Breaker) Sure(now time.Time) bool {
	return !b.Open && b.Partial && now.Before(b.Closed.Add(partialFor))
}

// Opening is why a breaker is opened.
type Opening struct {
	Mailbox, Address  string // the one refused
	Refusal           *Failure
	Worked            string // the mailbox that worked most recently, "" when none is known
	Refused, Observed int
}

// Trip opens the breaker.
func (b *Breaker) Trip(o Opening, now time.Time, most time.Duration) {
	checks := 0
	if !b.Closed.IsZero() && now.Sub(b.Closed) < partialFor { // it comes and goes
		checks = min(b.Checks, 3)
	}
	b.Open, b.Since, b.Closed, b.Partial = true, now, time.Time{}, false
	b.Refusal, b.Address, b.Refused, b.Observed = o.Refusal, o.Address, o.Refused, o.Observed
	if b.Scope = o.Refusal.Scope; b.Scope == ScopeMailbox { // each says so of itself
		b.Scope = ScopeTenant
	}
	b.Checks = checks
	b.Canaries = []Canary{{Mailbox: o.Mailbox, Refused: true}}
	if o.Worked != "" && o.Worked != o.Mailbox {
		b.Canaries = append(b.Canaries, Canary{Mailbox: o.Worked})
	}
	b.schedule(now, most)
}

// schedule sets the time of the next check: a minute, doubling to most.
func (b *Breaker) schedule(now time.Time, most time.Duration) {
	b.NextCheck = now.Add(min(checkFirst<<min(b.Checks, 16), max(most, checkFirst)))
	for i := range b.Canaries {
		c := &b.Canaries[i]
		c.From, c.Done = b.NextCheck, false
		if !c.Refused {
			c.From = c.From.Add(checkHeadStart)
		}
	}
}

// Admits reports whether a mailbox may be asked for.
func (b *Breaker) Admits(mailbox string, now time.Time) bool {
	if !b.Open {
		return true
	}
	c := b.canary(mailbox)
	return c != nil && !c.Done && !now.Before(c.From)
}

func (b *Breaker) canary(mailbox string) *Canary {
	for i := range b.Canaries {
		if b.Canaries[i].Mailbox == mailbox {
			return &b.Canaries[i]
		}
	}
	return nil
}

// Enlist makes a mailbox a canary, to be asked for now, and reports whether one is needed: any in place of one that says
// nothing, and after each check one that was fine, since another may tell what the former did not. So a breaker is left
// open neither by a canary that is gone nor by one that is refused for reasons of its own.
func (b *Breaker) Enlist(mailbox string, fine bool, now time.Time) bool {
	if !b.Open || b.canary(mailbox) != nil {
		return false
	}
	fresh := Canary{Mailbox: mailbox, From: now}
	for i := range b.Canaries {
		if b.Canaries[i].overdue(now) {
			b.Canaries[i] = fresh
			return true
		}
	}
	if !fine || b.Checks == 0 || len(b.Canaries) >= maxCanaries {
		return false
	}
	b.Canaries = append(b.Canaries, fresh)
	return true
}

// overdue reports whether a canary says nothing.
func (c *Canary) overdue(now time.Time) bool { return !c.Done && now.Sub(c.From) > overdue }

// Expire ends a check of which some canaries are refused and the others say nothing, so that the former are asked for
// again, and reports whether it did.
func (b *Breaker) Expire(now time.Time, most time.Duration) bool {
	first := slices.IndexFunc(b.Canaries, func(c Canary) bool { return c.Done })
	if !b.Open || first < 0 || slices.ContainsFunc(b.Canaries, func(c Canary) bool { return !c.Done && !c.overdue(now) }) {
		return false
	}
	b.Checks++
	b.Canaries = b.Canaries[first : first+1]
	b.schedule(now, most)
	return true
}

// Worked notes that a mailbox that was asked for works, which closes the breaker. known says that it had been refused:
// then all can go on; otherwise only a part of the tenant is refused, and each mailbox is left to find out by itself.
func (b *Breaker) Worked(mailbox string, known bool, now time.Time) {
	if c := b.canary(mailbox); c != nil {
		known = known || c.Refused
	}
	b.Open, b.Closed, b.Partial, b.Canaries = false, now, !known, nil
	b.NextCheck = time.Time{}
}

// Abandoned reports whether nobody has been asked for in a long time, though canaries are due: nobody signs in this way
// any more.
func (b *Breaker) Abandoned(now time.Time, most time.Duration) bool {
	last := b.NextCheck
	for _, c := range b.Canaries {
		if c.From.After(last) {
			last = c.From
		}
	}
	return b.Open && now.Sub(last) > 2*max(most, heldMost)
}

// StillRefused notes that a mailbox that was asked for is refused. When no canary is left to say otherwise, the next
// check is due, later than the one before. The first canary that answered stays, the others make room.
func (b *Breaker) StillRefused(mailbox, address string, x *Failure, now time.Time, most time.Duration) {
	b.Refusal, b.Address = x, address
	if c := b.canary(mailbox); c != nil {
		c.Done, c.Refused = true, true
		b.Expire(now, most)
	}
}

// Lately reports whether a refusal that began then belongs to what opened the breaker.
func (b *Breaker) Lately(began time.Time) bool { return !began.Before(b.Since.Add(-spreadFor)) }

// Hold is until when a mailbox is to be left alone that the breaker does not admit.
func (b *Breaker) Hold(mailbox string, urgent bool, now time.Time, rnd *rand.Rand) time.Time {
	most := now.Add(heldMost)
	if c := b.canary(mailbox); c != nil && !c.Done && now.Before(c.From) {
		return minTime(c.From, most)
	}
	at := b.NextCheck.Add(checkTime)
	if at.Before(now) { // the check is under way
		at = now.Add(checkTime)
	}
	spread := heldSpread
	if urgent {
		spread = heldUrgent
	}
	return minTime(at, most).Add(jitter(spread, rnd))
}
