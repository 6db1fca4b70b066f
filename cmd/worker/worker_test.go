package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/config"
	"roomsync/internal/daemon"
	"roomsync/internal/exchangesim"
)

// logBuffer collects what concurrent writers log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(content+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	return name
}

// startFleet starts NATS and a dispatcher, and returns a connection for the test.
func startFleet(t *testing.T) (url string, b *bus.Bus) {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	if b, err = bus.Connect(t.Context(), bus.Options{URL: srv.URL()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var d config.Dispatcher
	env := config.Env{Getenv: func(string) string { return "" }}
	if err := config.Load([]string{"--nats-url", srv.URL(), "--http=off"}, env, &d); err != nil {
		t.Fatal(err)
	}
	go func() { done <- daemon.Dispatcher(ctx, d, zerolog.Nop(), daemon.Extra{}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("dispatcher: %v", err)
		}
	})
	return srv.URL(), b
}

// The command as an operator starts it, against the simulated Exchange over plain HTTP on loopback, with each way to
// sign in: it must bring a mailbox up to date, and stop when told to.
func TestWorker(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 2, Items: 3, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	const mailbox = "user0001@contoso.example"
	tests := map[string][]string{
		"secret": {"--tenant-id=sim-tenant", "--app-id=sim-app", "--authority-url=" + srv.URL, "--client-secret-file=" + secretFile(t, "sim-secret")},
		"basic":  {"--username=" + exchangesim.ServiceUser, "--password-file=" + secretFile(t, "simulated")},
	}
	for name, auth := range tests {
		t.Run(name, func(t *testing.T) {
			natsURL, b := startFleet(t)
			m := events.Mailbox{Address: mailbox, Mode: events.ModeO365Pull, Enabled: true}
			if _, err := b.PutMailbox(t.Context(), events.MailboxToken(mailbox), m); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			var log logBuffer
			args := append([]string{"--nats-url", natsURL, "--ews-url", srv.URL + exchangesim.EWSPath, "--http=127.0.0.1:0", "--log-level=trace"}, auth...)
			code := make(chan int, 1)
			go func() { code <- config.Run(ctx, command(config.OS()), args, &log) }()

			enough := errors.New("enough")
			err := b.Events(ctx, events.MailboxToken(mailbox), 1, func(d bus.Delivered) error {
				if d.Type == events.TypeSyncCompleted {
					return enough
				}
				return nil
			})
			stop()
			if c := <-code; c != config.ExitOK || !errors.Is(err, enough) {
				t.Errorf("exit code %d, events %v\n%s", c, err, log.String())
			}
			for _, secret := range []string{"sim-secret", "simulated"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log shows a credential:\n%s", log.String())
				}
			}
		})
	}
}

func TestWorker_RefusesAFaultyConfiguration(t *testing.T) {
	var stderr bytes.Buffer
	env := config.Env{Getenv: func(string) string { return "" }}
	code := config.Run(t.Context(), command(env), []string{"--poll-interval=1ms", "--slots=0"}, &stderr)
	if code != config.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	if code := config.Run(t.Context(), command(env), []string{"--impersonation", "false"}, &stderr); code != config.ExitUsage || !strings.Contains(stderr.String(), "--impersonation=false") {
		t.Errorf("a value after a space: exit code %d\n%s", code, stderr.String())
	}
	for _, want := range []string{"--poll-interval", "--slots", "--auth"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr lacks %s:\n%s", want, stderr.String())
		}
	}
}
