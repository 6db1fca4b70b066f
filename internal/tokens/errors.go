package tokens

import (
	"fmt"
	"strings"
	"time"
)

// Error says why there is no token. It holds facts only, and never anything that was sent or received verbatim:
// answers of a token service may repeat what was sent to it.
type Error struct {
	// Code is the OAuth error (RFC 6749 section 5.2), such as "invalid_client"; "" when the service gave none.
	// Programs decide on it and on Status, not on AADSTS, whose numbers Microsoft may change.
	Code   string
	AADSTS int // Entra's number of the error, for people; 0 when there is none
	Status int // HTTP status, 0 when there was no answer
	// RetryAfter is how long to wait before asking again: what the service demanded, or what the kind of error calls
	// for; 0 leaves it to the caller.
	RetryAfter time.Duration
	Hint       string // what the operator can do
	Err        error  // the cause, such as a network error
	// Reason is one of the Reason constants where the kind of refusal is known that well, "" otherwise.
	Reason string
	// NextAsk is when the issuer is asked again, on this process's clock; zero when that is not known. RetryAfter may end
	// earlier: a process of a fleet looks in between whether another has got a token.
	NextAsk time.Time
	// Unusable says that nothing was asked: what this process signs in with is not there, has expired or does not work.
	Unusable bool

	paced bool // the Source spaces requests itself: RetryAfter is when to call it again, no sooner and no later
}

// Reasons of refusals, in the words of the wire contract with ROOMS.
const (
	ReasonUserLocked      = "user-locked"      // the service user is locked out, or this host's address is
	ReasonPasswordExpired = "password-expired" // the service user's password has to be changed
)

// Error names the code, the number, the status and the hint.
func (e *Error) Error() string {
	var facts []string
	if e.Code != "" {
		facts = append(facts, e.Code)
	}
	if e.AADSTS != 0 {
		facts = append(facts, fmt.Sprintf("AADSTS%d", e.AADSTS))
	}
	if e.Status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", e.Status))
	}
	s := "tokens: no access token"
	if len(facts) > 0 {
		s += " (" + strings.Join(facts, ", ") + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CredentialUnusable returns Unusable.
func (e *Error) CredentialUnusable() bool { return e.Unusable }

// OAuthError returns Code. With HTTPStatus, RetryDelay and CredentialUnusable it lets a package that must not know this
// one read the facts through an interface of its own.
func (e *Error) OAuthError() string { return e.Code }

// RefusalReason returns Reason, for who must not know this package.
func (e *Error) RefusalReason() string { return e.Reason }

// Refuses reports whether the issuer, or this process itself, does not accept what it would sign in with. Otherwise the
// issuer, or the way to it, has trouble that may pass by itself.
func (e *Error) Refuses() bool { return e.hopeless() }

// HTTPStatus returns Status.
func (e *Error) HTTPStatus() int { return e.Status }

// RetryDelay returns RetryAfter.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }
