package worker

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// refused puts the mailbox into a state in which it is only looked at slowly. Entering the state is told once.
func (r *run) refused(ctx context.Context, f *calsync.Fault, v jobs.Verdict, state jobs.State) error {
	rec, now := r.record(), r.w.bus.Now()
	checks, since := rec.Checks+1, rec.Since
	entering := rec.State != state
	if entering {
		checks, since = 0, now
	}
	x := r.failure(rec.LastError, f, v, now)
	next := now.Add(jobs.Recheck(v.Code, checks, r.w.opts.AccessRecheck, r.w.source()))
	change := func(rec *jobs.Record) {
		rec.State, rec.Since, rec.Checks, rec.Attempts = state, since, checks, 0
		rec.LastError = x
		rec.NotBefore, rec.NextPoll = next, next
		if v.Class == jobs.Resync {
			rec.Cursor = ""
		}
		if state == jobs.StateDenied {
			rec.Refusal = x
			if rec.DeniedSince.IsZero() {
				rec.DeniedSince = now
			}
		}
	}
	if entering && (state != jobs.StateDenied || rec.DeniedSince.IsZero()) {
		out, err := r.refusal(f, x, state, next)
		if err == nil {
			err = r.emit(ctx, []jobs.Outgoing{out}, change)
		}
		if err != nil {
			return err
		}
	}
	return r.release(ctx, change)
}

// refusal is what ROOMS, or the operators, are told of a mailbox entering a state.
func (r *run) refusal(f *calsync.Fault, x *jobs.Failure, state jobs.State, next time.Time) (jobs.Outgoing, error) {
	rec := r.record()
	address := rec.Settings.Address
	switch state {
	case jobs.StateDenied:
		return jobs.Event(events.TypeAccessDenied, events.AccessDenied{
			Mailbox: address, Since: x.At, Operation: f.Operation, Status: f.Status, Code: f.Code,
			Hint: jobs.Advice(x.Reason, r.w.opts.Identity, address), NextCheck: next,
			Scope: string(x.Scope), Reason: x.Reason, Evidence: evidence(x), FirstSeen: x.Since, LastSeen: x.At,
		})
	case jobs.StateBlocked:
		return jobs.Event(events.TypeMailboxBlocked, events.MailboxBlocked{
			Mailbox: address, Since: x.At, Operation: f.Operation, Code: f.Code,
			Hint: jobs.Advice(x.Reason, r.w.opts.Identity, address), NextCheck: next,
			Scope: string(x.Scope), Reason: x.Reason, Evidence: evidence(x), FirstSeen: x.Since, LastSeen: x.At,
		})
	}
	data, err := json.Marshal(map[string]any{
		"mailbox": address, "operation": f.Operation, "code": x.Code, "httpStatus": f.Status, "requestId": f.RequestID,
		"attempts": attempts(rec, x.Class) + 1, "crashes": rec.Crashes, "failureBefore": rec.LastError, "reason": "the mailbox could not be brought up to date: " + string(x.Class),
	})
	return jobs.Outgoing{Kind: jobs.OutDead, Data: data}, err
}

// restored tells that a mailbox can be read again. A record of an older version does not say how it was refused.
func restored(rec *jobs.Record, now time.Time) events.AccessRestored {
	e := events.AccessRestored{Mailbox: rec.Settings.Address, Since: rec.DeniedSince, Until: now, Checks: rec.Checks}
	if x := rec.Refusal; x != nil {
		e.Scope, e.Reason, e.Evidence = string(x.Scope), x.Reason, evidence(x)
		e.FirstSeen, e.LastSeen = rec.DeniedSince, x.At
	}
	return e
}

// evidence is a failure in the words of the contract. What stands for a code where Exchange gave none is ours.
func evidence(x *jobs.Failure) *events.Evidence {
	e := &events.Evidence{
		Operation: x.Operation, Status: x.Status, Diagnostics: x.Diagnostics,
		RequestID: x.RequestID, ServerRequestID: x.ServerRequestID, At: x.At,
	}
	if strings.HasPrefix(x.Code, "Error") {
		e.Code = x.Code
	}
	return e
}
