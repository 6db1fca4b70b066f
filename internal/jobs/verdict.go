package jobs

import (
	"strconv"
	"strings"
	"time"

	"roomsync/events"
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

// The scopes. Those of refusals are in the words of package events.
const (
	ScopeItem       Scope = "item"
	ScopeMailbox    Scope = events.ScopeMailbox
	ScopeApp        Scope = events.ScopeApp
	ScopeTenant     Scope = events.ScopeTenant
	ScopeCredential Scope = events.ScopeCredential
	ScopeServer     Scope = "server"
)

// Fact is what went wrong, as the calendar server or the way to it said.
type Fact struct {
	Operation   string
	Kind        string        // level: response, soap, http, transport, tls, html, malformed, oversize, rights, host, token
	Code        string        // ResponseCode or OAuth error, "" when there was none
	Inner       string        // second code, inside
	Status      int           // HTTP status, 0 without an answer
	BackOff     time.Duration // what the server asked for
	Diagnostics string        // x-ms-diagnostics number
	Policy      string        // what X-EWS-Policy-Reason says: "disabled", "blocked" or nothing
	Claims      bool          // a 401 asked for claims
	Reason      string        // why a sign-in is refused, where that is known better than the code says it; of kind token only
	Delegate    bool          // we act by rights of our own in the mailbox, and not as its owner
}

// Verdict is what to do about a Fact.
type Verdict struct {
	Class  Class
	Scope  Scope
	Code   string // what decided: the ResponseCode, or "HTTP 503", or the kind; for logs, metrics and events
	Reason string // of classes Denied, Blocked and Credentials: one of the Refused constants of package events
}

// Refusal reports whether Exchange itself refuses access in a way that may concern more than one mailbox.
func (v Verdict) Refusal() bool {
	return v.Class == Denied || v.Class == Credentials || v.Scope == ScopeTenant
}

// Certain reports whether the answer itself says that it concerns every mailbox, so that no others need be asked.
func (v Verdict) Certain() bool {
	return v.Scope == ScopeTenant || v.Reason == events.RefusedPermission
}

// Judge gives the verdict on a fact. The order is the one of the answers' certainty: a code inside decides before a
// code, a code before a status, a status before the mere kind of failure. Whether an answer that keeps coming means
// something else is for [Verdict.After] to say.
func Judge(f Fact) Verdict {
	if f.Kind == "token" {
		return judgeToken(f)
	}
	if v, ok := byCode(f.Inner); ok && v.Class == Throttled {
		return v
	}
	if v, ok := judgeDelegate(f); ok {
		return v
	}
	if v, ok := byCode(f.Code); ok {
		return v
	}
	if f.Code != "" { // a code nobody has written down
		return Verdict{Class: Transient, Scope: ScopeMailbox, Code: f.Code}
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

// judgeDelegate knows what Exchange says to a delegate without rights: that the folder is not there. So a delegate can
// never take a folder's absence for a fact. Of an item it is not judged here: it proves as little, but concerns that
// item alone.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/exchange-web-services/handling-delegation-related-errors-in-ews-in-exchange
func judgeDelegate(f Fact) (Verdict, bool) {
	if !f.Delegate {
		return Verdict{}, false
	}
	switch f.Code {
	case "ErrorFolderNotFound", "ErrorParentFolderNotFound", "ErrorSyncFolderNotFound", "ErrorAccessDenied", "ErrorCreateItemAccessDenied":
	case "ErrorItemNotFound":
		if !ofFolder[f.Operation] {
			return Verdict{}, false
		}
	default:
		return Verdict{}, false
	}
	return Verdict{Class: Denied, Scope: ScopeMailbox, Code: f.Code, Reason: events.RefusedFolderRights}, true
}

// ofFolder are the operations that ask for a folder and not for items.
var ofFolder = map[string]bool{"GetFolder": true, "SyncFolderItems": true, "FindItem": true}

// unusable is the code of a token that nobody was asked for: there is nothing to sign in with.
const unusable = "credential-unusable"

func judgeToken(f Fact) Verdict {
	code := f.Code
	if code == "" {
		code = "token"
	}
	switch {
	case code == unusable:
	case f.Status == 429 || code == "temporarily_unavailable":
		return Verdict{Class: Throttled, Scope: ScopeCredential, Code: code}
	case f.Status == 0 || f.Status >= 500 || code == "server_error":
		return Verdict{Class: Transient, Scope: ScopeCredential, Code: code}
	}
	return Verdict{Class: Credentials, Scope: ScopeCredential, Code: code, Reason: or(f.Reason, events.RefusedSignIn)}
}

func judgeStatus(f Fact) Verdict {
	code := "HTTP " + strconv.Itoa(f.Status)
	switch {
	case f.Status == 401:
		return judge401(f)
	case f.Status == 403 && f.Diagnostics == noPermission:
		return Verdict{Class: Denied, Scope: ScopeApp, Code: code, Reason: events.RefusedPermission}
	case f.Status == 403:
		return Verdict{Class: Denied, Scope: ScopeMailbox, Code: code, Reason: forbidden(f.Policy)}
	case f.Status == 429:
		return Verdict{Class: Throttled, Scope: ScopeMailbox, Code: code}
	case f.Status == 503:
		return Verdict{Class: Throttled, Scope: ScopeServer, Code: code}
	case f.Status == 456:
		return Verdict{Class: Credentials, Scope: ScopeCredential, Code: code, Reason: events.RefusedUserLocked}
	case f.Status == 302, f.Status == 408, f.Status >= 500:
		return Verdict{Class: Transient, Scope: ScopeServer, Code: code}
	case f.Status < 400, f.Status == 404, f.Status == 405, f.Status == 407, f.Status == 410:
		return Verdict{Class: Config, Scope: ScopeServer, Code: code}
	}
	return Verdict{Class: Bug, Scope: ScopeMailbox, Code: code} // 400, 413, 415 …
}

// forbidden is why a 403 came, as far as Exchange says. Its header speaks of "this user or tenant", so that it does not
// tell how far the switch reaches.
func forbidden(policy string) string {
	switch policy {
	case "disabled":
		return events.RefusedEWSDisabled
	case "blocked":
		return events.RefusedEWSPolicy
	}
	return events.RefusedForbidden
}

// noPermission is the x-ms-diagnostics number of a token without the permission that the request needs.
const noPermission = "2000008"

// judge401 reads x-ms-diagnostics: numbers that name the token or the app are credentials, 2000005 names the user,
// 2000007 is Exchange's own trouble, 2000008 a missing permission. A 401 without it, after the one refresh that the
// client has made by now, may only mean "slow down" (exchangelib's authors have met it).
func judge401(f Fact) Verdict {
	const code = "HTTP 401"
	switch d := f.Diagnostics; {
	case d == noPermission:
		return Verdict{Class: Denied, Scope: ScopeApp, Code: code, Reason: events.RefusedPermission}
	case d == "2000007":
		return Verdict{Class: Transient, Scope: ScopeServer, Code: code}
	case d == "2000005":
		return Verdict{Class: Blocked, Scope: ScopeMailbox, Code: code, Reason: events.RefusedMissing}
	case strings.HasPrefix(d, "2000") || strings.HasPrefix(d, "4000") || f.Claims:
		return Verdict{Class: Credentials, Scope: ScopeCredential, Code: code, Reason: events.RefusedToken}
	}
	return Verdict{Class: Throttled, Scope: ScopeCredential, Code: code}
}

func judgeKind(f Fact) Verdict {
	switch f.Kind {
	case "rights":
		return Verdict{Class: Denied, Scope: ScopeMailbox, Code: f.Kind, Reason: events.RefusedFolderRights}
	case "host":
		return Verdict{Class: Blocked, Scope: ScopeMailbox, Code: events.RefusedURL, Reason: events.RefusedURL}
	case "html": // a sign-in or a proxy stands in between; never an empty calendar
		return Verdict{Class: Credentials, Scope: ScopeCredential, Code: f.Kind, Reason: events.RefusedSignInPage}
	case "tls":
		return Verdict{Class: Config, Scope: ScopeServer, Code: "tls"} // verification is never skipped
	case "malformed", "oversize":
		if f.Status == 0 { // nothing was sent: the address or the settings make no request
			return Verdict{Class: Config, Scope: ScopeMailbox, Code: f.Kind}
		}
		return Verdict{Class: Transient, Scope: ScopeServer, Code: f.Kind}
	case "":
		return Verdict{Class: Transient, Scope: ScopeMailbox, Code: "unknown"}
	}
	return Verdict{Class: Transient, Scope: ScopeServer, Code: f.Kind}
}

// slowDownFor is how long a 401 without a reason is taken for throttling.
const slowDownFor = 5 * time.Minute

// After is the verdict when the same code came n times before, in a row that is as old as age: what was taken for
// something passing and stays is something else.
func (v Verdict) After(n int, age time.Duration) Verdict {
	switch {
	case v.Code == "HTTP 401" && v.Class == Throttled && age >= slowDownFor:
		v.Class, v.Reason = Credentials, events.RefusedSignIn
	case v.Code == "ErrorImpersonationFailed" && n >= 3:
		v.Class, v.Scope, v.Reason = Credentials, ScopeCredential, events.RefusedImpersonator
	case v.Code == "ErrorSyncFolderNotFound" && v.Class == Resync && n >= 1: // also without the old cursor
		v.Class, v.Reason = Blocked, events.RefusedFolder
	}
	return v
}
