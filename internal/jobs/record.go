package jobs

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// State is how a mailbox fares, apart from whether somebody works on it at the moment.
type State string

// The states. docs/states.md draws them.
const (
	StateNew     State = ""        // never synchronized
	StateOK      State = "ok"      // the last attempt succeeded, or failed in passing
	StateDenied  State = "denied"  // Exchange refuses us; looked at again slowly
	StateBlocked State = "blocked" // gone, disabled, misconfigured: somebody must act; looked at again slowly
	StateFailed  State = "failed"  // given up with a dead letter; looked at again slowly
	// StateHeld is in digests only, in place of whatever state the mailbox is in: the access breaker holds it.
	StateHeld State = "held"
	// StateNoSignIn is shown in place of these while no worker can sign in; see [Outage].
	StateNoSignIn State = "no-sign-in"
)

// Record is all that the fleet knows of a mailbox. It is stored whole, always by compare-and-set. While Owner is
// set only the owner changes it, except that anybody may raise Want, make Lane more urgent, and change Settings.
type Record struct {
	// Want counts triggers, Done those that a finished run has covered: work is left while Done < Want.
	Want uint64 `json:"want"`
	Done uint64 `json:"done"`
	Lane Lane   `json:"lane,omitempty"` // the most urgent of the triggers not covered

	Owner string    `json:"owner,omitempty"` // which worker; empty when nobody works on it
	Fence uint64    `json:"fence,omitempty"` // counts acquisitions
	Lease time.Time `json:"lease,omitzero"`  // until when the owner may be presumed alive
	Rev   uint64    `json:"rev,omitempty"`   // counts the owner's writes, to tell a lost answer from a lost race
	// Crashes counts owners in a row whose lease ran out unreleased: a job that kills its worker is found by it.
	Crashes int `json:"crashes,omitempty"`

	NotBefore time.Time `json:"notBefore,omitzero"` // no request to this mailbox earlier
	// Held is until when the access breaker holds the mailbox, through no fault of its own. Look says that an operator wants
	// it looked at all the same; the look ends it.
	Held       time.Time `json:"held,omitzero"`
	HeldSince  time.Time `json:"heldSince,omitzero"`   // when the breaker opened, and
	HeldReason string    `json:"heldReason,omitempty"` // why; both mean nothing while Held is zero
	Look       bool      `json:"look,omitempty"`
	NextPoll   time.Time `json:"nextPoll,omitzero"`
	Attempts   int       `json:"attempts,omitempty"`  // failed ones in a row; being throttled is not a failure
	Throttled  int       `json:"throttled,omitempty"` // throttled ones in a row

	// Asked is the sequence of ROOMS' newest event for the mailbox that a dispatcher has seen, Applied the one up to which
	// every event has its answer, Tried the one up to which an owner may have written something to Exchange.
	// All are of the stream that Changes names: sequences of one that was made anew begin anew.
	Asked   uint64 `json:"asked,omitempty"`
	Applied uint64 `json:"applied,omitempty"`
	Tried   uint64 `json:"tried,omitempty"`
	Changes string `json:"changes,omitempty"`

	Cursor string            `json:"cursor,omitempty"` // SyncState
	Window Window            `json:"window,omitzero"`  // what recurrences have been expanded over
	Listed string            `json:"listed,omitempty"` // Settings.Scope of the last complete listing
	Ahead  map[string]string `json:"ahead,omitempty"`  // see Record.Told

	// Epoch is random and made with the record; with Commits it makes the ids of events, so that a record that was
	// lost and made anew never uses an id again.
	Epoch    string     `json:"epoch,omitempty"`
	Commits  uint64     `json:"commits,omitempty"`  // numbers the commits
	EventSeq uint64     `json:"eventSeq,omitempty"` // stream sequence of the last event published
	ItemsSeq uint64     `json:"itemsSeq,omitempty"` // stream sequence of the last shadow entry published
	Outbox   []Outgoing `json:"outbox,omitempty"`   // committed, perhaps not yet published

	// DeniedSince is when ROOMS was told that the mailbox is refused, until it has been told that it no longer is; Refusal
	// is the newest refusal since then.
	DeniedSince time.Time `json:"deniedSince,omitzero"`
	Refusal     *Failure  `json:"refusal,omitempty"`

	State     State     `json:"state,omitempty"`
	Since     time.Time `json:"since,omitzero"`   // when State began, denied, blocked and failed only
	Checks    int       `json:"checks,omitempty"` // looks at a denied or blocked mailbox since then
	LastOK    time.Time `json:"lastOK,omitzero"`  // end of the last run that succeeded
	LastError *Failure  `json:"lastError,omitempty"`

	Settings Settings `json:"settings"`
}

