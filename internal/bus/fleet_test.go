package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/testenv"
	"roomsync/internal/tokens"
)

// link is the way to a server that may be swapped for another.
type link struct {
	t   *testing.T
	dir string

	mu    sync.Mutex // held for a moment only
	srv   *embedded.Server
	conns []net.Conn
}

func (l *link) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.srv == nil {
		return nil, errors.New("the server is down")
	}
	c, err := l.srv.InProcessConn()
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *link) up() {
	l.t.Helper()
	srv, err := embedded.Start(embedded.Options{StoreDir: l.dir})
	must(l.t, err)
	l.attach(srv)
}

func (l *link) attach(srv *embedded.Server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.srv = srv
}

// cut takes the server away from its clients and returns it, still running.
func (l *link) cut() *embedded.Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	srv := l.srv
	l.srv = nil
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
	return srv
}

func (l *link) down() {
	if srv := l.cut(); srv != nil {
		srv.Stop()
	}
}

// crash goes on with a new server on the files as they are now.
func (l *link) crash() {
	l.t.Helper()
	old, dir := l.cut(), l.t.TempDir()
	must(l.t, os.CopyFS(dir, os.DirFS(l.dir)))
	old.Stop()
	l.dir = dir
	l.up()
}

// fleet is processes that share a credential, each with a connection, a Shared and a Cache of its own.
type fleet struct {
	t      *testing.T
	link   *link
	issuer *issuer
	all    []*process
	ahead  atomic.Int64 // of the store's clock to the hosts', in nanoseconds
}

type process struct {
	name   string
	bus    *bus.Bus
	cache  *tokens.Cache
	store  *counted
	mu     sync.Mutex
	keys   []string
	secret string
	warned []string
}

// counted counts what a process costs the store.
type counted struct {
	tokens.Store
	mu                sync.Mutex
	gets, puts, waits int
	lose              int                         // the answer to this Put
	fail              map[int]bool                // these Puts do nothing
	wait              func(context.Context) error // instead of waiting
}

func (c *counted) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	c.count(&c.gets)
	return c.Store.Get(ctx, key)
}

func (c *counted) Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, bool, error) {
	if c.count(&c.puts); c.fail[c.puts] {
		return 0, false, errLost
	}
	now, ok, err := c.Store.Put(ctx, key, data, revision)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.puts == c.lose {
		return 0, false, errLost
	}
	return now, ok, err
}

func (c *counted) Wait(ctx context.Context, key string, revision uint64) ([]byte, uint64, error) {
	c.count(&c.waits)
	if c.wait != nil {
		return nil, 0, c.wait(ctx)
	}
	return c.Store.Wait(ctx, key, revision)
}

// total is all calls so far.
func (c *counted) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gets + c.puts + c.waits
}

const keyA, keyB = "key-a canary 0123456789abcdefghijklmnop", "key-b canary 0123456789abcdefghijklmnop"

// inFleet runs f in fake time with a number of processes that have asked for nothing yet.
func inFleet(t *testing.T, n int, f func(*fleet)) {
	t.Helper()
	if testing.Short() {
		n = min(n, 8)
	}
	testenv.Bubble(t, func(t *testing.T) {
		fl := &fleet{t: t, link: &link{t: t, dir: t.TempDir()}, issuer: &issuer{latency: time.Second, life: time.Hour}}
		fl.link.up()
		t.Cleanup(fl.link.down)
		must(t, fl.connect("dispatcher").Ensure(t.Context()))
		for i := range n {
			fl.start(fmt.Sprint("p", i), keyA)
		}
		f(fl)
		for _, p := range fl.all {
			p.die()
		}
		time.Sleep(time.Minute) // what still was under way ends
	})
}

func (f *fleet) connect(name string) *bus.Bus {
	f.t.Helper()
	b, err := bus.Connect(f.t.Context(), bus.Options{Name: name, InProcess: f.link, Log: zerolog.Nop()})
	must(f.t, err)
	f.t.Cleanup(b.Close)
	return b
}

