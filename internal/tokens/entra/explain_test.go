package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

func TestToken_Refusals(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   tokens.Error // Hint is a part of it
	}{
		"wrong secret":       {refusing(401, "invalid_client", 7000215), tokens.Error{Code: "invalid_client", AADSTS: 7000215, Status: 401, RetryAfter: 15 * time.Minute, Hint: "instead of its value"}},
		"expired secret":     {refusing(401, "invalid_client", 7000222), tokens.Error{Code: "invalid_client", AADSTS: 7000222, Status: 401, RetryAfter: 15 * time.Minute, Hint: "expired"}},
		"unknown app":        {refusing(400, "unauthorized_client", 700016), tokens.Error{Code: "unauthorized_client", AADSTS: 700016, Status: 400, RetryAfter: 15 * time.Minute, Hint: "--app-id"}},
		"no consent":         {refusing(400, "invalid_grant", 65001), tokens.Error{Code: "invalid_grant", AADSTS: 65001, Status: 400, RetryAfter: time.Hour, Hint: "consent"}},
		"unlisted number":    {refusing(400, "invalid_scope", 999999), tokens.Error{Code: "invalid_scope", AADSTS: 999999, Status: 400, RetryAfter: 15 * time.Minute, Hint: "scope"}},
		"unlisted error":     {refusing(400, "brand_new", 999999), tokens.Error{Code: "brand_new", AADSTS: 999999, Status: 400, Hint: "list of its errors"}},
		"loop":               {refusing(400, "invalid_grant", 50196), tokens.Error{Code: "invalid_grant", AADSTS: 50196, Status: 400, RetryAfter: 10 * time.Minute, Hint: "fault of this product"}},
		"throttled":          {refusing(429, "temporarily_unavailable", 90055, "Retry-After", "77"), tokens.Error{Code: "temporarily_unavailable", AADSTS: 90055, Status: 429, RetryAfter: 77 * time.Second, Hint: "throttles"}},
		"throttled, silent":  {refusing(429, "temporarily_unavailable", 90055), tokens.Error{Code: "temporarily_unavailable", AADSTS: 90055, Status: 429, Hint: "throttles"}},
		"down":               {refusing(503, "temporarily_unavailable", 90033, "Retry-After", "nonsense"), tokens.Error{Code: "temporarily_unavailable", AADSTS: 90033, Status: 503, Hint: "trouble"}},
		"error that is text": {refusing(400, "you sent "+canary, 1), tokens.Error{AADSTS: 1, Status: 400, Hint: "not the answer of a token service"}},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			_, _ = io.WriteString(w, "<html>"+canary+"</html>")
		}, tokens.Error{Status: 502, Hint: "trouble"}},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
		}, tokens.Error{Status: 307, Hint: "redirect"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newAuthority(t, tt.answer).client().Token(t.Context(), tokens.Request{})
			got := *asError(t, err)
			if !strings.Contains(got.Hint, tt.want.Hint) {
				t.Errorf("hint %q lacks %q", got.Hint, tt.want.Hint)
			}
			got.Hint = tt.want.Hint
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			wantNoSecret(t, err)
		})
	}
}

// wantNoSecret prints err in every way, MSAL's own causes included, and looks for the canary and further secrets.
func wantNoSecret(t *testing.T, err error, secrets ...string) {
	t.Helper()
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%v %+v %#v %q %s\n", e, e, e, e, e)
	}
	data, _ := json.Marshal(err)
	b.Write(data)
	for _, form := range append(secrets, canary, url.QueryEscape(canary), url.PathEscape(canary), "canary", "token-from-a-broken-answer") {
		if strings.Contains(b.String(), form) {
			t.Errorf("the error shows %q:\n%s", form, b.String())
		}
	}
}

func TestToken_Nonsense(t *testing.T) {
	body := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	tests := map[string]http.HandlerFunc{
		"no JSON":               body(`token-from-a-broken-answer ` + canary),
		"cut":                   body(`{"access_token":"token-from-a-broken-answer","expires_in":36`),
		"no expiry":             body(`{"access_token":"token-from-a-broken-answer"}`),
		"expiry no number":      body(`{"access_token":"token-from-a-broken-answer","expires_in":"soon"}`),
		"no token":              body(`{"expires_in":3600,"token_type":"Bearer"}`),
		"error with status 200": body(`{"error":"x","error_description":"` + canary + `","expires_in":3600}`),
		"endless":               body(`{"access_token":"` + strings.Repeat("token-from-a-broken-answer", 100_000) + `","expires_in":3600}`),
		"connection closed":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			tok, err := newAuthority(t, answer).client().Token(t.Context(), tokens.Request{})
			if err == nil {
				t.Fatalf("accepted: %v, expires %v", tok, tok.Expires)
			}
			if e := asError(t, err); e.Err == nil || e.Code != "" {
				t.Errorf("%+v", e)
			}
			wantNoSecret(t, err)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for h, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "30": 30 * time.Second, "1.5": 0, "99999999999": 24 * time.Hour, "99999999999999999999": 0, "9999999": 24 * time.Hour,
		"Mon, 23 Nov 2026 12:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(h, now); got != want {
			t.Errorf("%q: %v, want %v", h, got, want)
		}
	}
}
