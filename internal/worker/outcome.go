package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// judge asks package jobs for the verdict on a fault.
func judge(f *calsync.Fault) jobs.Verdict { return jobs.Judge(fact(f)) }

func fact(f *calsync.Fault) jobs.Fact {
	return jobs.Fact{
		Operation: f.Operation, Kind: string(f.Kind), Code: f.Code, Inner: f.Inner, Status: f.Status,
		BackOff: f.BackOff, Diagnostics: f.Diagnostics, RequestID: f.RequestID,
	}
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
		failed = r.succeeded(store)
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
		out.Verdict, out.Code, failed = r.failed(store, fault)
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
		e, err := event(events.TypeAccessRestored, events.AccessRestored{
			Mailbox: rec.Settings.Address, Since: rec.DeniedSince, Until: now, Checks: rec.Checks,
		})
		if err == nil {
			err = r.emit(ctx, []jobs.Outgoing{e}, func(rec *jobs.Record) { rec.DeniedSince = time.Time{} })
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
		rec.Release()
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

// queuePause is how long a mailbox is left alone after trouble with the queue itself, such as a stream that is full.
const queuePause = 5 * time.Second

// postpone releases the mailbox as it is, to be taken up again after a pause. Where not even that can be stored, the
// token comes again by itself after AckWait.
func (r *run) postpone(ctx context.Context) error {
	if err := r.leave(ctx); err != nil {
		return err
	}
	rec := r.record()
	if err := r.w.bus.Park(ctx, r.mb, jobs.Urgent(rec.Lane, jobs.LanePoll), r.w.bus.Now().Add(queuePause), jobs.Hint{}); err != nil {
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
	v := judge(f)
	r.w.report(r.mb, f, v)
	give := v.Class.GiveUp(v.Code)
	switch {
	case f.Kind == "crash" || f.Kind == "panic" || f.Kind == "record" || give > 0 && attempts(r.record(), v)+1 >= give:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateFailed)
	case v.Class == jobs.Denied:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateDenied)
	case v.Class == jobs.Blocked:
		return v.Class, v.Code, r.refused(ctx, f, v, jobs.StateBlocked)
	}
	return v.Class, v.Code, r.later(ctx, f, v)
}

// quiet is how long the same trouble of a whole server or credential is not logged again as a warning.
const quiet = time.Minute

// messages are what the log says of a class in words; the fault's cause is beside it.
var messages = map[jobs.Class]string{
	jobs.Credentials: "the sign-in is refused: check the credentials; every mailbox waits for it",
	jobs.Config:      "Exchange is not where the configuration says, or its certificate is not trusted; every mailbox waits for it",
	jobs.Transient:   "Exchange cannot be reached or answers with an error of its own",
	jobs.Bug:         "Exchange says that our request is wrong",
}

// report logs a failure: what concerns one mailbox as information, what concerns a server or a credential as a warning,
// once a minute for all the mailboxes that meet it.
func (w *Worker) report(mb string, f *calsync.Fault, v jobs.Verdict) {
	level := zerolog.InfoLevel
	if v.Scope == jobs.ScopeServer || v.Scope == jobs.ScopeCredential {
		level = w.loudness(string(v.Class) + " " + v.Code)
	}
	msg := messages[v.Class]
	if msg == "" {
		msg = "Exchange refused"
	}
	e := w.log.WithLevel(level).Str("mailbox", mb).Str("operation", f.Operation).Str("verdict", string(v.Class)).Str("code", v.Code)
	if f.Status != 0 {
		e = e.Int("status", f.Status)
	}
	if f.BackOff > 0 {
		e = e.Stringer("backOff", f.BackOff)
	}
	e.Str("requestId", f.RequestID).AnErr("error", f.Err).Msg(msg)
}

// loudness is a warning for trouble not heard of for a while, and debugging otherwise.
func (w *Worker) loudness(trouble string) zerolog.Level {
	now := time.Now()
	last, known := w.heard.Swap(trouble, now)
	if known && now.Sub(last.(time.Time)) < quiet {
		w.heard.Store(trouble, last)
		return zerolog.DebugLevel
	}
	return zerolog.WarnLevel
}

// attempts is how many attempts in a row have failed in this way. A failure of another kind begins a new row.
func attempts(rec jobs.Record, v jobs.Verdict) int {
	if rec.LastError == nil || rec.LastError.Class != v.Class {
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
			*n = attempts(*rec, v)
		}
		*n++
		if v.Class == jobs.Resync {
			rec.Cursor = ""
		}
		rec.LastError = failure(f, v, now)
		rec.NotBefore = now.Add(jobs.Wait(v, fact(f), *n, r.w.source()))
		if v.Class == jobs.Resync && *n == 1 {
			rec.NotBefore = now // the server only forgot where we were
		}
		rec.NextPoll = rec.NotBefore
	})
}

