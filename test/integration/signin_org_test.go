package integration

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/jobs"
)

// org is a simulated company whose administrator signs workers in with files, and what ROOMS is told of it.
type org struct {
	*system
	dir    string    // of the files
	wanted int       // how many of the company's mailboxes are wanted, the first ones
	ends   time.Time // when a certificate does

	mu   sync.Mutex
	told map[string]map[string]int // events by mailbox token and type
}

const orgMailboxes = 6

func newOrg(t *testing.T) *org {
	t.Helper()
	s := startSystem(t, exchangesim.Options{Seed: 3, Mailboxes: orgMailboxes, Items: 2, BusyShare: exchangesim.NoBusyShare})
	o := &org{system: s, dir: t.TempDir(), told: map[string]map[string]int{}}
	must(t, s.sim.Delegate(exchangesim.ServiceUser, store.Editor))
	s.follow(func(d bus.Delivered) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.told[d.Mailbox] == nil {
			o.told[d.Mailbox] = map[string]int{}
		}
		o.told[d.Mailbox][d.Type]++
	})
	s.dispatcher()
	return o
}

// file is the path of one of the administrator's files.
func (o *org) file(name string) string { return filepath.Join(o.dir, name) }

// put writes a file as setup-exchange.md advises: readable by nobody else, and renamed over the one before.
func (o *org) put(name, content string) {
	o.t.Helper()
	must(o.t, os.MkdirAll(filepath.Dir(o.file(name)), 0o700))
	fresh := filepath.Join(o.dir, ".new")
	must(o.t, os.WriteFile(fresh, []byte(content), 0o400))
	must(o.t, os.Rename(fresh, o.file(name)))
}

// roomsConfig writes a RoomsAppSettings.config as it lies on a Windows server: with a byte order mark, CRLF, comments,
// ROOMS' own keys, and ours in the case that somebody once wrote them in.
func (o *org) roomsConfig(keys map[string]string) string {
	o.t.Helper()
	var b strings.Builder
	b.WriteString("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- ROOMS PRO, Zürich: <add key=\"ExchangeAppId\" value=\"old\" /> -->\r\n<RoomsAppSettings>\r\n" +
		"  <add key=\"ConnectionString\" value=\"Server=SQL01;Database=ROOMS;Integrated Security=true\" />\r\n  <add key=\"MailFrom\" value=\"räume@contoso.example\" />\r\n")
	for i, key := range slices.Sorted(maps.Keys(keys)) {
		name := key
		if i == 0 {
			name = strings.ToLower(key)
		}
		fmt.Fprintf(&b, "  <!-- %d -->\r\n  <add key=\"%s\" value=\"%s\" />\r\n", i, name, strings.ReplaceAll(keys[key], "&", "&amp;"))
	}
	b.WriteString("  <add key=\"ExchangeSyncFolderName\" value=\"\" />\r\n</RoomsAppSettings>\r\n")
	o.put("RoomsAppSettings.config", b.String())
	return o.file("RoomsAppSettings.config")
}

// certificate makes a self-signed certificate that ends after life, and registers it with the app if that is wanted.
func (o *org) certificate(name string, life time.Duration, registered bool) pair {
	o.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(o.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(o.t, err)
	cert, err := x509.ParseCertificate(der)
	must(o.t, err)
	if registered {
		must(o.t, o.sim.Entra().AddCertificate(cert))
	}
	return pair{cert, key}
}

// pair is a certificate and its private key.
type pair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func (p pair) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.key)}))
}

func (p pair) pfx(t *testing.T, password string) string {
	t.Helper()
	data, err := pkcs12.Modern.Encode(p.key, p.cert, nil, password)
	must(t, err)
	return string(data)
}

// signedIn starts a worker with settings, those with a name in capitals being variables, the others flags.
func (o *org) signedIn(settings map[string]string) *process {
	o.t.Helper()
	env, args := []string{}, []string{"--poll-interval=250ms"}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if strings.ToUpper(name) == name {
			env = append(env, name+"="+settings[name])
		} else {
			args = append(args, "--"+name+"="+settings[name])
		}
	}
	return o.startWith(env, "worker", args...)
}

// hangup tells a process to read its configuration at once. Windows has no such signal: it is read by and by.
func (p *process) hangup(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "windows" {
		must(t, p.cmd.Process.Signal(syscall.SIGHUP))
	}
}

// stop asks a process to end, and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if runtime.GOOS == "windows" {
		p.kill()
		return 0
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.exit(t)
}

// exit waits for a process to end by itself, and returns its exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	late := time.AfterFunc(40*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	var failed *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits until one line of the log, from a place on, has all the parts.
func (p *process) says(t *testing.T, from int, parts ...string) {
	t.Helper()
	eventually(t, slowly, func() error {
		log := p.log.String()[from:]
		for line := range strings.Lines(log) {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				return nil
			}
		}
		return fmt.Errorf("no line has %q:\n%s", parts, log)
	})
}

// slowly is how long things may take that take a second on a host that does nothing else. A changed file is noticed
// after 16 seconds, and a mailbox that waits for its sign-in tries again within a minute.
const slowly = 90 * time.Second

func (o *org) tokens() []string {
	var all []string
	for _, m := range o.sim.Company().Mailboxes()[:o.wanted] {
		all = append(all, events.MailboxToken(m.Address))
	}
	return all
}

func (o *org) count(mb, typ string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told[mb][typ]
}

// synchronized waits until every mailbox has been synchronized for the first time.
func (o *org) synchronized(p *process) {
	o.t.Helper()
	eventually(o.t, slowly, func() error {
		for _, mb := range o.tokens() {
			if o.count(mb, events.TypeSyncCompleted) == 0 {
				return fmt.Errorf("%s has not been synchronized:\n%s", mb, p.log)
			}
		}
		return nil
	})
}

// alive makes an appointment in every mailbox, and waits until ROOMS has been told of those in a third of them. Servers on
// premises have refused two mailboxes in each trouble with a bare 401, and these are left alone for up to a minute.
func (o *org) alive(p *process) {
	o.t.Helper()
	before := map[string]int{}
	for _, m := range o.sim.Company().Mailboxes()[:o.wanted] {
		mb := events.MailboxToken(m.Address)
		before[mb] = o.count(mb, events.TypeCalendarChanged)
		o.appoint(m)
	}
	eventually(o.t, slowly, func() error {
		heard := 0
		for mb, n := range before {
			if o.count(mb, events.TypeCalendarChanged) > n {
				heard++
			}
		}
		if 3*heard < len(before) {
			return fmt.Errorf("ROOMS was told of %d of %d appointments:\n%s", heard, len(before), p.log)
		}
		return nil
	})
}

// appoint makes an appointment.
func (o *org) appoint(m *store.Mailbox) {
	o.t.Helper()
	start := o.sim.Clock().Now().Add(24 * time.Hour).Truncate(time.Hour)
	_, err := m.Create(store.Actor{Name: "test"}, m.Calendar(), &store.Item{Subject: "Review", Start: start, End: start.Add(time.Hour)})
	must(o.t, err)
}

// lookAt does what roomsync mailboxes sync does.
func (o *org) lookAt() {
	o.t.Helper()
	for _, mb := range o.tokens() {
		must(o.t, o.bus.Look(o.t.Context(), mb))
	}
}

// runs are how often the wanted mailboxes have been taken up.
func (o *org) runs() map[string]uint64 {
	o.t.Helper()
	runs := map[string]uint64{}
	for _, mb := range o.tokens() {
		r, _, err := o.bus.Record(o.t.Context(), mb)
		must(o.t, err)
		runs[mb] = r.Fence
	}
	return runs
}

// idle reports whether a worker takes no jobs, since it cannot sign in.
func (p *process) idle() bool {
	log := p.log.String()
	return strings.LastIndex(log, "this worker takes no jobs until it can") > strings.LastIndex(log, "this worker takes jobs")
}

// refused waits until every mailbox has met a refusal in a later run, or the worker takes no jobs any more. Those that Exchange refused with a bare 401, which
// may only mean that it is busy, are left alone for a while.
func (o *org) refused(p *process, before map[string]uint64) {
	o.t.Helper()
	eventually(o.t, slowly, func() error {
		if p.idle() {
			return nil
		}
		for _, mb := range o.tokens() {
			r, _, err := o.bus.Record(o.t.Context(), mb)
			must(o.t, err)
			met := r.LastError != nil && (r.LastError.Class == jobs.Throttled || r.LastError.Class == jobs.Credentials && r.Fence > before[mb])
			if !met || r.Owner != "" {
				return fmt.Errorf("%s has not met a refusal: %+v\n%s", mb, r.LastError, p.log)
			}
		}
		return nil
	})
}

// asked counts what the fleet asked in vain and otherwise: token requests, and requests that Exchange refused with 401.
type asked struct{ tokens, refusals uint64 }

func (o *org) asked() asked {
	return asked{o.sim.Entra().Stats().Requests, o.sim.SignIn().Refused()}
}

func (a asked) since(b asked) asked { return asked{a.tokens - b.tokens, a.refusals - b.refusals} }
