package daemon

import (
	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// Identity is as whom a configuration signs in. What its kind of sign-in does not use is left out: to change that makes
// nobody another.
func Identity(c config.Exchange) jobs.Identity {
	id := jobs.Identity{SignIn: jobs.SignInApp, Tenant: c.TenantID, App: c.AppID, Delegate: !c.Impersonation}
	switch c.Auth {
	case config.AuthDelegated:
		id.SignIn, id.User = jobs.SignInUser, c.Username
	case config.AuthBasic, config.AuthNTLM:
		id = jobs.Identity{SignIn: jobs.SignInOnPremises, User: c.Username, Delegate: !c.Impersonation}
	}
	return id
}
