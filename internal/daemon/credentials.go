package daemon

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"roomsync/internal/config"
	"roomsync/internal/ews"
	"roomsync/internal/ews/signin"
	"roomsync/internal/tokens"
	"roomsync/internal/tokens/certs"
	"roomsync/internal/tokens/entra"
)

// Issuer is where access tokens come from, and what somebody who shares them must know of it.
type Issuer struct {
	Source   tokens.Source
	Identity Identity
	// Credential returns what the Source would sign in with now, or what tells one certificate from the next: another value
	// means that the operator has changed it. That of a federated token, which changes by itself, is always the same.
	Credential func() (tokens.Secret, error)
	// NotAfter is when the certificate in use expires; zero for other kinds.
	NotAfter func() time.Time
}

// Identity names a credential: two issuers with the same one get tokens that can do the same. It holds no secret.
type Identity struct {
	Kind      string // value of --auth
	Authority string // URL
	TenantID  string
	ClientID  string
	Scope     string
	User      string // the service user, "" for the application itself
}

// String is the same for all processes that are configured alike: case, and a slash at the end of the authority, make
// no difference.
func (i Identity) String() string {
	return strings.ToLower(fmt.Sprintf("%q", []string{i.Kind, strings.TrimRight(i.Authority, "/"), i.TenantID, i.ClientID, i.Scope, i.User}))
}

// credentials are what requests to Exchange are signed in with, in any of the six ways. Warn is told of what does not
// stop the work.
func credentials(c config.Exchange, warn func(error)) (_ ews.Credentials, closeIt func(), err error) {
	user := signin.User{Name: c.Username, Password: func() (string, error) {
		p, err := c.Password()
		return p.Reveal(), err
	}}
	switch c.Auth {
	case config.AuthBasic:
		return signin.NewBasic(user), func() {}, nil
	case config.AuthNTLM:
		return signin.NewNTLM(user), func() {}, nil
	}
	issuer, err := NewIssuer(c, warn)
	if err != nil {
		return nil, nil, err
	}
	cache := tokens.NewCache(issuer.Source)
	return tokens.Bearer(cache), cache.Close, nil
}

// NewIssuer makes the issuer of the kinds of sign-in that need tokens: secret, certificate, federated and delegated. It
// sends nothing, but what is to be proved with must be there.
func NewIssuer(c config.Exchange, warn func(error)) (*Issuer, error) {
	o := entra.Options{TenantID: c.TenantID, ClientID: c.AppID, AuthorityURL: c.AuthorityURL, AllowInsecure: c.AllowInsecure, Scope: entra.DefaultScope}
	i := &Issuer{NotAfter: func() time.Time { return time.Time{} }}
	var err error
	switch c.Auth {
	case config.AuthSecret:
		o.Secret, i.Credential = c.ClientSecret, c.ClientSecret
	case config.AuthCertificate:
		err = i.certificate(c, &o, warn)
	case config.AuthFederated:
		o.Assertion = entra.TokenFile(c.TokenFile)
		i.Credential = func() (tokens.Secret, error) { return tokens.NewSecret(config.AuthFederated), nil }
		_, err = o.Assertion()
	case config.AuthDelegated:
		o.Password, o.Username, i.Credential = c.Password, c.Username, c.Password
		o.Scope = entra.DefaultDelegatedScope
	default:
		err = fmt.Errorf("--auth %s needs no access tokens", c.Auth)
	}
	if err != nil {
		return nil, fmt.Errorf("daemon: %w", err)
	}
	client, err := entra.New(o)
	if err != nil {
		return nil, fmt.Errorf("daemon: %w", err)
	}
	i.Source, i.Identity = client.Token, Identity{c.Auth, c.AuthorityURL, c.TenantID, c.AppID, o.Scope, o.Username}
	return i, nil
}

func (i *Issuer) certificate(c config.Exchange, o *entra.Options, warn func(error)) error {
	store, err := certs.New(certs.Options{Thumbprint: c.CertThumbprint, Dir: c.CertDir, Password: c.CertPassword, Warn: warn})
	if err != nil {
		return err
	}
	o.Certificate = func() (*x509.Certificate, crypto.Signer, error) {
		cert, err := store.Certificate()
		if err != nil {
			return nil, nil, err
		}
		return cert.Leaf(), cert.Signer(), nil
	}
	i.Credential = func() (tokens.Secret, error) {
		cert, err := store.Certificate()
		if err != nil {
			return tokens.Secret{}, err
		}
		return tokens.NewSecret(cert.Thumbprint()), nil
	}
	i.NotAfter = store.NotAfter
	_, err = store.Certificate()
	return err
}
