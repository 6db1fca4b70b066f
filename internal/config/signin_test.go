package config

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
)

// print40 is a thumbprint.
const print40 = "A1B2C3D4E5F60718293A4B5C6D7E8F9001122334"

const onPremises = "--ews-url https://mail.contoso.example/EWS/Exchange.asmx "

// keys makes a RoomsAppSettings.config of "key=value" words.
func keys(words ...string) string {
	var b strings.Builder
	b.WriteString("<RoomsAppSettings>\n")
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		fmt.Fprintf(&b, "  <add key=%q value=%q />\n", key, value)
	}
	return b.String() + "</RoomsAppSettings>\n"
}

const (
	tenant     = "ExchangeTenantId=sim-tenant"
	appID      = "ExchangeAppId=sim-app"
	appSecret  = "ExchangeClientSecret=" + canary
	thumbprint = "ExchangeCertThumbprint=" + print40
	user       = "ExchangeServiceUser=svc@contoso.example"
	password   = "ExchangeServicePassword=" + canary
	asOwner    = "ExchangeUseImpersonation=true"
	asDelegate = "ExchangeUseImpersonation=false"
)

// The rows are those of docs/signin.md, "Which keys lead to which sign-in".
func TestSignIn_FromKeys(t *testing.T) {
	tests := map[string]struct {
		keys          []string
		args          string
		auth          string
		impersonation bool
		want          []string // faults
	}{
		"app secret":                              {[]string{tenant, appID, appSecret}, "", AuthSecret, true, nil},
		"app secret, impersonation said":          {[]string{tenant, appID, appSecret, asOwner}, "", AuthSecret, true, nil},
		"app secret, no impersonation":            {[]string{tenant, appID, appSecret, asDelegate}, "", AuthSecret, false, []string{"rooms:5 ExchangeUseImpersonation: an app signs in as nobody"}},
		"certificate":                             {[]string{tenant, appID, thumbprint}, "--cert-dir certs", AuthCertificate, true, nil},
		"certificate, no impersonation":           {[]string{tenant, appID, thumbprint, asDelegate}, "--cert-dir certs", AuthCertificate, false, []string{"rooms:5 ExchangeUseImpersonation: an app signs in as nobody"}},
		"secret and certificate":                  {[]string{tenant, appID, appSecret, thumbprint}, "", "", true, []string{"--auth: an app signs in with one thing, but given are a client secret (rooms:4 ExchangeClientSecret) and a certificate (rooms:5 ExchangeCertThumbprint)"}},
		"secret and certificate, one of them":     {[]string{tenant, appID, appSecret, thumbprint}, "--auth secret", AuthSecret, true, nil},
		"delegated":                               {[]string{tenant, appID, user, password, asDelegate}, "", AuthDelegated, false, nil},
		"delegated, with impersonation":           {[]string{tenant, appID, user, password}, "", AuthDelegated, true, []string{"--impersonation: a service user in Exchange Online cannot act as others"}},
		"delegated, impersonation said":           {[]string{tenant, appID, user, password, asOwner}, "", AuthDelegated, true, []string{"rooms:6 ExchangeUseImpersonation: a service user in Exchange Online cannot"}},
		"delegated, the secret left over":         {[]string{tenant, appID, appSecret, user, password, asDelegate}, "", AuthSecret, false, []string{"rooms:7 ExchangeUseImpersonation: an app signs in as nobody, so it must act as each mailbox's owner: say true; or remove rooms:4 ExchangeClientSecret to sign in"}},
		"delegated, the secret left over, said":   {[]string{tenant, appID, appSecret, user, password, asDelegate}, "--auth delegated", AuthDelegated, false, nil},
		"delegated said, impersonation follows":   {[]string{tenant, appID, user, password}, "--auth delegated", AuthDelegated, false, nil},
		"delegated, without user":                 {[]string{tenant, appID, password, asDelegate}, "", AuthDelegated, false, []string{"--username or ExchangeServiceUser: missing"}},
		"delegated, without password":             {[]string{tenant, appID, user, asDelegate}, "", AuthDelegated, false, []string{"--password-file or ExchangeServicePassword: missing"}},
		"delegated, without tenant and app":       {[]string{user, password, asDelegate}, "", AuthDelegated, false, []string{"--tenant-id or ExchangeTenantId: missing", "--app-id or ExchangeAppId: missing"}},
		"delegated, without tenant":               {[]string{appID, user, password, asDelegate}, "", AuthDelegated, false, []string{"--tenant-id or ExchangeTenantId: missing"}},
		"delegated, a user of a domain":           {[]string{tenant, appID, `ExchangeServiceUser=CONTOSO\svc`, password, asDelegate}, "", AuthDelegated, false, []string{"rooms:4 ExchangeServiceUser: must be the user principal name"}},
		"on premises":                             {[]string{user, password}, onPremises, AuthBasic, true, nil},
		"on premises, delegate":                   {[]string{user, password, asDelegate}, onPremises, AuthBasic, false, nil},
		"on premises, by NTLM":                    {[]string{user, password, asDelegate}, onPremises + "--auth ntlm", AuthNTLM, false, nil},
		"both, for Exchange Online":               {[]string{tenant, appID, appSecret, user, password}, "", AuthSecret, true, nil},
		"both, for a server on premises":          {[]string{tenant, appID, appSecret, user, password}, onPremises, AuthBasic, true, nil},
		"delegated, for a server on premises":     {[]string{tenant, appID, user, password, asDelegate}, onPremises, AuthBasic, false, nil},
		"both, and an authority":                  {[]string{tenant, appID, appSecret, user, password}, onPremises + "--authority-url https://sim.example", AuthSecret, true, nil},
		"delegated, at an authority":              {[]string{tenant, appID, user, password, asDelegate}, "--ews-url http://127.0.0.1:1/ --authority-url http://127.0.0.1:1", AuthDelegated, false, nil},
		"passwords for Exchange Online":           {[]string{user, password}, "", AuthBasic, true, []string{"--ews-url: Exchange Online takes no passwords (--auth basic)"}},
		"NTLM for Exchange Online":                {[]string{user, password}, "--auth ntlm --ews-url https://outlook.office365.us/EWS/Exchange.asmx", AuthNTLM, true, []string{"--ews-url: Exchange Online takes no passwords (--auth ntlm)"}},
		"user without password":                   {[]string{tenant, appID, appSecret, user}, "", AuthSecret, true, []string{"--password-file or ExchangeServicePassword: missing: a service user (rooms:5 ExchangeServiceUser) needs a password"}},
		"password without user":                   {[]string{tenant, appID, appSecret, password}, "", AuthSecret, true, []string{"--username or ExchangeServiceUser: missing: a password (rooms:5 ExchangeServicePassword) needs its"}},
		"secret without tenant":                   {[]string{appID, appSecret}, "", AuthSecret, true, []string{"--tenant-id or ExchangeTenantId: missing"}},
		"tenant and app only":                     {[]string{tenant, appID}, "", AuthSecret, true, []string{"--client-secret-file or ExchangeClientSecret: missing"}},
		"certificate, without tenant and app":     {[]string{thumbprint}, "--cert-dir certs", AuthCertificate, true, []string{"--tenant-id or ExchangeTenantId: missing", "--app-id or ExchangeAppId: missing"}},
		"nothing":                                 {nil, "", "", true, []string{"--auth: nothing to sign in with"}},
		"only how to act":                         {[]string{asDelegate}, "", "", false, []string{"--auth: nothing to sign in with"}},
		"federated, and a secret":                 {[]string{tenant, appID, appSecret}, "--federated-token-file jwt", "", true, []string{"--auth: an app signs in with one thing, but given are a client secret (rooms:4 ExchangeClientSecret) and a federated token (--federated-token-file)"}},
		"everything wrong":                        {[]string{"ExchangeTenantId=common", appSecret, thumbprint, asDelegate}, "", "", false, []string{"--auth: an app", `rooms:2 ExchangeTenantId: stands for many`, "--app-id or ExchangeAppId: missing", "rooms:5 ExchangeUseImpersonation: an app"}},
		"thumbprint too short":                    {[]string{tenant, appID, "ExchangeCertThumbprint=A1B2"}, "--cert-dir certs", AuthCertificate, true, []string{"rooms:4 ExchangeCertThumbprint: has 4 hexadecimal digits: a thumbprint (SHA-1) has 40"}},
		"the secret in place of the id":           {[]string{tenant, "ExchangeAppId=a~" + canary, appSecret}, "", AuthSecret, true, []string{"rooms:3 ExchangeAppId: must be an id"}},
		"neither true nor false":                  {[]string{tenant, appID, appSecret, "ExchangeUseImpersonation=ja"}, "", AuthSecret, true, []string{"rooms:5 ExchangeUseImpersonation: must be true or false"}},
		"True, as .NET writes it":                 {[]string{tenant, appID, appSecret, "ExchangeUseImpersonation= True "}, "", AuthSecret, true, nil},
		"placeholders":                            {[]string{"ExchangeTenantId=xxx", "ExchangeAppId=XXX", "ExchangeClientSecret= xxx "}, "", AuthSecret, true, []string{"rooms:2 ExchangeTenantId: is still the placeholder of the guide", "rooms:3 ExchangeAppId: is still", "rooms:4 ExchangeClientSecret: is still"}},
		"the example of a password":               {[]string{tenant, appID, user, "ExchangeServicePassword=mySecretPassword", asDelegate}, "", AuthDelegated, false, []string{"rooms:5 ExchangeServicePassword: is still the placeholder"}},
		"empty values are none":                   {[]string{tenant, appID, appSecret, "ExchangeCertThumbprint=", "ExchangeServiceUser= ", "ExchangeServicePassword=", "ExchangeUseImpersonation="}, "", AuthSecret, true, nil},
		"a placeholder that a flag comes before":  {[]string{"ExchangeTenantId=xxx", appID, appSecret}, "--tenant-id sim-tenant", AuthSecret, true, nil},
		"impersonation, a flag comes before":      {[]string{tenant, appID, appSecret, asDelegate}, "--impersonation=true", AuthSecret, true, nil},
		"an empty flag is none":                   {[]string{tenant, appID, appSecret}, "--tenant-id= --client-secret-file= --auth=", AuthSecret, true, nil},
		"a mistyped way, and nothing found out":   {[]string{tenant, appID, appSecret}, "--auth secrt", "", true, []string{`--auth "secrt": must be secret, certificate, delegated, federated, basic or ntlm; did you mean "secret"?`}},
		"the only certificate of a folder":        {[]string{tenant, appID}, "--auth certificate --cert-dir certs", AuthCertificate, true, nil},
		"another way than there are keys for":     {[]string{tenant, appID, appSecret}, "--auth delegated", AuthDelegated, false, []string{"--username or ExchangeServiceUser: missing", "--password-file or ExchangeServicePassword: missing"}},
		"federated, without a token":              {[]string{tenant, appID}, "--auth federated", AuthFederated, true, []string{"--federated-token-file: missing"}},
		"federated, with a token that is nowhere": {[]string{tenant, appID}, "--federated-token-file nowhere", AuthFederated, true, []string{"--federated-token-file: the file given in --federated-token-file does not exist (7 characters; is it the secret itself? That must stand in a file); if not, look at what is to write it"}},
		"federated, with an empty token":          {[]string{tenant, appID}, "--federated-token-file empty", AuthFederated, true, []string{`--federated-token-file "empty": there is no token in it`}},
	}
	for name, tt := range tests {
		var w Worker
		err := Load(args("--rooms-config rooms "+tt.args), world(nil, with(files, "rooms", keys(tt.keys...))), &w)
		if w.Auth != tt.auth || w.Impersonation != tt.impersonation {
			t.Errorf("%s: %q, impersonation %v; want %q, %v", name, w.Auth, w.Impersonation, tt.auth, tt.impersonation)
		}
		var faults Faults
		if errors.As(err, &faults); (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			expect(t, name, faults, tt.want)
		}
	}
}

