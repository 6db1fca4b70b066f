package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// TestBreaker_WholeTenant: a hundred mailboxes are refused at once. The fleet stops asking within seconds, tells of it
// once, asks for canaries now and then, and goes on when they work; nothing that happened meanwhile is lost.
func TestBreaker_WholeTenant(t *testing.T) {
	fleet(t, 100, 3, func(x *tenant) {
		if n := x.during(time.Minute); n < 80 {
			x.T.Fatalf("%d calls a minute before: the test shows nothing", n)
		}
		x.forbid(x.addresses)
		if n := x.during(time.Minute); n > 40 {
			x.T.Errorf("%d calls in the first minute", n)
		}
		x.touch()
		if n := x.during(10 * time.Minute); n > 15 {
			x.T.Errorf("%d calls in ten minutes", n)
		}
		denied, restored, single, _ := x.counts()
		if denied != 1 || restored != 0 || single > 30 { // each of the three workers needs eight or nine
			x.T.Errorf("%d events of the tenant, %d restored, %d of single mailboxes", denied, restored, single)
		}
		d, _ := x.of(events.TypeAccessDenied)
		e := data[events.AccessDenied](x.Env, d[0])
		if e.Scope != events.ScopeTenant || e.Reason != events.RefusedForbidden || e.Refused < 5 || e.Observed < e.Refused || e.Evidence == nil || e.Evidence.Status != 403 {
			x.T.Errorf("told %+v", e)
		}
		x.allow()
		r := x.restored(10 * time.Minute)
		time.Sleep(30 * time.Second)
		if _, _, _, back := x.counts(); back != single {
			x.T.Errorf("half a minute later %d of %d are restored that had been denied before it was known", back, single)
		}
		time.Sleep(12 * time.Minute) // for those held to look again
		if got := data[events.AccessRestored](x.Env, r[0]); got.Partial || got.Scope != events.ScopeTenant || !got.Since.Equal(e.Since) || got.Checks < 3 || !got.LastSeen.After(e.LastSeen) {
			x.T.Errorf("told %+v", got)
		}
		x.settled()
	})
}

// TestBreaker_StopsRunsUnderWay: a run that is in the middle of a mailbox asks for nothing more once the breaker is open.
func TestBreaker_StopsRunsUnderWay(t *testing.T) {
	fleet(t, 40, 1, func(x *tenant) {
		testenv.Must(x.T, x.workers[0].Stop())
		slow := x.addresses[0]
		x.Worker("w2", func(o *worker.Options) {
			o.Calendar = &before{Reader: o.Calendar, f: func(method string) {
				if method == "Get" {
					time.Sleep(30 * time.Second) // fake time
				}
			}}
		})
		m := x.Sim.Company().Mailbox(slow)
		_, err := m.Create(store.Actor{}, m.Calendar(), appointment("changed", time.Now().Add(48*time.Hour)))
		testenv.Must(x.T, err)
		testenv.Must(x.T, x.Bus.Trigger(x.T.Context(), events.MailboxToken(slow), jobs.LaneBooking))
		time.Sleep(time.Second)   // it has the page now, and goes for the item
		x.forbid(x.addresses[1:]) // it itself may be read
		time.Sleep(50 * time.Second)
		if d, _, _, _ := x.counts(); d != 1 {
			x.T.Fatalf("the breaker is not open: %d events", d)
		}
		for _, c := range x.Sim.Faults().Calls(0, slow, 0) {
			if c.Operation == "GetItem" {
				x.T.Errorf("asked at %v although the breaker was open", c.Time)
			}
		}
		x.allow()
		time.Sleep(5 * time.Minute)
		x.mu.Lock()
		defer x.mu.Unlock()
		told := 0
		for _, d := range x.events {
			if d.Type == events.TypeCalendarChanged && d.Mailbox == events.MailboxToken(slow) {
				told++
			}
		}
		if told != 1 {
			x.T.Errorf("the change was told %d times", told)
		}
	})
}

