package worker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/testenv"
)

// purge removes every breaker, as nats stream purge does: nobody who watches is told.
func (x *tenant) purge() {
	nc, err := nats.Connect("", nats.InProcessServer(x.NATS))
	testenv.Must(x.T, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	testenv.Must(x.T, err)
	s, err := js.Stream(x.T.Context(), "KV_"+events.BucketThrottle)
	testenv.Must(x.T, err)
	testenv.Must(x.T, s.Purge(x.T.Context()))
}

// opened waits until the breaker is open.
func (x *tenant) opened(patience time.Duration) {
	x.T.Helper()
	for range patience / time.Second {
		if denied, _, _, _ := x.counts(); denied > 0 {
			return
		}
		time.Sleep(time.Second)
	}
	x.T.Fatalf("the breaker is not open within %v", patience)
}

// TestGate_SequenceGoesBack: what a worker knows of the breaker is not there any more. It finds out at the next check, and
// goes on; a breaker that is opened anew is obeyed.
func TestGate_SequenceGoesBack(t *testing.T) {
	fleet(t, 20, 2, func(x *tenant) {
		x.forbid(x.addresses)
		x.opened(2 * time.Minute)
		x.purge()
		x.touch()
		time.Sleep(15 * time.Minute)
		if n := x.during(10 * time.Minute); n > 60 {
			x.T.Errorf("%d calls in ten minutes", n)
		}
		x.purge()
		x.allow()
		time.Sleep(80 * time.Minute) // for those that were denied each by itself
		x.settled()
	})
}
