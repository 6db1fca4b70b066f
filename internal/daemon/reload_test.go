package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/config"
	"roomsync/internal/jobs"
	"roomsync/internal/tokens"
)

const canary = "canary-4711-secret"

// shop is a worker's configuration in files that can be changed, and an Entra that knows which secrets are right.
type shop struct {
	t      *testing.T
	mu     sync.Mutex
	files  map[string]string
	right  map[string]bool // secrets that Entra takes
	asked  map[string]int  // token requests by secret
	log    bytes.Buffer
	cal    *swapping
	hangup chan os.Signal
	opened []*named
	// relieved are the workers that had to take over.
	relieved []jobs.Identity
}

// relieve notes who takes over from whom.
func (s *shop) relieve(_ context.Context, c config.Worker, swap func()) bool {
	s.mu.Lock()
	s.relieved = append(s.relieved, Identity(c.Exchange))
	s.mu.Unlock()
	swap()
	return true
}

func (s *shop) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// said is what was logged since it was asked last.
func (s *shop) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.log.Reset()
	return s.log.String()
}

func (s *shop) write(file, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[file] = content
}

func (s *shop) accept(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.right[secret] = true
}

func (s *shop) requests(secret string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[secret]
}

func (s *shop) read(file string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, ok := s.files[file]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
}

func (s *shop) env() config.Env {
	return config.Env{
		Getenv: func(string) string { return "" }, ReadSecret: s.read,
		ReadFile: func(file string, _ int64) ([]byte, bool, error) { data, err := s.read(file); return data, false, err },
	}
}

func (s *shop) look() *look {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &look{certificates: sha256.Sum256([]byte(s.files["cert"])), token: sha256.Sum256([]byte(s.files["token"]))}
	rest := maps.Clone(s.files)
	delete(rest, "cert")
	delete(rest, "token")
	l.files = sha256.Sum256(fmt.Append(nil, rest))
	return l
}

// open makes an access whose reader is named after what it signs in with.
func (s *shop) open(c config.Worker, _ bool) (*access, error) {
	certificate, _ := s.read("cert")
	if c.Auth == config.AuthCertificate && len(certificate) == 0 {
		return nil, errors.New("there is no certificate")
	}
	name := c.TenantID + " " + c.Auth
	r := &named{name: name}
	s.mu.Lock()
	s.opened = append(s.opened, r)
	s.mu.Unlock()
	cache := tokens.NewCache(func(context.Context, tokens.Request) (tokens.Token, error) {
		secret := string(certificate)
		if c.Auth == config.AuthFederated {
			token, _ := s.read("token")
			secret = string(token)
		}
		if c.Auth == config.AuthSecret {
			x, err := c.ClientSecret()
			if err != nil {
				return tokens.Token{}, err
			}
			secret = x.Reveal()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked[secret]++
		if !s.right[secret] {
			return tokens.Token{}, &tokens.Error{Code: "invalid_client", AADSTS: 7000215, Status: 401, RetryAfter: 15 * time.Minute, Hint: "the client secret is wrong"}
		}
		return tokens.Token{Value: tokens.NewSecret("token"), Expires: time.Now().Add(time.Hour)}, nil
	})
	prove := func(ctx context.Context) error {
		_, err := cache.Get(ctx)
		return err
	}
	return &access{r, prove, func() { r.close(); cache.Close() }}, nil
}

func rooms(tenant, secret string) string {
	return `<RoomsAppSettings><add key="ExchangeTenantId" value="` + tenant + `"/><add key="ExchangeAppId" value="a"/><add key="ExchangeClientSecret" value="` + secret + `"/></RoomsAppSettings>`
}

// inShop runs f in fake time beside a reloader of a worker that signs in with what the file rooms holds.
func inShop(t *testing.T, flags string, f func(s *shop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &shop{t: t, right: map[string]bool{canary + "1": true}, asked: map[string]int{}, hangup: make(chan os.Signal, 1)}
		s.files = map[string]string{"rooms": rooms("t1", canary+"1"), "key": strings.Repeat("k", 32)}
		var c config.Worker
		if err := config.Load(strings.Fields("--rooms-config rooms "+flags), s.env(), &c); err != nil {
			t.Fatal(err)
		}
		first, err := s.open(c, false)
		if err != nil {
			t.Fatal(err)
		}
		s.cal = newSwapping(first.calendar, first.close)
		r := &reloader{log: zerolog.New(s), look: s.look, again: c.Again, open: s.open, cal: s.cal, relieve: s.relieve, use: func(func(context.Context) error) {}, present: c, prove: first.prove}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.run(ctx, s.hangup)
		}()
		s.pass(time.Minute)
		if said := s.said(); said != "" {
			t.Errorf("nothing has happened, yet it says %s", said)
		}
		f(s)
		stop()
		<-done
		s.cal.close()
		for _, r := range s.opened {
			if !r.closed.Load() {
				t.Errorf("%q was not closed", r.name)
			}
		}
		if s.mu.Lock(); strings.Contains(s.log.String(), canary) {
			t.Errorf("the log shows the secret: %s", s.log.String())
		}
		s.mu.Unlock()
	})
}

