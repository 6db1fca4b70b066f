// Package hook is the seam inside the simulated Exchange: between the part that speaks EWS, the part that knows who
// may sign in, and the part that makes things go wrong.
package hook

import (
	"net/http"
	"time"
)

// Call is one EWS request, as the rest of the simulator sees it.
type Call struct {
	ID        uint64    // counts all calls, from 1
	Time      time.Time // by the simulator's clock
	Operation string    // SyncFolderItems, GetItem …
	Mailbox   string    // whose data is asked for, lower case: impersonated, named in the folder id, or the caller's own
	Acting    string    // the mailbox to impersonate, lower case; empty when the caller acts as itself
	Caller    Principal
	RequestID string // client-request-id
	UserAgent string
	Fence     string // X-Roomsync-Fence, which the product's tests send to prove that no two owners overlap
	Items     int    // number of ids in the request's batch, 1 where there is none
	Attempt   int    // counts the calls of this operation for this mailbox, from 1
	Refused   Cause  // why access was refused, once it is; the first cause of several
}

// Principal is who signed in.
type Principal struct {
	Address string // mailbox owner or service user; empty for an app
	AppID   string // client id; empty for basic authentication
	TokenID string // identifies the access token without being it; empty for basic authentication
	SignIn  SignIn
	// Permitted says whether the token carries what EWS asks for: the role full_access_as_app of an app, the scope
	// EWS.AccessAsUser.All of a user. It is true of everybody who comes without a token.
	Permitted bool
	// MayImpersonate says whether the principal may act as any mailbox.
	MayImpersonate bool
	// MustImpersonate is true of apps: they own no mailbox.
	MustImpersonate bool
}

// SignIn is a kind of sign-in, named as the product's --auth names it.
type SignIn string

// Kinds of sign-in.
const (
	Basic       SignIn = "basic"
	NTLM        SignIn = "ntlm"
	Secret      SignIn = "secret"
	Certificate SignIn = "certificate"
	Federated   SignIn = "federated"
	Delegated   SignIn = "delegated" // a user's token, by the password grant
)

// Authenticator decides who makes a request. A nil Answer means that the principal is known.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, *Answer)
}

// Interceptor scripts what goes wrong. A nil Answer or ItemFault lets the call go on.
type Interceptor interface {
	// Before is asked when the request is understood and nothing has been done.
	Before(c *Call) *Answer
	// Item is asked for each item of a batch, before its effect.
	Item(c *Call, position int, id string) *ItemFault
	// After is asked when the effect is done; the answer replaces or spoils the true one.
	After(c *Call) *Answer
	// Done tells how the call ended.
	Done(c *Call, status int, codes []string, took time.Duration)
}

// Answer says what to answer instead. Zero fields change nothing, so Answer{Delay: d} is the true answer, late.
type Answer struct {
	FaultID string        // id of the fault catalogue, such as "H4", for the log
	Delay   time.Duration // before anything is sent; ends when the client goes away
	Hang    bool          // never answer
	Reset   bool          // close the connection without an answer

	Status int // HTTP status, with Header and Body
	Header http.Header
	Body   []byte

	SOAPFault *SOAPFault // an HTTP 500 SOAP Fault (or Status, when set)
	Response  *ItemFault // HTTP 200, every response message with this error

	// CutAfter, when greater than 0, sends that many bytes of the answer's body and then cuts the connection.
	CutAfter int
	// Close makes the answer close-delimited (no Content-Length, no chunks), so that a cut leaves no transport error.
	Close bool
	// Write is what happens to a write beside its being done. It replaces no answer.
	Write WriteFault
	// Trickle sends the body one byte for each such span of time.
	Trickle time.Duration
}

// WriteFault is something that happens to a write although it succeeds.
type WriteFault string

// What happens to writes.
const (
	// WriteTwice: something in between lost the first answer and asked again. The client sees the second answer.
	WriteTwice WriteFault = "twice"
	// WriteNormalized: the server stores other values than it was given.
	WriteNormalized WriteFault = "normalized"
	// WriteTouched: the item gets another change key right after the write, and no other content.
	WriteTouched WriteFault = "touched"
	// WriteAttended: seconds later a booking attendant replaces the subject and drops the body.
	WriteAttended WriteFault = "attended"
)

// SOAPFault is the content of a Fault as Exchange sends it.
type SOAPFault struct {
	Code    string        // ErrorServerBusy …
	Message string        // the text Exchange sends with Code when empty
	BackOff time.Duration // BackOffMilliseconds in MessageXml when greater than 0
}

// ItemFault is the error of one response message.
type ItemFault struct {
	Code    string
	Message string // the text Exchange sends with Code when empty
	BackOff time.Duration
	Inner   string // t:Value Name="InnerErrorResponseCode"
}
