package config

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// credential is one of the things that an app proves its identity with.
type credential struct {
	auth string // how it signs in
	name string // of the flag
	what string
}

var (
	ofSecret      = credential{AuthSecret, "client-secret-file", "a client secret"}
	ofCertificate = credential{AuthCertificate, "cert-thumbprint", "a certificate"}
	ofFederation  = credential{AuthFederated, "federated-token-file", "a federated token"}
)

// credentials are those of an app that were given, if only wrongly.
func (e *Exchange) credentials(s *settings) (given []credential) {
	for _, c := range []credential{ofSecret, ofCertificate, ofFederation} {
		if s.given(c.name) {
			given = append(given, c)
		}
	}
	return given
}

// check finds out how to sign in where that was not said, and checks that everything needed for it is there and
// nothing contradicts it. docs/signin.md has the table.
func (e *Exchange) check(s *settings) {
	said := s.given("auth")
	e.azure(s)
	e.checkIDs(s)
	if !said {
		e.guess(s)
	}
	switch e.Auth {
	case AuthSecret, AuthCertificate, AuthFederated:
		e.checkApp(s, said)
	case AuthDelegated:
		e.checkEntra(s)
		e.checkDelegated(s, said)
	case AuthBasic, AuthNTLM:
		e.checkOnPremises(s)
	}
	if insecure(e.EWSURL) && !e.AllowInsecure {
		s.fault("ews-url", "must be https: credentials are sent there (plain http is for this host only; --allow-insecure permits it in a test network)")
	}
	if _, err := e.TokenKeys(); err != nil {
		s.fault("token-key-file", err.Error())
	}
	e.find(s)
	e.findings = s.findings
}

// azure are the variables that Azure's webhook for workload identities sets, by the flags that mean the same.
// https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html
var azure = []struct{ flag, variable string }{
	{"federated-token-file", "AZURE_FEDERATED_TOKEN_FILE"},
	{"tenant-id", "AZURE_TENANT_ID"},
	{"app-id", "AZURE_CLIENT_ID"},
	{"authority-url", "AZURE_AUTHORITY_HOST"},
}

// azure takes them when federation is asked for, or nothing else is given to sign in with.
func (e *Exchange) azure(s *settings) {
	asked := e.Auth == AuthFederated
	nothing := !s.given("auth") && len(e.credentials(s)) == 0 && !s.given("username") && !e.password.given()
	if !asked && (!nothing || s.env.Getenv(azure[0].variable) == "") {
		return
	}
	for _, a := range azure {
		if v, text := s.named(a.flag), s.env.Getenv(a.variable); v.origin == "" && text != "" {
			s.take(v, a.variable, text, "")
			s.conceal(v)
		}
	}
}

// guess finds out how to sign in from what is there. The keys of ROOMS hold for Exchange Online and on premises at the
// same time, so that the endpoint decides where both are possible.
func (e *Exchange) guess(s *settings) {
	given := e.credentials(s)
	app := s.given("tenant-id") || s.given("app-id")
	entra := e.online() || s.given("authority-url")
	user, password := s.given("username"), e.password.given()
	switch {
	case user && password && !entra:
		e.found(s, AuthBasic, "username")
	case len(given) > 1:
		s.fault("auth", contradiction(s, given))
		e.checkEntra(s)
		e.checkImpersonation(s, given)
	case len(given) == 1:
		e.found(s, given[0].auth, given[0].name)
	case user || password:
		from := "username"
		if !user {
			from = "password-file"
		}
		e.found(s, serviceUser(entra && (app || !e.Impersonation)), from)
	case app:
		e.found(s, AuthSecret, "app-id")
	case s.roomsBroken:
	default:
		s.fault("auth", "nothing to sign in with: give --rooms-config; or --tenant-id, --app-id and one of --client-secret-file, --cert-thumbprint and "+
			"--federated-token-file; or --username and --password-file")
	}
}

func serviceUser(delegated bool) string {
	if delegated {
		return AuthDelegated
	}
	return AuthBasic
}

func (e *Exchange) found(s *settings, auth, from string) {
	v := s.named("auth")
	e.Auth, v.text, v.why = auth, auth, "found out from "+s.from(from)
}

func contradiction(s *settings, given []credential) string {
	var things, modes []string
	for _, c := range given {
		things = append(things, c.what+" ("+s.from(c.name)+")")
		modes = append(modes, "--auth "+c.auth)
	}
	return "an app signs in with one thing, but given are " + strings.Join(things, " and ") + ": remove what is old, or say " + listed(modes)
}

// ids are GUIDs; a tenant may also be named by a domain.
var ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func (e *Exchange) checkIDs(s *settings) {
	for _, id := range []struct{ name, value string }{{"tenant-id", e.TenantID}, {"app-id", e.AppID}} {
		if id.value != "" && !ids.MatchString(id.value) {
			s.fault(id.name, "must be an id such as 00000000-1111-2222-3333-444444444444, as the app registration's overview page in Entra shows it")
		}
	}
}

