package policy

import (
	"fmt"
	"testing"
	"time"

	"roomsync/internal/exchangesim/hook"
)

const (
	anna = "anna@contoso.example"
	beat = "beat@contoso.example"
)

// world is an organization whose clock a test moves.
type world struct {
	*Tenant
	t   *testing.T
	now time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	w.Tenant = New(Options{Now: func() time.Time { return w.now }})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) policy(right AccessRight, group string) AccessPolicy {
	w.t.Helper()
	p, err := w.AddAccessPolicy(AccessPolicy{AppID: "app", Right: right, Group: group}, 0)
	w.must(err)
	return p
}

// ask is a call of the app for a mailbox. It returns why it was refused.
func (w *world) ask(mailbox string, permitted bool) hook.Cause {
	c := &hook.Call{Mailbox: mailbox, UserAgent: "roomsync/1.0", Caller: hook.Principal{AppID: "App", Permitted: permitted}}
	a := w.Admit(c)
	if (a == nil) != (c.Refused == "") {
		w.t.Fatalf("answer %+v, refused %q", a, c.Refused)
	}
	return c.Refused
}

func (w *world) want(mailbox string, permitted bool, why hook.Cause) {
	w.t.Helper()
	if got := w.ask(mailbox, permitted); got != why {
		w.t.Errorf("%s: refused for %q, want %q", mailbox, got, why)
	}
}

// A deny beats a restrict, a restrict that fits grants, one that does not denies, and without any there is access.
func TestAccessPolicies_OrderOfEvaluation(t *testing.T) {
	w := newWorld(t)
	w.SetGroup("annas", []string{"Anna@contoso.example"}, 0)
	w.SetGroup("Both", []string{anna, beat}, 0)
	w.want(anna, true, "")
	_, err := w.AddAccessPolicy(AccessPolicy{AppID: "other", Right: DenyAccess, Group: "both"}, 0)
	w.must(err)
	w.want(anna, true, "")
	w.policy(RestrictAccess, "annas")
	w.want(anna, true, "")
	w.want(beat, true, hook.AppAccessPolicy)
	second := w.policy(RestrictAccess, "both")
	w.want(beat, true, "")
	deny := w.policy(DenyAccess, "ANNAS")
	w.want(anna, true, hook.AppAccessPolicy)
	w.want(beat, true, "")
	if w.TestAccessPolicy("app", anna) || !w.TestAccessPolicy("app", beat) || !w.TestAccessPolicy("third", anna) {
		t.Error("Test-ApplicationAccessPolicy says something else")
	}
	if !w.RemoveAccessPolicy(deny.ID, 0) || w.RemoveAccessPolicy(deny.ID, 0) || !w.RemoveAccessPolicy(second.ID, 0) {
		t.Error("RemoveAccessPolicy does not tell what was")
	}
	w.want(anna, true, "")
	w.want(beat, true, hook.AppAccessPolicy)
	w.want("", true, "") // a call for no mailbox
	trick := &hook.Call{Acting: beat, Mailbox: anna, Caller: hook.Principal{AppID: "app", Permitted: true}}
	if w.Admit(trick) == nil {
		t.Error("acting as a denied mailbox and naming a granted one helps")
	}
}

// What is read back is what was set; what is obeyed comes later. A change before that replaces it.
func TestChanges_TakeTheirTime(t *testing.T) {
	w := newWorld(t)
	w.SetGroup("g", []string{anna}, 0)
	_, err := w.AddAccessPolicy(AccessPolicy{AppID: "app", Right: RestrictAccess, Group: "g"}, 24*time.Hour)
	w.must(err)
	w.SetGroup("g", []string{beat}, time.Hour)
	if w.TestAccessPolicy("app", anna) {
		t.Error("the test looks at what is obeyed")
	}
	w.want(anna, true, "")
	w.now = w.now.Add(24*time.Hour - time.Second)
	w.want(beat, true, "")
	w.want(anna, true, "") // the policy does not act yet
	w.now = w.now.Add(time.Second)
	w.want(beat, true, "")
	w.want(anna, true, hook.AppAccessPolicy)

	off, on := false, true
	w.must(w.SetOrganization(Organization{EwsEnabled: &off}, 2*time.Hour))
	w.now = w.now.Add(time.Hour)
	w.must(w.SetOrganization(Organization{EwsEnabled: &on}, 2*time.Hour))
	w.now = w.now.Add(90 * time.Minute) // the first would act by now
	w.want(beat, true, "")
	v := w.View().Organization
	if v.EffectiveAt == nil || *v.Value.EwsEnabled != true || v.Effective.EwsEnabled != nil {
		t.Errorf("read back %+v", v)
	}
	w.now = w.now.Add(time.Hour)
	if v := w.View().Organization; v.EffectiveAt != nil || v.Effective != nil {
		t.Errorf("read back %+v", v)
	}
}

