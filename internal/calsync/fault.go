package calsync

import (
	"fmt"
	"time"
)

// Fault is what a calendar server, or the way to it, answered instead of a result: facts only. Package jobs turns
// it into a verdict; nothing below that decides whether to try again.
type Fault struct {
	Operation string // the protocol's name of it, such as "SyncFolderItems"
	Kind      FaultKind
	Code      string // ResponseCode, such as "ErrorServerBusy"; "" when the answer had none
	Inner     string // a second code found inside, such as ErrorServerBusy within ErrorInternalServerError
	Status    int    // HTTP status, 0 when there was no answer
	Message   string // the server's text; may hold personal data, so it goes to no event and no log above debug

	BackOff time.Duration // what the server asked for (BackOffMilliseconds, Retry-After); 0 when it did not
	// Policy is what X-EWS-Policy-Reason says of a 403: one of the policy constants, "" without that header.
	Policy      string
	Diagnostics string // x-ms-diagnostics, without its free text: "2000008;reason=…" is "2000008"
	Claims      string // claims challenge of a 401, "" when there was none
	RequestID   string // our client-request-id, to find the call in both logs
	// ServerRequestID is the request-id that Exchange gave the call, "" without one.
	ServerRequestID string

	// Unknown says that the request may have taken effect: no complete answer came back.
	Unknown bool
	// Reason is why the sign-in is refused, in the words of the wire contract, where what signs in knows it (FaultToken).
	Reason string
	Err    error // the cause, such as a network error
}

// What X-EWS-Policy-Reason says.
// https://learn.microsoft.com/exchange/client-developer/exchange-web-services/how-to-control-access-to-ews-in-exchange
const (
	PolicyDisabled = "disabled" // EWS is disabled for this user or tenant: EwsEnabled
	PolicyBlocked  = "blocked"  // EWS is blocked by policy for this user or tenant: EwsAllowedAppIDs, or user agents
)

// FaultKind says at which level the answer went wrong.
type FaultKind string

// The levels.
const (
	FaultResponse  FaultKind = "response"  // a ResponseMessage of class Error, on HTTP 200
	FaultSOAP      FaultKind = "soap"      // a SOAP Fault
	FaultHTTP      FaultKind = "http"      // a status without a usable SOAP body
	FaultTransport FaultKind = "transport" // connection refused, reset, cut, timed out
	FaultTLS       FaultKind = "tls"       // certificate or handshake
	FaultHTML      FaultKind = "html"      // a web page on HTTP 200: a sign-in or a proxy answers in Exchange's place
	FaultMalformed FaultKind = "malformed" // an answer that is not what the protocol allows
	FaultOversize  FaultKind = "oversize"  // an answer larger than we accept
	FaultRights    FaultKind = "rights"    // an answer that says we may not read: a success that is a refusal
	FaultHost      FaultKind = "host"      // the target's URL names a host that our credentials are not for; nothing was sent
	FaultToken     FaultKind = "token"     // no access token to be had; Code is the OAuth error field or CodeUnusable
)

// CodeUnusable is the code of a FaultToken for which nobody was asked: what we sign in with is not there, has expired or
// does not work.
const CodeUnusable = "credential-unusable"

// Error names the operation, the code and the status; it never holds the server's text.
func (f *Fault) Error() string {
	what := f.Code
	if what == "" {
		what = string(f.Kind)
	}
	if f.Inner != "" {
		what += " (" + f.Inner + ")"
	}
	s := fmt.Sprintf("%s: %s", f.Operation, what)
	if f.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d)", f.Status)
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }
