// Package worker takes jobs from the queue and brings mailboxes up to date.
//
// One job goes through these steps, and any process may die between any two of them:
//
//	take a token → acquire the record (run.go) → publish what a predecessor committed
//	→ go through the gate to the server, or be held (gate.go, breaker.go)
//	→ read what changed (pull.go, listing.go, roll.go) → commit it with the new cursor → publish it
//	→ release the record → store the schedule of the next token → acknowledge the token
//
// What a failure leads to is decided in package jobs and carried out in outcome.go and refusal.go.
package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// Options say what a worker works with. Bus and Calendar are needed, the rest has defaults.
type Options struct {
	Name     string // of this worker, unique in the fleet
	Bus      *bus.Bus
	Calendar calsync.Reader
	Log      zerolog.Logger

	// Delegate says that the calendar is read by rights of our own in each mailbox, and not as its owner.
	Delegate bool
	Identity jobs.Identity // as whom Calendar signs in, for advice to administrators
	Server   string        // URL of the mailboxes that name none

	// SignIn says when no job is to be taken, since nothing can be asked of Exchange; nil when that is not known.
	SignIn SignIn

	PollInterval  time.Duration // between polls of a mailbox, default one minute
	AccessRecheck time.Duration // between looks at a refused mailbox, default one hour
	PageSize      int           // changes asked for at once, default 100, at most 512
	PastDays      int           // window, default 7
	FutureDays    int           // window, default 365
	Slots         map[jobs.Lane]int
	StopTimeout   time.Duration // for jobs in hand when stopping, default 15 s: with handing back, 25 s in all
	// Observe is told of every job that ended; optional, called from many goroutines.
	Observe func(Outcome)
}

// Outcome is how a job ended.
type Outcome struct {
	Mailbox string
	Lane    jobs.Lane
	Took    time.Duration
	Changes int
	Verdict jobs.Class // "" for success
	Code    string
}

