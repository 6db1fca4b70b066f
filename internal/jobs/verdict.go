package jobs

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Class is the verdict on a failed attempt: what kind of trouble it is, and therefore what to do.
type Class string

// The classes. docs/states.md and the runbook say what each leads to.
const (
	Throttled    Class = "throttled"     // wait, then go on; not a failed attempt
	Transient    Class = "transient"     // try again, each time later
	Resync       Class = "resync"        // forget the cursor and list everything anew
	ItemConflict Class = "item-conflict" // one item's trouble; the job goes on
	Blocked      Class = "blocked"       // somebody must act on the mailbox
	Denied       Class = "denied"        // access denied: an event, then a slow re-check
	Credentials  Class = "credentials"   // the sign-in is refused: nothing of this credential can work
	Config       Class = "configuration" // the server's address or its certificate is wrong: nobody's mailbox can work
	Bug          Class = "bug"           // our request is wrong: a dead letter
)

// Scope is how far a verdict reaches.
type Scope string

// The scopes.
const (
	ScopeItem       Scope = "item"
	ScopeMailbox    Scope = "mailbox"
	ScopeCredential Scope = "credential"
	ScopeServer     Scope = "server"
)

// Fact is what went wrong, as the calendar server or the way to it said.
type Fact struct {
	Operation   string
	Kind        string        // level: response, soap, http, transport, tls, malformed, oversize, token
	Code        string        // ResponseCode or OAuth error, "" when there was none
	Inner       string        // second code, inside
	Status      int           // HTTP status, 0 without an answer
	BackOff     time.Duration // what the server asked for
	Diagnostics string        // x-ms-diagnostics number
	RequestID   string
}

// Verdict is what to do about a Fact.
type Verdict struct {
	Class Class
	Scope Scope
	Code  string // what decided: the ResponseCode, or "HTTP 503", or the kind; for logs, metrics and events
}

// Judge gives the verdict on a fact. The order is the one of the answers' certainty: a code inside decides before a
// code, a code before a status, a status before the mere kind of failure.
func Judge(f Fact) Verdict {
	if f.Kind == "token" {
		return judgeToken(f)
	}
	if v, ok := byCode(f.Inner); ok && v.Class == Throttled {
		return v
	}
	if v, ok := byCode(f.Code); ok {
		return v
	}
	if f.Code != "" { // a code nobody has written down
		return Verdict{Transient, ScopeMailbox, f.Code}
	}
	if f.Status != 0 && f.Status != 200 {
		return judgeStatus(f)
	}
	return judgeKind(f)
}

func byCode(code string) (Verdict, bool) {
	if code == "" {
		return Verdict{}, false
	}
	v, ok := verdicts[code]
	v.Code = code
	return v, ok
}

func judgeToken(f Fact) Verdict {
	code := f.Code
	if code == "" {
		code = "token"
	}
	switch {
	case f.Status == 429 || code == "temporarily_unavailable":
		return Verdict{Throttled, ScopeCredential, code}
	case f.Status == 0 || f.Status >= 500 || code == "server_error":
		return Verdict{Transient, ScopeCredential, code}
	}
	return Verdict{Credentials, ScopeCredential, code}
}

func judgeStatus(f Fact) Verdict {
	code := "HTTP " + strconv.Itoa(f.Status)
	switch {
	case f.Status == 401:
		return judge401(f)
	case f.Status == 403 && f.Diagnostics == "2000008":
		return Verdict{Denied, ScopeCredential, code}
	case f.Status == 403:
		return Verdict{Denied, ScopeMailbox, code}
	case f.Status == 429:
		return Verdict{Throttled, ScopeMailbox, code}
	case f.Status == 503:
		return Verdict{Throttled, ScopeServer, code}
	case f.Status == 456:
		return Verdict{Credentials, ScopeCredential, code}
	case f.Status == 302, f.Status == 408, f.Status >= 500:
		return Verdict{Transient, ScopeServer, code}
	case f.Status < 400, f.Status == 404, f.Status == 405, f.Status == 407, f.Status == 410:
		return Verdict{Config, ScopeServer, code}
	}
	return Verdict{Bug, ScopeMailbox, code} // 400, 413, 415 …
}

// judge401 reads x-ms-diagnostics: numbers that name the token or the app are credentials, 2000005 names the user,
// 2000007 is Exchange's own trouble, 2000008 a missing permission. A 401 without it, after the one refresh that the
// client has made by now, may only mean "slow down" (exchangelib's authors have met it).
func judge401(f Fact) Verdict {
	const code = "HTTP 401"
	switch d := f.Diagnostics; {
	case d == "2000008":
		return Verdict{Denied, ScopeCredential, code}
	case d == "2000007":
		return Verdict{Transient, ScopeServer, code}
	case d == "2000005":
		return Verdict{Blocked, ScopeMailbox, code}
	case strings.HasPrefix(d, "2000") || strings.HasPrefix(d, "4000"):
		return Verdict{Credentials, ScopeCredential, code}
	}
	return Verdict{Throttled, ScopeCredential, code}
}

func judgeKind(f Fact) Verdict {
	switch f.Kind {
	case "tls":
		return Verdict{Config, ScopeServer, "tls"} // verification is never skipped
	case "malformed", "oversize":
		if f.Status == 0 { // nothing was sent: the address or the settings make no request
			return Verdict{Config, ScopeMailbox, f.Kind}
		}
		return Verdict{Transient, ScopeServer, f.Kind}
	case "":
		return Verdict{Transient, ScopeMailbox, "unknown"}
	}
	return Verdict{Transient, ScopeServer, f.Kind}
}

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
	backOffCap   = 15 * time.Minute
	// askAgain is how long a mailbox waits for a token or for a corrected address. It is short, since it costs no request
	// to Exchange: how often a token is asked for is decided where tokens are kept.
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
		d = askAgain + jitter(askAgain, rnd)
	default:
		if f.Kind == "token" {
			f.BackOff = 0
		}
		d = max(f.BackOff, jitter(exponential(backOffFirst, n), rnd)+time.Second)
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
