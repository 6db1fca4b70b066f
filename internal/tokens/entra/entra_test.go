package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	simulated "roomsync/internal/exchangesim/entra"
	"roomsync/internal/tokens"
)

const canary = "canary~secret+4711/"

// authority is a small token service; answer, when set, takes the place of its token endpoint.
type authority struct {
	t        *testing.T
	srv      *httptest.Server
	answer   http.HandlerFunc
	issuer   string // of the discovery document, its own URL when empty
	endpoint string // of tokens, in the discovery document; in the issuer when empty
	realm    string // what is answered about a user

	mu        sync.Mutex
	forms     []url.Values
	users     []string // whose realm was asked for
	discovery int
}

func newAuthority(t *testing.T, answer http.HandlerFunc) *authority {
	t.Helper()
	a := &authority{t: t, answer: answer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /the-tenant/v2.0/.well-known/openid-configuration", a.document)
	mux.HandleFunc("POST /the-tenant/oauth2/v2.0/token", a.token)
	mux.HandleFunc("GET /common/UserRealm/{user}", a.userRealm)
	a.srv = httptest.NewServer(mux)
	t.Cleanup(a.srv.Close)
	return a
}

func (a *authority) document(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.discovery++
	a.mu.Unlock()
	base := a.issuer
	if base == "" {
		base = "http://" + r.Host
	}
	endpoint := a.endpoint
	if endpoint == "" {
		endpoint = base
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer":                 base + "/the-tenant/v2.0",
		"authorization_endpoint": base + "/the-tenant/oauth2/v2.0/authorize",
		"token_endpoint":         endpoint + "/the-tenant/oauth2/v2.0/token",
		"scopes_supported":       []string{"openid"},
	})
}

func (a *authority) userRealm(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.users = append(a.users, r.PathValue("user"))
	a.mu.Unlock()
	realm := a.realm
	if realm == "" {
		realm = `{"ver":"1.0","account_type":"Managed","domain_name":"contoso.example","cloud_instance_name":"x","cloud_audience_urn":"urn:x"}`
	}
	_, _ = io.WriteString(w, realm)
}

func (a *authority) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	a.mu.Lock()
	a.forms = append(a.forms, r.PostForm)
	n := len(a.forms)
	a.mu.Unlock()
	if a.answer != nil {
		a.answer(w, r)
		return
	}
	_, _ = fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"refresh_in":1800,"access_token":"token-%d"}`, n)
}

func (a *authority) options() Options {
	return Options{
		TenantID: "the-tenant", ClientID: "the-app", AuthorityURL: a.srv.URL,
		Secret: func() (tokens.Secret, error) { return tokens.NewSecret(canary), nil },
	}
}

func (a *authority) client() *Client {
	a.t.Helper()
	return newClient(a.t, a.options())
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusing answers as Entra does, repeating what it was sent: nothing of that may get into an error.
func refusing(status int, code string, aadsts int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error": code, "error_codes": []int{aadsts},
			"error_description": fmt.Sprintf("AADSTS%d: you sent %s", aadsts, r.PostForm.Encode()+canary),
			"correlation_id":    "1f9e8a5c-0000-0000-0000-000000000000",
		})
	}
}

func TestToken(t *testing.T) {
	a := newAuthority(t, nil)
	c := a.client()
	before := time.Now()
	for i := 1; i <= 3; i++ {
		tok, err := c.Token(t.Context(), tokens.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("token-%d", i); tok.Value.Reveal() != want {
			t.Errorf("token %q, want %q: MSAL answered from a cache", tok.Value.Reveal(), want)
		}
		if d := tok.Expires.Sub(before); d < 59*time.Minute || d > 61*time.Minute {
			t.Errorf("expires in %v", d)
		}
		if d := tok.RefreshAt.Sub(before); d < 29*time.Minute || d > 31*time.Minute {
			t.Errorf("to be refreshed in %v", d)
		}
	}
	f := a.forms[0]
	for k, want := range map[string]string{
		"grant_type": "client_credentials", "client_id": "the-app", "client_secret": canary, "claims": "",
	} {
		if f.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, f.Get(k), want)
		}
	}
	if !strings.Contains(f.Get("scope"), DefaultScope) {
		t.Errorf("scope %q", f.Get("scope"))
	}
	if a.discovery != 1 {
		t.Errorf("the discovery document was read %d times", a.discovery)
	}
}

func TestToken_TakesUpARotatedSecret(t *testing.T) {
	a := newAuthority(t, nil)
	o := a.options()
	secrets := []string{"old", "old", "new"}
	o.Secret = func() (tokens.Secret, error) {
		s := secrets[0]
		secrets = secrets[1:]
		return tokens.NewSecret(s), nil
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"old", "old", "new"} {
		if _, err := c.Token(t.Context(), tokens.Request{}); err != nil {
			t.Fatal(err)
		}
		if got := a.forms[i].Get("client_secret"); got != want {
			t.Errorf("request %d sent %q, want %q", i+1, got, want)
		}
	}
}

func TestToken_SecretThatCannotBeRead(t *testing.T) {
	a := newAuthority(t, nil)
	for name, secret := range map[string]func() (tokens.Secret, error){
		"missing": func() (tokens.Secret, error) { return tokens.Secret{}, errors.New("no such file") },
		"empty":   func() (tokens.Secret, error) { return tokens.Secret{}, nil },
	} {
		o := a.options()
		o.Secret = secret
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Token(t.Context(), tokens.Request{}); asError(t, err).Err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(a.forms) != 0 {
		t.Errorf("%d requests were sent", len(a.forms))
	}
}

func asError(t *testing.T, err error) *tokens.Error {
	t.Helper()
	var e *tokens.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *tokens.Error", err)
	}
	return e
}

func TestToken_SuccessesThatLookOdd(t *testing.T) {
	a := newAuthority(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"t","expires_in":"3600"}`)
	})
	if tok, err := a.client().Token(t.Context(), tokens.Request{}); err != nil || time.Until(tok.Expires) < 59*time.Minute {
		t.Errorf("expires_in as text: %v, %v", tok, err)
	}
}