func failure(f *calsync.Fault, v jobs.Verdict, now time.Time) *jobs.Failure {
	return &jobs.Failure{At: now, Operation: f.Operation, Code: v.Code, Status: f.Status, Class: v.Class, RequestID: f.RequestID}
}

// refused puts the mailbox into a state in which it is only looked at slowly. Entering the state is told once.
func (r *run) refused(ctx context.Context, f *calsync.Fault, v jobs.Verdict, state jobs.State) error {
	rec, now := r.record(), r.w.bus.Now()
	checks, since := rec.Checks+1, rec.Since
	entering := rec.State != state
	if entering {
		checks, since = 0, now
	}
	next := now.Add(jobs.Recheck(v.Code, checks, r.w.opts.AccessRecheck, r.w.source()))
	change := func(rec *jobs.Record) {
		rec.State, rec.Since, rec.Checks, rec.Attempts = state, since, checks, 0
		rec.LastError = failure(f, v, now)
		rec.NotBefore, rec.NextPoll = next, next
		if v.Class == jobs.Resync {
			rec.Cursor = ""
		}
		if state == jobs.StateDenied && rec.DeniedSince.IsZero() {
			rec.DeniedSince = now
		}
	}
	if entering && (state != jobs.StateDenied || rec.DeniedSince.IsZero()) {
		out, err := r.refusal(f, v, state, next)
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
func (r *run) refusal(f *calsync.Fault, v jobs.Verdict, state jobs.State, next time.Time) (jobs.Outgoing, error) {
	rec, now := r.record(), r.w.bus.Now()
	code := f.Code
	switch state {
	case jobs.StateDenied:
		return event(events.TypeAccessDenied, events.AccessDenied{
			Mailbox: rec.Settings.Address, Since: now, Operation: f.Operation, Status: f.Status, Code: code,
			Hint: hintDenied(f, v), NextCheck: next,
		})
	case jobs.StateBlocked:
		return event(events.TypeMailboxBlocked, events.MailboxBlocked{
			Mailbox: rec.Settings.Address, Since: now, Operation: f.Operation, Code: code, Hint: hintBlocked(code), NextCheck: next,
		})
	}
	data, err := json.Marshal(map[string]any{
		"mailbox": rec.Settings.Address, "operation": f.Operation, "code": v.Code, "httpStatus": f.Status, "requestId": f.RequestID,
		"attempts": attempts(rec, v) + 1, "crashes": rec.Crashes, "failureBefore": rec.LastError, "reason": "the mailbox could not be brought up to date: " + string(v.Class),
	})
	return jobs.Outgoing{Kind: jobs.OutDead, Data: data}, err
}

func event(typ string, data any) (jobs.Outgoing, error) {
	raw, err := json.Marshal(data)
	return jobs.Outgoing{Kind: jobs.OutEvent, Type: typ, Data: raw}, err
}

// hintDenied says what an operator may look at. A bare 403 has at least seven causes, of which Exchange names none.
func hintDenied(f *calsync.Fault, v jobs.Verdict) string {
	switch {
	case f.Diagnostics == "2000008":
		return "the app lacks the permission: grant full_access_as_app (or the RBAC role Application EWS.AccessAsApp) and consent to it"
	case f.Code == "ErrorImpersonateUserDenied" || f.Code == "ErrorImpersonationDenied":
		return "the service user or app may not impersonate this mailbox: check the role assignment and its scope"
	case f.Code == "ErrorAccessDenied":
		return "Exchange refuses access to this mailbox: check the application access policy, the RBAC scope, or the folder permissions of a delegate"
	case v.Scope == jobs.ScopeMailbox && f.Status == 403:
		return "HTTP 403 without a reason: check the application access policy (Test-ApplicationAccessPolicy), EwsEnabled of the mailbox and the organization, EwsAllowedAppIDs, and the mailbox's license"
	}
	return "Exchange refuses access: check the permissions of the app or service user"
}

func hintBlocked(code string) string {
	switch code {
	case "ErrorNonExistentMailbox":
		return "no mailbox has this address: check the address, or remove the mailbox from the wanted set; nothing in ROOMS is deleted because of this"
	case "ErrorNonPrimarySmtpAddress":
		return "this is not the mailbox's primary address: change it to the primary one"
	case "ErrorAccountDisabled", "ErrorInvalidLicense":
		return "the account is disabled or has no license"
	case "ErrorFolderNotFound", "ErrorParentFolderNotFound":
		return "the calendar folder is not there: check the folder id of the mailbox's entry"
	case "ErrorQuotaExceeded":
		return "the mailbox is full"
	}
	return "Exchange says that this mailbox cannot be used until somebody acts: " + code
}
