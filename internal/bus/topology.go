package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// Streams that are not named in package events.
const (
	streamItems = "MAILBOX_ITEMS"                // what ROOMS has been told exists
	streamBoxes = "KV_" + events.BucketMailboxes // what the bucket of the wanted set is kept in
)

// Subjects of our own; <mb> is the mailbox token. Those that ROOMS uses are made in package events.
const (
	subjectRun    = "jobs.run."  // jobs.run.<lane>.<mb>: a token, to be taken now
	subjectWait   = "jobs.wait." // jobs.wait.<mb>: the mailbox's next token, as a schedule
	subjectKick   = "jobs.kick." // jobs.kick.<mb>: a token that found its place taken, as a schedule
	subjectRecord = "state."
	subjectItems  = "items."
)

// AckWait is after which silence a token is given to another worker. A worker says it is alive at a third of it.
const AckWait = 30 * time.Second

// topology lists the streams. All are files: what was acknowledged survives a restart of the server.
func topology(replicas int) []jetstream.StreamConfig {
	streams := []jetstream.StreamConfig{{
		Name:        events.StreamJobs,
		Description: "tokens to be taken now, and schedules of those to come",
		Subjects:    []string{subjectRun + "*.*", subjectWait + "*", subjectKick + "*"},
		Retention:   jetstream.WorkQueuePolicy,
		// Schedules refuse Discard=New, so that a token is unique is asked for by expecting sequence 0 at publishing.
		AllowMsgSchedules: true,
		AllowMsgTTL:       true,
	}, {
		Name:              events.StreamState,
		Description:       "the mailboxes' records; the newest counts",
		Subjects:          []string{subjectRecord + "*"},
		MaxMsgsPerSubject: 1,
		// Should an operator limit the stream's size, a full one refuses rather than forget a mailbox; a newer record
		// still takes the place of the older, which only DiscardNewPerSubject would prevent.
		Discard: jetstream.DiscardNew,
		// A direct get may be answered by a follower that is behind; a record is read from the leader only.
		AllowDirect: false,
	}, {
		Name:        streamItems,
		Description: "per mailbox, the items that ROOMS has been told exist",
		Subjects:    []string{subjectItems + "*"},
		AllowRollup: true,
		Discard:     jetstream.DiscardNew,
	}, {
		Name:        events.StreamEvents,
		Description: "what happened in Exchange, for ROOMS",
		Subjects:    []string{events.EventsSubject("*")},
		Discard:     jetstream.DiscardNew, // a full stream holds the fleet up rather than drop an event
		MaxAge:      14 * 24 * time.Hour,
		Duplicates:  10 * time.Minute,
	}, {
		Name:        events.StreamChanges,
		Description: "what ROOMS wants in Exchange",
		Subjects:    []string{events.ChangesSubject("*")},
		Discard:     jetstream.DiscardNew,
		MaxAge:      30 * 24 * time.Hour,
		Duplicates:  10 * time.Minute,
	}, {
		Name:        events.StreamDead,
		Description: "what was given up, for replay",
		Subjects:    []string{events.DeadSubject("*", "*")},
		Discard:     jetstream.DiscardNew,
		Duplicates:  time.Hour,
	}}
	for i := range streams {
		streams[i].Storage = jetstream.FileStorage
		streams[i].Replicas = max(replicas, 1)
	}
	return streams
}

func consumerConfig(lane jobs.Lane) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       "run-" + string(lane),
		Description:   "tokens of lane " + string(lane),
		FilterSubject: subjectRun + string(lane) + ".*",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       AckWait,
		MaxDeliver:    -1, // reaching a limit would lose the token silently; crash loops are found in the record
		MaxAckPending: 20_000,
		MaxWaiting:    2048,
	}
}