// start adds a process.
func (f *fleet) start(name string, keys ...string) *process {
	f.t.Helper()
	b := f.connect(name)
	must(f.t, b.Check(f.t.Context()))
	p := &process{name: name, bus: b, keys: keys, secret: "secret one", store: &counted{Store: b.TokenStore()}}
	p.reset(f, f.issuer.source(name))
	f.all = append(f.all, p)
	f.t.Cleanup(p.die)
	return p
}

// reset gives the process a source, and nothing in its memory. Its requests are as change makes them.
func (p *process) reset(f *fleet, source tokens.Source, change ...func(*tokens.Request)) {
	f.t.Helper()
	shared, err := tokens.NewShared(tokens.SharedOptions{
		Source: source, Identity: tokens.Identity{Kind: "secret", ClientID: "canary-app"},
		Store: p.store, Now: func() time.Time { return p.bus.Now().Add(time.Duration(f.ahead.Load())) },
		Keys: p.ring, Credential: p.credential, Warn: p.warn,
	})
	must(f.t, err)
	p.cache = tokens.NewCache(func(ctx context.Context, r tokens.Request) (tokens.Token, error) {
		for _, c := range change {
			c(&r)
		}
		return shared.Token(ctx, r)
	})
}

// die ends the process without a word to anybody.
func (p *process) die() {
	p.bus.Close()
	p.cache.Close()
}

func (p *process) ring() (ring []tokens.Secret, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		ring = append(ring, tokens.NewSecret(k))
	}
	return ring, nil
}

func (p *process) setKeys(keys ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

func (p *process) credential() (tokens.Secret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.secret == "" {
		return tokens.Secret{}, errors.New("no such file")
	}
	return tokens.NewSecret(p.secret), nil
}

func (p *process) setSecret(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret = s
}

func (p *process) warn(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warned = append(p.warned, err.Error())
}

func (p *process) warnings() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.warned, "\n")
}

// each calls f for all processes at once, and waits.
func (f *fleet) each(do func(*process)) {
	var wg sync.WaitGroup
	for _, p := range f.all {
		wg.Go(func() { do(p) })
	}
	wg.Wait()
}

// get asks all processes at once for their token and returns how many have which generation, and how many none.
func (f *fleet) get() (generations map[string]int, failed int) {
	var mu sync.Mutex
	generations = map[string]int{}
	f.each(func(p *process) {
		t, err := p.cache.Get(f.t.Context())
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed++
			return
		}
		generations[t.Generation]++
	})
	return generations, failed
}

// work lets all processes use their token every ten seconds, or every minute in hours, for a while, and returns how
// often there was none.
func (f *fleet) work(d time.Duration) (failed int) {
	f.t.Helper()
	step := 10 * time.Second
	if d >= 2*time.Hour {
		step = time.Minute
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(step) {
		_, n := f.get()
		failed += n
	}
	return failed
}

// one returns the generation that all processes have.
func (f *fleet) one() string {
	f.t.Helper()
	generations, failed := f.get()
	if len(generations) != 1 || failed > 0 {
		f.t.Fatalf("generations %v, and %d have none; want one for all", generations, failed)
	}
	for g := range generations {
		return g
	}
	return ""
}

// wantAsked checks how often the issuer was asked so far.
func (f *fleet) wantAsked(n int) {
	f.t.Helper()
	if calls := f.issuer.asked(); len(calls) != n {
		f.t.Fatalf("the issuer was asked %d times, want %d: %v", len(calls), n, calls)
	}
}

// wantSpaced checks that requests from the nth on keep their distance, also the first of them from the one before.
func (f *fleet) wantSpaced(from int, least time.Duration) {
	f.t.Helper()
	calls := f.issuer.asked()
	for i := max(from, 1); i < len(calls); i++ {
		if d := calls[i].at.Sub(calls[i-1].at); d < least {
			f.t.Errorf("request %d came %v after the one before, want %v or more", i+1, d, least)
		}
	}
	f.issuer.mu.Lock()
	defer f.issuer.mu.Unlock()
	if f.issuer.most > 1 {
		f.t.Errorf("%d requests at the same time", f.issuer.most)
	}
}
