package bus_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"roomsync/internal/tokens"
)

// renewals is how many requests a time may cost at most when each hour's token is renewed after 39 minutes or more.
func renewals(d time.Duration) int { return int(d/(39*time.Minute)) + 1 }

// TestFleet_KeysAreRotated in the order that is asked for, each step lasting long enough to be caught in the middle of it.
func TestFleet_KeysAreRotated(t *testing.T) {
	inFleet(t, 8, func(f *fleet) {
		f.one()
		asked := 0
		stage := func(name string, most int, keys ...string) {
			t.Helper()
			for i, p := range f.all {
				if i%2 == 0 || len(keys) == 1 {
					p.setKeys(strings.Split(keys[0], "|")...)
				} else {
					p.setKeys(strings.Split(keys[1], "|")...)
				}
			}
			f.start("late", strings.Split(keys[0], "|")...)
			const long = 4 * time.Hour
			if failed := f.work(long); failed > 0 {
				t.Errorf("%s: %d times no token", name, failed)
			}
			n := len(f.issuer.asked()) - asked
			if asked += n; n > most*renewals(long) {
				t.Errorf("%s: %d requests in %v", name, n, long)
			}
		}
		stage("one key", 1, keyA)
		stage("some have the new key", 2, keyB+"|"+keyA, keyA)
		stage("all have both", 1, keyB+"|"+keyA)
		stage("some have dropped the old key", 1, keyB, keyB+"|"+keyA)
		stage("the new key", 1, keyB)
		if generations, _ := f.get(); len(generations) > 2 {
			t.Errorf("generations %v; want one, or two while it is being renewed", generations)
		}
		f.wantSpaced(1, time.Second)
	})
}

// TestFleet_DifferentKeys makes as many fleets of it as there are keys; a key too many is a process on its own.
func TestFleet_DifferentKeys(t *testing.T) {
	for _, groups := range []int{2, 6} {
		t.Run(fmt.Sprint(groups), func(t *testing.T) {
			inFleet(t, 12, func(f *fleet) {
				for i, p := range f.all {
					p.setKeys(fmt.Sprintf("key %d canary 0123456789abcdefghijklmnop", i%groups))
				}
				const long = 5 * time.Hour
				if failed := f.work(long); failed > 0 {
					t.Errorf("%d times no token", failed)
				}
				most := groups * renewals(long)
				if groups > 4 { // four keys have their token; of the others every process asks
					most = 12 * renewals(long)
				}
				if n := len(f.issuer.asked()); n > most {
					t.Errorf("%d requests in %v, want %d at most", n, long, most)
				}
				f.wantSpaced(1, time.Second)
				for _, p := range f.all {
					if w := p.warnings(); !strings.Contains(w, "give every worker the same keys") || strings.Contains(w, "canary") {
						t.Errorf("%s warns %q", p.name, w)
					}
					if n := len(p.warned); n > int(long/time.Minute) {
						t.Errorf("%s warns %d times in %v", p.name, n, long)
					}
				}
			})
		})
	}
}

func TestFleet_KeysThatCannotBeReadAnymore(t *testing.T) {
	inFleet(t, 2, func(f *fleet) {
		f.one()
		f.all[0].setKeys("too short")
		if failed := f.work(2 * time.Hour); failed > 0 {
			t.Errorf("%d times no token", failed)
		}
		f.one()
		if w := f.all[0].warnings(); !strings.Contains(w, "9 bytes") {
			t.Errorf("warnings %q", w)
		}
	})
}

// entry returns the bucket, the key of the fleet's entry, and what stands there.
func (f *fleet) entry() (jetstream.KeyValue, string, []byte) {
	f.t.Helper()
	kv, err := operator(f.t, f.link.srv).KeyValue(f.t.Context(), "tokens")
	must(f.t, err)
	keys, err := kv.Keys(f.t.Context())
	must(f.t, err)
	if len(keys) != 1 {
		f.t.Fatalf("the bucket has keys %v", keys)
	}
	e, err := kv.Get(f.t.Context(), keys[0])
	must(f.t, err)
	return kv, keys[0], e.Value()
}

// TestFleet_DamageIsAMiss: a process that finds an entry with one bit flipped, or cut, gets a token all the same.
func TestFleet_DamageIsAMiss(t *testing.T) {
	inFleet(t, 1, func(f *fleet) {
		f.one()
		kv, key, sound := f.entry()
		rnd := rand.New(rand.NewPCG(1, 2))
		const rounds = 150
		asked := len(f.issuer.asked())
		for i := range rounds {
			data := bytes.Clone(sound)
			if at := rnd.IntN(len(data)); i%10 == 0 {
				data = data[:at]
			} else {
				data[at] ^= 1 << rnd.IntN(8)
			}
			_, err := kv.Put(f.t.Context(), key, data)
			must(f.t, err)
			p := f.all[0]
			p.reset(f, f.issuer.source(p.name))
			before := time.Now()
			if _, err := p.cache.Get(f.t.Context()); err != nil || time.Since(before) > time.Minute {
				t.Errorf("after %v: %v with the entry\n%s", time.Since(before), err, data)
			}
			p.cache.Close()
		}
		// Some bits make no difference: those of unknown fields' names.
		if n := len(f.issuer.asked()) - asked; n < rounds*8/10 || n > rounds {
			t.Errorf("%d requests for %d damages", n, rounds)
		}
		if w := f.all[0].warnings(); !strings.Contains(w, "damaged") || !strings.Contains(w, "not understood") || len(f.all[0].warned) > rounds {
			t.Errorf("%d warnings: %q", len(f.all[0].warned), w)
		}
	})
}

// TestFleet_DamageIsMendedByOne: the others, who have the token in memory, go on, and adopt the new one when theirs is due.
func TestFleet_DamageIsMendedByOne(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.one()
		kv, key, data := f.entry()
		at := bytes.Index(data, []byte(`"blob":"`)) + 20
		data[at] ^= 1
		_, err := kv.Put(f.t.Context(), key, data)
		must(f.t, err)
		f.start("late", keyA)
		f.work(38 * time.Minute)
		f.wantAsked(2)
		f.work(10 * time.Minute)
		f.wantAsked(3)
		f.one()
	})
}

func TestFleet_StoresNothingThatCanBeRead(t *testing.T) {
	inFleet(t, 2, func(f *fleet) {
		bad := f.one()
		_, err := f.all[0].cache.Reject(f.t.Context(), bad, "")
		must(f.t, err)
		f.issuer.fails(always(&tokens.Error{Status: 401, Code: "invalid_client", Err: fmt.Errorf("canary cause")}))
		f.work(2 * time.Hour)
		_, key, data := f.entry()
		if len(key) != 32 || !bytes.Contains(data, []byte("invalid_client")) {
			t.Errorf("key %s holds\n%s", key, data)
		}
		f.link.down()
		read := 0
		must(t, filepath.WalkDir(f.link.dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(file)
			read += len(content)
			wantNoCanary(t, file, content)
			return err
		}))
		if read < 1000 {
			t.Errorf("only %d bytes were looked at", read)
		}
	})
}

// wantNoCanary looks for what must stand nowhere, in the ways in which it might be written.
func wantNoCanary(t *testing.T, name string, content []byte) {
	t.Helper()
	for _, canary := range []string{"canary-token-1", "canary-token-2", keyA, "secret one", "canary-app", "canary cause"} {
		for _, form := range []string{canary, url.QueryEscape(canary), hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary))[:len(canary)]} {
			if bytes.Contains(content, []byte(form)) {
				t.Errorf("%s holds %q", name, form)
			}
		}
	}
}
