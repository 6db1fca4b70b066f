package faults

import (
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// MagicAddress is a beginning of an address that misbehaves without any rule, for demonstrations.
type MagicAddress struct {
	Prefix string `json:"prefix"` // of the part before the @; the longest that fits counts
	Fault  string `json:"fault"`  // id of the catalogue
	What   string `json:"what"`   // for people
	// Rate of the attempts that are hit, 1 for all; decided by hash.
	Rate float64 `json:"rate"`
	then Then
}

var magics = []MagicAddress{
	{"denied403", "H22", "every call is answered 403 without a body, as by an application access policy", 1, Then{Status: 403}},
	{"denied", "E12", "every call is answered ErrorAccessDenied", 1, Then{Code: "ErrorAccessDenied", Form: ResponseMessage}},
	{"busy503", "H1", "half of the calls are answered 503 with Retry-After: 5", 0.5, Then{Status: 503, RetryAfter: "5"}},
	{"busy", "H4", "half of the calls are answered ErrorServerBusy with a back-off of 5 s", 0.5, Then{Code: "ErrorServerBusy", BackOff: 5 * second}},
	{"slow", "H8", "every answer takes 3 s", 1, Then{Delay: 3 * second}},
	{"flaky", "H10", "three calls of ten lose their connection", 0.3, Then{Reset: true}},
	{"gone", "E10", "the mailbox does not exist", 1, Then{Code: "ErrorNonExistentMailbox"}},
	{"moving", "E7", "every call is answered ErrorMailboxMoveInProgress", 1, Then{Code: "ErrorMailboxMoveInProgress", Form: ResponseMessage}},
}

// Magic lists the addresses that misbehave by themselves.
func Magic() []MagicAddress { return magics }

// magic is what such an address does to the call; nil for all others.
func magic(c *hook.Call, seed uint64) *hook.Answer {
	for i := range magics {
		m := &magics[i]
		if !strings.HasPrefix(c.Mailbox, m.Prefix) || strings.IndexByte(c.Mailbox, '@') < len(m.Prefix) {
			continue
		}
		if m.Rate < 1 && !hit(seed, c.Mailbox, c.Operation, c.Attempt, m.Rate) {
			return nil
		}
		return m.then.answer(m.Fault, time.Time{}) // no date is in these answers
	}
	return nil
}
