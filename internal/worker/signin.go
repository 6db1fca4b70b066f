package worker

import (
	"context"
	"fmt"
	"time"

	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// SignIn knows whether this process can sign in to Exchange at all. A worker that cannot takes no jobs, so that others get
// them.
type SignIn interface {
	// Now is why it cannot, nil when it can, and a channel that is closed when that changes.
	Now() (*NoSignIn, <-chan struct{})
	// Doubt is told that a request could not be signed in. It returns when it was looked whether others can, or ctx ended.
	Doubt(ctx context.Context)
}

// NoSignIn is why nothing can be asked of Exchange.
type NoSignIn struct{ jobs.Cause }

// Error says it in a sentence.
func (n *NoSignIn) Error() string {
	s := "cannot sign in to Exchange: " + n.Problem
	if n.Advice != "" {
		s += ": " + n.Advice
	}
	if left := time.Until(n.Next); left > 0 {
		s += "; tried again in " + Roughly(left)
	}
	return s
}

// Roughly is a span of time for people: in seconds below a minute and a half, in minutes from there on.
func Roughly(d time.Duration) string {
	if d < 90*time.Second {
		return fmt.Sprintf("%d s", int(max(d, time.Second).Round(time.Second).Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}

// always can sign in, as far as anybody knows.
type always struct{}

func (always) Now() (*NoSignIn, <-chan struct{}) { return nil, nil }
func (always) Doubt(context.Context)             {}

// shift is a time during which jobs of a lane are taken.
type shift struct {
	lane jobs.Lane
	over chan struct{} // closed when the queue was told that no more are taken
}

// awaitSignIn waits until this process can sign in; false says that ctx ended before.
func (w *Worker) awaitSignIn(ctx context.Context) bool {
	for {
		why, changed := w.opts.SignIn.Now()
		if why == nil {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// whileSignedIn is ctx until the sign-in is lost.
func (w *Worker) whileSignedIn(ctx context.Context) (context.Context, context.CancelFunc) {
	on, off := context.WithCancel(ctx)
	go func() {
		for {
			why, changed := w.opts.SignIn.Now()
			if why != nil {
				off()
				return
			}
			select {
			case <-changed:
			case <-on.Done():
				return
			}
		}
	}()
	return on, off
}

// unsignedWait bounds what comes before a job is handed back, so that time is left to store it.
const unsignedWait = jobs.LeaseMargin / 2

// unsigned hands a job back whose request could not be signed in, when no other of this worker's could either. It reports
// whether it did. The queue must know before that this worker takes none, or it would give the job to it again.
func (r *run) unsigned(ctx context.Context, f *calsync.Fault) (bool, error) {
	if f.Kind != calsync.FaultToken {
		return false, nil
	}
	waiting, cancel := context.WithTimeout(ctx, unsignedWait)
	defer cancel()
	r.w.opts.SignIn.Doubt(waiting)
	if why, _ := r.w.opts.SignIn.Now(); why == nil {
		return false, nil
	}
	select {
	case <-r.shift.over:
	case <-waiting.Done():
	}
	return true, r.handBack(ctx)
}

// serve hands the tokens of one lane to free slots, whenever there is a sign-in.
func (w *Worker) serve(fetch, work context.Context, lane jobs.Lane) error {
	slots := make(chan struct{}, w.opts.Slots[lane])
	for w.awaitSignIn(fetch) {
		if err := w.serveShift(fetch, work, &shift{lane, make(chan struct{})}, slots); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) serveShift(fetch, work context.Context, s *shift, slots chan struct{}) error {
	on, off := w.whileSignedIn(fetch)
	defer off()
	defer close(s.over)
	// Few are fetched ahead: one that waits here for longer than AckWait is delivered to somebody else as well.
	q, err := w.take(on, s.lane, max(1, min(cap(slots)/4, 64)))
	if err != nil || q == nil {
		return err
	}
	w.lanes.Store(s.lane, q)
	w.open.Add(1)
	defer w.open.Add(-1)
	defer w.handBack(q)
	return w.hand(on, work, s, q, slots)
}

// hand gives a queue's tokens to free slots until ctx ends.
func (w *Worker) hand(ctx, work context.Context, s *shift, q *bus.Queue, slots chan struct{}) error {
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		tok, err := q.Next(ctx)
		if err != nil {
			<-slots
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("worker: lane %s: %w", s.lane, err)
		}
		w.busy.Add(1)
		w.jobs.Add(1)
		go func() {
			defer func() { <-slots; w.jobs.Add(-1); w.busy.Done() }()
			w.handle(work, tok, s)
		}()
	}
}
