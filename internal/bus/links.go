package bus

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// The bucket of what ties bookings to appointments. A booking of a mailbox stands under <mailbox token>.<booking token>.
const (
	streamLinks  = "KV_" + events.BucketLinks
	subjectLinks = "$KV." + events.BucketLinks + "."
)

// Link reads a booking's link from the bucket's leader, and the sequence at which it stands. [ErrNotFound] says that
// there is none.
func (b *Bus) Link(ctx context.Context, mb, booking string) (json.RawMessage, uint64, error) {
	m, err := b.last(ctx, streamLinks, subjectLinks+mb+"."+jobs.LinkKey(booking))
	if err != nil {
		return nil, 0, err
	}
	if m.Header.Get("KV-Operation") != "" || m.Header.Get(jetstream.MarkerReasonHeader) != "" {
		return nil, m.Sequence, ErrNotFound
	}
	return m.Data, m.Sequence, nil
}

// putLink stores the link of an outbox. One that stands beyond what it expects was stored before, and perhaps
// followed by others: whoever wrote those had published this outbox first. One that stands before it was lost, with a
// stream that was made anew or restored from a backup.
func (b *Bus) putLink(ctx context.Context, mb string, o jobs.Outgoing) error {
	m := &nats.Msg{Subject: subjectLinks + mb + "." + o.Key, Data: o.Data}
	for expect := o.Expect; ; {
		_, err := b.publish(ctx, m, int64(expect))
		if !errors.Is(err, ErrConflict) {
			return err
		}
		last, err := b.last(ctx, streamLinks, m.Subject)
		switch {
		case errors.Is(err, ErrNotFound):
			expect = 0
		case err != nil:
			return err
		case last.Sequence > expect:
			return nil
		default:
			expect = last.Sequence
		}
		if err := pause(ctx, settle); err != nil {
			return err
		}
	}
}
