package events

import "time"

// Scopes of a refusal: whom it concerns.
const (
	ScopeMailbox    = "mailbox"    // this mailbox alone
	ScopeApp        = "app"        // every mailbox, since the app or service user lacks something
	ScopeTenant     = "tenant"     // many or all mailboxes of the organization
	ScopeCredential = "credential" // every mailbox, since the sign-in itself is refused
)

// Reasons of refusals. More may come; an unknown one is to be taken as [RefusedAccess].
const (
	RefusedForbidden       = "forbidden"                   // HTTP 403, which says nothing more
	RefusedEWSDisabled     = "ews-disabled"                // EwsEnabled of the mailbox or the organization is False (X-EWS-Policy-Reason)
	RefusedEWSPolicy       = "ews-blocked-by-policy"       // the lists of apps or user agents leave us out (X-EWS-Policy-Reason)
	RefusedPermission      = "permission-missing"          // the app's token lacks the permission (x-ms-diagnostics 2000008)
	RefusedImpersonation   = "impersonation-refused"       // this mailbox may not be impersonated (ErrorImpersonateUserDenied)
	RefusedImpersonating   = "impersonation-not-allowed"   // nobody may be impersonated this way (ErrorImpersonationDenied)
	RefusedImpersonator    = "impersonation-failed"        // the impersonating account itself cannot be resolved (ErrorImpersonationFailed)
	RefusedFolderRights    = "folder-rights-missing"       // a delegate has no rights to the calendar, or it is not there
	RefusedDelegate        = "delegate-not-allowed"        // what was asked is not for delegates
	RefusedAccess          = "access-denied"               // ErrorAccessDenied, and whatever else is a refusal
	RefusedPasswordExpired = "password-expired"            // of the service user
	RefusedUserLocked      = "user-locked"                 // HTTP 456: the service user is locked or blocked
	RefusedToken           = "token-refused"               // Exchange refuses the access token itself
	RefusedSignIn          = "sign-in-refused"             // user name, password or security context
	RefusedSignInTrouble   = "sign-in-unavailable"         // nobody is there who signs us in: Entra, or the way to it, has trouble
	RefusedURL             = "url-not-allowed"             // the mailbox's url names a server that our credentials are not for (--ews-hosts)
	RefusedSignInPage      = "sign-in-page"                // a web page instead of an answer, from a proxy or a sign-in
	RefusedOrganization    = "organization-blocked"        // the tenant is marked for removal
	RefusedMissing         = "mailbox-missing"             // no mailbox has this address
	RefusedAddress         = "address-not-primary"         // it is another address of a mailbox
	RefusedDisabled        = "account-disabled"            // the account is disabled
	RefusedLicense         = "license-missing"             // ErrorInvalidLicense
	RefusedFolder          = "folder-missing"              // there is no such calendar folder
	RefusedFull            = "mailbox-full"                // a quota is exceeded
	RefusedMailbox         = "mailbox-broken"              // its configuration in Exchange is faulty
	RefusedServiceMailbox  = "service-user-has-no-mailbox" // and needs one for what was asked
)

// AccessDenied says that Exchange refuses a mailbox, or, when Scope is not "mailbox", many: then Mailbox is the one
// whose refusal is the evidence, and the others are not told of one by one. When no worker can sign in, Mailbox is empty and
// Operation "sign-in": no mailbox was asked for. Sent once when it begins. Data of [TypeAccessDenied].
type AccessDenied struct {
	Mailbox   string    `json:"mailbox"`
	Since     time.Time `json:"since"`
	Operation string    `json:"operation"`
	Status    int       `json:"httpStatus,omitempty"`
	Code      string    `json:"code,omitempty"` // Exchange's ResponseCode; absent when it gave none
	Hint      string    `json:"hint"`           // for an administrator
	NextCheck time.Time `json:"nextCheck"`

	Scope     string    `json:"scope,omitempty"`  // one of the Scope constants
	Reason    string    `json:"reason,omitempty"` // one of the Refused constants
	Evidence  *Evidence `json:"evidence,omitempty"`
	FirstSeen time.Time `json:"firstSeen,omitzero"` // the first refusal of this kind in a row
	LastSeen  time.Time `json:"lastSeen,omitzero"`  // the newest
	// Refused of Observed mailboxes were newly refused when it was decided that more than a mailbox is concerned.
	Refused  int `json:"refused,omitempty"`
	Observed int `json:"observed,omitempty"`

	Extra Extra `json:"-"`
}

// AccessRestored says that a refused mailbox can be read again, or, when Scope is not "mailbox", that what concerned
// many is over. Data of [TypeAccessRestored].
type AccessRestored struct {
	Mailbox string    `json:"mailbox"`
	Since   time.Time `json:"since"` // when the refusal had begun
	Until   time.Time `json:"until"`
	Checks  int       `json:"checks"` // how often access was tried in between

	Scope     string    `json:"scope,omitempty"`
	Reason    string    `json:"reason,omitempty"`   // of the refusal that is over
	Evidence  *Evidence `json:"evidence,omitempty"` // of its newest refusal
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	LastSeen  time.Time `json:"lastSeen,omitzero"` // the newest refusal
	// Partial says that some of the many mailboxes are refused still. Each of them is told of by itself.
	Partial bool `json:"partial,omitempty"`

	Extra Extra `json:"-"`
}

// MailboxBlocked says that a mailbox cannot be synchronized until somebody acts. Data of [TypeMailboxBlocked].
type MailboxBlocked struct {
	Mailbox   string    `json:"mailbox"`
	Since     time.Time `json:"since"`
	Operation string    `json:"operation"`
	Code      string    `json:"code,omitempty"`
	Hint      string    `json:"hint"`
	NextCheck time.Time `json:"nextCheck"`

	Scope     string    `json:"scope,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Evidence  *Evidence `json:"evidence,omitempty"`
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	LastSeen  time.Time `json:"lastSeen,omitzero"`

	Extra Extra `json:"-"`
}

// Evidence is the answer that a refusal rests on: enough to find it in Exchange's own logs, and nothing that the
// server wrote in words.
type Evidence struct {
	Operation       string    `json:"operation"`
	Status          int       `json:"httpStatus,omitempty"`
	Code            string    `json:"code,omitempty"`
	Diagnostics     string    `json:"diagnostics,omitempty"`     // number at the beginning of x-ms-diagnostics
	RequestID       string    `json:"requestId,omitempty"`       // the client-request-id that we sent
	ServerRequestID string    `json:"serverRequestId,omitempty"` // the request-id that Exchange gave
	At              time.Time `json:"at"`
	Extra           Extra     `json:"-"`
}
