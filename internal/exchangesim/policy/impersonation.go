package policy

import (
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Impersonation limits an app or a service user that may impersonate.
type Impersonation struct {
	Denied bool   `json:"denied,omitempty"`         // it may impersonate nobody
	Group  string `json:"recipientGroup,omitempty"` // the management scope of its ApplicationImpersonation; all when empty
}

// SetImpersonation sets the limits of an app, by its client id, or of a service user, by its address.
func (t *Tenant) SetImpersonation(principal string, i Impersonation, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.impersonation.set(strings.ToLower(principal), i, t.opts.Now(), delay)
}

// Denial refuses everybody's impersonation of one mailbox. In real life it can be spurious and heal by itself within
// the hour (https://github.com/OfficeDev/ews-managed-api/issues/223): so can this one.
type Denial struct {
	Attempts int        `json:"attempts,omitempty"` // refused calls that are left; 0: no limit
	Until    *time.Time `json:"until,omitempty"`    // by the simulator's clock; nil: no end
}

// DenyImpersonation begins one: for so many refused calls, or so long, or until AllowImpersonation when both are 0.
func (t *Tenant) DenyImpersonation(mailbox string, attempts int, length time.Duration) error {
	if attempts < 0 || length < 0 {
		return &Error{"attempts", "less than nothing", "give a number of refused calls, or a span of time"}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &Denial{Attempts: attempts}
	if length > 0 {
		until := t.opts.Now().Add(length).UTC()
		d.Until = &until
	}
	t.denials[strings.ToLower(mailbox)] = d
	return nil
}

// AllowImpersonation ends a denial and says whether there was one.
func (t *Tenant) AllowImpersonation(mailbox string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, was := t.denials[strings.ToLower(mailbox)]
	delete(t.denials, strings.ToLower(mailbox))
	return was
}

// Impersonate implements hook.Gatekeeper: it is Exchange's back end.
func (t *Tenant) Impersonate(c *hook.Call, mailbox string) (code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opts.Now()
	principal := c.Caller.AppID
	if c.Caller.Address != "" {
		principal = c.Caller.Address
	}
	limits := t.impersonation.get(strings.ToLower(principal), now)
	why, code := hook.ImpersonateUser, "ErrorImpersonateUserDenied"
	switch {
	case limits.Denied && c.Caller.Address == "":
		why, code = hook.Impersonation, "ErrorImpersonationDenied"
	case limits.Denied:
	case limits.Group != "" && !t.member(limits.Group, mailbox, now):
		why = hook.ImpersonateScope
	case !t.denies(mailbox, now):
		return ""
	}
	t.count(c, why)
	return code
}

// denies reports whether a denial strikes, and counts it down.
func (t *Tenant) denies(mailbox string, now time.Time) bool {
	d := t.denials[mailbox]
	if d == nil {
		return false
	}
	if d.Until != nil && !now.Before(*d.Until) {
		delete(t.denials, mailbox)
		return false
	}
	if d.Attempts > 0 {
		if d.Attempts--; d.Attempts == 0 {
			delete(t.denials, mailbox) // this one was the last
		}
	}
	return true
}
