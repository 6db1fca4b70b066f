package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrLost says that a stream, consumer or bucket is gone, or was made anew and empty, since it was taken hold of.
var ErrLost = errors.New("bus: what NATS kept for us was lost")

// errEnough ends follow from within, without an error.
var errEnough = errors.New("enough")

// follow calls opened with the number of messages that wait, each time it begins, and f with every message that cfg
// selects, until ctx ends, f returns an error, or the stream is gone. Once it has begun, a connection that breaks is
// waited for; reading goes on after the last message that f has seen.
//
// The client's ordered consumer would make itself anew for ever, deaf to ctx and to a stream that no longer exists;
// so it may try once, and the rest is done here.
func (b *Bus) follow(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, opened func(pending uint64) error, f func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	cfg.MaxResetAttempts = 1
	var last uint64
	begun := false
	begin := func(pending uint64) error {
		begun = true
		return opened(pending)
	}
	read := func(m jetstream.Msg) error {
		md, err := m.Metadata()
		if err != nil {
			return err
		}
		last = md.Sequence.Stream
		return f(m, md)
	}
	for {
		if last > 0 {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, last+1
		}
		err := b.followOnce(ctx, stream, cfg, begin, read)
		var broken *brokenError
		switch {
		case errors.Is(err, errEnough), ctx.Err() != nil:
			return nil
		case !errors.As(err, &broken):
			return err
		case !begun:
			return b.failure("read stream "+stream, err)
		}
		if err := b.intactStream(ctx, stream); errors.Is(err, ErrLost) {
			return err
		}
		b.log.WithLevel(b.complaint(b.Up(), stream+err.Error())).Str("stream", stream).Err(err).Msg("reading was interrupted; trying again")
		_ = pause(ctx, time.Second)
	}
}

// brokenError is an error of reading, not of what was read.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func (b *Bus) followOnce(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, opened func(uint64) error, f func(jetstream.Msg) error) error {
	opening, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := b.streams[stream].OrderedConsumer(opening, cfg)
	if err != nil {
		return &brokenError{err}
	}
	it, err := c.Messages()
	if err != nil {
		return &brokenError{err}
	}
	defer it.Stop()
	// Next heeds ctx while it waits for a message, but not while it makes its consumer anew.
	defer context.AfterFunc(ctx, it.Stop)()
	if err := opened(c.CachedInfo().NumPending); err != nil {
		return err
	}
	for {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return &brokenError{err}
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

// intactStream reports with [ErrLost] that a stream is not there, or no longer the one that Check found.
func (b *Bus) intactStream(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("%w: stream %s does not exist", ErrLost, name)
	case err != nil:
		return b.failure("look at stream "+name, err)
	case !s.CachedInfo().Created.Equal(b.created[name]):
		return fmt.Errorf("%w: stream %s was made anew at %v", ErrLost, name, s.CachedInfo().Created)
	}
	return nil
}
