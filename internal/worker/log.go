package worker

import (
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// quiet is how long the same trouble of a whole server or credential is not logged again as a warning.
const quiet = time.Minute

// messages are what the log says of a class in words; the fault's cause is beside it.
var messages = map[jobs.Class]string{
	jobs.Credentials: "the sign-in is refused: check the credentials; every mailbox waits for it",
	jobs.Denied:      "Exchange refuses access",
	jobs.Blocked:     "the mailbox cannot be used until somebody acts",
	jobs.Config:      "Exchange is not where the configuration says, or its certificate is not trusted; every mailbox waits for it",
	jobs.Transient:   "Exchange cannot be reached or answers with an error of its own",
	jobs.Bug:         "Exchange says that our request is wrong",
}

// report logs a failure: what concerns one mailbox as information, what concerns a server or a credential as a warning,
// once a minute for all the mailboxes that meet it. What many are expected to meet is counted (tally.go); partly says that
// an outage ended in part a while ago.
func (w *Worker) report(mb string, f *calsync.Fault, v jobs.Verdict, partly bool) {
	level := zerolog.InfoLevel
	if w.tally.add(mb, f, v, partly) {
		level = zerolog.DebugLevel
	} else if v.Scope != jobs.ScopeItem && v.Scope != jobs.ScopeMailbox {
		trouble := string(v.Class) + " " + v.Code
		if f.Kind == calsync.FaultToken && f.Err != nil && f.Status != 0 { // a secret may be wrong first, and then expired
			trouble += " " + f.Err.Error()
		}
		level = w.loudness(trouble)
	}
	msg := messages[v.Class]
	if msg == "" {
		msg = "Exchange refused"
	}
	e := w.log.WithLevel(level).Str("mailbox", mb).Str("operation", f.Operation).Str("verdict", string(v.Class)).Str("code", v.Code)
	if v.Reason != "" {
		e = e.Str("reason", v.Reason)
	}
	if f.Status != 0 {
		e = e.Int("status", f.Status)
	}
	if f.ServerRequestID != "" {
		e = e.Str("serverRequestId", f.ServerRequestID)
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
