package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/config"
	"roomsync/internal/daemon"
	"roomsync/internal/dispatcher"
	"roomsync/internal/exchangesim"
	plaintext "roomsync/internal/plain"
	"roomsync/internal/worker"
)

// workers is how many workers share the mailboxes.
const workers = 2

// slots is how many mailboxes a worker looks at at once: few, as this machine does everybody's work.
const slots = 16

// world is everything that runs.
type world struct {
	opts    options
	cast    cast
	sim     *exchangesim.Server
	simURL  string
	nats    *embedded.Server
	natsURL string
	bus     *bus.Bus
	rooms   *rooms
	lag     *lag
	log     zerolog.Logger

	syncs      atomic.Uint64 // jobs that ended well
	dispatcher atomic.Pointer[dispatcher.Dispatcher]
	parts      []*part    // in the order in which they were started
	failed     chan error // the first part that ended by itself
	undo       []func() error
}

// part is something that runs until it is asked to stop.
type part struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error // once done is closed
}

// start starts everything. each is called with every event. What was started is stopped again when it fails.
func start(ctx context.Context, o options, each func(events.Event) error) (*world, error) {
	w := &world{opts: o, lag: newLag(), failed: make(chan error, 1)}
	if err := w.startExchange(); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	w.rooms.each = each
	for _, step := range []func(context.Context) error{
		w.startNATS, w.startRooms, w.startDispatcher, w.startWorkers, w.wantAll,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, w.stop())
		}
	}
	w.run("script", func(ctx context.Context) error { return w.cast.play(ctx, o, w.sim.Faults()) })
	return w, nil
}

func (w *world) run(name string, f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &part{name: name, stop: stop, done: make(chan struct{})}
	w.parts = append(w.parts, p)
	go func() {
		defer close(p.done)
		err := f(ctx)
		if ctx.Err() != nil {
			p.err = err
			return
		}
		if err == nil {
			err = errors.New("ended unasked")
		}
		select {
		case w.failed <- fmt.Errorf("%s: %w", name, err):
		default: // the first failure tells more than those that follow from it
		}
	}()
}

// stop stops all parts, the last one first, and removes every trace.
func (w *world) stop() error {
	var errs []error
	for i := len(w.parts) - 1; i >= 0; i-- {
		p := w.parts[i]
		p.stop()
		select {
		case <-p.done:
			errs = append(errs, p.err)
		case <-time.After(w.opts.patience):
			errs = append(errs, fmt.Errorf("%s does not stop", p.name))
		}
	}
	for i := len(w.undo) - 1; i >= 0; i-- {
		errs = append(errs, w.undo[i]())
	}
	w.parts, w.undo = nil, nil
	return errors.Join(errs...)
}

// startExchange starts the simulated Exchange on a free port, with the company that it has when nobody looks yet.
func (w *world) startExchange() error {
	sim, err := exchangesim.New(exchangesim.Options{
		Seed: w.opts.seed, Mailboxes: w.opts.mailboxes, Traffic: w.opts.rate, Online: true,
	})
	if err != nil {
		return err
	}
	w.sim, w.cast = sim, casting(sim.Company().Mailboxes())
	if err := w.cast.begin(sim.Faults()); err != nil {
		return err
	}
	names := map[string]string{}
	for _, m := range sim.Company().Mailboxes() {
		names[m.Address] = m.Name
	}
	w.rooms = newRooms(names, w.cast.guest, w.lag)
	sim.Company().OnEffect(w.lag.edited)
	l, err := exchangesim.Listen("127.0.0.1:0", nil)
	if err != nil {
		return fmt.Errorf("simulated Exchange: %w", err)
	}
	w.simURL = "http://" + l.Addr().String()
	w.run("simulated Exchange", func(ctx context.Context) error { return serve(ctx, sim.Handler(), l) })
	w.run("edits", sim.Run)
	return nil
}

