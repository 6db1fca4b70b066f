package exchangesim

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/exchangesim/store"
)

// refusal is one way in which access is refused.
type refusal struct {
	cause hook.Cause
	want  string                        // on the wire
	shut  func(t *testing.T, c *client) // what an administrator does to cause it
	who   func(c *client) func(*http.Request)
	body  string
	// forever says that no policy is to blame.
	forever bool
}

var asApp = envelope(impersonate(anna), syncFolder)

func ptr(b bool) *bool { return &b }

// app, user and service are callers. Each gets its token when it calls, so that it carries what it may have then.
func app(c *client) func(*http.Request)      { return bearer(c.token()) }
func service(*client) func(*http.Request)    { return basic(ServiceUser) }
func delegate(c *client) func(*http.Request) { return bearer(c.userToken()) }

// ofAnna asks for anna's calendar without impersonation.
func ofAnna(body string) string {
	return envelope("", strings.ReplaceAll(body, `Id="calendar"/>`, `Id="calendar"><t:Mailbox><t:EmailAddress>`+anna+`</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`))
}

const createInHers = `<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId><t:DistinguishedFolderId Id="calendar"/></m:SavedItemFolderId>` +
	`<m:Items><t:CalendarItem><t:Subject>Lunch</t:Subject><t:Start>2026-11-23T12:00:00Z</t:Start><t:End>2026-11-23T13:00:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem>`

func (r refusal) with(who func(*client) func(*http.Request), body string) refusal {
	r.who, r.body = who, body
	return r
}

func refusals() []refusal {
	front := func(cause hook.Cause, want string, shut func(*testing.T, *client)) refusal {
		return refusal{cause, want, shut, app, asApp, false}
	}
	organization := func(o policy.Organization) func(*testing.T, *client) {
		return func(t *testing.T, c *client) { must(t, c.sim.Policy().SetOrganization(o, 0)) }
	}
	mailbox := func(m policy.Mailbox) func(*testing.T, *client) {
		return func(t *testing.T, c *client) { must(t, c.sim.Policy().SetMailbox(anna, m, 0)) }
	}
	grant := func(a store.Access) func(*testing.T, *client) {
		return func(t *testing.T, c *client) {
			must(t, c.sim.Company().Mailbox(anna).Grant(ServiceUser, "calendar", a))
		}
	}
	without := func(change func(*entra.App)) func(*testing.T, *client) {
		return func(_ *testing.T, c *client) {
			a := c.sim.Entra().App()
			change(&a)
			c.sim.Entra().SetApp(a)
		}
	}
	nothing := func(*testing.T, *client) {}
	signIn := func(cause hook.Cause, want string, who func(*client) func(*http.Request)) refusal {
		return refusal{cause, want, nothing, who, asApp, false}
	}
	always := func(auth func(*http.Request)) func(*client) func(*http.Request) {
		return func(*client) func(*http.Request) { return auth }
	}
	stranger := front(hook.ImpersonateUser, "500 fault ErrorImpersonateUserDenied", nothing).with(always(basic("room0001@contoso.example")), asApp)
	stranger.forever = true
	return []refusal{
		signIn(hook.NoCredentials, "401 Bearer Basic empty", always(func(*http.Request) {})),
		signIn(hook.WrongPassword, "401 Bearer Basic empty", always(asUser(ServiceUser, "guess"))),
		signIn(hook.BadToken, `401 diagnostics=2000001 Bearer error="invalid_token" empty`, always(bearer("x.y.z"))),
		front(hook.SchemeSwitchedOff, "401 Bearer empty", func(_ *testing.T, c *client) {
			c.sim.SignIn().SetSchemes(signin.Schemes{Bearer: true})
		}).with(service, asApp),

		front(hook.AppPermission, "403 diagnostics=2000008 empty", without(func(a *entra.App) { a.Permission = false })),
		front(hook.AppPermission, "403 diagnostics=2000008 empty", without(func(a *entra.App) { a.Consent = false })),
		front(hook.DelegatedPermission, "403 diagnostics=2000008 empty", without(func(a *entra.App) { a.DelegatedPermission = false })).with(delegate, ofAnna(syncFolder)),
		front(hook.OrganizationDisabled, "403 policy=disabled empty", organization(policy.Organization{EwsEnabled: ptr(false)})),
		front(hook.OrganizationDisabled, "403 policy=disabled empty", organization(policy.Organization{EwsEnabled: ptr(false)})).with(service, asApp),
		front(hook.AppNotAllowed, "403 policy=blocked empty", organization(policy.Organization{EwsEnabled: ptr(true), EwsAllowedAppIDs: []string{"another-app"}})),
		front(hook.UserAgent, "403 policy=blocked empty", organization(policy.Organization{EwsApplicationAccessPolicy: policy.EnforceAllowList, EwsAllowList: []string{"roomsync/*"}})),
		front(hook.MailboxDisabled, "403 policy=disabled empty", mailbox(policy.Mailbox{EwsEnabled: ptr(false)})),
		front(hook.License, "403 empty", mailbox(policy.Mailbox{License: "F3"})),
		front(hook.ScreamTest, "403 empty", func(t *testing.T, c *client) { must(t, c.sim.Policy().Scream(1, time.Hour)) }),
		front(hook.AppAccessPolicy, "403 empty", restrict(policy.RestrictAccess, "", "room0001@contoso.example")),
		front(hook.AppAccessPolicy, "200 ErrorAccessDenied", restrict(policy.DenyAccess, policy.FormSOAP, anna)),
		front(hook.RoleScope, "403 empty", func(t *testing.T, c *client) {
			without(func(a *entra.App) { a.Permission = false })(t, c)
			_, err := c.sim.Policy().AddRoleAssignment(policy.RoleAssignment{AppID: "sim-app", Role: policy.EwsRole, Group: "nobody"}, 0)
			must(t, err)
		}),

		front(hook.ImpersonateUser, "500 fault ErrorImpersonateUserDenied", func(t *testing.T, c *client) { must(t, c.sim.Policy().DenyImpersonation(anna, 0, 0)) }),
		stranger,
		front(hook.ImpersonateScope, "500 fault ErrorImpersonateUserDenied", func(_ *testing.T, c *client) {
			c.sim.Policy().SetImpersonation(ServiceUser, policy.Impersonation{Group: "rooms"}, 0)
		}).with(service, asApp),
		front(hook.Impersonation, "500 fault ErrorImpersonationDenied", func(_ *testing.T, c *client) {
			c.sim.Policy().SetImpersonation("sim-app", policy.Impersonation{Denied: true}, 0)
		}),
		front(hook.FolderHidden, "200 ErrorSyncFolderNotFound", nothing).with(delegate, ofAnna(syncFolder)),
		front(hook.FolderNoCreate, "200 ErrorCreateItemAccessDenied", grant(store.Reviewer)).with(delegate, ofAnna(createInHers)),
	}
}

