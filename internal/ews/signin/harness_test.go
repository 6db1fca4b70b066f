package signin

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// account is a service user whose password can be changed.
type account struct {
	name     string
	password atomic.Value
	reads    atomic.Int32
}

func newAccount(password string) *account {
	a := &account{name: rightUser}
	a.password.Store(password)
	return a
}

func (a *account) user() User {
	return User{Name: a.name, Password: func() (string, error) {
		a.reads.Add(1)
		return a.password.Load().(string), nil
	}}
}

func (a *account) ntlm(s *server) http.RoundTripper { return NewNTLM(a.user()).Connect(base(s)) }

// base is a transport as package ews makes it, which trusts s.
func base(s *server) *http.Transport {
	t := &http.Transport{ForceAttemptHTTP2: true, MaxIdleConns: 64, MaxIdleConnsPerHost: 64, DisableCompression: true}
	if c, ok := s.Client().Transport.(*http.Transport); ok && c.TLSClientConfig != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: c.TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
	}
	return t
}

// post sends text, as package ews sends an envelope.
func post(ctx context.Context, rt http.RoundTripper, url, text string) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/EWS/Exchange.asmx", bytes.NewReader([]byte(text)))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// want sends a text that is to come back.
func want(t *testing.T, rt http.RoundTripper, s *server) {
	t.Helper()
	text := fmt.Sprintf("<Envelope>%d</Envelope>", time.Now().UnixNano())
	if status, answer, err := post(t.Context(), rt, s.URL, text); err != nil || status != 200 || answer != text {
		t.Errorf("%d, %q, %v", status, answer, err)
	}
}

// wantFailure sends a text, and wants to be told why nobody was signed in.
func wantFailure(t *testing.T, rt http.RoundTripper, s *server, part string) *Error {
	t.Helper()
	status, _, err := post(t.Context(), rt, s.URL, "text")
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), part) {
		t.Errorf("%d, %v: want an *Error with %q", status, err, part)
		return new(Error)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "canary") {
		t.Errorf("the password is in %q", text)
	}
	return e
}

// pipes is a network in memory.
type pipes struct {
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.ch <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.ch:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
