package events

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMailboxToken(t *testing.T) {
	for _, tt := range []struct{ address, token string }{
		{"room0001@contoso.example", "room0001=40contoso=2Eexample"},
		{"Anna.Muster@Contoso.Example", "anna=2Emuster=40contoso=2Eexample"},
		{"o'neil+x_y-z@a.b", "o=27neil=2Bx_y-z=40a=2Eb"},
		{"müller@a.b", "m=C3=BCller=40a=2Eb"},
		{"a=2Eb@c.d", "a=3D2eb=40c=2Ed"},
		{"*.>@ \x00", "=2A=2E=3E=40=20=00"},
	} {
		if got := MailboxToken(tt.address); got != tt.token {
			t.Errorf("MailboxToken(%q) = %q, want %q", tt.address, got, tt.token)
		}
		if got, ok := AddressOf(tt.token); !ok || got != lower(tt.address) {
			t.Errorf("AddressOf(%q) = %q, %v", tt.token, got, ok)
		}
	}
	for _, token := range []string{"", "room", "room=40=4", "room=4", "room=40a=2eb", "Room=40a", "a@b", "=61=40b", MailboxTokenHMAC([]byte("k"), "a@b.c")} {
		if got, ok := AddressOf(token); ok {
			t.Errorf("AddressOf(%q) = %q, want none", token, got)
		}
	}
}

func TestTokensAreSubjectTokens(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z0-9_=A-F-]+$`)
	keyed := regexp.MustCompile(`^[a-z2-7]{26}$`)
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.String().Draw(t, "local") + "@" + rapid.String().Draw(t, "domain")
		token := MailboxToken(address)
		if !plain.MatchString(token) {
			t.Errorf("%q is no subject token", token)
		}
		if back, ok := AddressOf(token); !ok || back != lower(address) {
			t.Errorf("%q → %q → %q, %v", address, token, back, ok)
		}
		if k := MailboxTokenHMAC([]byte("key"), address); !keyed.MatchString(k) {
			t.Errorf("keyed token %q", k)
		}
	})
}

func TestMailboxTokenHMAC(t *testing.T) {
	// Made with Python's hmac, hashlib and base64.
	const want = "gtkvzp4xuba7rvsumeeeqjmlbe"
	if got := MailboxTokenHMAC([]byte("secret"), "A@b.example"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if MailboxTokenHMAC([]byte("other"), "a@b.example") == want {
		t.Error("the key does not matter")
	}
}

func TestSubjects(t *testing.T) {
	token := MailboxToken("a@b.c")
	for got, want := range map[string]string{
		ChangesSubject(token):     "rooms.changes.a=40b=2Ec",
		EventsSubject(token):      "exchange.events.a=40b=2Ec",
		DeadSubject("job", token): "dead.job.a=40b=2Ec",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestTenantToken: it is a subject's token, and no mailbox's.
func TestTenantToken(t *testing.T) {
	token := TenantToken("1f0c8e55d2a4b7e6")
	if strings.ContainsAny(token, ".*> ") {
		t.Errorf("%q is no token of a subject", token)
	}
	if address, ok := AddressOf(token); ok {
		t.Errorf("%q is taken for the mailbox %s", token, address)
	}
	for _, address := range []string{"_tenant-1f0c8e55d2a4b7e6@contoso.example", "_tenant-@contoso.example"} {
		if MailboxToken(address) == token {
			t.Errorf("the mailbox %s has the same", address)
		}
	}
	if strings.HasPrefix(MailboxTokenHMAC([]byte("key"), "room@contoso.example"), TenantToken("")) {
		t.Error("a keyed token looks like one")
	}
}