// Ensure creates what is missing and checks what exists. It changes nothing that exists: a stream that is not as it
// must be is an error that says in what.
func (b *Bus) Ensure(ctx context.Context) error {
	if err := b.Check(ctx); errors.Is(err, ErrMismatch) {
		return err // before anything is created
	}
	for _, want := range topology(b.opts.Replicas) {
		_, err := b.js.CreateStream(ctx, want)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("bus: create stream %s: %w", want.Name, err)
		}
	}
	kv := jetstream.KeyValueConfig{Bucket: events.BucketMailboxes, Description: "the calendars wanted in step", Replicas: max(b.opts.Replicas, 1)}
	if _, err := b.js.CreateKeyValue(ctx, kv); err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return fmt.Errorf("bus: create bucket %s: %w", kv.Bucket, err)
	}
	if err := errors.Join(b.createTokens(ctx), b.ensureBuckets(ctx), b.ensureChanges(ctx)); err != nil {
		return err
	}
	for _, lane := range jobs.Lanes {
		want := consumerConfig(lane)
		if _, err := b.js.CreateConsumer(ctx, events.StreamJobs, want); err != nil && !errors.Is(err, jetstream.ErrConsumerExists) {
			return fmt.Errorf("bus: create consumer %s of %s: %w", want.Durable, events.StreamJobs, err)
		}
	}
	return b.Check(ctx)
}

// ErrMismatch says that something exists in NATS and is not as it must be; waiting does not mend it.
var ErrMismatch = errors.New("bus: NATS holds something under our names that is not as it must be")

// Check compares what exists with what must be, takes hold of it, and sets the clock. Every fault is in the error.
func (b *Bus) Check(ctx context.Context) error {
	var f faults
	b.checkStreams(ctx, topology(b.opts.Replicas), &f)
	f.add(b.checkConsumers(ctx))
	f.add(b.checkTokens(ctx))
	b.checkBoxes(ctx, &f)
	f.add(b.checkBuckets(ctx), nil)
	return b.checked(ctx, f)
}

// CheckOps is Check for an operator's commands. It demands only what they use: the bucket of the wanted mailboxes, and
// the streams of the records, tokens and events. So they need no rights for the rest, and work with a dispatcher of an older
// version, which has not created all that the fleet needs today.
func (b *Bus) CheckOps(ctx context.Context) error {
	var f faults
	var streams []jetstream.StreamConfig
	for _, want := range topology(b.opts.Replicas) {
		switch want.Name {
		case events.StreamState, events.StreamJobs, events.StreamEvents:
			streams = append(streams, want)
		}
	}
	b.checkStreams(ctx, streams, &f)
	b.checkBoxes(ctx, &f)
	return b.checked(ctx, f)
}

// faults are what a check finds.
type faults struct{ missing, differing []string }

func (f *faults) add(missing, differing []string) {
	f.missing, f.differing = append(f.missing, missing...), append(f.differing, differing...)
}

// checked is a check's answer; it sets the clock when nothing was found.
func (b *Bus) checked(ctx context.Context, f faults) error {
	if len(f.differing) > 0 {
		return fmt.Errorf("%w:\n%s\n(nothing is changed behind your back: mend it with the nats tool, or remove it while it is empty and start again)", ErrMismatch, strings.Join(f.differing, "\n"))
	}
	if len(f.missing) > 0 {
		return fmt.Errorf("bus: %s", strings.Join(f.missing, "\n"))
	}
	return b.SyncClock(ctx)
}

// checkStreams lets go of what was held before and takes hold of streams.
func (b *Bus) checkStreams(ctx context.Context, streams []jetstream.StreamConfig, f *faults) {
	b.streams, b.created = map[string]jetstream.Stream{}, map[string]time.Time{}
	for _, want := range streams {
		s, err := b.js.Stream(ctx, want.Name)
		if err != nil {
			f.missing = append(f.missing, fmt.Sprintf("stream %s: %v", want.Name, err))
			continue
		}
		f.add(nil, compare(want, s.CachedInfo().Config))
		b.streams[want.Name], b.created[want.Name] = s, s.CachedInfo().Created
	}
}

// checkBoxes takes hold of the bucket of the wanted mailboxes.
func (b *Bus) checkBoxes(ctx context.Context, f *faults) {
	var err error
	if b.boxes, err = b.js.KeyValue(ctx, events.BucketMailboxes); err != nil {
		f.missing = append(f.missing, fmt.Sprintf("bucket %s: %v", events.BucketMailboxes, err))
	}
	if s, err := b.js.Stream(ctx, streamBoxes); err == nil {
		b.streams[streamBoxes], b.created[streamBoxes] = s, s.CachedInfo().Created
	}
}