func (o *Options) defaults() {
	o.Identity.Delegate = o.Delegate
	o.PollInterval = or(o.PollInterval, time.Minute)
	o.AccessRecheck = or(o.AccessRecheck, time.Hour)
	o.PageSize = min(or(o.PageSize, 100), 512)
	o.PastDays, o.FutureDays = or(o.PastDays, 7), or(o.FutureDays, 365)
	o.StopTimeout = or(o.StopTimeout, 15*time.Second)
	slots := map[jobs.Lane]int{jobs.LaneBooking: 64, jobs.LaneNotify: 64, jobs.LanePoll: 256}
	for lane, n := range o.Slots {
		slots[lane] = or(n, slots[lane])
	}
	o.Slots = slots
	if o.SignIn == nil {
		o.SignIn = always{}
	}
	if o.Observe == nil {
		o.Observe = func(Outcome) {}
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Worker takes jobs until it is stopped.
type Worker struct {
	opts Options
	bus  *bus.Bus
	cal  calsync.Reader
	// writer is nil where the calendar can only be read: then ROOMS' events wait.
	writer calsync.Writer
	log    zerolog.Logger

	busy sync.WaitGroup
	jobs atomic.Int64 // in hand
	runs atomic.Uint64
	open atomic.Int32 // lanes being served

	lanes sync.Map // of lane to its *bus.Queue
	heard sync.Map // of trouble to when it was last logged as a warning
	tally tally

	gates  sync.Map // of key to *gate
	byURL  sync.Map // of a mailbox's URL to its *gate
	asides chan func(context.Context)
	known  atomic.Bool // the gates are as the fleet sees them
}

// New makes a worker. Its bus must have been through Ensure or Check.
func New(o Options) (*Worker, error) {
	if o.Bus == nil || o.Calendar == nil || o.Name == "" {
		return nil, errors.New("worker: name, bus and calendar are needed")
	}
	o.defaults()
	writer, _ := o.Calendar.(calsync.Writer)
	return &Worker{opts: o, bus: o.Bus, cal: o.Calendar, writer: writer, log: o.Log, asides: make(chan func(context.Context), 64)}, nil
}

// Busy is the number of jobs in hand.
func (w *Worker) Busy() int { return int(w.jobs.Load()) }

// Ready says why the worker cannot do its work at the moment, or nothing.
func (w *Worker) Ready() error {
	why, _ := w.opts.SignIn.Now()
	switch {
	case !w.bus.Up():
		return errors.New("no connection to NATS")
	case why != nil:
		return why
	case !w.known.Load():
		return errors.New("which servers refuse us is still being read")
	case int(w.open.Load()) < len(jobs.Lanes):
		return errors.New("not every lane is open")
	}
	var err error
	w.lanes.Range(func(lane, q any) bool {
		if silent := q.(*bus.Queue).Silent(); silent > time.Minute {
			err = fmt.Errorf("NATS has said nothing about lane %s for %s: its consumer is wedged, or a permission is missing", lane, silent.Round(time.Second))
		}
		return err == nil
	})
	return err
}

// Run works until ctx ends, then takes no new job, gives those in hand StopTimeout to finish, hands the rest back,
// and returns. An error says that work could not begin or go on.
func (w *Worker) Run(ctx context.Context) error {
	fetch, stopFetching := context.WithCancelCause(ctx)
	work, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	defer stopFetching(nil)
	go w.bus.KeepClock(fetch)
	var lanes sync.WaitGroup
	loaded := make(chan struct{})
	lanes.Go(func() { w.doAside(fetch) })
	lanes.Go(func() { w.summarize(fetch) })
	lanes.Go(func() {
		if err := w.watchGates(fetch, func() { close(loaded) }); err != nil {
			stopFetching(err)
		}
	})
	select {
	case <-loaded: // not before: no worker may begin by asking a server that refuses all
		w.known.Store(true)
	case <-fetch.Done():
	}
	lanes.Go(func() {
		if err := w.watchOutage(fetch); err != nil {
			stopFetching(err)
		}
	})
	for _, lane := range jobs.Lanes {
		lanes.Go(func() {
			if err := w.serve(fetch, work, lane); err != nil {
				stopFetching(err)
			}
		})
	}
	<-fetch.Done()
	lanes.Wait()
	w.finish(cancelWork)
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(fetch)
}

// finish waits for the jobs in hand. Those that do not end in time are cancelled, and hand their mailboxes back.
func (w *Worker) finish(cancelWork func()) {
	done := make(chan struct{})
	go func() { w.busy.Wait(); close(done) }()
	t := time.NewTimer(w.opts.StopTimeout)
	defer t.Stop()
	select {
	case <-done:
		return
	case <-t.C:
		w.log.Warn().Int("jobs", w.Busy()).Msg("jobs still in hand after the time to stop; handing them back")
	}
	cancelWork()
	<-done
}

// take opens a lane, patiently: at start the server may just be electing a leader.
func (w *Worker) take(ctx context.Context, lane jobs.Lane, ahead int) (*bus.Queue, error) {
	for attempt := 1; ; attempt++ {
		q, err := w.bus.Take(ctx, lane, ahead)
		if err == nil || ctx.Err() != nil {
			return q, nil
		}
		if attempt == 10 {
			return nil, err
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return nil, nil
		}
	}
}

// handBack gives tokens that were fetched and not begun to others at once, rather than after the acknowledgement's
// time.
func (w *Worker) handBack(q *bus.Queue) {
	q.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for {
		tok, err := q.Next(ctx)
		if err != nil {
			q.Stop()
			return
		}
		_ = tok.HandBack()
	}
}

// handle does one job. Whatever happens in it, panics included, stays with its mailbox.
func (w *Worker) handle(ctx context.Context, tok bus.Token, s *shift) {
	began := time.Now()
	defer func() {
		if p := recover(); p != nil { // outside the job itself; the token and the lease run out
			w.log.Error().Str("mailbox", tok.Mailbox).Str("stack", string(debug.Stack())).Msg("panic beside a job")
		}
	}()
	r, err := w.acquire(ctx, tok)
	if err != nil {
		w.log.Warn().Str("mailbox", tok.Mailbox).Err(err).Msg("token left to be delivered again")
		return
	}
	if r == nil {
		return
	}
	r.shift = s
	stop := r.keep(ctx)
	err = r.guarded(ctx)
	stop()
	out := r.conclude(ctx, err)
	out.Took = time.Since(began)
	w.opts.Observe(out)
}

// guarded runs the job and turns a panic into an error.
func (r *run) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.w.log.Error().Str("mailbox", r.mb).Str("stack", string(debug.Stack())).Msg("panic in a job")
			err = &calsync.Fault{Operation: "job", Kind: "panic", Code: "panic"}
		}
	}()
	return r.sync(calsync.WithCall(ctx, calsync.Call{Guard: r.guard, Fence: r.fence()}))
}

// source draws the randomness of delays; the global source is safe and unseeded.
func (w *Worker) source() *rand.Rand { return rand.New(globalSource{}) }

type globalSource struct{}

func (globalSource) Uint64() uint64 { return rand.Uint64() }

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
