package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/jobs"
)

var servedAt = regexp.MustCompile(`"http":"(127\.0\.0\.1:\d+)"`)

// served is a process's HTTP address, as its log says.
func (p *process) served(t *testing.T) (address string) {
	t.Helper()
	eventually(t, slowly, func() error {
		m := servedAt.FindStringSubmatch(p.log.String())
		if m == nil {
			return fmt.Errorf("no address in %s", p.log)
		}
		address = m[1]
		return nil
	})
	return address
}

// health asks a process for its health.
func (p *process) health(t *testing.T, path string) (status int, text string) {
	t.Helper()
	resp, err := http.Get("http://" + p.served(t) + path)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(data)
}

func (p *process) becomes(t *testing.T, status int, parts ...string) {
	t.Helper()
	eventually(t, slowly, func() error {
		got, text := p.health(t, "/readyz")
		if got != status || slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) }) {
			return fmt.Errorf("readyz %d %q\n%s", got, text, p.log)
		}
		return nil
	})
	if got, text := p.health(t, "/healthz"); got != 200 {
		t.Errorf("healthz %d %q", got, text)
	}
}

// by is a worker whose secret stands in a file.
func (o *org) by(file string) *process {
	return o.signedIn(o.locations(map[string]string{"tenant-id": "sim-tenant", "app-id": "sim-app", "client-secret-file": o.file(file), "http": "127.0.0.1:0"}))
}

// ofFleet is how many of a type ROOMS was told about the sign-in of the fleet.
func (o *org) ofFleet() (denied, restored int) {
	return o.count(bus.OutageToken, events.TypeAccessDenied), o.count(bus.OutageToken, events.TypeAccessRestored)
}

// TestSignInFleet: one of three workers has a wrong secret: it is not ready, takes nothing, and nobody else notices. Then the
// others lose theirs, too: ROOMS is told once, and the command shows it; and once when it is over.
func TestSignInFleet(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.put("right", "sim-secret")
	o.put("wrong", "a wrong one-4711")
	bad, good := o.by("wrong"), []*process{o.by("right"), o.by("right")}
	bad.becomes(t, 503, "cannot sign in to Exchange", "AADSTS7000215", "check --client-secret-file", "tried again in 15 min")
	bad.says(t, 0, `"level":"warn"`, `"reason":"sign-in-refused"`, `"aadsts":"AADSTS7000215"`, `"triedAgainIn":"15 min"`, "check --client-secret-file")
	for _, p := range good {
		p.becomes(t, 200)
	}
	o.want(0, orgMailboxes)
	o.synchronized(good[0])
	for range 5 {
		o.alive(bad)
	}
	for _, mb := range o.tokens() {
		r, _, err := o.bus.Record(t.Context(), mb)
		must(t, err)
		if r.State != jobs.StateOK || r.LastError != nil || strings.HasPrefix(r.Owner, o.name(bad)) {
			t.Errorf("%s: %q, %+v", mb, r.State, r.LastError)
		}
	}
	if d, r := o.ofFleet(); d+r != 0 {
		t.Errorf("%d and %d events about the fleet's sign-in", d, r)
	}
	if n := o.sim.Entra().Stats().ByCode[7000215]; n != 1 {
		t.Errorf("the wrong secret was tried %d times", n)
	}
	o.loseAll(good)
	o.put("wrong", "sim-secret-2")
	o.sim.Entra().AddSecret("sim-secret-2", time.Time{})
	bad.hangup(t)
	bad.becomes(t, 200)
	eventually(t, slowly, func() error {
		if d, r := o.ofFleet(); d != 1 || r != 1 {
			return fmt.Errorf("%d denied and %d restored events\n%s", d, r, bad.log)
		}
		return nil
	})
	o.alive(bad)
	if out := o.list(); strings.Contains(out, "no-sign-in") {
		t.Errorf("when it is over:\n%s", out)
	}
	for _, p := range append(good, bad) {
		o.end(p)
	}
}

// loseAll takes the secret from the workers that have the right one, and waits until ROOMS and the operator know.
func (o *org) loseAll(good []*process) {
	o.t.Helper()
	o.removeSecrets()
	o.revokeTokens()
	for _, p := range good {
		p.becomes(o.t, 503, "AADSTS7000215")
	}
	eventually(o.t, 2*slowly, func() error {
		if d, r := o.ofFleet(); d != 1 || r != 0 {
			return fmt.Errorf("%d denied and %d restored events\n%s", d, r, good[0].log)
		}
		return nil
	})
	out := o.list()
	if strings.Count(out, "  no-sign-in  ") != orgMailboxes || !strings.Contains(out, "No worker can sign in to Exchange since ") || !strings.Contains(out, "(sign-in-refused, AADSTS7000215)") {
		o.t.Errorf("the command says\n%s", out)
	}
}

// list is what "roomsync mailboxes list" says.
func (o *org) list() string {
	o.t.Helper()
	out, err := exec.Command(o.exe("roomsync"), "mailboxes", "list", "--nats-url="+o.nats.URL()).CombinedOutput()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		o.t.Fatal(err)
	}
	return string(out)
}

var named = regexp.MustCompile(`"worker":"([^"]+)"`)

func (o *org) name(p *process) string {
	o.t.Helper()
	m := named.FindStringSubmatch(p.log.String())
	if m == nil {
		o.t.Fatalf("no name in %s", p.log)
	}
	return m[1]
}

// TestSignInFleet_WrongPassword: five workers with the same wrong password try it once between them when they have a key, and
// twice without one; put right, it is taken up by all.
func TestSignInFleet_WrongPassword(t *testing.T) {
	for auth, most := range map[string]uint64{"basic": 1, "ntlm": 2} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t)
			o.sim.Users().SetLockout(lockout, time.Hour)
			o.put("password", "wrong-4711")
			settings := o.onPremises(map[string]string{"auth": auth, "username": exchangesim.ServiceUser, "password-file": o.file("password"), "http": "127.0.0.1:0"})
			if most == 1 {
				o.put("key", "a key for tests, of 32 bytes or more")
				settings["token-key-file"] = o.file("key")
			}
			o.want(0, orgMailboxes)
			var fleet []*process
			for range 5 {
				fleet = append(fleet, o.signedIn(settings))
			}
			for _, p := range fleet {
				p.becomes(t, 503, "cannot sign in to Exchange", "the server refuses the service user")
			}
			if n := o.asked().refusals; n != most {
				t.Errorf("the password was tried %d times, want %d", n, most)
			}
			o.unlocked()
			o.put("password", directory.DefaultPassword)
			for _, p := range fleet {
				p.hangup(t)
			}
			for _, p := range fleet {
				p.becomes(t, 200)
			}
			o.lookAt()
			o.synchronized(fleet[0])
			o.unlocked()
			for _, p := range fleet {
				o.end(p)
			}
		})
	}
}
