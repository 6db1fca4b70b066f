package daemon

import (
	"context"
	"errors"
	"sync/atomic"

	"roomsync/internal/config"
)

// crew runs one worker after the other. What Exchange's answers mean depends on as whom one signs in: to a delegate "not
// found" says nothing about a mailbox, to its owner that an item was deleted. So when that changes, the worker's jobs
// are finished or handed back as before, and another worker goes on in the same process.
type crew struct {
	next chan relief
	now  atomic.Pointer[shift]
}

// shift is what the crew needs of a worker.
type shift interface {
	Run(ctx context.Context) error
	Ready() error
}

// relief is the order to change workers.
type relief struct {
	config config.Worker
	swap   func() // called while nobody works
	done   chan<- struct{}
}

func newCrew() *crew { return &crew{next: make(chan relief)} }

// run works until ctx ends or a worker fails. hire makes the n-th worker of the process.
func (c *crew) run(ctx context.Context, cfg config.Worker, hire func(c config.Worker, n int) (shift, error)) error {
	for n := 1; ; n++ {
		w, err := hire(cfg, n)
		if err != nil {
			return err
		}
		c.now.Store(&w)
		r, err := c.serve(ctx, w)
		if r == nil {
			return err
		}
		r.swap()
		close(r.done)
		cfg = r.config
	}
}

// serve lets w work until it is to be relieved, which it says by the order, or until the end.
func (c *crew) serve(ctx context.Context, w shift) (*relief, error) {
	on, off := context.WithCancel(ctx)
	defer off()
	done := make(chan error, 1)
	go func() { done <- w.Run(on) }()
	select {
	case err := <-done:
		return nil, err
	case r := <-c.next:
		off()
		if err := <-done; err != nil || ctx.Err() != nil {
			return nil, err
		}
		return &r, nil
	}
}

// relieve has another worker take over; swap is called in between. It returns false when ctx ended before.
func (c *crew) relieve(ctx context.Context, cfg config.Worker, swap func()) bool {
	done := make(chan struct{})
	select {
	case c.next <- relief{cfg, swap, done}:
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// ready says why the present worker cannot work, or nothing.
func (c *crew) ready() error {
	w := c.now.Load()
	if w == nil {
		return errors.New("no worker yet")
	}
	return (*w).Ready()
}
