package hook

// Cause says why access was refused.
type Cause string

// The causes, and where each is decided. A client can hardly tell those of the front end apart: all are an HTTP 403
// without a body, and a header names three kinds of them.
const (
	// Sign-in: HTTP 401.
	NoCredentials     Cause = "no-credentials"       // nothing, or a scheme that is not offered
	WrongPassword     Cause = "wrong-password"       // or an account that may not sign in
	BadToken          Cause = "bad-token"            // unknown, expired or revoked
	SchemeSwitchedOff Cause = "sign-in-switched-off" // Basic or NTLM where it is off

	// Front end: HTTP 403 before SOAP.
	AppPermission        Cause = "app-permission"        // token without the role; x-ms-diagnostics 2000008
	DelegatedPermission  Cause = "delegated-permission"  // token without the scope; x-ms-diagnostics 2000008
	OrganizationDisabled Cause = "organization-disabled" // EwsEnabled false
	AppNotAllowed        Cause = "app-not-allowed"       // EwsAllowedAppIDs
	UserAgent            Cause = "user-agent"            // EwsApplicationAccessPolicy
	MailboxDisabled      Cause = "mailbox-disabled"      // the mailbox's EwsEnabled false
	License              Cause = "license"               // Kiosk, F1, F3
	ScreamTest           Cause = "scream-test"
	AppAccessPolicy      Cause = "application-access-policy"
	RoleScope            Cause = "rbac-scope" // outside the scope of every role assignment

	// Back end: SOAP.
	ImpersonateUser  Cause = "impersonate-user"  // ErrorImpersonateUserDenied
	ImpersonateScope Cause = "impersonate-scope" // the same, outside the management scope
	Impersonation    Cause = "impersonation"     // ErrorImpersonationDenied
	FolderHidden     Cause = "folder-hidden"     // a delegate without rights: not found
	FolderReadOnly   Cause = "folder-read-only"  // a delegate who may only read: ErrorAccessDenied
	FolderNoCreate   Cause = "folder-no-create"  // the same: ErrorCreateItemAccessDenied
)

// Causes lists all of them in the order in which they are decided.
func Causes() []Cause {
	return []Cause{
		NoCredentials, WrongPassword, BadToken, SchemeSwitchedOff,
		AppPermission, DelegatedPermission, OrganizationDisabled, AppNotAllowed, UserAgent, MailboxDisabled, License,
		ScreamTest, AppAccessPolicy, RoleScope,
		ImpersonateUser, ImpersonateScope, Impersonation, FolderHidden, FolderReadOnly, FolderNoCreate,
	}
}

// Gatekeeper decides who may use EWS, and keeps count of those who may not.
type Gatekeeper interface {
	// Admit is asked as soon as caller and mailbox are known. A nil Answer lets the call in.
	Admit(c *Call) *Answer
	// Impersonate is asked before the caller acts as somebody else. It returns the code of the refusal, or "".
	Impersonate(c *Call, mailbox string) (code string)
	// Refused is told of what the back end refuses by itself.
	Refused(c *Call, why Cause)
}
