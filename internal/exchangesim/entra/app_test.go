package entra

import (
	"context"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
)

// codeOf is the AADSTS number of a refusal, 0 for a token.
func codeOf(t *testing.T, srv *httptest.Server, v url.Values) int {
	t.Helper()
	status, doc := ask(t, srv, DefaultTenant, v)
	codes, _ := doc["error_codes"].([]any)
	if len(codes) == 0 {
		if status != 200 {
			t.Fatalf("%d %v", status, doc)
		}
		return 0
	}
	return int(codes[0].(float64))
}

// user is a password grant of a public client.
func user(password string, change ...string) url.Values {
	return form(append([]string{
		"client_secret", "", "grant_type", "password", "username", "svc@contoso.example", "password", password,
	}, change...)...)
}

func TestSecrets_SeveralAtOnce(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s := New(Options{Now: func() time.Time { return now }})
	srv := httptest.NewServer(s)
	defer srv.Close()
	with := func(secret string) int { return codeOf(t, srv, form("client_secret", secret)) }
	second := s.AddSecret("second-secret", now.Add(time.Hour))
	if second.Hint != "sec" || second.Expires == nil {
		t.Errorf("secret %+v", second)
	}
	if a, b := with(DefaultSecret), with("second-secret"); a != 0 || b != 0 {
		t.Errorf("both secrets are good, and got %d, %d", a, b)
	}
	if code := with(second.ID); code != 7000215 {
		t.Errorf("the id in the place of the value got %d", code)
	}
	now = now.Add(time.Hour)
	if code := with("second-secret"); code != 7000222 {
		t.Errorf("an expired secret got %d", code)
	}
	if !s.RemoveSecret(second.ID) || s.RemoveSecret(second.ID) {
		t.Error("RemoveSecret does not tell what was")
	}
	if code := with("second-secret"); code != 7000215 {
		t.Errorf("a removed secret got %d", code)
	}
	s.SetSecret("rotated")
	if all := s.Secrets(); len(all) != 1 || with(DefaultSecret) != 7000215 || with("rotated") != 0 {
		t.Errorf("after the rotation there are %+v", all)
	}
	if n := s.Stats().ByCredential["client_credentials/secret"]; n != (CredentialStats{Requests: 7, Issued: 3}) {
		t.Errorf("counted %+v", n)
	}
}

func TestApp_WhatStandsInItsWay(t *testing.T) {
	users := svcOnly()
	s := New(Options{Users: users.SignIn})
	srv := httptest.NewServer(s)
	defer srv.Close()
	const byName = Audience + "/" + DelegatedScope
	for name, c := range map[string]struct {
		change func(*App)
		form   url.Values
		code   int
	}{
		"nothing, user":              {func(*App) {}, user("simulated"), 0},
		"nothing, user, by name":     {func(*App) {}, user("simulated", "scope", byName), 0},
		"disabled":                   {func(a *App) { a.Disabled = true }, form(), 7000112},
		"disabled, user":             {func(a *App) { a.Disabled = true }, user("simulated"), 7000112},
		"no public client":           {func(a *App) { a.PublicClient = false }, user("simulated"), 7000218},
		"no public client, secret":   {func(a *App) { a.PublicClient = false }, user("simulated", "client_secret", DefaultSecret), 0},
		"user, wrong secret":         {func(*App) {}, user("simulated", "client_secret", "no"), 7000215},
		"no consent, app":            {func(a *App) { a.Consent = false }, form(), 0}, // a token without a role
		"no consent, user":           {func(a *App) { a.Consent = false }, user("simulated"), 65001},
		"no permission, app":         {func(a *App) { a.Permission = false }, form(), 0},
		"no permission, user":        {func(a *App) { a.DelegatedPermission = false }, user("simulated"), 0},
		"no permission, by name":     {func(a *App) { a.DelegatedPermission = false }, user("simulated", "scope", byName), 65001},
		"another permission by name": {func(*App) {}, user("simulated", "scope", Audience+"/Mail.Send"), 65001},
	} {
		app := WorkingApp()
		c.change(&app)
		s.SetApp(app)
		if code := codeOf(t, srv, c.form); code != c.code {
			t.Errorf("%s: %d, want %d", name, code, c.code)
		}
	}
}

