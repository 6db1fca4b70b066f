package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ShadowEntry is a step in what ROOMS has been told exists: items by id with their change keys, and ids that are
// gone. The steps of a mailbox in order make up its shadow; it is read when the server has forgotten the cursor,
// and when the window rolls on.
type ShadowEntry struct {
	Put    map[string]string `json:"put,omitempty"`
	Remove []string          `json:"del,omitempty"`
}

// compactAt is after how many steps reading a shadow writes it anew as one.
const compactAt = 64

// Shadow reads what ROOMS has been told exists in a mailbox up to sequence last, the record's ItemsSeq. It returns
// the sequence to go on from, another one when the steps were written anew as one.
func (b *Bus) Shadow(ctx context.Context, mb string, last uint64) (map[string]string, uint64, error) {
	shadow := map[string]string{}
	if last == 0 {
		return shadow, 0, nil
	}
	steps, err := b.shadowSteps(ctx, mb, last, func(e ShadowEntry) {
		for id, ck := range e.Put {
			shadow[id] = ck
		}
		for _, id := range e.Remove {
			delete(shadow, id)
		}
	})
	if err != nil || steps < compactAt {
		return shadow, last, err
	}
	seq, err := b.compactShadow(ctx, mb, shadow, last)
	return shadow, seq, err
}

func (b *Bus) shadowSteps(ctx context.Context, mb string, last uint64, f func(ShadowEntry)) (int, error) {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectItems + mb}}
	c, err := b.streams[streamItems].OrderedConsumer(ctx, cfg)
	if err != nil {
		return 0, b.failure("read the shadow of "+mb, err)
	}
	it, err := c.Messages()
	if err != nil {
		return 0, b.failure("read the shadow of "+mb, err)
	}
	defer it.Stop()
	ctx, cancel := context.WithTimeout(ctx, 4*callTimeout)
	defer cancel()
	for steps := 1; ; steps++ {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return steps, b.failure("read the shadow of "+mb, err)
		}
		md, err := m.Metadata()
		if err != nil {
			return steps, b.failure("read the shadow of "+mb, err)
		}
		var e ShadowEntry
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			return steps, fmt.Errorf("bus: shadow of %s at sequence %d: %w", mb, md.Sequence.Stream, err)
		}
		f(e)
		if md.Sequence.Stream >= last {
			return steps, nil
		}
	}
}

// compactShadow replaces the steps by one, unless it is too large for a message or somebody wrote meanwhile.
func (b *Bus) compactShadow(ctx context.Context, mb string, shadow map[string]string, last uint64) (uint64, error) {
	data, err := json.Marshal(ShadowEntry{Put: shadow})
	if err != nil || len(data) > b.MaxRecord() {
		return last, err
	}
	m := &nats.Msg{Subject: subjectItems + mb, Data: data, Header: nats.Header{}}
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	seq, err := b.publish(ctx, m, int64(last))
	if errors.Is(err, ErrConflict) {
		return last, nil
	}
	return seq, err
}
