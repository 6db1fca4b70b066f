package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// chain is one subject whose messages follow each other: each is published expecting the one before it, so that a
// message can neither be repeated nor overtaken, whoever publishes it.
type chain struct {
	stream, subject string
	last            uint64 // sequence of the newest message that we know of
	msgs            []*nats.Msg
	waits           int // for a write in flight
}

// Flush publishes what a record's outbox holds and brings the sequences in the record up to date; the caller stores
// the record without the outbox next. It is safe to repeat, by anybody.
func (b *Bus) Flush(ctx context.Context, mb string, r *jobs.Record) error {
	ev := chain{stream: events.StreamEvents, subject: events.EventsSubject(mb), last: r.EventSeq}
	items := chain{stream: streamItems, subject: subjectItems + mb, last: r.ItemsSeq}
	for _, o := range r.Outbox {
		switch o.Kind {
		case jobs.OutEvent:
			ev.msgs = append(ev.msgs, b.eventMsg(ev.subject, mb, o))
		case jobs.OutShadow:
			items.msgs = append(items.msgs, plainMsg(items.subject, o))
		case jobs.OutLink:
			if err := b.putLink(ctx, mb, o); err != nil {
				return err
			}
		case jobs.OutDead:
			if _, err := b.publish(ctx, plainMsg(events.DeadSubject(cmp.Or(o.Key, "job"), mb), o), -1); err != nil {
				return err
			}
		default:
			return fmt.Errorf("bus: outbox of %s holds a message of unknown kind %q", mb, o.Kind)
		}
	}
	if err := b.flushChain(ctx, &items); err != nil {
		return err
	}
	if err := b.flushChain(ctx, &ev); err != nil {
		return err
	}
	r.EventSeq, r.ItemsSeq, r.Outbox = ev.last, items.last, nil
	return nil
}

func plainMsg(subject string, o jobs.Outgoing) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: o.Data, Header: nats.Header{}}
	m.Header.Set(jetstream.MsgIDHeader, o.ID)
	return m
}

func (b *Bus) eventMsg(subject, mb string, o jobs.Outgoing) *nats.Msg {
	e := events.Event{ID: o.ID, Source: b.opts.Source, Type: o.Type, Time: o.Time, Subject: mb, Data: json.RawMessage(o.Data)}
	return &nats.Msg{Subject: subject, Data: o.Data, Header: nats.Header(e.Header())}
}

func (b *Bus) flushChain(ctx context.Context, c *chain) error {
	for i := 0; i < len(c.msgs); {
		seq, err := b.publish(ctx, c.msgs[i], int64(c.last))
		switch {
		case err == nil: // also when the server knows its id: then seq is where it stands
			c.last = seq
			i++
		case errors.Is(err, ErrConflict):
			// Somebody, or we with an answer that got lost, published it long ago: find where the chain stands.
			if i, err = b.resume(ctx, c, i); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// errChain says that a subject was written by somebody who does not keep to the chain.
var errChain = errors.New("bus: the subject's newest message is none of ours")

// settle is the wait for a write that is in flight on another server of the cluster, and maxWaits how many there are.
const (
	settle   = 5 * time.Millisecond
	maxWaits = int(callTimeout / settle)
)

// resume finds which message is the next to publish, and after which sequence.
func (b *Bus) resume(ctx context.Context, c *chain, i int) (int, error) {
	m, err := b.last(ctx, c.stream, c.subject)
	if errors.Is(err, ErrNotFound) { // the stream's limits removed the whole subject
		c.last = 0
		return i, nil
	}
	if err != nil {
		return i, err
	}
	if k := c.index(m); k >= 0 {
		c.last = m.Sequence
		return k + 1, nil
	}
	if m.Sequence == c.last {
		if c.waits++; c.waits > maxWaits {
			return i, fmt.Errorf("bus: %s stands at sequence %d, yet takes nothing after it for %v", c.subject, c.last, callTimeout)
		}
		return i, pause(ctx, settle)
	}
	if !c.follows(m, i) {
		return i, fmt.Errorf("%w: %s is at sequence %d (id %q), expected %d", errChain, c.subject, m.Sequence, m.Header.Get(jetstream.MsgIDHeader), c.last)
	}
	b.log.Warn().Str("subject", c.subject).Uint64("expected", c.last).Uint64("at", m.Sequence).Msg("the record and the stream are not of one time; going on from the stream's end")
	c.last = m.Sequence
	return i, nil
}

// index finds a stored message among the chain's, or returns -1.
func (c *chain) index(m *jetstream.RawStreamMsg) int {
	id := m.Header.Get(jetstream.MsgIDHeader)
	return slices.IndexFunc(c.msgs, func(own *nats.Msg) bool { return id != "" && own.Header.Get(jetstream.MsgIDHeader) == id })
}

// follows reports whether message i may follow m, which the record does not know. It may when the record knows a newer
// one, for then the stream lost its end; after a shadow written anew, which a worker did that died before it told the
// record; and when the record knows of none and m is of another epoch, for then the record was lost and made anew.
// Everything else was written by a later owner than the one who asks.
func (c *chain) follows(m *jetstream.RawStreamMsg, i int) bool {
	switch {
	case m.Sequence < c.last:
		return true
	case m.Header.Get(jetstream.MsgRollup) != "":
		return true
	}
	return c.last == 0 && epoch(m.Header) != epoch(c.msgs[i].Header)
}

// epoch is the record's epoch in a message's id, which is <mailbox>/<epoch>/<commit>/<position>, after the source and
// a "#" in an event's.
func epoch(h nats.Header) string {
	id := h.Get(jetstream.MsgIDHeader)
	parts := strings.Split(id[strings.LastIndexByte(id, '#')+1:], "/")
	if len(parts) != 4 {
		return ""
	}
	return parts[1]
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Delivered is an event as a consumer receives it.
type Delivered struct {
	events.Event
	Mailbox  string // token
	Sequence uint64 // in the stream
}

// Events calls f for the events of one mailbox, or of all when mb is "*", from sequence from on (0: only new ones),
// until ctx ends or f returns an error.
func (b *Bus) Events(ctx context.Context, mb string, from uint64, f func(Delivered) error) error {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.EventsSubject(mb)}, DeliverPolicy: jetstream.DeliverNewPolicy}
	if from > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	}
	return b.follow(ctx, events.StreamEvents, cfg, func(uint64) error { return nil }, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		d, err := delivered(m, md)
		if err != nil {
			return err
		}
		return f(d)
	})
}

func delivered(m jetstream.Msg, md *jetstream.MsgMetadata) (Delivered, error) {
	e, err := events.Parse(m.Headers(), m.Data())
	if err != nil {
		return Delivered{}, fmt.Errorf("bus: event at sequence %d: %w", md.Sequence.Stream, err)
	}
	return Delivered{Event: e, Mailbox: strings.TrimPrefix(m.Subject(), events.EventsSubject("")), Sequence: md.Sequence.Stream}, nil
}
