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
	err := b.watchMailboxes(ctx, false, func(e MailboxEntry) { all = append(all, e.Mailbox) }, nil)
	slices.SortFunc(all, func(x, y events.Mailbox) int { return strings.Compare(x.Address, y.Address) })
	return all, err
}

// MailboxEntry is a state of the wanted set's entry.
type MailboxEntry struct {
	Token    string
	Revision uint64 // grows with every change, but begins anew when the bucket is made anew
	Removed  bool
	Mailbox  events.Mailbox // zero when Removed
}

// Mailbox reads one entry from the bucket's leader: what it says no other server can have overtaken. An entry that does
// not exist is returned as removed, at revision 0.
func (b *Bus) Mailbox(ctx context.Context, mb string) (MailboxEntry, error) {
	entry := MailboxEntry{Token: mb, Removed: true}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, streamBoxes)
	if err != nil {
		return entry, b.failure("read mailbox "+mb, err)
	}
	s.CachedInfo().Config.AllowDirect = false // a direct get may be answered by a follower that is behind
	m, err := s.GetLastMsgForSubject(ctx, "$KV."+events.BucketMailboxes+"."+mb)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return entry, nil
	}
	if err != nil {
		return entry, b.failure("read mailbox "+mb, err)
	}
	entry.Revision = m.Sequence
	if m.Header.Get("KV-Operation") != "" || m.Header.Get(jetstream.MarkerReasonHeader) != "" {
		return entry, nil
	}
	entry.Removed = false
	if err := json.Unmarshal(m.Data, &entry.Mailbox); err != nil {
		return entry, fmt.Errorf("bus: mailbox %s at revision %d: %w", mb, m.Sequence, err)
	}
	return entry, nil
}

// WatchMailboxes calls f for every entry there is, then listed once, and then f for every change, until ctx ends. Both
// are called by one goroutine.
func (b *Bus) WatchMailboxes(ctx context.Context, f func(MailboxEntry), listed func()) error {
	return b.watchMailboxes(ctx, true, f, listed)
}

func (b *Bus) watchMailboxes(ctx context.Context, stay bool, f func(MailboxEntry), listed func()) error {
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
				return errors.Join(b.intactStream(ctx, streamBoxes), errors.New("bus: the watch of the mailboxes ended"))
			case e == nil && !stay:
				return nil
			case e == nil:
				listed()
			default:
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
