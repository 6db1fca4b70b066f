// Package signin decides who makes an EWS request: by an access token, by Basic, or by NTLM.
package signin

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
)

// Schemes says which kinds of sign-in are accepted and offered.
type Schemes struct {
	Bearer bool `json:"bearer"`
	Basic  bool `json:"basic"`
	NTLM   bool `json:"ntlm"` // also as Negotiate; Kerberos is not simulated
}

// Options sets an Authenticator up. All fields are needed.
type Options struct {
	Entra *entra.Server
	Users *directory.Directory
	// Impersonator is the account that may impersonate; nobody else may. Empty: no account may.
	Impersonator string
	Schemes      Schemes
	Refused      func(hook.Cause) // told of every 401 that is a refusal
}

// Authenticator implements hook.Authenticator.
type Authenticator struct {
	opts    Options
	schemes atomic.Pointer[Schemes]
	refused atomic.Uint64

	mu          sync.Mutex
	connections map[string]*connection // by the client's address; see connection
}

// New makes an authenticator.
func New(opts Options) *Authenticator {
	a := &Authenticator{opts: opts, connections: map[string]*connection{}}
	a.SetSchemes(opts.Schemes)
	return a
}

// Schemes tells which kinds of sign-in are accepted.
func (a *Authenticator) Schemes() Schemes { return *a.schemes.Load() }

// SetSchemes changes that from the next request on.
func (a *Authenticator) SetSchemes(s Schemes) { a.schemes.Store(&s) }

// Reset puts the schemes back to those of the start.
func (a *Authenticator) Reset() { a.SetSchemes(a.opts.Schemes) }

// Refused counts the requests that were answered 401 and were no step of a handshake.
func (a *Authenticator) Refused() uint64 { return a.refused.Load() }

// Authenticate implements hook.Authenticator.
func (a *Authenticator) Authenticate(r *http.Request) (hook.Principal, *hook.Answer) {
	on := a.Schemes()
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		if on.Bearer {
			return a.bearer(strings.TrimSpace(credential))
		}
	case "basic":
		if on.Basic {
			return a.basic(r)
		}
	case "ntlm", "negotiate":
		if on.NTLM {
			return a.negotiate(r, scheme, credential)
		}
	default:
		if who := a.signedIn(r); who != "" && on.NTLM {
			return a.user(who, hook.NTLM), nil
		}
		return a.refuse(hook.NoCredentials)
	}
	return a.refuse(hook.SchemeSwitchedOff)
}

func (a *Authenticator) basic(r *http.Request) (hook.Principal, *hook.Answer) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return a.refuse(hook.NoCredentials)
	}
	address := a.opts.Users.Address(name)
	if a.opts.Users.SignIn(address, password).OnPremises() != directory.OK {
		return a.refuse(hook.WrongPassword)
	}
	return a.user(address, hook.Basic), nil
}

// user is somebody who has signed in with a password of the company's own directory.
func (a *Authenticator) user(address string, how hook.SignIn) hook.Principal {
	return hook.Principal{Address: address, SignIn: how, Permitted: true, MayImpersonate: a.mayImpersonate(address)}
}

func (a *Authenticator) mayImpersonate(address string) bool {
	return address != "" && address == a.opts.Impersonator
}

func (a *Authenticator) bearer(token string) (hook.Principal, *hook.Answer) {
	t, err := a.opts.Entra.Lookup(token)
	switch {
	case errors.Is(err, entra.ErrExpiredToken):
		return a.refuseToken(`2000002;reason="The token has expired.";error_category="invalid_token"`)
	case errors.Is(err, entra.ErrRevokedToken):
		return a.refuseToken(`2000001;reason="The token has been revoked.";error_category="invalid_token"`)
	case err != nil:
		return a.refuseToken(`2000001;reason="OAuth token submitted with the request cannot be parsed.";error_category="invalid_token"`)
	}
	return hook.Principal{
		Address: t.User, AppID: t.AppID, TokenID: t.ID, SignIn: t.SignIn, Permitted: t.Permitted(),
		MayImpersonate: t.User == "" || a.mayImpersonate(t.User), MustImpersonate: t.User == "",
	}, nil
}

// bearerChallenge is what Exchange Online offers (client_id is its own).
const bearerChallenge = `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`

// refuse answers 401 with a challenge of every scheme that is on.
func (a *Authenticator) refuse(why hook.Cause) (hook.Principal, *hook.Answer) {
	on := a.Schemes()
	var offers []string
	if on.Bearer {
		offers = append(offers, bearerChallenge)
	}
	if on.NTLM {
		offers = append(offers, "Negotiate", "NTLM")
	}
	if on.Basic {
		offers = append(offers, `Basic realm=""`)
	}
	return a.unauthorized(why, http.Header{"Www-Authenticate": offers})
}

// refuseToken answers 401 and says what is wrong with the token.
func (a *Authenticator) refuseToken(diagnostics string) (hook.Principal, *hook.Answer) {
	return a.unauthorized(hook.BadToken, http.Header{
		"Www-Authenticate": {bearerChallenge + `, error="invalid_token"`}, "X-Ms-Diagnostics": {diagnostics},
	})
}

func (a *Authenticator) unauthorized(why hook.Cause, h http.Header) (hook.Principal, *hook.Answer) {
	a.refused.Add(1)
	a.opts.Refused(why)
	return hook.Principal{}, &hook.Answer{Status: http.StatusUnauthorized, Header: h}
}
