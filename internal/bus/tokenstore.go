package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

// The bucket of the access tokens that all workers share. What stands in it is sealed by those who use it.
const (
	streamTokens  = "KV_" + events.BucketTokens
	subjectTokens = "$KV." + events.BucketTokens + "."
	// tokensAge is when an entry that nobody has written is dropped: later than any token expires, so that what is
	// left of a credential no longer used goes away.
	tokensAge = 72 * time.Hour
	// tokensMinAge is the longest life that a token is given credit for.
	tokensMinAge = 48 * time.Hour
)

// createTokens makes the bucket unless it exists.
func (b *Bus) createTokens(ctx context.Context) error {
	_, err := b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: events.BucketTokens, Description: "access tokens of the whole fleet, sealed",
		History: 1, TTL: tokensAge, Storage: jetstream.FileStorage, Replicas: max(b.opts.Replicas, 1),
	})
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return fmt.Errorf("bus: create bucket %s: %w", events.BucketTokens, err)
	}
	return nil
}

// checkTokens takes hold of the bucket and names what of it is missing or not as it must be.
func (b *Bus) checkTokens(ctx context.Context) (missing, differing []string) {
	s, err := b.js.Stream(ctx, streamTokens)
	if err != nil {
		return []string{fmt.Sprintf("bucket %s: %v", events.BucketTokens, err)}, nil
	}
	have := s.CachedInfo().Config
	differing = compare(jetstream.StreamConfig{
		Subjects: []string{subjectTokens + ">"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxMsgsPerSubject: 1, AllowRollup: true, AllowDirect: have.AllowDirect,
	}, have)
	if have.MaxAge > 0 && have.MaxAge < tokensMinAge {
		differing = append(differing, fmt.Sprintf("stream %s has max_age=%v, but must have none or at least %v", streamTokens, have.MaxAge, tokensMinAge))
	}
	if b.tokens, err = b.js.KeyValue(ctx, events.BucketTokens); err != nil {
		missing = append(missing, fmt.Sprintf("bucket %s: %v", events.BucketTokens, err))
	}
	// This handle is for reads from the leader: a direct get may be answered by a follower that is behind.
	s.CachedInfo().Config.AllowDirect = false
	b.streams[streamTokens], b.created[streamTokens] = s, s.CachedInfo().Created
	return missing, differing
}

var errUnchecked = errors.New("bus: the bucket of tokens needs Ensure or Check first")

// TokenStore is the bucket of shared access tokens.
type TokenStore struct{ b *Bus }

// TokenStore returns the bucket of shared access tokens. Check or Ensure must have found it before it is used.
func (b *Bus) TokenStore() TokenStore { return TokenStore{b} }

// Get reads an entry from the bucket's leader, and the revision at which it stands. When there is none, data is empty
// and revision what Put must name: 0 only if there never was one.
func (t TokenStore) Get(ctx context.Context, key string) (data []byte, revision uint64, err error) {
	if t.b.streams[streamTokens] == nil {
		return nil, 0, errUnchecked
	}
	m, err := t.b.last(ctx, streamTokens, subjectTokens+key)
	if errors.Is(err, ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return m.Data, m.Sequence, nil // markers of deletion have no data
}

// Put stores an entry that still stands at revision, and returns its new one. ok is false when somebody else wrote
// meanwhile; after an error it is unknown whether the entry was stored.
func (t TokenStore) Put(ctx context.Context, key string, data []byte, revision uint64) (now uint64, ok bool, err error) {
	now, err = t.b.publish(ctx, &nats.Msg{Subject: subjectTokens + key, Data: data}, int64(revision))
	if errors.Is(err, ErrConflict) {
		return 0, false, nil
	}
	return now, err == nil, err
}

// Wait returns an entry, as Get does, as soon as it stands at a later revision than the given one. It ends with ctx. It
// costs a consumer of the bucket for as long as it takes.
func (t TokenStore) Wait(ctx context.Context, key string, revision uint64) (data []byte, now uint64, err error) {
	if t.b.tokens == nil {
		return nil, 0, errUnchecked
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := t.b.tokens.Watch(ctx, key)
	if err != nil {
		return nil, 0, t.b.failure("wait for "+subjectTokens+key, err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok && ctx.Err() != nil:
				return nil, 0, ctx.Err()
			case !ok:
				return nil, 0, errors.New("bus: waiting for " + subjectTokens + key + " ended")
			case e != nil && e.Revision() > revision:
				return e.Value(), e.Revision(), nil
			}
		}
	}
}