// Window is a half-open span of time.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// IsZero reports whether no window is set.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// Settings is the mailbox's entry in the wanted set, copied so that a job needs nothing but the record.
type Settings struct {
	Address    string   `json:"address"`
	Mode       string   `json:"mode,omitempty"`
	URL        string   `json:"url,omitempty"`
	Folder     string   `json:"folder,omitempty"`
	Enabled    bool     `json:"enabled"`
	Fields     []string `json:"fields,omitzero"` // absent: the default, empty: none
	PastDays   int      `json:"pastDays,omitempty"`
	FutureDays int      `json:"futureDays,omitempty"`
	Winner     string   `json:"winner,omitempty"`
	Resource   bool     `json:"resource,omitempty"`
	Revision   uint64   `json:"rev,omitempty"` // of the entry
}

// Scope names what of the settings decides which items ROOMS is told of, and what of them: when it changes,
// everything is listed and told anew.
func (s Settings) Scope() string {
	fields := "default"
	if s.Fields != nil {
		fields = strings.Join(s.Fields, ",")
	}
	return fmt.Sprintf("%s %s %d %d %s", s.URL, s.Folder, s.PastDays, s.FutureDays, fields)
}

// Outgoing is a message of an outbox.
type Outgoing struct {
	Kind OutgoingKind `json:"kind"`
	ID   string       `json:"id"`             // stable: the same message never gets another
	Type string       `json:"type,omitempty"` // CloudEvents type; events only
	Time time.Time    `json:"time,omitzero"`
	Key  string       `json:"key,omitempty"` // links: their key; dead letters: their kind, "job" when empty
	// Expect is of links: the sequence at which the one before it stands.
	Expect uint64          `json:"expect,omitempty"`
	Data   json.RawMessage `json:"data"` // the last field, see Record.AppendJSON
}

// OutgoingKind says where an outgoing message goes.
type OutgoingKind string

// The kinds of outgoing messages.
const (
	OutEvent  OutgoingKind = "event"  // to ROOMS
	OutShadow OutgoingKind = "shadow" // to the list of what ROOMS has been told exists
	OutDead   OutgoingKind = "dead"   // to the dead letters
	OutLink   OutgoingKind = "link"   // to the bucket of links
)

// Failure is the evidence of a failed attempt, without any text of the server's.
type Failure struct {
	At        time.Time `json:"at"`
	Since     time.Time `json:"since,omitzero"` // the first in a row with this code
	Row       int       `json:"row,omitempty"`  // how many with this code came before it in a row
	Operation string    `json:"op,omitempty"`
	Code      string    `json:"code,omitempty"` // the verdict's
	Status    int       `json:"status,omitempty"`
	Class     Class     `json:"class"`
	Scope     Scope     `json:"scope,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Gate      string    `json:"gate,omitempty"` // the sign-in and server that met it, as the breaker is named

	Diagnostics     string `json:"diagnostics,omitempty"`
	RequestID       string `json:"requestId,omitempty"`       // ours
	ServerRequestID string `json:"serverRequestId,omitempty"` // Exchange's
}

// Refusal reports whether Exchange refused access.
func (x *Failure) Refusal() bool {
	return x.Class == Denied || x.Class == Blocked || x.Class == Credentials
}

// Told reports whether an event has already been sent for this version of an item. A listing and the reading of its
// items are two requests, so an item may be read newer than the listing said; the listing after it then names a
// change that ROOMS knows. Ahead remembers those, and what was told of a page that took several commits.
func (r *Record) Told(id, changeKey string) bool {
	ck, ok := r.Ahead[id]
	return ok && ck == changeKey
}

// DeletedKey stands in Ahead for the change key of an item whose deletion has been told.
const DeletedKey = "-"

// Of makes the record count the events of a stream of ROOMS' events, from its beginning if it counted another's.
func (r *Record) Of(stream string) {
	if r.Changes != stream {
		r.Changes, r.Asked, r.Applied, r.Tried = stream, 0, 0, 0
	}
}

// Pending reports whether events of ROOMS wait for an answer.
func (r *Record) Pending() bool { return r.Asked > r.Applied }

// Commit gives messages their ids (mailbox, the record's epoch, commit, position) and puts them into the outbox.
func (r *Record) Commit(mb string, now time.Time, out []Outgoing) {
	r.Commits++
	r.Outbox = make([]Outgoing, len(out))
	for i, o := range out {
		o.ID, o.Time = fmt.Sprintf("%s/%s/%d/%d", mb, r.Epoch, r.Commits, i), now
		r.Outbox[i] = o
	}
}

// Idle reports whether nothing is wanted of the mailbox but its next poll.
func (r *Record) Idle() bool { return r.Done >= r.Want && len(r.Outbox) == 0 }
