package bus

import (
	"context"
	"fmt"
	"time"

	"roomsync/internal/jobs"
)

// Look asks for a look at a mailbox now, as an operator does who has mended something: a mailbox that is refused, blocked,
// given up or waits for a sign-in is not left to its slow re-check. A back-off that Exchange asked for is kept.
func (b *Bus) Look(ctx context.Context, mb string) error {
	return b.trigger(ctx, mb, jobs.LaneNotify, (*jobs.Record).Unpark)
}

// Retry has a refused mailbox looked at now, in the lane of polls, if it is refused as the probe says. It reports whether a
// look comes, or came: also when somebody else has asked for it. An open access breaker holds it as any other.
func (b *Bus) Retry(ctx context.Context, p jobs.Probe) (comes bool, err error) {
	changed := false
	r, seq, err := b.UpdateRecord(ctx, p.Mailbox, func(r *jobs.Record) bool {
		comes, changed = r.Retry(p, b.Now())
		return changed
	})
	if err != nil || !changed {
		return comes && err == nil, err
	}
	return true, b.Wake(ctx, p.Mailbox, &r, seq)
}

// Digests reads the digest of every record there is, by mailbox token. What is due at once was due when it was stored.
func (b *Bus) Digests(ctx context.Context) (map[string]jobs.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	all := map[string]jobs.Digest{}
	complete := false
	err := b.WatchDigests(ctx, func(mb string, d jobs.Digest, stored time.Time) {
		if d.Due.IsZero() {
			d.Due = stored
		}
		all[mb] = d
	}, func() { complete = true; cancel() })
	if err == nil && !complete {
		err = fmt.Errorf("bus: read the records: %w", ctx.Err())
	}
	return all, err
}
