package entra

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"roomsync/internal/tokens"
)

// rule is what an operator should know of a refusal, and how long asking again is pointless or harmful; 0 leaves
// that to the spacing of failures.
type rule struct {
	aadsts []int
	of     []kind // the kinds of sign-in it holds for; all when empty
	wait   time.Duration
	hint   string // {what}, {where} and {permission} are those of the kind
	reason string // one of the Reason constants of package tokens, where it is known
	counts bool   // a try counts towards the lock-out of the service user's account
}

const (
	operator = 15 * time.Minute // until somebody has changed something
	locked   = 30 * time.Minute // a locked account: each try may lock it for longer
	hourly   = time.Hour        // policies and consents take their time
)

// rules follows https://learn.microsoft.com/entra/identity-platform/reference-error-codes. Microsoft may change the
// numbers: they choose hints and circuit-breaking, nothing else. The first rule that fits counts.
var rules = slices.Concat(appRules, userRules, commonRules)

// appRules are about what an application proves itself with.
var appRules = []rule{
	{aadsts: []int{7000215, 70002}, of: only(secret), wait: operator, hint: "the client secret is wrong: a usual mistake is to give the secret's ID instead of its value; check {where}"},
	{aadsts: []int{7000222}, of: only(secret), wait: operator, hint: "the client secret has expired: create a new one under Certificates & secrets and replace it in {where}"},
	{aadsts: []int{700027}, of: only(certificate), wait: operator, hint: "the certificate is not, or no longer, registered for this app: upload it under Certificates & secrets, and compare its thumbprint with {where}"},
	{aadsts: []int{700024}, of: only(certificate), hint: "the assertion that the certificate signed is outside its time window: check this host's clock"},
	{aadsts: []int{1000502}, of: only(certificate), wait: operator, hint: "Entra finds that the certificate has expired or is not yet valid: register a new one and set {where}"},
	{aadsts: []int{700030, 50012, 50017}, of: only(certificate), wait: operator, hint: "the certificate (subject, chain or thumbprint) is not accepted for this app: compare {where} with Certificates & secrets"},
	{aadsts: []int{700021, 700023, 50027}, of: only(certificate), wait: operator, hint: "the assertion that the certificate signed is for another app or another address: check --app-id (ExchangeAppId) and --authority-url"},
	{aadsts: []int{70025}, of: only(federated), wait: operator, hint: "the app has no federated credential: add one with the issuer, subject and audience of the token in {where}, under Certificates & secrets, Federated credentials"},
	{aadsts: []int{70021, 700211, 700212, 700213, 7002137, 7002138}, of: only(federated), wait: operator, hint: "no federated credential of this app matches the token: compare issuer, subject and audience (upper and lower case count) under Certificates & secrets, Federated credentials, with the token in {where}"},
	{aadsts: []int{700024, 500133}, of: only(federated), hint: "the federated token has expired or is not yet valid: look at what renews {where}, and at this host's clock"},
	{aadsts: []int{700027, 50012, 50013, 50027, 900384}, of: only(federated), wait: operator, hint: "the signature of the federated token cannot be confirmed: Entra must reach the issuer's keys, and the token in {where} must come from there"},
	{aadsts: []int{700229}, of: only(federated), wait: operator, hint: "the federated token is a user's: only one of an application or service account is accepted; look at {where}"},
	{aadsts: []int{700025}, of: only(secret, certificate, federated), wait: operator, hint: "the app is registered as a public client, yet {what} was sent: switch Authentication, Allow public client flows to No, or use --auth delegated"},
	{aadsts: []int{53003, 53011, 530032, 50131}, of: only(secret, certificate, federated), wait: hourly, hint: "Conditional Access for workload identities blocks the app: ask who keeps the policies to let it in"},
}

