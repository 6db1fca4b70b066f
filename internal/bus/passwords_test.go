package bus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/internal/testenv"
	"roomsync/internal/tokens"
)

const fleetKey = "a key for tests, of 32 bytes or more"

// door is a server that takes one password, and counts the others.
type door struct {
	mu       sync.Mutex
	right    string
	refusals int
	in, most int
}

func (d *door) try(password string) bool {
	d.mu.Lock()
	d.in++
	d.most = max(d.most, d.in)
	d.mu.Unlock()
	time.Sleep(time.Second) // fake time
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in--
	if password != d.right {
		d.refusals++
	}
	return password == d.right
}

func (d *door) refused() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refusals
}

// crowd is processes that sign in as the same user.
type crowd struct {
	t     *testing.T
	env   *testenv.Env
	door  *door
	users []*tokens.User
	key   string
}

// passwords runs f in fake time with n processes, which have a key or none.
func passwords(t *testing.T, n int, key string, f func(t *testing.T, c *crowd)) {
	testenv.Bubble(t, func(t *testing.T) {
		c := &crowd{t: t, env: testenv.Start(t, testenv.Options{}), door: &door{right: "right"}, key: key}
		for range n {
			c.users = append(c.users, c.process().For(`CONTOSO\svc`, false))
		}
		f(t, c)
	})
}

func (c *crowd) process() *tokens.Passwords {
	c.t.Helper()
	b := c.env.Connect("process")
	testenv.Must(c.t, b.Check(c.t.Context()))
	return tokens.NewPasswords(tokens.PasswordsOptions{Store: b.TokenStore(), Now: b.Now, Keys: func() ([]tokens.Secret, error) {
		return tokens.NewSecret(c.key).Lines(), nil
	}})
}

// hides checks that what is stored does not hold a password, nor anything of it without a key.
func (c *crowd) hides(password string) {
	c.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(c.env.NATS))
	testenv.Must(c.t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	testenv.Must(c.t, err)
	kv, err := js.KeyValue(c.t.Context(), "tokens")
	testenv.Must(c.t, err)
	keys, err := kv.Keys(c.t.Context())
	testenv.Must(c.t, err)
	for _, key := range keys {
		e, err := kv.Get(c.t.Context(), key)
		testenv.Must(c.t, err)
		if text := key + string(e.Value()); strings.Contains(text, password) || strings.Contains(text, "mark") != (c.key != "") {
			c.t.Errorf("stored: %s", text)
		}
	}
	if len(keys) == 0 {
		c.t.Error("nothing is stored")
	}
}

const mailServer = "https://mail.contoso.com"

// try lets a process try a password as soon as it may, and reports whether it could, and whether it worked.
func (c *crowd) try(u *tokens.User, password string) (tried, worked bool) {
	leave, barred, err := u.Enter(c.t.Context(), mailServer, password)
	if err != nil {
		c.t.Error(err)
	}
	if err != nil || barred > 0 {
		return false, false
	}
	worked = c.door.try(password)
	leave(&worked)
	return true, worked
}

