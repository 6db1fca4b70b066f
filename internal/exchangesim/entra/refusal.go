package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// kind is how the token service words one AADSTS number. The numbers, their OAuth errors and most of the texts are in
// Microsoft's "Microsoft Entra authentication and authorization error codes" (entra-docs, reference-error-codes); the
// rest is as reported in public issues.
type kind struct {
	err    string // the OAuth 2.0 error
	status int
	text   string // may contain {app}, {tenant}, {scope}, {user}, {field}
}

var kinds = map[int]kind{
	7000215: {"invalid_client", 401, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'."},
	7000222: {"invalid_client", 401, "The provided client secret keys for app '{app}' are expired. Create new keys for your app to continue using it."},
	7000216: {"invalid_client", 401, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."},
	7000218: {"invalid_client", 401, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	700027:  {"invalid_client", 401, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]"},
	700021:  {"invalid_client", 401, "Client assertion application identifier doesn't match 'client_id' parameter."},
	700023:  {"invalid_client", 401, "Client assertion audience claim does not match Realm issuer."},
	50027:   {"invalid_client", 401, "JWT token is invalid or malformed."},
	1000502: {"invalid_client", 401, "The provided certificate is not within its specified validity period."},
	700024:  {"invalid_client", 401, "Client assertion is not within its valid time range.{field}"},
	70025:   {"invalid_client", 401, "The client '{app}' has no configured federated identity credentials."},
	700211:  {"invalid_client", 401, "No matching federated identity record found for presented assertion issuer '{field}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	700212:  {"invalid_client", 401, "No matching federated identity record found for presented assertion audience '{field}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	700213:  {"invalid_client", 401, "No matching federated identity record found for presented assertion subject '{field}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"},
	700030:  {"invalid_client", 401, "Invalid certificate - subject name in certificate is not authorized."},
	50012:   {"invalid_client", 401, "Authentication failed: the client assertion's certificate is not accepted."},
	700016:  {"unauthorized_client", 400, "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	7000112: {"unauthorized_client", 400, "Application '{app}'(ROOMS) is disabled."},
	70001:   {"unauthorized_client", 400, "Application with identifier '{app}' is disabled."},
	700025:  {"invalid_client", 401, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."},
	90002:   {"invalid_request", 400, "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	900144:  {"invalid_request", 400, "The request body must contain the following parameter: '{field}'."},
	70003:   {"unsupported_grant_type", 400, "The app requested an unsupported grant type '{field}'."},
	500011:  {"invalid_resource", 400, "The resource principal named {scope} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."},
	70011:   {"invalid_scope", 400, "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."},
	65001:   {"invalid_grant", 400, "The user or administrator has not consented to use the application with ID '{app}'. Send an interactive authorization request for this user and resource."},
	50034:   {"invalid_grant", 400, "The user account {user} does not exist in the {tenant} directory."},
	50126:   {"invalid_grant", 400, "Error validating credentials due to invalid username or password."},
	50053:   {"invalid_grant", 400, "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."},
	50055:   {"invalid_grant", 400, "The password is expired."},
	50057:   {"invalid_grant", 400, "The user account is disabled."},
	50076:   {"interaction_required", 400, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{scope}'."},
	50079:   {"interaction_required", 400, "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{scope}'."},
	53003:   {"invalid_grant", 400, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
	50105:   {"invalid_grant", 400, "Your administrator has configured the application ROOMS ('{app}') to block users unless they are specifically granted ('assigned') access to the application."},
	50173:   {"invalid_grant", 400, "The provided grant has expired due to it being revoked, a fresh auth token is needed."},
	50196:   {"invalid_grant", 400, "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."},
	90055:   {"temporarily_unavailable", 429, "The tenant has been throttled: too many requests from tenant."},
	90033:   {"temporarily_unavailable", 503, "A transient error has occurred. Please try again."},
	90006:   {"server_error", 500, "The authentication service encountered an error from an internal service. Please try again."},
}

// refusal is one answer that is not a token.
type refusal struct {
	code                            int
	app, tenant, scope, user, field string
	at                              time.Time
	traceID, correlationID          string
}

// body is the JSON document of a refusal.
type body struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	Timestamp   string `json:"timestamp"`
	TraceID     string `json:"trace_id"`
	Correlation string `json:"correlation_id"`
	URI         string `json:"error_uri"`
	SubError    string `json:"suberror,omitempty"`
}

func (f refusal) render() (int, []byte) {
	k := kinds[f.code]
	at := f.at.UTC().Format("2006-01-02 15:04:05Z")
	text := strings.NewReplacer("{app}", f.app, "{tenant}", f.tenant, "{scope}", f.scope, "{user}", f.user, "{field}", f.field).Replace(k.text)
	b := body{
		Error: k.err,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			f.code, text, f.traceID, f.correlationID, at),
		Codes: []int{f.code}, Timestamp: at, TraceID: f.traceID, Correlation: f.correlationID,
		URI: fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", f.code),
	}
	if f.code == 50126 {
		b.SubError = "bad_token"
	}
	out, err := json.Marshal(b)
	if err != nil {
		panic("entra: a refusal cannot be marshalled: " + err.Error()) // strings and numbers only
	}
	return k.status, out
}

// refuse answers with an AADSTS error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, f refusal) {
	s.mu.Lock()
	s.stats.Refused++
	s.stats.ByCode[f.code]++
	s.mu.Unlock()
	f.at, f.traceID, f.correlationID = s.opts.Now(), newUUID(), r.Header.Get("client-request-id")
	if f.correlationID == "" {
		f.correlationID = newUUID()
	}
	status, b := f.render()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// Known says whether Refusal can word the AADSTS number.
func Known(code int) bool { _, ok := kinds[code]; return ok }

// Refusal is the answer of the token endpoint with that AADSTS number, for a fault to send. It is nil when the number
// is not known.
func Refusal(code int, at time.Time) *hook.Answer {
	if !Known(code) {
		return nil
	}
	f := refusal{
		code: code, at: at, traceID: newUUID(), correlationID: newUUID(),
		app: DefaultAppID, tenant: DefaultTenant, scope: Audience + "/.default", user: "{EUII Hidden}",
	}
	return answer(f.render())
}
