package daemon

import (
	"testing"

	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// TestIdentity_OnlyWhatIsUsed: RoomsAppSettings.config has keys for every kind of sign-in, and those of another do not
// change who we are.
func TestIdentity_OnlyWhatIsUsed(t *testing.T) {
	app := jobs.Identity{SignIn: jobs.SignInApp, Tenant: "tenant", App: "app"}
	onPremises := jobs.Identity{SignIn: jobs.SignInOnPremises, User: "user"}
	cases := map[string]jobs.Identity{
		config.AuthSecret: app, config.AuthCertificate: app, config.AuthFederated: app,
		config.AuthDelegated: {SignIn: jobs.SignInUser, Tenant: "tenant", App: "app", User: "user"},
		config.AuthBasic:     onPremises, config.AuthNTLM: onPremises,
	}
	for auth, want := range cases {
		c := config.Exchange{Auth: auth, TenantID: "tenant", AppID: "app", Username: "user", Impersonation: true}
		if got := Identity(c); got != want {
			t.Errorf("%s: %+v, want %+v", auth, got, want)
		}
		c.Impersonation, want.Delegate = false, true
		if got := Identity(c); got != want {
			t.Errorf("%s, as delegate: %+v, want %+v", auth, got, want)
		}
	}
}
