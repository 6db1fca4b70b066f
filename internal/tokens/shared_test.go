package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// nowhere is a Store that is not reached. What a reached one does is tested with NATS, in package bus.
type nowhere struct{}

var errNowhere = errors.New("nowhere")

func (nowhere) Get(context.Context, string) ([]byte, uint64, error) { return nil, 0, errNowhere }
func (nowhere) Put(context.Context, string, []byte, uint64) (uint64, bool, error) {
	return 0, false, errNowhere
}
func (nowhere) Wait(context.Context, string, uint64) ([]byte, uint64, error) {
	return nil, 0, errNowhere
}

func options() SharedOptions {
	return SharedOptions{
		Source:   func(context.Context, Request) (Token, error) { return Token{}, errors.New("not to be asked") },
		Identity: Identity{Kind: "secret"}, Store: nowhere{}, Now: time.Now,
		Keys: func() ([]Secret, error) { return []Secret{NewSecret(textA)}, nil },
	}
}

func TestNewShared_RefusesWhatIsMissing(t *testing.T) {
	for want, leave := range map[string]func(*SharedOptions){
		"needs a Source":   func(o *SharedOptions) { o.Source = nil },
		"a Store":          func(o *SharedOptions) { o.Store = nil },
		"its clock":        func(o *SharedOptions) { o.Now = nil },
		"and Keys":         func(o *SharedOptions) { o.Keys = nil },
		"identity":         func(o *SharedOptions) { o.Identity = Identity{} },
		"at least 32":      func(o *SharedOptions) { o.Keys = func() ([]Secret, error) { return []Secret{NewSecret("short")}, nil } },
		"cannot be read: ": func(o *SharedOptions) { o.Keys = func() ([]Secret, error) { return nil, errors.New("no such file") } },
	} {
		o := options()
		leave(&o)
		if _, err := NewShared(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := NewShared(options()); err != nil {
		t.Error(err)
	}
}

// TestShared_WithoutItsStore never asks the issuer, and looks for the store every five seconds or so, however long it takes.
func TestShared_WithoutItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewShared(options())
		if err != nil {
			t.Fatal(err)
		}
		c := NewCache(s.Token)
		defer c.Close()
		for range 100 {
			_, err := c.Get(t.Context())
			if !errors.Is(err, errNowhere) || !strings.Contains(err.Error(), "NATS") {
				t.Fatal(err)
			}
			if d := delay(t, err); d < 5*time.Second || d > 7*time.Second {
				t.Fatalf("to be repeated in %v", d)
			}
			time.Sleep(7 * time.Second)
		}
	})
}

func TestShared_WarnsOnceAMinuteOfEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		warned := map[string]int{}
		o := options()
		o.Warn = func(err error) { warned[err.Error()]++ }
		s, err := NewShared(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			s.warn("one", errors.New("one"))
			s.warn("two", errors.New("two"))
			time.Sleep(time.Second)
		}
		if warned["one"] != 5 || warned["two"] != 5 {
			t.Errorf("in five minutes: %v", warned)
		}
	})
}

// adopting is a cache on a source that gives tokens of other processes.
func adopting(next *Token) *Cache {
	c := NewCache(func(context.Context, Request) (Token, error) {
		t := *next
		t.adopted, t.Expires = true, time.Now().Add(t.Expires.Sub(time.Time{}))
		return t, nil
	})
	c.jitter = func() float64 { return 0 }
	return c
}

func TestCache_UsesAnAdoptedTokenToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := adopting(&Token{Value: NewSecret("x"), Generation: "1", Expires: time.Time{}.Add(20 * time.Second)})
		defer c.Close()
		if tok := get(t, c); time.Until(tok.Expires) != 20*time.Second {
			t.Errorf("%v left", time.Until(tok.Expires))
		}
	})
}

// TestReject_AdoptionSpendsNoForcedRefresh: what another process got may be rejected at once; the token that is there
// anyway, because the fleet must not ask yet, is asked for again half a minute later.
func TestReject_AdoptionSpendsNoForcedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := Token{Value: NewSecret("x"), Generation: "1", Expires: time.Time{}.Add(time.Hour)}
		c := adopting(&next)
		defer c.Close()
		get(t, c)
		for _, g := range []string{"1", "2", "3"} {
			next.Generation = string(rune(g[0] + 1))
			if retry, err := c.Reject(t.Context(), g, ""); !retry || err != nil {
				t.Fatalf("generation %s: %v, %v", g, retry, err)
			}
		}
		for range 10 {
			if retry, err := c.Reject(t.Context(), "4", ""); retry || err != nil {
				t.Fatalf("the same again: %v, %v", retry, err)
			}
		}
		next.Generation = "5"
		if retry, _ := c.Reject(t.Context(), "4", ""); retry {
			t.Error("asked again at once")
		}
		time.Sleep(30 * time.Second)
		if retry, err := c.Reject(t.Context(), "4", ""); !retry || err != nil {
			t.Errorf("half a minute later: %v, %v", retry, err)
		}
	})
}

func TestSecret_Lines(t *testing.T) {
	var got []string
	for _, s := range NewSecret("\n one \r\n\t\ntwo\nthree").Lines() {
		got = append(got, s.Reveal())
	}
	if strings.Join(got, "|") != "one|two|three" {
		t.Errorf("%q", got)
	}
	if n := len(Secret{}.Lines()); n != 0 {
		t.Errorf("%d lines of nothing", n)
	}
}

// FuzzEntry: whatever stands in the store, only what was sealed comes out of it.
func FuzzEntry(f *testing.F) {
	s, err := NewShared(options())
	if err != nil {
		f.Fatal(err)
	}
	token := sealed{Generation: "G1", Issued: sealTime, Refresh: sealTime.Add(time.Minute), Expires: sealTime.Add(time.Hour)}
	s.keys[0].put(s.key, &token, NewSecret("the token"))
	data, _ := json.Marshal(entry{Tokens: []sealed{token}, Holder: "x", Lease: sealTime, Outage: &failure{Status: 503, At: sealTime, Until: sealTime.Add(time.Minute)}, Refused: []failure{{}}})
	f.Add(data)
	f.Add([]byte(`{"tokens":[{"sealer":"` + s.keys[0].id + `","blob":"AA==","issued":"2026-11-23T12:00:00Z","expires":"2026-11-23T13:00:00Z"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := s.decode(data, 1)
		c := &call{Shared: s, keys: s.keys}
		best, value := c.newest(&v.entry, sealTime)
		if best != nil && (value.Reveal() != "the token" || best.Generation != "G1" || !best.Expires.Equal(token.Expires)) {
			t.Errorf("%q came out of %s", value.Reveal(), data)
		}
		v.entry.refusal(sealTime, func(mark string) bool { return c.marks(mark, true) })
		v.entry.note(failure{At: sealTime}, 0, 0, nil)
		v.entry.add(token)
		if _, err := json.Marshal(&v.entry); err != nil {
			t.Errorf("cannot be written again: %v", err)
		}
	})
}