func (s *shop) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *shop) expect(what, reader string, said ...string) {
	s.t.Helper()
	if got := probed(s.cal); got != reader {
		s.t.Errorf("%s: signs in by %q, want %q", what, got, reader)
	}
	log := s.said()
	if strings.Contains(log, canary) {
		s.t.Errorf("%s: the log shows the secret: %s", what, log)
	}
	if n := strings.Count(log, "\n"); n != len(said) {
		s.t.Errorf("%s: %d lines, want %d: %s", what, n, len(said), log)
	}
	for _, want := range said {
		if !strings.Contains(log, want) {
			s.t.Errorf("%s: lacks %q: %s", what, want, log)
		}
	}
}

const (
	trying  = "the configuration was read anew; signing in with it"
	inForce = "the changed sign-in is in force"
)

func TestReload_AnotherTenantAndSecret(t *testing.T) {
	inShop(t, "", func(s *shop) {
		s.accept(canary + "2")
		s.write("rooms", rooms("t2", canary+"2"))
		s.pass(lookEvery + 2*settle)
		const changed = `"changed":["tenant-id (rooms:1 ExchangeTenantId)","client-secret (rooms:1 ExchangeClientSecret)"],"auth":"secret","message":"`
		s.expect("changed", "t2 secret", changed+trying, changed+inForce)
		if len(s.relieved) != 1 || s.relieved[0].Tenant != "t2" {
			t.Errorf("another tenant's worker: %v", s.relieved)
		}
		s.accept(canary + "3")
		s.write("rooms", rooms("t2", canary+"3"))
		s.pass(lookEvery + 2*settle)
		s.expect("rotated", "t2 secret", trying, inForce)
		if len(s.relieved) != 1 {
			t.Errorf("a rotated secret needed another worker: %v", s.relieved)
		}
		s.accept(canary + "2")
		s.write("rooms", rooms("t2", canary+"2"))
		s.pass(lookEvery + 2*settle)
		s.said()
		s.write("rooms", "<!-- a comment -->\n"+rooms("t2", canary+"2"))
		s.pass(time.Minute)
		s.expect("a comment more", "t2 secret")
	})
}

// What cannot be used is said once, and changes nothing.
func TestReload_Faults(t *testing.T) {
	inShop(t, "", func(s *shop) {
		s.write("rooms", rooms("common", "xxx"))
		s.pass(time.Hour)
		s.expect("faults", "t1 secret", `"faults":["rooms:1 ExchangeClientSecret: is still the placeholder of the guide`)
		s.write("rooms", "<RoomsAppSettings><add")
		s.pass(time.Hour)
		s.expect("half a file", "t1 secret", "ends before its elements do")
		s.write("rooms", rooms("t1", canary+"1"))
		s.pass(time.Minute)
		s.expect("as before", "t1 secret", "the configuration is again as it was")
		s.write("rooms", rooms("common", "xxx"))
		s.pass(time.Minute)
		s.expect("faults again", "t1 secret", "is still the placeholder")
	})
}

// A sign-in that gets no token replaces none that may have one; it is tried again as its cache allows, and at once when
// it changes.
func TestReload_RefusedByEntra(t *testing.T) {
	inShop(t, "", func(s *shop) {
		s.write("rooms", rooms("t2", canary+"2"))
		s.pass(10 * time.Minute)
		s.expect("refused", "t1 secret", trying, "gets no token; the one before stays in force")
		if n := s.requests(canary + "2"); n != 1 {
			t.Errorf("%d token requests in ten minutes, want 1", n)
		}
		s.accept(canary + "3")
		s.write("rooms", rooms("t2", canary+"3"))
		s.pass(lookEvery + 2*settle)
		s.expect("corrected", "t2 secret", trying, inForce)

		s.write("rooms", rooms("t2", canary+"4"))
		s.pass(time.Minute)
		s.expect("refused again", "t2 secret", trying, "gets no token")
		s.accept(canary + "4")
		s.pass(20 * time.Minute)
		s.expect("right after a while", "t2 secret", inForce)
		if n := s.requests(canary + "4"); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}

		s.write("rooms", rooms("t2", canary+"5"))
		s.pass(time.Minute)
		s.expect("refused", "t2 secret", trying, "gets no token")
		s.write("rooms", rooms("t2", canary+"4"))
		s.pass(time.Minute)
		s.expect("taken back", "t2 secret", "the configuration is again as it was")
	})
}