// userRules are about a service user and the password.
var userRules = []rule{
	{aadsts: []int{7000218}, of: only(delegated), wait: operator, hint: "the app registration allows no public client flows: switch them on under Authentication, Advanced settings, Allow public client flows"},
	{aadsts: []int{50034, 50020, 51004, 90072, 50197}, of: only(delegated), wait: operator, hint: "the service user does not exist in this tenant: check --username (ExchangeServiceUser) and --tenant-id (ExchangeTenantId)"},
	{aadsts: []int{50126, 50056, 50064}, of: only(delegated), wait: lockOut, counts: true, hint: "user name or password of the service user is wrong; more tries would lock the account: check {where}"},
	{aadsts: []int{50053}, of: only(delegated), wait: locked, reason: tokens.ReasonUserLocked, counts: true, hint: "the service user's account is locked after too many wrong passwords, or this host's address is blocked: see the sign-in log in Entra"},
	{aadsts: []int{50055, 50144}, of: only(delegated), wait: operator, reason: tokens.ReasonPasswordExpired, counts: true, hint: "the service user's password has expired: set a new one in Entra or Active Directory, and in {where}"},
	{aadsts: []int{50125, 50132, 50133, 50135, 50142}, of: only(delegated), wait: operator, reason: tokens.ReasonPasswordExpired, counts: true, hint: "the service user has to change the password first: sign in once as that user, then set the new one in {where}"},
	{aadsts: []int{50057}, of: only(delegated), wait: operator, hint: "the service user is disabled: enable the account in Entra or Active Directory"},
	{aadsts: []int{80012}, of: only(delegated), wait: hourly, hint: "the service user may not sign in at this hour: Active Directory, Logon Hours"},
	{aadsts: []int{50072, 50074, 50076, 50078, 50079, 50158, 53004, 53010}, of: only(delegated), wait: operator, hint: "multi-factor authentication (MFA) is demanded of the service user, which a program cannot do: " +
		"exclude that user from the policy, or use an app with a certificate (ExchangeCertThumbprint)"},
	{aadsts: []int{53000, 53001, 53002, 50005, 50097, 50129, 50155}, of: only(delegated), wait: hourly, hint: "a Conditional Access policy demands a managed device or an approved app, which this host is not: exclude the service user from the policy, or use an app with a certificate"},
	{aadsts: []int{530035}, of: only(delegated), wait: hourly, hint: "the tenant's security defaults block sign-in with a password alone: use an app with a certificate (ExchangeCertThumbprint)"},
	{aadsts: []int{53003, 53011, 530032, 50131}, of: only(delegated), wait: hourly, hint: "a Conditional Access policy blocks the service user: the sign-in log in Entra names it; exclude that user, or use an app with a certificate"},
	{aadsts: []int{50105}, of: only(delegated), wait: hourly, hint: "the service user is not assigned to the app: Enterprise applications, Users and groups, or switch Assignment required off"},
	{aadsts: []int{80007, 80010, 80013, 80014}, of: only(delegated), wait: lockOut, hint: "the agent that checks passwords in Active Directory has trouble: see its log"},
	{aadsts: []int{50173, 700082, 70008, 70043}, of: only(delegated), hint: "the stored grant was revoked or has expired: sign in anew"},
}

