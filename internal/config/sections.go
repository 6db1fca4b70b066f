package config

import (
	"net/url"
	"regexp"
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
}

// Dispatcher is the configuration of cmd/dispatcher.
type Dispatcher struct {
	NATS
	Log
	HTTP string // address for health, metrics and the dashboard, "" for none
}

// Ops is the configuration of the commands that only talk to NATS.
type Ops struct {
	NATS
	Log
}

func (w *Worker) declare(s *settings) {
	w.NATS.declare(s)
	w.Exchange.declare(s)
	w.Work.declare(s)
	w.Log.declare(s)
	s.listen(&w.HTTP, "http", "127.0.0.1:8081", "address for health, or off; a second daemon on a host needs another")
}

func (w *Worker) check(s *settings) {
	w.NATS.check(s)
	w.Exchange.check(s)
}

func (d *Dispatcher) declare(s *settings) {
	d.NATS.declare(s)
	d.Log.declare(s)
	s.listen(&d.HTTP, "http", "127.0.0.1:8080", "address for health, or off")
}

func (d *Dispatcher) check(s *settings) { d.NATS.check(s) }

func (o *Ops) declare(s *settings) {
	o.NATS.declare(s)
	o.Log.declare(s)
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
	s.str(&n.URL, "nats-url", "url", "nats://127.0.0.1:4222", "NATS server, or several separated by commas").hidden = true
	s.str(&n.CredsFile, "nats-creds", "file", "", "NATS credentials file (JWT and nkey)")
	s.choice(&n.mailboxToken, "mailbox-token", "address", []string{"address", "hmac"},
		"how subjects name mailboxes: by address, or by a keyed hash")
	s.secret(&n.tokenKey, "mailbox-token-key-file", "file with the key of --mailbox-token hmac")
}

// minKey is the least length of the key, in bytes: addresses are guessable, so the key must not be.
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
	if n.mailboxToken != "hmac" {
		return
	}
	if !n.tokenKey.given() {
		s.fault("mailbox-token-key-file", "missing: --mailbox-token hmac needs a key; openssl rand -hex 32 makes one")
		return
	}
	n.tokenKey.check(s)
	n.key, _ = n.tokenKey.read()
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
	s.number(&w.Slots, "slots", 256, 1, 4096, "background polls at once")
	s.number(&w.BookingSlots, "booking-slots", 64, 1, 4096, "bookings at once, beside --slots")
	s.number(&w.GetBatch, "get-batch", 10, 1, 100, "items asked for in one request; Microsoft advises 10")
	s.duration(&w.PollInterval, "poll-interval", time.Minute, 250*time.Millisecond, 24*time.Hour, "between two looks at a mailbox")
	s.duration(&w.AccessRecheck, "access-recheck", time.Hour, time.Minute, 24*time.Hour, "between two looks at a mailbox that Exchange refuses")
}

// Ways to sign in to Exchange.
const (
	AuthSecret      = "secret"      // app with a client secret
	AuthCertificate = "certificate" // app with a certificate
	AuthFederated   = "federated"   // app with a token of another issuer
	AuthDelegated   = "delegated"   // service user and password, through Entra
	AuthBasic       = "basic"       // service user and password; Exchange on premises
	AuthNTLM        = "ntlm"        // service user and password; Exchange on premises
)

var (
	authModes = []string{AuthSecret, AuthCertificate, AuthDelegated, AuthFederated, AuthBasic, AuthNTLM}
	authReady = []string{AuthSecret, AuthBasic}
)

// Exchange says where Exchange is and how to sign in.
type Exchange struct {
	EWSURL        string
	AuthorityURL  string // of Entra, without the tenant
	TenantID      string
	AppID         string
	Auth          string // one of the Auth constants
	Username      string
	Impersonation bool // act as the owner of each mailbox
	AllowInsecure bool // plain http to other hosts; for test networks

	CertThumbprint string // SHA-1 of the certificate, 40 upper-case hexadecimal digits; "" without one
	CertDir        string // folder with PEM or PFX files; "" for the Local Computer store of Windows
	TokenFile      string // file with the token of another issuer (workload identity federation)

	clientSecret secret
	password     secret
	certPassword secret // of PFX files
}

func (e *Exchange) declare(s *settings) {
	s.url(&e.EWSURL, "ews-url", "https://outlook.office365.com/EWS/Exchange.asmx", "Exchange Web Services endpoint")
	s.url(&e.AuthorityURL, "authority-url", "https://login.microsoftonline.com", "Entra, without the tenant")
	s.str(&e.TenantID, "tenant-id", "id", "", "directory (tenant) id: ExchangeTenantId")
	s.str(&e.AppID, "app-id", "id", "", "application (client) id: ExchangeAppId")
	s.secret(&e.clientSecret, "client-secret-file", "file with the client secret: ExchangeClientSecret")
	s.auth(&e.Auth)
	s.str(&e.Username, "username", "user", "", "service user: ExchangeServiceUser")
	s.secret(&e.password, "password-file", "file with the service user's password: ExchangeServicePassword")
	s.boolean(&e.Impersonation, "impersonation", true, "act as the owner of each mailbox, or =false: ExchangeUseImpersonation")
	s.boolean(&e.AllowInsecure, "allow-insecure", false, "permit plain http to other hosts; credentials can then be read on the way (test networks only)")
}