func TestToken_SendsNothingToAnotherHost(t *testing.T) {
	asked := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer evil.Close()
	a := newAuthority(t, nil)
	a.issuer = evil.URL
	if _, err := a.client().Token(t.Context(), tokens.Request{}); err == nil {
		t.Error("accepted a token endpoint elsewhere")
	}
	a.answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL, http.StatusPermanentRedirect)
	}
	a.issuer, a.endpoint = "", evil.URL
	if _, err := a.client().Token(t.Context(), tokens.Request{}); err == nil || !errors.Is(err, errOtherHost) {
		t.Errorf("a token endpoint elsewhere, of the right issuer: %v", err)
	}
	a.endpoint = ""
	if _, err := a.client().Token(t.Context(), tokens.Request{}); err == nil {
		t.Error("followed a redirect")
	}
	if asked != 0 {
		t.Errorf("%d requests elsewhere", asked)
	}
}

func TestToken_Unreachable(t *testing.T) {
	a := newAuthority(t, nil)
	c := a.client()
	a.srv.Close()
	_, err := c.Token(t.Context(), tokens.Request{})
	if e := asError(t, err); e.Err == nil || e.Status != 0 || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Token(ctx, tokens.Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestToken_HTTPS(t *testing.T) {
	a := newAuthority(t, nil)
	tls := httptest.NewTLSServer(a.srv.Config.Handler)
	defer tls.Close()
	a.issuer = tls.URL
	o := a.options()
	o.AuthorityURL, o.Transport = tls.URL, tls.Client().Transport
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := c.Token(t.Context(), tokens.Request{}); err != nil || tok.Value.Reveal() != "token-1" {
		t.Errorf("%v, %v", tok, err)
	}
	a.endpoint = strings.Replace(tls.URL, "https:", "http:", 1)
	c, _ = New(o)
	if _, err := c.Token(t.Context(), tokens.Request{}); !errors.Is(err, errClearText) {
		t.Errorf("a token endpoint without https: %v", err)
	}
	a.endpoint = ""
	o.Transport = nil // system roots do not know this certificate
	c, _ = New(o)
	if _, err := c.Token(t.Context(), tokens.Request{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	if len(a.forms) != 1 {
		t.Errorf("%d token requests, want 1", len(a.forms))
	}
}

func TestToken_ThousandCallersThroughTheCache(t *testing.T) {
	a := newAuthority(t, nil)
	cache := tokens.NewCache(a.client().Token)
	defer cache.Close()
	errs := make(chan error)
	for range 1000 {
		go func() {
			_, err := cache.Get(t.Context())
			errs <- err
		}()
	}
	for range 1000 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if retry, err := cache.Reject(t.Context(), "1", ""); !retry || err != nil {
		t.Errorf("Reject: %v, %v", retry, err)
	}
	if len(a.forms) != 2 {
		t.Errorf("%d token requests, want one and a forced one", len(a.forms))
	}
}

// The simulated Entra was written independently of this package: both must agree on the protocol.
func TestToken_FromTheSimulatedEntra(t *testing.T) {
	sim := simulated.New(simulated.Options{RefreshIn: 20 * time.Minute})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	o := Options{TenantID: simulated.DefaultTenant, ClientID: simulated.DefaultAppID, AuthorityURL: srv.URL}
	secret := simulated.DefaultSecret
	o.Secret = func() (tokens.Secret, error) { return tokens.NewSecret(secret), nil }
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := c.Token(t.Context(), tokens.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Until(tok.RefreshAt); d < 19*time.Minute || d > 20*time.Minute {
		t.Errorf("to be refreshed in %v", d)
	}
	secret = "wrong"
	_, err = c.Token(t.Context(), tokens.Request{})
	if e := asError(t, err); e.Code != "invalid_client" || e.AADSTS != 7000215 || e.Status != http.StatusUnauthorized {
		t.Errorf("wrong secret: %+v", e)
	}
	o.TenantID = "no-such-tenant"
	if c, err = New(o); err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context(), tokens.Request{})
	if e := asError(t, err); e.AADSTS != 90002 {
		t.Errorf("unknown tenant: %+v", e)
	}
}

func TestNew_Options(t *testing.T) {
	good := newAuthority(t, nil).options()
	with := func(f func(*Options)) Options { o := good; f(&o); return o }
	tests := map[string]struct {
		o    Options
		want string // part of the error, "" for none
	}{
		"defaults":            {with(func(o *Options) { o.AuthorityURL = "" }), ""},
		"loopback name":       {with(func(o *Options) { o.AuthorityURL = "http://localhost:8445/" }), ""},
		"loopback v6":         {with(func(o *Options) { o.AuthorityURL = "http://[::1]:8445" }), ""},
		"http elsewhere":      {with(func(o *Options) { o.AuthorityURL = "http://exchangesim:8445" }), "must be https"},
		"loopback look-alike": {with(func(o *Options) { o.AuthorityURL = "http://127.0.0.1.example:8445" }), "must be https"},
		"http allowed":        {with(func(o *Options) { o.AuthorityURL = "http://exchangesim:8445"; o.AllowInsecure = true }), ""},
		"other scheme":        {with(func(o *Options) { o.AuthorityURL = "ftp://127.0.0.1"; o.AllowInsecure = true }), "must be https"},
		"no URL":              {with(func(o *Options) { o.AuthorityURL = "login" }), "no URL"},
		"tenant in the URL":   {with(func(o *Options) { o.AuthorityURL += "/the-tenant" }), "only"},
		"user in the URL":     {with(func(o *Options) { o.AuthorityURL = "https://user:canary@host" }), "only"},
		"common":              {with(func(o *Options) { o.TenantID = "Common" }), "stands for many"},
		"tenant with a slash": {with(func(o *Options) { o.TenantID = "a/../b" }), "tenant id"},
		"no tenant":           {with(func(o *Options) { o.TenantID = "" }), "tenant id"},
		"no app":              {with(func(o *Options) { o.ClientID = "" }), "application id"},
		"no secret":           {with(func(o *Options) { o.Secret = nil }), "nothing to sign in with"},
		"two ways":            {with(func(o *Options) { o.Assertion = o.Secret }), "several ways"},
		"user without domain": {with(func(o *Options) { o.Secret, o.Password, o.Username = nil, o.Secret, `CONTOSO\svc` }), "user principal name"},
		"user with a slash":   {with(func(o *Options) { o.Secret, o.Password, o.Username = nil, o.Secret, "a b@c" }), "user principal name"},
		"user":                {with(func(o *Options) { o.Secret, o.Password, o.Username = nil, o.Secret, "svc@contoso.example" }), ""},
	}
	for name, tt := range tests {
		_, err := New(tt.o)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		wantNoSecret(t, err)
	}
}
