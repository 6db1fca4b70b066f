package roomsapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"roomsync/internal/tokens"
)

// WebhookOptions say where events are posted.
type WebhookOptions struct {
	URL string
	// Secrets reads the keys that sign anew; all of them sign.
	Secrets func() ([]tokens.Secret, error)
	// Transport is how to connect; https to the host of URL, without a proxy, when nil.
	Transport http.RoundTripper
}

// poster posts one event.
type poster struct {
	url     string
	secrets func() ([]tokens.Secret, error)
	client  *http.Client
}

const (
	postTime  = 15 * time.Second // for one request, its answer included
	maxAnswer = 4 << 10          // bytes of an answer that are read, so that the connection can be used again
)

func newPoster(o WebhookOptions) (*poster, error) {
	if _, err := url.Parse(o.URL); err != nil || o.URL == "" || o.Secrets == nil {
		return nil, errors.New("roomsapi: a webhook needs a URL and secrets")
	}
	if _, err := o.Secrets(); err != nil {
		return nil, fmt.Errorf("roomsapi: the webhook's secrets: %w", err)
	}
	t := o.Transport
	if t == nil {
		t = &http.Transport{
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: senders, MaxResponseHeaderBytes: 16 << 10, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
		}
	}
	client := &http.Client{Transport: t, Timeout: postTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &poster{o.URL, o.Secrets, client}, nil
}

// post posts an event, as the webhook specification of CloudEvents has it
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md). The error never holds the URL, nor anything of
// the answer's body.
func (p *poster) post(ctx context.Context, e *entry) error {
	body, err := e.text()
	if err != nil {
		return err
	}
	secrets, err := p.secrets()
	if err != nil {
		return fmt.Errorf("the webhook's secrets cannot be read: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	r.Header.Set("Content-Type", typeStructured)
	r.Header.Set("User-Agent", "roomsync")
	r.Header.Set("Roomsync-Sequence", strconv.FormatUint(e.Sequence, 10))
	sign(r.Header, webhookID(e), time.Now(), body, secrets)
	resp, err := p.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &statusError{resp.StatusCode, waitOf(resp.Header.Get("Retry-After"))}
}

// withoutURL drops what package http puts around an error: the path of a URL may be a secret.
func withoutURL(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	if u.Timeout() {
		return fmt.Errorf("no answer within %v", postTime)
	}
	return u.Err
}

// statusError is an answer that does not take the event.
type statusError struct {
	status int
	wait   time.Duration // that the receiver asks for, 0 for none
}

func (e *statusError) Error() string {
	if e.status/100 == 3 {
		return fmt.Sprintf("HTTP %d: a redirect, which is not followed", e.status)
	}
	return fmt.Sprintf("HTTP %d", e.status)
}

// maxWebhookWait is the longest wait that a receiver may ask for.
const maxWebhookWait = time.Hour

// waitOf reads Retry-After (RFC 9110, section 10.2.3): seconds or a date.
func waitOf(v string) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), maxWebhookWait)
}