// RBAC grants beside Entra, not instead of it.
func TestRoleAssignments_Add(t *testing.T) {
	w := newWorld(t)
	w.want(anna, false, hook.AppPermission)
	w.SetGroup("rooms", []string{anna}, 0)
	a, err := w.AddRoleAssignment(RoleAssignment{AppID: "app", Role: EwsRole, Group: "rooms"}, 5*time.Minute)
	w.must(err)
	w.want(anna, false, hook.AppPermission)
	w.now = w.now.Add(5 * time.Minute)
	w.want(anna, false, "")
	w.want(beat, false, hook.RoleScope)
	w.want(beat, true, "") // the Entra grant was left in place
	w.policy(RestrictAccess, "nobody")
	w.want(anna, true, "") // the policy limits what Entra grants
	w.want(beat, true, hook.AppAccessPolicy)
	if !w.RemoveRoleAssignment(a.ID, time.Hour) {
		t.Error("no assignment")
	}
	w.want(anna, false, "")
	w.now = w.now.Add(time.Hour)
	w.want(anna, false, hook.AppPermission)
	if n := w.Refusals(); n[hook.AppPermission] != 3 || n[hook.RoleScope] != 1 || n[hook.AppAccessPolicy] != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestOrganization_AllowedAppsAndAgents(t *testing.T) {
	w := newWorld(t)
	on := true
	for name, c := range map[string]struct {
		o    Organization
		want hook.Cause
	}{
		"null, with a list":   {Organization{EwsAllowedAppIDs: []string{"other"}}, ""},
		"true, empty list":    {Organization{EwsEnabled: &on}, ""},
		"true, listed":        {Organization{EwsEnabled: &on, EwsAllowedAppIDs: []string{"other", " APP "}}, ""},
		"true, not listed":    {Organization{EwsEnabled: &on, EwsAllowedAppIDs: []string{"other"}}, hook.AppNotAllowed},
		"agent allowed":       {Organization{EwsApplicationAccessPolicy: EnforceAllowList, EwsAllowList: []string{"x", "RoomSync/*"}}, ""},
		"agent not allowed":   {Organization{EwsApplicationAccessPolicy: EnforceAllowList, EwsAllowList: []string{"roomsync"}}, hook.UserAgent},
		"agent blocked":       {Organization{EwsApplicationAccessPolicy: EnforceBlockList, EwsBlockList: []string{"*sync*1*"}}, hook.UserAgent},
		"agent not blocked":   {Organization{EwsApplicationAccessPolicy: EnforceBlockList, EwsBlockList: []string{"*2.0"}}, ""},
		"list without policy": {Organization{EwsBlockList: []string{"*"}}, ""},
	} {
		w.must(w.SetOrganization(c.o, 0))
		if got := w.ask(anna, true); got != c.want {
			t.Errorf("%s: refused for %q, want %q", name, got, c.want)
		}
	}
}

// Since April 2025 the organization's switch and the mailbox's must both be on or null.
func TestMailbox_SwitchesAndLicence(t *testing.T) {
	w := newWorld(t)
	on, off := true, false
	w.must(w.SetMailbox("ANNA@contoso.example", Mailbox{EwsEnabled: &off}, 0))
	w.want(anna, true, hook.MailboxDisabled)
	w.want(beat, true, "")
	w.must(w.SetMailbox(anna, Mailbox{EwsEnabled: &on, License: "E3"}, 0))
	w.want(anna, true, "")
	w.must(w.SetOrganization(Organization{EwsEnabled: &off}, 0))
	w.want(anna, true, hook.OrganizationDisabled)
	w.must(w.SetOrganization(Organization{}, 0))
	for _, l := range []string{"Kiosk", "F1", "F3"} {
		w.must(w.SetMailbox(anna, Mailbox{EwsEnabled: &on, License: l}, 0))
		w.want(anna, true, hook.License)
	}
}

func TestScreamTest_HalfTheMailboxesForATime(t *testing.T) {
	w := newWorld(t)
	w.must(w.Scream(0.5, 20*time.Minute))
	struck := map[string]bool{}
	for i := range 400 {
		m := fmt.Sprintf("user%04d@contoso.example", i)
		struck[m] = w.ask(m, true) == hook.ScreamTest
	}
	n := 0
	for m, was := range struck {
		if was {
			n++
		}
		if again := w.ask(m, true) == hook.ScreamTest; again != was {
			t.Errorf("%s was struck %t, then %t", m, was, again)
		}
	}
	if n < 160 || n > 240 {
		t.Errorf("%d of 400 struck", n)
	}
	on := true
	w.must(w.SetOrganization(Organization{EwsEnabled: &on}, 0))
	for m := range struck {
		w.want(m, true, "") // who has set EwsEnabled is left out
	}
	w.must(w.SetOrganization(Organization{}, 0))
	w.now = w.now.Add(20 * time.Minute)
	for m := range struck {
		w.want(m, true, "")
	}
	if w.View().ScreamTest != nil {
		t.Error("the test is shown when it is over")
	}
}

func TestImpersonation_HealsByItself(t *testing.T) {
	w := newWorld(t)
	c := &hook.Call{Caller: hook.Principal{Address: "SVC@contoso.example"}}
	try := func(want string) {
		t.Helper()
		if code := w.Impersonate(c, anna); code != want {
			t.Errorf("code %q, want %q", code, want)
		}
	}
	const denied = "ErrorImpersonateUserDenied"
	w.must(w.DenyImpersonation(anna, 2, 0))
	try(denied)
	if left := w.View().DeniedImpersonation[anna].Attempts; left != 1 {
		t.Errorf("%d attempts left", left)
	}
	try(denied)
	try("")
	w.must(w.DenyImpersonation(anna, 0, time.Hour))
	try(denied)
	w.now = w.now.Add(time.Hour)
	try("")
	w.must(w.DenyImpersonation(anna, 0, 0))
	try(denied)
	if !w.AllowImpersonation(anna) || w.AllowImpersonation(anna) {
		t.Error("AllowImpersonation does not tell what was")
	}
	try("")
	w.SetImpersonation("svc@contoso.example", Impersonation{Group: "rooms"}, 0)
	try(denied)
	w.SetGroup("rooms", []string{anna}, 0)
	try("")
	w.SetImpersonation("svc@contoso.example", Impersonation{Denied: true}, 0)
	try(denied)
	if n := w.Refusals(); n[hook.ImpersonateUser] != 5 || n[hook.ImpersonateScope] != 1 || c.Refused != hook.ImpersonateUser {
		t.Errorf("counted %v, call %q", n, c.Refused)
	}
}

func TestMatches(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no []string }{
		"*":        {[]string{"", "x"}, nil},
		"abc":      {[]string{"abc"}, []string{"ab", "abcd", ""}},
		"a*":       {[]string{"a", "abc"}, []string{"ba"}},
		"*c":       {[]string{"c", "abc"}, []string{"cb"}},
		"a*b*c":    {[]string{"abc", "a1b2c", "abbc"}, []string{"ac", "acb", "abcd"}},
		"*a/1.*/*": {[]string{"xa/1.2/y"}, []string{"a/1.2"}},
	} {
		for _, s := range c.yes {
			if !matches(pattern, s) {
				t.Errorf("%q does not match %q", pattern, s)
			}
		}
		for _, s := range c.no {
			if matches(pattern, s) {
				t.Errorf("%q matches %q", pattern, s)
			}
		}
	}
}
