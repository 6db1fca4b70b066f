package worker

import (
	"context"
	"errors"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// judge asks package jobs for the verdict on a fault.
func (w *Worker) judge(f *calsync.Fault) jobs.Verdict { return jobs.Judge(w.fact(f)) }

func (w *Worker) fact(f *calsync.Fault) jobs.Fact {
	return jobs.Fact{
		Operation: f.Operation, Kind: string(f.Kind), Code: f.Code, Inner: f.Inner, Status: f.Status,
		BackOff: f.BackOff, Diagnostics: f.Diagnostics, Policy: f.Policy, Claims: f.Claims != "", Reason: f.Reason, Delegate: w.opts.Delegate,
	}
}

// verdict is that on a fault of this run, in the light of what went before.
func (r *run) verdict(f *calsync.Fault) jobs.Verdict {
	v := r.w.judge(f)
	if last := r.record().LastError; last != nil && last.Code == v.Code {
		return v.After(last.Row+1, r.w.bus.Now().Sub(first(last)))
	}
	return v
}

// first is when the row began that a failure stands in.
func first(x *jobs.Failure) time.Time {
	if x.Since.IsZero() { // of an older version
		return x.At
	}
	return x.Since
}

// conclude ends a run: it stores what came of it, releases the mailbox, stores the schedule of the next token and
// settles this one. Where that cannot be done, the token is left to be delivered again.
func (r *run) conclude(ctx context.Context, err error) Outcome {
	out := Outcome{Mailbox: r.mb, Lane: r.tok.Lane, Changes: r.changes}
	// What is decided is stored even while the worker is being stopped, but not for ever.
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobs.LeaseMargin)
	defer cancel()
	var fault *calsync.Fault
	var failed error
	switch {
	case err == nil:
		r.worked(store)
		failed = r.succeeded(store)
	case errors.Is(err, errHeld):
		out.Code = "held"
		failed = r.held(store)
	case errors.Is(err, errNothing):
		failed = r.release(store, func(*jobs.Record) {})
	case errors.Is(err, errLost):
		out.Code = "lost"
		r.w.log.Warn().Str("mailbox", r.mb).Msg("the lease ended before the work did; leaving the mailbox")
		failed = r.handBack(store)
	case ctx.Err() != nil:
		out.Code = "stopped"
		failed = r.handBack(store)
	case errors.As(err, &fault):
		var back bool
		if back, failed = r.unsigned(store, fault); back {
			out.Code = "no sign-in"
		} else {
			out.Verdict, out.Code, failed = r.failed(store, fault)
		}
	case errors.Is(err, bus.ErrTooLarge):
		out.Verdict, out.Code, failed = r.failed(store, &calsync.Fault{Operation: "commit", Kind: "record", Code: "record too large", Err: err})
	default: // the queue's trouble, not Exchange's
		out.Code = "queue"
		r.w.log.Warn().Str("mailbox", r.mb).Err(err).Msg("job not finished; trying again in a moment")
		failed = r.postpone(store)
	}
	if failed != nil && !errors.Is(failed, errLost) {
		r.w.log.Warn().Str("mailbox", r.mb).Err(failed).Msg("mailbox not released; its token will come again")
	}
	return out
}

// succeeded releases a mailbox that is up to date, and tells ROOMS when it had been refused before.
func (r *run) succeeded(ctx context.Context) error {
	rec, now := r.record(), r.w.bus.Now()
	if !rec.DeniedSince.IsZero() {
		e, err := jobs.Event(events.TypeAccessRestored, restored(&rec, now))
		if err == nil {
			err = r.emit(ctx, []jobs.Outgoing{e}, func(rec *jobs.Record) { rec.DeniedSince, rec.Refusal = time.Time{}, nil })
		}
		if err != nil {
			return err
		}
	}
	return r.release(ctx, func(rec *jobs.Record) {
		rec.State, rec.Since, rec.Checks = jobs.StateOK, time.Time{}, 0
		rec.Attempts, rec.Throttled, rec.LastError = 0, 0, nil
		rec.NotBefore, rec.LastOK = time.Time{}, now
		rec.NextPoll = now.Add(jobs.Poll(r.w.opts.PollInterval, r.w.source()))
	})
}

