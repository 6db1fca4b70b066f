package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

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

// Shadow reads what ROOMS has been told exists in a mailbox. It returns the sequence of its newest step, from which the
// mailbox's record goes on: another one than last, the record's ItemsSeq, when the steps were written anew as one, now
// or by a worker that died before it told the record, and when the stream or the record lost some. Every step is of a
// commit, so none that is there is ever too new.
func (b *Bus) Shadow(ctx context.Context, mb string, last uint64) (map[string]string, uint64, error) {
	shadow := map[string]string{}
	m, err := b.last(ctx, streamItems, subjectItems+mb)
	if errors.Is(err, ErrNotFound) {
		return shadow, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if m.Sequence < last {
		b.log.Warn().Str("mailbox", mb).Uint64("expected", last).Uint64("at", m.Sequence).Msg("the shadow lost its newest steps")
	}
	steps, err := b.shadowSteps(ctx, mb, m.Sequence, func(e ShadowEntry) {
		maps.Copy(shadow, e.Put)
		for _, id := range e.Remove {
			delete(shadow, id)
		}
	})
	if err != nil || steps < compactAt {
		return shadow, m.Sequence, err
	}
	seq, err := b.compactShadow(ctx, mb, shadow, m.Sequence)
	return shadow, seq, err
}

// shadowSteps calls f for the steps up to sequence end, or as many as there are if some are removed meanwhile.
func (b *Bus) shadowSteps(ctx context.Context, mb string, end uint64, f func(ShadowEntry)) (int, error) {
	steps := 0
	ctx, cancel := context.WithTimeoutCause(ctx, 4*callTimeout, fmt.Errorf("bus: the shadow of %s could not be read in %v", mb, 4*callTimeout))
	defer cancel()
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectItems + mb}}
	opened := func(pending uint64) error {
		if pending == 0 {
			return errEnough
		}
		return nil
	}
	err := b.follow(ctx, streamItems, cfg, opened, func(m jetstream.Msg, md *jetstream.MsgMetadata) error {
		var e ShadowEntry
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			return fmt.Errorf("bus: shadow of %s at sequence %d: %w", mb, md.Sequence.Stream, err)
		}
		f(e)
		if steps++; md.Sequence.Stream >= end || md.NumPending == 0 {
			return errEnough
		}
		return nil
	})
	if err == nil {
		err = context.Cause(ctx)
	}
	return steps, err
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
