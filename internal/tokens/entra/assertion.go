package entra

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/tokens"
)

// asserting is an application that proves itself with a signed assertion (RFC 7523, section 2.2): its own, or one that
// another issuer gave it.
//
// Assertions for a certificate are made here and not by MSAL, which can only sign with a key that it can read; the keys
// of a Windows store cannot be. That way one path serves, and tests, both.
type asserting struct {
	endpoint
	msal confidential.Client
	// ready tells before anything is sent whether there is an assertion to be had.
	ready func() error
}

func newAsserting(k kind, e endpoint) (*asserting, error) {
	a := &asserting{endpoint: e}
	assert := a.signed
	a.ready = func() error { _, _, err := a.certificate(); return err }
	if k.name == federated.name {
		assert = func(string) (string, error) { return a.federated() }
		a.ready = func() error { _, err := a.federated(); return err }
	}
	var err error
	a.msal, err = e.confidential(confidential.NewCredFromAssertionCallback(func(_ context.Context, o confidential.AssertionRequestOptions) (string, error) {
		return assert(o.TokenEndpoint)
	}))
	return a, err
}

func (a *asserting) acquire(ctx context.Context, claims string) (public.AuthResult, error) {
	if err := a.ready(); err != nil {
		return public.AuthResult{}, err
	}
	return a.byCredential(ctx, a.msal, claims)
}

func (a *asserting) certificate() (*x509.Certificate, crypto.Signer, error) {
	cert, key, err := a.opts.Certificate()
	if err != nil {
		return nil, nil, &tokens.Error{Unusable: true, Err: err}
	}
	return cert, key, nil
}

func (a *asserting) federated() (string, error) {
	token, err := a.opts.Assertion()
	switch {
	case err != nil:
		return "", &tokens.Error{Unusable: true, Err: err}
	case token.IsZero():
		return "", &tokens.Error{Unusable: true, Err: errEmptySecret, Hint: "give a federated token: " + federated.where}
	}
	return token.Reveal(), nil
}

// signed makes an assertion for a token endpoint.
func (a *asserting) signed(audience string) (string, error) {
	cert, key, err := a.certificate()
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(audience, "https:"); ok && a.plain {
		audience = "http:" + rest // MSAL only believes in https
	}
	assertion, err := sign(cert, key, a.opts.ClientID, audience, time.Now())
	if err != nil {
		return "", &tokens.Error{Unusable: true, Err: err}
	}
	return assertion, nil
}

// assertionLife is how long an assertion may be used, as MSAL does it. One is made for each request.
const assertionLife = 10 * time.Minute

// sign makes the assertion that Entra expects.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
func sign(cert *x509.Certificate, key crypto.Signer, client, audience string, now time.Time) (string, error) {
	thumbprint := sha256.Sum256(cert.Raw)
	header := map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])}
	claims := map[string]any{
		"aud": audience, "iss": client, "sub": client, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	text := segment(header) + "." + segment(claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := key.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	if err != nil {
		return "", fmt.Errorf("the certificate's key does not sign: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func segment(doc map[string]any) string {
	data, _ := json.Marshal(doc) // strings and numbers only
	return base64.RawURLEncoding.EncodeToString(data)
}
