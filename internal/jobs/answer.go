package jobs

import (
	"encoding/json"
	"fmt"
	"time"

	"roomsync/events"
)

// DeadBooking is the kind of the dead letters of ROOMS' events.
const DeadBooking = "booking"

// Letter is the dead letter of an event of ROOMS that was given up: all that is needed to publish it again.
type Letter struct {
	Mailbox  string          `json:"mailbox"`
	Reason   string          `json:"reason"` // one of the Rejected constants of package events
	Code     string          `json:"code,omitempty"`
	Hint     string          `json:"hint"`
	Attempts int             `json:"attempts,omitempty"`
	Sequence uint64          `json:"sequence"` // of the event in its stream
	Stored   time.Time       `json:"stored"`
	Event    json.RawMessage `json:"event,omitempty"` // a CloudEvent in structured mode
	Payload  []byte          `json:"payload,omitempty"`
}

// Event encodes an event for ROOMS.
func Event(typ string, data any) (Outgoing, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Outgoing{}, fmt.Errorf("jobs: encode %s: %w", typ, err)
	}
	return Outgoing{Kind: OutEvent, Type: typ, Data: raw}, nil
}

// Reject is what follows from an event that is given up: the answer, if the event says which booking it is of, and a
// dead letter. Letter's Mailbox, Reason, Code and Hint are taken from the answer.
func Reject(a events.BookingRejected, e events.Event, l Letter) ([]Outgoing, error) {
	l.Mailbox, l.Reason, l.Code, l.Hint = a.Mailbox, a.Reason, a.Code, a.Hint
	if e.Type != "" {
		structured, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("jobs: encode a dead letter: %w", err)
		}
		l.Event, l.Payload = structured, nil
	}
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("jobs: encode a dead letter: %w", err)
	}
	out := []Outgoing{{Kind: OutDead, Key: DeadBooking, Data: data}}
	if a.BookingID == "" || a.Revision < 1 {
		return out, nil // nobody could tell whose answer it is
	}
	answer, err := Event(events.TypeBookingRejected, a)
	return append(out, answer), err
}
