package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

// operator is a connection with which to do harm.
func operator(t *testing.T, srv *embedded.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return js
}

func stream(t *testing.T, js jetstream.JetStream, name string) jetstream.Stream {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	must(t, err)
	return s
}

func stepOut(id string, e bus.ShadowEntry) []jobs.Outgoing {
	data, _ := json.Marshal(e)
	return []jobs.Outgoing{{Kind: jobs.OutShadow, ID: id, Data: data}}
}

// steps flushes n steps of one item each and returns the record.
func steps(t *testing.T, b *bus.Bus, n int) jobs.Record {
	t.Helper()
	var r jobs.Record
	for i := range n {
		r.Outbox = stepOut(fmt.Sprintf("a/e1/%d/0", i), bus.ShadowEntry{Put: map[string]string{fmt.Sprint("item", i): "ck"}})
		must(t, b.Flush(t.Context(), "a", &r))
	}
	return r
}

// TestShadow_WrittenAnewByOneWhoDied has a worker write the shadow anew and die before the record says so. Its
// successor may read the shadow again, or publish first.
func TestShadow_WrittenAnewByOneWhoDied(t *testing.T) {
	for _, reads := range []bool{true, false} {
		b := connect(t, start(t))
		r := steps(t, b, 70)
		_, anew, err := b.Shadow(t.Context(), "a", r.ItemsSeq)
		must(t, err)
		if anew == r.ItemsSeq {
			t.Fatal("the shadow was not written anew: the test tests nothing")
		}
		if reads {
			_, seq, err := b.Shadow(t.Context(), "a", r.ItemsSeq)
			if err != nil || seq != anew {
				t.Errorf("the successor reads up to sequence %d, want %d: %v", seq, anew, err)
			}
			r.ItemsSeq = seq
		}
		r.Outbox = stepOut("a/e1/100/0", bus.ShadowEntry{Put: map[string]string{"new": "ck"}})
		must(t, b.Flush(t.Context(), "a", &r))
		if got, _, err := b.Shadow(t.Context(), "a", r.ItemsSeq); err != nil || len(got) != 71 {
			t.Errorf("%d items, want 71: %v", len(got), err)
		}
	}
}

// TestShadow_Purged finds nothing told, at once, and the next step is taken.
func TestShadow_Purged(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		b := connect(t, srv)
		r := steps(t, b, 2)
		must(t, stream(t, operator(t, srv), "MAILBOX_ITEMS").Purge(t.Context()))
		began := time.Now()
		got, seq, err := b.Shadow(t.Context(), "a", r.ItemsSeq)
		if took := time.Since(began); err != nil || len(got) != 0 || seq != 0 || took > time.Second {
			t.Errorf("got %v at sequence %d after %v: %v", got, seq, took, err)
		}
		r.Outbox = stepOut("a/e1/9/0", bus.ShadowEntry{})
		must(t, b.Flush(t.Context(), "a", &r))
	})
}

// TestShadow_TailLost reads what is there.
func TestShadow_TailLost(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		b := connect(t, srv)
		r := steps(t, b, 3)
		must(t, stream(t, operator(t, srv), "MAILBOX_ITEMS").DeleteMsg(t.Context(), 3))
		began := time.Now()
		got, seq, err := b.Shadow(t.Context(), "a", r.ItemsSeq)
		if took := time.Since(began); err != nil || len(got) != 2 || seq != 2 || took > time.Second {
			t.Errorf("got %v at sequence %d after %v: %v", got, seq, took, err)
		}
	})
}

// TestFlush_AfterTheStreamLostItsTail goes on after what is left, as after a power cut.
func TestFlush_AfterTheStreamLostItsTail(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	r := jobs.Record{Outbox: outbox("a/e1", 1, 3)}
	must(t, b.Flush(t.Context(), "a", &r))
	must(t, stream(t, operator(t, srv), events.StreamEvents).DeleteMsg(t.Context(), 3))
	r.Outbox = outbox("a/e1", 2, 1)
	must(t, b.Flush(t.Context(), "a", &r))
	if got := fmt.Sprint(readEvents(t, b, "a", 3)); got != "[a/e1/1/0 a/e1/1/1 a/e1/2/0]" {
		t.Errorf("the stream holds %s", got)
	}
}

// TestFlush_AfterTheRecordWasLost: the new record counts from one again, and nothing that it has to say is taken for
// what the old one said.
func TestFlush_AfterTheRecordWasLost(t *testing.T) {
	for commits := 1; commits <= 2; commits++ {
		b := connect(t, start(t))
		var old jobs.Record
		for i := range commits {
			old.Outbox = append(outbox("a/e1", i+1, 1), stepOut(fmt.Sprintf("a/e1/%d/1", i+1), bus.ShadowEntry{})...)
			must(t, b.Flush(t.Context(), "a", &old))
		}
		anew := jobs.Record{Outbox: append(outbox("a/e2", 1, 2), stepOut("a/e2/1/2", bus.ShadowEntry{})...)}
		must(t, b.Flush(t.Context(), "a", &anew))
		ids := readEvents(t, b, "a", commits+2)
		if got := fmt.Sprint(ids[commits:]); got != "[a/e2/1/0 a/e2/1/1]" {
			t.Errorf("after %d commits of the old record: %s", commits, got)
		}
		stale := jobs.Record{Outbox: outbox("a/e2", 7, 1)}
		if err := b.Flush(t.Context(), "a", &stale); err == nil {
			t.Error("a stale owner of the same epoch published an event")
		}
	}
}

