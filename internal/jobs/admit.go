package jobs

import "time"

// The lease. A worker renews at a third of it and stops work with a fifth of it left.
const (
	LeaseTTL    = 30 * time.Second
	LeaseRenew  = LeaseTTL / 3
	LeaseMargin = LeaseTTL / 5
)

// CrashLimit is how many workers a job may take with it in a row before it is given up.
const CrashLimit = 5

// Slack is how much early a poll may be: clocks are compared only through an estimate.
const Slack = time.Second

// QueuePause is how long a mailbox is left alone after trouble with the queue itself, such as a stream that is full. The
// record does not know of it: only the schedule does.
const QueuePause = 5 * time.Second

// Action says what to do with a token.
type Action int

// The actions.
const (
	Acquire Action = iota + 1 // try to become the owner
	Park                      // store a schedule for Admission.At, then acknowledge
	Drop                      // nothing to do: acknowledge
)

// Admission is the answer to a token.
type Admission struct {
	Action Action
	At     time.Time
	Steal  bool // Acquire from an owner that is presumed dead
}

// Admit decides what a token is good for, from the record as just read.
//
// Only the end of the lease says that an owner is gone. That the queue delivers the owner's own token again says less:
// a token that was fetched ahead and waited for a slot is delivered again while its first copy is just being begun.
//
// A committed outbox is published whatever else is to be waited for, since it asks nothing of Exchange.
func Admit(r *Record, now time.Time) Admission {
	owned := r.Owner != ""
	switch {
	case owned && now.Before(r.Lease):
		return Admission{Action: Park, At: minTime(r.Lease, now.Add(time.Second))}
	case len(r.Outbox) > 0:
		return Admission{Action: Acquire, Steal: owned}
	case !r.Settings.Enabled:
		return Admission{Action: Drop}
	case now.Before(r.Until()): // exactly: the server counts
		return Admission{Action: Park, At: r.Until()}
	case owned, !r.Idle(), !now.Add(Slack).Before(r.NextPoll):
		return Admission{Action: Acquire, Steal: owned}
	}
	return Admission{Action: Park, At: r.NextPoll}
}

// Take makes owner the owner, for a lease from now. From then on he may have written whatever is asked, so that a next
// owner must look first, unless this one says better ([Record.Doubt]).
func (r *Record) Take(owner string, now time.Time) {
	if r.Owner != "" {
		r.Crashes++
	}
	r.Owner, r.Lease = owner, now.Add(LeaseTTL)
	r.Tried = max(r.Tried, r.Asked)
	r.Fence++
	r.Rev++
}

// Release gives the mailbox free.
func (r *Record) Release() {
	r.Owner, r.Lease, r.Crashes = "", time.Time{}, 0
	if r.Done >= r.Want {
		r.Lane = ""
	}
}

// Doubt says up to which of ROOMS' events it is not known whether Exchange has them. Those that have an answer are known.
func (r *Record) Doubt(seq uint64) {
	r.Tried = max(seq, r.Applied)
	if r.Tried == r.Applied {
		r.Tried = 0
	}
}

// Unpark ends a wait that is ours and not Exchange's.
func (r *Record) Unpark() {
	r.Look = true
	if r.Owner == "" && !r.throttled() {
		r.NotBefore = time.Time{}
	}
}

// throttled reports whether Exchange has asked for time.
func (r *Record) throttled() bool { return r.LastError != nil && r.LastError.Class == Throttled }

// Unhold ends the hold of the access breaker.
func (r *Record) Unhold() { r.Held, r.HeldSince, r.HeldReason = time.Time{}, time.Time{}, "" }

// Until is when a wait ends: Exchange's, ours, or the access breaker's unless an operator wants a look.
func (r *Record) Until() time.Time {
	if r.Held.After(r.NotBefore) && !r.Look {
		return r.Held
	}
	return r.NotBefore
}

// Wake is when the next token must come: the next poll, or the end of a wait if that is later. Work left over
// without a wait is due at once.
func (r *Record) Wake(now time.Time) time.Time {
	at := r.NextPoll
	if !r.Idle() {
		at = now
	}
	if until := r.Until(); at.Before(until) {
		at = until
	}
	return at
}

// Merge takes over what others may change while somebody owns the record.
func (r *Record) Merge(stored *Record) {
	r.Want = max(r.Want, stored.Want)
	if stored.Lane != "" {
		r.Lane = Urgent(r.Lane, stored.Lane)
	}
	r.Look = r.Look || stored.Look
	if r.Changes != stored.Changes {
		r.Of(stored.Changes)
	}
	r.Asked = max(r.Asked, stored.Asked)
	r.Settings = stored.Settings
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
