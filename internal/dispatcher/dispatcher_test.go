package dispatcher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/dispatcher"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

func TestMain(m *testing.M) {
	ats.Register() // starts a ticker of the server's that must not be born in a bubble
	os.Exit(m.Run())
}

// world is a NATS server and a connection to it, in fake time.
type world struct {
	*testing.T
	srv *embedded.Server
	bus *bus.Bus
	js  jetstream.JetStream // with which to do harm
}

func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	testenv.Bubble(t, func(t *testing.T) {
		w := &world{T: t}
		srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir()})
		w.must(err)
		t.Cleanup(srv.Stop)
		w.srv = srv
		w.bus, err = bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv, Log: zerolog.Nop()})
		w.must(err)
		t.Cleanup(w.bus.Close)
		w.must(w.bus.Ensure(t.Context()))
		nc, err := nats.Connect("", nats.InProcessServer(srv))
		w.must(err)
		t.Cleanup(nc.Close)
		w.js, err = jetstream.New(nc)
		w.must(err)
		f(w)
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// run starts a dispatcher and returns it with what stops it and gives Run's answer.
func (w *world) run() (*dispatcher.Dispatcher, chan error, func()) {
	w.Helper()
	d, err := dispatcher.New(dispatcher.Options{Bus: w.bus, Log: zerolog.Nop()})
	w.must(err)
	ctx, stop := context.WithCancel(w.Context())
	w.Cleanup(stop)
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return d, done, func() {
		w.Helper()
		stop()
		select {
		case err := <-done:
			w.must(err)
		case <-time.After(15 * time.Second):
			w.Error("the dispatcher does not stop")
			w.bus.Close()
			<-done
		}
	}
}

func (w *world) put(mb string, m events.Mailbox) {
	w.Helper()
	m.Address = mb + "@contoso.example"
	_, err := w.bus.PutMailbox(w.Context(), mb, m)
	w.must(err)
}

func (w *world) record(mb string) jobs.Record {
	w.Helper()
	r, _, err := w.bus.Record(w.Context(), mb)
	w.must(err)
	return r
}

// limit sets the size of the messages that a stream takes.
func (w *world) limit(stream string, n int32) {
	s, err := w.js.Stream(w.Context(), stream)
	w.must(err)
	cfg := s.CachedInfo().Config
	cfg.MaxMsgSize = n
	_, err = w.js.UpdateStream(w.Context(), cfg)
	w.must(err)
}

func TestRun_AnEntryThatFailedIsTakenOverLater(t *testing.T) {
	bubble(t, func(w *world) {
		w.limit(events.StreamState, 10)
		_, _, stop := w.run()
		w.put("a", events.Mailbox{Enabled: true})
		time.Sleep(10 * time.Second)
		w.limit(events.StreamState, -1)
		time.Sleep(2 * time.Minute)
		if r := w.record("a"); !r.Settings.Enabled {
			t.Errorf("two sweeps after the trouble ended: %+v", r.Settings)
		}
		stop()
	})
}

func TestRun_TheNewestEntryCounts(t *testing.T) {
	bubble(t, func(w *world) {
		_, _, stop := w.run()
		for i := range 20 {
			w.put("a", events.Mailbox{Enabled: true, PastDays: i + 1})
		}
		time.Sleep(time.Second)
		if r := w.record("a"); r.Settings.PastDays != 20 {
			t.Errorf("a second after the newest entry: %+v", r.Settings)
		}
		w.must(w.bus.RemoveMailbox(w.Context(), "a"))
		time.Sleep(time.Second)
		if r := w.record("a"); r.Settings.Enabled || r.Settings.Address == "" {
			t.Errorf("a second after its removal: %+v", r.Settings)
		}
		stop()
	})
}

