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

// An administrator points a worker at a RoomsAppSettings.config, finds the secret in it to be wrong, and corrects it:
// the running worker signs in with the new one and does its work.
func TestWorker_CorrectedRoomsConfig(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 1, Items: 3, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	natsURL, b := startFleet(t)
	file := filepath.Join(t.TempDir(), "RoomsAppSettings.config")
	write := func(secret string) {
		t.Helper()
		text := "<RoomsAppSettings>\r\n<add key=\"ExchangeTenantId\" value=\"sim-tenant\" />\r\n<add key=\"ExchangeAppId\" value=\"sim-app\" />\r\n" +
			"<add key=\"ExchangeClientSecret\" value=\"" + secret + "\" />\r\n</RoomsAppSettings>\r\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	var c config.Worker
	env := config.OS()
	env.Getenv = func(string) string { return "" }
	args := []string{"--rooms-config", file, "--nats-url", natsURL, "--ews-url", srv.URL + exchangesim.EWSPath, "--authority-url", srv.URL, "--http=off"}
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
	write("sim-secret")
	hangup <- syscall.SIGHUP
	log.await(t, "the changed sign-in is in force")

	mb := events.MailboxToken("user0001@contoso.example")
	if _, err := b.PutMailbox(ctx, mb, events.Mailbox{Address: "user0001@contoso.example", Mode: events.ModeO365Pull, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	err = b.Events(ctx, mb, 1, func(d bus.Delivered) error {
		if d.Type == events.TypeSyncCompleted {
			return enough
		}
		return nil
	})
	stop()
	if werr := <-done; !errors.Is(err, enough) || werr != nil {
		t.Errorf("events: %v, worker: %v", err, werr)
	}
}
