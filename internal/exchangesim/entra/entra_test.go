package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
)

const scope = Audience + "/.default"

// svcOnly is a directory with one account.
func svcOnly() *directory.Directory {
	return directory.New(directory.Options{Exists: func(address string) bool { return address == "svc@contoso.example" }})
}

func form(change ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {DefaultAppID}, "client_secret": {DefaultSecret}, "scope": {scope}}
	for i := 0; i < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v
}

// ask sends a token request and decodes whatever comes back.
func ask(t *testing.T, srv *httptest.Server, tenant string, v url.Values) (int, map[string]any) {
	t.Helper()
	res, err := srv.Client().PostForm(srv.URL+"/"+tenant+"/oauth2/v2.0/token", v)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc map[string]any
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatalf("answer is not JSON: %v", err)
	}
	return res.StatusCode, doc
}

func TestToken_ClientSecret(t *testing.T) {
	s := New(Options{RefreshIn: 30 * time.Minute})
	srv := httptest.NewServer(s)
	defer srv.Close()
	status, doc := ask(t, srv, DefaultTenant, form())
	if status != 200 || doc["token_type"] != "Bearer" || doc["expires_in"] != 3600.0 || doc["ext_expires_in"] != 3600.0 || doc["refresh_in"] != 1800.0 {
		t.Fatalf("%d %v", status, doc)
	}
	raw, _ := doc["access_token"].(string)
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if c.Audience != Audience || c.AppID != DefaultAppID || c.Tenant != DefaultTenant || c.Expires-c.IssuedAt != 3600 {
		t.Errorf("claims %+v", c)
	}
	tok, err := s.Lookup(raw)
	if err != nil || tok.ID != "sim-app/1" || tok.User != "" {
		t.Errorf("Lookup = %+v, %v", tok, err)
	}
	if _, again := ask(t, srv, DefaultTenant, form()); again["access_token"] == raw {
		t.Error("two requests got the same token")
	}
	if got := s.Stats(); got.Requests != 2 || got.Issued != 2 || got.BySubject[DefaultAppID] != 2 {
		t.Errorf("stats %+v", got)
	}
}

func TestToken_Refusals(t *testing.T) {
	s := New(Options{Users: svcOnly().SignIn})
	srv := httptest.NewServer(s)
	defer srv.Close()
	user := func(name, pass string) url.Values {
		return form("grant_type", "password", "username", name, "password", pass)
	}
	for name, c := range map[string]struct {
		tenant string
		form   url.Values
		status int
		err    string
		code   float64
	}{
		"wrong secret":         {DefaultTenant, form("client_secret", "no"), 401, "invalid_client", 7000215},
		"no secret":            {DefaultTenant, form("client_secret", ""), 401, "invalid_client", 7000216},
		"unknown app":          {DefaultTenant, form("client_id", "other"), 400, "unauthorized_client", 700016},
		"unknown tenant":       {"elsewhere", form(), 400, "invalid_request", 90002},
		"scope of another API": {DefaultTenant, form("scope", "https://graph.example/.default"), 400, "invalid_resource", 500011},
		"scope not .default":   {DefaultTenant, form("scope", Audience+"/EWS.AccessAsUser.All"), 400, "invalid_scope", 70011},
		"no scope":             {DefaultTenant, form("scope", ""), 400, "invalid_request", 900144},
		"unknown grant":        {DefaultTenant, form("grant_type", "magic"), 400, "unsupported_grant_type", 70003},
		"nonsense assertion":   {DefaultTenant, form("client_secret", "", "client_assertion", "x"), 401, "invalid_client", 50027},
		"wrong password":       {DefaultTenant, user("svc@contoso.example", "no"), 400, "invalid_grant", 50126},
		"unknown user":         {DefaultTenant, user("nobody@contoso.example", DefaultPassword), 400, "invalid_grant", 50034},
	} {
		t.Run(name, func(t *testing.T) {
			status, doc := ask(t, srv, c.tenant, c.form)
			codes, _ := doc["error_codes"].([]any)
			if status != c.status || doc["error"] != c.err || len(codes) != 1 || codes[0] != c.code {
				t.Errorf("%d %v", status, doc)
			}
			for _, field := range []string{"trace_id", "correlation_id", "timestamp", "error_description", "error_uri"} {
				if text, _ := doc[field].(string); text == "" || strings.Contains(text, "{tenant}") || strings.Contains(text, "{app}") {
					t.Errorf("%s = %q", field, text)
				}
			}
		})
	}
	if got := s.Stats(); got.Issued != 0 || got.Refused != 11 {
		t.Errorf("stats %+v", got)
	}
}

