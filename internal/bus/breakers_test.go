package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
)

func open(t *testing.T) jobs.Breaker {
	t.Helper()
	b := jobs.Breaker{Epoch: "e1"}
	x := &jobs.Failure{Class: jobs.Denied, Scope: jobs.ScopeMailbox, Code: "HTTP 403", Reason: events.RefusedForbidden}
	b.Trip(jobs.Opening{Mailbox: "r", Refusal: x, Refused: 5, Observed: 5}, time.Now(), time.Hour)
	return b
}

// change is what a watch of breakers tells.
type change struct {
	key  string
	open bool
	seq  uint64
}

func watch(t *testing.T, b *bus.Bus) (changes chan change, loaded chan struct{}) {
	t.Helper()
	changes, loaded = make(chan change, 100), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.WatchBreakers(ctx, func(key string, x jobs.Breaker, seq uint64) { changes <- change{key, x.Open, seq} }, func() { close(loaded) })
	}()
	t.Cleanup(func() {
		stop()
		must(t, <-done)
	})
	return changes, loaded
}

func told(t *testing.T, ch chan change) change {
	t.Helper()
	select {
	case c := <-ch:
		return c
	case <-time.After(5 * time.Second):
		t.Fatal("no change was told")
		return change{}
	}
}

// TestBreakers_OneWins: of two who change a breaker at once one does, and everybody hears of it, also who comes later.
func TestBreakers_OneWins(t *testing.T) {
	srv := start(t)
	a, b := connect(t, srv), connect(t, srv)
	changes, loaded := watch(t, b)
	<-loaded // there is none, and that is known
	if x, seq, err := a.Breaker(t.Context(), "k"); err != nil || seq != 0 || x.Open {
		t.Fatalf("a breaker that nobody opened: %+v at %d, %v", x, seq, err)
	}
	x := open(t)
	seq, err := a.PutBreaker(t.Context(), "k", &x, 0)
	must(t, err)
	if _, err := b.PutBreaker(t.Context(), "k", &x, 0); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("a second one opened it as well: %v", err)
	}
	if c := told(t, changes); c != (change{"k", true, seq}) {
		t.Errorf("told %+v", c)
	}
	got, at, err := b.Breaker(t.Context(), "k")
	if err != nil || at != seq || !got.Open || got.Refused != 5 || got.Refusal.Reason != events.RefusedForbidden {
		t.Errorf("read %+v at %d, %v", got, at, err)
	}
	later, loaded := watch(t, a)
	if c := told(t, later); c.key != "k" || !c.open {
		t.Errorf("who comes later is told %+v", c)
	}
	<-loaded
	x.Worked("r", false, time.Now())
	_, err = a.PutBreaker(t.Context(), "k", &x, seq)
	must(t, err)
	if c := told(t, changes); c.open {
		t.Errorf("told %+v", c)
	}
}

// TestBreakers_EntryThatMakesNoSense counts as closed, and so does one that an operator removes.
func TestBreakers_EntryThatMakesNoSense(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	kv, err := js.KeyValue(t.Context(), events.BucketThrottle)
	must(t, err)
	changes, _ := watch(t, b)
	for _, text := range []string{"{", `{"open":true}`, `[]`} {
		_, err = kv.Put(t.Context(), "access.k", []byte(text))
		must(t, err)
		if c := told(t, changes); c.open {
			t.Errorf("%s opens it", text)
		}
		if _, _, err := b.Breaker(t.Context(), "k"); err == nil {
			t.Errorf("%s is read without an error", text)
		}
	}
	must(t, kv.Delete(t.Context(), "access.k"))
	removed := told(t, changes)
	if x, at, err := b.Breaker(t.Context(), "k"); err != nil || x.Open || at != removed.seq {
		t.Errorf("removed: %+v at %d, %v", x, at, err)
	}
	x := open(t)
	_, err = b.PutBreaker(t.Context(), "k", &x, removed.seq)
	must(t, err)
	if c := told(t, changes); !c.open {
		t.Errorf("opened over what was removed: %+v", c)
	}
}

// TestFlushBreaker_TellsOnce, whoever repeats it.
func TestFlushBreaker_TellsOnce(t *testing.T) {
	srv := start(t)
	a, b := connect(t, srv), connect(t, srv)
	token := events.TenantToken("k")
	x := open(t)
	x.Outbox = []jobs.Outgoing{
		{Kind: jobs.OutEvent, ID: token + "/e1/1/0", Type: events.TypeAccessDenied, Data: []byte(`{}`)},
		{Kind: jobs.OutEvent, ID: token + "/e1/2/0", Type: events.TypeAccessRestored, Data: []byte(`{}`)},
	}
	y := x.Clone()
	must(t, a.FlushBreaker(t.Context(), token, &x))
	must(t, b.FlushBreaker(t.Context(), token, &y))
	if len(x.Outbox)+len(y.Outbox) != 0 || x.EventSeq == 0 || x.EventSeq != y.EventSeq {
		t.Errorf("outboxes %v and %v, at %d and %d", x.Outbox, y.Outbox, x.EventSeq, y.EventSeq)
	}
	var types []string
	err := a.Events(t.Context(), token, 1, func(d bus.Delivered) error {
		if types = append(types, d.Type); d.Sequence == x.EventSeq {
			return errors.New("enough")
		}
		return nil
	})
	if err == nil || len(types) != 2 || types[0] != events.TypeAccessDenied || types[1] != events.TypeAccessRestored {
		t.Errorf("told %q, %v", types, err)
	}
}
