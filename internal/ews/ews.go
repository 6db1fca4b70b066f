// Package ews reads and writes calendars over Exchange Web Services. [Client] implements calsync.Reader and calsync.Writer.
//
// One file holds one operation. What every operation shares is one HTTP exchange (exchange.go): it sends the
// credentials and headers, bounds the answer in time and size, follows no redirect, and turns whatever Exchange or the
// network answers instead of a result into a *calsync.Fault of facts (fault.go). It decides nothing: no method
// waits, and the only request that is ever repeated is one refused with 401 once its credentials were renewed.
//
// What is used of the protocol stands in docs/ews-coverage.md.
package ews

//go:generate go run ./gen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roomsync/internal/calsync"
)

// DefaultURL is the endpoint of Exchange Online.
const DefaultURL = "https://outlook.office365.com/EWS/Exchange.asmx"

// Options configures a Client. The zero value of every field means its default.
type Options struct {
	URL         string      // endpoint for targets that name none; DefaultURL by default
	Credentials Credentials // none by default
	Impersonate bool        // act as each mailbox (ExchangeImpersonation); otherwise as a delegate
	Schema      string      // RequestServerVersion for targets that name none; "Exchange2013_SP1" by default
	UserAgent   string      // "roomsync/<version> (+EWS)" by default; administrators allow applications by it

	// Transport makes the requests; by default an http.Transport made for one server and many mailboxes. TLS, Proxy
	// and Connections configure that one and have no effect on another.
	Transport   http.RoundTripper
	TLS         *tls.Config                           // additional trust; at least TLS 1.2 in any case
	Proxy       func(*http.Request) (*url.URL, error) // none by default: the environment is not consulted
	Connections int                                   // idle connections kept, 128 by default
	// AllowInsecure permits credentials over plain HTTP to hosts other than loopback.
	AllowInsecure bool

	// Hosts says whether credentials may be sent to a host, in lower case and without its port; nil allows every host. The host
	// of URL is allowed in any case.
	Hosts func(host string) bool

	GetBatch int           // items in one GetItem, 1 to 100; 10 by default, Microsoft's advice
	PageSize int           // changes in one page when the caller names no limit, 1 to 512; 512 by default
	Timeout  time.Duration // of one request, with its answer; 100 s by default
	MaxBody  int64         // bytes of an answer after decompression; 32 MiB by default
}

// Client reads and writes calendars over EWS. It is safe for concurrent use.
type Client struct {
	opt       Options
	transport http.RoundTripper
	endpoints sync.Map // of string to *endpoint
	idPrefix  string
	requests  atomic.Uint64
}

var (
	_ calsync.Reader = (*Client)(nil)
	_ calsync.Writer = (*Client)(nil)
)

// New returns a client. It makes no request; all faults of the options are reported at once.
func New(opt Options) (*Client, error) {
	c := &Client{opt: opt.withDefaults()}
	c.idPrefix = fmt.Sprintf("%08x-%04x-4%03x-8%03x-", rand.Uint32(), rand.N(1<<16), rand.N(1<<12), rand.N(1<<12))
	c.transport = c.opt.Transport
	if c.transport == nil {
		c.transport = connect(c.opt)
	}
	_, urlErr := c.endpoint("")
	return c, errors.Join(c.opt.check(), urlErr)
}