func TestSignIn_FromFlags(t *testing.T) {
	tests := []struct {
		args string
		vars map[string]string
		auth string
		want []string
	}{
		{app, nil, AuthSecret, nil},
		{"--tenant-id t --app-id a", map[string]string{"ROOMSYNC_CLIENT_SECRET": canary}, AuthSecret, nil},
		{onPremises + "--username u --password-file secret", nil, AuthBasic, nil},
		{onPremises + "--username u", map[string]string{"ROOMSYNC_PASSWORD": canary}, AuthBasic, nil},
		{app + "--username u --password-file secret --auth secret", nil, AuthSecret, nil},
		{"--auth basic --username u --password-file bom --ews-url http://localhost:8445/EWS/Exchange.asmx", nil, AuthBasic, nil},
		{"--tenant-id t", nil, AuthSecret, []string{"--app-id: missing", "--client-secret-file: missing"}},
		{app + "--username u", nil, AuthSecret, []string{"--password-file: missing: a service user (--username)"}},
		{app + "--username u --auth secret", nil, AuthSecret, nil},
		{"--auth ntlm --tenant-id a/b --slots 0", nil, AuthNTLM, []string{"--slots", `--tenant-id "a/b": must be an id`, "--username: missing", "--password-file: missing", "--ews-url: Exchange Online takes no"}},
		{"--auth basic --username a:b", nil, AuthBasic, []string{`--username "a:b": must not hold a colon`, "--password-file: missing", "--ews-url: Exchange Online takes no passwords"}},
		{"--tenant-id common --app-id a --client-secret-file secret", nil, AuthSecret, []string{`--tenant-id "common": stands for many`}},
		{"--tenant-id a/b --app-id b?c --client-secret-file secret", nil, AuthSecret, []string{`--tenant-id "a/b": must be an id`, `--app-id "b?c": must be an id`}},
		{"--tenant-id t --app-id a --client-secret-file nowhere", nil, AuthSecret, []string{"--client-secret-file: the file given in --client-secret-file does not exist (7 characters; is it the secret itself? That must stand in a file, or in ROOMSYNC_CLIENT_SECRET)"}},
		{"--tenant-id t --app-id a --client-secret-file empty", nil, AuthSecret, []string{`--client-secret-file "empty": there is no secret in it`}},
		{"--tenant-id t --app-id a --cert-thumbprint " + print40 + " --cert-dir d --cert-password-file nowhere", nil, AuthCertificate, []string{"--cert-password-file: the file given in --cert-password-file does not exist (7 characters"}},
		{app + "--token-key-file secret", nil, AuthSecret, []string{`--token-key-file "secret": the key in line 1 is too short`}},
		{app + "--impersonation=false", nil, AuthSecret, []string{`--impersonation "false": an app signs in as nobody, so it must act as each mailbox's owner: say true; or remove --client-secret-file`}},
		{"--auth delegated --username u@b --password-file secret --authority-url http://sim:8445", nil, AuthDelegated, []string{"--tenant-id: missing", "--app-id: missing", "--authority-url: must be https"}},
	}
	for _, tt := range tests {
		var w Worker
		err := Load(args(tt.args), world(tt.vars, files), &w)
		var faults Faults
		if errors.As(err, &faults); (err == nil) != (len(tt.want) == 0) || w.Auth != tt.auth {
			t.Errorf("%s: %q, %v", tt.args, w.Auth, err)
		}
		if err != nil {
			expect(t, tt.args, faults, tt.want)
		}
	}
}

