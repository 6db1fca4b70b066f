package bus

import (
	"context"
	crand "crypto/rand"
	"strconv"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// changesID names the stream of ROOMS' events, and tells it from one that is made in its place.
func (b *Bus) changesID() string {
	return strconv.FormatInt(b.created[events.StreamChanges].UnixMicro(), 36)
}

// Ask says that ROOMS' events up to a sequence wait for a mailbox, durably, and brings a token. It reports false, and does
// nothing, when the mailbox is not enabled. What is asked again, or has its answer, changes nothing but may bring a token.
func (b *Bus) Ask(ctx context.Context, mb string, seq uint64) (bool, error) {
	r, at, err := b.UpdateRecord(ctx, mb, func(r *jobs.Record) bool {
		if !r.Settings.Enabled || r.Asked >= seq && r.Changes == b.changesID() {
			return false
		}
		r.Of(b.changesID())
		r.Asked = seq
		r.Want++
		r.Lane = jobs.LaneBooking
		return true
	})
	if err != nil || !r.Settings.Enabled {
		return false, err
	}
	if r.Applied >= seq {
		return true, nil
	}
	return true, b.Wake(ctx, mb, &r, at)
}

// Decline puts messages into the outbox of a mailbox that is not enabled, so that a worker publishes them, and says with
// them that ROOMS' events up to a sequence have their answer. [ErrConflict] says that the mailbox is enabled, or that
// somebody works on it: the events are to be looked at again.
func (b *Bus) Decline(ctx context.Context, mb string, seq uint64, out []jobs.Outgoing) error {
	declined := false
	r, at, err := b.UpdateRecord(ctx, mb, func(r *jobs.Record) bool {
		declined = r.Applied >= seq && r.Changes == b.changesID()
		if declined || r.Settings.Enabled || r.Owner != "" || len(r.Outbox) > 0 {
			return false
		}
		if r.Epoch == "" {
			r.Epoch = crand.Text()[:8]
		}
		r.Commit(mb, b.Now(), out)
		r.Of(b.changesID())
		r.Asked, r.Applied, r.Tried = max(r.Asked, seq), seq, 0
		declined = true
		return true
	})
	switch {
	case err != nil:
		return err
	case !declined:
		return ErrConflict
	case len(r.Outbox) == 0:
		return nil
	}
	_, err = b.PutToken(ctx, mb, jobs.LaneBooking, jobs.Hint{Seq: at})
	return err
}

// Answered is the sequence up to which ROOMS' events for a mailbox have their answer.
func (b *Bus) Answered(r *jobs.Record) uint64 {
	if r.Changes != b.changesID() {
		return 0
	}
	return r.Applied
}
