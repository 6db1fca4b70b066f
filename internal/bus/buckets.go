package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

// buckets are those of our own whose entries are read from the leader and written by compare-and-set, and what each holds.
var buckets = []struct{ name, holds string }{
	{events.BucketThrottle, "when and whom to leave alone: back-off and refused access, shared by the fleet"},
	{events.BucketLinks, "which appointment is which booking's, and what both sides agreed on last"},
}

// ensureBuckets creates those that are not there.
func (b *Bus) ensureBuckets(ctx context.Context) error {
	for _, x := range buckets {
		kv := jetstream.KeyValueConfig{Bucket: x.name, Description: x.holds, Replicas: max(b.opts.Replicas, 1)}
		if _, err := b.js.CreateKeyValue(ctx, kv); err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return fmt.Errorf("bus: create bucket %s: %w", x.name, err)
		}
	}
	return nil
}

// checkBuckets takes hold of the buckets, and says which are missing.
func (b *Bus) checkBuckets(ctx context.Context) (missing []string) {
	for _, x := range buckets {
		stream := "KV_" + x.name
		s, err := b.js.Stream(ctx, stream)
		if err != nil {
			missing = append(missing, fmt.Sprintf("bucket %s: %v", x.name, err))
			continue
		}
		s.CachedInfo().Config.AllowDirect = false // a direct get may be answered by a follower that is behind
		b.streams[stream], b.created[stream] = s, s.CachedInfo().Created
	}
	return missing
}
