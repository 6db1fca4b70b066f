package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// subjectOutage is the entry of the bucket throttle that says whether anybody can sign in.
const subjectOutage = "$KV." + events.BucketThrottle + ".signin"

// Outage reads from the bucket's leader what the fleet knows of its sign-in, and the sequence at which that stands.
func (b *Bus) Outage(ctx context.Context) (jobs.Outage, uint64, error) {
	m, err := b.last(ctx, streamThrottle, subjectOutage)
	if errors.Is(err, ErrNotFound) {
		return jobs.Outage{}, 0, nil
	}
	if err != nil {
		return jobs.Outage{}, 0, err
	}
	return outage(m.Header, m.Data), m.Sequence, nil
}

// glanceTimeout bounds what an operator waits for something that his command can do without.
const glanceTimeout = 2 * time.Second

// GlanceOutage is Outage for a command, after CheckOps, which does not demand the bucket.
func (b *Bus) GlanceOutage(ctx context.Context) (jobs.Outage, error) {
	ctx, cancel := context.WithTimeout(ctx, glanceTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, streamThrottle)
	if errors.Is(err, jetstream.ErrStreamNotFound) { // of an older dispatcher
		return jobs.Outage{}, nil
	}
	if err != nil {
		return jobs.Outage{}, b.failure("look at bucket "+events.BucketThrottle, err)
	}
	s.CachedInfo().Config.AllowDirect = false
	m, err := s.GetLastMsgForSubject(ctx, subjectOutage)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return jobs.Outage{}, nil
	}
	if err != nil {
		return jobs.Outage{}, b.failure("read "+subjectOutage, err)
	}
	return outage(m.Header, m.Data), nil
}

// outage decodes an entry. One that an operator removed, or that makes no sense, says nothing: workers write another.
func outage(h nats.Header, data []byte) (x jobs.Outage) {
	if h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != "" || json.Unmarshal(data, &x) != nil {
		return jobs.Outage{}
	}
	return x
}

// PutOutage stores it if it still stands at expect, and returns the sequence it has now. [ErrConflict] says that it does
// not; any other error leaves it unknown whether it was stored.
func (b *Bus) PutOutage(ctx context.Context, x *jobs.Outage, expect uint64) (uint64, error) {
	data, err := json.Marshal(x)
	if err != nil {
		return 0, fmt.Errorf("bus: encode an outage: %w", err)
	}
	return b.publish(ctx, &nats.Msg{Subject: subjectOutage, Data: data}, int64(expect))
}

// WatchOutage calls f with what there is, and with every change, until ctx ends. f is called by one goroutine.
func (b *Bus) WatchOutage(ctx context.Context, f func(x jobs.Outage, seq uint64)) error {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectOutage}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	return b.follow(ctx, streamThrottle, cfg, func(uint64) error { return nil }, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		f(outage(m.Headers(), m.Data()), md.Sequence.Stream)
		return nil
	})
}

// FlushOutage publishes the events that its outbox holds, in their own chain, and brings it up to date; the caller stores
// it next. It is safe to repeat, by anybody.
func (b *Bus) FlushOutage(ctx context.Context, x *jobs.Outage) error {
	r := jobs.Record{EventSeq: x.EventSeq, Outbox: x.Outbox}
	if err := b.Flush(ctx, OutageToken, &r); err != nil {
		return err
	}
	x.EventSeq, x.Outbox = r.EventSeq, nil
	return nil
}

// OutageToken stands in the place of a mailbox's token in events about the sign-in of the whole fleet.
var OutageToken = events.TenantToken("signin")
