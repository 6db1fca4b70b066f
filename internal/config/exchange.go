package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"roomsync/internal/retirement"
	"roomsync/internal/tokens"
)

// Ways to sign in to Exchange.
const (
	AuthSecret      = "secret"      // app with a client secret
	AuthCertificate = "certificate" // app with a certificate
	AuthFederated   = "federated"   // app with a token of another issuer
	AuthDelegated   = "delegated"   // service user and password, through Entra
	AuthBasic       = "basic"       // service user and password; Exchange on premises
	AuthNTLM        = "ntlm"        // service user and password; Exchange on premises
)

var authModes = []string{AuthSecret, AuthCertificate, AuthDelegated, AuthFederated, AuthBasic, AuthNTLM}

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
	tokenKeys    secret // that seal tokens which workers share

	hosts Hosts

	findings []Finding
}

func (e *Exchange) declare(s *settings) {
	s.group = groupExchange
	s.str(new(string), "rooms-config", "file", "", "RoomsAppSettings.config of ROOMS, unchanged; flags and variables come first")
	s.ewsURL(&e.EWSURL)
	s.hosts(&e.hosts)
	s.auth(&e.Auth)
	s.boolean(&e.Impersonation, "impersonation", true, "act as the owner of each mailbox, or =false ("+keyImpersonation+")").rooms(keyImpersonation)
	s.boolean(&e.AllowInsecure, "allow-insecure", false, "permit plain http to other hosts; credentials can then be read on the way (test networks only)")
	s.group = groupApp
	s.str(&e.TenantID, "tenant-id", "id", "", "directory (tenant) id ("+keyTenantID+")").rooms(keyTenantID)
	s.str(&e.AppID, "app-id", "id", "", "application (client) id ("+keyAppID+")").rooms(keyAppID)
	s.secret(&e.clientSecret, "client-secret-file", keyClientSecret, "file with the client secret ("+keyClientSecret+")")
	s.thumbprint(&e.CertThumbprint)
	s.str(&e.CertDir, "cert-dir", "folder", "", "folder with the certificate and its key, as PEM or PFX; without it the Local Computer store of Windows")
	s.secret(&e.certPassword, "cert-password-file", "", "file with the password of PFX files")
	s.file(&e.TokenFile, "federated-token-file", "file with the token of another issuer (workload identity); AZURE_FEDERATED_TOKEN_FILE does as well")
	s.url(&e.AuthorityURL, "authority-url", "https://login.microsoftonline.com", "Entra, without the tenant")
	s.secret(&e.tokenKeys, "token-key-file", "", "file with the keys that seal access tokens which workers share, one a line; the first seals, the others only open")
	e.tokenKeys.lines = true
	s.group = groupUser
	s.str(&e.Username, "username", "user", "", "service user ("+keyUser+")").rooms(keyUser)
	s.secret(&e.password, "password-file", keyPassword, "file with the service user's password ("+keyPassword+")")
}

// ewsPath is where Exchange has its web services, on premises and Online.
const ewsPath = "/EWS/Exchange.asmx"

func (s *settings) ewsURL(p *string) {
	v := s.url(p, "ews-url", "https://outlook.office365.com"+ewsPath, "Exchange Web Services endpoint; a mere host gets the path "+ewsPath)
	plain := v.parse
	v.parse = func(t string) error {
		err := plain(t)
		if full, added := withEWSPath(t); err == nil && added {
			*p, v.text = full, full
			s.note(s.from("ews-url"), "the URL has no path, so "+ewsPath+" was added")
		}
		return err
	}
}

// withEWSPath adds the path of Exchange Web Services to a URL that has none, as people give a server.
func withEWSPath(t string) (string, bool) {
	u, err := url.Parse(t)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return t, false
	}
	u.Path = ewsPath
	return u.String(), true
}

func (s *settings) auth(p *string) {
	s.add("auth", strings.Join(authModes, "|"), "", "how to sign in; found out from what else is given when absent", func(t string) error {
		if t != "" && !slices.Contains(authModes, t) {
			return unknown("must be", t, authModes)
		}
		*p = t
		return nil
	}).words = authModes
}

// thumbprint takes the thumbprint as people copy it: with spaces or colons, in any case, and with the invisible mark
// that the certificate dialog of Windows puts in front.
func (s *settings) thumbprint(p *string) {
	s.add("cert-thumbprint", "hex", "", "SHA-1 thumbprint of the certificate ("+keyThumbprint+")", func(t string) error {
		if t == "" {
			return nil
		}
		t = strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t:-\u00a0\u200b\u200e\u200f\ufeff", r) {
				return -1
			}
			return r
		}, t)
		switch {
		case strings.Trim(t, "0123456789abcdefABCDEF") != "":
			return errors.New("must be hexadecimal: the certificate's thumbprint as the app registration's certificates page in Entra shows it")
		case len(t) == 64:
			return errors.New("has 64 digits, as SHA-256 has: give the SHA-1 thumbprint of 40 digits, as the app registration's certificates page in Entra shows it")
		case len(t) != 40:
			return fmt.Errorf("has %d hexadecimal digits: a thumbprint (SHA-1) has 40", len(t))
		}
		*p = strings.ToUpper(t)
		return nil
	}).rooms(keyThumbprint)
}

// ClientSecret reads the client secret anew, so that a rotated one is taken up.
func (e *Exchange) ClientSecret() (tokens.Secret, error) { return e.clientSecret.read() }

// Password reads the service user's password anew.
func (e *Exchange) Password() (tokens.Secret, error) { return e.password.read() }

// CertPassword reads the password of PFX files anew; it is zero when none is given.
func (e *Exchange) CertPassword() (tokens.Secret, error) {
	if !e.certPassword.given() {
		return tokens.Secret{}, nil
	}
	return e.certPassword.read()
}

// TokenKeys reads the keys that seal tokens which workers share anew, each of at least 32 bytes. The first one seals,
// all of them open. None means that tokens are not shared.
func (e *Exchange) TokenKeys() ([]tokens.Secret, error) { return e.tokenKeys.keys(minKey) }

// online reports whether the endpoint is Exchange Online.
func (e *Exchange) online() bool { return retirement.Online(e.EWSURL) }

// host is where the endpoint is, in lower case.
func (e *Exchange) host() string {
	u, err := url.Parse(e.EWSURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// local reports whether the endpoint is on this host, where only a simulated one is.
func (e *Exchange) local() bool {
	ip := net.ParseIP(e.host())
	return e.host() == "localhost" || ip != nil && ip.IsLoopback()
}
