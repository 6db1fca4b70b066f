package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// entry is what the processes of a fleet share about one credential. All its times are of the store's clock.
//
// Nothing in it is trusted beyond what it can do: a token must open, and no lease or wait counts for longer than
// such a thing can be, so that neither a clock that was set back nor nonsense holds the fleet up.
type entry struct {
	Tokens []sealed `json:"tokens,omitempty"` // the newest of each sealing key
	// Holder is the process that asks the issuer, until Lease.
	Holder string    `json:"holder,omitempty"`
	Lease  time.Time `json:"lease,omitzero"`
	// Forced is when a token was renewed because a server had refused the one before.
	Forced  time.Time `json:"forced,omitzero"`
	Outage  *failure  `json:"outage,omitempty"`  // the newest, of whatever credential
	Refused []failure `json:"refused,omitempty"` // the newest of each credential that the issuer did not accept
}

// sealed is a token that only those who have the key can read.
type sealed struct {
	Sealer     string    `json:"sealer"` // id of the key
	Generation string    `json:"generation"`
	Issued     time.Time `json:"issued"`
	Refresh    time.Time `json:"refresh"` // due from then on
	Expires    time.Time `json:"expires"`
	Blob       []byte    `json:"blob"`
	// Mark is that of the credential which got it, "" where that is not known.
	Mark string `json:"mark,omitempty"`
}

// failure is what came of a request, as facts.
type failure struct {
	Code   string `json:"code,omitempty"`
	AADSTS int    `json:"aadsts,omitempty"`
	Status int    `json:"status,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Credential is the mark of the credential that was not accepted, "" when that was not the reason.
	Credential string    `json:"credential,omitempty"`
	Count      int       `json:"count"` // in a row
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"` // no request before
}

const (
	// formatVersion stands in an entry's key, so that processes of another version, which seal or count otherwise, have
	// an entry of their own.
	formatVersion = 1
	// leaseTime bounds for how long the death of a process that asks keeps the others from asking.
	leaseTime = 40 * time.Second
	// leaseMargin is left of the lease when the request is given up: to write down what came of it.
	leaseMargin = 10 * time.Second
	// minUse is what must be left of a token's life for it to be worth handing out.
	minUse = 10 * time.Second
	// maxSkew is by how much more than sound a time may lie ahead. The store's clock is known to a few seconds at worst.
	maxSkew = time.Minute
	// maxTokens bounds how many sealing keys may have their token. Two do while keys are rotated.
	maxTokens = 4
	// maxRefused bounds how many credentials are remembered as refused.
	maxRefused = 8
)

// Identity says whose token it is. All processes that give the same share one; case and a slash at the end of
// the authority make no difference.
type Identity struct {
	Kind      string // the way to sign in, such as "secret"
	Authority string // URL
	TenantID  string
	ClientID  string
	Scope     string
	User      string // who the token acts for, "" for the application itself
}

// key names the entry, and tells nothing to people.
func (i Identity) key() string {
	i.Authority = strings.TrimRight(i.Authority, "/")
	text := fmt.Sprintf("roomsync token %d %q %q %q %q %q %q", formatVersion, i.Kind, i.Authority, i.TenantID, i.ClientID, i.Scope, i.User)
	sum := sha256.Sum256([]byte(strings.ToLower(text)))
	return hex.EncodeToString(sum[:16])
}

// bound is what the seal holds together with the value.
func (t *sealed) bound(entryKey string) []byte {
	return fmt.Appendf(nil, "roomsync token %d %q %q %d %d %d", formatVersion, entryKey, t.Generation,
		t.Issued.UnixNano(), t.Refresh.UnixNano(), t.Expires.UnixNano())
}

// left is what remains of the token's life.
func (t *sealed) left(now time.Time) time.Duration {
	if t.Issued.After(now.Add(maxSkew)) {
		return 0 // the clock was set back, by nobody knows how much
	}
	return min(t.Expires.Sub(now), t.Expires.Sub(t.Issued))
}

