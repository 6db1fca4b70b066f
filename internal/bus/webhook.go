package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Webhook is the record of a webhook: who posts at present, and what is posted already. The newest in the stream counts,
// and every change is a compare-and-set, as with mailboxes.
type Webhook struct {
	Owner string    `json:"owner,omitempty"` // the process that posts, "" for none
	Lease time.Time `json:"lease,omitzero"`  // until when it may be presumed alive, by the server's clock
	// Read is the sequence up to which every event is posted, but for those of the mailboxes in Owed.
	Read uint64 `json:"read"`
	// Owed has, by mailbox token, the sequence of the first event that is not posted.
	Owed map[string]uint64 `json:"owed,omitempty"`

	Posted    time.Time `json:"posted,omitzero"` // when an event was last taken
	Failed    time.Time `json:"failed,omitzero"` // when one was last not taken
	LastError string    `json:"lastError,omitempty"`
}

const (
	streamWebhooks = "WEBHOOKS"
	subjectWebhook = "webhook."
)

// WebhookCursor keeps the record of one webhook.
type WebhookCursor struct {
	b       *Bus
	stream  jetstream.Stream
	subject string
}

// OpenWebhook takes hold of a webhook's record, and creates the stream for it when there is none. name is a token of a
// subject.
func (b *Bus) OpenWebhook(ctx context.Context, name string) (*WebhookCursor, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	want := jetstream.StreamConfig{
		Name: streamWebhooks, Description: "webhooks: what was posted; the newest counts", Subjects: []string{subjectWebhook + "*"},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, Replicas: max(b.opts.Replicas, 1),
		AllowDirect: false, // as with the mailboxes' records
	}
	s, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = b.js.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, b.failure("open stream "+want.Name, err)
	}
	if differing := compare(want, s.CachedInfo().Config); len(differing) > 0 {
		return nil, fmt.Errorf("%w:\n%s", ErrMismatch, strings.Join(differing, "\n"))
	}
	return &WebhookCursor{b, s, subjectWebhook + name}, nil
}

// Load reads the record and the sequence at which it stands; a zero record at sequence 0 when there is none.
func (c *WebhookCursor) Load(ctx context.Context) (Webhook, uint64, error) {
	var w Webhook
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := c.stream.GetLastMsgForSubject(ctx, c.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return w, 0, nil
	}
	if err != nil {
		return w, 0, c.b.failure("read "+c.subject, err)
	}
	if err := json.Unmarshal(m.Data, &w); err != nil {
		return w, 0, fmt.Errorf("bus: %s at sequence %d: %w", c.subject, m.Sequence, err)
	}
	return w, m.Sequence, nil
}

// Save stores the record if it still stands at expect, and returns the sequence that it has now. [ErrConflict] says that it
// does not; any other error leaves it unknown whether it was stored.
func (c *WebhookCursor) Save(ctx context.Context, w Webhook, expect uint64) (uint64, error) {
	data, err := json.Marshal(w)
	if err != nil {
		return 0, fmt.Errorf("bus: encode %s: %w", c.subject, err)
	}
	return c.b.publish(ctx, &nats.Msg{Subject: c.subject, Data: data}, int64(expect))
}