// TestBreaker_NearlyATenant: a roll-out that spares one mailbox of ten. It is found to be partial, the healthy
// go on, and each of the others is told of by itself, without a flood.
func TestBreaker_NearlyATenant(t *testing.T) {
	fleet(t, 200, 2, func(x *tenant) {
		var most []string
		for i, a := range x.addresses {
			if i%10 != 0 {
				most = append(most, a)
			}
		}
		x.forbid(most)
		if n := x.during(time.Minute); n > 80 {
			x.T.Errorf("%d calls in the first minute", n)
		}
		x.touch()
		x.look(x.addresses[0]) // of the healthy: should the first check have met none
		r := x.restored(time.Minute)
		for range 12 { // for those held to look again
			if _, _, single, _ := x.counts(); single < len(most) {
				time.Sleep(time.Minute)
			}
		}
		denied, restored, single, _ := x.counts()
		if denied != 1 || restored != 1 {
			x.T.Errorf("%d denied and %d restored events of the tenant", denied, restored)
		}
		if got := data[events.AccessRestored](x.Env, r[0]); !got.Partial {
			x.T.Errorf("told %+v", got)
		}
		if single != len(most) {
			x.T.Errorf("%d mailboxes were told of, %d are refused", single, len(most))
		}
		perSecond := map[int64]int{}
		_, each := x.of(events.TypeAccessDenied)
		for _, d := range each {
			perSecond[d.Time.Unix()]++
		}
		for at, n := range perSecond {
			if n > 30 { // before it opens, each of the two workers needs nine and more
				x.T.Errorf("%d events in the second %v", n, time.Unix(at, 0).UTC())
			}
		}
		if n := x.during(5 * time.Minute); n < 80 || n > 120 {
			x.T.Errorf("%d calls in five minutes: the healthy make about 100", n)
		}
		x.allow()
		for _, a := range most { // rather than wait for an hour
			testenv.Must(x.T, x.Bus.Look(x.T.Context(), events.MailboxToken(a)))
		}
		time.Sleep(2 * time.Minute)
		if _, _, single, back := x.counts(); back != single {
			x.T.Errorf("%d mailboxes were told to be refused, %d to be restored", single, back)
		}
		x.settled()
	})
}

// TestBreaker_IsObeyedByAll: one worker opens it, another that has seen no refusal stops within a second, and so does
// one that starts later.
func TestBreaker_IsObeyedByAll(t *testing.T) {
	fleet(t, 60, 1, func(x *tenant) {
		x.forbid(x.addresses)
		var opened time.Time
		for opened.IsZero() {
			time.Sleep(100 * time.Millisecond)
			if d, _ := x.of(events.TypeAccessDenied); len(d) > 0 {
				opened = d[0].Time
			}
		}
		x.Worker("late", nil)
		time.Sleep(time.Second)
		if n := x.during(50 * time.Second); n != 0 {
			x.T.Errorf("%d calls while the breaker was open and no check was due", n)
		}
		x.allow()
		x.touch()
		time.Sleep(5 * time.Minute)
		x.settled()
	})
	fleet(t, 60, 2, func(x *tenant) {
		calls := x.calls(func() {
			x.forbid(x.addresses)
			for {
				time.Sleep(100 * time.Millisecond)
				if d, _ := x.of(events.TypeAccessDenied); len(d) > 0 {
					break
				}
			}
			time.Sleep(time.Second)
		})
		if n := x.during(40 * time.Second); n != 0 || calls > 30 {
			x.T.Errorf("%d calls before, %d after the breaker opened", calls, n)
		}
		x.allow()
		x.touch()
		time.Sleep(5 * time.Minute)
		x.settled()
	})
}

// TestBreaker_Permission: an answer that is the whole app's opens it at the first refusal, also at the very beginning.
func TestBreaker_Permission(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 50, Items: -1}})
		rule, err := e.Sim.Faults().Add(faults.Rule{Fault: "H22", Then: []faults.Then{{Status: 403,
			Headers: map[string]string{"X-Ms-Diagnostics": `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`}}}})
		testenv.Must(t, err)
		ch := e.Events("*")
		e.Dispatcher()
		e.Worker("w1", func(o *worker.Options) {
			o.Identity = jobs.Identity{SignIn: jobs.SignInApp, App: "app-1"}
			o.Slots = map[jobs.Lane]int{jobs.LanePoll: 4, jobs.LaneBooking: 1, jobs.LaneNotify: 1}
		})
		for _, m := range e.Sim.Company().Mailboxes() {
			e.Want(m.Address)
		}
		d := e.Next(ch, time.Minute)
		got := data[events.AccessDenied](e, d)
		if got.Scope != events.ScopeApp || got.Reason != events.RefusedPermission || !strings.Contains(got.Hint, "full_access_as_app") || !strings.HasPrefix(d.Mailbox, "_tenant-") {
			t.Fatalf("got %s", d.Data)
		}
		e.Quiet(ch, 30*time.Minute)
		if n := e.Sim.Faults().Counters().Calls; n > 30 {
			t.Errorf("%d calls in half an hour", n)
		}
		e.Sim.Faults().Remove(rule.ID)
		synced := map[string]bool{}
		restored := 0
		for len(synced) < 50 {
			switch d := e.Next(ch, 40*time.Minute); d.Type {
			case events.TypeSyncCompleted:
				synced[d.Mailbox] = true
			case events.TypeAccessRestored:
				restored++
			default:
				t.Fatalf("got %s %s", d.Type, d.Data)
			}
		}
		if restored != 1 {
			t.Errorf("%d restored events", restored)
		}
	})
}

