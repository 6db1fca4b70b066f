package roomsapi

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// gate stands before the receiver. While only some mailboxes' events are not taken, each of these waits for itself; when nothing is
// taken at all, the receiver is down, and one request at a time finds out whether it is up again.
type gate struct {
	mu       sync.Mutex      // held for a moment only
	failing  map[string]bool // mailboxes whose events were not taken since one was
	shut     int             // how often in a row a probe failed, and the first time; 0 while open
	until    time.Time       // nothing is sent before, by our own judgement
	asked    time.Time       // nothing is sent before, as the receiver asks
	probing  bool
	changed  chan struct{} // closed when a waiter should look again
	reopened chan struct{} // closed when the receiver is up again
}

const (
	downAfter = 5 // mailboxes in a row whose events are not taken
	maxShut   = time.Minute
	goneFor   = time.Hour // HTTP 410 says that the receiver wants nothing any more
)

func newGate() *gate {
	return &gate{failing: map[string]bool{}, changed: make(chan struct{}), reopened: make(chan struct{})}
}

// enter waits until a request may be sent. Who has entered calls left.
func (g *gate) enter(ctx context.Context) error {
	for {
		wait, changed := g.look()
		if changed == nil {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		t.Stop()
	}
}

// look enters, or says for how long to wait.
func (g *gate) look() (time.Duration, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait := max(time.Until(g.until), time.Until(g.asked)); wait > 0 {
		return wait, g.changed
	}
	if g.shut > 0 && g.probing {
		return time.Hour, g.changed
	}
	g.probing = g.shut > 0
	return 0, nil
}

// left says what became of a mailbox's request. It reports whether the receiver was found to be gone, or up again.
func (g *gate) left(mailbox string, err error) (gone, up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
	defer g.wake()
	if err == nil {
		up = g.shut > 0
		clear(g.failing)
		g.shut, g.until = 0, time.Time{}
		if up {
			close(g.reopened)
			g.reopened = make(chan struct{})
		}
		return false, up
	}
	if errors.Is(err, context.Canceled) {
		return false, false
	}
	g.failing[mailbox] = true
	var s *statusError
	answered := errors.As(err, &s)
	gone = answered && s.status == http.StatusGone
	switch {
	case gone:
		g.hold(goneFor)
	case answered && s.wait > 0:
		g.hold(s.wait)
	case g.shut > 0 || len(g.failing) >= downAfter:
		g.shut++
		g.until = later(g.until, backoff(g.shut, maxShut))
	}
	return gone, false
}

// hold lets nobody through for as long as the receiver asks, and then one at a time. Another request that was under way and is
// taken does not shorten it.
func (g *gate) hold(d time.Duration) {
	g.shut = max(g.shut, 1)
	g.asked = later(g.asked, d)
}

func later(t time.Time, wait time.Duration) time.Time {
	if until := time.Now().Add(wait); until.After(t) {
		return until
	}
	return t
}

func (g *gate) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// open is closed when the receiver is up again after it was down.
func (g *gate) open() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reopened
}

// backoff is the wait after the n-th failure in a row: a second, doubling up to most, of which a random half is left out.
func backoff(n int, most time.Duration) time.Duration {
	d := most
	if n < 20 {
		d = min(time.Second<<(n-1), most)
	}
	return d/2 + rand.N(d/2+1)
}
