package worker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
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

// TestBreaker_OnlyCanaryIsRemoved: the others were denied before it opened. They close it at their own re-checks.
func TestBreaker_OnlyCanaryIsRemoved(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 8, Items: -1}})
		ch := e.Events("*")
		e.Dispatcher()
		e.Worker("w1", nil)
		all := e.Sim.Company().Mailboxes()
		for _, m := range all[:7] {
			testenv.Must(t, e.Sim.Faults().Forbid(m.Address, faults.Denied403))
			e.Want(m.Address)
		}
		for range 7 {
			e.Next(ch, time.Minute)
		}
		rule, err := e.Sim.Faults().Add(faults.Rule{Fault: "H22", Then: []faults.Then{{Status: 403,
			Headers: map[string]string{"X-Ms-Diagnostics": `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`}}}})
		testenv.Must(t, err)
		eighth := e.Want(all[7].Address)
		if d := e.Next(ch, time.Minute); d.Type != events.TypeAccessDenied || d.Mailbox == eighth {
			t.Fatalf("got %s of %s", d.Type, d.Mailbox)
		}
		testenv.Must(t, e.Bus.RemoveMailbox(t.Context(), eighth))
		e.Sim.Faults().Remove(rule.ID)
		for _, m := range all[:7] {
			e.Sim.Faults().Allow(m.Address)
		}
		time.Sleep(150 * time.Minute) // two re-checks
		for _, m := range all[:7] {
			if r := record(e, m.Address); r.State != jobs.StateOK {
				t.Errorf("%s: state %q, held until %v", m.Address, r.State, r.Held)
			}
		}
	})
}

// TestBreaker_FiveMailboxes: each was refused, so that there is none that worked to ask as well. The first is asked again
// and again, and closes it.
func TestBreaker_FiveMailboxes(t *testing.T) {
	fleet(t, 5, 1, func(x *tenant) {
		look := func(address string) {
			testenv.Must(x.T, x.Bus.Look(x.T.Context(), events.MailboxToken(address)))
			time.Sleep(time.Second)
		}
		look(x.addresses[0]) // it works last, and is refused first
		x.forbid(x.addresses)
		for _, a := range x.addresses {
			look(a)
		}
		x.opened(time.Second)
		time.Sleep(3 * time.Minute)
		x.allow()
		x.restored(9 * time.Minute)
	})
}

// TestBreaker_OfAFormerSignIn is closed by those who sign in otherwise, and told once.
func TestBreaker_OfAFormerSignIn(t *testing.T) {
	fleet(t, 20, 1, func(x *tenant) {
		x.forbid(x.addresses)
		x.opened(2 * time.Minute)
		testenv.Must(x.T, x.workers[0].Stop())
		x.allow()
		for _, name := range []string{"w1", "w2"} {
			x.Worker(name, func(o *worker.Options) { o.Identity = jobs.Identity{SignIn: jobs.SignInApp, App: "another"} })
		}
		time.Sleep(110 * time.Minute)
		if _, restored, _, _ := x.counts(); restored != 0 {
			x.T.Error("closed before two re-checks")
		}
		r := x.restored(time.Hour)
		time.Sleep(time.Hour)
		d, _ := x.of(events.TypeAccessDenied)
		if _, restored, _, _ := x.counts(); restored != 1 || r[0].Mailbox != d[0].Mailbox || !data[events.AccessRestored](x.Env, r[0]).Partial {
			x.T.Errorf("%d restored events, the first %s of %s", restored, r[0].Data, r[0].Mailbox)
		}
	})
}
