package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/calsync"
	"roomsync/internal/dispatcher"
	"roomsync/internal/ews"
	"roomsync/internal/exchangesim"
	"roomsync/internal/jobs"
	"roomsync/internal/worker"
)

// figures are what one measurement gives.
type figures struct {
	scenario       string
	latency        time.Duration
	jobs, failures int64
	changes        int64
	took           time.Duration
	cpu            time.Duration // of this process: worker, dispatcher and NATS
	mallocs        uint64
	bytes          uint64
	heap, rss      uint64
	busiest        int
	job, probe     time.Duration // of all jobs together
}

func (p *plan) run(ctx context.Context) error {
	fmt.Printf("%s, %d CPUs, %d mailboxes, %d slots, NATS %s\n\n", runtime.Version(), runtime.NumCPU(), p.mailboxes, p.slots, map[bool]string{false: "default fsync", true: "sync_interval: always"}[p.syncAlways])
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tlatency\tjobs/s\tchanges/s\tCPU µs/job\tallocs/job\tkB/job\theap MB\tRSS MB\tin flight\tms/job\tin SyncFolderItems\tfailed\t")
	for _, s := range p.scenarios {
		for _, latency := range p.latencies {
			f, err := p.measure(ctx, s, latency)
			if err != nil {
				return fmt.Errorf("%s at %v: %w", s, latency, err)
			}
			n, sec := float64(max(f.jobs, 1)), f.took.Seconds()
			fmt.Fprintf(w, "%s\t%v\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%d\t%d\t%d\t%.1f\t%.1f\t%d\t\n", f.scenario, f.latency, n/sec, float64(f.changes)/sec,
				float64(f.cpu.Microseconds())/n, float64(f.mallocs)/n, float64(f.bytes)/n/1024, f.heap>>20, f.rss>>20, f.busiest, f.job.Seconds()*1000/n, f.probe.Seconds()*1000/n, f.failures)
			_ = w.Flush()
		}
	}
	return nil
}

// bench is a running system.
type bench struct {
	plan              *plan
	bus               *bus.Bus
	worker            *worker.Worker
	jobs, failed, chg atomic.Int64
	took, asked       atomic.Int64      // nanoseconds of all jobs, and of them in requests to Exchange
	cursors           map[string]string // of the calendars while they were empty
	behind            chan string       // mailboxes that have caught up, to be put back
}