// release frees the mailbox and schedules its next token. A mailbox that was switched off gets none.
func (r *run) release(ctx context.Context, change func(*jobs.Record)) error {
	err := r.commit(ctx, func(rec *jobs.Record) error {
		change(rec)
		if r.looked {
			rec.Look = false
		}
		rec.Doubt(max(r.doubt, r.wrote))
		rec.Release()
		if rec.Look { // an operator has asked since this run began
			rec.Unpark()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if hint := r.hint(); hint.Record.Settings.Enabled {
		lane := jobs.Urgent(hint.Record.Lane, jobs.LanePoll)
		if err := r.w.bus.Park(ctx, r.mb, lane, hint.Record.Wake(r.w.bus.Now()), hint); err != nil {
			return err
		}
	}
	return r.tok.Ack()
}

// handBack releases the mailbox as it is and gives the token to another worker at once.
func (r *run) handBack(ctx context.Context) error {
	return errors.Join(r.leave(ctx), r.tok.HandBack())
}

// postpone releases the mailbox as it is, to be taken up again after a pause. Where not even that can be stored, the
// token comes again by itself after AckWait.
func (r *run) postpone(ctx context.Context) error {
	if err := r.leave(ctx); err != nil {
		return err
	}
	rec := r.record()
	if err := r.w.bus.Park(ctx, r.mb, jobs.Urgent(rec.Lane, jobs.LanePoll), r.w.bus.Now().Add(jobs.QueuePause), jobs.Hint{}); err != nil {
		return err
	}
	return r.tok.Ack()
}

// leave releases the mailbox with its work undone: what this run was to do is still to be done, even if it was only a
// poll.
func (r *run) leave(ctx context.Context) error {
	return r.commit(ctx, func(rec *jobs.Record) error {
		rec.Want++
		rec.Release()
		return nil
	})
}

// failed stores a failure and what follows from it.
func (r *run) failed(ctx context.Context, f *calsync.Fault) (jobs.Class, string, error) {
	v := r.verdict(f)
	r.w.report(r.mb, f, v, r.partly())
	if r.spreads(ctx, f, v) {
		return v.Class, v.Code, r.held(ctx)
	}
	give := v.Class.GiveUp(v.Code)
	switch {
	case f.Kind == "crash" || f.Kind == "panic" || f.Kind == "record" || give > 0 && attempts(r.record(), v.Class)+1 >= give:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateFailed)
	case v.Class == jobs.Denied:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateDenied)
	case v.Class == jobs.Blocked:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateBlocked)
	}
	return v.Class, v.Code, r.later(ctx, f, v)
}

// attempts is how many attempts in a row have failed in this way. A failure of another kind begins a new row.
func attempts(rec jobs.Record, c jobs.Class) int {
	if rec.LastError == nil || rec.LastError.Class != c {
		return 0
	}
	return rec.Attempts
}

// later leaves the mailbox alone for a while. Being throttled is not an attempt.
func (r *run) later(ctx context.Context, f *calsync.Fault, v jobs.Verdict) error {
	return r.release(ctx, func(rec *jobs.Record) {
		now := r.w.bus.Now()
		n := &rec.Attempts
		if v.Class == jobs.Throttled {
			n = &rec.Throttled
		} else {
			*n = attempts(*rec, v.Class)
		}
		*n++
		if v.Class == jobs.Resync {
			rec.Cursor = ""
		}
		rec.LastError = r.failure(rec.LastError, f, v, now)
		rec.NotBefore = now.Add(jobs.Wait(v, r.w.fact(f), *n, r.w.source()))
		if v.Class == jobs.Resync && *n == 1 {
			rec.NotBefore = now // the server only forgot where we were
		}
		rec.NextPoll = rec.NotBefore
	})
}

// failure is the evidence of a fault, in a row with the one before it when the codes are the same.
func (r *run) failure(last *jobs.Failure, f *calsync.Fault, v jobs.Verdict, now time.Time) *jobs.Failure {
	x := &jobs.Failure{
		At: now, Since: now, Operation: f.Operation, Code: v.Code, Status: f.Status, Class: v.Class, Scope: v.Scope, Reason: v.Reason,
		Diagnostics: f.Diagnostics, RequestID: f.RequestID, ServerRequestID: f.ServerRequestID,
	}
	if r.gate != nil {
		x.Gate = r.gate.key
	}
	if last != nil && last.Code == v.Code {
		x.Since, x.Row = first(last), last.Row+1
	}
	return x
}
