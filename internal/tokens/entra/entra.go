// Package entra gets access tokens for an application from Microsoft Entra, with Microsoft's own library (MSAL).
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
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"roomsync/internal/tokens"
)

// Defaults of Options: the public cloud, and every permission that Exchange Online granted to the application.
const (
	DefaultAuthority = "https://login.microsoftonline.com"
	DefaultScope     = "https://outlook.office365.com/.default"
)

// requestTimeout bounds one HTTP request to the authority; getting a token takes one or two.
const requestTimeout = 25 * time.Second

// Options says who asks whom for what.
type Options struct {
	TenantID string // a GUID or a domain of the tenant
	ClientID string // of the app registration
	// Secret returns the client secret. It is called for every token, so that a rotated one is taken up without a
	// restart.
	Secret       func() (tokens.Secret, error)
	AuthorityURL string // without the tenant; DefaultAuthority when empty
	Scope        string // DefaultScope when empty
	// AllowInsecure permits plain HTTP to an authority that is not on this host. The client secret then travels
	// readable: for test networks only.
	AllowInsecure bool
	// Transport carries the requests; one with time-outs and TLS 1.2 or later when nil.
	Transport http.RoundTripper
}

// Client gets tokens. It is safe for concurrent use.
type Client struct {
	opts Options
	http *http.Client

	mu     sync.Mutex // never held across a request
	secret tokens.Secret
	msal   confidential.Client
	ready  bool // msal was made, of secret
}

// New checks the options; it sends nothing.
func New(o Options) (*Client, error) {
	if o.AuthorityURL == "" {
		o.AuthorityURL = DefaultAuthority
	}
	if o.Scope == "" {
		o.Scope = DefaultScope
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("entra: %w", err)
	}
	authority, err := parseAuthority(o.AuthorityURL, o.AllowInsecure)
	if err != nil {
		return nil, fmt.Errorf("entra: %w", err)
	}
	o.AuthorityURL = "https://" + authority.Host + "/" + o.TenantID
	return &Client{opts: o, http: httpClient(o.Transport, authority)}, nil
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
	case o.Secret == nil:
		return errors.New("there is no client secret")
	}
	return nil
}

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
	return nil, fmt.Errorf("the authority %s must be https: the client secret is sent there", u)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Token asks for a new token. It is a [tokens.Source]; every error is a *[tokens.Error].
func (c *Client) Token(ctx context.Context, r tokens.Request) (tokens.Token, error) {
	msal, err := c.client()
	if err != nil {
		return tokens.Token{}, &tokens.Error{Err: err, Hint: "give a client secret that can be read"}
	}
	var opts []confidential.AcquireByCredentialOption
	if r.Claims != "" {
		opts = append(opts, confidential.WithClaims(r.Claims))
	}
	answer, err := msal.AcquireTokenByCredential(ctx, []string{c.opts.Scope}, opts...)
	if err != nil {
		return tokens.Token{}, explain(ctx, err)
	}
	return tokens.Token{Value: tokens.NewSecret(answer.AccessToken), Expires: answer.ExpiresOn, RefreshAt: answer.Metadata.RefreshOn}, nil
}

// client returns an MSAL client with the present secret.
func (c *Client) client() (confidential.Client, error) {
	secret, err := c.opts.Secret()
	if err != nil {
		return confidential.Client{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready && c.secret.Equal(secret) {
		return c.msal, nil
	}
	cred, err := confidential.NewCredFromSecret(secret.Reveal())
	if err != nil {
		return confidential.Client{}, errors.New("the client secret is empty")
	}
	// Instance discovery would ask Microsoft whether the configured authority is one of theirs.
	msal, err := confidential.New(c.opts.AuthorityURL, c.opts.ClientID, cred,
		confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(c.http), confidential.WithCache(forgetful{}))
	if err != nil {
		return confidential.Client{}, errors.New("MSAL refuses the authority or the application id")
	}
	c.msal, c.secret, c.ready = msal, secret, true
	return msal, nil
}

// forgetful is a cache that MSAL finds empty each time: without it a token that a server rejected would be given
// again, and renewals would follow two rules.
type forgetful struct{}

// Replace implements [cache.ExportReplace].
func (forgetful) Replace(_ context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	return c.Unmarshal([]byte("{}"))
}

// Export implements [cache.ExportReplace].
func (forgetful) Export(context.Context, cache.Marshaler, cache.ExportHints) error { return nil }