// auth accepts every name of the contract, and tells those that are wrong from those that are not built yet.
func (s *settings) auth(p *string) {
	s.add("auth", strings.Join(authModes, "|"), "", "how to sign in; found out from what else is given when absent", func(t string) error {
		switch {
		case t == "" || slices.Contains(authReady, t):
			*p = t
			return nil
		case slices.Contains(authModes, t):
			return unknown("not available in this build yet: use", "", authReady)
		}
		return unknown("must be", t, authModes)
	})
}

func (e *Exchange) check(s *settings) {
	if e.Auth == "" && !s.given("auth") {
		e.guess(s)
	}
	checkID(s, "tenant-id", e.TenantID)
	checkID(s, "app-id", e.AppID)
	if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(e.TenantID)) {
		s.fault("tenant-id", "stands for many tenants: an app needs the id of one")
	}
	switch e.Auth {
	case AuthSecret:
		e.checkSecret(s)
	case AuthBasic:
		e.checkBasic(s)
	}
	if insecure(e.EWSURL) && !e.AllowInsecure {
		s.fault("ews-url", "must be https: credentials are sent there (plain http is for this host only; --allow-insecure permits it in a test network)")
	}
}

// guess finds out how to sign in from what is there.
func (e *Exchange) guess(s *settings) {
	app := e.clientSecret.given()
	user := e.password.given() || e.Username != ""
	switch {
	case app && user:
		s.fault("auth", "both a client secret and a service user are given: say --auth secret or --auth basic")
	case app || e.AppID != "" || e.TenantID != "":
		e.Auth = AuthSecret
	case user:
		e.Auth = AuthBasic
	default:
		s.fault("auth", "nothing to sign in with: give --tenant-id, --app-id and --client-secret-file, or --username and --password-file")
	}
}

// ids are GUIDs; a tenant may also be named by a domain.
var ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func (e *Exchange) checkSecret(s *settings) {
	for _, id := range []struct{ name, value string }{{"tenant-id", e.TenantID}, {"app-id", e.AppID}} {
		if id.value == "" {
			s.fault(id.name, "missing: the app registration's overview page in Entra shows it")
		}
	}
	if !e.clientSecret.given() {
		s.fault("client-secret-file", "missing: name the file with the client secret, or set "+e.clientSecret.variable)
	} else {
		e.clientSecret.check(s)
	}
	if insecure(e.AuthorityURL) && !e.AllowInsecure {
		s.fault("authority-url", "must be https: the client secret is sent there (plain http is for this host only; --allow-insecure permits it in a test network)")
	}
	if u, err := url.Parse(e.AuthorityURL); err == nil && strings.Trim(u.Path, "/") != "" {
		s.fault("authority-url", "must be a scheme and a host only: the tenant goes to --tenant-id")
	}
}

func (e *Exchange) checkBasic(s *settings) {
	if e.Username == "" {
		s.fault("username", "missing: name the service user")
	}
	if strings.ContainsAny(e.Username, ":\r\n\x00") {
		s.fault("username", "must not hold a colon or a line break (RFC 7617)")
	}
	if !e.password.given() {
		s.fault("password-file", "missing: name the file with the service user's password, or set "+e.password.variable)
	} else {
		e.password.check(s)
	}
	if u, err := url.Parse(e.EWSURL); err == nil && strings.EqualFold(u.Hostname(), "outlook.office365.com") {
		s.fault("ews-url", "Exchange Online takes no passwords: use --auth secret, or give the URL of a server on premises")
	}
}

func checkID(s *settings, name, id string) {
	if id != "" && !ids.MatchString(id) {
		s.fault(name, "must be an id such as 00000000-1111-2222-3333-444444444444, as the app registration's overview page in Entra shows it")
	}
}

// ClientSecret reads the client secret anew, so that a rotated one is taken up.
func (e *Exchange) ClientSecret() (tokens.Secret, error) { return e.clientSecret.read() }

// CertPassword reads the password of PFX files anew; it is zero when none is given.
func (e *Exchange) CertPassword() (tokens.Secret, error) {
	if !e.certPassword.given() {
		return tokens.Secret{}, nil
	}
	return e.certPassword.read()
}

// Password reads the service user's password anew.
func (e *Exchange) Password() (tokens.Secret, error) { return e.password.read() }
