// Package daemon puts a configuration's parts together and runs them: what cmd/worker, cmd/dispatcher, the single
// binary and the demo have in common.
package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/config"
	"roomsync/internal/dispatcher"
	"roomsync/internal/jobs"
	"roomsync/internal/ops"
	"roomsync/internal/tokens"
	"roomsync/internal/worker"
)

// Extra are what a caller in the same process may add.
type Extra struct {
	InProcess nats.InProcessConnProvider // instead of the configured NATS URL
	Observe   func(worker.Outcome)
	// StopTimeout is what jobs in hand get when a worker is to stop; the worker's own default when 0.
	StopTimeout time.Duration
	// Dispatcher is told of the dispatcher before it runs.
	Dispatcher func(*dispatcher.Dispatcher)
	// Hangup makes a worker read its configuration anew at once, and sign in anew; optional. See [Hangup].
	Hangup <-chan os.Signal
}

// Name makes a worker's name, unique in the fleet: host and six random letters.
func Name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return host + "-" + rand.Text()[:6]
}

// Connect reaches NATS as configured.
func Connect(ctx context.Context, c config.NATS, name string, log zerolog.Logger, in nats.InProcessConnProvider) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Options{URL: c.URL, CredsFile: c.CredsFile, Name: name, Log: log, InProcess: in})
}

// patience is how long a worker waits for the streams, which a dispatcher creates when it starts.
const patience = time.Minute

// Worker runs a worker until ctx ends.
func Worker(ctx context.Context, c config.Worker, log zerolog.Logger, x Extra) error {
	name := Name()
	log = log.With().Str("worker", name).Logger()
	log.Info().Str("nats", c.NATS.URL).Str("exchange", c.EWSURL).Str("auth", c.Auth).Str("tenant", c.TenantID).Msg("starting")
	logFindings(log, c.Findings(), nil)
	_, closeIt, err := Calendar(c.Exchange, c.Work) // what is wrong with it is said before anybody waits for NATS
	if err != nil {
		return config.Usage(err)
	}
	closeIt()
	b, err := Connect(ctx, c.NATS, "roomsync worker "+name, log, x.InProcess)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.WaitReady(ctx, patience); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before there was anything to do
		}
		return config.Usage(err)
	}
	workers := newCrew()
	cal, guard, closeCalendar, err := reloading(c, log, surroundings{
		warn: warner(log), store: b.TokenStore(), now: b.Now,
		passwords: tokens.NewPasswords(tokens.PasswordsOptions{Store: b.TokenStore(), Now: b.Now, Keys: c.TokenKeys}),
	}, workers, x.Hangup)
	if err != nil {
		return config.Usage(err)
	}
	defer closeCalendar()
	hire := func(c config.Worker, n int) (shift, error) {
		o := options(c, log, x)
		o.Name, o.Bus, o.Calendar, o.SignIn = fmt.Sprintf("%s.%d", name, n), b, cal, guard
		return worker.New(o)
	}
	return run(ctx, log, c.HTTP, workers.ready, func(ctx context.Context) error { return workers.run(ctx, c, hire) })
}

// options are what a configuration says of a worker.
func options(c config.Worker, log zerolog.Logger, x Extra) worker.Options {
	return worker.Options{
		Log: log, Observe: x.Observe, StopTimeout: x.StopTimeout,
		Delegate: !c.Impersonation, Identity: Identity(c.Exchange), Server: c.EWSURL,
		PollInterval: c.PollInterval, AccessRecheck: c.AccessRecheck,
		Slots: map[jobs.Lane]int{jobs.LanePoll: c.Slots, jobs.LaneBooking: c.BookingSlots, jobs.LaneNotify: c.BookingSlots},
	}
}

// warner logs what does not stop the work.
func warner(log zerolog.Logger) func(error) {
	return func(err error) { log.Warn().Err(err).Msg("sign-in") }
}

// Dispatcher creates the streams, then runs a dispatcher until ctx ends.
func Dispatcher(ctx context.Context, c config.Dispatcher, log zerolog.Logger, x Extra) error {
	name := Name()
	b, err := Connect(ctx, c.NATS, "roomsync dispatcher "+name, log, x.InProcess)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Ensure(ctx); err != nil {
		return config.Usage(err)
	}
	d, err := dispatcher.New(dispatcher.Options{Bus: b, Log: log})
	if err != nil {
		return err
	}
	if x.Dispatcher != nil {
		x.Dispatcher(d)
	}
	api, err := forROOMS(c, b, name, log)
	if err != nil {
		return config.Usage(err)
	}
	return serve(ctx, log, c.HTTP, api.Handler(ops.Health(d.Ready)), beside(d.Run, api.Run))
}

func run(ctx context.Context, log zerolog.Logger, http string, ready func() error, work func(context.Context) error) error {
	return serve(ctx, log, http, ops.Health(ready), work)
}

func serve(ctx context.Context, log zerolog.Logger, address string, h http.Handler, work func(context.Context) error) error {
	err := ops.Serve(ctx, address, h, func(ctx context.Context, served string) error {
		if served == "" {
			served = "off"
		}
		log.Info().Str("http", served).Msg("started")
		defer log.Info().Msg("stopped")
		return work(ctx)
	})
	if errors.Is(err, ops.ErrAddress) {
		return config.Usage(err)
	}
	return err
}
