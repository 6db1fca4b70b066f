package roomsapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
)

// courier delivers events: those of one mailbox one after the other, those of different mailboxes at once. A mailbox whose event
// is not taken, or slowly, holds up nobody else. What it has not delivered it knows by one number for each mailbox, so that it can
// be stored, and a successor goes on exactly there.
type courier struct {
	feed *feed
	log  zerolog.Logger
	gate *gate
	post func(context.Context, *entry) error
	// may reports whether there is time for a request before somebody else may think us dead.
	may  func() bool
	soft context.Context // nothing more is begun
	hard context.Context // what was begun is broken off

	slots chan struct{}
	done  sync.WaitGroup
	room  chan struct{} // one for each mailbox that is owed something

	mu    sync.Mutex // held for a moment only
	lanes map[string]*lane
	read  uint64 // every event up to it was delivered, or its mailbox has a lane
	held  int    // events in all queues
	state bus.Webhook
	dirty bool
}

// lane is a mailbox that is owed something: first the events in queue, then those in the stream from sequence from to passed.
type lane struct {
	mailbox      string
	queue        []*entry
	from, passed uint64 // 0, or events that are to be read again
	failing      bool   // its next event was tried and not taken
}

const (
	senders   = 16   // requests at once
	maxLanes  = 1000 // mailboxes that are owed something, before reading waits
	maxQueue  = 8    // events of one mailbox that are kept in memory
	maxHeld   = 128  // events of all
	maxBehind = 5 * time.Minute
)

// resume begins where a record says.
func (c *courier) resume(w bus.Webhook) {
	c.lanes, c.read, c.state = map[string]*lane{}, w.Read, w
	c.slots, c.room = make(chan struct{}, senders), make(chan struct{}, maxLanes)
	for mailbox, from := range w.Owed {
		l := &lane{mailbox: mailbox, from: from, passed: w.Read}
		c.lanes[mailbox] = l
		select { // a record of another version may have more lanes
		case c.room <- struct{}{}:
		default:
		}
		c.done.Go(func() { c.serve(l) })
	}
}

// add takes an event that was read. It waits while too many mailboxes are owed something.
func (c *courier) add(e *entry) error {
	if c.append(e) {
		return nil
	}
	select {
	case c.room <- struct{}{}:
	case <-c.soft.Done():
		return c.soft.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &lane{mailbox: e.Mailbox} // only the reader makes lanes, and there is one
	c.lanes[e.Mailbox] = l
	c.put(l, e)
	c.done.Go(func() { c.serve(l) })
	return nil
}

// append adds an event to its mailbox's lane, if there is one.
func (c *courier) append(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[e.Mailbox]
	if l != nil {
		c.put(l, e)
	}
	return l != nil
}

func (c *courier) put(l *lane, e *entry) {
	c.read, c.dirty = e.Sequence, true
	switch {
	case l.from > 0:
		l.passed = e.Sequence
	case len(l.queue) >= maxQueue || c.held >= maxHeld:
		l.from, l.passed = e.Sequence, e.Sequence
	default:
		l.queue = append(l.queue, e)
		c.held++
	}
}

// passOver moves the position over what concerns nobody.
func (c *courier) passOver(at uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at > c.read {
		c.read, c.dirty = at, true
	}
}

// serve delivers what a mailbox is owed, until that is nothing.
func (c *courier) serve(l *lane) {
	failures := 0
	for c.soft.Err() == nil {
		e, err := c.head(l)
		if e == nil && err == nil {
			return
		}
		if err == nil {
			err = c.deliver(e)
		}
		if err == nil {
			failures = 0
			c.delivered(l, e)
			continue
		}
		failures++
		c.fallBehind(l)
		c.waitAfter(failures)
	}
}

// waitAfter waits until a mailbox is tried again: its own time, or until the receiver is up again after it was down.
func (c *courier) waitAfter(failures int) {
	t := time.NewTimer(backoff(failures, maxBehind))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.gate.open():
	case <-c.soft.Done():
	}
}

