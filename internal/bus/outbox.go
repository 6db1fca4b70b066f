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

// chain is one subject whose messages follow each other: each is published expecting the one before it, so that a
// message can neither be repeated nor overtaken, whoever publishes it.
type chain struct {
	stream, subject string
	last            uint64 // sequence of the newest message that we know of
	msgs            []*nats.Msg
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
		case jobs.OutDead:
			if _, err := b.publish(ctx, plainMsg(events.DeadSubject("job", mb), o), -1); err != nil {
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

// resume finds which message is the next to publish.
func (b *Bus) resume(ctx context.Context, c *chain, i int) (int, error) {
	m, err := b.last(ctx, c.stream, c.subject)
	if errors.Is(err, ErrNotFound) { // the stream's limits removed the whole subject
		c.last = 0
		return i, nil
	}
	if err != nil {
		return i, err
	}
	id := m.Header.Get(jetstream.MsgIDHeader)
	for k := len(c.msgs) - 1; k >= 0; k-- {
		if c.msgs[k].Header.Get(jetstream.MsgIDHeader) == id {
			c.last = m.Sequence
			return k + 1, nil
		}
	}
	if m.Sequence == c.last { // a write in flight on another server of the cluster: wait for it to settle
		return i, pause(ctx, 5*time.Millisecond)
	}
	return i, fmt.Errorf("%w: %s is at sequence %d (id %q), expected %d", errChain, c.subject, m.Sequence, id, c.last)
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
	c, err := b.streams[events.StreamEvents].OrderedConsumer(ctx, cfg)
	if err != nil {
		return b.failure("read events", err)
	}
	it, err := c.Messages()
	if err != nil {
		return b.failure("read events", err)
	}
	defer it.Stop()
	for {
		m, err := it.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return b.failure("read events", err)
		}
		d, err := delivered(m)
		if err != nil {
			return err
		}
		if err := f(d); err != nil {
			return err
		}
	}
}

func delivered(m jetstream.Msg) (Delivered, error) {
	md, err := m.Metadata()
	if err != nil {
		return Delivered{}, fmt.Errorf("bus: %w", err)
	}
	e, err := events.Parse(m.Headers(), m.Data())
	if err != nil {
		return Delivered{}, fmt.Errorf("bus: event at sequence %d: %w", md.Sequence.Stream, err)
	}
	return Delivered{Event: e, Mailbox: strings.TrimPrefix(m.Subject(), events.EventsSubject("")), Sequence: md.Sequence.Stream}, nil
}
