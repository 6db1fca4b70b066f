package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/tokens"
)

// user is a service user who signs in with a password (RFC 6749, section 4.3), through an app registration that allows
// public client flows.
//
// The refresh token that comes along is forgotten like everything else. It would be a second secret, good for 90 days
// and wherever it is shown, to be kept, shared and guarded, and could do nothing that the password cannot: that is at
// hand for as long as the process runs, and is sent once for each access token.
type user struct {
	endpoint
	msal public.Client

	mu      sync.Mutex // never held across a request
	refused tokens.Secret
	until   time.Time // before then the refused password is not tried again
	why     *tokens.Error
}

// lockOut is how long a password that was refused is not sent again: each try counts towards the lock-out of the
// account. A process's cache of tokens waits as long, but is not the only one who may ask.
const lockOut = 10 * time.Minute

func newUser(e endpoint) (*user, error) {
	e.http.Transport = managed{e.http.Transport}
	msal, err := public.New(e.opts.ClientID, public.WithAuthority(e.url), public.WithInstanceDiscovery(false),
		public.WithHTTPClient(e.http), public.WithCache(forgetful{}))
	if err != nil {
		return nil, errRefusedOptions
	}
	return &user{endpoint: e, msal: msal}, nil
}

func (u *user) acquire(ctx context.Context, claims string) (public.AuthResult, error) {
	password, err := u.opts.Password()
	if err == nil && password.IsZero() {
		err = errEmptySecret
	}
	if err != nil {
		return public.AuthResult{}, &tokens.Error{Unusable: true, Err: err, Hint: "give the service user's password: --password-file (ExchangeServicePassword)"}
	}
	if err := u.barred(password, time.Now()); err != nil {
		return public.AuthResult{}, err
	}
	answer, err := u.ask(ctx, password, claims)
	if err == nil {
		return answer, nil
	}
	err = explain(ctx, delegated, err)
	u.bar(password, err, time.Now())
	return public.AuthResult{}, err
}

// ask uses what MSAL has deprecated and will remove one day, since Entra's multi-factor authentication and passwords
// exclude each other (https://aka.ms/msal-ropc-migration). It is the only way to a token with a password, which is
// what ROOMS' "Delegated Access" is.
func (u *user) ask(ctx context.Context, password tokens.Secret, claims string) (public.AuthResult, error) {
	var opts []public.AcquireByUsernamePasswordOption
	if claims != "" {
		opts = append(opts, public.WithClaims(claims))
	}
	//lint:ignore SA1019 see above
	return u.msal.AcquireTokenByUsernamePassword(ctx, []string{u.opts.Scope}, u.opts.Username, password.Reveal(), opts...)
}

// barred repeats the refusal of a password that was tried a short while ago.
func (u *user) barred(password tokens.Secret, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.why == nil || !now.Before(u.until) || !u.refused.Equal(password) {
		return nil
	}
	e := *u.why
	e.RetryAfter = u.until.Sub(now)
	return &e
}

func (u *user) bar(password tokens.Secret, err error, now time.Time) {
	var e *tokens.Error
	if !errors.As(err, &e) || !ruleFor(delegated, e).counts {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refused, u.why, u.until = password, e, now.Add(max(lockOut, e.RetryAfter))
}

// managed lets only such users through whose passwords Entra itself checks. For others MSAL would send the password to
// the host that the answer names, by WS-Trust.
type managed struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (m managed) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := m.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(strings.ToLower(r.URL.Path), "/common/userrealm/") {
		return resp, err
	}
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var realm struct {
		AccountType string `json:"account_type"`
	}
	if json.Unmarshal(data, &realm) == nil {
		switch realm.AccountType {
		case "Federated":
			return nil, &tokens.Error{RetryAfter: operator, Hint: "the passwords of the service user's domain are checked by another server (AD FS), to which this product sends none: " +
				"give a user of a domain that Entra manages, such as one of …onmicrosoft.com, to --username (ExchangeServiceUser), or use an app with a certificate"}
		case "Unknown":
			return nil, &tokens.Error{RetryAfter: operator, Hint: "Entra does not know the domain of the service user: check --username (ExchangeServiceUser)"}
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}
