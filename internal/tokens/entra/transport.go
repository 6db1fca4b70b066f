package entra

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer; a token document has a few kilobytes.
const maxAnswer = 1 << 20

var (
	errOtherHost = errors.New("the authority names a token endpoint on another host: give that host as --authority-url if it is right")
	errClearText = errors.New("the authority names a token endpoint without https, to which nothing is sent")
	errTooLarge  = errors.New("the answer is larger than a megabyte")
)

// httpClient returns a client that talks to the authority and to nobody else.
func httpClient(t http.RoundTripper, authority *url.URL) *http.Client {
	if t == nil {
		t = defaultTransport()
	}
	if authority.Scheme == "http" {
		t = plainHTTP{t, authority.Host}
	}
	return &http.Client{
		Transport: guarded{t, authority.Host},
		Timeout:   requestTimeout,
		// A redirected token request would carry the secret along (307, 308).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// defaultTransport uses no proxy: like the EWS client, it takes nothing from the environment.
func defaultTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConns:          2,
		ForceAttemptHTTP2:     true,
	}
}

// guarded sends nothing to another host and nothing without https, whatever the authority's documents say, and bounds
// the answers. MSAL believes in https even where plainHTTP is below it.
type guarded struct {
	next http.RoundTripper
	host string
}

// RoundTrip implements [http.RoundTripper].
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.EqualFold(r.URL.Host, g.host) {
		return nil, errOtherHost
	}
	if r.URL.Scheme != "https" {
		return nil, errClearText
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}

// plainHTTP sends the requests for host by http, though MSAL believes in https. MSAL also demands that the issuer in
// the authority's discovery document be the authority it was told, so the URLs in there become https ones.
type plainHTTP struct {
	next http.RoundTripper
	host string
}

// RoundTrip implements [http.RoundTripper].
func (p plainHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	resp, err := p.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
		return resp, err
	}
	return p.rewrite(resp)
}

func (p plainHTTP) rewrite(resp *http.Response) (*http.Response, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnswer {
		return nil, errTooLarge
	}
	var doc map[string]any
	if json.Unmarshal(data, &doc) == nil {
		for k, v := range doc {
			if s, ok := v.(string); ok && strings.HasPrefix(s, "http://"+p.host+"/") {
				doc[k] = "https" + strings.TrimPrefix(s, "http")
			}
		}
		data, _ = json.Marshal(doc) // it was decoded from JSON
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	resp.ContentLength = int64(len(data))
	resp.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return resp, nil
}
