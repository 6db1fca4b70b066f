package entra

import (
	"context"
	"sync"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/tokens"
)

// app is an application with a client secret (RFC 6749, section 4.4).
type app struct {
	endpoint

	mu     sync.Mutex // never held across a request
	secret tokens.Secret
	msal   confidential.Client
	ready  bool // msal was made, of secret
}

func (a *app) acquire(ctx context.Context, claims string) (public.AuthResult, error) {
	msal, err := a.client()
	if err != nil {
		return public.AuthResult{}, &tokens.Error{Unusable: true, Err: err, Hint: "give a client secret that can be read: " + secret.where}
	}
	return a.byCredential(ctx, msal, claims)
}

// client returns an MSAL client with the present secret.
func (a *app) client() (confidential.Client, error) {
	secret, err := a.opts.Secret()
	if err != nil {
		return confidential.Client{}, err
	}
	if secret.IsZero() {
		return confidential.Client{}, errEmptySecret
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ready && a.secret.Equal(secret) {
		return a.msal, nil
	}
	cred, err := confidential.NewCredFromSecret(secret.Reveal())
	if err != nil {
		return confidential.Client{}, errEmptySecret
	}
	msal, err := a.confidential(cred)
	if err != nil {
		return confidential.Client{}, err
	}
	a.msal, a.secret, a.ready = msal, secret, true
	return msal, nil
}

// confidential makes an MSAL client. Instance discovery would ask Microsoft whether the configured authority is one of
// theirs. MSAL would send the requests to a regional host if the environment (MSAL_FORCE_REGION) said so.
func (e endpoint) confidential(cred confidential.Credential) (confidential.Client, error) {
	msal, err := confidential.New(e.url, e.opts.ClientID, cred,
		confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(e.http), confidential.WithCache(forgetful{}),
		confidential.WithAzureRegion("DisableMsalForceRegion"))
	if err != nil {
		return confidential.Client{}, errRefusedOptions
	}
	return msal, nil
}

func (e endpoint) byCredential(ctx context.Context, msal confidential.Client, claims string) (public.AuthResult, error) {
	var opts []confidential.AcquireByCredentialOption
	if claims != "" {
		opts = append(opts, confidential.WithClaims(claims))
	}
	return msal.AcquireTokenByCredential(ctx, []string{e.opts.Scope}, opts...)
}
