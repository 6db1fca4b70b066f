// Package entra gets access tokens from Microsoft Entra with Microsoft's own library (MSAL): for an application that
// has a client secret, a certificate or a token of another issuer, or for a service user with a password.
//
// MSAL speaks the protocol; caching, single flight and spacing are those of package tokens, because MSAL asks once
// for each of many callers that find its cache empty. So it is given a cache that forgets everything.
//
// # Plain HTTP
//
// MSAL refuses an authority that is not https. A simulated one on this host is reached by plain HTTP all the same:
// MSAL is told https, and the transport sends the requests for that one host by http (see [plainHTTP]). That is
// allowed to loopback addresses only, or with Options.AllowInsecure.
package entra

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"roomsync/internal/tokens"
)

// Defaults of Options: the public cloud, and in it every permission that Exchange Online granted to the application,
// or what the service user may do.
const (
	DefaultAuthority      = "https://login.microsoftonline.com"
	DefaultScope          = "https://outlook.office365.com/.default"
	DefaultDelegatedScope = "https://outlook.office365.com/EWS.AccessAsUser.All"
)

// requestTimeout bounds one HTTP request to the authority; getting a token takes one or two.
const requestTimeout = 25 * time.Second

// Options says who asks whom for what.
type Options struct {
	TenantID string // a GUID or a domain of the tenant
	ClientID string // of the app registration

	// One of the following four says who asks. Each is called for every token, so that what was renewed is taken up
	// without a restart.

	// Secret returns the application's client secret.
	Secret func() (tokens.Secret, error)
	// Certificate returns the application's certificate, and what signs with its RSA key.
	Certificate func() (*x509.Certificate, crypto.Signer, error)
	// Assertion returns the token of another issuer that the application trusts (workload identity federation). See
	// [TokenFile].
	Assertion func() (tokens.Secret, error)
	// Password returns the password of the service user Username, a user principal name. Entra calls this the resource
	// owner password credentials grant, and discourages it.
	Password func() (tokens.Secret, error)
	Username string

	AuthorityURL string // without the tenant; DefaultAuthority when empty
	Scope        string // DefaultScope or DefaultDelegatedScope when empty
	// AllowInsecure permits plain HTTP to an authority that is not on this host. Secrets then travel readable: for
	// test networks only.
	AllowInsecure bool
	// Transport carries the requests; one with time-outs and TLS 1.2 or later when nil.
	Transport http.RoundTripper
}

// Client gets tokens. It is safe for concurrent use.
type Client struct {
	kind kind
	grant
}

// grant is one way to ask for a token. Errors are MSAL's, or a *[tokens.Error] that is to be left as it is.
type grant interface {
	acquire(ctx context.Context, claims string) (public.AuthResult, error)
}

// New checks the options; it sends nothing and reads no secret.
func New(o Options) (*Client, error) {
	k, err := o.kind()
	if err != nil {
		return nil, err
	}
	if o.AuthorityURL == "" {
		o.AuthorityURL = DefaultAuthority
	}
	if o.Scope == "" {
		o.Scope = k.scope
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	authority, err := parseAuthority(o.AuthorityURL, o.AllowInsecure)
	if err != nil {
		return nil, err
	}
	asked := *authority // by MSAL
	asked.Scheme, asked.Path = "https", "/"+o.TenantID
	e := endpoint{opts: o, url: asked.String(), plain: authority.Scheme == "http", http: httpClient(o.Transport, authority)}
	g, err := newGrant(k, e)
	if err != nil {
		return nil, err
	}
	return &Client{k, g}, nil
}

func newGrant(k kind, e endpoint) (grant, error) {
	switch k.name {
	case delegated.name:
		return newUser(e)
	case secret.name:
		return &app{endpoint: e}, nil
	}
	return newAsserting(k, e)
}

// endpoint is what every grant needs.
type endpoint struct {
	opts  Options
	url   string // of the tenant, as MSAL is told
	plain bool   // it is reached by plain HTTP
	http  *http.Client
}

// names are what tenants and applications are called: GUIDs and domains. Anything else could change the URL.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func (o *Options) check() error {
	switch strings.ToLower(o.TenantID) {
	case "common", "organizations", "consumers":
		return fmt.Errorf("tenant %q stands for many: an application needs the id of one", o.TenantID)
	}
	switch {
	case !names.MatchString(o.TenantID):
		return fmt.Errorf("tenant id %q is neither a GUID nor a domain", o.TenantID)
	case !names.MatchString(o.ClientID):
		return fmt.Errorf("application id %q is no GUID", o.ClientID)
	case o.Password != nil && !userNames.MatchString(o.Username):
		return fmt.Errorf("the service user %q must be a user principal name such as svc@contoso.com: --username (ExchangeServiceUser)", o.Username)
	}
	return nil
}

// userNames are user principal names; they stand in a URL too, which MSAL escapes.
var userNames = regexp.MustCompile(`^[^@\\\s\pC]+@[^@\\\s\pC]+$`)

func parseAuthority(s string, allowInsecure bool) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, errors.New("the authority is no URL such as " + DefaultAuthority)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("the authority must be a scheme and a host only, such as " + DefaultAuthority)
	case u.Scheme == "https", u.Scheme == "http" && (allowInsecure || isLoopback(u.Hostname())):
		return u, nil
	}
	return nil, fmt.Errorf("the authority %s must be https: what the app signs in with is sent there", u)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Token asks for a new token. It is a [tokens.Source]; every error is a *[tokens.Error].
func (c *Client) Token(ctx context.Context, r tokens.Request) (tokens.Token, error) {
	answer, err := c.acquire(ctx, r.Claims)
	if err != nil {
		return tokens.Token{}, explain(ctx, c.kind, err)
	}
	return tokens.Token{Value: tokens.NewSecret(answer.AccessToken), Expires: answer.ExpiresOn, RefreshAt: answer.Metadata.RefreshOn}, nil
}

// forgetful is a cache that MSAL finds empty each time: without it a token that a server rejected would be given
// again, and renewals would follow two rules.
type forgetful struct{}

// Replace implements [cache.ExportReplace].
func (forgetful) Replace(_ context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	return c.Unmarshal([]byte("{}"))
}

// Export implements [cache.ExportReplace]. MSAL has just put the tokens it got into its memory: they leave it.
func (forgetful) Export(_ context.Context, c cache.Marshaler, _ cache.ExportHints) error {
	if memory, ok := c.(cache.Unmarshaler); ok {
		return memory.Unmarshal([]byte("{}"))
	}
	return nil
}
