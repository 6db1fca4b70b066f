package daemon

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"roomsync/internal/bus/embedded"
	"roomsync/internal/config"
)

// synced is a buffer that several parts log to.
type synced struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A dispatcher serves the API beside its health, posts to the webhook, and stops with both.
func TestDispatcher_ServesROOMS(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	const token = "canary-0123456789-0123456789-0123456789"
	address := free(t)
	env := config.Env{Getenv: func(name string) string {
		return map[string]string{"ROOMSYNC_API_TOKEN": "rooms " + token, "ROOMSYNC_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}[name]
	}}
	var c config.Dispatcher
	if err := config.Load([]string{"--http=" + address, "--webhook-url=http://127.0.0.1:1/canary-path"}, env, &c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	log, done := &synced{}, make(chan error, 1)
	go func() { done <- Dispatcher(ctx, c, zerolog.New(log).Level(zerolog.TraceLevel), Extra{InProcess: srv}) }()
	get := func(path string) (int, error) {
		r, _ := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	for _, path := range []string{"/readyz", "/healthz", "/v1/events?after=0", "/v1/webhook", "/v1/openapi.json"} {
		for {
			if status, err := get(path); err == nil && status == http.StatusOK {
				break
			}
			if len(done) > 0 {
				t.Fatalf("%s: the dispatcher ended: %v\n%s", path, <-done, log)
			}
		}
	}
	r, _ := http.NewRequest(http.MethodPost, "http://"+address+"/v1/changes", strings.NewReader(
		`{"specversion":"1.0","id":"1","source":"urn:rooms","type":"rooms.booking.cancelled.v1","data":{"bookingId":"1","revision":1,"mailbox":"a@contoso.example"}}`))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/cloudevents+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v %v", resp, err)
	}
	_ = resp.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, secret := range []string{"canary", "0123456789012345"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s stands in the log:\n%s", secret, log)
		}
	}
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr())
}
