package bus

import (
	"context"

	"roomsync/internal/jobs"
)

// Look asks for a look at a mailbox now, as an operator does who has mended something: a mailbox that is refused, blocked,
// given up or waits for a sign-in is not left to its slow re-check. A back-off that Exchange asked for is kept. It returns
// the record as it is then; one that is not enabled is left alone.
func (b *Bus) Look(ctx context.Context, mb string) (jobs.Record, error) {
	r, seq, err := b.UpdateRecord(ctx, mb, func(r *jobs.Record) bool {
		if !r.Settings.Enabled {
			return false
		}
		r.Want++
		r.Lane = jobs.Urgent(r.Lane, jobs.LaneNotify)
		r.Unpark()
		return true
	})
	if err != nil || !r.Settings.Enabled {
		return r, err
	}
	return r, b.Wake(ctx, mb, &r, seq)
}
