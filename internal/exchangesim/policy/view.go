package policy

// View is everything that is set, as administrators read it back.
type View struct {
	Organization        Setting[Organization]               `json:"organization"`
	Mailboxes           map[string]Setting[Mailbox]         `json:"mailboxes"`
	Groups              map[string]Setting[[]string]        `json:"groups"`
	AccessPolicies      map[string]Setting[*AccessPolicy]   `json:"applicationAccessPolicies"` // null: removed
	RoleAssignments     map[string]Setting[*RoleAssignment] `json:"roleAssignments"`
	Impersonation       map[string]Setting[Impersonation]   `json:"impersonation"`
	DeniedImpersonation map[string]Denial                   `json:"deniedImpersonation"`
	ScreamTest          *ScreamTest                         `json:"screamTest"`
}

// View returns what is set.
func (t *Tenant) View() View {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opts.Now()
	v := View{
		Organization: t.organization.show(now), DeniedImpersonation: map[string]Denial{},
		Mailboxes: map[string]Setting[Mailbox]{}, Groups: map[string]Setting[[]string]{},
		AccessPolicies: map[string]Setting[*AccessPolicy]{}, RoleAssignments: map[string]Setting[*RoleAssignment]{},
		Impersonation: map[string]Setting[Impersonation]{},
	}
	for name, s := range t.mailboxes {
		v.Mailboxes[name] = s.show(now)
	}
	for name, s := range t.groups {
		v.Groups[name] = s.show(now)
	}
	for name, s := range t.impersonation {
		v.Impersonation[name] = s.show(now)
	}
	for name, s := range t.access {
		if shown := s.show(now); shown.Value != nil || shown.EffectiveAt != nil {
			v.AccessPolicies[name] = shown
		}
	}
	for name, s := range t.roles {
		if shown := s.show(now); shown.Value != nil || shown.EffectiveAt != nil {
			v.RoleAssignments[name] = shown
		}
	}
	for name, d := range t.denials {
		if d.Until == nil || now.Before(*d.Until) {
			v.DeniedImpersonation[name] = *d
		}
	}
	if t.scream != nil && now.Before(t.scream.Until) {
		scream := *t.scream
		v.ScreamTest = &scream
	}
	return v
}
