package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/exchangesim/directory"
	simulated "roomsync/internal/exchangesim/entra"
	"roomsync/internal/tokens"
)

const serviceUser = "svc+rooms@contoso.example"

func (a *authority) userOptions() Options {
	o := a.options()
	o.Secret, o.Password, o.Username = nil, o.Secret, serviceUser
	return o
}

// granting answers with all that a user's sign-in brings.
func granting(w http.ResponseWriter, _ *http.Request) {
	claims := `{"aud":"the-app","sub":"u","oid":"u","tid":"the-tenant","preferred_username":"` + serviceUser + `"}`
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token_type": "Bearer", "expires_in": 3600, "access_token": "access-canary", "refresh_token": "refresh-canary",
		"scope": DefaultDelegatedScope, "id_token": "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x", "client_info": base64.RawURLEncoding.EncodeToString([]byte(`{"uid":"u","utid":"the-tenant"}`)),
	})
}

func TestUser_Token(t *testing.T) {
	a := newAuthority(t, granting)
	c := newClient(t, a.userOptions())
	for i := range 2 {
		tok, err := c.Token(t.Context(), tokens.Request{})
		if err != nil || tok.Value.Reveal() != "access-canary" || time.Until(tok.Expires) < 59*time.Minute {
			t.Fatalf("%v, %v", tok, err)
		}
		f := a.forms[i]
		for k, want := range map[string]string{
			"grant_type": "password", "client_id": "the-app", "username": serviceUser, "password": canary, "client_secret": "", "refresh_token": "",
		} {
			if f.Get(k) != want {
				t.Errorf("%s is %q, want %q", k, f.Get(k), want)
			}
		}
		if !strings.Contains(f.Get("scope"), DefaultDelegatedScope) {
			t.Errorf("scope %q", f.Get("scope"))
		}
	}
	if len(a.users) != 2 || a.users[0] != serviceUser || a.discovery != 1 {
		t.Errorf("realm of %q, %d discoveries", a.users, a.discovery)
	}
}

// spy looks into MSAL's memory when a token has been kept there.
type spy struct {
	forgetful
	left string
}

func (s *spy) Export(ctx context.Context, c cache.Marshaler, h cache.ExportHints) error {
	before, _ := c.Marshal()
	if !strings.Contains(string(before), "refresh-canary") {
		return errors.New("there was nothing to forget")
	}
	err := s.forgetful.Export(ctx, c, h)
	after, _ := c.Marshal()
	s.left = string(after)
	return err
}

func TestForgetful_LeavesNothingInMSAL(t *testing.T) {
	a := newAuthority(t, granting)
	c := newClient(t, a.userOptions())
	u := c.grant.(*user)
	s := new(spy)
	var err error
	u.msal, err = public.New("the-app", public.WithAuthority(u.url), public.WithInstanceDiscovery(false), public.WithHTTPClient(u.http), public.WithCache(s))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Token(t.Context(), tokens.Request{}); err != nil {
		t.Fatal(err)
	}
	if s.left == "" || strings.Contains(s.left, "canary") {
		t.Errorf("left: %q", s.left)
	}
}

// TestUser_WrongPasswordIsTriedOnce: another password is tried at once, the same one after ten minutes.
func TestUser_WrongPasswordIsTriedOnce(t *testing.T) {
	a := newAuthority(t, refusing(400, "invalid_grant", 50126))
	o := a.userOptions()
	password := "wrong"
	o.Password = func() (tokens.Secret, error) { return tokens.NewSecret(password), nil }
	c := newClient(t, o)
	ask := func() *tokens.Error {
		t.Helper()
		_, err := c.Token(t.Context(), tokens.Request{})
		return asError(t, err)
	}
	first := ask()
	for range 3 {
		again := ask()
		if again.AADSTS != 50126 || again.RetryAfter <= 9*time.Minute || again.RetryAfter > lockOut || again.Hint != first.Hint {
			t.Errorf("%+v", again)
		}
	}
	if len(a.forms) != 1 {
		t.Errorf("a wrong password was sent %d times", len(a.forms))
	}
	password = "also wrong"
	ask()
	password = "wrong"
	ask()
	if len(a.forms) != 3 {
		t.Errorf("%d requests for three changes of the password", len(a.forms))
	}
	u := c.grant.(*user)
	if u.barred(tokens.NewSecret("wrong"), time.Now().Add(lockOut-time.Minute)) == nil {
		t.Error("tried again within ten minutes")
	}
	if err := u.barred(tokens.NewSecret("wrong"), time.Now().Add(lockOut)); err != nil {
		t.Errorf("not tried after ten minutes: %v", err)
	}
}

// TestUser_WhatIsNoPasswordIsTriedAgain: policies, consent and outages say nothing about the password.
func TestUser_WhatIsNoPasswordIsTriedAgain(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		refusing(400, "interaction_required", 50076), refusing(400, "invalid_grant", 53003), refusing(400, "invalid_grant", 65001),
		refusing(503, "temporarily_unavailable", 90033), refusing(429, "temporarily_unavailable", 90055), echo(200, "nonsense"),
	} {
		a := newAuthority(t, answer)
		c := newClient(t, a.userOptions())
		for range 2 {
			_, _ = c.Token(t.Context(), tokens.Request{})
		}
		if len(a.forms) != 2 {
			t.Errorf("%d requests", len(a.forms))
		}
	}
}

