package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/testenv"
	"roomsync/internal/tokens"
)

var _ tokens.Store = bus.TokenStore{}

func TestTokenStore_TheFirstWriteAtARevisionWins(t *testing.T) {
	srv := start(t)
	s := connect(t, srv).TokenStore()
	put := func(data string, at uint64, want bool) uint64 {
		t.Helper()
		now, ok, err := s.Put(t.Context(), "k", []byte(data), at)
		if err != nil || ok != want {
			t.Fatalf("put %s at %d: %v, %v; want %v", data, at, ok, err, want)
		}
		return now
	}
	get := func(want string, at uint64) {
		t.Helper()
		if data, revision, err := s.Get(t.Context(), "k"); err != nil || string(data) != want || revision != at {
			t.Errorf("got %q at %d, %v; want %q at %d", data, revision, err, want, at)
		}
	}
	get("", 0)
	first := put("one", 0, true)
	put("two", 0, false)
	get("one", first)
	second := put("two", first, true)
	put("three", first, false)
	get("two", second)

	kv, err := operator(t, srv).KeyValue(t.Context(), "tokens")
	must(t, err)
	must(t, kv.Delete(t.Context(), "k"))
	get("", second+1)
	put("four", 0, false)
	get("four", put("four", second+1, true))
}

// TestTokenStore_ReadsFromTheLeader: a follower that is behind may answer a direct get.
func TestTokenStore_ReadsFromTheLeader(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	defer nc.Close()
	asked := make(chan *nats.Msg, 100)
	_, err = nc.ChanSubscribe("$JS.API.>", asked)
	must(t, err)
	must(t, nc.Flush())
	_, _, err = b.TokenStore().Get(t.Context(), "k")
	must(t, err)
	if m := <-asked; m.Subject != "$JS.API.STREAM.MSG.GET.KV_tokens" {
		t.Errorf("asked %s", m.Subject)
	}
}

func TestTokenStore_WaitsForAChange(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		s := connect(t, srv).TokenStore()
		first, _, err := s.Put(t.Context(), "k", []byte("one"), 0)
		must(t, err)
		if data, now, err := s.Wait(t.Context(), "k", 0); err != nil || string(data) != "one" || now != first {
			t.Errorf("what had changed before: %q at %d, %v", data, now, err)
		}
		result := make(chan string, 1)
		go func() {
			data, now, err := s.Wait(t.Context(), "k", first)
			result <- fmt.Sprint(string(data), " ", now, " ", err)
		}()
		time.Sleep(time.Hour)
		_, _, err = s.Put(t.Context(), "another", []byte("x"), 0)
		must(t, err)
		synctest.Wait()
		select {
		case r := <-result:
			t.Fatalf("returned %s without a change", r)
		default:
		}
		second, _, err := s.Put(t.Context(), "k", []byte("two"), first)
		must(t, err)
		if r, want := <-result, fmt.Sprint("two ", second, " <nil>"); r != want {
			t.Errorf("got %s, want %s", r, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.Wait(ctx, "k", second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a change: %v", err)
		}
		time.Sleep(time.Second)
		if n := consumers(t, srv, "KV_tokens"); n != 0 {
			t.Errorf("%d consumers are left", n)
		}
	})
}

func consumers(t *testing.T, srv *embedded.Server, name string) (n int) {
	for range stream(t, operator(t, srv), name).ConsumerNames(t.Context()).Name() {
		n++
	}
	return n
}

func TestTokenStore_NeedsACheck(t *testing.T) {
	b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: start(t)})
	must(t, err)
	defer b.Close()
	if _, _, err := b.TokenStore().Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "Check") {
		t.Errorf("Get: %v", err)
	}
	if _, _, err := b.TokenStore().Wait(t.Context(), "k", 0); err == nil || !strings.Contains(err.Error(), "Check") {
		t.Errorf("Wait: %v", err)
	}
}

func TestEnsure_MakesABucketOfTokens(t *testing.T) {
	srv := start(t)
	connect(t, srv)
	c := stream(t, operator(t, srv), "KV_tokens").CachedInfo().Config
	if c.MaxMsgsPerSubject != 1 || c.MaxAge < 48*time.Hour || c.Storage != jetstream.FileStorage {
		t.Errorf("history %d, TTL %v, storage %v", c.MaxMsgsPerSubject, c.MaxAge, c.Storage)
	}
}

func TestEnsure_RefusesAnotherBucketOfTokens(t *testing.T) {
	for want, kv := range map[string]jetstream.KeyValueConfig{
		"max_msgs_per_subject": {Bucket: "tokens", History: 5},
		"max_age":              {Bucket: "tokens", TTL: time.Hour},
		"storage":              {Bucket: "tokens", Storage: jetstream.MemoryStorage},
	} {
		srv := start(t)
		_, err := operator(t, srv).CreateKeyValue(t.Context(), kv)
		must(t, err)
		b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: srv})
		must(t, err)
		defer b.Close()
		if err := b.Ensure(t.Context()); !errors.Is(err, bus.ErrMismatch) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "KV_tokens") {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func TestIntact_NamesALostBucketOfTokens(t *testing.T) {
	srv := start(t)
	b := connect(t, srv)
	must(t, operator(t, srv).DeleteKeyValue(t.Context(), "tokens"))
	if err := b.Intact(t.Context()); !errors.Is(err, bus.ErrLost) || !strings.Contains(err.Error(), "KV_tokens") {
		t.Errorf("got %v", err)
	}
	if err := b.Check(t.Context()); err == nil || errors.Is(err, bus.ErrMismatch) || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("Check: %v", err)
	}
}