func restrict(right policy.AccessRight, form policy.Form, members ...string) func(*testing.T, *client) {
	return func(t *testing.T, c *client) {
		c.sim.Policy().SetGroup("SyncIsAllowed", members, 0)
		_, err := c.sim.Policy().AddAccessPolicy(policy.AccessPolicy{AppID: "sim-app", Right: right, Group: "SyncIsAllowed", Answer: form}, 0)
		must(t, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every cause of a refusal shows on the wire, is counted once, stands in the call log, and goes when its policy goes.
func TestRefusals_OnTheWire(t *testing.T) {
	fired := map[hook.Cause]bool{hook.FolderReadOnly: true} // needs an item: see below
	for _, r := range refusals() {
		fired[r.cause] = true
		t.Run(string(r.cause), func(t *testing.T) { synctest.Test(t, r.test) })
	}
	for _, cause := range hook.Causes() {
		if !fired[cause] {
			t.Errorf("%s was never tried", cause)
		}
	}
}

func (r refusal) test(t *testing.T) {
	c := newClient(t, Options{Mailboxes: 5, Items: -1, BusyShare: NoBusyShare})
	defer c.stop()
	r.shut(t, c)
	if got := c.ews(r.body, r.who(c)); got != r.want {
		t.Errorf("%q, want %q", got, r.want)
	}
	if n := c.sim.Policy().Refusals(); len(n) != 1 || n[r.cause] != 1 {
		t.Errorf("counted %v", n)
	}
	calls := c.sim.Faults().Calls(0, anna, 0)
	if strings.HasPrefix(r.want, "401") {
		if len(calls) > 0 {
			t.Errorf("the log has %+v of a call that nobody made", calls)
		}
		return
	}
	if len(calls) != 1 || calls[0].Refused != r.cause || calls[0].SignIn == "" || len(c.sim.Company().Effects(0)) > 0 {
		t.Fatalf("the log says %+v", calls)
	}
	c.sim.Policy().Clear()
	c.sim.Entra().SetApp(entra.WorkingApp())
	must(t, c.sim.Company().Mailbox(anna).Grant(ServiceUser, "calendar", store.Editor))
	if got := c.ews(r.body, r.who(c)); got != "200 NoError" && !r.forever {
		t.Errorf("when it is over: %q", got)
	}
}

// A delegate who may only read learns that he may not change.
func TestRefusals_OfADelegatesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: 1, BusyShare: NoBusyShare})
		defer c.stop()
		must(t, c.sim.Company().Mailbox(anna).Grant(ServiceUser, "calendar", store.Reviewer))
		if got := c.ews(envelope("", getItems(c.items())), delegate(c)); got != "200 NoError" {
			t.Errorf("read: %q", got)
		}
		if got := c.ews(envelope("", updateItem(c.items()[0])), delegate(c)); got != "200 ErrorAccessDenied" {
			t.Errorf("change: %q", got)
		}
		if n := c.sim.Policy().Refusals(); len(n) != 1 || n[hook.FolderReadOnly] != 1 {
			t.Errorf("counted %v", n)
		}
	})
}

// Online there is no Basic, and a user's token impersonates nobody.
func TestOnline_TakesTokensOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare, Online: true})
		defer c.stop()
		for who, want := range map[string]string{
			"basic": "401 Bearer empty", "ntlm": "401 Bearer empty", "app": "200 NoError", "user": "500 fault ErrorImpersonateUserDenied",
		} {
			auth := map[string]func(*http.Request){
				"basic": basic(ServiceUser), "app": bearer(c.token()), "user": bearer(c.userToken()),
				"ntlm": func(r *http.Request) { r.Header.Set("Authorization", "NTLM TlRMTVNTUAABAAAA") },
			}[who]
			if got := c.ews(asApp, auth); got != want {
				t.Errorf("%s: %q, want %q", who, got, want)
			}
		}
	})
}