// TestWatchDigests_ReadyWithTheNewestRecordPurged has a stream whose last sequence is no message.
func TestWatchDigests_ReadyWithTheNewestRecordPurged(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		b := connect(t, srv)
		put(t, b, "a", jobs.Record{})
		put(t, b, "b", jobs.Record{})
		must(t, stream(t, operator(t, srv), events.StreamState).Purge(t.Context(), jetstream.WithPurgeSubject("state.b")))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		isReady := false
		must(t, b.WatchDigests(ctx, func(string, jobs.Digest, time.Time) {}, func() { isReady = true; stop() }))
		if !isReady {
			t.Error("not ready after an hour")
		}
	})
}

// readers are the ways to follow a stream.
var readers = map[string]func(context.Context, *bus.Bus) error{
	events.StreamState: func(ctx context.Context, b *bus.Bus) error {
		return b.WatchDigests(ctx, func(string, jobs.Digest, time.Time) {}, func() {})
	},
	events.StreamEvents: func(ctx context.Context, b *bus.Bus) error {
		return b.Events(ctx, "*", 1, func(bus.Delivered) error { return nil })
	},
}

func TestFollow_ADeletedStreamIsAnError(t *testing.T) {
	for name, read := range readers {
		testenv.Bubble(t, func(t *testing.T) {
			srv := start(t)
			b := connect(t, srv)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			done := make(chan error, 1)
			go func() { done <- read(ctx, b) }()
			synctest.Wait()
			must(t, operator(t, srv).DeleteStream(ctx, name))
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(5 * time.Minute):
				t.Errorf("%s: still waiting for a stream that is gone", name)
			}
		})
	}
}

// TestFollow_EndsWithItsContext while NATS is away, and while it stands but does not answer.
func TestFollow_EndsWithItsContext(t *testing.T) {
	for name, read := range readers {
		for _, stands := range []bool{false, true} {
			testenv.Bubble(t, func(t *testing.T) {
				srv := &mute{Server: start(t)}
				b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv, Log: zerolog.Nop()})
				must(t, err)
				defer b.Close()
				must(t, b.Ensure(t.Context()))
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- read(ctx, b) }()
				synctest.Wait()
				if stands {
					srv.on.Store(true)
				} else {
					srv.Stop()
				}
				time.Sleep(time.Minute)
				stop()
				select {
				case err := <-done:
					must(t, err)
				case <-time.After(15 * time.Second):
					t.Errorf("%s: deaf to its context", name)
					b.Close()
					<-done
				}
			})
		}
	}
}

func TestEnsure_RefusesTooShortAMemoryForIds(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	js := operator(t, srv)
	cfg := stream(t, js, events.StreamEvents).CachedInfo().Config
	cfg.Duplicates = time.Second
	_, err := js.UpdateStream(t.Context(), cfg)
	must(t, err)
	items := stream(t, js, "MAILBOX_ITEMS").CachedInfo().Config
	items.AllowRollup = false
	_, err = js.UpdateStream(t.Context(), items)
	must(t, err)
	err = b.Check(t.Context())
	for _, want := range []string{"duplicate_window", "allow_rollup_hdrs"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

// TestRecord_AFullStreamRefusesANewMailbox and still takes newer records of those it has.
func TestRecord_AFullStreamRefusesANewMailbox(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	js := operator(t, srv)
	seq := put(t, b, "a", jobs.Record{})
	cfg := stream(t, js, events.StreamState).CachedInfo().Config
	cfg.MaxMsgs = 1
	_, err := js.UpdateStream(t.Context(), cfg)
	must(t, err)
	if _, err := b.PutRecord(t.Context(), "b", &jobs.Record{}, 0); err == nil {
		t.Error("a full stream took a record")
	}
	if _, at, err := b.Record(t.Context(), "a"); err != nil || at != seq {
		t.Errorf("the first record stands at %d, want %d: %v", at, seq, err)
	}
	_, err = b.PutRecord(t.Context(), "a", &jobs.Record{Want: 2}, seq)
	must(t, err)
	if n := stream(t, js, events.StreamState).CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d records of one mailbox", n)
	}
}

func TestIntact_NamesWhatWasLost(t *testing.T) {
	for what, harm := range map[string]func(jetstream.JetStream) error{
		"MAILBOX_ITEMS": func(js jetstream.JetStream) error { return js.DeleteStream(t.Context(), "MAILBOX_ITEMS") },
		"run-poll": func(js jetstream.JetStream) error {
			return js.DeleteConsumer(t.Context(), events.StreamJobs, "run-poll")
		},
		"KV_mailboxes":    func(js jetstream.JetStream) error { return js.DeleteKeyValue(t.Context(), events.BucketMailboxes) },
		"anew":            func(js jetstream.JetStream) error { return again(t, js, events.StreamState) },
		events.StreamJobs: func(js jetstream.JetStream) error { return js.DeleteStream(t.Context(), events.StreamJobs) },
	} {
		srv := start(t)
		b := connect(t, srv)
		must(t, b.Intact(t.Context()))
		must(t, harm(operator(t, srv)))
		if err := b.Intact(t.Context()); !errors.Is(err, bus.ErrLost) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// again deletes a stream and makes it anew.
func again(t *testing.T, js jetstream.JetStream, name string) error {
	cfg := stream(t, js, name).CachedInfo().Config
	must(t, js.DeleteStream(t.Context(), name))
	_, err := js.CreateStream(t.Context(), cfg)
	return err
}