// TestUser_PasswordGoesToTheAuthorityOnly: for a federated domain MSAL would send it where the answer says.
func TestUser_PasswordGoesToTheAuthorityOnly(t *testing.T) {
	asked := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer evil.Close()
	a := newAuthority(t, granting)
	for _, host := range []string{evil.URL, a.srv.URL} {
		a.realm = fmt.Sprintf(`{"ver":"1.0","account_type":"Federated","domain_name":"d","cloud_instance_name":"x","cloud_audience_urn":"urn:x","federation_protocol":"WSTrust","federation_metadata_url":%q}`, host+"/mex")
		_, err := newClient(t, a.userOptions()).Token(t.Context(), tokens.Request{})
		if e := asError(t, err); !strings.Contains(e.Hint, "AD FS") || !strings.Contains(e.Hint, "ExchangeServiceUser") || e.RetryAfter != operator {
			t.Errorf("%+v", e)
		}
		wantNoSecret(t, err)
	}
	if asked+len(a.forms) != 0 {
		t.Errorf("the password was sent: %d, %d", asked, len(a.forms))
	}
}

func TestUser_Realms(t *testing.T) {
	for realm, want := range map[string]string{
		`{"ver":"1.0","account_type":"Unknown"}`: "does not know the domain",
		`{"account_type":"Managed"}`:             "not understood",
		"nonsense " + canary:                     "not understood",
	} {
		a := newAuthority(t, granting)
		a.realm = realm
		_, err := newClient(t, a.userOptions()).Token(t.Context(), tokens.Request{})
		if !strings.Contains(asError(t, err).Error(), want) || len(a.forms) != 0 {
			t.Errorf("%s: %v", realm, err)
		}
		wantNoSecret(t, err)
	}
}

func TestUser_PasswordThatCannotBeRead(t *testing.T) {
	a := newAuthority(t, granting)
	o := a.userOptions()
	for _, err := range []error{errors.New("no such file"), nil} {
		o.Password = func() (tokens.Secret, error) { return tokens.Secret{}, err }
		_, got := newClient(t, o).Token(t.Context(), tokens.Request{})
		if e := asError(t, got); e.Err == nil || !strings.Contains(e.Hint, "--password-file") {
			t.Errorf("%v", got)
		}
	}
	if len(a.forms)+a.discovery != 0 {
		t.Error("something was sent")
	}
}

func TestUser_FromTheSimulatedEntra(t *testing.T) {
	sim := simulated.New(simulated.Options{Users: func(user, password string) directory.Outcome {
		if user != serviceUser || password != "right" {
			return directory.WrongPassword
		}
		return directory.OK
	}})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	o := Options{TenantID: simulated.DefaultTenant, ClientID: simulated.DefaultAppID, AuthorityURL: srv.URL, Username: serviceUser}
	password := "wrong"
	o.Password = func() (tokens.Secret, error) { return tokens.NewSecret(password), nil }
	c := newClient(t, o)
	_, err := c.Token(t.Context(), tokens.Request{})
	if e := asError(t, err); e.AADSTS != 50126 || e.RetryAfter != lockOut || !strings.Contains(e.Hint, "ExchangeServicePassword") {
		t.Errorf("%+v", e)
	}
	password = "right"
	if tok, err := c.Token(t.Context(), tokens.Request{}); err != nil || tok.Value.IsZero() {
		t.Errorf("%v", err)
	}
}

// TestToken_ClaimsOfEveryKind: a claims challenge reaches the token request, however one signs in.
func TestToken_ClaimsOfEveryKind(t *testing.T) {
	const claims = `{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}`
	file := t.TempDir() + "/token"
	write(t, file, jwt(t, time.Now().Add(time.Hour)))
	app, user := newAuthority(t, nil), newAuthority(t, granting)
	fed := app.options()
	fed.Secret, fed.Assertion = nil, TokenFile(file)
	for _, o := range []Options{app.options(), app.certificateOptions(pairA()), fed, user.userOptions()} {
		if _, err := newClient(t, o).Token(t.Context(), tokens.Request{Claims: claims}); err != nil {
			t.Fatal(err)
		}
	}
	forms := slices.Concat(app.forms, user.forms)
	if len(forms) != 4 {
		t.Errorf("%d requests", len(forms))
	}
	for i, f := range forms {
		if got := f.Get("claims"); got != claims {
			t.Errorf("%d: claims %q", i, got)
		}
	}
}

// TestToken_TakesNothingFromTheEnvironment: MSAL would go to a host of that region.
func TestToken_TakesNothingFromTheEnvironment(t *testing.T) {
	t.Setenv("MSAL_FORCE_REGION", "westeurope")
	a := newAuthority(t, nil)
	for _, o := range []Options{a.options(), a.certificateOptions(pairA())} {
		if _, err := newClient(t, o).Token(t.Context(), tokens.Request{}); err != nil {
			t.Error(err)
		}
	}
}
