package admin

import (
	"net/http"
	"time"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/store"
)

// delayed is the part of a request that says when the servers begin to obey a change.
type delayed struct {
	Delay faults.Duration `json:"delay"`
}

func (d delayed) check() error {
	if d.Delay < 0 {
		return invalid("delay", "less than nothing", `write a span such as "2h", or leave it out`)
	}
	return nil
}

// delayOf is the same for a request without a body.
func delayOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("delay")
	if text == "" {
		return 0, nil
	}
	var d delayed
	if err := d.Delay.UnmarshalText([]byte(text)); err != nil {
		return 0, invalid("delay", err.Error(), `write a span such as "2h", or leave it out`)
	}
	return d.Delay.Std(), d.check()
}

func (a *api) getPolicy(*http.Request) (any, error) { return a.Policy.View(), nil }

func (a *api) clearPolicy(*http.Request) (any, error) {
	a.Policy.Clear()
	return nil, nil
}

func (a *api) setOrganization(r *http.Request) (any, error) {
	var in struct {
		policy.Organization
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := a.Policy.SetOrganization(in.Organization, in.Delay.Std()); err != nil {
		return nil, err
	}
	return a.Policy.View().Organization, nil
}

func (a *api) setGroup(r *http.Request) (any, error) {
	var in struct {
		Members []string `json:"members"`
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	for _, m := range in.Members {
		if a.Company.Mailbox(m) == nil {
			return nil, invalid("members", "no mailbox "+m, "GET /admin/mailboxes lists them")
		}
	}
	a.Policy.SetGroup(r.PathValue("group"), in.Members, in.Delay.Std())
	return nil, nil
}

func (a *api) addAccessPolicy(r *http.Request) (any, error) {
	var in struct {
		policy.AccessPolicy
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := a.Policy.AddAccessPolicy(in.AccessPolicy, in.Delay.Std())
	if err != nil {
		return nil, err
	}
	return created{p}, nil
}

func (a *api) removeAccessPolicy(r *http.Request) (any, error) {
	delay, err := delayOf(r)
	if err == nil && !a.Policy.RemoveAccessPolicy(r.PathValue("id"), delay) {
		err = missing("application access policy", r.PathValue("id"), "GET /admin/policy shows them")
	}
	return nil, err
}

// testAccessPolicy is Test-ApplicationAccessPolicy.
func (a *api) testAccessPolicy(r *http.Request) (any, error) {
	app, mailbox := r.URL.Query().Get("appId"), r.URL.Query().Get("mailbox")
	if app == "" || a.Company.Mailbox(mailbox) == nil {
		return nil, invalid("mailbox", "app or mailbox is unknown", "ask for ?appId=sim-app&mailbox=ADDRESS")
	}
	out := struct {
		AppID   string `json:"appId"`
		Mailbox string `json:"mailbox"`
		Result  string `json:"accessCheckResult"`
	}{app, mailbox, "Denied"}
	if a.Policy.TestAccessPolicy(app, mailbox) {
		out.Result = "Granted"
	}
	return out, nil
}

func (a *api) addRoleAssignment(r *http.Request) (any, error) {
	var in struct {
		policy.RoleAssignment
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	assignment, err := a.Policy.AddRoleAssignment(in.RoleAssignment, in.Delay.Std())
	if err != nil {
		return nil, err
	}
	return created{assignment}, nil
}

func (a *api) removeRoleAssignment(r *http.Request) (any, error) {
	delay, err := delayOf(r)
	if err == nil && !a.Policy.RemoveRoleAssignment(r.PathValue("id"), delay) {
		err = missing("role assignment", r.PathValue("id"), "GET /admin/policy shows them")
	}
	return nil, err
}

func (a *api) setImpersonation(r *http.Request) (any, error) {
	var in struct {
		policy.Impersonation
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	a.Policy.SetImpersonation(r.PathValue("principal"), in.Impersonation, in.Delay.Std())
	return nil, nil
}

func (a *api) setScreamTest(r *http.Request) (any, error) {
	var in struct {
		Share float64         `json:"share"`
		For   faults.Duration `json:"for"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.Policy.Scream(in.Share, in.For.Std())
}

func (a *api) setMailboxEWS(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		policy.Mailbox
		delayed
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return nil, a.Policy.SetMailbox(m.Address, in.Mailbox, in.Delay.Std())
}

func (a *api) denyImpersonation(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Denied   bool            `json:"denied"`
		Attempts int             `json:"attempts"`
		For      faults.Duration `json:"for"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Denied {
		return nil, a.Policy.DenyImpersonation(m.Address, in.Attempts, in.For.Std())
	}
	a.Policy.AllowImpersonation(m.Address)
	return nil, nil
}

type permissions struct {
	Permissions []store.Permission `json:"permissions"`
}

func (a *api) listPermissions(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	return permissions{m.Permissions()}, nil
}

// setPermissions is Add-, Set- and Remove-MailboxFolderPermission for one user and some folders.
func (a *api) setPermissions(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Folders map[string]string `json:"folders"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	user := r.PathValue("user")
	if _, ok := a.Users.User(user); !ok {
		return nil, missing("account", user, "give the address of a mailbox or of the service user")
	}
	levels := map[string]store.Access{}
	for folder, name := range in.Folders {
		level, ok := store.ParseAccess(name)
		if !ok {
			return nil, invalid("folders."+folder, "no access right "+name, "use None, AvailabilityOnly, LimitedDetails, Reviewer, Editor or Owner")
		}
		levels[folder] = level
	}
	for folder, level := range levels {
		if err := m.Grant(user, folder, level); err != nil {
			return nil, invalid("folders."+folder, "there is no such folder", "name it calendar, deleteditems, drafts …")
		}
	}
	return permissions{m.Permissions()}, nil
}