func (p *plan) measure(ctx context.Context, scenario string, latency time.Duration) (figures, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mailboxes := p.mailboxes
	if scenario == "changes" {
		mailboxes = min(mailboxes, 2000)
	}
	sim, err := startSimulator(ctx, mailboxes, latency)
	if err != nil {
		return figures{}, err
	}
	defer sim.stop()
	dir, err := os.MkdirTemp("", "roomsync-bench-")
	if err != nil {
		return figures{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	nats, err := embedded.Start(embedded.Options{StoreDir: dir, Listen: "127.0.0.1:0", SyncAlways: p.syncAlways})
	if err != nil {
		return figures{}, err
	}
	defer nats.Stop()
	b := &bench{plan: p, cursors: map[string]string{}, behind: make(chan string, mailboxes)}
	stop, err := b.start(ctx, nats.URL(), sim.url, scenario)
	if err != nil {
		return figures{}, err
	}
	defer stop()
	if err := b.synchronize(ctx, mailboxes); err != nil {
		return figures{}, err
	}
	if scenario == "changes" {
		if err := sim.fill(); err != nil {
			return figures{}, err
		}
		b.rewind(ctx)
	}
	f, err := b.count(ctx)
	f.scenario, f.latency = scenario, latency
	return f, err
}

// start starts dispatcher and worker.
func (b *bench) start(ctx context.Context, natsURL, simURL, scenario string) (stop func(), err error) {
	connect := func(name string) *bus.Bus {
		x, e := bus.Connect(ctx, bus.Options{URL: natsURL, Name: name, Log: zerolog.Nop()})
		err = errors.Join(err, e)
		return x
	}
	b.bus = connect("bench")
	db, wb := connect("dispatcher"), connect("worker")
	if err != nil {
		return nil, err
	}
	cal, err := ews.New(ews.Options{
		URL: simURL + exchangesim.EWSPath, Credentials: ews.Basic(exchangesim.ServiceUser, "simulated"), Impersonate: true,
		Connections: b.plan.slots, GetBatch: b.plan.getBatch,
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.bus.Ensure(ctx), db.Check(ctx), wb.Check(ctx)); err != nil {
		return nil, err
	}
	d, err := dispatcher.New(dispatcher.Options{Bus: db, Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	interval := b.plan.interval
	if scenario == "changes" {
		interval = time.Hour
	}
	b.worker, err = worker.New(worker.Options{
		Name: "bench", Bus: wb, Calendar: timed{cal, &b.asked}, Log: zerolog.Nop(), PollInterval: interval, Observe: b.observe,
		Slots: map[jobs.Lane]int{jobs.LanePoll: b.plan.slots},
	})
	if err != nil {
		return nil, err
	}
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	done.Go(func() { _ = d.Run(ctx) })
	done.Go(func() { _ = b.worker.Run(ctx) })
	return func() { cancel(); done.Wait(); db.Close(); wb.Close(); b.bus.Close() }, nil
}

// timed measures the time that polls spend in requests to Exchange.
type timed struct {
	calsync.Reader
	total *atomic.Int64
}

func (t timed) Probe(ctx context.Context, target calsync.Target, cursor string, max int) (calsync.Delta, error) {
	began := time.Now()
	defer func() { t.total.Add(int64(time.Since(began))) }()
	return t.Reader.Probe(ctx, target, cursor, max)
}

func (b *bench) observe(o worker.Outcome) {
	b.jobs.Add(1)
	b.chg.Add(int64(o.Changes))
	b.took.Add(int64(o.Took))
	if o.Code != "" {
		b.failed.Add(1)
	}
	if o.Changes > 0 {
		b.behind <- o.Mailbox
	}
}

// synchronize puts the mailboxes into the wanted set and waits for the first synchronization of all.
func (b *bench) synchronize(ctx context.Context, n int) error {
	for i := range n {
		address := fmt.Sprintf("user%04d@contoso.example", i+1)
		if people := n - n/5; i >= people {
			address = fmt.Sprintf("room%04d@contoso.example", i-people+1)
		}
		entry := events.Mailbox{Address: address, Mode: events.ModeO365Pull, Enabled: true}
		if _, err := b.bus.PutMailbox(ctx, events.MailboxToken(address), entry); err != nil {
			return err
		}
	}
	for len(b.cursors) < n {
		if err := b.learnCursors(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// learnCursors notes where the calendars stand that have been synchronized.
func (b *bench) learnCursors(ctx context.Context, n int) error {
	if err := pause(ctx, 200*time.Millisecond); err != nil || int(b.jobs.Load()) < n {
		return err
	}
	boxes, err := b.bus.Mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, m := range boxes {
		mb := events.MailboxToken(m.Address)
		if b.cursors[mb] != "" {
			continue
		}
		r, _, err := b.bus.Record(ctx, mb)
		if err != nil {
			return err
		}
		if r.Cursor != "" {
			b.cursors[mb] = r.Cursor
		}
	}
	return nil
}

// rewind puts a mailbox back to when its calendar was empty whenever it has caught up, so that there are always as many
// mailboxes behind as there are slots, twice over.
func (b *bench) rewind(ctx context.Context) {
	n := 0
	for mb := range b.cursors {
		if n++; n <= 2*b.plan.slots {
			b.behind <- mb
		}
	}
	for range 16 {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case mb := <-b.behind:
					b.again(ctx, mb)
				}
			}
		}()
	}
}

func (b *bench) again(ctx context.Context, mb string) {
	r, seq, err := b.bus.UpdateRecord(ctx, mb, func(r *jobs.Record) bool {
		r.Cursor, r.Want = b.cursors[mb], r.Want+1
		return true
	})
	if err == nil {
		_ = b.bus.Wake(ctx, mb, &r, seq)
	}
}

// count lets the system run and counts.
func (b *bench) count(ctx context.Context) (figures, error) {
	if err := pause(ctx, b.plan.warm); err != nil {
		return figures{}, err
	}
	if b.plan.profile != "" {
		file, err := os.Create(b.plan.profile)
		if err != nil {
			return figures{}, err
		}
		defer func() { _ = file.Close() }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return figures{}, err
		}
		defer pprof.StopCPUProfile()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took, asked := b.took.Load(), b.asked.Load()
	jobs, failed, changes, cpu, began := b.jobs.Load(), b.failed.Load(), b.chg.Load(), cpuTime(), time.Now()
	busiest := 0
	for time.Since(began) < b.plan.span {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return figures{}, err
		}
		busiest = max(busiest, b.worker.Busy())
	}
	f := figures{jobs: b.jobs.Load() - jobs, failures: b.failed.Load() - failed, changes: b.chg.Load() - changes, took: time.Since(began), cpu: cpuTime() - cpu, busiest: busiest}
	f.job, f.probe = time.Duration(b.took.Load()-took), time.Duration(b.asked.Load()-asked)
	runtime.ReadMemStats(&after)
	f.mallocs, f.bytes, f.heap, f.rss = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc, after.HeapInuse, resident()
	return f, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// resident is the memory that the system has given this process, where the system tells.
func resident() uint64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kb uint64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}
