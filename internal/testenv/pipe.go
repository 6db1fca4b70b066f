package testenv

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// Pipe is a network of one listener, in memory, so that HTTP works in fake time.
type Pipe struct {
	conns  chan net.Conn
	done   chan struct{}
	closed sync.Once
}

// NewPipe returns a listener without connections. In a bubble it must be made inside.
func NewPipe() *Pipe { return &Pipe{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept waits for a connection.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial.
func (p *Pipe) Close() error {
	p.closed.Do(func() { close(p.done) })
	return nil
}

// Addr names the pipe.
func (p *Pipe) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// Dial connects, whatever the address.
func (p *Pipe) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, errors.New("testenv: connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport is an HTTP transport over the pipe.
func (p *Pipe) Transport() *http.Transport {
	return &http.Transport{DialContext: p.Dial, MaxIdleConnsPerHost: 1000, DisableCompression: true}
}
