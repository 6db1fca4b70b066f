package integration

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/crypto/md4" //lint:ignore SA1019 NTLM is made of it

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/tokens/certs"
)

// The canaries hold what each kind of escaping changes, so that none of the forms looks like another.
const (
	canarySecret   = `cs~"Kanarienvögel"+/&=<1>`
	canaryPassword = `pw~"Wellensittich é"+/&=<2>`
	canaryPFX      = `px~"Zebrafinken ü"+/&=<3>`
	canaryKey      = `key~"Papageien ö"+/&=<4>-and-what-makes-it-32-bytes`
	wrongCanary    = `no~"Nachtigall ä"+/&=<5>`
)

// aviary is a company all of whose secrets are canaries, with a worker for each way to sign in.
type aviary struct {
	*org
	recorder *recorder
	wire     *wire
	js       jetstream.JetStream
	pem, pfx pair
	workers  map[string]*process
	said     []sink // what commands printed
}

// aviaryKinds are the ways to sign in; the first five ask Entra.
var aviaryKinds = []string{"secret", "pem", "pfx", "federated", "delegated", "basic", "ntlm"}

const askEntra = 5

// aviaryUsers are those of the three ways that need one. Each has its own password, and rights to every calendar.
var aviaryUsers = map[string]string{"basic": exchangesim.ServiceUser, "ntlm": "user0001@contoso.example", "delegated": "user0002@contoso.example"}

func newAviary(t *testing.T) *aviary {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{Seed: 4, Mailboxes: 12, Items: 2, BusyShare: exchangesim.NoBusyShare})
	must(t, err)
	a := &aviary{recorder: newRecorder(sim.Handler()), workers: map[string]*process{}}
	a.org = &org{system: startSystemAround(t, sim, a.recorder), dir: t.TempDir()}
	nc, err := nats.Connect(a.nats.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	a.wire = tap(t, nc)
	a.js, err = jetstream.New(nc)
	must(t, err)
	a.pem, a.pfx = a.certificate("pem", 9000*time.Hour, true), a.certificate("pfx", 9000*time.Hour, true)
	sim.Entra().SetSecret(canarySecret)
	sim.Users().SetLockout(1000, time.Minute) // what is wrong here is wrong on purpose
	for auth, user := range aviaryUsers {
		sim.Users().SetPassword(user, canaryPassword+auth)
		must(t, sim.Delegate(user, store.Editor))
	}
	a.trust()
	a.put("key", canaryKey+"\n")
	a.right()
	return a
}

// right puts what is right into the files.
func (a *aviary) right() {
	a.put("secret", canarySecret)
	a.put("pfxpassword", canaryPFX)
	a.put("pem/app.pem", a.pem.pem())
	a.put("pfx/app.pfx", a.pfx.pfx(a.t, canaryPFX))
	a.put("token", a.federatedToken(subject, time.Hour))
	for auth := range aviaryUsers {
		a.put(auth, canaryPassword+auth)
	}
}

// wronged puts other secrets there, which are none the less.
func (a *aviary) wronged() {
	for _, name := range []string{"secret", "pfxpassword", "token", "basic", "ntlm", "delegated"} {
		a.put(name, wrongCanary+name)
	}
	a.put("pem/app.pem", a.certificate("stranger", time.Hour, false).pem())
}

// settings are those of a worker, and of commands, for one way to sign in.
func (a *aviary) settings(kind string) []string {
	flags := []string{"--ews-url=" + a.ews.URL + exchangesim.EWSPath, "--log-level=debug"}
	entra := []string{"--authority-url=" + a.ews.URL, "--tenant-id=sim-tenant", "--app-id=sim-app", "--token-key-file=" + a.file("key")}
	switch kind {
	case "secret":
		return append(append(flags, entra...), "--client-secret-file="+a.file("secret"))
	case "pem":
		return append(append(flags, entra...), "--auth=certificate", "--cert-dir="+a.file("pem"))
	case "pfx":
		return append(append(flags, entra...), "--cert-dir="+a.file("pfx"), "--cert-thumbprint="+certs.Thumbprint(a.pfx.cert), "--cert-password-file="+a.file("pfxpassword"))
	case "federated":
		return append(append(flags, entra...), "--federated-token-file="+a.file("token"))
	case "delegated":
		return append(append(flags, entra...), "--auth=delegated", "--username="+aviaryUsers[kind], "--password-file="+a.file(kind))
	case "basic":
		return append(flags, "--username="+aviaryUsers[kind], "--password-file="+a.file(kind))
	}
	return append(flags, "--auth=ntlm", "--impersonation=false", "--username="+aviaryUsers[kind], "--password-file="+a.file(kind))
}

// begin starts a dispatcher and a worker of each kind, one of them with an HTTP address.
func (a *aviary) begin(address string) {
	a.t.Helper()
	a.dispatcher()
	for _, kind := range aviaryKinds {
		args := append(a.settings(kind), "--poll-interval=500ms")
		if kind == aviaryKinds[0] {
			args = append(args, "--http="+address)
		}
		a.workers[kind] = a.startWith([]string{"GOTRACEBACK=all"}, "worker", args...)
	}
	for _, p := range a.workers {
		p.says(a.t, 0, `"message":"started"`)
	}
	a.want(0, len(a.sim.Company().Mailboxes()))
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// command runs a command of the operator's and keeps what it prints.
func (a *aviary) command(exits int, name string, args ...string) {
	a.t.Helper()
	cmd := exec.Command(a.exe("roomsync"), append(strings.Fields(name), args...)...)
	cmd.Env = append(os.Environ(), "ROOMSYNC_NATS_URL="+a.nats.URL())
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exits {
		a.t.Errorf("roomsync %s %q: exit code %d, want %d:\n%s", name, args, code, exits, out)
	}
	a.said = append(a.said, sink{"what roomsync " + name + " " + strings.Join(args, " ") + " prints", out})
}

// canaries are all secrets that there were.
func (a *aviary) canaries() []canary {
	all := append(a.recorder.canaries(), canary{"client secret", canarySecret}, canary{"PFX password", canaryPFX}, canary{"sealing key", canaryKey}, canary{"wrong secret", wrongCanary})
	for auth := range aviaryUsers {
		all = append(all, canary{"password of " + auth, canaryPassword + auth}, canary{"NT hash of " + auth, ntHash(canaryPassword + auth)})
	}
	for name, p := range map[string]pair{"PEM": a.pem, "PFX": a.pfx} {
		for part, n := range parts(p.key) {
			all = append(all, canary{part + " of the key in " + name, string(n.Bytes())})
		}
	}
	_, key, _ := strings.Cut(a.pem.pem(), "PRIVATE KEY-----\n")
	for i, line := range strings.Split(key, "\n") {
		if len(line) == 64 && !strings.HasPrefix(line, "-") {
			all = append(all, canary{fmt.Sprintf("line %d of the key", i), line})
		}
	}
	return all
}

func parts(k *rsa.PrivateKey) map[string]*big.Int {
	return map[string]*big.Int{"d": k.D, "p": k.Primes[0], "q": k.Primes[1], "dp": k.Precomputed.Dp, "dq": k.Precomputed.Dq, "qinv": k.Precomputed.Qinv}
}

// ntHash is as good as the password for signing in by NTLM.
func ntHash(password string) string {
	h := md4.New()
	h.Write([]byte(utf16Text(password)))
	return string(h.Sum(nil))
}
