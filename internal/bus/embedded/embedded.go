// Package embedded runs a NATS server with JetStream in this process: for a shop with one server, for the demo, and
// for tests. The daemons that reach a NATS of their own do not link it.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Options say where the server listens and keeps its data.
type Options struct {
	StoreDir string // needed
	// Listen is the address for other processes, such as "127.0.0.1:4222"; empty: none but this process connects.
	Listen string
	// SyncAlways flushes to the disk before every acknowledgement; otherwise the system does so within two minutes,
	// and what it acknowledged since is lost with the power, though not with the process.
	SyncAlways bool
	MaxPayload int32 // default 1 MiB
}

// Server is a running server.
type Server struct {
	mu  sync.Mutex // held for a moment only
	srv *server.Server
}

// Start starts a server and returns when it takes connections.
func Start(o Options) (*Server, error) {
	opts := &server.Options{
		ServerName: "roomsync", JetStream: true, StoreDir: o.StoreDir, SyncAlways: o.SyncAlways,
		NoSigs: true, NoLog: true, DontListen: o.Listen == "", Host: "127.0.0.1", Port: -1,
		JetStreamMaxMemory: -1, JetStreamMaxStore: -1, MaxPayload: o.MaxPayload,
	}
	if o.Listen != "" {
		addr, err := net.ResolveTCPAddr("tcp", o.Listen)
		if err != nil {
			return nil, fmt.Errorf("embedded: listen address %q: %w", o.Listen, err)
		}
		opts.Host, opts.Port = addr.IP.String(), addr.Port
		if addr.Port == 0 {
			opts.Port = -1
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		srv.Shutdown()
		return nil, errors.New("embedded: the NATS server did not become ready (is the address in use, or the store directory another server's?)")
	}
	return &Server{srv: srv}, nil
}

// InProcessConn connects without a network. It makes *Server usable as bus.Options.InProcess.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	srv := s.srv
	s.mu.Unlock()
	if srv == nil {
		return nil, errors.New("embedded: the server is stopped")
	}
	return srv.InProcessConn()
}

// URL is the address for other processes.
func (s *Server) URL() string { return s.srv.ClientURL() }

// Stop stops the server and waits until its files are closed.
func (s *Server) Stop() {
	s.mu.Lock()
	srv := s.srv
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}
