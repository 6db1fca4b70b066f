package worker

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// run is the ownership of one mailbox by this worker, from the acquisition of its record to its release.
type run struct {
	w   *Worker
	mb  string
	tok bus.Token
	// shift is that in which the token was taken.
	shift *shift

	// hold guards rec and seq between the job and the renewal of the lease. It is a channel and not a mutex because
	// it is held across requests to the server, and tests in fake time must see that as waiting.
	hold chan struct{}
	rec  jobs.Record // as stored at seq, but for what the job has noted in it since
	seq  uint64

	ended   bool         // guarded by hold: the lease is renewed no more
	until   atomic.Int64 // end of the lease on this process's monotonic clock, since start
	start   time.Time
	changes int

	gate    *gate // to the mailbox's server; nil until it is entered
	through bool  // asked for in spite of the breaker, as a canary or for an operator
	looked  bool  // an operator wanted this look

	// doubt is the last of ROOMS' events that an owner before this one may have written without saying so, wrote the last one
	// that this run has tried to write.
	doubt, wrote uint64
}

// errLost says that somebody else owns the mailbox now: nothing more may be done for it here.
var errLost = errors.New("worker: lost the lease")

// acquire decides about a token and, where there is work, becomes the mailbox's owner. It returns nil when the token
// is settled.
func (w *Worker) acquire(ctx context.Context, tok bus.Token) (*run, error) {
	r := &run{w: w, mb: tok.Mailbox, tok: tok, hold: make(chan struct{}, 1), start: time.Now()}
	fresh := tok.Hint == nil
	if !fresh {
		r.rec, r.seq = tok.Hint.Record, tok.Hint.Seq
	}
	for first := true; ; first = false {
		if fresh || !first {
			var err error
			if r.rec, r.seq, err = w.bus.Record(ctx, tok.Mailbox); err != nil {
				return nil, err
			}
			fresh = true
		}
		a := jobs.Admit(&r.rec, w.bus.Now())
		if a.Action != jobs.Acquire && !fresh {
			continue // a hint proves nothing by itself
		}
		if a.Action != jobs.Acquire {
			return nil, w.settle(ctx, r, a)
		}
		switch won, err := r.take(ctx); {
		case err != nil:
			return nil, err
		case won:
			return r, nil
		}
	}
}

// settle puts a token to rest that is not worth a run.
func (w *Worker) settle(ctx context.Context, r *run, a jobs.Admission) error {
	if a.Action == jobs.Park {
		lane := jobs.Urgent(r.rec.Lane, jobs.LanePoll)
		if err := w.bus.Park(ctx, r.mb, lane, a.At, jobs.Hint{Seq: r.seq, Record: r.rec}); err != nil {
			return err
		}
	}
	return r.tok.Ack()
}

// take tries the compare-and-set that makes this run the owner.
func (r *run) take(ctx context.Context) (bool, error) {
	mine := r.rec
	if mine.Epoch == "" {
		mine.Epoch = crand.Text()[:8]
	}
	doubt := mine.Tried
	mine.Take(r.w.opts.Name+"/"+fmt.Sprint(r.w.runs.Add(1)), r.w.bus.Now())
	asked := time.Now()
	seq, err := r.w.bus.PutRecord(ctx, r.mb, &mine, r.seq)
	if errors.Is(err, bus.ErrConflict) {
		return false, nil
	}
	if err != nil { // stored or not: look
		stored, at, readErr := r.w.bus.Record(ctx, r.mb)
		if readErr != nil {
			return false, errors.Join(err, readErr)
		}
		if stored.Owner != mine.Owner || stored.Rev != mine.Rev {
			return false, err
		}
		mine, seq = stored, at
	}
	r.rec, r.seq, r.doubt = mine, seq, doubt
	r.leased(asked)
	return true, nil
}

// leased notes until when the lease counts here: from before the request that renewed it.
func (r *run) leased(asked time.Time) {
	r.until.Store(int64(asked.Add(jobs.LeaseTTL - jobs.LeaseMargin).Sub(r.start)))
}

// guard is asked before every request to Exchange.
func (r *run) guard(string) error {
	if r.overdue() {
		return errLost
	}
	if r.gate != nil && !r.through && r.gate.open.Load() {
		return errHeld
	}
	return nil
}

// overdue reports whether the lease may have ended.
func (r *run) overdue() bool { return time.Since(r.start) >= time.Duration(r.until.Load()) }

func (r *run) fence() string { return fmt.Sprintf("%s/%d", r.mb, r.rec.Fence) }

