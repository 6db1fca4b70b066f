package daemon

import (
	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// Identity is as whom a configuration signs in.
func Identity(c config.Exchange) jobs.Identity {
	id := jobs.Identity{SignIn: jobs.SignInApp, Tenant: c.TenantID, App: c.AppID, User: c.Username, Delegate: !c.Impersonation}
	switch c.Auth {
	case config.AuthDelegated:
		id.SignIn = jobs.SignInUser
	case config.AuthBasic, config.AuthNTLM:
		id.SignIn = jobs.SignInOnPremises
	}
	return id
}
