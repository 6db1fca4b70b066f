package integration

import (
	"fmt"
	"strings"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim/faults"
)

// tokenFaults plays all faults of the token endpoint over workers that sign in anew.
func (a *aviary) tokenFaults() {
	a.t.Helper()
	for n := 1; n <= 25; n++ {
		r := faults.Rule{Fault: fmt.Sprintf("T%d", n)}
		if n == 24 { // nonsense of nine kinds, of which one is a minute of silence
			r.Then = make([]faults.Then, 9)
			r.Then[2].Delay = faults.Duration(100 * time.Millisecond)
		}
		a.tokenFault(r)
	}
	a.tokenFault(faults.Rule{Fault: "H17", Operation: "token"})
	a.refreshed(inForce)
	for _, f := range faults.Catalog() {
		if n := a.sim.Faults().Counters().Faults[f.ID]; f.ID[0] == 'T' && n == 0 {
			a.t.Errorf("fault %s (%s) has never struck", f.ID, f.Title)
		}
	}
}

// tokenFault lets everybody sign in anew until each form of the fault has struck.
func (a *aviary) tokenFault(r faults.Rule) {
	a.t.Helper()
	r, err := a.sim.Faults().Add(r)
	must(a.t, err)
	defer a.sim.Faults().Remove(r.ID)
	for range 20 {
		a.refreshed("gets no token", inForce)
		for _, now := range a.sim.Faults().Rules() {
			if now.ID == r.ID && int(now.Fired) >= len(now.Then) {
				return
			}
		}
	}
	a.t.Errorf("fault %s does not strike in all its forms", r.Fault)
}

const inForce = "the changed sign-in is in force"

// refreshed tells the workers to sign in anew, and waits until each has told of one of the outcomes. What the fleet shares
// is forgotten before, so that each does ask.
func (a *aviary) refreshed(outcomes ...string) {
	a.t.Helper()
	s, err := a.js.Stream(a.t.Context(), "KV_"+events.BucketTokens)
	must(a.t, err)
	must(a.t, s.Purge(a.t.Context()))
	count := func(kind string) (n int) {
		log := a.workers[kind].log.String()
		for _, o := range outcomes {
			n += strings.Count(log, o)
		}
		return n
	}
	before := map[string]int{}
	for _, kind := range aviaryKinds[:askEntra] {
		before[kind] = count(kind)
		a.workers[kind].hangup(a.t)
	}
	eventually(a.t, slowly, func() error {
		for _, kind := range aviaryKinds[:askEntra] {
			if count(kind) == before[kind] {
				log := a.workers[kind].log.String()
				return fmt.Errorf("%s says none of %q:\n%s", kind, outcomes, log[max(0, len(log)-4000):])
			}
		}
		return nil
	})
}

// serverFaults plays those of Exchange that concern the sign-in, and two that end in dead letters, over one mailbox each.
func (a *aviary) serverFaults() {
	a.t.Helper()
	for i, r := range []faults.Rule{
		{Fault: "H17"}, {Fault: "H19"}, {Fault: "H20"}, {Fault: "H21"},
		{Fault: "H26", Then: []faults.Then{{Status: 415}}}, {Fault: "E14"},
	} {
		r.Mailbox = fmt.Sprintf("user%04d@contoso.example", i+3)
		_, err := a.sim.Faults().Add(r)
		must(a.t, err)
		a.appoint(a.sim.Company().Mailbox(r.Mailbox)) // of which E14 makes a corrupt item
	}
	eventually(a.t, slowly, func() error {
		for _, r := range a.sim.Faults().Rules() {
			if r.Fired == 0 {
				return fmt.Errorf("%s has not struck %s", r.Fault, r.Mailbox)
			}
		}
		return a.deadLetters(2)
	})
	a.sim.Faults().Clear()
}

// deadLetters says whether there are so many.
func (a *aviary) deadLetters(n uint64) error {
	s, err := a.js.Stream(a.t.Context(), events.StreamDead)
	must(a.t, err)
	if got := s.CachedInfo().State.Msgs; got < n {
		return fmt.Errorf("%d dead letters, want %d", got, n)
	}
	return nil
}

// refusals are those that need no script: tokens that were revoked, passwords that were changed. One that has not worked yet
// is given up at its first refusal.
func (a *aviary) refusals() {
	a.t.Helper()
	byPassword := aviaryKinds[askEntra:]
	for _, user := range aviaryUsers {
		a.sim.Users().SetPassword(user, "changed")
	}
	a.revokeTokens()
	a.ews.CloseClientConnections()
	for _, kind := range byPassword {
		a.workers[kind].hangup(a.t)
	}
	eventually(a.t, slowly, func() error {
		a.lookAt() // else the one that is refused first puts all mailboxes off for a while, and the other gets none
		for _, kind := range byPassword {
			if !strings.Contains(a.workers[kind].log.String(), "the server refuses the service user") {
				return fmt.Errorf("%s has not been refused", kind)
			}
		}
		return nil
	})
	for auth, user := range aviaryUsers {
		a.sim.Users().SetPassword(user, canaryPassword+auth)
	}
	for _, kind := range byPassword {
		a.workers[kind].hangup(a.t)
	}
	a.refreshed(inForce)
}
