package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
)

// cast says which mailboxes play which part.
type cast struct {
	policy string   // refuses with HTTP 403, as an application access policy does
	rights string   // refuses with ErrorAccessDenied in SOAP, as missing rights do
	mended string   // refuses with HTTP 403 until somebody mends the policy
	busy   []string // ask for patience now and then, in turn
	guest  string   // does nothing: whoever watches may use it
}

// casting needs minMailboxes mailboxes in order of their addresses: rooms, then people.
func casting(all []*store.Mailbox) cast {
	n := len(all)
	at := func(tenths int) string { return all[n*tenths/10].Address }
	c := cast{policy: at(3), rights: at(1), mended: at(6), guest: at(4)}
	taken := []string{c.policy, c.rights, c.mended, c.guest}
	for _, m := range all {
		if !slices.Contains(taken, m.Address) {
			c.busy = append(c.busy, m.Address)
		}
	}
	r := rand.New(rand.NewPCG(uint64(n), 0)) // rooms and people mixed, alike in every run
	r.Shuffle(len(c.busy), func(i, j int) { c.busy[i], c.busy[j] = c.busy[j], c.busy[i] })
	return c
}

// begin shuts the mailboxes that refuse access.
func (c cast) begin(e *faults.Engine) error {
	for mailbox, form := range map[string]faults.Form{
		c.policy: faults.Denied403, c.rights: faults.DeniedSOAP, c.mended: faults.Denied403,
	} {
		if err := e.Forbid(mailbox, form); err != nil {
			return err
		}
	}
	return nil
}

// play lets things happen until ctx ends: after a while the policy is mended, and every now and then the next few
// mailboxes ask for patience.
func (c cast) play(ctx context.Context, o options, e *faults.Engine) error {
	mend := time.NewTimer(o.mend)
	defer mend.Stop()
	busy := time.NewTicker(o.busyEvery)
	defer busy.Stop()
	for next := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-mend.C:
			e.Allow(c.mended)
		case <-busy.C:
			for range min(o.busyAtOnce, len(c.busy)) {
				e.Throttle(c.busy[next%len(c.busy)], o.busyFor)
				next++
			}
		}
	}
}
