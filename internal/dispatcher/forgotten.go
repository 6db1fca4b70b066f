package dispatcher

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// How forgotten mailboxes are looked for. Only the queue knows whether a late mailbox is forgotten: a schedule may be
// stored that is still to fire, or a token that waits for a worker, and then another is refused. Such an answer costs up
// to three requests, so each is followed by a rest: a fleet that cannot keep up pays for ten answers a second, however
// many mailboxes it has.
const (
	chunk     = 50                     // mailboxes that are tried side by side
	chunks    = 5                      // in a round: so a thousand mailboxes a second are woken at most
	rounds    = 4                      // in Options.Patience
	rest      = 100 * time.Millisecond // for each of a chunk of which none was forgotten
	tryAgain  = 10 * time.Second       // after which a mailbox that was tried is tried again, unless its record changes
	warnAgain = 10 * time.Second       // between two warnings
)

// wakeForgotten is a round. It gives a token to mailboxes that are due and that nobody looks at: the schedule of their
// token was lost, or did not fire.
func (d *Dispatcher) wakeForgotten(ctx context.Context) {
	for range chunks {
		if ctx.Err() != nil || !d.bus.Up() || time.Now().Before(d.rested) {
			break
		}
		late, next := d.late()
		if len(late) == 0 {
			break
		}
		woken := d.wakeAll(ctx, late, next)
		d.woken += woken
		if woken == 0 {
			d.rested = time.Now().Add(time.Duration(len(late)) * rest)
		}
	}
	d.warn()
}

// late takes the next chunk from the agenda, and returns when it comes up again.
func (d *Dispatcher) late() (mailboxes []string, next time.Time) {
	now := d.bus.Now()
	next = now.Add(tryAgain)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.agenda.take(chunk, now, next), next
}

// warn says how many mailboxes were woken: at once when it begins, and every ten seconds while it goes on.
func (d *Dispatcher) warn() {
	if d.woken == 0 || time.Since(d.warned) < warnAgain {
		return
	}
	d.log.Warn().Int("mailboxes", d.woken).Msg("woke mailboxes that nobody had looked at when they were due")
	d.woken, d.warned = 0, time.Now()
}

// wakeAll wakes mailboxes side by side and returns how many of them had been forgotten.
func (d *Dispatcher) wakeAll(ctx context.Context, late []string, next time.Time) int {
	var woken, failed atomic.Int64
	var all sync.WaitGroup
	for _, mb := range late {
		all.Go(func() {
			placed, err := d.wake(ctx, mb, next)
			if placed {
				woken.Add(1)
			}
			if err != nil && ctx.Err() == nil && failed.Add(1) == 1 { // one stands for all that fail with it
				d.log.Error().Str("mailbox", mb).Err(err).Msg("a forgotten mailbox could not be woken; it is tried again")
			}
		})
	}
	all.Wait()
	return int(woken.Load())
}

// wake puts a token into the queue for a mailbox that has none and that none is to come for. It reports whether it did.
func (d *Dispatcher) wake(ctx context.Context, mb string, next time.Time) (bool, error) {
	p, err := d.bus.Parked(ctx, mb)
	now := d.bus.Now()
	switch none := errors.Is(err, bus.ErrNotFound); {
	case err != nil && !none:
		return false, err
	case none, p.At.After(now.Add(jobs.QueuePause + jobs.Slack)):
		return d.wakeByRecord(ctx, mb)
	}
	if at := p.At.Add(d.opts.Patience); at.After(now) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.agenda.move(mb, next, at)
		return false, nil
	}
	return d.bus.PutToken(ctx, mb, jobs.Urgent(p.Lane, jobs.LanePoll), p.Hint)
}

// wakeByRecord is wake where no schedule stands for what the record wants: there is none, or it is of the time before a
// trigger whose token was never put, perhaps a day away. A record that has changed meanwhile is left to its digest, which
// is on its way.
func (d *Dispatcher) wakeByRecord(ctx context.Context, mb string) (bool, error) {
	r, seq, err := d.bus.Record(ctx, mb)
	if err != nil || !r.Settings.Enabled || r.Digest().Due.After(d.bus.Now()) {
		return false, err
	}
	return d.bus.PutToken(ctx, mb, jobs.Urgent(r.Lane, jobs.LanePoll), jobs.Hint{Seq: seq, Record: r})
}
