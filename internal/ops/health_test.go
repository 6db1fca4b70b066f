package ops

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	var notReady error
	h := Health(func() error { return notReady })
	for _, tt := range []struct {
		method, path string
		err          error
		status       int
		body         string
	}{
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/healthz", errors.New("no NATS"), 200, "ok\n"},
		{"GET", "/readyz", nil, 200, "ok\n"},
		{"GET", "/readyz", errors.New("no NATS"), 503, "no NATS\n"},
		{"POST", "/readyz", nil, 405, "Method Not Allowed\n"},
	} {
		notReady = tt.err
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, w.Code, w.Body.String(), tt.status, tt.body)
		}
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	began := false
	err = Serve(t.Context(), address, Health(nil), func(context.Context, string) error { began = true; return nil })
	if err == nil || !strings.Contains(err.Error(), "--http") || began {
		t.Errorf("an address in use: %v, work begun: %v", err, began)
	}
	_ = l.Close()

	failure := errors.New("work failed")
	err = Serve(t.Context(), address, Health(func() error { return nil }), func(_ context.Context, served string) error {
		if served != address {
			t.Errorf("served on %q, not %q", served, address)
		}
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			t.Errorf("while it works: %v", err)
			return failure
		}
		_ = resp.Body.Close()
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := http.Get("http://" + address + "/readyz"); err == nil {
		t.Error("served on after the work")
	}
	if err := Serve(t.Context(), "", nil, func(context.Context, string) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("without an address: %v", err)
	}
}