// What a token carries is decided when it is issued.
func TestTokens_CarryWhatTheAppHas(t *testing.T) {
	s := New(Options{Users: svcOnly().SignIn})
	srv := httptest.NewServer(s)
	defer srv.Close()
	get := func(v url.Values) Token {
		t.Helper()
		_, doc := ask(t, srv, DefaultTenant, v)
		tok, err := s.Lookup(doc["access_token"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	before := get(form())
	s.SetApp(App{Consent: true, PublicClient: true})
	after, userToken := get(form()), get(user("simulated"))
	if !before.Permitted() || !slices.Equal(before.Roles, []string{AppRole}) || before.SignIn != hook.Secret {
		t.Errorf("token %+v", before)
	}
	if after.Permitted() || after.Roles != nil || userToken.Permitted() || userToken.SignIn != hook.Delegated {
		t.Errorf("tokens %+v, %+v", after, userToken)
	}
	if tok, _ := s.Lookup("x"); tok.Permitted() {
		t.Error("no token permits something")
	}
}

func TestPassword_WhatStandsInAUsersWay(t *testing.T) {
	users := svcOnly()
	s := New(Options{Users: users.SignIn})
	srv := httptest.NewServer(s)
	defer srv.Close()
	for state, want := range map[directory.State]int{
		directory.Enabled: 0, directory.Disabled: 50057, directory.PasswordExpired: 50055, directory.Locked: 50053,
		directory.MFARequired: 50076, directory.MFAEnrolment: 50079, directory.ConditionalAccess: 53003, directory.NotAssigned: 50105,
	} {
		users.SetState("svc@contoso.example", state)
		if code := codeOf(t, srv, user("simulated")); code != want {
			t.Errorf("%s: %d, want %d", state, code, want)
		}
	}
	users.SetState("svc@contoso.example", directory.Enabled)
	users.SetLockout(3, time.Hour)
	var got []int
	for _, p := range []string{"a", "b", "c", "simulated"} {
		got = append(got, codeOf(t, srv, user(p)))
	}
	if !slices.Equal(got, []int{50126, 50126, 50126, 50053}) {
		t.Errorf("three wrong passwords and the right one: %v", got)
	}
	if len(outcomes) != len(directory.States())+1 { // two that are no states more, Enabled less
		t.Errorf("%d outcomes have a number", len(outcomes))
	}
	if n := s.Stats().ByCredential["password/none"]; n != (CredentialStats{Requests: 12, Issued: 1}) {
		t.Errorf("counted %+v", n)
	}
}

// A public client of Microsoft's library signs the service user in, as ROOMS does.
func TestMSAL_PublicClient(t *testing.T) {
	s := New(Options{Users: svcOnly().SignIn})
	srv := httptest.NewTLSServer(s)
	defer srv.Close()
	c, err := public.New(DefaultAppID, public.WithAuthority(srv.URL+"/"+DefaultTenant),
		public.WithHTTPClient(srv.Client()), public.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	acquire := func() error {
		//lint:ignore SA1019 there is no other way for a service user, and ROOMS has one
		_, err := c.AcquireTokenByUsernamePassword(context.Background(), []string{Audience + "/" + DelegatedScope}, "svc@contoso.example", "simulated")
		return err
	}
	if err := acquire(); err != nil {
		t.Error(err)
	}
	s.SetApp(App{Consent: true, DelegatedPermission: true})
	if err := acquire(); err == nil || s.Stats().ByCode[7000218] != 1 {
		t.Errorf("without public client flows: %v", err)
	}
}