// serve answers until ctx ends. It cuts its connections then: the workers have gone, and connections that they opened
// and never used would hold an orderly shutdown up for seconds.
func serve(ctx context.Context, h http.Handler, l net.Listener) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startNATS starts a server with its files in a new directory, which goes when the demo ends.
func (w *world) startNATS(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "roomsync-demo-")
	if err != nil {
		return err
	}
	w.undo = append(w.undo, func() error { return os.RemoveAll(dir) })
	if w.nats, err = embedded.Start(embedded.Options{StoreDir: dir, Listen: "127.0.0.1:0"}); err != nil {
		return err
	}
	w.natsURL = w.nats.URL()
	w.undo = append(w.undo, func() error { w.nats.Stop(); return nil })
	w.log = w.logger()
	w.bus, err = daemon.Connect(ctx, config.NATS{}, "roomsync demo", w.log, w.nats)
	if err != nil {
		return err
	}
	w.undo = append(w.undo, func() error { w.bus.Close(); return nil })
	return w.bus.Ensure(ctx)
}

// startRooms reads the events in place of ROOMS.
func (w *world) startRooms(context.Context) error {
	w.run("reader of events", func(ctx context.Context) error {
		return w.bus.Events(ctx, "*", 1, func(d bus.Delivered) error { return w.rooms.handle(d, time.Now()) })
	})
	return nil
}

// startDispatcher starts a dispatcher as the command of that name does, configuration included.
func (w *world) startDispatcher(context.Context) error {
	var cfg config.Dispatcher
	if err := config.Load([]string{"--http=off"}, w.env(), &cfg); err != nil {
		return err
	}
	w.run("dispatcher", func(ctx context.Context) error {
		return daemon.Dispatcher(ctx, cfg, w.log, daemon.Extra{InProcess: w.nats, Dispatcher: w.dispatcher.Store})
	})
	return nil
}

// startWorkers starts workers as the command of that name does. They sign in as the app, with its secret.
func (w *world) startWorkers(context.Context) error {
	var cfg config.Worker
	args := []string{
		"--http=off", "--ews-url=" + w.simURL + exchangesim.EWSPath, "--authority-url=" + w.simURL,
		"--tenant-id=sim-tenant", "--app-id=sim-app", "--poll-interval=" + w.opts.poll.String(),
		"--slots=" + strconv.Itoa(slots), "--booking-slots=" + strconv.Itoa(slots),
	}
	if err := config.Load(args, w.env(), &cfg); err != nil {
		return err
	}
	cfg.AccessRecheck = w.opts.recheck // sooner than a real configuration may ask for
	x := daemon.Extra{InProcess: w.nats, Observe: w.observe, StopTimeout: w.opts.stop}
	w.run("workers", func(ctx context.Context) error {
		return together(ctx, workers, func(ctx context.Context) error { return daemon.Worker(ctx, cfg, w.log, x) })
	})
	return nil
}

// together runs f n times at once. When one ends, the others are asked to.
func together(ctx context.Context, n int, f func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer stop()
			errs[i] = f(ctx)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// env is an environment that holds the simulated app's secret and nothing else: what is set on this machine for a real
// roomsync has no business here.
func (w *world) env() config.Env {
	return config.Env{Getenv: func(name string) string {
		if name == "ROOMSYNC_CLIENT_SECRET" {
			return "sim-secret"
		}
		return ""
	}}
}

func (w *world) observe(o worker.Outcome) {
	if o.Verdict == "" && o.Code == "" {
		w.syncs.Add(1)
	}
}

// wantAll puts every mailbox of the company into the wanted set.
func (w *world) wantAll(ctx context.Context) error {
	for _, m := range w.sim.Company().Mailboxes() {
		box := events.Mailbox{Address: m.Address, Mode: events.ModeO365Pull, Enabled: true}
		if _, err := w.bus.PutMailbox(ctx, events.MailboxToken(m.Address), box); err != nil {
			return err
		}
	}
	return nil
}

// logger puts what the parts warn of among the news.
func (w *world) logger() zerolog.Logger {
	return zerolog.New(warnings(func(message, detail string) { w.rooms.warn(time.Now(), message, detail) })).Level(zerolog.WarnLevel)
}

// warnings is a sink for a logger: it hands on what each line says.
type warnings func(message, detail string)

// Write implements [io.Writer].
func (f warnings) Write(line []byte) (int, error) {
	var said struct{ Message, Error, Mailbox string }
	if err := json.Unmarshal(line, &said); err != nil {
		return 0, err
	}
	detail := ""
	for _, more := range []string{said.Mailbox, said.Error} {
		if more != "" {
			detail += ": " + more
		}
	}
	f(plaintext.Text(said.Message), plaintext.Text(detail))
	return len(line), nil
}
