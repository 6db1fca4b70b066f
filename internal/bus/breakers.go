package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// The bucket of what the fleet shares about Exchange's moods. Breakers stand under access.<key>.
const (
	streamThrottle  = "KV_" + events.BucketThrottle
	subjectBreakers = "$KV." + events.BucketThrottle + ".access."
)

// Breaker reads a breaker from the bucket's leader, and the sequence at which it stands. One that nobody ever opened, or
// that an operator removed, is closed.
func (b *Bus) Breaker(ctx context.Context, key string) (jobs.Breaker, uint64, error) {
	m, err := b.last(ctx, streamThrottle, subjectBreakers+key)
	if errors.Is(err, ErrNotFound) {
		return jobs.Breaker{}, 0, nil
	}
	if err != nil {
		return jobs.Breaker{}, 0, err
	}
	x, err := breaker(m.Header, m.Data)
	return x, m.Sequence, err
}

func breaker(h nats.Header, data []byte) (x jobs.Breaker, err error) {
	if h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != "" {
		return x, nil
	}
	if err = json.Unmarshal(data, &x); err == nil {
		err = x.Check()
	}
	if err != nil {
		return jobs.Breaker{}, fmt.Errorf("bus: an entry access.* of bucket %s makes no sense: %w (nats kv del %s KEY removes it)", events.BucketThrottle, err, events.BucketThrottle)
	}
	return x, nil
}

// PutBreaker stores a breaker if it still stands at expect, and returns the sequence it has now. [ErrConflict] says that
// it does not; any other error leaves it unknown whether it was stored.
func (b *Bus) PutBreaker(ctx context.Context, key string, x *jobs.Breaker, expect uint64) (uint64, error) {
	data, err := json.Marshal(x)
	if err != nil {
		return 0, fmt.Errorf("bus: encode a breaker: %w", err)
	}
	return b.publish(ctx, &nats.Msg{Subject: subjectBreakers + key, Data: data}, int64(expect))
}

// WatchBreakers calls f with every breaker there is, then ready once, then for every change, until ctx ends. f is called
// by one goroutine.
func (b *Bus) WatchBreakers(ctx context.Context, f func(key string, x jobs.Breaker, seq uint64), ready func()) error {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectBreakers + "*"}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	read := func(pending uint64) error {
		if pending == 0 && ready != nil {
			ready()
			ready = nil
		}
		return nil
	}
	return b.follow(ctx, streamThrottle, cfg, read, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		x, err := breaker(m.Headers(), m.Data())
		if err != nil {
			b.log.Error().Err(err).Msg("a breaker is not understood; it counts as closed")
		}
		f(strings.TrimPrefix(m.Subject(), subjectBreakers), x, md.Sequence.Stream)
		return read(md.NumPending)
	})
}

// FlushBreaker publishes the events that a breaker's outbox holds, in its own chain, and brings the breaker up to date;
// the caller stores it next. It is safe to repeat, by anybody.
func (b *Bus) FlushBreaker(ctx context.Context, token string, x *jobs.Breaker) error {
	r := jobs.Record{EventSeq: x.EventSeq, Outbox: x.Outbox}
	if err := b.Flush(ctx, token, &r); err != nil {
		return err
	}
	x.EventSeq, x.Outbox = r.EventSeq, nil
	return nil
}
