package integration

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/exchangesim"
)

// system is a NATS server and a simulated Exchange in the test's process, with the daemons as processes of their own.
type system struct {
	t    *testing.T
	nats *embedded.Server
	sim  *exchangesim.Server
	ews  *httptest.Server
	bus  *bus.Bus
	bin  string // folder of the binaries

	store string // where NATS keeps its data
}

func startSystem(t *testing.T, o exchangesim.Options) *system {
	t.Helper()
	sim, err := exchangesim.New(o)
	must(t, err)
	return startSystemAround(t, sim, sim.Handler())
}

// startSystemAround is startSystem with a handler that stands before the simulator's.
func startSystemAround(t *testing.T, sim *exchangesim.Server, h http.Handler) *system {
	t.Helper()
	s := &system{t: t, sim: sim, ews: httptest.NewUnstartedServer(h), bin: binaries(t), store: t.TempDir()}
	var err error
	s.nats, err = embedded.Start(embedded.Options{StoreDir: s.store, Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(s.nats.Stop)
	s.ews.Config.ConnContext = sim.SignIn().ConnContext // NTLM signs connections in
	s.ews.Start()
	t.Cleanup(s.ews.Close)
	s.bus, err = bus.Connect(t.Context(), bus.Options{URL: s.nats.URL(), Name: "test", Log: zerolog.Nop()})
	must(t, err)
	t.Cleanup(s.bus.Close)
	must(t, s.bus.Ensure(t.Context()))
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var built struct {
	sync.Once
	dir string
	err error
}

// binaries builds the daemons once for all tests of the package. The folder is removed by TestMain.
func binaries(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "roomsync-bin-"); built.err != nil {
			return
		}
		if built.err = os.Chmod(built.dir, 0o755); built.err != nil { // one test runs them as another user
			return
		}
		out, err := exec.Command("go", "build", "-o", built.dir, "roomsync/cmd/worker", "roomsync/cmd/dispatcher", "roomsync/cmd/roomsync").CombinedOutput()
		if err != nil {
			built.err = &buildError{string(out)}
		}
	})
	must(t, built.err)
	return built.dir
}

type buildError struct{ out string }

func (e *buildError) Error() string { return "go build: " + e.out }

func TestMain(m *testing.M) {
	if urls := os.Getenv(tokenProcessVariable); urls != "" {
		os.Exit(tokenProcess(urls))
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// process is a daemon that runs.
type process struct {
	cmd *exec.Cmd
	log *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a daemon that finds the app's secret in its environment; it is killed when the test ends.
func (s *system) start(name string, args ...string) *process {
	s.t.Helper()
	return s.startWith([]string{"ROOMSYNC_CLIENT_SECRET=sim-secret"}, name, args...)
}

// startWith is start with other variables.
func (s *system) startWith(env []string, name string, args ...string) *process {
	s.t.Helper()
	p := &process{log: &lockedBuffer{}}
	p.cmd = exec.Command(s.exe(name), append([]string{"--nats-url", s.nats.URL(), "--http", "off", "--log-format", "json"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), env...)
	must(s.t, p.cmd.Start())
	s.t.Cleanup(p.kill)
	return p
}

// exe is the file of a binary.
func (s *system) exe(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(s.bin, name)
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// dispatcher and worker start daemons for the simulator, the worker signing in as an app.
func (s *system) dispatcher() *process { return s.start("dispatcher") }

func (s *system) worker(args ...string) *process {
	return s.start("worker", append([]string{
		"--ews-url", s.ews.URL + exchangesim.EWSPath, "--authority-url", s.ews.URL,
		"--tenant-id", "sim-tenant", "--app-id", "sim-app", "--poll-interval", "250ms",
	}, args...)...)
}

// want puts every mailbox of the company into the wanted set.
func (s *system) want() {
	s.t.Helper()
	for _, m := range s.sim.Company().Mailboxes() {
		entry := events.Mailbox{Address: m.Address, Mode: events.ModeO365Pull, Enabled: true}
		_, err := s.bus.PutMailbox(s.t.Context(), events.MailboxToken(m.Address), entry)
		must(s.t, err)
	}
}

// follow calls f with every event, from the first one on, until the test ends.
func (s *system) follow(f func(bus.Delivered)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.bus.Events(ctx, "*", 1, func(d bus.Delivered) error {
			f(d)
			return nil
		})
		if err != nil {
			s.t.Errorf("following the events: %v", err)
		}
	}()
	s.t.Cleanup(func() { stop(); <-done })
}

// eventually waits until f is satisfied, and fails with what it says last.
func eventually(t *testing.T, patience time.Duration, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", patience, err)
		}
		<-tick.C
	}
}
