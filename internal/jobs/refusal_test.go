package jobs

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"roomsync/events"
)

// TestJudge_Refusals: each form in which access is refused has its class, its scope and its reason.
func TestJudge_Refusals(t *testing.T) {
	const get, list = "GetItem", "SyncFolderItems"
	cases := []struct {
		f    Fact
		want Verdict
	}{
		{Fact{Kind: "http", Status: 403}, Verdict{Denied, ScopeMailbox, "HTTP 403", events.RefusedForbidden}},
		{Fact{Kind: "http", Status: 403, Policy: "disabled"}, Verdict{Denied, ScopeMailbox, "HTTP 403", events.RefusedEWSDisabled}},
		{Fact{Kind: "http", Status: 403, Policy: "blocked"}, Verdict{Denied, ScopeMailbox, "HTTP 403", events.RefusedEWSPolicy}},
		{Fact{Kind: "http", Status: 403, Diagnostics: "2000008"}, Verdict{Denied, ScopeApp, "HTTP 403", events.RefusedPermission}},
		{Fact{Kind: "http", Status: 401, Diagnostics: "2000008"}, Verdict{Denied, ScopeApp, "HTTP 401", events.RefusedPermission}},
		{Fact{Kind: "http", Status: 401, Diagnostics: "2000005"}, Verdict{Blocked, ScopeMailbox, "HTTP 401", events.RefusedMissing}},
		{Fact{Kind: "http", Status: 401, Diagnostics: "2000007"}, Verdict{Transient, ScopeServer, "HTTP 401", ""}},
		{Fact{Kind: "http", Status: 401, Diagnostics: "2000003"}, Verdict{Credentials, ScopeCredential, "HTTP 401", events.RefusedToken}},
		{Fact{Kind: "http", Status: 401, Diagnostics: "4000000"}, Verdict{Credentials, ScopeCredential, "HTTP 401", events.RefusedToken}},
		{Fact{Kind: "http", Status: 401, Claims: true}, Verdict{Credentials, ScopeCredential, "HTTP 401", events.RefusedToken}},
		{Fact{Kind: "http", Status: 401}, Verdict{Throttled, ScopeCredential, "HTTP 401", ""}},
		{Fact{Kind: "http", Status: 456}, Verdict{Credentials, ScopeCredential, "HTTP 456", events.RefusedUserLocked}},
		{Fact{Kind: "host"}, Verdict{Blocked, ScopeMailbox, "url-not-allowed", events.RefusedURL}},
		{Fact{Kind: "token", Code: "invalid_grant", Status: 400, Reason: "user-locked"}, Verdict{Credentials, ScopeCredential, "invalid_grant", events.RefusedUserLocked}},
		{Fact{Kind: "html", Status: 200}, Verdict{Credentials, ScopeCredential, "html", events.RefusedSignInPage}},
		{Fact{Kind: "soap", Status: 500, Code: "ErrorImpersonateUserDenied"}, Verdict{Denied, ScopeMailbox, "ErrorImpersonateUserDenied", events.RefusedImpersonation}},
		{Fact{Kind: "soap", Status: 500, Code: "ErrorImpersonationDenied"}, Verdict{Denied, ScopeApp, "ErrorImpersonationDenied", events.RefusedImpersonating}},
		{Fact{Kind: "response", Status: 200, Code: "ErrorAccessDenied"}, Verdict{Denied, ScopeMailbox, "ErrorAccessDenied", events.RefusedAccess}},
		{Fact{Kind: "soap", Status: 500, Code: "ErrorPasswordExpired"}, Verdict{Credentials, ScopeCredential, "ErrorPasswordExpired", events.RefusedPasswordExpired}},
		{Fact{Kind: "soap", Status: 500, Code: "ErrorNonExistentMailbox"}, Verdict{Blocked, ScopeMailbox, "ErrorNonExistentMailbox", events.RefusedMissing}},
		{Fact{Kind: "soap", Status: 500, Code: "ErrorOrganizationAccessBlocked"}, Verdict{Blocked, ScopeTenant, "ErrorOrganizationAccessBlocked", events.RefusedOrganization}},
		// As a delegate, "not found" of a folder says that rights are missing; of an item it says nothing.
		{Fact{Operation: list, Status: 200, Code: "ErrorSyncFolderNotFound", Delegate: true}, Verdict{Denied, ScopeMailbox, "ErrorSyncFolderNotFound", events.RefusedFolderRights}},
		{Fact{Operation: list, Status: 200, Code: "ErrorSyncFolderNotFound"}, Verdict{Resync, ScopeMailbox, "ErrorSyncFolderNotFound", ""}},
		{Fact{Operation: "GetFolder", Status: 200, Code: "ErrorFolderNotFound", Delegate: true}, Verdict{Denied, ScopeMailbox, "ErrorFolderNotFound", events.RefusedFolderRights}},
		{Fact{Operation: "GetFolder", Status: 200, Code: "ErrorFolderNotFound"}, Verdict{Blocked, ScopeMailbox, "ErrorFolderNotFound", events.RefusedFolder}},
		{Fact{Operation: "FindItem", Status: 200, Code: "ErrorItemNotFound", Delegate: true}, Verdict{Denied, ScopeMailbox, "ErrorItemNotFound", events.RefusedFolderRights}},
		{Fact{Operation: get, Status: 200, Code: "ErrorItemNotFound", Delegate: true}, Verdict{ItemConflict, ScopeItem, "ErrorItemNotFound", ""}},
		{Fact{Operation: list, Status: 200, Code: "ErrorAccessDenied", Delegate: true}, Verdict{Denied, ScopeMailbox, "ErrorAccessDenied", events.RefusedFolderRights}},
		{Fact{Operation: "GetFolder", Status: 200, Kind: "rights", Delegate: true}, Verdict{Denied, ScopeMailbox, "rights", events.RefusedFolderRights}},
		{Fact{Operation: list, Status: 500, Code: "ErrorNonExistentMailbox", Delegate: true}, Verdict{Blocked, ScopeMailbox, "ErrorNonExistentMailbox", events.RefusedMissing}},
	}
	for _, c := range cases {
		if got := Judge(c.f); got != c.want {
			t.Errorf("%+v:\ngot  %+v\nwant %+v", c.f, got, c.want)
		}
	}
}