// TestBreaker_OperatorLooks: a mailbox that is held is looked at when an operator asks, and when it works all go on.
func TestBreaker_OperatorLooks(t *testing.T) {
	fleet(t, 40, 1, func(x *tenant) {
		x.forbid(x.addresses)
		time.Sleep(35 * time.Minute) // the next check is half an hour away
		address := ""
		for _, a := range x.addresses {
			if r := record(x.Env, a); !r.Held.IsZero() && r.State == jobs.StateOK {
				address = a
			}
		}
		if address == "" {
			x.T.Fatal("no mailbox is held")
		}
		mb := events.MailboxToken(address)
		look := func() int {
			return x.calls(func() {
				testenv.Must(x.T, x.Bus.Look(x.T.Context(), mb))
				time.Sleep(2 * time.Second)
			})
		}
		if n := look(); n != 1 {
			x.T.Errorf("%d calls when an operator asks while all is refused", n)
		}
		if denied, restored, single, _ := x.counts(); denied != 1 || restored != 0 || single > 10 {
			x.T.Errorf("%d denied, %d restored, %d single", denied, restored, single)
		}
		x.touch()
		x.allow()
		if n := look(); n < 1 {
			x.T.Error("an operator's look was held")
		}
		if r, _ := x.of(events.TypeAccessRestored); len(r) != 1 {
			x.T.Fatalf("%d restored events after a look that worked", len(r))
		}
		time.Sleep(15 * time.Minute)
		for _, a := range x.addresses { // the first few were refused by themselves
			if r := record(x.Env, a); r.State == jobs.StateDenied {
				testenv.Must(x.T, x.Bus.Look(x.T.Context(), events.MailboxToken(a)))
			}
		}
		time.Sleep(time.Minute)
		x.settled()
	})
}

// stuck is a calendar whose requests never end; asked is told of each.
type stuck struct {
	calsync.Reader
	asked chan string
}

func (s *stuck) Probe(ctx context.Context, t calsync.Target, _ string, _ int) (calsync.Delta, error) {
	s.asked <- t.Address
	<-ctx.Done()
	return calsync.Delta{}, ctx.Err()
}

// TestBreaker_WorkerKilledWhileProbing: the worker that asks for a canary dies with the request. Another takes over, and
// the breaker closes.
func TestBreaker_WorkerKilledWhileProbing(t *testing.T) {
	fleet(t, 40, 1, func(x *tenant) {
		x.forbid(x.addresses)
		time.Sleep(30 * time.Second)
		testenv.Must(x.T, x.workers[0].Stop())
		b, asked := x.Connect("doomed"), make(chan string, 100)
		testenv.Must(x.T, b.Check(x.T.Context()))
		doomed, err := worker.New(worker.Options{Name: "doomed", Bus: b, Calendar: &stuck{x.Client(), asked}})
		testenv.Must(x.T, err)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = doomed.Run(ctx) // it is cut off from NATS
		}()
		defer func() { stop(); <-done }()
		select {
		case <-asked:
		case <-time.After(5 * time.Minute):
			x.T.Fatal("no canary was asked for")
		}
		b.Close() // as a kill looks to the others: no release, no more renewals
		x.allow()
		x.touch()
		x.Worker("heir", nil)
		time.Sleep(5 * time.Minute)
		if denied, restored, _, _ := x.counts(); denied != 1 || restored != 1 {
			x.T.Errorf("%d denied and %d restored events of the tenant", denied, restored)
		}
		for _, a := range x.addresses { // those refused before the breaker opened: the worker that knew them is gone
			if r := record(x.Env, a); r.State == jobs.StateDenied {
				testenv.Must(x.T, x.Bus.Look(x.T.Context(), events.MailboxToken(a)))
			}
		}
		time.Sleep(time.Minute)
		x.settled()
	})
}

// TestBreaker_CannotBeStored: then every mailbox is handled by itself, and nothing is lost.
func TestBreaker_CannotBeStored(t *testing.T) {
	fleet(t, 20, 1, func(x *tenant) {
		limit := func(n int32) {
			nc, err := nats.Connect("", nats.InProcessServer(x.NATS))
			testenv.Must(x.T, err)
			defer nc.Close()
			js, err := jetstream.New(nc)
			testenv.Must(x.T, err)
			s, err := js.Stream(x.T.Context(), "KV_"+events.BucketThrottle)
			testenv.Must(x.T, err)
			cfg := s.CachedInfo().Config
			cfg.MaxMsgSize = n
			_, err = js.UpdateStream(x.T.Context(), cfg)
			testenv.Must(x.T, err)
		}
		limit(10)
		x.forbid(x.addresses)
		x.touch()
		time.Sleep(2 * time.Minute)
		if denied, _, single, _ := x.counts(); denied != 0 || single != 20 {
			x.T.Errorf("%d events of the tenant, %d of single mailboxes", denied, single)
		}
		limit(-1)
		x.allow()
		time.Sleep(70 * time.Minute)
		x.settled()
	})
}
