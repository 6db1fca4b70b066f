package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/config"
	"roomsync/internal/daemon"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
)

// lines hands on what is logged, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// await returns when a line with that text was logged.
func (l lines) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, "sim-secret") {
				t.Errorf("the log shows the secret: %s", line)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-late:
			t.Fatalf("nobody says %q", text)
		}
	}
}

func add(key, value string) string {
	return "<add key=\"" + key + "\" value=\"" + value + "\" />\r\n"
}

// An administrator points a worker at a RoomsAppSettings.config, finds the secret in it to be wrong, and corrects it:
// the running worker signs in with the new one and does its work. Then he changes to delegated access: a worker that
// judges as a delegate takes over in the same process.
func TestWorker_CorrectedRoomsConfig(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 1, Items: 3, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	natsURL, b := startFleet(t)
	file := filepath.Join(t.TempDir(), "RoomsAppSettings.config")
	write := func(credential string) {
		t.Helper()
		text := "<RoomsAppSettings>\r\n<add key=\"ExchangeTenantId\" value=\"sim-tenant\" />\r\n<add key=\"ExchangeAppId\" value=\"sim-app\" />\r\n" +
			credential + "</RoomsAppSettings>\r\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(add("ExchangeClientSecret", "old"))
	var c config.Worker
	env := config.OS()
	env.Getenv = func(string) string { return "" }
	args := []string{"--rooms-config", file, "--nats-url", natsURL, "--ews-url", srv.URL + exchangesim.EWSPath, "--authority-url", srv.URL, "--http=off", "--poll-interval=250ms"}
	if err := config.Load(args, env, &c); err != nil {
		t.Fatal(err)
	}
	log, hangup := make(lines, 1000), make(chan os.Signal)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- daemon.Worker(ctx, c, zerolog.New(log), daemon.Extra{Hangup: hangup}) }()

	log.await(t, `"message":"started"`)
	hangup <- syscall.SIGHUP
	log.await(t, "AADSTS7000215")
	write(add("ExchangeClientSecret", "sim-secret"))
	hangup <- syscall.SIGHUP
	log.await(t, "the changed sign-in is in force")

	const address = "user0001@contoso.example"
	mb := events.MailboxToken(address)
	if _, err := b.PutMailbox(ctx, mb, events.Mailbox{Address: address, Mode: events.ModeO365Pull, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	await := func(typ string) {
		t.Helper()
		enough := errors.New("enough")
		err := b.Events(ctx, mb, 1, func(d bus.Delivered) error {
			if d.Type == typ {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("waiting for %s: %v", typ, err)
		}
	}
	await(events.TypeSyncCompleted)

	write(add("ExchangeServiceUser", exchangesim.ServiceUser) + add("ExchangeServicePassword", "simulated") + add("ExchangeUseImpersonation", "false"))
	hangup <- syscall.SIGHUP
	log.await(t, "the changed sign-in is in force") // and the delegate has no rights yet
	await(events.TypeAccessDenied)
	sim.Delegate(exchangesim.ServiceUser, store.Editor)
	if err := b.Look(ctx, mb); err != nil {
		t.Fatal(err)
	}
	await(events.TypeAccessRestored)
	calls := sim.Faults().Calls(0, address, 0)
	if by := calls[len(calls)-1].SignIn; by != config.AuthDelegated {
		t.Errorf("the last call was signed in by %q", by)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("worker: %v", err)
	}
}
