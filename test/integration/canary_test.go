package integration

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestCanary lets workers of every kind go through success and through every fault of the sign-in that the simulator knows,
// and an operator through the commands, then looks for their secrets in everything that can be seen of them and that they
// leave behind. What a process was given in its environment is not looked for: it stands in /proc/PID/environ.
func TestCanary(t *testing.T) {
	a, address := newAviary(t), freeAddress(t)
	a.begin(address)
	a.signedInAll()
	sinks := pages(t, address)
	for _, p := range a.workers {
		sinks = append(sinks, p.commandLine(t))
	}
	a.tokenFaults()
	a.serverFaults()
	a.refusals()
	a.commands()
	a.commandsWithWrongSecrets()
	a.signedInAll()
	sinks = append(sinks, pages(t, address)...)
	sinks = append(sinks, a.leftBehind()...)

	a.provesSomething()
	canaries, size := a.canaries(), 0
	for _, x := range sinks {
		size += len(x.data)
	}
	t.Logf("%d sinks with %d bytes, %d canaries", len(sinks), size, len(canaries))
	for _, found := range newSearcher(t, canaries).search(sinks) {
		t.Errorf("found %s", found)
	}
}

// signedInAll waits until each kind has brought something from Exchange.
func (a *aviary) signedInAll() {
	a.t.Helper()
	since := a.sim.Faults().Counters().Calls
	want := map[string]bool{"secret": true, "certificate": true, "federated": true, "delegated": true, "basic": true, "ntlm": true}
	eventually(a.t, slowly, func() error {
		a.lookAt()
		met := map[string]bool{}
		for _, c := range a.sim.Faults().Calls(0, "", 0) {
			if c.Call > since && c.Status == 200 && c.Operation != "token" && want[string(c.SignIn)] {
				met[string(c.SignIn)] = true
			}
		}
		if len(met) != len(want) {
			return fmt.Errorf("signed in by %v only", met)
		}
		return nil
	})
}

// provesSomething makes sure that the secrets did travel.
func (a *aviary) provesSomething() {
	a.t.Helper()
	for _, x := range []struct{ what, value string }{
		{"client_secret", canarySecret}, {"client_secret", wrongCanary + "secret"},
		{"password", canaryPassword + "delegated"}, {"password", wrongCanary + "delegated"},
	} {
		if !a.recorder.saw(x.what, x.value) {
			a.t.Errorf("the simulator has never been sent %s %q", x.what, x.value)
		}
	}
	kinds := map[string]bool{}
	for _, c := range a.recorder.canaries() {
		kinds[c.name] = true
	}
	for _, what := range []string{"client_assertion", "signature of client_assertion", "access_token", "signature of access_token", "Basic credentials", "NTLM credentials"} {
		if !kinds[what] {
			a.t.Errorf("the recorder has seen no %s", what)
		}
	}
}

// commands are an operator's on a good day.
func (a *aviary) commands() {
	a.t.Helper()
	const mailbox = "user0010@contoso.example"
	for _, kind := range aviaryKinds {
		settings := a.settings(kind)
		for _, more := range [][]string{{}, {"--json"}, {"--online", "--mailbox=" + mailbox}, {"--online", "--json"}} {
			a.command(0, "config check", append(settings, more...)...)
		}
		a.command(0, "access check", append(settings, "--json", mailbox)...)
		a.command(0, "access check", append(settings, mailbox)...)
	}
	a.command(0, "events tail", "--from=1", "--count=20")
	a.command(0, "events tail", "--from=1", "--count=20", "--json")
	a.command(0, "mailboxes list", "--json")
}

// commandsWithWrongSecrets are those of a bad day, of which the workers have theirs as well.
func (a *aviary) commandsWithWrongSecrets() {
	a.t.Helper()
	const mailbox = "--mailbox=user0010@contoso.example"
	// A file that breaks off right behind a secret, which a careless message would quote.
	a.put("broken.config", `<RoomsAppSettings><add key="ExchangeClientSecret" value="`+wrongCanary+`&x" /><add key="`)
	a.command(2, "config check", "--rooms-config="+a.file("broken.config"))
	a.wronged()
	for _, kind := range aviaryKinds {
		exits := 1
		if kind == "pfx" || kind == "federated" { // found out without asking
			exits = 2
		}
		a.command(exits, "config check", append(a.settings(kind), "--online", mailbox)...)
		a.command(exits, "config check", append(a.settings(kind), "--online", "--json", mailbox)...)
		a.command(exits, "access check", append(a.settings(kind), "user0010@contoso.example")...)
	}
	a.refreshed("gets no token", "its sign-in cannot be used")
	a.right()
	a.refreshed(inForce)
	for _, kind := range aviaryKinds[askEntra:] {
		a.workers[kind].hangup(a.t)
	}
}

// leftBehind ends everything, the workers by the signal that makes them tell all about themselves, and collects what there
// is to be read afterwards.
func (a *aviary) leftBehind() []sink {
	a.t.Helper()
	messages := streamSink(a.t, a.js)
	if len(messages) < 50 {
		a.t.Errorf("%d messages in all streams: the test proves nothing", len(messages))
	}
	sinks, debugged := append(a.said, messages...), false
	for kind, p := range a.workers {
		if runtime.GOOS == "windows" {
			p.kill()
		} else {
			must(a.t, p.cmd.Process.Signal(syscall.SIGQUIT))
			_ = p.exit(a.t)
			p.says(a.t, 0, "goroutine ")
		}
		log := p.log.String()
		debugged = debugged || strings.Contains(log, `"level":"debug"`)
		sinks = append(sinks, sink{"the log of the worker by " + kind, []byte(log)})
	}
	if !debugged {
		a.t.Error("nobody logs for debugging")
	}
	sinks = append(sinks, a.wire.sink())
	a.bus.Close()
	a.nats.Stop()
	files := folderSink(a.t, a.store)
	if len(files) < 10 {
		a.t.Errorf("%d files of NATS: the test proves nothing", len(files))
	}
	return append(sinks, files...)
}
