package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

func TestMain(m *testing.M) {
	ats.Register() // starts a ticker of the server's that must not be born in a bubble
	os.Exit(m.Run())
}

func start(t *testing.T) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv
}

func connect(t *testing.T, srv *embedded.Server) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores the record of an enabled mailbox.
func put(t *testing.T, b *bus.Bus, mb string, r jobs.Record) uint64 {
	t.Helper()
	r.Settings = jobs.Settings{Address: mb + "@contoso.example", Enabled: true, Mode: events.ModeO365Pull}
	seq, err := b.PutRecord(t.Context(), mb, &r, 0)
	must(t, err)
	return seq
}

func TestEnsure_RefusesAStreamThatIsNotAsItMustBe(t *testing.T) {
	srv := start(t)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>"}})
	must(t, err)
	b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv})
	must(t, err)
	defer b.Close()
	err = b.Ensure(t.Context())
	if err == nil {
		t.Fatal("a JOBS stream of another kind was accepted")
	}
	for _, want := range []string{"JOBS", "retention", "subjects", "allow_msg_schedules"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	if _, err := js.Stream(t.Context(), events.StreamEvents); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("something was created before the fault was found: %v", err)
	}
	s, err := js.Stream(t.Context(), "JOBS")
	must(t, err)
	if got := s.CachedInfo().Config.Subjects; fmt.Sprint(got) != "[jobs.>]" {
		t.Errorf("the stream was changed: subjects %v", got)
	}
}

func TestEnsure_RefusesAConsumerThatIsNotAsItMustBe(t *testing.T) {
	srv := start(t)
	connect(t, srv)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	c, err := js.Consumer(t.Context(), events.StreamJobs, "run-poll")
	must(t, err)
	cfg := c.CachedInfo().Config
	cfg.MaxDeliver = 3
	_, err = js.UpdateConsumer(t.Context(), events.StreamJobs, cfg)
	must(t, err)
	b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv})
	must(t, err)
	defer b.Close()
	if err := b.Ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "run-poll") || !strings.Contains(err.Error(), "max_deliver 3") {
		t.Errorf("a consumer that gives up after three deliveries: %v", err)
	}
}

func TestConnect_NamesAnUnreachableServer(t *testing.T) {
	_, err := bus.Connect(t.Context(), bus.Options{URL: "nats://user:canary-secret@127.0.0.1:1", Name: "test"})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "canary-secret") {
		t.Errorf("got %v", err)
	}
}

func TestRecord_IsFencedByItsSequence(t *testing.T) {
	b := connect(t, start(t))
	seq := put(t, b, "a", jobs.Record{Want: 1})
	r, at, err := b.Record(t.Context(), "a")
	must(t, err)
	if at != seq || r.Want != 1 {
		t.Fatalf("got %+v at %d, want want=1 at %d", r, at, seq)
	}
	r.Want = 2
	_, err = b.PutRecord(t.Context(), "a", &r, at)
	must(t, err)
	if _, err := b.PutRecord(t.Context(), "a", &r, at); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("a write against an old sequence: %v", err)
	}
	if _, at, err := b.Record(t.Context(), "nobody"); at != 0 || err != nil {
		t.Errorf("a mailbox without a record: sequence %d, %v", at, err)
	}
}

func TestPutToken_OneForAMailboxButABookingPassesPolls(t *testing.T) {
	b := connect(t, start(t))
	for i, x := range []struct {
		lane jobs.Lane
		want bool
	}{{jobs.LanePoll, true}, {jobs.LanePoll, false}, {jobs.LaneNotify, false}, {jobs.LaneBooking, true}, {jobs.LaneBooking, false}, {jobs.LanePoll, false}} {
		placed, err := b.PutToken(t.Context(), "a", x.lane, jobs.Hint{})
		if err != nil || placed != x.want {
			t.Errorf("token %d in lane %s: placed %v, %v", i, x.lane, placed, err)
		}
	}
	if placed, err := b.PutToken(t.Context(), "b", jobs.LanePoll, jobs.Hint{}); !placed || err != nil {
		t.Errorf("another mailbox: placed %v, %v", placed, err)
	}
}

func next(t *testing.T, q *bus.Queue) bus.Token {
	t.Helper()
	tok, err := q.Next(t.Context())
	must(t, err)
	return tok
}

func take(t *testing.T, b *bus.Bus, lane jobs.Lane) *bus.Queue {
	t.Helper()
	q, err := b.Take(t.Context(), lane, 10)
	must(t, err)
	t.Cleanup(q.Stop)
	return q
}

