package signin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// errGone says that a line's connection is gone and that nothing was sent.
var errGone = errors.New("signin: the connection is closed")

// line is one connection to one server, used by one request at a time: a transport that dials once. What is known of
// the connection therefore holds for every request by it, and a request can never go over another one unnoticed.
type line struct {
	rt     *http.Transport
	signed bool
}

func newLine(model *http.Transport) *line {
	rt := model.Clone()
	var dialed atomic.Bool
	rt.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialed.Swap(true) {
			return nil, errGone
		}
		return model.DialContext(ctx, network, address)
	}
	return &line{rt: rt}
}

func (l *line) close() { l.rt.CloseIdleConnections() }

// pool keeps idle lines.
type pool struct {
	model *http.Transport
	most  int // idle lines of one server

	mu   sync.Mutex
	idle map[string][]*line // by server, the one used last at the end
}

// newPool takes base as the model of lines, without HTTP/2: its connections carry many requests at once, so that servers
// refuse NTLM there.
func newPool(base *http.Transport) *pool {
	model := base.Clone()
	model.ForceAttemptHTTP2 = false
	model.Protocols = new(http.Protocols)
	model.Protocols.SetHTTP1(true)
	if model.TLSClientConfig != nil {
		model.TLSClientConfig.NextProtos = nil // what Clone may have put there for HTTP/2
	}
	if model.DialContext == nil {
		model.DialContext = new(net.Dialer).DialContext
	}
	model.DisableKeepAlives = false
	return &pool{model: model, most: max(1, base.MaxIdleConnsPerHost), idle: map[string][]*line{}}
}

// take returns the line used last, so that the others may time out, or a fresh one.
func (p *pool) take(server string) (l *line, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.idle[server]
	if len(lines) == 0 {
		return newLine(p.model), true
	}
	l = lines[len(lines)-1]
	p.idle[server] = lines[:len(lines)-1]
	return l, false
}

func (p *pool) put(server string, l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := append(p.idle[server], l)
	if len(lines) > p.most {
		lines[0].close()
		lines = lines[1:]
	}
	p.idle[server] = lines
}

// deliver gives the line back when the answer's body is closed. If the connection ended with the answer, whoever takes
// the line next gets errGone.
func (p *pool) deliver(l *line, server string, r *http.Request, resp *http.Response) *http.Response {
	resp.Request = r
	resp.Body = &lent{ReadCloser: resp.Body, back: sync.OnceFunc(func() { p.put(server, l) })}
	return resp
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for server, lines := range p.idle {
		for _, l := range lines {
			l.close()
		}
		delete(p.idle, server)
	}
}

// lent is the body of an answer whose line is in use until it is closed.
type lent struct {
	io.ReadCloser
	back func()
}

// Close implements [io.Closer].
func (b *lent) Close() error {
	err := b.ReadCloser.Close()
	b.back()
	return err
}

func serverOf(u *url.URL) string { return u.Scheme + "://" + u.Host }
