package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"roomsync/events"
	"roomsync/internal/tokens"
)

// Worker is the configuration of cmd/worker.
type Worker struct {
	NATS
	Exchange
	Work
	Log
	HTTP string // address for health and metrics, "" for none

	source source
}

// Dispatcher is the configuration of cmd/dispatcher.
type Dispatcher struct {
	NATS
	API
	Log
	HTTP string // address for health, metrics and the dashboard, "" for none
}

// Ops is the configuration of the commands that only talk to NATS.
type Ops struct {
	NATS
	Log
	Hosts Hosts // that a mailbox's own url may name, as the workers have it; zero when that is not known here
}

func (w *Worker) declare(s *settings) {
	w.NATS.declare(s)
	w.Exchange.declare(s)
	w.Work.declare(s)
	w.Log.declare(s)
	s.group = groupHealth
	s.listen(&w.HTTP, "http", "127.0.0.1:8081", "address for health, or off; a second daemon on a host needs another")
}

func (w *Worker) check(s *settings) {
	w.NATS.check(s)
	w.Exchange.check(s)
	w.source = s.source()
}

func (d *Dispatcher) declare(s *settings) {
	d.NATS.declare(s)
	d.API.declare(s)
	d.Log.declare(s)
	s.group = groupHealth
	s.listen(&d.HTTP, "http", "127.0.0.1:8080", "address for health and the HTTP API, or off")
}

func (d *Dispatcher) check(s *settings) {
	d.NATS.check(s)
	d.API.check(s, d.HTTP)
}

func (o *Ops) declare(s *settings) {
	o.NATS.declare(s)
	o.Log.declare(s)
	s.group = groupExchange
	s.hosts(&o.Hosts)
}

func (o *Ops) check(s *settings) { o.NATS.check(s) }

// NATS says how to reach NATS, and how mailboxes are named there.
type NATS struct {
	URL       string // one or more, separated by commas
	CredsFile string // user credentials (JWT and nkey), "" for none

	mailboxToken string
	tokenKey     secret
	key          tokens.Secret
}

func (n *NATS) declare(s *settings) {
	s.group = groupNATS
	s.str(&n.URL, "nats-url", "url", "nats://127.0.0.1:4222", "NATS server, or several separated by commas").hidden = true
	s.file(&n.CredsFile, "nats-creds", "NATS credentials file (JWT and nkey)")
	s.choice(&n.mailboxToken, "mailbox-token", "address", []string{"address", "hmac"},
		"how subjects name mailboxes: by address, or by a keyed hash")
	s.secret(&n.tokenKey, "mailbox-token-key-file", "", "file with the key of --mailbox-token hmac")
}

// minKey is the least length of a key, in bytes: addresses are guessable, so their key must not be; tokens are sealed with
// 256 bits.
const minKey = 32

func (n *NATS) check(s *settings) {
	for server := range strings.SplitSeq(n.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		switch {
		case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			s.fault("nats-url", "must be a URL such as nats://host:4222 or tls://host:4222, or several separated by commas")
		case u.User != nil:
			s.fault("nats-url", "must hold no user, password or token: use --nats-creds")
		}
	}
	n.checkCreds(s)
	if n.mailboxToken != "hmac" {
		return
	}
	if !n.tokenKey.given() {
		s.fault("mailbox-token-key-file", "missing: --mailbox-token hmac needs a key; openssl rand -hex 32 makes one")
		return
	}
	n.key = n.tokenKey.check(s)
	if !n.key.IsZero() && len(n.key.Reveal()) < minKey {
		s.fault("mailbox-token-key-file", "the key is too short: openssl rand -hex 32 makes a good one")
	}
}

// MailboxToken is how an address stands in subjects and keys of this fleet.
func (n *NATS) MailboxToken(address string) string {
	if n.mailboxToken == "hmac" {
		return events.MailboxTokenHMAC([]byte(n.key.Reveal()), address)
	}
	return events.MailboxToken(address)
}

// Work says how much a worker does at once, and when.
type Work struct {
	Slots         int           // background polls at once
	BookingSlots  int           // bookings at once, beside those
	GetBatch      int           // items asked for in one request
	PollInterval  time.Duration // between two looks at a mailbox
	AccessRecheck time.Duration // between two looks at a mailbox that is refused
}

func (w *Work) declare(s *settings) {
	s.group = groupWork
	s.number(&w.Slots, "slots", 256, 1, 4096, "background polls at once")
	s.number(&w.BookingSlots, "booking-slots", 64, 1, 4096, "bookings at once, beside --slots")
	s.number(&w.GetBatch, "get-batch", 10, 1, 100, "items asked for in one request; Microsoft advises 10")
	s.duration(&w.PollInterval, "poll-interval", time.Minute, 250*time.Millisecond, 24*time.Hour, "between two looks at a mailbox")
	s.duration(&w.AccessRecheck, "access-recheck", time.Hour, time.Minute, 24*time.Hour, "between two looks at a mailbox that Exchange refuses")
}
