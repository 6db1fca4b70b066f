package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Organization is what Set-OrganizationConfig sets for EWS.
type Organization struct {
	// EwsEnabled is null until Microsoft's roll-out reaches the tenant. False blocks all of EWS; true admits the apps
	// of EwsAllowedAppIDs, and everybody while that list is empty.
	EwsEnabled       *bool    `json:"ewsEnabled"`
	EwsAllowedAppIDs []string `json:"ewsAllowedAppIds,omitempty"`
	// EwsApplicationAccessPolicy makes one of the older lists of user agents count; neither does while it is empty.
	EwsApplicationAccessPolicy AgentPolicy `json:"ewsApplicationAccessPolicy,omitempty"`
	EwsAllowList               []string    `json:"ewsAllowList,omitempty"` // user agents; * stands for any text
	EwsBlockList               []string    `json:"ewsBlockList,omitempty"`
}

// AgentPolicy says which list of user agents is obeyed.
type AgentPolicy string

// Values of EwsApplicationAccessPolicy.
const (
	EnforceAllowList AgentPolicy = "EnforceAllowList"
	EnforceBlockList AgentPolicy = "EnforceBlockList"
)

// SetOrganization replaces what the organization says about EWS.
func (t *Tenant) SetOrganization(o Organization, delay time.Duration) error {
	switch o.EwsApplicationAccessPolicy {
	case "", EnforceAllowList, EnforceBlockList:
	default:
		return &Error{"ewsApplicationAccessPolicy", "unknown", "use EnforceAllowList or EnforceBlockList, or leave it out"}
	}
	o.EwsAllowedAppIDs = lower(o.EwsAllowedAppIDs)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.organization.set(o, t.opts.Now(), delay)
	return nil
}

func (o *Organization) refuses(c *hook.Call) hook.Cause {
	switch {
	case o.EwsEnabled != nil && !*o.EwsEnabled:
		return hook.OrganizationDisabled
	case o.EwsEnabled != nil && len(o.EwsAllowedAppIDs) > 0 && !slices.Contains(o.EwsAllowedAppIDs, strings.ToLower(c.Caller.AppID)):
		return hook.AppNotAllowed
	case o.EwsApplicationAccessPolicy == EnforceAllowList && !listed(o.EwsAllowList, c.UserAgent),
		o.EwsApplicationAccessPolicy == EnforceBlockList && listed(o.EwsBlockList, c.UserAgent):
		return hook.UserAgent
	}
	return ""
}

func listed(patterns []string, agent string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(strings.ToLower(p), strings.ToLower(agent)) })
}

// matches compares with a pattern in which * stands for any text.
func matches(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	for ok && strings.Contains(rest, "*") {
		var part string
		part, rest, _ = strings.Cut(rest, "*")
		_, text, ok = strings.Cut(text, part)
	}
	return ok && strings.HasSuffix(text, rest)
}

// Mailbox is what Set-CASMailbox and the licence say about EWS for one mailbox. Since April 2025 the organization's
// EwsEnabled and the mailbox's must both be true or null.
type Mailbox struct {
	EwsEnabled *bool  `json:"ewsEnabled,omitempty"`
	License    string `json:"license,omitempty"` // Kiosk, F1 and F3 come without EWS since June 2026 (MC1191578)
}

// licenses says of each licence whether EWS comes with it.
var licenses = map[string]bool{"": true, "Plan1": true, "Plan2": true, "E3": true, "E5": true, "Kiosk": false, "F1": false, "F3": false}

// SetMailbox replaces what is set for one mailbox.
func (t *Tenant) SetMailbox(address string, m Mailbox, delay time.Duration) error {
	if _, ok := licenses[m.License]; !ok {
		return &Error{"license", "unknown", "use Plan1, Plan2, E3, E5, Kiosk, F1 or F3; the last three come without EWS"}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mailboxes.set(strings.ToLower(address), m, t.opts.Now(), delay)
	return nil
}

func (m Mailbox) refuses() hook.Cause {
	switch {
	case m.EwsEnabled != nil && !*m.EwsEnabled:
		return hook.MailboxDisabled
	case !licenses[m.License]:
		return hook.License
	}
	return ""
}

// ScreamTest is one of Microsoft's short switch-offs before the end of EWS: part of the mailboxes answers 403 for a
// time. Organizations that have set EwsEnabled to true are left out of it.
type ScreamTest struct {
	Share float64   `json:"share"` // of the mailboxes
	Until time.Time `json:"until"` // by the simulator's clock
}

// Scream begins a scream test; with a share of 0 it ends one.
func (t *Tenant) Scream(share float64, length time.Duration) error {
	if share < 0 || share > 1 {
		return &Error{"share", "not a share", "use 0 to 1; 0.5 is half of the mailboxes"}
	}
	if share > 0 && length <= 0 {
		return &Error{"for", "no time is given", `write a span such as "20m"`}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scream = nil
	if share > 0 {
		t.scream = &ScreamTest{Share: share, Until: t.opts.Now().Add(length).UTC()}
	}
	return nil
}

// screams reports whether the scream test strikes the mailbox. The choice depends on seed and address only.
func (t *Tenant) screams(mailbox string, o *Organization, now time.Time) bool {
	if t.scream == nil || !now.Before(t.scream.Until) || o.EwsEnabled != nil && *o.EwsEnabled {
		return false
	}
	h := uint64(14695981039346656037) // FNV-1a, as a seed: by itself its upper bits are poor
	for i := range len(mailbox) {
		h = (h ^ uint64(mailbox[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(t.opts.Seed+1, h)).Float64() < t.scream.Share
}
