package policy

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Admit implements hook.Gatekeeper: it is Exchange's front end.
func (t *Tenant) Admit(c *hook.Call) *hook.Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	why, form := t.judge(c, t.opts.Now())
	if why == "" {
		return nil
	}
	t.count(c, why)
	return answer(why, form)
}

func (t *Tenant) judge(c *hook.Call, now time.Time) (hook.Cause, Form) {
	o := t.organization.get(now)
	if why := o.refuses(c); why != "" {
		return why, Form403
	}
	if why := t.mailboxes.get(c.Mailbox, now).refuses(); why != "" {
		return why, Form403
	}
	if c.Mailbox != "" && t.screams(c.Mailbox, &o, now) {
		return hook.ScreamTest, Form403
	}
	switch {
	case c.Caller.AppID == "":
		return "", ""
	case c.Caller.Address == "":
		return t.app(c, now)
	case !c.Caller.Permitted:
		return hook.DelegatedPermission, Form403
	}
	return "", ""
}

// notEnough is what Exchange says to a token without the permission, and the only tell-tale that a 403 carries
// (https://github.com/ecederstrand/exchangelib/issues/1321).
const notEnough = `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`

func answer(why hook.Cause, form Form) *hook.Answer {
	if form == FormSOAP {
		return &hook.Answer{Response: &hook.ItemFault{Code: "ErrorAccessDenied"}}
	}
	a := &hook.Answer{Status: http.StatusForbidden}
	if why == hook.AppPermission || why == hook.DelegatedPermission {
		a.Header = http.Header{"X-Ms-Diagnostics": {notEnough}}
	}
	return a
}

func sorted[T any](t table[T]) []string { return slices.Sorted(maps.Keys(t)) }
