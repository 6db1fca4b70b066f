package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// enter goes through the gate to the mailbox's server, or says that the mailbox is held.
func (r *run) enter(ctx context.Context, rec *jobs.Record) error {
	r.gate, r.looked, r.through = r.w.gate(rec.Settings.URL), rec.Look, false
	if r.gate.open.Load() {
		if !rec.Look && !r.gate.admits(ctx, r.mb, rec.State, r.w.bus.Now()) {
			return errHeld
		}
		r.through = true
	}
	if !rec.Held.IsZero() {
		r.note((*jobs.Record).Unhold)
	}
	return nil
}

// admits reports whether a mailbox is a canary whose time has come, or becomes one because one is missing.
func (g *gate) admits(ctx context.Context, mb string, s jobs.State, now time.Time) bool {
	admitted := false
	turn := func(b *jobs.Breaker) (changed bool) {
		if admitted = b.Admits(mb, now); admitted {
			return false
		}
		expired := b.Expire(now, g.w.opts.AccessRecheck)
		admitted = b.Enlist(mb, s == jobs.StateOK || s == jobs.StateNew, now)
		return expired || admitted
	}
	x, _ := g.snapshot()
	if !turn(&x) { // most are not needed, and ask nobody
		return admitted
	}
	err := g.change(ctx, turn)
	return err == nil && admitted
}

// held releases a mailbox that the breaker holds. No attempt is counted, and what is wanted of it stays wanted.
func (r *run) held(ctx context.Context) error {
	rec, now := r.record(), r.w.bus.Now()
	urgent := !rec.Idle() && rec.Lane != jobs.LanePoll
	x, _ := r.gate.snapshot()
	until := x.Hold(r.mb, urgent, now, r.w.source())
	return r.release(ctx, func(rec *jobs.Record) {
		rec.Held, rec.HeldSince, rec.HeldReason = until, x.Since, ""
		if x.Refusal != nil {
			rec.HeldReason = x.Refusal.Reason
		}
	})
}

// worked tells the gate that the mailbox works. What was held goes on when it was asked for in spite of the breaker.
func (r *run) worked(ctx context.Context) {
	g, now := r.gate, r.w.bus.Now()
	if !r.through {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.spread.Worked(r.mb, now)
		return
	}
	rec := r.record()
	err := g.change(ctx, func(b *jobs.Breaker) bool {
		if !b.Open {
			return false
		}
		b.Worked(r.mb, rec.State == jobs.StateDenied && b.Lately(rec.Since), now)
		return tell(b, g.token(), events.TypeAccessRestored, now, opened(b, now))
	})
	if err != nil {
		r.w.log.Warn().Str("mailbox", r.mb).Err(err).Msg("a canary works, and that could not be stored; it is asked for again")
	}
}

// spreads tells the gate of a refusal, and reports whether more than this mailbox is concerned: then it is held, and not
// told of by itself.
func (r *run) spreads(ctx context.Context, f *calsync.Fault, v jobs.Verdict) bool {
	if r.gate == nil || f.Kind == calsync.FaultToken || !v.Refusal() {
		return false
	}
	rec, now := r.record(), r.w.bus.Now()
	x := r.failure(rec.LastError, f, v, now)
	if r.gate.open.Load() {
		if r.through {
			r.stillRefused(ctx, x, now)
		}
		return true
	}
	o, wide := r.gate.refused(r.mb, &rec, v, now)
	if !wide {
		return false
	}
	o.Mailbox, o.Address, o.Refusal = r.mb, rec.Settings.Address, x
	return r.trip(ctx, o, now)
}