// commonRules hold for every kind, as far as no rule above does.
var commonRules = []rule{
	{aadsts: []int{700016, 700011}, wait: operator, hint: "this app id does not exist in this tenant: check --app-id (ExchangeAppId) and --tenant-id (ExchangeTenantId)"},
	{aadsts: []int{70001, 7000112}, wait: operator, hint: "the app is disabled in Entra: Enterprise applications, Properties, Enabled for users to sign-in"},
	{aadsts: []int{7000229, 650052}, wait: operator, hint: "the app has no service principal in this tenant: grant it admin consent there once"},
	{aadsts: []int{90002, 90038, 50128, 50059, 90019}, wait: operator, hint: "the tenant was not found, or is in another national cloud: check --tenant-id (ExchangeTenantId) and --authority-url"},
	{aadsts: []int{500011, 50001, 70011, 650054}, wait: operator, hint: "the scope or resource is wrong, or Exchange Online is not known in this tenant: check --authority-url and the tenant's licenses"},
	{aadsts: []int{65001, 65004, 65005, 650056, 650057, 90094, 90095}, wait: hourly, hint: "admin consent is missing: API permissions, Office 365 Exchange Online, {permission}, Grant admin consent"},
	{aadsts: []int{50105, 501051}, wait: hourly, hint: "the app is not assigned to Exchange Online in this tenant: Enterprise applications, Assignment required"},
	{aadsts: []int{500021, 500022, 500212, 500213}, wait: hourly, hint: "tenant restrictions of the network or of the tenant deny access: ask who keeps them"},
	{aadsts: []int{50196}, wait: 10 * time.Minute, hint: "too many identical requests: a fault of this product, report it"},
	{aadsts: []int{90055, 50166}, hint: throttled},
	{aadsts: []int{90006, 90012, 90024, 90033, 90090, 50033, 50087, 80001, 80002, 80003, 80004, 80005}, hint: trouble},
}

const (
	throttled = "Entra throttles; the present token stays in use"
	trouble   = "Entra is having trouble; the present token stays in use"
)

// byCode holds for numbers that are not listed. RFC 6749 section 5.2, and Entra's additions to it.
var byCode = map[string]rule{
	"invalid_client":          {wait: operator, hint: "the app or {what} is not accepted: check --app-id (ExchangeAppId) and {where}"},
	"unauthorized_client":     {wait: operator, hint: "the app may not sign in this way: check the app registration of --app-id (ExchangeAppId)"},
	"invalid_grant":           {wait: operator, counts: true, hint: "{what} is not accepted: see the sign-in log in Entra, and check {where}"},
	"invalid_request":         {wait: operator, hint: "the request is not accepted: check --tenant-id (ExchangeTenantId)"},
	"invalid_tenant":          {wait: operator, hint: "the tenant was not found: check --tenant-id (ExchangeTenantId)"},
	"invalid_resource":        {wait: operator, hint: "Exchange Online is not known in this tenant"},
	"invalid_scope":           {wait: operator, hint: "the scope is not accepted: check API permissions, Office 365 Exchange Online, {permission}"},
	"access_denied":           {wait: hourly, hint: "a policy of the tenant blocks the sign-in"},
	"interaction_required":    {wait: operator, hint: "the sign-in needs a person: use an app with a certificate (ExchangeCertThumbprint)"},
	"temporarily_unavailable": {hint: trouble},
	"server_error":            {hint: trouble},
}

func only(kinds ...kind) []kind { return kinds }

// ruleFor lets the status and the OAuth error decide whether it is worth asking again soon, and the number refine it.
func ruleFor(k kind, e *tokens.Error) rule {
	r := anyRule(k, e)
	r.hint = strings.NewReplacer("{what}", k.what, "{where}", k.where, "{permission}", k.permission).Replace(r.hint)
	return r
}

func anyRule(k kind, e *tokens.Error) rule {
	switch s := e.Status; {
	case s == http.StatusTooManyRequests:
		return rule{hint: throttled}
	case s >= 500:
		return rule{hint: trouble}
	case s >= 300 && s < 400:
		return rule{hint: "the authority answers with a redirect, which is never followed: check --authority-url"}
	}
	for _, r := range rules {
		if slices.Contains(r.aadsts, e.AADSTS) && (len(r.of) == 0 || slices.Contains(r.of, k)) {
			return r
		}
	}
	if r, ok := byCode[e.Code]; ok {
		return r
	}
	if e.Code != "" {
		return rule{hint: "the token service refuses the request: look it up in Microsoft's list of its errors"}
	}
	return rule{hint: "this is not the answer of a token service: check --authority-url"}
}
