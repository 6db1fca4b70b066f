// Package jobs says what a job is, which states a mailbox's record goes through, and what to do about a failed
// attempt. It does no I/O and reads no clock: times come in as arguments, and all of them are of one clock, the
// queue server's.
//
// # The protocol
//
// A job is "bring this mailbox up to date". The queued [Token] is a hint, the mailbox's [Record] is the truth, a
// compare-and-set on the record is the fence, and a schedule is the only way to wait. A token may come twice, late
// or never; what must be done is decided from the record alone ([Admit]).
//
// A token is acknowledged only when the record says that nothing is left to do, or when a schedule is stored that
// will bring the next token.
package jobs

// Lane is a class of urgency: each has tokens, slots and a consumer of its own, so that a booking never stands
// behind a poll.
type Lane string

// The lanes, most urgent first.
const (
	LaneBooking Lane = "booking" // ROOMS changed something
	LaneNotify  Lane = "notify"  // Exchange said that something changed
	LanePoll    Lane = "poll"    // it is time to look
)

// Lanes lists them, most urgent first.
var Lanes = []Lane{LaneBooking, LaneNotify, LanePoll}

func (l Lane) rank() int {
	for i, x := range Lanes {
		if x == l {
			return i
		}
	}
	return len(Lanes)
}

// Urgent returns the more urgent of two lanes; an unknown lane is the least urgent.
func Urgent(a, b Lane) Lane {
	if b.rank() < a.rank() {
		return b
	}
	if a == "" {
		return LanePoll
	}
	return a
}

// Hint is what a token carries so that its worker need not read the record first: the record as it was when the
// token was made, and the sequence at which it stood. Only a compare-and-set against Seq may rest on it.
type Hint struct {
	Seq    uint64 `json:"seq"`
	Record Record `json:"rec"`
}