// all lets every process try, and returns how many did.
func (c *crowd) all(password string) (tried int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, u := range c.users {
		all.Go(func() {
			if ok, _ := c.try(u, password); ok {
				mu.Lock()
				tried++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return tried
}

// TestPasswords_AWrongOneIsTriedOnce by a fleet that has a key, and twice by one that has none; again after the pause.
func TestPasswords_AWrongOneIsTriedOnce(t *testing.T) {
	for key, want := range map[string]struct {
		tries int
		pause time.Duration
	}{fleetKey: {1, 10 * time.Minute}, "": {2, 20 * time.Minute}} {
		t.Run(fmt.Sprint(want.tries), func(t *testing.T) {
			passwords(t, 10, key, func(t *testing.T, c *crowd) {
				for range 3 {
					c.all("wrong-canary")
				}
				if n := c.door.refused(); n != want.tries {
					t.Errorf("tried %d times, want %d", n, want.tries)
				}
				time.Sleep(want.pause - time.Minute)
				c.all("wrong-canary")
				if n := c.door.refused(); n != want.tries {
					t.Errorf("tried again %d times within the pause", n-want.tries)
				}
				time.Sleep(time.Minute)
				c.all("wrong-canary")
				if n := c.door.refused(); n > 2*want.tries {
					t.Errorf("after the pause %d times", n-want.tries)
				}
				c.hides("wrong-canary")
			})
		})
	}
}

// TestPasswords_TheRightOne: one after the other tries it until it has worked for somebody, and nobody waits long.
func TestPasswords_TheRightOne(t *testing.T) {
	for _, key := range []string{fleetKey, ""} {
		passwords(t, 10, key, func(t *testing.T, c *crowd) {
			began := time.Now()
			if n := c.all("right"); n != 10 || c.door.refused() != 0 {
				t.Errorf("%d of 10 tried, %d refusals", n, c.door.refused())
			}
			if took := time.Since(began); took > 20*time.Second || key != "" && took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
			if key == "" && c.door.most != 1 {
				t.Errorf("%d at once", c.door.most)
			}
		})
	}
}

// TestPasswords_AnotherOne: a single process with a wrong password keeps nobody from the right one, whoever comes first.
func TestPasswords_AnotherOne(t *testing.T) {
	for _, key := range []string{fleetKey, ""} {
		passwords(t, 3, key, func(t *testing.T, c *crowd) {
			c.try(c.users[0], "wrong")
			for _, u := range c.users[1:] {
				if tried, worked := c.try(u, "right"); !tried || !worked {
					t.Errorf("key %q: tried %t, worked %t", key, tried, worked)
				}
			}
		})
	}
}

// TestPasswords_ACorrectedOne is tried at once: with a key by everybody, without by those that had the refused one before.
func TestPasswords_ACorrectedOne(t *testing.T) {
	for _, key := range []string{fleetKey, ""} {
		passwords(t, 5, key, func(t *testing.T, c *crowd) {
			c.all("wrong")
			time.Sleep(time.Minute)
			if n := c.all("right"); n != 5 {
				t.Errorf("key %q: %d of 5 tried the corrected password", key, n)
			}
		})
	}
	passwords(t, 2, "", func(t *testing.T, c *crowd) { // a restart without a key is no correction: each would try
		c.all("wrong")
		c.users = append(c.users, c.process().For(`CONTOSO\svc`, false))
		if tried, _ := c.try(c.users[2], "wrong"); tried {
			t.Error("a process that has just started tries what two were refused with")
		}
		if tried, _ := c.try(c.process().For(`CONTOSO\svc`, true), "right"); !tried {
			t.Error("an operator asked for it, and it was not tried")
		}
	})
}

// TestPasswords_OneThatWorkedAndDoesNotAnyMore is given up by all after three refusals between them.
func TestPasswords_OneThatWorkedAndDoesNotAnyMore(t *testing.T) {
	for _, key := range []string{fleetKey, ""} {
		passwords(t, 10, key, func(t *testing.T, c *crowd) {
			c.all("right")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			told := make(chan time.Duration, len(c.users))
			for _, u := range c.users {
				go u.Follow(ctx, mailServer, "right", func(d time.Duration) { told <- d })
			}
			time.Sleep(time.Second)
			for i := range 3 {
				barred, err := c.users[i].Refused(mailServer, "right")
				if err != nil || (barred > 0) != (i == 2) {
					t.Fatalf("refusal %d: barred for %v, %v", i, barred, err)
				}
				if i == 0 { // it works for the one who doubted: that was a mailbox's own trouble
					c.users[0].Works(mailServer, "right")
					_, err := c.users[0].Refused(mailServer, "right")
					testenv.Must(t, err)
				}
			}
			for range c.users {
				select {
				case d := <-told:
					if d < 9*time.Minute {
						t.Errorf("key %q: barred for %v", key, d)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("key %q: somebody was not told", key)
				}
			}
		})
	}
}

// TestPasswords_WhoDiesInHisTurn holds the others up for two minutes.
func TestPasswords_WhoDiesInHisTurn(t *testing.T) {
	passwords(t, 2, fleetKey, func(t *testing.T, c *crowd) {
		_, _, err := c.users[0].Enter(t.Context(), mailServer, "right")
		testenv.Must(t, err)
		began := time.Now()
		if tried, _ := c.try(c.users[1], "right"); !tried || time.Since(began) > 130*time.Second {
			t.Errorf("tried %t after %v", tried, time.Since(began))
		}
	})
}
