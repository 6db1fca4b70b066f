package bus_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

// TestCheckOps_AsksForNothingElse: a right that the commands do not need is not used, and what is not there not missed.
func TestCheckOps_AsksForNothingElse(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	js := operator(t, srv)
	for _, name := range []string{"KV_tokens", "KV_throttle", "MAILBOX_ITEMS", events.StreamChanges, events.StreamDead} {
		must(t, js.DeleteStream(t.Context(), name))
	}
	put(t, b, "a", jobs.Record{Settings: jobs.Settings{Enabled: true}})
	ops, err := bus.Connect(t.Context(), bus.Options{Name: "ops", InProcess: srv, Log: zerolog.Nop()})
	must(t, err)
	defer ops.Close()
	var mu sync.Mutex
	asked := map[string]bool{}
	_, err = js.Conn().Subscribe("$JS.API.>", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		asked[m.Subject] = true
	})
	must(t, err)
	must(t, js.Conn().Flush())
	must(t, ops.CheckOps(t.Context()))
	must(t, ops.Look(t.Context(), "a"))
	_, err = ops.Digests(t.Context())
	must(t, err)
	must(t, js.Conn().Flush())
	mu.Lock()
	defer mu.Unlock()
	for subject := range asked {
		if !strings.Contains(subject, events.StreamState) && subject != "$JS.API.STREAM.INFO.JOBS" &&
			subject != "$JS.API.STREAM.INFO.EXCHANGE_EVENTS" && subject != "$JS.API.STREAM.INFO.KV_mailboxes" {
			t.Errorf("asked %s", subject)
		}
	}
	if len(asked) < 5 {
		t.Errorf("heard of %d requests only: %v", len(asked), asked)
	}
}

func TestCheckOps_NamesWhatIsMissingOrOtherwise(t *testing.T) {
	for _, name := range []string{"JOBS", "MAILBOX_STATE", "EXCHANGE_EVENTS", "KV_mailboxes"} {
		srv := start(t)
		b := connect(t, srv)
		must(t, operator(t, srv).DeleteStream(t.Context(), name))
		if err := b.CheckOps(t.Context()); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(name, "KV_")) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	srv := start(t)
	b := connect(t, srv)
	js := operator(t, srv)
	cfg := stream(t, js, events.StreamState).CachedInfo().Config
	cfg.AllowDirect = true
	_, err := js.UpdateStream(t.Context(), cfg)
	must(t, err)
	if err := b.CheckOps(t.Context()); !errors.Is(err, bus.ErrMismatch) || !strings.Contains(err.Error(), "allow_direct") {
		t.Error(err)
	}
}
