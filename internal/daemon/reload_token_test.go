package daemon

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/config"
)

// A federated token is renewed by others and read for each request, so that another one is no reason to sign in anew;
// unless the one before was refused, and nothing would be asked for a quarter of an hour.
func TestReload_FederatedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{t: t, right: map[string]bool{"right": true, "renewed": true}, asked: map[string]int{}}
		s.files = map[string]string{"token": "wrong"}
		var c config.Worker
		if err := config.Load(strings.Fields("--tenant-id=t1 --app-id=a --federated-token-file=token"), s.env(), &c); err != nil {
			t.Fatal(err)
		}
		first, err := s.open(c, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.prove(t.Context()); err == nil {
			t.Fatal("the wrong token is right")
		}
		s.cal = newSwapping(first.calendar, first.close)
		r := &reloader{log: zerolog.New(s), look: s.look, again: c.Again, open: s.open, cal: s.cal, relieve: s.relieve, use: func(func(context.Context) error) {}, present: c, prove: first.prove, seen: s.look()}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.run(ctx, nil)
		}()
		s.write("token", "right")
		s.pass(lookEvery + 2*settle)
		s.expect("put right", "t1 federated", trying, inForce)
		s.write("token", "renewed")
		s.pass(time.Minute)
		s.expect("rotated", "t1 federated")
		if s.requests("wrong") != 1 || s.requests("right") != 1 || s.requests("renewed") != 0 {
			t.Errorf("token requests: %v", s.asked)
		}
		stop()
		<-done
		s.cal.close()
	})
}
