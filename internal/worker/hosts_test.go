package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// elsewhere refuses a mailbox as the client does whose URL names a host that the credentials are not for.
type elsewhere struct{ calsync.Reader }

func (e elsewhere) Probe(ctx context.Context, t calsync.Target, cursor string, most int) (calsync.Delta, error) {
	if strings.Contains(t.URL, "evil.example") {
		return calsync.Delta{}, &calsync.Fault{Operation: "SyncFolderItems", Kind: calsync.FaultHost}
	}
	return e.Reader.Probe(ctx, t, cursor, most)
}

// TestURLNotAllowed: the mailbox is blocked with advice and one event, and goes on as soon as its entry is corrected.
func TestURLNotAllowed(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 1, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		e.Worker("w1", func(o *worker.Options) { o.Calendar = elsewhere{o.Calendar} })
		put := func(url string) {
			m := events.Mailbox{Address: alice, Mode: events.ModeO365, Enabled: true, URL: url}
			_, err := e.Bus.PutMailbox(t.Context(), events.MailboxToken(alice), m)
			testenv.Must(t, err)
		}
		put("https://evil.example/EWS/Exchange.asmx")
		d := e.Next(ch, time.Minute)
		got := data[events.MailboxBlocked](e, d)
		if d.Type != events.TypeMailboxBlocked || got.Reason != events.RefusedURL || got.Scope != events.ScopeMailbox || !strings.Contains(got.Hint, "--ews-hosts") {
			t.Fatalf("told %s %+v", d.Type, got)
		}
		r, _, err := e.Bus.Record(t.Context(), events.MailboxToken(alice))
		if err != nil || r.State != jobs.StateBlocked || r.LastError.Reason != events.RefusedURL {
			t.Errorf("%+v, %v", r, err)
		}
		e.Quiet(ch, 3*time.Hour)
		put("")
		if d := e.Next(ch, 2*time.Minute); d.Type != events.TypeSyncCompleted {
			t.Errorf("told %s", d.Type)
		}
	})
}