// SIGHUP reads at once, and signs in anew even if nothing has changed here: a secret may have become right there.
func TestReload_Hangup(t *testing.T) {
	inShop(t, "", func(s *shop) {
		before := s.requests(canary + "1")
		s.hangup <- syscall.SIGHUP
		s.pass(settle)
		s.expect("asked", "t1 secret", trying, inForce)
		if n := s.requests(canary+"1") - before; n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
		s.write("rooms", rooms("t2", canary+"2"))
		s.hangup <- syscall.SIGHUP
		s.pass(2 * settle)
		s.expect("refused", "t1 secret", trying, "gets no token")
		s.accept(canary + "2")
		s.hangup <- syscall.SIGHUP
		s.pass(settle)
		s.expect("right now", "t2 secret", trying, inForce)
	})
}

// While a file is being written it is left alone.
func TestReload_WaitsForTheWriter(t *testing.T) {
	inShop(t, "", func(s *shop) {
		s.accept(canary + "2")
		whole := rooms("t2", canary+"2")
		s.pass(lookEvery - 2*settle)
		for i := range 10 { // across a look
			s.write("rooms", whole[:10*i])
			s.pass(settle * 9 / 10)
		}
		s.write("rooms", whole)
		s.pass(lookEvery + 2*settle)
		s.expect("written", "t2 secret", trying, inForce)
	})
}

func TestReload_OtherKindsAndCertificates(t *testing.T) {
	inShop(t, "--cert-dir certs", func(s *shop) {
		const thumbprint = `<RoomsAppSettings><add key="ExchangeTenantId" value="t1"/><add key="ExchangeAppId" value="a"/>` +
			`<add key="ExchangeCertThumbprint" value="A1B2C3D4E5F60718293A4B5C6D7E8F9001122334"/></RoomsAppSettings>`
		s.write("rooms", thumbprint)
		s.pass(time.Minute)
		s.expect("no certificate", "t1 secret", "its sign-in cannot be used")
		s.accept("c1")
		s.write("cert", "c1")
		s.pass(time.Minute)
		s.expect("a certificate", "t1 certificate", trying, inForce)
		s.write("cert", "c2")
		s.pass(time.Minute)
		s.expect("one that Entra does not know", "t1 certificate", "cert-dir (its files)", "gets no token")
		s.write("rooms", thumbprint+"<!-- a comment -->")
		s.pass(time.Minute)
		s.expect("still not known, whatever else is written", "t1 certificate", "cert-dir (its files)", "gets no token")
		s.write("rooms", rooms("t1", canary+"1"))
		s.pass(time.Minute)
		s.expect("back to the secret", "t1 secret", trying, inForce, `"setting":"--cert-dir","message":"is not used by this worker`)
		s.write("cert", "c3")
		s.pass(time.Minute)
		s.expect("certificates do not matter now", "t1 secret")
	})
}

func TestReload_WhatNeedsARestart(t *testing.T) {
	inShop(t, "--mailbox-token hmac --mailbox-token-key-file key", func(s *shop) {
		s.write("key", strings.Repeat("n", 32))
		s.pass(time.Hour)
		s.expect("another key", "t1 secret", `"changed":["mailbox-token-key (--mailbox-token-key-file)"],"message":"a change of these settings needs a restart"`)
	})
}

// A change between the start of the process and the first look is not missed.
func TestReload_ChangedBeforeTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{t: t, right: map[string]bool{canary + "2": true}, asked: map[string]int{}}
		s.files = map[string]string{"rooms": rooms("t1", canary+"1")}
		var c config.Worker
		if err := config.Load([]string{"--rooms-config=rooms"}, s.env(), &c); err != nil {
			t.Fatal(err)
		}
		first, err := s.open(c, false)
		if err != nil {
			t.Fatal(err)
		}
		s.cal = newSwapping(first.calendar, first.close)
		s.write("rooms", rooms("t2", canary+"2"))
		r := &reloader{log: zerolog.New(s), look: s.look, again: c.Again, open: s.open, cal: s.cal, relieve: s.relieve, use: func(func(context.Context) error) {}, present: c, prove: first.prove}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		r.run(ctx, nil)
		s.expect("first look", "t2 secret", trying, inForce)
		s.cal.close()
	})
}