// keep renews the lease until the returned function is called, which waits for a renewal under way.
func (r *run) keep(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	var beat func()
	var timer atomic.Pointer[time.Timer]
	beat = func() {
		select {
		case <-done:
			return
		default:
		}
		r.renew(ctx)
		timer.Store(time.AfterFunc(jobs.LeaseRenew, beat))
	}
	timer.Store(time.AfterFunc(jobs.LeaseRenew, beat))
	return func() {
		close(done)
		timer.Load().Stop()
		r.hold <- struct{}{}
		r.ended = true
		<-r.hold
	}
}

// errEnded stops a renewal that comes after the run's end.
var errEnded = errors.New("worker: the run has ended")

// renew extends the lease, at the queue and in the record.
func (r *run) renew(ctx context.Context) {
	_ = r.tok.Extend()
	err := r.commit(ctx, func(*jobs.Record) error {
		if r.ended {
			return errEnded
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnded) {
		r.w.log.Warn().Str("mailbox", r.mb).Err(err).Msg("lease not renewed")
	}
}

// record is the run's view of the record. Its maps and slices are not to be changed.
func (r *run) record() jobs.Record {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	return r.rec
}

// hint is the record as stored, for the next token.
func (r *run) hint() jobs.Hint {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	return jobs.Hint{Seq: r.seq, Record: r.rec}
}

// note changes the run's view only; the next commit stores it.
func (r *run) note(change func(*jobs.Record)) {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	change(&r.rec)
}

// commit stores what change makes of the record, by compare-and-set, and renews the lease with it. Triggers that came
// meanwhile are taken over and the change is made anew. [errLost] when somebody else owns the mailbox; an error of
// change leaves the record as it was.
func (r *run) commit(ctx context.Context, change func(*jobs.Record) error) error {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	for attempt := 1; ; attempt++ {
		r.rec.Rev++ // never used again, so that a write that is found stored is known by it
		next := r.rec
		next.Ahead = maps.Clone(r.rec.Ahead)
		next.Lease = r.w.bus.Now().Add(jobs.LeaseTTL)
		if err := change(&next); err != nil {
			return err
		}
		asked := time.Now()
		seq, err := r.w.bus.PutRecord(ctx, r.mb, &next, r.seq)
		if err == nil {
			r.rec, r.seq = next, seq
			r.leased(asked)
			return nil
		}
		done, err := r.reread(ctx, &next, err, attempt)
		if err != nil {
			return err
		}
		if done {
			r.leased(asked)
			return nil
		}
	}
}

// retryPause is how long to leave the queue alone after a write of unknown outcome: 50 ms, doubling to a second.
func retryPause(attempt int) time.Duration {
	return min(50*time.Millisecond<<min(attempt-1, 5), time.Second)
}

// reread finds out what became of a write that did not simply succeed: done says that it was stored after all.
func (r *run) reread(ctx context.Context, wrote *jobs.Record, cause error, attempt int) (done bool, err error) {
	conflict := errors.Is(cause, bus.ErrConflict)
	if !conflict && bus.Definite(cause) {
		return false, cause
	}
	for ; conflict || !r.overdue(); attempt++ {
		if !conflict && !sleep(ctx, retryPause(attempt)) {
			return false, errors.Join(cause, ctx.Err())
		}
		stored, seq, err := r.w.bus.Record(ctx, r.mb)
		switch {
		case err != nil:
			conflict = false
			continue
		case stored.Fence == wrote.Fence && stored.Rev == wrote.Rev:
			r.rec, r.seq = stored, seq
			return true, nil
		case stored.Fence != r.rec.Fence || stored.Owner != r.rec.Owner:
			return false, errLost
		}
		r.rec.Merge(&stored)
		r.seq = seq
		return false, nil
	}
	return false, cause
}

// emit commits outgoing messages together with a change of the record, then publishes them. The outbox is empty
// afterwards in the run's view, and in the store with the next commit.
func (r *run) emit(ctx context.Context, out []jobs.Outgoing, change func(*jobs.Record)) error {
	err := r.commit(ctx, func(rec *jobs.Record) error {
		rec.Commit(r.mb, r.w.bus.Now(), out)
		change(rec)
		return nil
	})
	if err != nil {
		return err
	}
	return r.flush(ctx)
}

// flush publishes the outbox, our own or a predecessor's.
func (r *run) flush(ctx context.Context) error {
	r.hold <- struct{}{}
	defer func() { <-r.hold }()
	if len(r.rec.Outbox) == 0 {
		return nil
	}
	return r.w.bus.Flush(ctx, r.mb, &r.rec)
}
