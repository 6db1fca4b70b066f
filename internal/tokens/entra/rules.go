package entra

import (
	"net/http"
	"slices"
	"time"

	"roomsync/internal/tokens"
)

// rule is what an operator should know of a refusal, and how long asking again is pointless or harmful; 0 leaves
// that to the spacing of failures.
type rule struct {
	aadsts []int
	wait   time.Duration
	hint   string
}

const (
	operator = 15 * time.Minute // until somebody has changed something
	hourly   = time.Hour        // policies and consents take their time
)

// rules follows https://learn.microsoft.com/entra/identity-platform/reference-error-codes. Microsoft may change the
// numbers: they choose hints and circuit-breaking, nothing else.
var rules = []rule{
	{[]int{7000215}, operator, "the client secret is wrong: a usual mistake is to give the secret's ID instead of its value"},
	{[]int{7000222}, operator, "the client secret has expired: create a new one and replace the file"},
	{[]int{700027}, operator, "the certificate does not match the app registration: compare thumbprints"},
	{[]int{700024}, 0, "the signed assertion is outside its time window: check this host's clock"},
	{[]int{700030, 50012}, operator, "the certificate (subject, chain or thumbprint) is not accepted for this app"},
	{[]int{700016, 700011}, operator, "this app id does not exist in this tenant: check --app-id (ExchangeAppId) and --tenant-id (ExchangeTenantId)"},
	{[]int{70001}, operator, "the app is disabled in Entra"},
	{[]int{700025}, operator, "the app is registered as a public client, yet a secret was sent"},
	{[]int{90002, 90038}, operator, "the tenant was not found, or is in another national cloud: check --tenant-id (ExchangeTenantId) and --authority-url"},
	{[]int{500011, 650057, 50001, 70011}, operator, "the scope or resource is wrong: it must be the Exchange Online resource with /.default"},
	{[]int{65001, 650056, 90094}, hourly, "admin consent is missing for the permission"},
	{[]int{50034}, operator, "the service user does not exist in this tenant"},
	{[]int{50126, 50056}, 10 * time.Minute, "the service user's password is wrong; more tries would lock the account"},
	{[]int{50053}, 30 * time.Minute, "the account is locked or the address is blocked"},
	{[]int{50055, 50144}, operator, "the service user's password has expired"},
	{[]int{50057}, operator, "the service user is disabled"},
	{[]int{50072, 50074, 50076, 50078, 50079}, operator, "MFA is demanded, which a service user cannot do: switch to an app with a certificate"},
	{[]int{53000, 53001, 53003, 530035, 50131, 50105}, hourly, "conditional access, security defaults or a missing assignment blocks the sign-in"},
	{[]int{50173, 700082, 70008, 70043}, 0, "the stored grant was revoked or has expired: sign in anew"},
	{[]int{50196}, 10 * time.Minute, "too many identical requests: a fault of this product, report it"},
	{[]int{90055, 50166}, 0, throttled},
	{[]int{90006, 90012, 90024, 90033, 90090, 50033, 50087, 80001, 80002, 80003, 80004, 80005}, 0, trouble},
}

const (
	throttled = "Entra throttles; the present token stays in use"
	trouble   = "Entra is having trouble; the present token stays in use"
)

// byCode holds for numbers that are not listed. RFC 6749 section 5.2, and Entra's additions to it.
var byCode = map[string]rule{
	"invalid_client":          {wait: operator, hint: "the app or its credential is not accepted: check --app-id (ExchangeAppId) and the client secret"},
	"unauthorized_client":     {wait: operator, hint: "the app may not sign in this way: check the app registration"},
	"invalid_grant":           {wait: operator, hint: "the sign-in is not accepted: see the sign-in log in Entra"},
	"invalid_request":         {wait: operator, hint: "the request is not accepted: check --tenant-id (ExchangeTenantId)"},
	"invalid_tenant":          {wait: operator, hint: "the tenant was not found: check --tenant-id (ExchangeTenantId)"},
	"invalid_resource":        {wait: operator, hint: "Exchange Online is not known in this tenant"},
	"invalid_scope":           {wait: operator, hint: "the scope is not accepted"},
	"access_denied":           {wait: hourly, hint: "a policy of the tenant blocks the sign-in"},
	"interaction_required":    {wait: operator, hint: "the sign-in needs a person: use an app with a secret or certificate"},
	"temporarily_unavailable": {hint: trouble},
	"server_error":            {hint: trouble},
}

// ruleFor lets the status and the OAuth error decide whether it is worth asking again soon, and the number refine it.
func ruleFor(e *tokens.Error) rule {
	switch s := e.Status; {
	case s == http.StatusTooManyRequests:
		return rule{hint: throttled}
	case s >= 500:
		return rule{hint: trouble}
	case s >= 300 && s < 400:
		return rule{hint: "the authority answers with a redirect, which is never followed: check --authority-url"}
	}
	for _, r := range rules {
		if slices.Contains(r.aadsts, e.AADSTS) {
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
