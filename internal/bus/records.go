package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// Record reads a mailbox's record and the sequence at which it stands. A mailbox without one has a zero record at
// sequence 0.
func (b *Bus) Record(ctx context.Context, mb string) (jobs.Record, uint64, error) {
	var r jobs.Record
	m, err := b.last(ctx, events.StreamState, subjectRecord+mb)
	if errors.Is(err, ErrNotFound) {
		return r, 0, nil
	}
	if err != nil {
		return r, 0, err
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return r, 0, fmt.Errorf("bus: record of %s at sequence %d: %w", mb, m.Sequence, err)
	}
	return r, m.Sequence, nil
}

// PutRecord stores a record if the mailbox's still stands at expect, and returns the sequence it has now.
// [ErrConflict] says that it does not; any other error leaves it unknown whether it was stored.
func (b *Bus) PutRecord(ctx context.Context, mb string, r *jobs.Record, expect uint64) (uint64, error) {
	data, err := r.AppendJSON(nil)
	if err != nil {
		return 0, fmt.Errorf("bus: encode the record of %s: %w", mb, err)
	}
	d := r.Digest()
	m := &nats.Msg{Subject: subjectRecord + mb, Data: data, Header: nats.Header{digestHeader: {d.String()}, detailHeader: {d.Why()}}}
	return b.publish(ctx, m, int64(expect))
}

// MaxRecord is how many bytes a record may have.
func (b *Bus) MaxRecord() int { return int(b.nc.MaxPayload()) - 8<<10 }

// UpdateRecord changes a record that others change as well, until it has met nobody. change returns false to leave
// the record as it is.
func (b *Bus) UpdateRecord(ctx context.Context, mb string, change func(*jobs.Record) bool) (jobs.Record, uint64, error) {
	for {
		r, seq, err := b.Record(ctx, mb)
		if err != nil {
			return r, 0, err
		}
		if !change(&r) {
			return r, seq, nil
		}
		seq, err = b.PutRecord(ctx, mb, &r, seq)
		if !errors.Is(err, ErrConflict) {
			return r, seq, err
		}
		if ctx.Err() != nil {
			return r, 0, ctx.Err()
		}
	}
}

// Headers of records, which WatchDigests follows. The detail stands apart from the digest, whose parts an older
// dispatcher counts.
const (
	digestHeader = "Roomsync-Digest"
	detailHeader = "Roomsync-Detail"
)

// WatchDigests calls f with the digest of every record there is and when it was stored, then ready once, then for every
// change, until ctx ends. f is called by one goroutine.
func (b *Bus) WatchDigests(ctx context.Context, f func(mb string, d jobs.Digest, stored time.Time), ready func()) error {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, HeadersOnly: true}
	// By what is pending, since the newest record of all may be purged at any time.
	read := func(pending uint64) error {
		if pending == 0 && ready != nil {
			ready()
			ready = nil
		}
		return nil
	}
	return b.follow(ctx, events.StreamState, cfg, read, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		b.watched(m, md, f)
		return read(md.NumPending)
	})
}

func (b *Bus) watched(m jetstream.Msg, md *jetstream.MsgMetadata, f func(string, jobs.Digest, time.Time)) {
	mb := strings.TrimPrefix(m.Subject(), subjectRecord)
	d, err := jobs.ParseDigest(m.Headers().Get(digestHeader))
	if err != nil {
		b.log.Error().Str("mailbox", mb).Err(err).Msg("a record has no digest")
		return
	}
	if detail := m.Headers().Get(detailHeader); detail != "" { // of an older version there is none
		if err := d.Explain(detail); err != nil {
			b.log.Warn().Str("mailbox", mb).Err(err).Msg("the detail of a record is not understood; it is left out")
		}
	}
	f(mb, d, md.Timestamp)
}
