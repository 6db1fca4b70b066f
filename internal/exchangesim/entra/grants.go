package entra

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
)

// request is a token request whose tenant exists.
type request struct {
	tenant, app, secret string
	form                url.Values
	audiences           []string // by which a client assertion may name this endpoint
}

// granted is what a token will say.
type granted struct {
	user          string // "" for the app itself
	roles, scopes []string
}

// The permissions that EWS asks for: of an app, and of an app that acts for a user.
const (
	AppRole        = "full_access_as_app"
	DelegatedScope = "EWS.AccessAsUser.All"
)

// grants are the grant types that the token endpoint knows. Each checks its own credential, and says what is granted or
// why nothing is.
var grants = map[string]func(*Server, request) (granted, *refusal){
	"client_credentials": (*Server).clientCredentials,
	"password":           (*Server).password,
}

// token is the token endpoint (RFC 6749, section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	formErr := r.ParseForm()
	req := requestOf(r)
	subject := subjectOf(req)
	s.mu.Lock()
	s.stats.Requests++
	s.stats.BySubject[subject]++
	s.countCredential(req, CredentialStats{Requests: 1})
	s.mu.Unlock()

	c, done := s.open(w, r, "token", subject)
	defer done()
	if c.before() {
		s.faulted()
		return
	}
	if formErr != nil {
		s.refuse(c, r, refusal{code: 900144, field: "grant_type"})
		return
	}
	what, no := s.check(req)
	if no != nil {
		no.app, no.tenant = req.app, req.tenant
		s.refuse(c, r, *no)
		return
	}
	doc := s.grant(req, what)
	if c.after() {
		s.faulted() // the token is issued, the answer is lost
		return
	}
	reply(c, http.StatusOK, doc)
}

// countCredential adds to the counter of the request's kind. The caller holds the lock.
func (s *Server) countCredential(req request, n CredentialStats) {
	key := req.form.Get("grant_type") + "/" + string(req.credential())
	if grants[req.form.Get("grant_type")] == nil {
		key = "other"
	}
	was := s.stats.ByCredential[key]
	s.stats.ByCredential[key] = CredentialStats{was.Requests + n.Requests, was.Issued + n.Issued}
}

// noCredential is what a public client shows.
const noCredential hook.SignIn = "none"

// credential is what the request shows to prove the app's identity, good or not.
func (r request) credential() hook.SignIn {
	switch assertion := r.form.Get("client_assertion"); {
	case r.secret != "":
		return hook.Secret
	case assertion == "":
		return noCredential
	default:
		if p, ok := splitJWT(assertion); ok && p.isFederated(r.app) {
			return hook.Federated
		}
		return hook.Certificate
	}
}

func (s *Server) faulted() {
	s.mu.Lock()
	s.stats.Faults++
	s.mu.Unlock()
}

