package ews

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roomsync/internal/calsync"
)

// TestTruncated cuts a good answer at every byte, in each of the ways that a connection can end.
func TestTruncated(t *testing.T) {
	ends := map[string]func(io.Writer, string){
		"close-delimited": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n%s", part)
		},
		"content-length": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(noChange), part)
		},
		"chunked": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(part), part)
		},
	}
	for name, write := range ends {
		var cut int
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			write(conn, noChange[:cut])
			_ = conn.Close()
		})
		c := client(t, s, Options{})
		for cut = 1; cut < len(noChange); cut += 7 {
			delta, err := c.Probe(t.Context(), mailbox, "", 0)
			f, ok := errors.AsType[*calsync.Fault](err)
			if !ok || !f.Unknown || delta.Cursor != "" {
				t.Fatalf("%s, cut after %d: %+v, %+v", name, cut, delta, err)
			}
		}
	}
}

func TestConnectionFaults(t *testing.T) {
	closed := serve(t, nil)
	closed.Close()
	if f := probeServer(t, closed, Options{}); f.Kind != calsync.FaultTransport || f.Unknown {
		t.Errorf("refused: %+v", f)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	if f := probe(t, reset, Options{}); f.Kind != calsync.FaultTransport || !f.Unknown {
		t.Errorf("reset: %+v", f)
	}
	plain := serve(t, xmlAnswer(200, noChange))
	plain.URL = strings.Replace(plain.URL, "http:", "https:", 1)
	if f := probeServer(t, plain, Options{}); f.Kind != calsync.FaultTLS || f.Unknown {
		t.Errorf("plain HTTP behind https: %+v", f)
	}
}

func TestTLS(t *testing.T) {
	quiet := log.New(io.Discard, "", 0) // refused handshakes are what this test is about
	s := httptest.NewUnstartedServer(xmlAnswer(200, noChange))
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	if f := probeServer(t, s, Options{}); f.Kind != calsync.FaultTLS || f.Unknown {
		t.Errorf("unknown authority: %+v", f)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := client(t, s, Options{TLS: &tls.Config{RootCAs: roots}}).Probe(t.Context(), mailbox, "", 0); err != nil {
		t.Error(err)
	}
	if f := probeServer(t, s, Options{TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}}); f.Kind != calsync.FaultTLS {
		t.Errorf("another host's certificate: %+v", f)
	}
	old := httptest.NewUnstartedServer(xmlAnswer(200, noChange))
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	if f := probeServer(t, old, Options{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}); f.Kind != calsync.FaultTLS {
		t.Errorf("TLS 1.1: %+v", f)
	}
}