// Intact looks whether all that Check took hold of is still there and the same. [ErrLost] says that something is not;
// any other error leaves it open. What was lost is made by Ensure, on a new Bus or before anything else uses this one.
func (b *Bus) Intact(ctx context.Context) error {
	for name := range b.created {
		if err := b.intactStream(ctx, name); err != nil {
			return err
		}
	}
	for _, lane := range jobs.Lanes {
		if err := b.intactConsumer(ctx, events.StreamJobs, consumerConfig(lane).Durable); err != nil {
			return err
		}
	}
	return b.intactConsumer(ctx, events.StreamChanges, consumerChanges)
}

func (b *Bus) intactConsumer(ctx context.Context, stream, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("%w: consumer %s of %s does not exist", ErrLost, name, stream)
	}
	if err != nil {
		return b.failure("look at consumer "+name, err)
	}
	return nil
}

// checkConsumers names which of the lanes' consumers are missing, and what of the others is not as it must be. How many
// tokens may be out at once is the operator's affair.
func (b *Bus) checkConsumers(ctx context.Context) (missing, differing []string) {
	for _, lane := range jobs.Lanes {
		want := consumerConfig(lane)
		c, err := b.js.Consumer(ctx, events.StreamJobs, want.Durable)
		if err != nil {
			missing = append(missing, fmt.Sprintf("consumer %s of %s: %v", want.Durable, events.StreamJobs, err))
			continue
		}
		have := c.CachedInfo().Config
		if have.FilterSubject != want.FilterSubject || have.AckPolicy != want.AckPolicy || have.AckWait != want.AckWait || have.MaxDeliver != want.MaxDeliver {
			differing = append(differing, fmt.Sprintf("consumer %s of %s has filter %q, %v, ack_wait %v, max_deliver %d, but must have %q, %v, %v, %d", want.Durable, events.StreamJobs,
				have.FilterSubject, have.AckPolicy, have.AckWait, have.MaxDeliver, want.FilterSubject, want.AckPolicy, want.AckWait, want.MaxDeliver))
		}
	}
	return missing, differing
}

// WaitReady checks until what a dispatcher creates is there, at most for the given time.
func (b *Bus) WaitReady(ctx context.Context, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for said := false; ; said = true {
		err := b.Check(ctx)
		if err == nil || errors.Is(err, ErrMismatch) || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		if !said {
			b.log.Info().Msg("waiting for the streams, which a dispatcher creates")
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// compare names what of a stream is not as it must be. Limits of size and age, replicas and placement are the
// operator's affair.
func compare(want, have jetstream.StreamConfig) []string {
	var faults []string
	name := have.Name
	differ := func(what string, want, have any) {
		if w, h := fmt.Sprint(want), fmt.Sprint(have); w != h {
			faults = append(faults, fmt.Sprintf("stream %s has %s=%s, but must have %s", name, what, h, w))
		}
	}
	differ("subjects", want.Subjects, have.Subjects)
	differ("retention", want.Retention, have.Retention)
	differ("storage", want.Storage, have.Storage)
	differ("allow_direct", want.AllowDirect, have.AllowDirect)
	differ("allow_msg_schedules", want.AllowMsgSchedules, have.AllowMsgSchedules)
	if want.AllowMsgTTL {
		differ("allow_msg_ttl", want.AllowMsgTTL, have.AllowMsgTTL)
	}
	if want.AllowRollup {
		differ("allow_rollup_hdrs", want.AllowRollup, have.AllowRollup)
	}
	if have.Duplicates < want.Duplicates {
		faults = append(faults, fmt.Sprintf("stream %s has duplicate_window=%v, but must have at least %v", name, have.Duplicates, want.Duplicates))
	}
	if want.MaxMsgsPerSubject > 0 {
		differ("max_msgs_per_subject", want.MaxMsgsPerSubject, have.MaxMsgsPerSubject)
	}
	if want.Discard == jetstream.DiscardNew {
		differ("discard", want.Discard, have.Discard)
	}
	return faults
}