// TestAfter: what passes for something passing, and stays, is judged anew.
func TestAfter(t *testing.T) {
	slow := Judge(Fact{Kind: "http", Status: 401})
	if got := slow.After(20, 4*time.Minute); got.Class != Throttled {
		t.Errorf("after four minutes of 401: %+v", got)
	}
	if got := slow.After(2, 5*time.Minute); got.Class != Credentials || got.Scope != ScopeCredential || got.Reason != events.RefusedSignIn {
		t.Errorf("after five minutes of 401: %+v", got)
	}
	failed := Judge(Fact{Kind: "soap", Status: 500, Code: "ErrorImpersonationFailed"})
	if got := failed.After(2, time.Hour); got.Class != Transient {
		t.Errorf("the third in a row: %+v", got)
	}
	if got := failed.After(3, time.Second); got.Class != Credentials || got.Reason != events.RefusedImpersonator {
		t.Errorf("the fourth in a row: %+v", got)
	}
	gone := Judge(Fact{Operation: "SyncFolderItems", Status: 200, Code: "ErrorSyncFolderNotFound"})
	if got := gone.After(1, 0); got.Class != Blocked || got.Reason != events.RefusedFolder {
		t.Errorf("the folder is not found without a cursor either: %+v", got)
	}
	busy := Judge(Fact{Kind: "http", Status: 503})
	if got := busy.After(100, 24*time.Hour); got != busy {
		t.Errorf("busy for a day became %+v", got)
	}
}

// TestWait_RefusedSignInsGrowRarer: each try may lock the account, unlike waiting for a token, which asks nobody.
func TestWait_RefusedSignInsGrowRarer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := Fact{Kind: "http", Status: 456}
	if d := Wait(Judge(f), f, 6, rnd); d < 15*time.Minute {
		t.Errorf("the sixth refused sign-in in a row is followed by the next after %v", d)
	}
}

func TestWait_MovedMailboxIsLeftAlone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := Fact{Status: 200, Code: "ErrorMailboxMoveInProgress"}
	if d := Wait(Judge(f), f, 1, rnd); d < 5*time.Minute {
		t.Errorf("asked again after %v", d)
	}
}

// TestVerdicts_RefusalsHaveReasons: whatever is told to an administrator says why.
func TestVerdicts_RefusalsHaveReasons(t *testing.T) {
	for code, v := range verdicts {
		told := v.Class == Denied || v.Class == Blocked || v.Class == Credentials
		if told != (v.Reason != "") {
			t.Errorf("%s: %+v", code, v)
		}
	}
}

// TestAdvice: every reason has advice for every kind of sign-in, with nothing left to fill in.
func TestAdvice(t *testing.T) {
	ids := []Identity{
		{SignIn: SignInApp, App: "11111111-2222"}, {SignIn: SignInUser, User: "svc@contoso.example"}, {SignIn: SignInOnPremises, User: "CONTOSO\\svc"},
		{SignIn: SignInUser, User: "svc@contoso.example", Delegate: true}, {SignIn: SignInOnPremises, Delegate: true}, {},
	}
	for reason := range advice {
		for _, id := range ids {
			text := Advice(reason, id, "room1@contoso.example")
			for _, left := range []string{"ADDRESS", "APPID", "SERVICEUSER"} {
				if strings.Contains(text, left) {
					t.Errorf("%s for %+v: %s", reason, id, text)
				}
			}
			if text == "" {
				t.Errorf("%s for %+v: nothing", reason, id)
			}
		}
	}
	for want, got := range map[string]string{
		"Test-ApplicationAccessPolicy -Identity room1@contoso.example -AppId 11111111-2222": Advice(events.RefusedForbidden, ids[0], "room1@contoso.example"),
		"Add-MailboxFolderPermission -Identity room1@contoso.example:\\Calendar -User svc@": Advice(events.RefusedFolderRights, ids[3], "room1@contoso.example"),
		"New-ManagementRoleAssignment -Role ApplicationImpersonation -User CONTOSO\\svc":    Advice(events.RefusedImpersonation, ids[2], "room1@contoso.example"),
		"Exchange refuses access": Advice("a reason of tomorrow", ids[0], "room1@contoso.example"),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

// TestAdvice_IsThereForEveryVerdict: no reason of the table is without advice of its own.
func TestAdvice_IsThereForEveryVerdict(t *testing.T) {
	for code, v := range verdicts {
		if v.Reason != "" && advice[v.Reason] == nil {
			t.Errorf("%s: no advice for %s", code, v.Reason)
		}
	}
}
