package roomsapi

import (
	"sync/atomic"
	"time"
)

// guard tells the senders until when the lease is ours.
type guard struct{ until atomic.Pointer[time.Time] }

func newGuard(until time.Time) *guard {
	g := &guard{}
	g.extend(until)
	return g
}

func (g *guard) extend(until time.Time) { g.until.Store(&until) }

// may reports whether a request that begins now ends before the lease can.
func (g *guard) may() bool { return time.Until(*g.until.Load()) > postTime }
