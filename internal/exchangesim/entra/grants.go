package entra

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is a token request whose tenant exists.
type request struct {
	tenant, app, secret string
	form                url.Values
	audiences           []string // by which a client assertion may name this endpoint
}

// grants are the grant types that the token endpoint knows. Each checks its own credential, and says for which user
// the token is ("" for the app itself) or why there is none.
var grants = map[string]func(*Server, request) (user string, no *refusal){
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
	user, no := s.check(req)
	if no != nil {
		no.app, no.tenant = req.app, req.tenant
		s.refuse(c, r, *no)
		return
	}
	doc := s.grant(req, user)
	if c.after() {
		s.faulted() // the token is issued, the answer is lost
		return
	}
	reply(c, http.StatusOK, doc)
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

func (s *Server) check(req request) (user string, no *refusal) {
	if !s.knowsTenant(req.tenant) {
		return "", &refusal{code: 90002}
	}
	for _, must := range []string{"grant_type", "client_id", "scope"} {
		if req.form.Get(must) == "" && (must != "client_id" || req.app == "") {
			return "", &refusal{code: 900144, field: must}
		}
	}
	if !strings.EqualFold(req.app, s.opts.AppID) {
		return "", &refusal{code: 700016}
	}
	g := grants[req.form.Get("grant_type")]
	if g == nil {
		return "", &refusal{code: 70003, field: req.form.Get("grant_type")}
	}
	return g(s, req)
}

// client checks how the app proves its identity, if it does.
func (s *Server) client(req request) (proved bool, no *refusal) {
	switch {
	case req.secret != "":
		if !s.secretIs(req.secret) {
			return false, &refusal{code: 7000215}
		}
	case req.form.Get("client_assertion") != "":
		if no := s.assertion(req); no != nil {
			return false, no
		}
	default:
		return false, nil
	}
	return true, nil
}

func (s *Server) clientCredentials(req request) (string, *refusal) {
	proved, no := s.client(req)
	if no == nil && !proved {
		no = &refusal{code: 7000218}
	}
	if no != nil {
		return "", no
	}
	scopes := resourceScopes(req)
	scope := strings.Join(scopes, " ")
	resource, isDefault := strings.CutSuffix(scope, "/.default")
	if !isDefault || len(scopes) != 1 {
		return "", &refusal{code: 70011, scope: scope}
	}
	if !isExchange(resource) {
		return "", &refusal{code: 500011, scope: resource}
	}
	return "", nil
}

// password is the resource owner password credentials grant, which Microsoft discourages and ROOMS' service user needs.
func (s *Server) password(req request) (string, *refusal) {
	if _, no := s.client(req); no != nil { // a public client proves nothing
		return "", no
	}
	if scopes := resourceScopes(req); !slices.ContainsFunc(scopes, exchangeScope) {
		return "", &refusal{code: 500011, scope: strings.Join(scopes, " ")}
	}
	user, pass := strings.ToLower(req.form.Get("username")), req.form.Get("password")
	if user == "" || pass == "" {
		return "", &refusal{code: 900144, field: "username"}
	}
	if s.opts.Users == nil || !s.opts.Users(user, pass) {
		return "", &refusal{code: 50126}
	}
	return user, nil
}

func (s *Server) secretIs(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return subtle.ConstantTimeCompare([]byte(secret), []byte(s.secret)) == 1
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
func (s *Server) grant(req request, user string) map[string]any {
	s.mu.Lock()
	raw, t := s.issue(s.opts.AppID, user, req.form.Get("grant_type"))
	life, refresh := s.life, s.refresh
	s.mu.Unlock()
	doc := map[string]any{
		"token_type": "Bearer", "access_token": raw,
		"expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()),
	}
	if refresh > 0 {
		doc["refresh_in"] = int(refresh.Seconds())
	}
	if user == "" {
		return doc
	}
	doc["scope"] = Audience + "/EWS.AccessAsUser.All"
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
