// Package testenv puts the whole system together for tests: an embedded NATS server, a simulated Exchange, and as many
// dispatchers and workers as a test wants, in one process and without a network. It works in the bubbles of
// testing/synctest, where hours pass in milliseconds; see [Bubble].
package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/dispatcher"
	"roomsync/internal/ews"
	"roomsync/internal/exchangesim"
	"roomsync/internal/worker"
)

// Bubble runs f in fake time. A test binary that uses it must call ats.Register of the NATS server in its TestMain,
// since the server's clock ticker may not be born in a bubble. Collecting garbage twice drops the timers that the NATS
// client pools, which may not travel from one bubble to the next.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	synctest.Test(t, f)
}

// Options say what an Env begins with.
type Options struct {
	Sim exchangesim.Options
	Log zerolog.Logger // of all parts; silent by default
}

// Env is a running NATS server and a simulated Exchange.
type Env struct {
	T    *testing.T
	NATS *embedded.Server
	Sim  *exchangesim.Server
	// Bus is the test's own connection.
	Bus  *bus.Bus
	log  zerolog.Logger
	pipe *Pipe
}

// EWSURL is the simulator's endpoint as clients of an Env name it.
const EWSURL = "http://127.0.0.1/EWS/Exchange.asmx"

// Start starts an Env that stops with the test. Unless told otherwise the simulator has no random faults.
func Start(t *testing.T, o Options) *Env {
	t.Helper()
	if o.Sim.BusyShare == 0 {
		o.Sim.BusyShare = exchangesim.NoBusyShare
	}
	sim, err := exchangesim.New(o.Sim)
	Must(t, err)
	nats, err := embedded.Start(embedded.Options{StoreDir: t.TempDir()})
	Must(t, err)
	e := &Env{T: t, NATS: nats, Sim: sim, log: o.Log, pipe: NewPipe()}
	t.Cleanup(nats.Stop)
	e.serve()
	e.Bus = e.Connect("test")
	Must(t, e.Bus.Ensure(t.Context()))
	return e
}

func (e *Env) serve() {
	srv := &http.Server{Handler: e.Sim.Handler(), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		_ = srv.Serve(e.pipe)
		close(done)
	}()
	e.T.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
}

// Must ends the test on an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Connect connects to NATS.
func (e *Env) Connect(name string) *bus.Bus {
	e.T.Helper()
	b, err := bus.Connect(e.T.Context(), bus.Options{Name: name, InProcess: e.NATS, Log: e.log})
	Must(e.T, err)
	e.T.Cleanup(b.Close)
	return b
}

// Client is an EWS client of the simulator that may impersonate everybody. Its connections close with the test.
func (e *Env) Client() *ews.Client { return e.client(true) }

// Delegate is one with the rights that each mailbox grants to exchangesim.ServiceUser.
func (e *Env) Delegate() *ews.Client { return e.client(false) }

func (e *Env) client(impersonate bool) *ews.Client {
	e.T.Helper()
	tr := e.pipe.Transport()
	e.T.Cleanup(tr.CloseIdleConnections)
	c, err := ews.New(ews.Options{
		URL: EWSURL, Credentials: ews.Basic(exchangesim.ServiceUser, "simulated"), Impersonate: impersonate, Transport: tr,
	})
	Must(e.T, err)
	return c
}

// Part is a daemon of the system, running.
type Part struct {
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// Stop asks the part to stop and waits until it has. Stopping twice is allowed.
func (p *Part) Stop() error {
	p.stop()
	<-p.done
	return p.err
}

func (e *Env) run(name string, f func(context.Context) error) *Part {
	ctx, stop := context.WithCancel(context.Background())
	p := &Part{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
			p.err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	e.T.Cleanup(func() {
		if err := p.Stop(); err != nil {
			e.T.Error(err)
		}
	})
	return p
}

// Dispatcher starts a dispatcher.
func (e *Env) Dispatcher() *Part {
	e.T.Helper()
	b := e.Connect("dispatcher")
	Must(e.T, b.Ensure(e.T.Context()))
	d, err := dispatcher.New(dispatcher.Options{Bus: b, Log: e.log})
	Must(e.T, err)
	return e.run("dispatcher", d.Run)
}

// Worker starts a worker with a client and a connection of its own. change adjusts its options; it may be nil.
func (e *Env) Worker(name string, change func(*worker.Options)) *Part {
	e.T.Helper()
	b := e.Connect(name)
	Must(e.T, b.Check(e.T.Context()))
	o := worker.Options{Name: name, Bus: b, Calendar: e.Client(), Log: e.log}
	if change != nil {
		change(&o)
	}
	w, err := worker.New(o)
	Must(e.T, err)
	return e.run(name, w.Run)
}

// Want puts a mailbox into the wanted set and returns its token.
func (e *Env) Want(address string) string {
	e.T.Helper()
	mb := events.MailboxToken(address)
	_, err := e.Bus.PutMailbox(e.T.Context(), mb, events.Mailbox{Address: address, Mode: events.ModeO365Pull, Enabled: true})
	Must(e.T, err)
	return mb
}

// Events follows a mailbox's events, or everybody's when mb is "*", from the first one on, until the test ends.
func (e *Env) Events(mb string) <-chan bus.Delivered {
	e.T.Helper()
	ch := make(chan bus.Delivered, 100_000)
	b := e.Connect("events")
	Must(e.T, b.Check(e.T.Context()))
	e.run("events", func(ctx context.Context) error {
		return b.Events(ctx, mb, 1, func(d bus.Delivered) error {
			ch <- d
			return nil
		})
	})
	return ch
}

// Next waits for the next event, at most for patience.
func (e *Env) Next(ch <-chan bus.Delivered, patience time.Duration) bus.Delivered {
	e.T.Helper()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case d := <-ch:
		return d
	case <-t.C:
		e.T.Fatalf("no event within %v", patience)
		return bus.Delivered{}
	}
}

// Quiet checks that no event comes for a while.
func (e *Env) Quiet(ch <-chan bus.Delivered, d time.Duration) {
	e.T.Helper()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case x := <-ch:
		e.T.Fatalf("unexpected event %s %s: %s", x.Type, x.ID, x.Data)
	case <-t.C:
	}
}
