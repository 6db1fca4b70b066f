package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// badge is a sign-in that can be taken away. Its reader fails as one without a token does.
type badge struct {
	mu      sync.Mutex
	why     *worker.NoSignIn
	gone    bool // found out by whoever asks for something, or by Doubt
	changed chan struct{}
	doubts  int
}

func newBadge() *badge { return &badge{changed: make(chan struct{})} }

func (b *badge) Now() (*worker.NoSignIn, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why, b.changed
}

func (b *badge) Doubt(context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubts++
	if b.gone && b.why == nil {
		b.set(wrongSecret())
	}
}

func wrongSecret() *worker.NoSignIn {
	return &worker.NoSignIn{Cause: jobs.Cause{
		Reason: events.RefusedSignIn, Code: "invalid_client", AADSTS: 7000215, Status: 401, Since: time.Now(), Next: time.Now().Add(15 * time.Minute),
		Problem: "no access token (invalid_client, AADSTS7000215, HTTP 401)", Advice: "the client secret is wrong",
	}}
}

func (b *badge) set(why *worker.NoSignIn) {
	b.why = why
	close(b.changed)
	b.changed = make(chan struct{})
}

// lose takes the sign-in away; known says that the worker knows it at once.
func (b *badge) lose(known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	if known {
		b.set(wrongSecret())
	}
}

func (b *badge) find() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = false
	b.set(nil)
}

func (b *badge) lost() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone
}

// badged is a reader that needs the badge.
type badged struct {
	calsync.Reader
	badge *badge
}

func (b badged) Probe(ctx context.Context, t calsync.Target, cursor string, most int) (calsync.Delta, error) {
	if b.badge.lost() {
		return calsync.Delta{}, &calsync.Fault{Operation: "SyncFolderItems", Kind: calsync.FaultToken, Code: "invalid_client", Status: 401, BackOff: 15 * time.Minute}
	}
	return b.Reader.Probe(ctx, t, cursor, most)
}

// squad is a fleet of workers with badges, and what ROOMS is told of their sign-in.
type squad struct {
	*testenv.Env
	badges []*badge
	taken  []int // jobs that ended, by worker
	codes  map[string]int

	mu   sync.Mutex
	told []bus.Delivered
}

// muster starts workers, those without a badge first, and a tenant of mailboxes that are in step.
func muster(t *testing.T, mailboxes int, lost []bool, f func(s *squad)) {
	testenv.Bubble(t, func(t *testing.T) {
		s := &squad{Env: testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: mailboxes, Items: -1}}), taken: make([]int, len(lost)), codes: map[string]int{}}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			testenv.Must(t, s.Bus.Events(ctx, bus.OutageToken, 1, func(d bus.Delivered) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.told = append(s.told, d)
				return nil
			}))
		}()
		t.Cleanup(func() { stop(); <-done })
		s.Dispatcher()
		for i, lost := range lost {
			s.recruit(i, lost)
		}
		for _, m := range s.Sim.Company().Mailboxes() {
			s.Want(m.Address)
		}
		f(s)
	})
}

func (s *squad) recruit(i int, lost bool) {
	b := newBadge()
	if lost {
		b.lose(true)
	}
	s.badges = append(s.badges, b)
	s.Worker(fmt.Sprint("w", i), func(o *worker.Options) {
		o.Calendar, o.SignIn = badged{o.Calendar, b}, b
		o.Observe = func(x worker.Outcome) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.taken[i]++
			s.codes[x.Code]++
		}
	})
}

func (s *squad) jobs(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken[i]
}

func (s *squad) types() (types []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.told {
		types = append(types, d.Type)
	}
	return types
}

// late is the longest that any mailbox has not been read.
func (s *squad) late() (worst time.Duration) {
	for _, m := range s.Sim.Company().Mailboxes() {
		r, _, err := s.Bus.Record(s.T.Context(), events.MailboxToken(m.Address))
		testenv.Must(s.T, err)
		if r.State != jobs.StateOK || r.LastError != nil {
			s.T.Errorf("%s is %q after %+v", m.Address, r.State, r.LastError)
		}
		worst = max(worst, s.Bus.Now().Sub(r.LastOK))
	}
	return worst
}

// TestSignIn_AWorkerWithoutOneTakesNoJob: the others get them all, no mailbox is late, and ROOMS is told nothing. It takes
// jobs when it can sign in.
func TestSignIn_AWorkerWithoutOneTakesNoJob(t *testing.T) {
	muster(t, 20, []bool{true, false, false}, func(s *squad) {
		for range 10 {
			time.Sleep(time.Minute)
			if late := s.late(); late > 75*time.Second { // polled every minute or so
				s.T.Errorf("a mailbox was not read for %v", late)
			}
		}
		if n := s.jobs(0); n != 0 {
			s.T.Errorf("the worker without a sign-in took %d jobs", n)
		}
		if got := s.types(); len(got) > 0 {
			s.T.Errorf("told %v", got)
		}
		s.badges[0].find()
		time.Sleep(5 * time.Minute)
		if s.jobs(0) == 0 {
			s.T.Error("it takes no jobs although it can sign in")
		}
	})
}

