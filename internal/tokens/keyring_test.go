package tokens

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	textA = "key-a 0123456789abcdefghijklmnopqrstuvwxyz"
	textB = "key-b 0123456789abcdefghijklmnopqrstuvwxyz"
)

func ringOf(t *testing.T, texts ...string) keyring {
	t.Helper()
	var secrets []Secret
	for _, text := range texts {
		secrets = append(secrets, NewSecret(text))
	}
	ring, err := newKeyring(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

var sealTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func sealOne(ring keyring) sealed {
	s := sealed{Generation: "G1", Issued: sealTime, Refresh: sealTime.Add(39 * time.Minute), Expires: sealTime.Add(time.Hour)}
	ring[0].put("entry", &s, NewSecret("the token"))
	return s
}

func TestKeyring_TheFirstSealsAndAllOpen(t *testing.T) {
	old, both := ringOf(t, textA), ringOf(t, textB, textA)
	s := sealOne(old)
	if v, err := both.open("entry", &s); err != nil || v.Reveal() != "the token" {
		t.Errorf("sealed with the second key: %q, %v", v.Reveal(), err)
	}
	s = sealOne(both)
	if v, err := both.open("entry", &s); err != nil || v.Reveal() != "the token" {
		t.Errorf("sealed with the first key: %q, %v", v.Reveal(), err)
	}
	_, err := old.open("entry", &s)
	if err == nil || !strings.Contains(err.Error(), s.Sealer) || !strings.Contains(err.Error(), old[0].id) || strings.Contains(err.Error(), "key-") {
		t.Errorf("sealed with a key that is not there: %v", err)
	}
	if again := sealOne(both); bytes.Equal(again.Blob, s.Blob) {
		t.Error("the same blob twice")
	}
	if bytes.Contains(s.Blob, []byte("token")) {
		t.Error("the blob can be read")
	}
}

func TestKeyring_OpensNothingThatWasChanged(t *testing.T) {
	ring := ringOf(t, textA, textB)
	for name, change := range map[string]func(*sealed){
		"generation": func(s *sealed) { s.Generation = "G2" },
		"issued":     func(s *sealed) { s.Issued = s.Issued.Add(1) },
		"refresh":    func(s *sealed) { s.Refresh = s.Refresh.Add(time.Hour) },
		"expires":    func(s *sealed) { s.Expires = s.Expires.Add(time.Hour) },
		"sealer":     func(s *sealed) { s.Sealer = ring[1].id },
		"unknown":    func(s *sealed) { s.Sealer = "" },
		"no blob":    func(s *sealed) { s.Blob = nil },
	} {
		s := sealOne(ring)
		change(&s)
		if v, err := ring.open("entry", &s); err == nil {
			t.Errorf("%s: opened as %q", name, v.Reveal())
		}
	}
	s := sealOne(ring)
	if _, err := ring.open("another entry", &s); err == nil {
		t.Error("opened in another credential's entry")
	}
	for bit := range len(s.Blob) * 8 {
		broken := s
		broken.Blob = bytes.Clone(s.Blob)
		broken.Blob[bit/8] ^= 1 << (bit % 8)
		if _, err := ring.open("entry", &broken); err == nil {
			t.Errorf("opened with bit %d flipped", bit)
		}
	}
	for n := range s.Blob {
		cut := s
		cut.Blob = s.Blob[:n]
		if _, err := ring.open("entry", &cut); err == nil {
			t.Errorf("opened with %d of %d bytes", n, len(s.Blob))
		}
	}
}

func TestKeyring_RefusesWeakKeys(t *testing.T) {
	if _, err := newKeyring(nil); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("no key: %v", err)
	}
	_, err := newKeyring([]Secret{NewSecret("canary short"), NewSecret(textA), NewSecret(strings.Repeat("c", 31))})
	for _, want := range []string{"key 1 of 3 has 12 bytes", "key 3 of 3 has 31 bytes", "at least 32"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows a key: %v", err)
	}
	if _, err := newKeyring([]Secret{NewSecret(strings.Repeat("c", 32))}); err != nil {
		t.Errorf("32 bytes: %v", err)
	}
}

func TestKeyring_MarksOfCredentials(t *testing.T) {
	ring, other := ringOf(t, textA, textB), ringOf(t, textB)
	secret := NewSecret("hunter2")
	mark := ring[0].mark("entry", secret)
	plain := sha256.Sum256([]byte("hunter2"))
	if strings.Contains(mark, "hunter2") || strings.Contains(mark, hex.EncodeToString(plain[:8])) || mark == other[0].mark("entry", secret) || mark == ring[0].mark("another", secret) {
		t.Errorf("mark %s can be compared with what it ought not to", mark)
	}
	tests := []struct {
		name            string
		ring            keyring
		credential      string
		otherwise, want bool
	}{
		{"the same", ring, "hunter2", false, true},
		{"another", ring, "hunter3", true, false},
		{"the same, by the second key", ringOf(t, textB, textA), "hunter2", false, true},
		{"unknown key", other, "hunter3", true, true},
		{"unknown key, the other way", other, "hunter2", false, false},
	}
	for _, tt := range tests {
		if got := tt.ring.marks(mark, "entry", NewSecret(tt.credential), tt.otherwise); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestShared_ShowsNoKey(t *testing.T) {
	s, err := NewShared(options())
	if err != nil {
		t.Fatal(err)
	}
	c := call{Shared: s, keys: s.keys, credential: NewSecret("key-c")}
	for _, v := range []any{s, s.keys, s.keys[0], c} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			// No bytes at all, in whatever notation: texts, ids and addresses are not lists of numbers.
			if strings.Contains(text, "key-") || regexp.MustCompile(`(\d+[ ,]+){16}|(0x\w\w?, ){8}|\b[0-9a-f]{40}`).MatchString(text) {
				t.Errorf("%s prints %T as %s", verb, v, text)
			}
		}
	}
}

// TestIdentity_KeyStaysAsItIs: another key would leave running processes of an older version with an entry of their own.
func TestIdentity_KeyStaysAsItIs(t *testing.T) {
	id := Identity{Kind: "secret", Authority: "https://login.microsoftonline.com", TenantID: "sim-tenant", ClientID: "sim-app", Scope: "https://outlook.office365.com/.default"}
	const want = "5744e1c07eef078a8c80ab1e30344cf6"
	if got := id.key(); got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	same := id
	same.Authority, same.ClientID = "https://Login.microsoftonline.com/", "SIM-APP"
	if same.key() != id.key() {
		t.Error("a slash and case make a difference")
	}
	seen := map[string]bool{id.key(): true}
	for _, change := range []func(*Identity){
		func(i *Identity) { i.Kind = "x" }, func(i *Identity) { i.Authority = "x" }, func(i *Identity) { i.TenantID = "x" },
		func(i *Identity) { i.ClientID = "x" }, func(i *Identity) { i.Scope = "x" }, func(i *Identity) { i.User = "x" },
		func(i *Identity) { i.TenantID, i.ClientID = "", i.TenantID+i.ClientID },
	} {
		other := id
		if change(&other); seen[other.key()] {
			t.Errorf("%+v has the key of another", other)
		}
		seen[other.key()] = true
	}
}
