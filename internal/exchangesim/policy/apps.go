package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// SetGroup sets the members of a group that policies and scopes name. A group without members is as good as none.
func (t *Tenant) SetGroup(name string, members []string, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.groups.set(strings.ToLower(name), lower(members), t.opts.Now(), delay)
}

// member reports whether a mailbox is in a group.
func (t *Tenant) member(group, mailbox string, now time.Time) bool {
	return slices.Contains(t.groups.get(strings.ToLower(group), now), mailbox)
}

// Form is how a refused call is answered.
type Form string

// The forms: an HTTP 403 without a body, or ErrorAccessDenied in the response messages. Clients report the former for
// application access policies (https://github.com/David-Barrett-MS/PowerShell-EWS-Scripts/issues/62); the latter is not
// confirmed for them.
const (
	Form403  Form = "403"
	FormSOAP Form = "soap"
)

func (f *Form) complete() error {
	switch *f {
	case "":
		*f = Form403
	case Form403, FormSOAP:
	default:
		return &Error{"answer", "unknown", "use 403 or soap"}
	}
	return nil
}

// AccessPolicy is what New-ApplicationAccessPolicy makes.
type AccessPolicy struct {
	ID    string      `json:"id"`
	AppID string      `json:"appId"`
	Right AccessRight `json:"accessRight"`
	Group string      `json:"policyScopeGroupId"`
	// Answer is how the simulator answers where this policy is the reason.
	Answer Form `json:"answer"`
}

// AccessRight of an application access policy.
type AccessRight string

// The rights: only the group's members, or all but them.
const (
	RestrictAccess AccessRight = "RestrictAccess"
	DenyAccess     AccessRight = "DenyAccess"
)

// AddAccessPolicy adds a policy and returns it with its id.
func (t *Tenant) AddAccessPolicy(p AccessPolicy, delay time.Duration) (AccessPolicy, error) {
	switch {
	case p.AppID == "":
		return p, &Error{"appId", "no app is named", "give its client id"}
	case p.Right != RestrictAccess && p.Right != DenyAccess:
		return p, &Error{"accessRight", "unknown", "use RestrictAccess or DenyAccess"}
	case p.Group == "":
		return p, &Error{"policyScopeGroupId", "no group is named", "set its members with PUT /admin/policy/groups/NAME"}
	}
	if err := p.Answer.complete(); err != nil {
		return p, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.ID = t.id("policy")
	t.access.set(p.ID, &p, t.opts.Now(), delay)
	return p, nil
}

func (t *Tenant) id(kind string) string {
	t.next++
	return fmt.Sprintf("%s-%d", kind, t.next)
}

// RemoveAccessPolicy takes a policy away and says whether there was one.
func (t *Tenant) RemoveAccessPolicy(id string, delay time.Duration) bool {
	return remove(t, t.access, id, delay)
}

func remove[T any](t *Tenant, from table[*T], id string, delay time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := from[id]
	if s == nil || s.configured == nil {
		return false
	}
	s.set(nil, t.opts.Now(), delay)
	return true
}

// denying finds the policy that denies an app a mailbox, nil when none does: a matching DenyAccess beats everything,
// then a matching RestrictAccess grants, then any RestrictAccess for the app denies
// (https://learn.microsoft.com/powershell/module/exchange/new-applicationaccesspolicy).
func (t *Tenant) denying(app, mailbox string, value func(*setting[*AccessPolicy]) *AccessPolicy, in func(group string) bool) *AccessPolicy {
	var missing *AccessPolicy
	granted := false
	for _, id := range sorted(t.access) {
		p := value(t.access[id])
		if p == nil || !strings.EqualFold(p.AppID, app) {
			continue
		}
		member := in(p.Group)
		switch {
		case p.Right == DenyAccess && member:
			return p
		case p.Right == RestrictAccess && member:
			granted = true
		case p.Right == RestrictAccess && missing == nil:
			missing = p
		}
	}
	if granted {
		return nil
	}
	return missing
}

// TestAccessPolicy is Test-ApplicationAccessPolicy: whether the policies grant an app a mailbox. As the real one it
// looks at what is configured, not at what the servers obey already.
func (t *Tenant) TestAccessPolicy(app, mailbox string) (granted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mailbox = strings.ToLower(mailbox)
	in := func(group string) bool {
		g := t.groups[strings.ToLower(group)]
		return g != nil && slices.Contains(g.configured, mailbox)
	}
	return t.denying(app, mailbox, func(s *setting[*AccessPolicy]) *AccessPolicy { return s.configured }, in) == nil
}

// EwsRole is the one role of RBAC for Applications that gives access to EWS.
const EwsRole = "Application EWS.AccessAsApp"

// RoleAssignment is what New-ManagementRoleAssignment -App makes: RBAC for Applications. It grants in addition to what
// Entra grants, so that an app whose Entra permission is left in place still reaches every mailbox.
type RoleAssignment struct {
	ID     string `json:"id"`
	AppID  string `json:"appId"`
	Role   string `json:"role"`
	Group  string `json:"recipientGroup,omitempty"` // the scope; all mailboxes when empty
	Answer Form   `json:"answer"`                   // outside the scope
}

// AddRoleAssignment adds an assignment and returns it with its id.
func (t *Tenant) AddRoleAssignment(a RoleAssignment, delay time.Duration) (RoleAssignment, error) {
	switch {
	case a.AppID == "":
		return a, &Error{"appId", "no app is named", "give its client id"}
	case a.Role != EwsRole:
		return a, &Error{"role", "no role that gives access to EWS", "use " + EwsRole + "; full_access_as_app has no role of its own"}
	}
	if err := a.Answer.complete(); err != nil {
		return a, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.ID = t.id("assignment")
	t.roles.set(a.ID, &a, t.opts.Now(), delay)
	return a, nil
}

// RemoveRoleAssignment takes an assignment away and says whether there was one.
func (t *Tenant) RemoveRoleAssignment(id string, delay time.Duration) bool {
	return remove(t, t.roles, id, delay)
}

// app decides for an app that acts by itself. Application access policies limit what Entra grants, and role assignments
// grant on their own (https://learn.microsoft.com/exchange/permissions-exo/application-rbac).
func (t *Tenant) app(c *hook.Call, now time.Time) (hook.Cause, Form) {
	mailbox := cmp.Or(c.Acting, c.Mailbox)
	var outside *RoleAssignment
	for _, id := range sorted(t.roles) {
		a := t.roles[id].get(now)
		switch {
		case a == nil || !strings.EqualFold(a.AppID, c.Caller.AppID):
		case mailbox == "" || a.Group == "" || t.member(a.Group, mailbox, now):
			return "", ""
		default:
			outside = a
		}
	}
	switch {
	case c.Caller.Permitted:
		return t.limited(c.Caller.AppID, mailbox, now)
	case outside != nil:
		return hook.RoleScope, outside.Answer
	}
	return hook.AppPermission, Form403
}

func (t *Tenant) limited(app, mailbox string, now time.Time) (hook.Cause, Form) {
	if mailbox == "" {
		return "", ""
	}
	p := t.denying(app, mailbox, func(s *setting[*AccessPolicy]) *AccessPolicy { return s.get(now) },
		func(group string) bool { return t.member(group, mailbox, now) })
	if p == nil {
		return "", ""
	}
	return hook.AppAccessPolicy, p.Answer
}
