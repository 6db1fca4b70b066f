package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

// PutMailbox stores an entry of the wanted set under the mailbox token mb. It reports whether that changed anything.
func (b *Bus) PutMailbox(ctx context.Context, mb string, m events.Mailbox) (bool, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return false, fmt.Errorf("bus: encode mailbox %s: %w", mb, err)
	}
	old, err := b.boxes.Get(ctx, mb)
	if err == nil && bytes.Equal(old.Value(), data) {
		return false, nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, b.failure("read mailbox "+mb, err)
	}
	if _, err := b.boxes.Put(ctx, mb, data); err != nil {
		return false, b.failure("store mailbox "+mb, err)
	}
	return true, nil
}

// RemoveMailbox takes an entry out of the wanted set; [ErrNotFound] when there is none.
func (b *Bus) RemoveMailbox(ctx context.Context, mb string) error {
	if _, err := b.boxes.Get(ctx, mb); err != nil {
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return ErrNotFound
		}
		return b.failure("read mailbox "+mb, err)
	}
	if err := b.boxes.Delete(ctx, mb); err != nil {
		return b.failure("remove mailbox "+mb, err)
	}
	return nil
}

// Mailboxes lists the wanted set, by address.
func (b *Bus) Mailboxes(ctx context.Context) ([]events.Mailbox, error) {
	var all []events.Mailbox
	err := b.watchMailboxes(ctx, false, func(e MailboxEntry) { all = append(all, e.Mailbox) })
	slices.SortFunc(all, func(x, y events.Mailbox) int { return strings.Compare(x.Address, y.Address) })
	return all, err
}

// MailboxEntry is a state of the wanted set's entry.
type MailboxEntry struct {
	Token    string
	Revision uint64
	Removed  bool
	Mailbox  events.Mailbox // zero when Removed
}

// WatchMailboxes calls f for every entry there is and then for every change, until ctx ends.
func (b *Bus) WatchMailboxes(ctx context.Context, f func(MailboxEntry)) error {
	return b.watchMailboxes(ctx, true, f)
}

func (b *Bus) watchMailboxes(ctx context.Context, stay bool, f func(MailboxEntry)) error {
	var opts []jetstream.WatchOpt
	if !stay {
		opts = append(opts, jetstream.IgnoreDeletes())
	}
	w, err := b.boxes.WatchAll(ctx, opts...)
	if err != nil {
		return b.failure("watch the mailboxes", err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			if stay {
				return nil
			}
			return ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("bus: the watch of the mailboxes ended")
			case e == nil && !stay:
				return nil
			case e != nil:
				b.mailboxEntry(e, f)
			}
		}
	}
}

// mailboxEntry decodes an entry that anybody may have written; one that makes no sense changes nothing.
func (b *Bus) mailboxEntry(e jetstream.KeyValueEntry, f func(MailboxEntry)) {
	entry := MailboxEntry{Token: e.Key(), Revision: e.Revision()}
	if e.Operation() != jetstream.KeyValuePut {
		entry.Removed = true
		f(entry)
		return
	}
	if err := json.Unmarshal(e.Value(), &entry.Mailbox); err != nil {
		b.log.Error().Str("key", e.Key()).Err(err).Msg("entry of bucket mailboxes is not understood; it is ignored (roomsync mailboxes set writes a right one)")
		return
	}
	f(entry)
}
