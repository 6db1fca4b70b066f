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

// notEnough is what Exchange says to a token without the permission
// (https://github.com/ecederstrand/exchangelib/issues/1321).
const notEnough = `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`

func answer(why hook.Cause, form Form) *hook.Answer {
	if form == FormSOAP {
		return &hook.Answer{Response: &hook.ItemFault{Code: "ErrorAccessDenied"}}
	}
	a := &hook.Answer{Status: http.StatusForbidden}
	switch why {
	case hook.AppPermission, hook.DelegatedPermission:
		a.Header = http.Header{"X-Ms-Diagnostics": {notEnough}}
	case hook.OrganizationDisabled, hook.MailboxDisabled:
		a.Header = http.Header{policyReason: {disabled}}
	case hook.AppNotAllowed, hook.UserAgent:
		a.Header = http.Header{policyReason: {blocked}}
	}
	return a
}

// The header by which Exchange Online tells its own switches from everything else that answers 403, and its texts.
// https://learn.microsoft.com/exchange/client-developer/exchange-web-services/how-to-control-access-to-ews-in-exchange
const (
	policyReason = "X-Ews-Policy-Reason"
	disabled     = "EWS is disabled for this user or tenant"
	blocked      = "EWS is blocked by policy for this user or tenant"
)

func sorted[T any](t table[T]) []string { return slices.Sorted(maps.Keys(t)) }