func requestOf(r *http.Request) request {
	req := request{
		tenant: r.PathValue("tenant"), form: r.PostForm,
		app: r.PostForm.Get("client_id"), secret: r.PostForm.Get("client_secret"),
	}
	for _, authority := range []string{scheme(r) + r.Host, "https://login.microsoftonline.com"} {
		tenant := authority + "/" + req.tenant
		req.audiences = append(req.audiences, tenant+"/oauth2/v2.0/token", tenant+"/v2.0", tenant+"/")
	}
	if id, secret, ok := r.BasicAuth(); ok { // RFC 6749, 2.3.1: both are form-encoded first
		req.app, req.secret = unescape(id), unescape(secret)
	}
	return req
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// subjectOf names whose tokens are asked for, for counters and faults.
func subjectOf(req request) string {
	if u := req.form.Get("username"); u != "" {
		return strings.ToLower(u)
	}
	return strings.ToLower(req.app)
}

func (s *Server) check(req request) (granted, *refusal) {
	if !s.knowsTenant(req.tenant) {
		return granted{}, &refusal{code: 90002}
	}
	for _, must := range []string{"grant_type", "client_id", "scope"} {
		if req.form.Get(must) == "" && (must != "client_id" || req.app == "") {
			return granted{}, &refusal{code: 900144, field: must}
		}
	}
	g := grants[req.form.Get("grant_type")]
	switch {
	case !strings.EqualFold(req.app, s.opts.AppID):
		return granted{}, &refusal{code: 700016}
	case s.App().Disabled:
		return granted{}, &refusal{code: 7000112}
	case g == nil:
		return granted{}, &refusal{code: 70003, field: req.form.Get("grant_type")}
	}
	return g(s, req)
}

// client checks how the app proves its identity, if it does.
func (s *Server) client(req request, publicAllowed bool) *refusal {
	switch req.credential() {
	case hook.Secret:
		return s.checkSecret(req.secret)
	case noCredential:
		if publicAllowed {
			return nil
		}
		return &refusal{code: 7000218}
	}
	return s.assertion(req)
}

func (s *Server) clientCredentials(req request) (granted, *refusal) {
	if req.credential() == noCredential {
		return granted{}, &refusal{code: 7000216}
	}
	if no := s.client(req, false); no != nil {
		return granted{}, no
	}
	scopes := resourceScopes(req)
	scope := strings.Join(scopes, " ")
	resource, isDefault := strings.CutSuffix(scope, "/.default")
	if !isDefault || len(scopes) != 1 {
		return granted{}, &refusal{code: 70011, scope: scope}
	}
	if !isExchange(resource) {
		return granted{}, &refusal{code: 500011, scope: resource}
	}
	if a := s.App(); a.Permission && a.Consent {
		return granted{roles: []string{AppRole}}, nil
	}
	return granted{}, nil // a token all the same: what it is good for is decided where it is shown
}

// password is the resource owner password credentials grant, which Microsoft discourages and ROOMS' service user needs.
func (s *Server) password(req request) (granted, *refusal) {
	if no := s.client(req, s.App().PublicClient); no != nil {
		return granted{}, no
	}
	scopes := resourceScopes(req)
	if !slices.ContainsFunc(scopes, exchangeScope) {
		return granted{}, &refusal{code: 500011, scope: strings.Join(scopes, " ")}
	}
	user, pass := strings.ToLower(req.form.Get("username")), req.form.Get("password")
	if user == "" || pass == "" {
		return granted{}, &refusal{code: 900144, field: "username"}
	}
	outcome := directory.UnknownUser
	if s.opts.Users != nil {
		outcome = s.opts.Users(user, pass)
	}
	if code := outcomes[outcome]; code != 0 {
		return granted{}, &refusal{code: code, user: "{EUII Hidden}", scope: Audience}
	}
	return s.consented(user, scopes)
}

// outcomes are the AADSTS numbers of sign-ins that fail.
var outcomes = map[directory.Outcome]int{
	directory.UnknownUser:                          50034,
	directory.WrongPassword:                        50126,
	directory.Outcome(directory.Locked):            50053,
	directory.Outcome(directory.Disabled):          50057,
	directory.Outcome(directory.PasswordExpired):   50055,
	directory.Outcome(directory.MFARequired):       50076,
	directory.Outcome(directory.MFAEnrolment):      50079,
	directory.Outcome(directory.ConditionalAccess): 53003,
	directory.Outcome(directory.NotAssigned):       50105,
}

// otherScope is what an app has that has no permission for EWS.
const otherScope = "Calendars.Read"

// consented grants a user's token, as far as there is consent. A scope that is asked for by name must be consented to;
// .default asks for whatever there is.
func (s *Server) consented(user string, scopes []string) (granted, *refusal) {
	a := s.App()
	byName := !slices.ContainsFunc(scopes, func(s string) bool { return exchangeScope(s) && strings.HasSuffix(s, "/.default") })
	isEWS := func(s string) bool { return exchangeScope(s) && strings.HasSuffix(s, "/"+DelegatedScope) }
	switch {
	case !a.Consent, byName && !(a.DelegatedPermission && slices.ContainsFunc(scopes, isEWS)):
		return granted{}, &refusal{code: 65001}
	case !a.DelegatedPermission:
		return granted{user: user, scopes: []string{otherScope}}, nil
	}
	return granted{user: user, scopes: []string{DelegatedScope}}, nil
}

// resourceScopes leaves out the scopes of OpenID Connect, which MSAL adds to every request, an app's own included.
func resourceScopes(req request) []string {
	return slices.DeleteFunc(strings.Fields(req.form.Get("scope")), func(s string) bool {
		return s == "openid" || s == "profile" || s == "offline_access" || s == "email"
	})
}

func exchangeScope(scope string) bool {
	i := strings.LastIndexByte(scope, '/')
	return i > 0 && isExchange(scope[:i])
}

// isExchange knows the names of the resource Exchange Online.
func isExchange(resource string) bool {
	switch strings.TrimSuffix(strings.ToLower(resource), "/") {
	case Audience, "https://outlook.office.com", "00000002-0000-0ff1-ce00-000000000000":
		return true
	}
	return false
}

// grant issues a token and words the answer.
func (s *Server) grant(req request, what granted) map[string]any {
	s.mu.Lock()
	raw, t := s.issue(req, what)
	s.countCredential(req, CredentialStats{Issued: 1})
	life, refresh := s.life, s.refresh
	s.mu.Unlock()
	doc := map[string]any{
		"token_type": "Bearer", "access_token": raw,
		"expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()),
	}
	if refresh > 0 {
		doc["refresh_in"] = int(refresh.Seconds())
	}
	user := what.user
	if user == "" {
		return doc
	}
	doc["scope"] = Audience + "/" + strings.Join(what.scopes, " "+Audience+"/")
	if scopes := strings.Fields(req.form.Get("scope")); slices.Contains(scopes, "openid") {
		doc["id_token"] = s.jwt(map[string]any{
			"aud": s.opts.AppID, "iss": "https://login.microsoftonline.com/" + s.opts.Tenant + "/v2.0", "tid": s.opts.Tenant,
			"sub": user, "oid": user, "preferred_username": user, "ver": "2.0",
			"iat": t.Issued.Unix(), "nbf": t.Issued.Unix(), "exp": t.Expires.Unix(),
		})
		info, _ := json.Marshal(map[string]string{"uid": user, "utid": s.opts.Tenant})
		doc["client_info"] = base64.RawURLEncoding.EncodeToString(info)
	}
	return doc
}

// newUUID is a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
