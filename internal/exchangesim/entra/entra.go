// Package entra simulates as much of the Microsoft Entra ID token service as a client of Exchange needs: discovery,
// the OAuth 2.0 v2.0 token endpoint with AADSTS errors, and the registry of the tokens it has issued.
//
// Tokens look like JWTs, and like real ones they are opaque to a client: what they allow is decided by the registry,
// so that a test can revoke them, shorten their life and count them.
package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
)

// The credentials that the simulated tenant knows unless Options says otherwise.
const (
	DefaultTenant   = "sim-tenant"
	DefaultAppID    = "sim-app"
	DefaultSecret   = "sim-secret"
	DefaultPassword = directory.DefaultPassword
	DefaultLifetime = time.Hour
)

// Options describes the tenant. Zero fields have the defaults above.
type Options struct {
	Now      func() time.Time // the wall clock, which tokens expire by; time.Now when nil
	Tenant   string           // tenant id; requests may also name it by Domain
	Domain   string           // a verified domain of the tenant; contoso.example when empty
	AppID    string           // client id of the one registered app
	Secret   string           // its client secret at the start
	Lifetime time.Duration    // of access tokens
	// RefreshIn is told to the client as refresh_in when greater than 0: the age from which a token should be renewed
	// although it is still good.
	RefreshIn time.Duration
	// Users says how a user's sign-in with a password ends. No user is known when nil.
	Users func(address, password string) directory.Outcome
	// Interceptor scripts what goes wrong; the operations are "token" and "discovery". Nothing does when nil.
	Interceptor hook.Interceptor
}

// Server is a simulated token service. Its methods may be called concurrently.
type Server struct {
	opts   Options
	signer [32]byte // key of the tokens' signature
	mux    *http.ServeMux

	mu      sync.Mutex
	app     App
	secrets []secret
	life    time.Duration
	refresh time.Duration
	certs   []*x509.Certificate // never changed, only replaced
	trusts  []FederatedCredential
	issuers map[string]map[string]*rsa.PublicKey // by issuer and key id
	// issuerPrivate is the simulated issuer's key; nil until it is needed.
	issuerPrivate *rsa.PrivateKey
	tokens        map[string]*Token // by the token itself
	gens          map[string]int    // tokens issued so far, by subject
	calls         uint64
	tries         map[string]int // attempts, by operation and subject
	stats         Stats
}

// Stats counts what the token endpoint did.
type Stats struct {
	Requests  uint64            `json:"requests"`  // token requests, refused ones included
	Issued    uint64            `json:"issued"`    // tokens handed out
	Refused   uint64            `json:"refused"`   // requests that the tenant's own rules refused
	Faults    uint64            `json:"faults"`    // requests that an injected fault answered
	Discovery uint64            `json:"discovery"` // discovery documents asked for
	BySubject map[string]uint64 `json:"bySubject"` // token requests of each app or user
	ByCode    map[int]uint64    `json:"byCode"`    // refusals by AADSTS number, injected ones not included
	// ByCredential counts by grant and by what proved the app's identity, such as "client_credentials/certificate" or
	// "password/none".
	ByCredential map[string]CredentialStats `json:"byCredential"`
}

// CredentialStats counts the token requests of one kind.
type CredentialStats struct {
	Requests uint64 `json:"requests"` // refused ones included
	Issued   uint64 `json:"issued"`
}

// New makes a token service.
func New(opts Options) *Server {
	s := &Server{
		opts:   opts.withDefaults(),
		tokens: map[string]*Token{},
		gens:   map[string]int{},
		tries:  map[string]int{},
		stats:  Stats{BySubject: map[string]uint64{}, ByCode: map[int]uint64{}, ByCredential: map[string]CredentialStats{}},
		app:    WorkingApp(), issuers: map[string]map[string]*rsa.PublicKey{},
	}
	s.SetSecret(s.opts.Secret)
	s.life, s.refresh = s.opts.Lifetime, s.opts.RefreshIn
	rand.Read(s.signer[:]) // never fails: crypto/rand ends the process instead
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET /common/discovery/instance", s.discovery(s.instanceDiscovery))
	s.mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.discovery(s.openIDConfiguration))
	s.mux.HandleFunc("GET "+userRealmPath+"{user}", s.userRealm)
	s.mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.token)
	return s
}

func (o Options) withDefaults() Options {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&o.Tenant, DefaultTenant)
	set(&o.Domain, "contoso.example")
	set(&o.AppID, DefaultAppID)
	set(&o.Secret, DefaultSecret)
	if o.Lifetime <= 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// userRealmPath is asked for as UserRealm by MSAL, and the real service does not mind.
const userRealmPath = "/common/userrealm/"

// ServeHTTP answers at the paths of login.microsoftonline.com.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.Path; len(p) > len(userRealmPath) && strings.EqualFold(p[:len(userRealmPath)], userRealmPath) {
		r = r.Clone(r.Context())
		r.URL.Path = userRealmPath + p[len(userRealmPath):]
	}
	s.mux.ServeHTTP(w, r)
}

// SetLifetime changes how long tokens issued from now on are good, and their refresh_in (0: none is told).
func (s *Server) SetLifetime(life, refreshIn time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life, s.refresh = life, refreshIn
}

// Stats tells what has happened so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.stats
	c.BySubject, c.ByCode, c.ByCredential = maps.Clone(c.BySubject), maps.Clone(c.ByCode), maps.Clone(c.ByCredential)
	return c
}
