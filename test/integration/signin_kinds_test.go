package integration

import (
	"fmt"
	"time"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/tokens/certs"
)

// signIn is a way to sign in as an administrator sets it up, twice, and what he then meets.
type signIn struct {
	name string
	// rooms and flags configure a worker (see org.signedIn): as ROOMS is configured already, and by flags and variables.
	// What they sign in with works.
	rooms, flags func(o *org) map[string]string
	// wrong is what the worker by flags starts with.
	wrong trouble
	// later comes over the worker one after the other while it runs.
	later []trouble
}

// trouble is a credential that is refused.
type trouble struct {
	name   string
	before func(o *org) // what has to be so when the worker starts; may be nil
	cause  func(o *org)
	says   []string // a line of the log: what is wrong and what to do
	cure   func(o *org)
}

const (
	renewed = "renewed-4711" // secrets and passwords that take the place of others
	subject = "system:serviceaccount:rooms:worker"
)

// locations are what no kind of sign-in can do without.
func (o *org) locations(more map[string]string) map[string]string {
	all := map[string]string{"ews-url": o.ews.URL + exchangesim.EWSPath, "authority-url": o.ews.URL}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// onPremises are the locations for servers that no Entra belongs to.
func (o *org) onPremises(more map[string]string) map[string]string {
	all := o.locations(more)
	delete(all, "authority-url")
	return all
}

func (o *org) revokeTokens() { o.sim.Entra().Revoke("") }

func (o *org) removeSecrets() {
	for _, s := range o.sim.Entra().Secrets() {
		o.sim.Entra().RemoveSecret(s.ID)
	}
}

var bySecret = signIn{
	name: "secret",
	rooms: func(o *org) map[string]string {
		return o.locations(map[string]string{"rooms-config": o.roomsConfig(map[string]string{
			"ExchangeTenantId": "sim-tenant", "ExchangeAppId": "sim-app", "ExchangeClientSecret": "sim-secret", "ExchangeUseImpersonation": "True",
		})})
	},
	flags: func(o *org) map[string]string {
		o.put("secret", "sim-secret\n")
		return o.locations(map[string]string{"ROOMSYNC_TENANT_ID": "sim-tenant", "ROOMSYNC_APP_ID": "sim-app", "client-secret-file": o.file("secret")})
	},
	wrong: trouble{
		cause: func(o *org) { o.put("secret", o.sim.Entra().Secrets()[0].ID) },
		says:  []string{"AADSTS7000215", "secret's ID instead of its value", "check --client-secret-file (ExchangeClientSecret)"},
		cure:  func(o *org) { o.put("secret", "sim-secret") },
	},
	later: []trouble{{
		name: "expired",
		cause: func(o *org) {
			o.removeSecrets()
			o.sim.Entra().AddSecret("sim-secret", time.Now().Add(-time.Minute))
			o.revokeTokens()
		},
		says: []string{"AADSTS7000222", "has expired: create a new one", "--client-secret-file"},
		cure: func(o *org) {
			o.sim.Entra().AddSecret(renewed, time.Time{})
			o.put("secret", renewed)
		},
	}, {
		name:  "revoked",
		cause: func(o *org) { o.removeSecrets(); o.revokeTokens() },
		says:  []string{"AADSTS7000215", "check --client-secret-file"},
		cure: func(o *org) {
			o.sim.Entra().AddSecret(renewed+"-again", time.Time{})
			o.put("secret", renewed+"-again")
		},
	}},
}

var byPEM = signIn{
	name: "certificate, PEM",
	rooms: func(o *org) map[string]string {
		p := o.certificate("rooms", time.Hour*9000, true)
		o.put("certs/app.pem", p.pem())
		return o.locations(map[string]string{"cert-dir": o.file("certs"), "rooms-config": o.roomsConfig(map[string]string{
			"ExchangeTenantId": "sim-tenant", "ExchangeAppId": "sim-app", "ExchangeCertThumbprint": "\u200e" + spaced(certs.Thumbprint(p.cert)),
		})})
	},
	flags: func(o *org) map[string]string {
		o.put("certs/app.pem", o.certificate("flags", time.Hour*9000, true).pem())
		return o.locations(map[string]string{"ROOMSYNC_AUTH": "certificate", "tenant-id": "sim-tenant", "app-id": "sim-app", "ROOMSYNC_CERT_DIR": o.file("certs")})
	},
	wrong: trouble{
		cause: func(o *org) { o.put("certs/app.pem", o.certificate("stranger", time.Hour*9000, false).pem()) },
		says:  []string{"AADSTS700027", "not, or no longer, registered for this app: upload it", "compare its thumbprint"},
		cure:  func(o *org) { o.put("certs/app.pem", o.certificate("right", time.Hour*9000, true).pem()) },
	},
	later: []trouble{{
		name:   "expired",
		before: func(o *org) { o.soonOver() },
		cause:  func(o *org) { o.over(); o.revokeTokens() },
		says:   []string{"expired on", "register a new one in Entra", "--cert-thumbprint (ExchangeCertThumbprint)"},
		cure:   func(o *org) { o.put("certs/app.pem", o.certificate("in time", time.Hour*9000, true).pem()) },
	}, {
		name:  "revoked",
		cause: func(o *org) { o.removeCertificates(); o.revokeTokens() },
		says:  []string{"AADSTS700027", "not, or no longer, registered for this app: upload it"},
		cure:  func(o *org) { o.put("certs/app.pem", o.certificate("renewed", time.Hour*9000, true).pem()) },
	}},
}

// soonOver gives the worker a certificate that is just long enough valid for it to begin.
func (o *org) soonOver() {
	p := o.certificate("short", 15*time.Second, true)
	o.ends = p.cert.NotAfter
	o.put("certs/app.pem", p.pem())
}

// over waits until that has ended.
func (o *org) over() {
	eventually(o.t, slowly, func() error {
		if left := time.Until(o.ends); left > -time.Second {
			return fmt.Errorf("the certificate is valid for %v", left)
		}
		return nil
	})
}

func (o *org) removeCertificates() {
	for _, c := range o.sim.Entra().Certificates() {
		o.sim.Entra().RemoveCertificate(c.Thumbprint)
	}
}

// spaced is a thumbprint as the certificate dialog of Windows shows it.
func spaced(thumbprint string) string {
	text := ""
	for i := 0; i < len(thumbprint); i += 2 {
		text += thumbprint[i:i+2] + " "
	}
	return text
}

var byPFX = signIn{
	name: "certificate, PFX",
	rooms: func(o *org) map[string]string {
		p := o.certificate("rooms", time.Hour*9000, true)
		o.put("pfx", "the first password")
		o.put("certs/app.pfx", p.pfx(o.t, "the first password"))
		return o.pfx(p)
	},
	flags: func(o *org) map[string]string {
		p := o.certificate("flags", time.Hour*9000, true)
		o.put("pfx", "a password & more")
		o.put("certs/app.pfx", p.pfx(o.t, "a password & more"))
		settings := o.pfx(p)
		settings["ROOMSYNC_CERT_PASSWORD"] = "another one, which the flag comes before"
		return settings
	},
	wrong: trouble{ // not registered yet
		cause: func(o *org) { o.removeCertificates() },
		says:  []string{"AADSTS700027", "upload it under Certificates & secrets"},
		cure:  func(o *org) { o.renewPFX() },
	},
	later: []trouble{{
		name:  "revoked",
		cause: func(o *org) { o.removeCertificates(); o.revokeTokens() },
		says:  []string{"AADSTS700027", "not, or no longer, registered for this app: upload it"},
		cure:  func(o *org) { o.renewPFX() },
	}},
}

// pfx is a configuration whose thumbprint stands in RoomsAppSettings.config, so that another one can be taken up.
func (o *org) pfx(p pair) map[string]string {
	return o.locations(map[string]string{
		"cert-dir": o.file("certs"), "cert-password-file": o.file("pfx"),
		"rooms-config": o.roomsConfig(map[string]string{
			"ExchangeTenantId": "sim-tenant", "ExchangeAppId": "sim-app", "ExchangeCertThumbprint": certs.Thumbprint(p.cert),
		}),
	})
}

// renewPFX rotates a certificate as setup-exchange.md says: the new one beside the old, then the thumbprint.
func (o *org) renewPFX() {
	p := o.certificate("renewed", time.Hour*9000, true)
	o.put("certs/next.pfx", p.pfx(o.t, "a password & more"))
	o.pfx(p)
}

var byFederation = signIn{
	name: "federated",
	rooms: func(o *org) map[string]string { // ROOMS has no keys for it: the variables of Azure's webhook
		o.trust()
		o.put("token", o.federatedToken(subject, time.Hour))
		return map[string]string{
			"ews-url": o.ews.URL + exchangesim.EWSPath, "AZURE_AUTHORITY_HOST": o.ews.URL + "/",
			"AZURE_TENANT_ID": "sim-tenant", "AZURE_CLIENT_ID": "sim-app", "AZURE_FEDERATED_TOKEN_FILE": o.file("token"),
		}
	},
	flags: func(o *org) map[string]string {
		o.put("token", o.federatedToken(subject, time.Hour)+"\n")
		return o.locations(map[string]string{"tenant-id": "sim-tenant", "app-id": "sim-app", "federated-token-file": o.file("token")})
	},
	wrong: trouble{
		cause: func(o *org) { o.put("token", o.federatedToken("system:serviceaccount:rooms:other", time.Hour)) },
		says:  []string{"AADSTS700213", "no federated credential of this app matches the token: compare issuer, subject and audience"},
		cure:  func(o *org) { o.put("token", o.federatedToken(subject, time.Hour)) },
	},
	later: []trouble{{
		name: "expired",
		cause: func(o *org) {
			o.put("token", o.federatedToken(subject, -time.Minute))
			o.revokeTokens()
		},
		says: []string{"expired at", "look at what is to renew it"},
		cure: func(o *org) { o.put("token", o.federatedToken(subject, time.Hour)) },
	}, {
		name:  "revoked",
		cause: func(o *org) { o.sim.Entra().RemoveFederatedCredential("cluster"); o.revokeTokens() },
		says:  []string{"AADSTS70025", "the app has no federated credential: add one"},
		cure:  func(o *org) { o.trust() },
	}},
}

func (o *org) trust() {
	must(o.t, o.sim.Entra().AddFederatedCredential(entra.FederatedCredential{Name: "cluster", Issuer: entra.SimulatedIssuer, Subject: subject}))
}

func (o *org) federatedToken(of string, life time.Duration) string {
	token, err := o.sim.Entra().IssueFederatedToken(entra.FederatedToken{Subject: of, Lifetime: life})
	must(o.t, err)
	return token
}

// byPassword are the ways of a service user.
func byPassword(name string, rooms, flags func(o *org) map[string]string, wrong, expired, disabled []string) signIn {
	return signIn{
		name: name, rooms: rooms, flags: flags,
		wrong: trouble{
			cause: func(o *org) { o.put("password", "an old password") },
			says:  wrong,
			cure:  func(o *org) { o.put("password", directory.DefaultPassword) },
		},
		later: []trouble{{
			name:  "expired",
			cause: func(o *org) { o.userBecomes(directory.PasswordExpired) },
			says:  expired,
			cure: func(o *org) {
				o.sim.Users().SetPassword(exchangesim.ServiceUser, renewed)
				o.userBecomes(directory.Enabled)
				o.put("password", renewed)
			},
		}, {
			name:  "revoked",
			cause: func(o *org) { o.userBecomes(directory.Disabled) },
			says:  disabled,
			cure:  func(o *org) { o.userBecomes(directory.Enabled) },
		}},
	}
}

// userBecomes changes the service user's account. Who is signed in already has to do it again.
func (o *org) userBecomes(s directory.State) {
	o.sim.Users().SetState(exchangesim.ServiceUser, s)
	if s != directory.Enabled {
		o.revokeTokens()
		o.ews.CloseClientConnections()
	}
}

func roomsUser(o *org, more map[string]string) string {
	keys := map[string]string{"ExchangeServiceUser": exchangesim.ServiceUser, "ExchangeServicePassword": directory.DefaultPassword}
	for key, value := range more {
		keys[key] = value
	}
	return o.roomsConfig(keys)
}

// servers is a service user's configuration for servers on premises.
func servers(auth string) (rooms, flags func(o *org) map[string]string) {
	rooms = func(o *org) map[string]string {
		settings := map[string]string{"rooms-config": roomsUser(o, map[string]string{"ExchangeUseImpersonation": "true"})}
		if auth == "ntlm" {
			settings["auth"] = auth
		}
		return o.onPremises(settings)
	}
	flags = func(o *org) map[string]string {
		o.put("password", directory.DefaultPassword+"\r\n")
		return o.onPremises(map[string]string{"ROOMSYNC_AUTH": auth, "ROOMSYNC_USERNAME": `CONTOSO\svc`, "password-file": o.file("password")})
	}
	return rooms, flags
}

func signIns() []signIn {
	basicRooms, basicFlags := servers("basic")
	ntlmRooms, ntlmFlags := servers("ntlm")
	refused := []string{"the server refuses the service user", "locked, expired", "check --username (ExchangeServiceUser", "--password-file (ExchangeServicePassword)"}
	return []signIn{bySecret, byPEM, byPFX, byFederation,
		byPassword("delegated",
			func(o *org) map[string]string {
				return o.locations(map[string]string{"rooms-config": roomsUser(o, map[string]string{
					"ExchangeTenantId": "sim-tenant", "ExchangeAppId": "sim-app", "ExchangeUseImpersonation": "false",
				})})
			},
			func(o *org) map[string]string {
				o.put("password", directory.DefaultPassword)
				return o.locations(map[string]string{
					"ROOMSYNC_AUTH": "delegated", "tenant-id": "sim-tenant", "app-id": "sim-app", "username": exchangesim.ServiceUser, "password-file": o.file("password"),
				})
			},
			[]string{"AADSTS50126", "user name or password of the service user is wrong", "check --username (ExchangeServiceUser) and --password-file"},
			[]string{"AADSTS50055", "password has expired"},
			[]string{"AADSTS50057", "is disabled: enable the account"}),
		byPassword("basic", basicRooms, basicFlags, refused, refused, refused),
		byPassword("ntlm", ntlmRooms, ntlmFlags, refused, refused, refused),
	}
}