func (o Options) withDefaults() Options {
	setDefault(&o.URL, DefaultURL)
	setDefault(&o.Schema, "Exchange2013_SP1")
	setDefault(&o.UserAgent, "roomsync/"+version()+" (+EWS)")
	setDefault(&o.Credentials, Credentials(anonymous{}))
	setDefault(&o.Connections, 128)
	setDefault(&o.GetBatch, 10)
	setDefault(&o.PageSize, maxChanges)
	setDefault(&o.Timeout, 100*time.Second)
	setDefault(&o.MaxBody, 32<<20)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) check() error {
	var errs []error
	need := func(ok bool, text string, value any) {
		if !ok {
			errs = append(errs, fmt.Errorf("ews: "+text, value))
		}
	}
	need(o.GetBatch >= 1 && o.GetBatch <= 100, "GetBatch is %d: choose 1 to 100", o.GetBatch)
	need(o.PageSize >= 1 && o.PageSize <= maxChanges, "PageSize is %d: choose 1 to 512", o.PageSize)
	need(o.Timeout > 0, "Timeout is %v: choose a positive one", o.Timeout)
	need(o.MaxBody > 0, "MaxBody is %d: choose a positive one", o.MaxBody)
	need(o.Connections > 0, "Connections is %d: choose a positive number", o.Connections)
	_, connects := o.Credentials.(Connector)
	need(!connects || o.Transport == nil, "Transport and Credentials of the type %T, which bring their own, exclude each other", o.Credentials)
	need(knownSchema(o.Schema), "Schema is %q: choose one such as Exchange2013_SP1 or Exchange2016", o.Schema)
	return errors.Join(errs...)
}

// schemas are the values of RequestServerVersion (types.xsd, ExchangeVersionType).
var schemas = []string{"Exchange2007", "Exchange2007_SP1", "Exchange2009", "Exchange2010", "Exchange2010_SP1",
	"Exchange2010_SP2", "Exchange2012", "Exchange2013", "Exchange2013_SP1", "Exchange2015", "Exchange2016",
	"V2015_10_05", "V2016_01_06", "V2016_04_13", "V2016_07_13", "V2016_10_10", "V2017_01_07", "V2017_04_14", "V2017_07_11"}

func knownSchema(s string) bool { return slices.Contains(schemas, s) }

// version is the module's version as built, "devel" when it has none.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasPrefix(info.Main.Version, "v") {
		return "devel"
	}
	return info.Main.Version
}

// connect makes the transport, by way of the credentials if they belong to connections.
func connect(o Options) http.RoundTripper {
	if c, ok := o.Credentials.(Connector); ok {
		return c.Connect(newTransport(o))
	}
	return newTransport(o)
}

func newTransport(o Options) *http.Transport {
	config := o.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    20 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           o.Connections,
		MaxIdleConnsPerHost:    o.Connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // we ask for gzip ourselves, to bound what it unpacks to
	}
}

// endpoint is a checked service URL.
type endpoint struct {
	url *url.URL
	err error
}

// endpoint returns the URL of a target, the default for "".
func (c *Client) endpoint(raw string) (*url.URL, error) {
	if raw == "" {
		raw = c.opt.URL
	}
	if e, ok := c.endpoints.Load(raw); ok {
		return e.(*endpoint).url, e.(*endpoint).err
	}
	u, err := c.checkURL(raw)
	if err == nil && raw != c.opt.URL && c.opt.Hosts != nil && !c.opt.Hosts(strings.ToLower(u.Hostname())) {
		err = &hostError{u.Hostname()}
	}
	c.endpoints.Store(raw, &endpoint{u, err})
	return u, err
}

func (c *Client) checkURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("ews: the service URL cannot be read: give one like " + DefaultURL)
	case u.User != nil:
		return nil, errors.New("ews: the service URL holds a user name: give credentials apart from it")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("ews: service URL %q: give one like %s", raw, DefaultURL)
	case u.Scheme == "http" && c.opt.Credentials != Credentials(anonymous{}) && !c.opt.AllowInsecure && !loopback(u.Hostname()):
		return nil, fmt.Errorf("ews: credentials would cross the network in the clear to %q: use https", u.Host)
	}
	return u, nil
}

// hostError says that credentials are not for a host.
type hostError struct{ host string }

func (e *hostError) Error() string {
	return fmt.Sprintf("ews: the mailbox's own URL names %q, which our credentials are not for", e.host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// requestID returns a client-request-id, a GUID in form, unique to the request.
func (c *Client) requestID() string {
	return fmt.Sprintf("%s%012x", c.idPrefix, c.requests.Add(1)&(1<<48-1))
}