// TestRun_BucketMadeAnew: revisions begin at one again, and entries that were not written again are not wanted.
func TestRun_BucketMadeAnew(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 5 {
			w.put("a", events.Mailbox{Enabled: true, PastDays: i + 1})
		}
		w.put("b", events.Mailbox{Enabled: true})
		w.put("c", events.Mailbox{Enabled: true})
		_, _, stop := w.run()
		time.Sleep(time.Second)
		want := w.record("c").Want
		stop()
		w.must(w.js.DeleteKeyValue(w.Context(), events.BucketMailboxes))
		w.must(w.bus.Ensure(w.Context()))
		w.put("a", events.Mailbox{Enabled: false})
		w.put("c", events.Mailbox{Enabled: true})
		_, _, stop = w.run()
		time.Sleep(time.Second)
		if r := w.record("a"); r.Settings.Enabled || r.Settings.PastDays != 0 {
			t.Errorf("the entry says disabled, the record %+v", r.Settings)
		}
		if r := w.record("b"); r.Settings.Enabled {
			t.Errorf("there is no entry, yet the record says %+v", r.Settings)
		}
		if r := w.record("c"); !r.Settings.Enabled || r.Want != want {
			t.Errorf("the entry is as it was, yet work was made of it: %+v, want %d", r, want)
		}
		stop()
	})
}

func TestRun_AnEmptyBucketSwitchesNothingOff(t *testing.T) {
	bubble(t, func(w *world) {
		w.put("a", events.Mailbox{Enabled: true})
		_, _, stop := w.run()
		time.Sleep(time.Second)
		stop()
		w.must(w.js.DeleteKeyValue(w.Context(), events.BucketMailboxes))
		w.must(w.bus.Ensure(w.Context()))
		_, _, stop = w.run()
		time.Sleep(10 * time.Minute)
		if r := w.record("a"); !r.Settings.Enabled {
			t.Error("a lost bucket switched a mailbox off")
		}
		stop()
	})
}

func TestRun_EndsWhenSomethingIsLost(t *testing.T) {
	for _, name := range []string{"JOBS", "MAILBOX_STATE", "MAILBOX_ITEMS", "EXCHANGE_EVENTS", "KV_mailboxes", "KV_throttle", ""} {
		bubble(t, func(w *world) {
			w.put("a", events.Mailbox{Enabled: true})
			d, done, _ := w.run()
			time.Sleep(5 * time.Second)
			w.must(d.Ready())
			if name == "" {
				w.must(w.js.DeleteConsumer(w.Context(), events.StreamJobs, "run-poll"))
			} else {
				w.must(w.js.DeleteStream(w.Context(), name))
			}
			select {
			case err := <-done:
				if !errors.Is(err, bus.ErrLost) || d.Ready() == nil {
					t.Errorf("%q lost: Run returned %v, Ready %v", name, err, d.Ready())
				}
			case <-time.After(2 * time.Minute):
				t.Errorf("%q lost: still running, Ready %v", name, d.Ready())
			}
		})
	}
}

func TestRun_StopsWhileNATSIsAway(t *testing.T) {
	bubble(t, func(w *world) {
		w.put("a", events.Mailbox{Enabled: true})
		_, done, stop := w.run()
		time.Sleep(time.Minute)
		w.srv.Stop()
		time.Sleep(3 * time.Minute)
		if len(done) > 0 {
			t.Fatalf("gave up while NATS was away: %v", <-done)
		}
		stop()
	})
}

// TestRun_ARecordThatCannotBeReadHoldsUpNoOther: five make no sense, and five that nobody looked at are woken.
func TestRun_ARecordThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 5 {
			good, bad := fmt.Sprint("good", i), fmt.Sprint("bad", i)
			r := jobs.Record{Want: 1, Settings: jobs.Settings{Address: good, Enabled: true}}
			_, err := w.bus.PutRecord(w.Context(), good, &r, 0)
			w.must(err)
			m := nats.NewMsg("state." + bad)
			m.Data = []byte("{")
			m.Header.Set("Roomsync-Digest", r.Digest().String())
			_, err = w.js.PublishMsg(w.Context(), m)
			w.must(err)
		}
		_, _, stop := w.run()
		time.Sleep(4 * time.Minute)
		for i := range 5 {
			if placed, err := w.bus.PutToken(w.Context(), fmt.Sprint("good", i), jobs.LanePoll, jobs.Hint{}); placed || err != nil {
				t.Errorf("good%d was not woken: %v", i, err)
			}
		}
		stop()
	})
}
