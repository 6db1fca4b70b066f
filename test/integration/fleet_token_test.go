package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/exchangesim"
	"roomsync/internal/tokens"
	"roomsync/internal/tokens/entra"
)

// tokenProcessVariable holds the URLs of NATS and of the authority for a process that tokenProcess is all of.
const tokenProcessVariable = "ROOMSYNC_TEST_TOKEN_PROCESS"

// TestFleet_ProcessesAskOnceForTheirToken starts many processes that all need a token at the same moment, of a
// service that takes its time.
func TestFleet_ProcessesAskOnceForTheirToken(t *testing.T) {
	n := 64
	if testing.Short() {
		n = 12
	}
	sim, err := exchangesim.New(exchangesim.Options{Latency: 500 * time.Millisecond})
	must(t, err)
	authority := httptest.NewServer(sim.Handler())
	defer authority.Close()
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	must(t, err)
	defer srv.Stop()
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.URL(), Name: "test", Log: zerolog.Nop()})
	must(t, err)
	defer b.Close()
	must(t, b.Ensure(t.Context()))

	processes := make([]*tokenChild, n)
	for i := range processes {
		processes[i] = startTokenChild(t, srv.URL()+" "+authority.URL)
	}
	for _, p := range processes {
		if line := p.line(); line != "ready" {
			t.Fatalf("a process says %q: %s", line, p.log)
		}
	}
	for _, p := range processes {
		must(t, p.begin.Close())
	}
	got := map[string]int{}
	for _, p := range processes {
		line := p.line()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%v: %s%s", err, line, p.log)
		}
		got[line]++
	}
	for line, times := range got {
		if times != n || !strings.HasPrefix(line, "token ") {
			t.Errorf("%d of %d processes say %q, want one token for all", times, n, line)
		}
	}
	if s := sim.Entra().Stats(); s.Requests != 1 || s.Issued != 1 {
		t.Errorf("%d token requests of %d processes, %d tokens issued; want one", s.Requests, n, s.Issued)
	}
}

// tokenChild is a process that says "ready", gets a token once its standard input ends, and says which.
type tokenChild struct {
	cmd   *exec.Cmd
	begin io.Closer
	out   *bufio.Reader
	log   *lockedBuffer
}

func startTokenChild(t *testing.T, urls string) *tokenChild {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p := &tokenChild{cmd: exec.Command(self), log: &lockedBuffer{}}
	p.cmd.Env = append(os.Environ(), tokenProcessVariable+"="+urls)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	p.out = bufio.NewReader(out)
	p.begin, err = p.cmd.StdinPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

func (p *tokenChild) line() string {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return fmt.Sprintf("%s(%v)", line, err)
	}
	return strings.TrimSpace(line)
}

// tokenProcess is what the test binary does instead of testing when the variable is set. It ends by itself.
func tokenProcess(urls string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := getToken(ctx, urls); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func getToken(ctx context.Context, urls string) error {
	nats, authority, _ := strings.Cut(urls, " ")
	b, err := bus.Connect(ctx, bus.Options{URL: nats, Name: "token process", Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Check(ctx); err != nil {
		return err
	}
	cache, err := sharedCache(b, authority)
	if err != nil {
		return err
	}
	defer cache.Close()
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	tok, err := cache.Get(ctx)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(tok.Value.Reveal(), "eyJ") || time.Until(tok.Expires) < 59*time.Minute {
		return errors.New("that is no token of an hour")
	}
	fmt.Println("token", tok.Generation)
	return nil
}

func sharedCache(b *bus.Bus, authority string) (*tokens.Cache, error) {
	secret := func() (tokens.Secret, error) { return tokens.NewSecret("sim-secret"), nil }
	client, err := entra.New(entra.Options{TenantID: "sim-tenant", ClientID: "sim-app", Secret: secret, AuthorityURL: authority})
	if err != nil {
		return nil, err
	}
	shared, err := tokens.NewShared(tokens.SharedOptions{
		Source: client.Token, Store: b.TokenStore(), Now: b.Now, Credential: secret,
		Identity: tokens.Identity{Kind: "secret", Authority: authority, TenantID: "sim-tenant", ClientID: "sim-app", Scope: entra.DefaultScope},
		Keys: func() ([]tokens.Secret, error) {
			return tokens.NewSecret("a key for tests, of 32 bytes or more").Lines(), nil
		},
	})
	if err != nil {
		return nil, err
	}
	return tokens.NewCache(shared.Token), nil
}
