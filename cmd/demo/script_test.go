package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

func company(t *testing.T, n int) []*store.Mailbox {
	t.Helper()
	c := store.New(store.Options{})
	for i := range n {
		if _, err := c.AddMailbox(store.MailboxSpec{Address: string(rune('a'+i)) + "@contoso.example"}); err != nil {
			t.Fatal(err)
		}
	}
	return c.Mailboxes()
}

func TestCasting_EverybodyHasOnePart(t *testing.T) {
	for n := minMailboxes; n <= 25; n++ {
		c := casting(company(t, n))
		all := append([]string{c.policy, c.rights, c.mended, c.guest}, c.busy...)
		slices.Sort(all)
		if len(slices.Compact(all)) != n {
			t.Errorf("%d mailboxes, %d parts", n, len(all))
		}
	}
}

// asked is how long the mailbox is told to wait.
func asked(e *faults.Engine, mailbox string) time.Duration {
	a := e.Before(&hook.Call{Mailbox: mailbox, Operation: "SyncFolderItems"})
	switch {
	case a == nil:
		return 0
	case a.SOAPFault != nil:
		return a.SOAPFault.BackOff
	case a.Response != nil:
		return a.Response.BackOff
	}
	return 0
}

func TestPlay_MendsAndThrottlesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, c, o := faults.New(faults.Options{}), casting(company(t, 20)), defaults()
		if err := c.begin(e); err != nil {
			t.Fatal(err)
		}
		if f := e.Forbidden(); len(f) != 3 || f[c.policy] != faults.Denied403 || f[c.rights] != faults.DeniedSOAP || f[c.mended] != faults.Denied403 {
			t.Errorf("refused: %v", f)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.play(ctx, o, e) }()
		throttled := func() (all []string) {
			for _, m := range c.busy {
				if asked(e, m) > 0 {
					all = append(all, m)
				}
			}
			return all
		}
		if all := throttled(); len(all) > 0 {
			t.Errorf("throttled at once: %v", all)
		}
		time.Sleep(o.busyEvery + time.Millisecond)
		first := throttled()
		time.Sleep(o.busyFor)
		if all := throttled(); len(all) > 0 {
			t.Errorf("still throttled: %v", all)
		}
		time.Sleep(o.busyEvery - o.busyFor)
		second := throttled()
		if len(first) != o.busyAtOnce || len(second) != o.busyAtOnce || slices.Equal(first, second) {
			t.Errorf("throttled %v, then %v", first, second)
		}
		if f := e.Forbidden(); len(f) != 2 || f[c.mended] != "" {
			t.Errorf("refused after the policy was mended: %v", f)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
