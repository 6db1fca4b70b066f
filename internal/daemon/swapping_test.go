package daemon

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/calsync"
)

// named is a reader whose cursors tell which one it is. Its calls take latency, and fail once it is closed.
type named struct {
	calsync.Calendar
	name    string
	latency time.Duration
	closed  atomic.Bool
	calls   atomic.Int64
}

func (n *named) Probe(context.Context, calsync.Target, string, int) (calsync.Delta, error) {
	n.calls.Add(1)
	time.Sleep(n.latency)
	if n.closed.Load() {
		return calsync.Delta{Cursor: "closed"}, nil
	}
	return calsync.Delta{Cursor: n.name}, nil
}

func (n *named) close() { n.closed.Store(true) }

func probed(s *swapping) string {
	d, _ := s.Probe(context.Background(), calsync.Target{}, "", 1)
	return d.Cursor
}

func TestSwapping_CallsEndWithTheReaderThatTheyBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := &named{name: "old", latency: time.Second}, &named{name: "new"}
		s := newSwapping(old, old.close)
		result := make(chan string, 1)
		go func() { result <- probed(s) }()
		synctest.Wait()
		s.swap(next, next.close)
		if got := probed(s); got != "new" {
			t.Errorf("a call after the swap went to %q", got)
		}
		if old.closed.Load() {
			t.Error("the old reader was closed under a call")
		}
		if got := <-result; got != "old" {
			t.Errorf("a call from before the swap ended with %q", got)
		}
		synctest.Wait()
		if !old.closed.Load() || next.closed.Load() {
			t.Errorf("closed: old %v, new %v", old.closed.Load(), next.closed.Load())
		}
		s.close()
		if !next.closed.Load() {
			t.Error("the last reader was not closed")
		}
	})
}

func TestSwapping_UnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readers := []*named{{name: "0", latency: 3 * time.Millisecond}}
		s := newSwapping(readers[0], readers[0].close)
		ctx, stop := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				for ctx.Err() == nil {
					if got := probed(s); got == "closed" {
						t.Error("a call met a closed reader")
					}
				}
			})
		}
		for i := range 50 {
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			r := &named{name: "n", latency: time.Duration(1+i%5) * time.Millisecond}
			readers = append(readers, r)
			s.swap(r, r.close)
		}
		stop()
		calls.Wait()
		s.close()
		for i, r := range readers {
			if !r.closed.Load() {
				t.Errorf("reader %d of %d was not closed", i, len(readers))
			}
		}
	})
}