// TestSignIn_LostInTheMiddle: what a worker has in hand goes back to the others at once, and counts as no attempt.
func TestSignIn_LostInTheMiddle(t *testing.T) {
	muster(t, 20, []bool{false, false}, func(s *squad) {
		time.Sleep(3 * time.Minute)
		s.late()
		s.badges[0].lose(false)
		for range 5 {
			time.Sleep(time.Minute)
			if late := s.late(); late > 80*time.Second {
				s.T.Errorf("a mailbox was not read for %v", late)
			}
		}
		s.mu.Lock()
		back, others := s.codes["no sign-in"], len(s.codes)
		s.mu.Unlock()
		if back == 0 || others != 2 {
			s.T.Errorf("outcomes %v", s.codes)
		}
		n := s.jobs(0)
		time.Sleep(3 * time.Minute)
		if s.jobs(0) != n {
			s.T.Errorf("it took %d more jobs", s.jobs(0)-n)
		}
	})
}

// TestSignIn_OneEventForTheFleet: when nobody can sign in for a minute, ROOMS is told once, however many workers there are,
// and once when it is over; nothing is asked of Exchange meanwhile, and everything is caught up with then.
func TestSignIn_OneEventForTheFleet(t *testing.T) {
	muster(t, 10, make([]bool, 8), func(s *squad) {
		time.Sleep(3 * time.Minute)
		s.late()
		calls := len(s.Sim.Faults().Calls(0, "", 0))
		for _, b := range s.badges {
			b.lose(true)
		}
		time.Sleep(50 * time.Second)
		if got := s.types(); len(got) > 0 {
			s.T.Errorf("told %v within a minute", got)
		}
		time.Sleep(time.Hour)
		x, _, err := s.Bus.Outage(s.T.Context())
		testenv.Must(s.T, err)
		if !x.Open || x.Cause.AADSTS != 7000215 || x.Cause.Reason != events.RefusedSignIn || len(x.Outbox) > 0 {
			s.T.Errorf("stored %+v", x)
		}
		if n := len(s.Sim.Faults().Calls(0, "", 0)) - calls; n > 10 {
			s.T.Errorf("%d calls without a sign-in", n)
		}
		for _, b := range s.badges[2:] {
			b.find()
		}
		time.Sleep(2 * time.Minute)
		s.late()
		if got, want := s.types(), []string{events.TypeAccessDenied, events.TypeAccessRestored}; !slices.Equal(got, want) {
			s.T.Fatalf("told %v, want %v", got, want)
		}
		d, r := data[events.AccessDenied](s.Env, s.told[0]), data[events.AccessRestored](s.Env, s.told[1])
		if d.Scope != events.ScopeCredential || d.Reason != events.RefusedSignIn || d.Mailbox != "" || !strings.Contains(d.Hint, "AADSTS7000215") || !strings.Contains(d.Hint, "secret is wrong") {
			s.T.Errorf("told %+v", d)
		}
		if !r.Since.Equal(d.Since) || r.Until.Sub(r.Since) < time.Hour || r.Scope != d.Scope || r.Reason != d.Reason {
			s.T.Errorf("told %+v", r)
		}
		time.Sleep(time.Hour) // two cannot sign in still, and are contradicted
		if got := s.types(); len(got) != 2 {
			s.T.Errorf("told %v", got)
		}
	})
}

// TestSignIn_DoubtsOfWorkersThatAreGone count for nothing: another fleet that starts without a sign-in has its own minute.
func TestSignIn_DoubtsOfWorkersThatAreGone(t *testing.T) {
	muster(t, 2, nil, func(s *squad) {
		s.taken = make([]int, 1)
		old := jobs.Outage{Doubted: s.Bus.Now(), Renewed: s.Bus.Now(), Epoch: "old"}
		_, err := s.Bus.PutOutage(s.T.Context(), &old, 0)
		testenv.Must(s.T, err)
		time.Sleep(24 * time.Hour)
		s.recruit(0, true)
		time.Sleep(50 * time.Second)
		if got := s.types(); len(got) > 0 {
			s.T.Errorf("told %v within a minute", got)
		}
		time.Sleep(2 * time.Minute)
		if got := s.types(); len(got) != 1 {
			s.T.Errorf("told %v", got)
		}
	})
}
