package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// tally is what is logged of many mailboxes in one line a minute, and of each by itself for debugging only: those that
// Exchange asks to wait, and those that are refused still after an outage ended in part.
type tally struct {
	mu        sync.Mutex
	throttled notes
	refused   notes
}

// notes are the mailboxes that something happened to, each with its newest code or reason.
type notes struct {
	why     map[string]string
	longest time.Duration
}

func (n *notes) add(mb, why string, pause time.Duration) {
	if n.why == nil {
		n.why = map[string]string{}
	}
	n.why[mb] = why
	n.longest = max(n.longest, pause)
}

// counts are how many mailboxes each reason has, such as "forbidden 12".
func (n *notes) counts() string {
	by := map[string]int{}
	for _, why := range n.why {
		by[why]++
	}
	var parts []string
	for _, why := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s %d", why, by[why]))
	}
	return strings.Join(parts, ", ")
}

// add takes a failure that is told in the summary, and reports whether it is one.
func (t *tally) add(mb string, f *calsync.Fault, v jobs.Verdict, partly bool) bool {
	if v.Scope != jobs.ScopeMailbox {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case v.Class == jobs.Throttled:
		t.throttled.add(mb, v.Code, f.BackOff)
	case v.Class == jobs.Denied && partly:
		t.refused.add(mb, v.Reason, 0)
	default:
		return false
	}
	return true
}

func (t *tally) take() (throttled, refused notes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	throttled, refused = t.throttled, t.refused
	t.throttled, t.refused = notes{}, notes{}
	return throttled, refused
}

// summarize logs the tally once a minute, and what is left of it when ctx ends.
func (w *Worker) summarize(ctx context.Context) {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.logTally()
		case <-ctx.Done():
			w.logTally()
			return
		}
	}
}

func (w *Worker) logTally() {
	throttled, refused := w.tally.take()
	if n := len(throttled.why); n > 0 {
		w.log.Info().Int("mailboxes", n).Str("codes", throttled.counts()).Stringer("longest", throttled.longest).Msg("Exchange asked for pauses: so many mailboxes had to wait in the last minute; nothing is to be done unless it stays")
	}
	if n := len(refused.why); n > 0 {
		w.log.Warn().Int("mailboxes", n).Str("reasons", refused.counts()).Msg("so many mailboxes are refused still, found in the last minute after an outage that ended in part; each is told of by itself")
	}
}

// partly reports whether an outage ended in part a while ago, so that more of its mailboxes are expected to be refused.
func (r *run) partly() bool {
	if r.gate == nil {
		return false
	}
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	return r.gate.state.Sure(r.w.bus.Now())
}