func TestLookup_ExpiryRevocationAndRotation(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := New(Options{Now: func() time.Time { return now }, Lifetime: 10 * time.Second})
	srv := httptest.NewServer(s)
	defer srv.Close()
	get := func() string {
		_, doc := ask(t, srv, DefaultTenant, form())
		return doc["access_token"].(string)
	}
	first, second := get(), get()
	if n := s.Revoke("sim-app/1"); n != 1 {
		t.Errorf("Revoke took %d tokens away, want 1", n)
	}
	if _, err := s.Lookup(first); !errors.Is(err, ErrRevokedToken) {
		t.Errorf("revoked token: %v", err)
	}
	if _, err := s.Lookup(second); err != nil {
		t.Errorf("the other token: %v", err)
	}
	now = now.Add(10 * time.Second)
	if _, err := s.Lookup(second); !errors.Is(err, ErrExpiredToken) {
		t.Errorf("after its life: %v", err)
	}
	if _, err := s.Lookup(second + "x"); !errors.Is(err, ErrUnknownToken) {
		t.Errorf("changed token: %v", err)
	}
	s.SetSecret("rotated")
	if status, doc := ask(t, srv, DefaultTenant, form()); status != 401 {
		t.Errorf("the old secret still works: %v", doc)
	}
	if status, _ := ask(t, srv, DefaultTenant, form("client_secret", "rotated")); status != 200 {
		t.Error("the new secret does not work")
	}
}

// toAuthority sends requests for Microsoft's host to the simulator: MSAL asks that one about unknown authorities.
type toAuthority struct {
	srv *httptest.Server
}

func (a toAuthority) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "login.microsoftonline.com" {
		r = r.Clone(r.Context())
		r.URL.Host = strings.TrimPrefix(a.srv.URL, "https://")
	}
	return a.srv.Client().Transport.RoundTrip(r)
}

// TestMSAL proves that Microsoft's own library takes the simulator for the real service.
func TestMSAL(t *testing.T) {
	for name, discovery := range map[string]bool{"with instance discovery": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Users: svcOnly().SignIn})
			srv := httptest.NewTLSServer(s)
			defer srv.Close()
			client := func(secret string) confidential.Client {
				cred, err := confidential.NewCredFromSecret(secret)
				if err != nil {
					t.Fatal(err)
				}
				c, err := confidential.New(srv.URL+"/"+DefaultTenant, DefaultAppID, cred,
					confidential.WithHTTPClient(&http.Client{Transport: toAuthority{srv}}),
					confidential.WithInstanceDiscovery(discovery))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			ctx := context.Background()
			c := client(DefaultSecret)
			got, err := c.AcquireTokenByCredential(ctx, []string{scope})
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.ExpiresOn); left < 59*time.Minute || left > time.Hour {
				t.Errorf("token is good for %v, want an hour", left)
			}
			if _, err := s.Lookup(got.AccessToken); err != nil {
				t.Error(err)
			}
			if _, err := c.AcquireTokenByCredential(ctx, []string{scope}); err != nil {
				t.Error(err)
			}
			if n := s.Stats().Requests; n != 1 {
				t.Errorf("%d token requests, want 1: MSAL did not take the answer into its cache", n)
			}
			user, err := c.AcquireTokenByUsernamePassword(ctx, []string{Audience + "/EWS.AccessAsUser.All"}, "svc@contoso.example", DefaultPassword)
			if err != nil {
				t.Fatal(err)
			}
			if tok, err := s.Lookup(user.AccessToken); err != nil || tok.User != "svc@contoso.example" {
				t.Errorf("user's token %+v, %v", tok, err)
			}
			if _, err := client("wrong").AcquireTokenByCredential(ctx, []string{scope}); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
				t.Errorf("wrong secret: %v", err)
			}
		})
	}
}

// script answers every call for a token.
type script struct {
	mu            sync.Mutex
	before, after *hook.Answer
}

func (s *script) set(before, after *hook.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *script) Before(*hook.Call) *hook.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before
}

func (s *script) After(*hook.Call) *hook.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after
}

func (*script) Item(*hook.Call, int, string) *hook.ItemFault  { return nil }
func (*script) Done(*hook.Call, int, []string, time.Duration) {}

func TestToken_ScriptedAnswers(t *testing.T) {
	sc := &script{}
	s := New(Options{Interceptor: sc})
	srv := httptest.NewServer(s)
	defer srv.Close()
	post := func() (*http.Response, string, error) {
		res, err := srv.Client().PostForm(srv.URL+"/sim-tenant/oauth2/v2.0/token", form())
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
	busy := Refusal(90055, time.Now())
	busy.Header.Set("Retry-After", "7")
	sc.set(busy, nil)
	res, body, err := post()
	if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" || !strings.Contains(body, `"error":"temporarily_unavailable"`) {
		t.Errorf("throttled: %v %s %v", res, body, err)
	}
	if n := s.Stats(); n.Issued != 0 || n.Faults != 1 {
		t.Errorf("a fault before the effect issued a token: %+v", n)
	}
	sc.set(&hook.Answer{Reset: true}, nil)
	if _, _, err := post(); err == nil {
		t.Error("a reset connection gave no error")
	}
	sc.set(nil, &hook.Answer{Status: 200, Body: []byte(`{"access_token":"cut off"}`), CutAfter: 10})
	if _, body, err := post(); err == nil || len(body) != 10 {
		t.Errorf("cut after 10 bytes: %q, %v", body, err)
	}
	if n := s.Stats().Issued; n != 1 {
		t.Errorf("%d tokens issued, want 1: a fault after the effect loses the answer only", n)
	}
	if Refusal(1, time.Now()) != nil {
		t.Error("an unknown AADSTS number got an answer")
	}
}