// refused notes a refusal of a mailbox that was fine, and reports whether the breaker ought to open.
func (g *gate) refused(mb string, rec *jobs.Record, v jobs.Verdict, now time.Time) (jobs.Opening, bool) {
	last := rec.LastError
	fine := rec.State == jobs.StateOK && !rec.LastOK.IsZero()
	fresh := (fine || rec.State == jobs.StateNew && v.Certain()) && (last == nil || !last.Refusal())
	if !fresh {
		return jobs.Opening{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spread.Refused(mb, now)
	o := jobs.Opening{Worked: g.spread.LastWorked(), Refused: 1, Observed: 1}
	sure := g.state.Sure(now)
	if v.Certain() && !sure {
		return o, true
	}
	var wide bool
	o.Refused, o.Observed, wide = g.spread.Wide(sure)
	return o, wide
}

// trip opens the breaker for the whole fleet, unless somebody has; it reports whether it is open.
func (r *run) trip(ctx context.Context, o jobs.Opening, now time.Time) bool {
	g := r.gate
	mine := false
	err := g.change(ctx, func(b *jobs.Breaker) bool {
		if mine = !b.Open; !mine {
			return false
		}
		b.Trip(o, now, r.w.opts.AccessRecheck)
		return tell(b, g.token(), events.TypeAccessDenied, now, opens(b, r.w.opts.Identity))
	})
	if err != nil {
		r.w.log.Warn().Err(err).Msg("many mailboxes are refused, and that could not be stored; each is handled by itself")
		return g.open.Load()
	}
	if mine && o.Worked != "" && o.Worked != o.Mailbox { // it may not be due for long
		if err := r.w.bus.Trigger(ctx, o.Worked, jobs.LaneNotify); err != nil {
			r.w.log.Warn().Str("mailbox", o.Worked).Err(err).Msg("the canary was not woken; another takes its place")
		}
	}
	return true
}

// stillRefused notes what a canary was answered.
func (r *run) stillRefused(ctx context.Context, x *jobs.Failure, now time.Time) {
	address := r.record().Settings.Address
	err := r.gate.change(ctx, func(b *jobs.Breaker) bool {
		if !b.Open {
			return false
		}
		b.StillRefused(r.mb, address, x, now, r.w.opts.AccessRecheck)
		return true
	})
	if err != nil {
		r.w.log.Warn().Str("mailbox", r.mb).Err(err).Msg("a canary's refusal could not be stored; it is asked for again")
	}
}

// tell puts an event into the breaker's outbox.
func tell(b *jobs.Breaker, token, typ string, now time.Time, data any) bool {
	raw, err := json.Marshal(data)
	if err != nil {
		return false
	}
	b.Commits++
	b.Outbox = append(b.Outbox, jobs.Outgoing{
		Kind: jobs.OutEvent, ID: fmt.Sprintf("%s/%s/%d/0", token, b.Epoch, b.Commits), Type: typ, Time: now, Data: raw,
	})
	return true
}

// opens is the event that many mailboxes are refused.
func opens(b *jobs.Breaker, id jobs.Identity) events.AccessDenied {
	x := b.Refusal
	e := evidence(x)
	return events.AccessDenied{
		Mailbox: b.Address, Since: b.Since, Operation: x.Operation, Status: x.Status, Code: e.Code, NextCheck: b.NextCheck,
		Hint: fmt.Sprintf("%d of %d mailboxes that were fine are refused: look for what all have in common before you touch a single one; all wait, and canaries are asked for; %s",
			b.Refused, b.Observed, jobs.Advice(x.Reason, id, b.Address)),
		Scope: string(b.Scope), Reason: x.Reason, Evidence: e, FirstSeen: x.Since, LastSeen: x.At, Refused: b.Refused, Observed: b.Observed,
	}
}

// opened is the event that it is over.
func opened(b *jobs.Breaker, now time.Time) events.AccessRestored {
	x := b.Refusal
	return events.AccessRestored{
		Mailbox: b.Address, Since: b.Since, Until: now, Checks: b.Checks, Scope: string(b.Scope), Reason: x.Reason, Evidence: evidence(x),
		FirstSeen: b.Since, LastSeen: x.At, Partial: b.Partial,
	}
}