// head is the next event of a mailbox; nil when it is owed nothing more, and the lane is then gone.
func (c *courier) head(l *lane) (*entry, error) {
	for {
		c.mu.Lock()
		switch {
		case len(l.queue) > 0:
			defer c.mu.Unlock()
			return l.queue[0], nil
		case l.from == 0 || l.from > l.passed:
			defer c.mu.Unlock()
			delete(c.lanes, l.mailbox)
			c.dirty = true
			select {
			case <-c.room:
			default:
			}
			return nil, nil
		}
		from, passed := l.from, l.passed
		c.mu.Unlock()
		e, err := c.again(l.mailbox, from, passed)
		if e != nil || err != nil {
			return e, err
		}
		c.mu.Lock()
		l.from = passed + 1
		c.mu.Unlock()
	}
}

// again reads an event from the stream; nil when there is none up to passed.
func (c *courier) again(mailbox string, from, passed uint64) (*entry, error) {
	d, err := c.feed.bus.NextEvent(c.soft, mailbox, from)
	none := errors.Is(err, bus.ErrNotFound)
	if err != nil && !none {
		return nil, err
	}
	if none || d.Sequence != from {
		if err := c.missed(mailbox, from); err != nil {
			return nil, err
		}
	}
	if none || d.Sequence > passed {
		return nil, nil
	}
	return newEntry(d), nil
}

// missed says so when the stream has forgotten what was not delivered: that is a loss, and nothing but a longer retention would
// have prevented it.
func (c *courier) missed(mailbox string, from uint64) error {
	first, _, err := c.feed.bus.EventsKept(c.soft)
	if err == nil && first > from {
		c.log.Error().Uint64("owed", from).Uint64("kept", first).Str("mailbox", mailbox).
			Msg("webhook: the stream has forgotten events that could not be posted in time; ROOMS must compare this mailbox anew")
	}
	return err
}

// deliver posts an event when it is its turn.
func (c *courier) deliver(e *entry) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.soft.Done():
		return c.soft.Err()
	}
	for {
		if err := c.gate.enter(c.soft); err != nil {
			return err
		}
		if c.may() {
			break
		}
		c.gate.left(e.Mailbox, context.Canceled)
		if pause(c.soft, time.Second); c.soft.Err() != nil {
			return c.soft.Err()
		}
	}
	err := c.post(c.hard, e)
	if c.hard.Err() != nil && err != nil {
		err = context.Canceled
	}
	c.told(e, err)
	return err
}

// told notes what became of an event.
func (c *courier) told(e *entry, err error) {
	gone, up := c.gate.left(e.Mailbox, err)
	if gone {
		c.log.Error().Dur("pause", goneFor).Msg("webhook: the receiver answers 410 Gone: it wants no events any more. They are kept and tried again after the pause; give another --webhook-url, or none")
	}
	if up {
		c.log.Info().Msg("webhook: the receiver takes events again")
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.feed.bus.Now().Truncate(time.Millisecond)
	if err == nil {
		c.state.Posted = now
		return
	}
	if c.state.LastError != err.Error() {
		c.log.Warn().Str("id", webhookID(e)).Uint64("sequence", e.Sequence).Str("cause", err.Error()).Msg("webhook: an event was not taken; it is tried again")
	}
	c.state.Failed, c.state.LastError, c.dirty = now, err.Error(), true
}

// delivered crosses an event off.
func (c *courier) delivered(l *lane, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty, l.failing = true, false
	if len(l.queue) > 0 && l.queue[0] == e {
		l.queue[0] = nil
		l.queue = l.queue[1:]
		c.held--
		return
	}
	l.from = e.Sequence + 1
}

// fallBehind gives the memory of a mailbox's events back: they will be read again.
func (c *courier) fallBehind(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.failing = true
	if len(l.queue) == 0 {
		return
	}
	c.held -= len(l.queue)
	if l.from == 0 {
		l.passed = l.queue[len(l.queue)-1].Sequence
	}
	l.from, l.queue = l.queue[0].Sequence, nil
}

// record is what is delivered, and whether that has changed since the last time.
func (c *courier) record() (w bus.Webhook, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, changed = c.state, c.dirty
	c.dirty = false
	w.Read, w.Owed = c.read, make(map[string]uint64, len(c.lanes))
	for _, l := range c.lanes {
		if len(l.queue) > 0 {
			w.Owed[l.mailbox] = l.queue[0].Sequence
		} else if l.from > 0 && l.from <= l.passed {
			w.Owed[l.mailbox] = l.from
		}
	}
	return w, changed
}

// stuck is how many mailboxes wait because an event of theirs was not taken.
func (c *courier) stuck() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lanes {
		if l.failing {
			n++
		}
	}
	return n
}
