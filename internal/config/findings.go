package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"roomsync/internal/retirement"
)

// Levels of findings.
const (
	LevelWarning = "warning" // somebody should mend it
	LevelNote    = "note"    // somebody should know it
)

// Finding is something about a configuration that works and that its operator should know.
type Finding struct {
	Level   string `json:"level"`
	About   string `json:"about"`   // the flag, variable or line; never with its value
	Problem string `json:"problem"` // and what to do
}

func (s *settings) warn(about, problem string) {
	s.findings = append(s.findings, Finding{LevelWarning, about, problem})
}

func (s *settings) note(about, problem string) {
	s.findings = append(s.findings, Finding{LevelNote, about, problem})
}

// Findings are what an operator should know of how a worker signs in.
func (e *Exchange) Findings() []Finding { return slices.Clone(e.findings) }

// find notes what works and should be known.
func (e *Exchange) find(s *settings) {
	entra := !slices.Contains([]string{"", AuthBasic, AuthNTLM}, e.Auth)
	if s.roomsOpen && e.fromRooms() {
		s.warn(s.roomsFile, "can be read or changed by everybody on this host, and holds a secret: chmod 0640, or give the secret in a file of its own")
	}
	if e.online() {
		s.note(s.from("ews-url"), retirement.Notice(time.Now()))
	}
	if entra && !e.online() && !e.local() {
		s.warn(s.from("ews-url"), fmt.Sprintf("is no host of Exchange Online, yet is sent access tokens for it (--auth %s): give --auth basic or ntlm for a server on premises", e.Auth))
	}
	if e.Auth == AuthDelegated {
		s.note(s.from("password-file"), "delegated access fails as soon as Entra demands a second factor of the service user or a conditional access policy meets it, "+
			"and Microsoft advises against it: sign in as an app with a certificate, and limit its mailboxes by RBAC for Applications")
	}
	if e.AllowInsecure {
		s.warn(s.from("allow-insecure"), "permits plain http to other hosts: credentials can be read on the way")
	}
	if e.Auth == AuthDelegated && !e.tokenKeys.given() {
		s.warn(s.from("token-key-file"), "without it each worker signs in by itself, and a password that turns wrong is tried once by each: more workers than "+
			"the tenant's lock-out threshold (10 by default) lock the account. Give all workers the same file of keys")
	} else if entra && !e.tokenKeys.given() {
		s.note(s.from("token-key-file"), "is not given, so each worker asks Entra for an access token of its own. Nothing need be done for up to ten workers. For more, make a "+
			"file with one line of random text (openssl rand -base64 48), readable by the worker only, and name the same file on every worker: they then share one token, stored encrypted in NATS")
	}
	if slices.Contains([]string{AuthBasic, AuthNTLM}, e.Auth) && !e.tokenKeys.given() {
		s.note(s.from("token-key-file"), "is not given, so workers cannot tell whether they have the same password: a wrong one is tried twice by all of them together instead of once, and "+
			"then by nobody for 20 minutes. Nothing need be done for a single worker. For more, make a file with one line of random text (openssl rand -base64 48) and name it on every worker")
	}
	e.unused(s)
}

// fromRooms reports whether a secret comes from RoomsAppSettings.config.
func (e *Exchange) fromRooms() bool {
	return !e.clientSecret.value.IsZero() || !e.password.value.IsZero()
}

// unused notes credentials that were given and that this way to sign in does not need.
func (e *Exchange) unused(s *settings) {
	if e.Auth == "" {
		return
	}
	why := fmt.Sprintf("is not used by this worker, which signs in by %s", e.Auth)
	for _, c := range e.credentials(s) {
		if c.auth != e.Auth {
			s.note(s.from(c.name), why)
		}
	}
	user := slices.Contains([]string{AuthDelegated, AuthBasic, AuthNTLM}, e.Auth)
	if e.Username != "" && !user {
		s.note(s.from("username"), why)
	}
	if user && e.Auth != AuthDelegated && e.AppID != "" {
		s.note(s.from("app-id"), why)
	}
	if e.CertDir != "" && e.Auth != AuthCertificate {
		s.note(s.from("cert-dir"), why)
	}
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// looksLikeID warns of the usual mistake with client secrets; Entra would only say that it is wrong (AADSTS7000215).
func looksLikeID(s *settings, secret string) {
	if guid.MatchString(secret) {
		s.warn(s.from("client-secret-file"), "looks like the secret's ID: give its value, which Entra shows only when it is made")
	}
}