func TestPark_FiresAtItsTimeAndNeverEarly(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		b := connect(t, start(t))
		q := take(t, b, jobs.LanePoll)
		for _, wait := range []time.Duration{1900 * time.Millisecond, 7 * time.Second, 17 * time.Minute} {
			at := b.Now().Add(wait)
			must(t, b.Park(t.Context(), "a", jobs.LanePoll, at, jobs.Hint{Seq: 7, Record: jobs.Record{Want: 3}}))
			tok := next(t, q)
			late := b.Now().Sub(at)
			if late < 0 || late > time.Second {
				t.Errorf("parked for %v: came %v late", wait, late)
			}
			if tok.Hint == nil || tok.Hint.Seq != 7 || tok.Hint.Record.Want != 3 {
				t.Errorf("the hint did not come with the token: %+v", tok.Hint)
			}
			must(t, tok.Ack())
		}
	})
}

func TestPark_TheNewerScheduleCounts(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		b := connect(t, start(t))
		q := take(t, b, jobs.LanePoll)
		began := b.Now()
		must(t, b.Park(t.Context(), "a", jobs.LanePoll, began.Add(time.Minute), jobs.Hint{}))
		must(t, b.Park(t.Context(), "a", jobs.LanePoll, began.Add(time.Hour), jobs.Hint{}))
		tok := next(t, q)
		if got := b.Now().Sub(began); got < time.Hour || got > time.Hour+time.Second {
			t.Errorf("came after %v, want an hour", got)
		}
		must(t, tok.Ack())
	})
}

func TestKick_CannotBePutOff(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		b := connect(t, start(t))
		q := take(t, b, jobs.LaneBooking)
		began := b.Now()
		for i := range 5 {
			must(t, b.Kick(t.Context(), "a", jobs.LaneBooking, began.Add(time.Duration(i+1)*time.Second)))
		}
		next(t, q)
		if got := b.Now().Sub(began); got < time.Second || got > 1500*time.Millisecond {
			t.Errorf("came after %v, want a second", got)
		}
	})
}

func TestTrigger_LeavesWantAndAToken(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		b := connect(t, start(t))
		put(t, b, "a", jobs.Record{NextPoll: b.Now().Add(time.Hour)})
		q := take(t, b, jobs.LaneBooking)
		for range 3 {
			must(t, b.Trigger(t.Context(), "a", jobs.LaneBooking))
		}
		tok := next(t, q)
		must(t, tok.Ack())
		if tok.Hint.Record.Want != 1 {
			t.Errorf("the token stands for trigger %d, want the first", tok.Hint.Record.Want)
		}
		tok = next(t, q) // the second and third found their place taken: a kick a second later stands for both
		r, _, err := b.Record(t.Context(), "a")
		if err != nil || r.Want != 3 || r.Lane != jobs.LaneBooking {
			t.Errorf("record %+v, %v", r, err)
		}
		must(t, tok.Ack())
	})
}

func TestTrigger_WaitsForTheEndOfABackOff(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		b := connect(t, start(t))
		end := b.Now().Add(5 * time.Minute)
		put(t, b, "a", jobs.Record{NotBefore: end})
		q := take(t, b, jobs.LaneBooking)
		must(t, b.Trigger(t.Context(), "a", jobs.LaneBooking))
		next(t, q)
		if now := b.Now(); now.Before(end) || now.Sub(end) > time.Second {
			t.Errorf("came %v after the end of the back-off", now.Sub(end))
		}
	})
}

// TestWatchDigests follows records of every state through a real header.
func TestWatchDigests(t *testing.T) {
	b := connect(t, start(t))
	states := []jobs.State{jobs.StateNew, jobs.StateOK, jobs.StateDenied, jobs.StateBlocked, jobs.StateFailed}
	for i, s := range states[:3] {
		put(t, b, fmt.Sprint("m", i), jobs.Record{State: s, Want: uint64(i)})
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	got := map[string]jobs.Digest{}
	before := 0
	err := b.WatchDigests(ctx, func(mb string, d jobs.Digest, _ time.Time) {
		if got[mb] = d; len(got) == len(states) {
			stop()
		}
	}, func() {
		before = len(got)
		for i, s := range states[3:] {
			put(t, b, fmt.Sprint("m", i+3), jobs.Record{State: s})
		}
	})
	if err != nil || before != 3 {
		t.Fatalf("%v; %d records before ready, want 3", err, before)
	}
	for i, s := range states {
		if d := got[fmt.Sprint("m", i)]; d.State != s || !d.Enabled {
			t.Errorf("m%d: %+v, want state %q", i, d, s)
		}
	}
}

func TestMailboxes(t *testing.T) {
	b := connect(t, start(t))
	m := events.Mailbox{Address: "a@contoso.example", Mode: events.ModeO365, Enabled: true}
	for i, want := range []bool{true, false} {
		if changed, err := b.PutMailbox(t.Context(), "a=40contoso=2Eexample", m); err != nil || changed != want {
			t.Errorf("put %d: changed %v, %v", i, changed, err)
		}
	}
	all, err := b.Mailboxes(t.Context())
	if err != nil || len(all) != 1 || all[0].Address != m.Address {
		t.Errorf("listed %v, %v", all, err)
	}
	must(t, b.RemoveMailbox(t.Context(), "a=40contoso=2Eexample"))
	if err := b.RemoveMailbox(t.Context(), "a=40contoso=2Eexample"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}
