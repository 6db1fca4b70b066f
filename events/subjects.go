package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// JetStream streams.
const (
	StreamChanges = "ROOMS_CHANGES"   // from ROOMS
	StreamEvents  = "EXCHANGE_EVENTS" // to ROOMS
	StreamJobs    = "JOBS"            // roomsync's own
	StreamState   = "MAILBOX_STATE"   // roomsync's own
	StreamDead    = "DEAD_LETTERS"    // what was given up
)

// Key-value buckets.
const (
	BucketMailboxes = "mailboxes" // of [Mailbox]: which calendars are wanted
	BucketLinks     = "links"     // roomsync's own
	BucketTokens    = "tokens"    // roomsync's own
	BucketThrottle  = "throttle"  // roomsync's own
)

// Subjects end in a mailbox token; these are what stands before it.
const (
	changesPrefix = "rooms.changes."
	eventsPrefix  = "exchange.events."
	deadPrefix    = "dead."
)

// ChangesSubject is where ROOMS publishes what it wants in a mailbox's calendar.
func ChangesSubject(token string) string { return changesPrefix + token }

// EventsSubject is where roomsync publishes what happened in a mailbox's calendar.
func EventsSubject(token string) string { return eventsPrefix + token }

// TenantToken stands in the place of a mailbox's token where many mailboxes are meant: those of one sign-in at one
// server, which the key names. No mailbox has such a token.
func TenantToken(key string) string { return "_tenant-" + key }

// DeadSubject is where a mailbox's work of some kind is kept that was given up.
func DeadSubject(kind, token string) string { return deadPrefix + kind + "." + token }

// MailboxToken is how an address stands in subjects and keys: A-Z in lower case, and every byte other than a-z, 0-9,
// "_" and "-" as "=" and two upper-case hexadecimal digits. "Anna.Muster@contoso.example" is
// "anna=2Emuster=40contoso=2Eexample".
func MailboxToken(address string) string {
	const upperHex = "0123456789ABCDEF"
	b := make([]byte, 0, len(address)+8)
	for _, c := range []byte(lower(address)) {
		if tokenByte(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// AddressOf reverses [MailboxToken]. It reports false for what is no such token; a keyed one cannot be reversed.
func AddressOf(token string) (address string, ok bool) {
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		if c, ok := hexByte('=', token[i:]); ok {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, token[i])
	}
	address = string(b)
	if !strings.Contains(address, "@") || MailboxToken(address) != token {
		return "", false
	}
	return address, true
}

// MailboxTokenHMAC is the token for sites that want no address in a subject: the first 128 bits of HMAC-SHA256(key,
// lower-case address) in lower-case base32 (RFC 4648, without padding), 26 characters.
func MailboxTokenHMAC(key []byte, address string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(lower(address)))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:16]))
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// lower knows A-Z only: every language agrees on those, and Exchange allows no others in a mailbox's address.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
