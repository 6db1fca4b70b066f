package jobs

import (
	"math/rand/v2"
	"strings"
	"time"
)

// GiveUp is how many failed attempts in a row a class is given before the mailbox counts as failed; 0 is for ever.
func (c Class) GiveUp(code string) int {
	switch {
	case c == Bug:
		return 1
	case c == Transient && (fewTries[code] || unknown(code)):
		return 4
	case c == Resync:
		return 5
	case c == ItemConflict: // of a whole call, which names no item to put aside
		return 4
	}
	return 0
}

// unknown reports whether code is a ResponseCode that the table does not have.
func unknown(code string) bool {
	_, known := verdicts[code]
	return strings.HasPrefix(code, "Error") && !known
}

// The delays, in the words of docs/states.md.
const (
	backOffFirst = 10 * time.Second
	moveLeast    = 5 * time.Minute // a mailbox that is being moved is away for minutes to hours
	backOffCap   = 15 * time.Minute
	// askAgain is how long a mailbox waits for a token or for a corrected address. It is short, since without a token it
	// costs no request to Exchange: how often a token is asked for is decided where tokens are kept.
	askAgain = 30 * time.Second
	// silentWait is for a throttling answer that names no time: exchangelib's default.
	silentWait = 60 * time.Second
	// clockMargin covers the error of the estimate of the server's clock when a wait is counted from an answer.
	clockMargin = 250 * time.Millisecond
)

// Wait is how long to leave a mailbox alone after a failure, n being how many of its kind came in a row (from 1).
// What the server asked for is the least, exponential delay with full jitter the rest; 15 minutes are the most.
func Wait(v Verdict, f Fact, n int, rnd *rand.Rand) time.Duration {
	var d time.Duration
	switch v.Class {
	case Throttled:
		if d = f.BackOff; d <= 0 {
			d = jitter(exponential(silentWait/2, n), rnd) + silentWait/2
		}
	case Credentials, Config:
		if d = askAgain; v.Class == Credentials && f.Kind != "token" { // each try is a sign-in, and may lock the account
			d = exponential(askAgain, n)
		}
		d += jitter(d, rnd)
	default:
		if f.Kind == "token" {
			f.BackOff = 0
		}
		least := time.Second
		if v.Code == "ErrorMailboxMoveInProgress" {
			least = moveLeast
		}
		d = max(f.BackOff, jitter(exponential(backOffFirst, n), rnd)+least)
	}
	return min(d, backOffCap) + clockMargin
}

func exponential(first time.Duration, n int) time.Duration {
	return min(first<<min(max(n-1, 0), 16), backOffCap)
}

func jitter(d time.Duration, rnd *rand.Rand) time.Duration {
	return time.Duration(rnd.Int64N(int64(d) + 1))
}

// Recheck is when a denied, blocked or failed mailbox is looked at again: every interval (an hour) for a day, then
// daily, since a change of policy takes 1-24 hours. A refused impersonation is known to be spurious at times, so its
// first three looks come within the first interval.
func Recheck(code string, checks int, interval time.Duration, rnd *rand.Rand) time.Duration {
	d := interval
	switch {
	case code == "ErrorImpersonateUserDenied" && checks <= 3:
		d = interval / 4
	case checks > 24:
		d = 24 * interval
	}
	return d - d/20 + jitter(d/10, rnd)
}

// Poll is the time to the next poll: the interval, spread by a tenth to either side so that mailboxes that once
// stood together do not stay so.
func Poll(interval time.Duration, rnd *rand.Rand) time.Duration {
	return interval - interval/10 + jitter(interval/5, rnd)
}
