package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

// What ROOMS does by itself where it speaks NATS, for one that does not: publish a change, read events from a sequence.

// ErrAway says that there is no connection to NATS; nothing was sent.
var ErrAway = errors.New("bus: no connection to NATS")

// ErrFull says that a stream has reached a limit that its operator set; nothing was stored.
var ErrFull = errors.New("bus: the stream is full")

// ErrOtherEvent says that a different event with the same source and id is stored already.
var ErrOtherEvent = errors.New("bus: another event with this source and id is stored")

// Stored is where a change stands in the stream.
type Stored struct {
	Sequence uint64
	Known    bool // it was stored before, and this copy dropped
}

// PublishChange stores an event of ROOMS under the mailbox token mb, and returns when NATS has it. A copy of an event that
// came within the stream's window is not stored again. The error is [ErrAway], [ErrFull], [ErrTooLarge], [ErrOtherEvent]
// or another; unless [Definite] says otherwise, it is then unknown whether the event is stored, and to repeat it is safe.
func (b *Bus) PublishChange(ctx context.Context, mb string, e events.Event) (Stored, error) {
	if !b.Up() {
		return Stored{}, ErrAway // the client would keep it, and send it later behind everybody's back
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m := &nats.Msg{Subject: events.ChangesSubject(mb), Data: e.Data, Header: nats.Header(e.Header())}
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		return Stored{}, b.refused(m.Subject, err)
	}
	if ack.Duplicate {
		err = b.sameChange(ctx, m.Subject, e, ack.Sequence)
	}
	return Stored{ack.Sequence, ack.Duplicate}, err
}

// Codes of the JetStream API that say that there is no room: of the account, the server and the stream.
var full = map[jetstream.ErrorCode]bool{10002: true, 10023: true, 10047: true, 10077: true}

// errTooLargeForStream is of a stream with a limit of its own.
const errTooLargeForStream jetstream.ErrorCode = 10054

func (b *Bus) refused(subject string, err error) error {
	var api *jetstream.APIError
	switch {
	case !errors.As(err, &api):
		return b.failure("publish to "+subject, err)
	case full[api.ErrorCode]:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case api.ErrorCode == errTooLargeForStream:
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return b.failure("publish to "+subject, err)
}

// sameChange compares an event with the one that the stream holds under its id: who gives an id to two events would otherwise
// lose the second one and never hear of it.
func (b *Bus) sameChange(ctx context.Context, subject string, e events.Event, seq uint64) error {
	m, err := b.streams[events.StreamChanges].GetMsg(ctx, seq)
	if err != nil {
		return nil // what cannot be read any more can only be believed
	}
	stored, err := events.Parse(m.Header, m.Data) // it may have been published in the other mode
	if err == nil && m.Subject == subject && stored.Type == e.Type && sameJSON(stored.Data, e.Data) {
		return nil
	}
	return fmt.Errorf("%w, at sequence %d", ErrOtherEvent, seq)
}

func sameJSON(x, y []byte) bool {
	var a, b bytes.Buffer
	return bytes.Equal(x, y) || json.Compact(&a, x) == nil && json.Compact(&b, y) == nil && bytes.Equal(a.Bytes(), b.Bytes())
}

// MaxChange is how many bytes the data of a change may have; the rest of a message is left to its attributes.
func (b *Bus) MaxChange() int { return int(b.nc.MaxPayload()) - 8<<10 }

// EventsKept returns the sequences of the oldest event that is kept and of the newest. With none kept, first is last+1.
func (b *Bus) EventsKept(ctx context.Context) (first, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := b.streams[events.StreamEvents].Info(ctx)
	if err != nil {
		return 0, 0, b.failure("look at stream "+events.StreamEvents, err)
	}
	return max(info.State.FirstSeq, 1), info.State.LastSeq, nil
}

// NextEvent reads the first event at or after a sequence, of the mailbox token mb, or of all when mb is "*".
// [ErrNotFound] says that there is none yet. A message that is no event is passed over.
func (b *Bus) NextEvent(ctx context.Context, mb string, from uint64) (Delivered, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		m, err := b.streams[events.StreamEvents].GetMsg(ctx, max(from, 1), jetstream.WithGetMsgSubject(events.EventsSubject(mb)))
		if err != nil {
			return Delivered{}, b.failure("read stream "+events.StreamEvents, err)
		}
		if d, ok := b.eventAt(m.Subject, m.Sequence, m.Header, m.Data); ok {
			return d, nil
		}
		from = m.Sequence + 1
	}
}

// FollowEvents calls f with every event from a sequence on, until ctx ends, f returns an error or the stream is lost
// ([ErrLost]). A broken connection is waited for. A message that is no event is passed over.
func (b *Bus) FollowEvents(ctx context.Context, from uint64, f func(Delivered) error) error {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1)}
	return b.follow(ctx, events.StreamEvents, cfg, func(uint64) error { return nil }, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		if d, ok := b.eventAt(m.Subject(), md.Sequence.Stream, m.Headers(), m.Data()); ok {
			return f(d)
		}
		return nil
	})
}

func (b *Bus) eventAt(subject string, seq uint64, header nats.Header, data []byte) (Delivered, bool) {
	e, err := events.Parse(header, data)
	if err != nil {
		b.log.Error().Uint64("sequence", seq).Err(err).Msg("a message in " + events.StreamEvents + " is no event; it is passed over")
		return Delivered{}, false
	}
	return Delivered{Event: e, Mailbox: strings.TrimPrefix(subject, events.EventsSubject("")), Sequence: seq}, true
}