func TestSignIn_CertificateWithoutFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has a certificate store")
	}
	var w Worker
	err := Load(args("--tenant-id t --app-id a --cert-thumbprint "+print40), world(nil, files), &w)
	if err == nil || !strings.Contains(err.Error(), "--cert-dir: missing: this host has no certificate store of Windows") {
		t.Errorf("%v", err)
	}
}

func TestSignIn_AzureWorkloadIdentity(t *testing.T) {
	webhook := map[string]string{
		"AZURE_FEDERATED_TOKEN_FILE": "jwt", "AZURE_TENANT_ID": "azure-tenant", "AZURE_CLIENT_ID": "azure-app", "AZURE_AUTHORITY_HOST": "https://login.example/",
	}
	tests := map[string]struct {
		args                    string
		vars                    map[string]string
		auth, tenant, app, file string
		authority               string
	}{
		"nothing else":          {"", nil, AuthFederated, "azure-tenant", "azure-app", "jwt", "https://login.example/"},
		"asked for":             {"--auth federated", nil, AuthFederated, "azure-tenant", "azure-app", "jwt", "https://login.example/"},
		"flags come first":      {"--tenant-id t --federated-token-file key --authority-url https://a.example", nil, AuthFederated, "t", "", "key", "https://a.example"},
		"asked for, with flags": {"--auth federated --tenant-id t --federated-token-file key", nil, AuthFederated, "t", "azure-app", "key", "https://login.example/"},
		"our variables first":   {"--auth federated", map[string]string{"ROOMSYNC_APP_ID": "ours"}, AuthFederated, "azure-tenant", "ours", "jwt", "https://login.example/"},
		"a secret is given":     {app, nil, AuthSecret, "sim-tenant", "sim-app", "", "https://login.microsoftonline.com"},
		"only ids are given":    {"--tenant-id t --app-id a", nil, AuthFederated, "t", "a", "jwt", "https://login.example/"},
		"a user is given":       {onPremises + "--username u --password-file secret", nil, AuthBasic, "", "", "", "https://login.microsoftonline.com"},
	}
	for name, tt := range tests {
		vars := maps.Clone(webhook)
		maps.Copy(vars, tt.vars)
		var w Worker
		err := Load(args(tt.args), world(vars, files), &w)
		if got, want := [5]string{w.Auth, w.TenantID, w.AppID, w.TokenFile, w.AuthorityURL}, [5]string{tt.auth, tt.tenant, tt.app, tt.file, tt.authority}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if (err == nil) != (tt.app != "" || tt.auth == AuthBasic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var w Worker
	if err := Load(nil, world(map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "a"}, files), &w); err == nil || !strings.Contains(err.Error(), "nothing to sign in with") {
		t.Errorf("variables without a token: %v", err)
	}
	webhook["AZURE_TENANT_ID"] = "a/b"
	if err := Load(nil, world(webhook, files), &w); err == nil || !strings.Contains(err.Error(), "\n  AZURE_TENANT_ID: must be an id") {
		t.Errorf("a faulty variable: %v", err)
	}
}

func TestThumbprint_AsPeopleCopyIt(t *testing.T) {
	for text, want := range map[string]string{
		print40: "",
		"a1 b2 c3 d4 e5 f6 07 18 29 3a 4b 5c 6d 7e 8f 90 01 12 23 34":       "",
		"\u200eA1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90:01:12:23:34": "",
		print40[1:]:                  "has 39 hexadecimal digits",
		strings.Repeat("0", 64):      "give the SHA-1 thumbprint",
		"https://vault.example/cert": "must be hexadecimal",
		" ":                          "has 0 hexadecimal digits",
		print40 + "." + canary:       "must be hexadecimal",
	} {
		var w Worker
		err := Load([]string{"--tenant-id=t", "--app-id=a", "--cert-dir=c", "--cert-thumbprint", text}, world(nil, nil), &w)
		switch {
		case want == "" && (err != nil || w.CertThumbprint != print40 || w.Auth != AuthCertificate):
			t.Errorf("%q: %q, %v", text, w.CertThumbprint, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
