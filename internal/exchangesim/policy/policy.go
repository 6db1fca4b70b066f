// Package policy is what administrators decide about access to EWS in the simulated organization: whether there is EWS
// at all, for which apps, user agents and mailboxes, and whom an app or a service user may act as.
//
// Each change can take its time, as it does in Exchange Online (30 minutes to 24 hours): it is read back at once and
// obeyed later. That time is the simulator's wall clock's, which can be made to jump.
//
// What Exchange answers to a refusal is published for few of them. Where nothing is known the answer is an HTTP 403
// without a body, which is what clients report (https://github.com/ecederstrand/exchangelib/issues/1324).
package policy

import (
	"maps"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Options sets a Tenant up.
type Options struct {
	Now  func() time.Time // the simulator's wall clock; time.Now when nil
	Seed uint64           // decides which mailboxes a scream test strikes
}

// Tenant holds the policies. It implements hook.Gatekeeper. Its methods may be called concurrently.
type Tenant struct {
	opts Options

	mu            sync.Mutex
	organization  setting[Organization]
	mailboxes     table[Mailbox]
	groups        table[[]string]
	access        table[*AccessPolicy]
	roles         table[*RoleAssignment]
	impersonation table[Impersonation]
	denials       map[string]*Denial // by mailbox
	scream        *ScreamTest
	next          int // number of the next policy or assignment
	refused       map[hook.Cause]uint64
}

var _ hook.Gatekeeper = (*Tenant)(nil)

// New makes an organization without policies, in which nobody is refused.
func New(opts Options) *Tenant {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	t := &Tenant{opts: opts}
	t.Reset()
	return t
}

// Clear takes every policy away, at once. What was counted stays.
func (t *Tenant) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.organization, t.scream = setting[Organization]{}, nil
	t.mailboxes, t.groups, t.access = table[Mailbox]{}, table[[]string]{}, table[*AccessPolicy]{}
	t.roles, t.impersonation, t.denials = table[*RoleAssignment]{}, table[Impersonation]{}, map[string]*Denial{}
}

// Reset is Clear, and forgets what was counted too.
func (t *Tenant) Reset() {
	t.Clear()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = map[hook.Cause]uint64{}
}

// Refused implements hook.Gatekeeper: it counts.
func (t *Tenant) Refused(c *hook.Call, why hook.Cause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(c, why)
}

// Count counts a refusal outside of a call: that of a sign-in.
func (t *Tenant) Count(why hook.Cause) { t.Refused(&hook.Call{}, why) }

func (t *Tenant) count(c *hook.Call, why hook.Cause) {
	t.refused[why]++
	if c.Refused == "" {
		c.Refused = why
	}
}

// Refusals tells how often each cause struck: once for each call, except that a delegate's lack of rights counts once
// for each item.
func (t *Tenant) Refusals() map[hook.Cause]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.refused)
}

// Error is a change that makes no sense.
type Error struct {
	Field, Problem, Hint string
}

func (e *Error) Error() string { return e.Field + ": " + e.Problem + " (" + e.Hint + ")" }

func lower(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = strings.ToLower(strings.TrimSpace(s))
	}
	return out
}
