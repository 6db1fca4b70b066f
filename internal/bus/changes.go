package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

// Change is what ROOMS published for a mailbox.
type Change struct {
	Mailbox  string // token
	Sequence uint64 // in the stream
	Stored   time.Time
	Event    events.Event // as far as it could be read
	Err      error        // why it is no event, if it is none
	Raw      []byte       // the payload, for a dead letter
}

// NextChange reads the first event of ROOMS for a mailbox after a sequence, from the stream's leader. [ErrNotFound] says
// that there is none.
func (b *Bus) NextChange(ctx context.Context, mb string, after uint64) (Change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	subject := events.ChangesSubject(mb)
	m, err := b.streams[events.StreamChanges].GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
	if err != nil {
		return Change{}, b.failure("read "+subject, err)
	}
	c := Change{Mailbox: mb, Sequence: m.Sequence, Stored: m.Time, Raw: m.Data}
	c.Event, c.Err = events.Parse(m.Header, m.Data)
	return c, nil
}

// consumerChanges is the durable consumer that tells the dispatchers of ROOMS' events.
const consumerChanges = "changes"

func changesConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:     consumerChanges,
		Description: "tells dispatchers which mailboxes ROOMS has changes for",
		AckPolicy:   jetstream.AckExplicitPolicy,
		AckWait:     AckWait,
		MaxDeliver:  -1,
		// The payload is for the worker.
		HeadersOnly:   true,
		MaxAckPending: 20_000,
	}
}

// ensureChanges creates the consumer if it is not there.
func (b *Bus) ensureChanges(ctx context.Context) error {
	if _, err := b.js.CreateConsumer(ctx, events.StreamChanges, changesConfig()); err != nil && !errors.Is(err, jetstream.ErrConsumerExists) {
		return fmt.Errorf("bus: create consumer %s of %s: %w", consumerChanges, events.StreamChanges, err)
	}
	return nil
}

// Notice says that ROOMS published something for a mailbox.
type Notice struct {
	Mailbox  string // token
	Sequence uint64
	msg      jetstream.Msg
}

// Ack says that the notice need not come again.
func (n *Notice) Ack() error { return n.msg.Ack() }

// Later asks for the notice again after a while.
func (n *Notice) Later(d time.Duration) error { return n.msg.NakWithDelay(d) }

// Notices are what ROOMS publishes, for one of the dispatchers.
type Notices struct {
	it jetstream.MessagesContext
}

// Notices opens them. At most ahead are fetched before they are asked for.
func (b *Bus) Notices(ctx context.Context, ahead int) (*Notices, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := b.js.Consumer(ctx, events.StreamChanges, consumerChanges)
	if err != nil {
		return nil, b.failure("open consumer "+consumerChanges, err)
	}
	it, err := c.Messages(jetstream.PullMaxMessages(ahead), jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return nil, b.failure("open consumer "+consumerChanges, err)
	}
	return &Notices{it: it}, nil
}

// Next waits for a notice. [ErrClosed] says that Stop was called.
func (n *Notices) Next(ctx context.Context) (Notice, error) {
	for {
		m, err := n.it.Next(jetstream.NextContext(ctx))
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return Notice{}, ErrClosed
		case errors.Is(err, jetstream.ErrNoHeartbeat), errors.Is(err, nats.ErrNoResponders):
			continue // the server was away; the pull is renewed
		case err != nil:
			return Notice{}, err
		}
		md, err := m.Metadata()
		if err != nil {
			return Notice{}, err
		}
		return Notice{Mailbox: strings.TrimPrefix(m.Subject(), events.ChangesSubject("")), Sequence: md.Sequence.Stream, msg: m}, nil
	}
}

// Stop ends the notices.
func (n *Notices) Stop() { n.it.Stop() }
