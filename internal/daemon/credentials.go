package daemon

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
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
	Identity tokens.Identity
	// Credential returns what the Source would sign in with now, or what tells one certificate from the next: another value
	// means that the operator has changed it. That of a federated token, which changes by itself, is always the same.
	Credential func() (tokens.Secret, error)
	// NotAfter is when the certificate in use expires; zero for other kinds.
	NotAfter func() time.Time
}

// surroundings are what the ways to sign in need of the process that they are in. The zero value stands alone: it
// shares no token with other processes, and tells nobody of what does not stop the work.
type surroundings struct {
	warn  func(error)
	store tokens.Store // where the fleet's tokens are
	now   func() time.Time
	// passwords are what the fleet knows of a service user's; nil for none.
	passwords *tokens.Passwords
	// doubt is what the first token must stand up to: that of a changed sign-in must not be one that the old one got.
	doubt tokens.Request
}

// credentials are what requests to Exchange are signed in with, in any of the six ways.
func (x surroundings) credentials(c config.Exchange) (_ ews.Credentials, closeIt func(), err error) {
	user := signin.User{Name: c.Username, Password: func() (string, error) {
		p, err := c.Password()
		return p.Reveal(), err
	}}
	if x.passwords != nil {
		user.Fleet = x.passwords.For(c.Username, x.doubt.Fresh)
	}
	switch c.Auth {
	case config.AuthBasic:
		basic := signin.NewBasic(user)
		return basic, basic.Close, nil
	case config.AuthNTLM:
		ntlm := signin.NewNTLM(user)
		return ntlm, ntlm.Close, nil
	}
	issuer, err := NewIssuer(c, x.warn)
	if err != nil {
		return nil, nil, err
	}
	source, err := x.shared(c, issuer)
	if err != nil {
		return nil, nil, err
	}
	cache := tokens.NewCache(x.telling(source))
	return tokens.Bearer(cache), cache.Close, nil
}

// telling warns of a renewal that fails: nobody waits for it, and by the time that somebody does the old token is over.
func (x surroundings) telling(source tokens.Source) tokens.Source {
	var mu sync.Mutex
	said, at := "", time.Time{}
	return func(ctx context.Context, r tokens.Request) (tokens.Token, error) {
		t, err := source(ctx, r)
		if err == nil || !r.Renewal || x.warn == nil || ctx.Err() != nil {
			return t, err
		}
		mu.Lock()
		defer mu.Unlock()
		if text := err.Error(); text != said || time.Since(at) > quiet {
			said, at = text, time.Now()
			x.warn(fmt.Errorf("the access token could not be renewed, and the one in use goes on until it ends: %w", err))
		}
		return t, err
	}
}

// quiet is how long the same trouble is not told again.
const quiet = 5 * time.Minute

// shared is a source of the tokens that the whole fleet has, if there is a fleet, and a key to seal them with.
func (x surroundings) shared(c config.Exchange, i *Issuer) (tokens.Source, error) {
	keys, err := c.TokenKeys()
	if err != nil || len(keys) == 0 || x.store == nil {
		return i.Source, err
	}
	s, err := tokens.NewShared(tokens.SharedOptions{
		Source: i.Source, Identity: i.Identity, Credential: i.Credential,
		Store: x.store, Now: x.now, Keys: c.TokenKeys, Warn: x.warn,
	})
	if err != nil {
		return nil, err
	}
	return doubting(s.Token, x.doubt), nil
}

// doubting makes every request until the first success one of d.
func doubting(source tokens.Source, d tokens.Request) tokens.Source {
	var sure atomic.Bool
	return func(ctx context.Context, r tokens.Request) (tokens.Token, error) {
		if !sure.Load() {
			r.Prove, r.Fresh = d.Prove, d.Fresh
		}
		t, err := source(ctx, r)
		if err == nil {
			sure.Store(true)
		}
		return t, err
	}
}

// Calendar makes the client for Exchange with the configured way to sign in. It sends nothing yet, and shares no token.
func Calendar(c config.Exchange, w config.Work) (_ *ews.Client, closeIt func(), err error) {
	client, _, closeIt, err := surroundings{}.signIn(c, w)
	return client, closeIt, err
}

func (x surroundings) signIn(c config.Exchange, w config.Work) (_ *ews.Client, _ ews.Credentials, closeIt func(), err error) {
	creds, closeIt, err := x.credentials(c)
	if err != nil {
		return nil, nil, nil, err
	}
	client, err := ews.New(ews.Options{
		URL: c.EWSURL, Hosts: c.AllowedHosts().Allow, Credentials: creds, AllowInsecure: c.AllowInsecure,
		Impersonate: c.Impersonation && c.Auth != config.AuthDelegated, // a delegated token is for that user's own rights
		GetBatch:    w.GetBatch, Connections: w.Slots + 2*w.BookingSlots,
	})
	if err != nil {
		closeIt()
		return nil, nil, nil, err
	}
	return client, creds, closeIt, nil
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
		return nil, err
	}
	client, err := entra.New(o)
	if err != nil {
		return nil, err
	}
	i.Source, i.Identity = client.Token, tokens.Identity{
		Kind: c.Auth, Authority: c.AuthorityURL, TenantID: c.TenantID, ClientID: c.AppID, Scope: o.Scope, User: o.Username,
	}
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
