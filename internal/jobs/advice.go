package jobs

import (
	"strings"

	"roomsync/events"
)

// SignIn is how we sign in to Exchange. It decides what an administrator can do about a refusal.
type SignIn string

// The kinds of sign-in.
const (
	SignInApp        SignIn = "app"         // an app of Entra, with permissions of its own
	SignInUser       SignIn = "user"        // a service user of Exchange Online, through Entra
	SignInOnPremises SignIn = "on-premises" // a service user of Exchange on premises
)

// Identity is as whom we sign in. Nothing of it is secret.
type Identity struct {
	SignIn   SignIn
	Tenant   string // directory id
	App      string // application id
	User     string // service user
	Delegate bool   // act by rights in each mailbox, and not as its owner
}

// Advice says what an administrator can do about a refusal, with the cmdlet to run. The address is the mailbox's.
func Advice(reason string, id Identity, address string) string {
	for _, k := range id.kinds() {
		if text, ok := advice[reason][k]; ok {
			return strings.NewReplacer("ADDRESS", address, "APPID", or(id.App, "<app id>"), "SERVICEUSER", or(id.User, "<service user>")).Replace(text)
		}
	}
	return Advice(events.RefusedAccess, id, address)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// kind is what advice depends on.
type kind string

const (
	app        = kind(SignInApp)
	user       = kind(SignInUser)
	onPremises = kind(SignInOnPremises)
	delegate   = kind("delegate")
	whoever    = kind("")
)

// kinds are those of which the first that has advice of its own counts.
func (id Identity) kinds() []kind {
	if id.Delegate {
		return []kind{delegate, kind(id.SignIn), whoever}
	}
	return []kind{kind(id.SignIn), whoever}
}

// The parts that several share.
const (
	appScope = "Test-ApplicationAccessPolicy -Identity ADDRESS -AppId APPID; with RBAC for Applications Test-ServicePrincipalAuthorization -Identity APPID -Resource ADDRESS"
	ewsOff   = "Get-CASMailbox ADDRESS | fl Ews*; Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | fl Ews* (EwsEnabled must not be False, and where it is True EwsAllowedAppIDs must name APPID)"
	license  = "a mailbox with only a Kiosk, F1 or F3 license has no EWS"
	late     = "changes act after 1 to 24 hours"
	folder   = "Get-MailboxFolderPermission -Identity ADDRESS:\\Calendar; Add-MailboxFolderPermission -Identity ADDRESS:\\Calendar -User SERVICEUSER -AccessRights Editor (the folder's name is in the mailbox's language, and ROOMS needs Editor on \\Deleted Items and \\Drafts too); to a delegate, Exchange says \"not found\" when rights are missing; nothing in ROOMS is deleted because of it"
	imperson = "Get-ManagementRoleAssignment -Role ApplicationImpersonation -GetEffectiveUsers; New-ManagementRoleAssignment -Role ApplicationImpersonation -User SERVICEUSER -CustomRecipientWriteScope <scope>"
	noRole   = "Exchange Online has no ApplicationImpersonation role any more: sign in as an app, or say --impersonation=false and give the service user rights in each calendar (Add-MailboxFolderPermission -Identity ADDRESS:\\Calendar -User SERVICEUSER -AccessRights Editor)"
	nothing  = "nothing in ROOMS is deleted because of this"
)

// advice is by reason and kind; whoever is for kinds that have none of their own.
var advice = map[string]map[kind]string{
	events.RefusedForbidden: {
		app:        "HTTP 403 without a reason: " + appScope + "; " + ewsOff + "; " + license + "; " + late,
		onPremises: "HTTP 403 without a reason: Get-CASMailbox ADDRESS | fl Ews*; Get-OrganizationConfig | fl Ews*; look at what a proxy before Exchange refuses",
		whoever:    "HTTP 403 without a reason: " + ewsOff + "; " + license + "; " + late,
	},
	events.RefusedEWSDisabled: {
		whoever: "EWS is switched off for this mailbox or the whole organization: Get-CASMailbox ADDRESS | fl EwsEnabled; Get-OrganizationConfig | fl EwsEnabled (one False is enough, and a list of apps changes nothing about it); " + late,
	},
	events.RefusedEWSPolicy: {
		app:     "a list leaves this app out: Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | fl EwsAllowedAppIDs must name APPID, and EwsApplicationAccessPolicy, EwsAllowList and EwsBlockList must let the user agent roomsync/ through; " + late,
		whoever: "a list leaves us out: Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | fl EwsAllowedAppIDs, EwsApplicationAccessPolicy, EwsAllowList, EwsBlockList (the user agent is roomsync/…); " + late,
	},
	events.RefusedPermission: {
		app:     "the app's token lacks the permission: grant APPID the application permission full_access_as_app of Office 365 Exchange Online with admin consent, or New-ManagementRoleAssignment -App APPID -Role \"Application EWS.AccessAsApp\" -CustomResourceScope <scope>",
		whoever: "the token lacks the permission: grant APPID the delegated permission EWS.AccessAsUser.All of Office 365 Exchange Online with admin consent",
	},
	events.RefusedImpersonation: {
		app:        "the app may not act as this mailbox: " + appScope + ". Exchange is known to refuse this in passing; it is looked at four times in the first hour",
		onPremises: "SERVICEUSER may not impersonate this mailbox: " + imperson,
		user:       "SERVICEUSER may not impersonate this mailbox. " + noRole,
		whoever:    "SERVICEUSER may not impersonate this mailbox: " + imperson,
	},
	events.RefusedImpersonating: {
		app:     "the app may not impersonate anybody: look at its permission full_access_as_app, or Get-ManagementRoleAssignment -RoleAssignee APPID",
		user:    "SERVICEUSER may not impersonate anybody. " + noRole,
		whoever: "SERVICEUSER may not impersonate anybody through this server: " + imperson,
	},
	events.RefusedImpersonator: {whoever: "Exchange cannot resolve the account that impersonates: look at the domain trust, and at Get-User SERVICEUSER"},
	events.RefusedFolderRights: {whoever: "SERVICEUSER has no rights to this calendar, or the folder of the mailbox's entry is not there: " + folder},
	events.RefusedDelegate:     {whoever: "delegates are not allowed this: it needs an app, or impersonation"},
	events.RefusedAccess: {
		app:      "Exchange refuses access to this mailbox: " + appScope + "; " + ewsOff + "; " + late,
		delegate: "Exchange refuses access to this calendar: " + folder,
		whoever:  "Exchange refuses access to this mailbox: " + imperson,
	},
	events.RefusedPasswordExpired: {
		onPremises: "the service user's password has expired: Set-ADAccountPassword SERVICEUSER, and replace it in the password file or RoomsAppSettings.config",
		whoever:    "the service user's password has expired: set a new one in Entra, and replace it in the password file or RoomsAppSettings.config",
	},
	events.RefusedUserLocked: {
		onPremises: "the service user is locked or blocked: Unlock-ADAccount SERVICEUSER, and find out who uses a wrong password",
		whoever:    "the service user is locked or blocked: look at SERVICEUSER in Entra",
	},
	events.RefusedToken: {whoever: "Exchange refuses the access token: compare the tenant, the app and the cloud (--authority-url, --ews-url); Exchange Online asks for tokens of its own resource"},
	events.RefusedSignIn: {
		app:     "Exchange refuses the sign-in, also with a new token: compare tenant and app, and look at the app's sign-ins in Entra",
		whoever: "Exchange refuses the sign-in: check user and password; more tries may lock the account",
	},
	events.RefusedSignInTrouble: {whoever: "nobody can be reached who signs us in: see whether this host reaches the authority (--authority-url) or Exchange"},
	events.RefusedURL: {whoever: "the url of this mailbox names a host that our credentials are not sent to: correct it (roomsync mailboxes set ADDRESS --url …), " +
		"or allow that host on every worker (--ews-hosts), if it is one of yours; nothing was sent there"},
	events.RefusedSignInPage:   {whoever: "a web page came instead of an answer: --ews-url leads to a proxy or a sign-in page, not to Exchange Web Services"},
	events.RefusedOrganization: {whoever: "Exchange says that the organization is marked for removal: ask Microsoft"},
	events.RefusedMissing:      {whoever: "no mailbox has this address: Get-Recipient ADDRESS; correct the address or remove the mailbox from the wanted set; " + nothing},
	events.RefusedAddress:      {whoever: "this is not the mailbox's primary address: Get-Recipient ADDRESS | fl PrimarySmtpAddress, and use that one"},
	events.RefusedDisabled:     {whoever: "the account is disabled: Get-User ADDRESS | fl AccountDisabled; " + nothing},
	events.RefusedLicense:      {whoever: "the account has no valid license for Exchange: assign one; " + nothing},
	events.RefusedFolder:       {whoever: "the calendar folder is not there: check the folder id of the mailbox's entry; " + nothing},
	events.RefusedFull:         {whoever: "the mailbox is full: Get-MailboxStatistics ADDRESS | fl TotalItemSize,StorageLimitStatus"},
	events.RefusedMailbox:      {whoever: "Exchange says that this mailbox is configured wrongly: Get-Mailbox ADDRESS | fl IsValid; New-MailboxRepairRequest; " + nothing},
	events.RefusedServiceMailbox: {
		whoever: "SERVICEUSER has no mailbox, and Exchange wants one for this: Enable-Mailbox SERVICEUSER, or use impersonation",
	},
}