// leased reports whether another process asks the issuer now.
func (e *entry) leased(self string, now time.Time) bool {
	left := e.Lease.Sub(now)
	return e.Holder != "" && e.Holder != self && left > 0 && left <= leaseTime+maxSkew
}

// forcedLately reports whether the fleet must not force another refresh yet.
func (e *entry) forcedLately(now time.Time) bool {
	age := now.Sub(e.Forced)
	return !e.Forced.IsZero() && age < forceInterval && age > -maxSkew
}

// add stores a new token in place of the one of the same sealing key, and of what has expired.
func (e *entry) add(t sealed) {
	others := slices.DeleteFunc(slices.Clone(e.Tokens), func(o sealed) bool {
		return o.Sealer == t.Sealer || !o.Expires.After(t.Issued)
	})
	slices.SortFunc(others, func(x, y sealed) int { return y.Issued.Compare(x.Issued) })
	e.Tokens = append([]sealed{t}, others[:min(len(others), maxTokens-1)]...)
}

func (e *entry) has(generation string) bool {
	return slices.ContainsFunc(e.Tokens, func(t sealed) bool { return t.Generation == generation })
}

// refusal returns the failure because of which a process with the given credential must not ask, and for how much
// longer. Whoever has another credential than the one that was refused need only keep the least distance.
func (e *entry) refusal(now time.Time, ours func(mark string) bool) (why failure, left time.Duration) {
	all := slices.Clone(e.Refused)
	if e.Outage != nil {
		all = append(all, *e.Outage)
	}
	for _, f := range all {
		wait := firstRetry
		if f.Credential == "" || ours(f.Credential) {
			wait = min(f.Until.Sub(f.At), maxRetryAfter+maxRetryAfter/10)
		}
		if l := f.At.Add(wait).Sub(now); l > left && !f.At.After(now.Add(maxSkew)) {
			why, left = f, l
		}
	}
	return why, left
}

// note stores a failure at f.At, with the time that it demands, if any. mine tells the marks of the same credential.
func (e *entry) note(f failure, demanded time.Duration, jitter float64, mine func(mark string) bool) {
	if f.Credential == "" {
		if e.Outage != nil {
			f.Count = e.Outage.Count
		}
		f.count(demanded, jitter)
		e.Outage = &f
		return
	}
	var others []failure
	for _, o := range e.Refused {
		if mine(o.Credential) {
			f.Count = max(f.Count, o.Count)
		} else {
			others = append(others, o)
		}
	}
	f.count(demanded, jitter)
	slices.SortFunc(others, func(x, y failure) int { return y.At.Compare(x.At) })
	e.Refused = append([]failure{f}, others[:min(len(others), maxRefused-1)]...)
}

func (f *failure) count(demanded time.Duration, jitter float64) {
	f.Count++
	f.Until = f.At.Add(max(spacing(f.Count, jitter), min(demanded, maxRetryAfter)))
}

// facts returns what others may know of an error.
func facts(e *Error, at time.Time) failure {
	f := failure{Code: e.Code, AADSTS: e.AADSTS, Status: e.Status, Hint: e.Hint, Reason: e.Reason, At: at}
	if e.Status == 0 {
		f.Hint = "another process asked, and got no answer: its log says more"
	}
	return f
}

// refusesCredential reports whether e would perhaps not have come with another secret or certificate. A service that
// throttles, fails, redirects or does not speak OAuth does the same to all.
func (e *Error) refusesCredential() bool {
	return e.Code != "" && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests
}

// hopeless reports whether the credential brings no token until somebody changes something.
func (e *Error) hopeless() bool { return e != nil && (e.Unusable || e.refusesCredential()) }

func (f *failure) error() *Error {
	return &Error{Code: f.Code, AADSTS: f.AADSTS, Status: f.Status, Hint: f.Hint, Reason: f.Reason}
}