// checkEntra checks what every token request needs.
func (e *Exchange) checkEntra(s *settings) {
	for _, name := range []string{"tenant-id", "app-id"} {
		if !s.given(name) {
			s.missing(name, "the app registration's overview page in Entra shows it")
		}
	}
	if slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(e.TenantID)) {
		s.fault("tenant-id", "stands for many tenants: an app needs the id of one")
	}
	if insecure(e.AuthorityURL) && !e.AllowInsecure {
		s.fault("authority-url", "must be https: credentials are sent there (plain http is for this host only; --allow-insecure permits it in a test network)")
	}
	if u, err := url.Parse(e.AuthorityURL); err == nil && strings.Trim(u.Path, "/") != "" {
		s.fault("authority-url", "must be a scheme and a host only: the tenant goes to --tenant-id")
	}
}

// checkApp checks what an app needs that signs in as itself. Said means that --auth was given: what belongs to another
// way to sign in is then left alone.
func (e *Exchange) checkApp(s *settings, said bool) {
	e.checkEntra(s)
	e.checkImpersonation(s, []credential{credentialOf(e.Auth)})
	switch e.Auth {
	case AuthSecret:
		hint := "the client secret"
		if !said {
			hint += " (or give --cert-thumbprint or --federated-token-file)"
		}
		looksLikeID(s, e.clientSecret.needed(s, hint).Reveal())
	case AuthCertificate:
		e.checkCertificate(s)
	case AuthFederated:
		e.checkTokenFile(s)
	}
	switch user, password := s.given("username"), e.password.given(); {
	case said:
	case user && !password:
		s.missing("password-file", "a service user ("+s.from("username")+") needs a password; or remove the user, whom an app does not need")
	case password && !user:
		s.missing("username", "a password ("+s.from("password-file")+") needs its service user; or remove the password, which an app does not need")
	}
}

func (e *Exchange) checkImpersonation(s *settings, given []credential) {
	if e.Impersonation {
		return
	}
	var remove []string
	for _, c := range given {
		remove = append(remove, s.from(c.name))
	}
	s.fault("impersonation", "an app signs in as nobody, so it must act as each mailbox's owner: say true; or remove "+strings.Join(remove, " and ")+
		" to sign in as a service user (delegated access)")
}

func credentialOf(auth string) credential {
	for _, c := range []credential{ofSecret, ofCertificate, ofFederation} {
		if c.auth == auth {
			return c
		}
	}
	return credential{}
}

func (e *Exchange) checkCertificate(s *settings) {
	if !s.given("cert-thumbprint") && e.CertDir == "" { // of a folder, the only one with a key
		s.missing("cert-thumbprint", "the app registration's certificates page in Entra shows it")
	}
	if e.CertDir == "" && runtime.GOOS != "windows" {
		s.missing("cert-dir", "this host has no certificate store of Windows: export the certificate with its private key as PFX or PEM, and name the folder")
	}
	e.certPassword.optional(s)
}

// maxToken bounds a federated token; Kubernetes' have about a kilobyte.
const maxToken = 64 << 10

func (e *Exchange) checkTokenFile(s *settings) {
	if !s.given("federated-token-file") {
		s.missing("federated-token-file", "name the file with the token, or set AZURE_FEDERATED_TOKEN_FILE")
		return
	}
	data, _, err := s.env.readFile(e.TokenFile, maxToken)
	switch {
	case noSuchFile(err):
		s.fault("federated-token-file", notAFile(s.from("federated-token-file"), e.TokenFile, "").Error()+
			"; if not, look at what is to write it, such as a projected service account token with the audience api://AzureADTokenExchange")
	case err != nil:
		s.fault("federated-token-file", err.Error())
	case bytes.ContainsRune(data, 0):
		s.fault("federated-token-file", "holds a zero byte, as UTF-16 does: write it in UTF-8")
	case len(bytes.TrimSpace(data)) == 0:
		s.fault("federated-token-file", "there is no token in it")
	}
}

func (e *Exchange) checkDelegated(s *settings, said bool) {
	switch {
	case e.Impersonation && said && !s.given("impersonation"):
		v := s.named("impersonation")
		e.Impersonation, v.text, v.why = false, "false", "--auth delegated"
	case e.Impersonation:
		s.fault("impersonation", "a service user in Exchange Online cannot act as others, only with rights on their folders: say false ("+keyImpersonation+
			"=false) for delegated access; or give --client-secret-file, --cert-thumbprint or --federated-token-file to sign in as the app")
	}
	e.checkUser(s)
	if e.Username != "" && !strings.Contains(e.Username, "@") {
		s.fault("username", "must be the user principal name, such as svc@contoso.com: Entra knows no other")
	}
}

func (e *Exchange) checkOnPremises(s *settings) {
	e.checkUser(s)
	if strings.ContainsAny(e.Username, ":\r\n\x00") {
		s.fault("username", "must not hold a colon or a line break (RFC 7617)")
	}
	if e.online() {
		s.fault("ews-url", fmt.Sprintf("Exchange Online takes no passwords (--auth %s): sign in as an app (%s, %s and %s or %s), or give the URL of a server on premises",
			e.Auth, keyTenantID, keyAppID, keyClientSecret, keyThumbprint))
	}
}

func (e *Exchange) checkUser(s *settings) {
	if !s.given("username") {
		s.missing("username", "name the service user")
	}
	e.password.needed(s, "the service user's password")
}
