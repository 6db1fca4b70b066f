package accesscheck

import (
	"slices"
	"strings"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
	"roomsync/internal/plain"
)

func fact(f *calsync.Fault, delegate bool) jobs.Fact {
	return jobs.Fact{
		Operation: f.Operation, Kind: string(f.Kind), Code: f.Code, Inner: f.Inner, Status: f.Status,
		BackOff: f.BackOff, Diagnostics: f.Diagnostics, Policy: f.Policy, Claims: f.Claims != "", Delegate: delegate,
	}
}

func evidence(f *calsync.Fault) *events.Evidence {
	return &events.Evidence{
		Operation: f.Operation, Status: f.Status, Code: f.Code, Diagnostics: f.Diagnostics,
		RequestID: f.RequestID, ServerRequestID: f.ServerRequestID, At: time.Now().UTC(),
	}
}

// granted keeps that a mailbox may be read, which is a finding where it must not be.
func (c *check) granted(a answer) {
	r := c.results[a.place]
	r.Access, r.Finding = Granted, r.Canary
	r.Read, r.Write = a.rights.Read, a.rights.Create
	if r.Canary {
		r.Hint = tooMuch(c.Identity)
	}
	c.settle(a.place, r)
}

// denied keeps a refusal. A canary must be refused, but one that is not there proves nothing.
func (c *check) denied(i int, f *calsync.Fault, v jobs.Verdict) {
	r := c.results[i]
	r.Access = Denied
	if v.Class == jobs.Blocked {
		r.Access = Blocked
	}
	r.Finding = !r.Canary || r.Access == Blocked
	r.Scope, r.Reason, r.Code, r.Evidence = string(v.Scope), v.Reason, v.Code, evidence(f)
	if r.Finding {
		r.Hint = jobs.Advice(v.Reason, c.Identity, r.Address)
	}
	if r.Canary && r.Finding {
		r.Hint = "it proves nothing about what we may do: name a mailbox that exists and is out of bounds. " + r.Hint
	}
	c.settle(i, r)
}

// failed keeps that nothing could be found out.
func (c *check) failed(i int, as Access, f *calsync.Fault, v jobs.Verdict) {
	r := c.results[i]
	r.Access, r.Finding, r.Code, r.Evidence = as, true, v.Code, evidence(f)
	r.Reason, r.Hint = v.Reason, c.advice(i, f, v)
	c.settle(i, r)
}

// advice is what to do about a mailbox; of a sign-in that fails by itself, what that says.
func (c *check) advice(i int, f *calsync.Fault, v jobs.Verdict) string {
	if f.Kind == calsync.FaultToken && f.Err != nil {
		return plain.Text(f.Err.Error())
	}
	return Advice(f, v, c.Identity, c.results[i].Address, c.boxes[i].URL != "")
}

// everyone stands for every mailbox, in place of one's number.
const everyone = -1

// stop notes, once for a server and once for the sign-in, why further mailboxes are not asked for: those on the server of
// mailbox i, or all of them.
func (c *check) stop(i int, problem string, f *calsync.Fault, v jobs.Verdict) {
	server, own := "", false
	if i != everyone {
		server, own = c.server(i), c.boxes[i].URL != ""
	}
	if slices.ContainsFunc(c.stops, func(s Stop) bool { return s.Server == server }) {
		return
	}
	s := Stop{Server: server, Problem: problem, Reason: v.Reason, Code: v.Code, Evidence: evidence(f)}
	if f.Err != nil { // never holds what the server wrote
		s.Problem += ": " + plain.Text(f.Err.Error())
	}
	if f.Kind != calsync.FaultToken { // which brings a hint of its own
		s.Hint = Advice(f, v, c.Identity, "", own)
	}
	c.stops = append(c.stops, s)
}

// tooMuch is what to do when we may read what we must not.
func tooMuch(id jobs.Identity) string {
	text := "we may read a mailbox that is out of bounds: take the role's scope or the rights back. As a service user that impersonates: " +
		"Get-ManagementRoleAssignment -Role ApplicationImpersonation -GetEffectiveUsers; Set-ManagementRoleAssignment … -CustomRecipientWriteScope <scope>"
	switch {
	case id.Delegate:
		text = "we may read a calendar that is out of bounds: Get-MailboxFolderPermission and Remove-MailboxFolderPermission, also for Default and Anonymous"
	case id.SignIn == jobs.SignInApp:
		text = "the app may read a mailbox that is out of bounds, and so perhaps every mailbox: New-ManagementScope, New-ManagementRoleAssignment -App APPID " +
			"-Role \"Application EWS.AccessAsApp\" -CustomResourceScope <scope>, and remove the permission full_access_as_app in Entra, since what is granted adds up; " +
			"or New-ApplicationAccessPolicy -AppId APPID -PolicyScopeGroupId <group> -AccessRight RestrictAccess. Changes act after 1 to 24 hours"
	}
	app := id.App
	if app == "" {
		app = "<app id>"
	}
	return strings.ReplaceAll(text, "APPID", app)
}
