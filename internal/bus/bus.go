// Package bus is all that roomsync knows of NATS: the streams and buckets, the tokens and their schedules, the
// records and their compare-and-set, the outbox and where it goes. Nothing above it names a NATS type.
//
// What each stream holds and why it is configured so stands in topology.go.
package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// Options says how to reach NATS.
type Options struct {
	URL         string // one or more, separated by commas
	Name        string // of the connection, as operators see it
	CredsFile   string // user credentials (JWT and nkey), optional
	InboxPrefix string // default "_INBOX"; a role with narrow permissions has its own
	Source      string // CloudEvents source of what is published, default "roomsync"
	Log         zerolog.Logger
	// Replicas of streams that Ensure creates, default 1. Existing streams keep theirs.
	Replicas int
	// InProcess connects to a server in this process instead of URL.
	InProcess nats.InProcessConnProvider
	// Connected tells of every gain and loss of the connection, optional.
	Connected func(up bool)
}

// Bus is a connection to NATS JetStream. It is safe for concurrent use.
type Bus struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	opts    Options
	log     zerolog.Logger
	clock   clock
	streams map[string]jetstream.Stream
	created map[string]time.Time // when the streams were made, which tells one from its successor
	boxes   jetstream.KeyValue
	tokens  jetstream.KeyValue
	heard   complaints
}

// callTimeout bounds every single request to NATS.
const callTimeout = 5 * time.Second

// ErrConflict says that a compare-and-set found another sequence than expected: somebody else wrote.
var ErrConflict = errors.New("bus: written by somebody else meanwhile")

// ErrTooLarge says that a message is larger than the server takes.
var ErrTooLarge = errors.New("bus: larger than the NATS server's max_payload")

// ErrNotFound says that there is nothing stored.
var ErrNotFound = errors.New("bus: not found")

// Connect connects, or says within five seconds why it cannot. It creates nothing; call Ensure, Check or CheckOps next.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	if o.Source == "" {
		o.Source = "roomsync"
	}
	b := &Bus{opts: o, log: o.Log}
	nc, err := nats.Connect(o.URL, b.connectOptions()...)
	if err != nil {
		return nil, unreachable(o, err)
	}
	b.nc = nc
	if b.js, err = jetstream.New(nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := b.js.AccountInfo(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		nc.Close()
		return nil, fmt.Errorf("bus: NATS at %s has no JetStream for us: %w (start it with -js)", redactURL(o.URL), err)
	}
	return b, nil
}

// unreachable says what to do: a server that refuses us, or a credentials file that cannot be read, is not absent.
func unreachable(o Options, err error) error {
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return fmt.Errorf("bus: the NATS credentials cannot be read: %w (--nats-creds)", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("bus: NATS at %s refuses to let us in: %w (give the user's credentials by --nats-creds)", redactURL(o.URL), err)
	}
	return fmt.Errorf("bus: cannot reach NATS at %s: %w (start nats-server -js there, or give another --nats-url)", redactURL(o.URL), err)
}

func (b *Bus) connectOptions() []nats.Option {
	o := []nats.Option{
		nats.Name(b.opts.Name), nats.Timeout(callTimeout), nats.MaxReconnects(-1),
		nats.ReconnectWait(200 * time.Millisecond), nats.ReconnectJitter(300*time.Millisecond, time.Second),
		nats.ErrorHandler(b.asyncError),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.connected(false, err) }),
		nats.ReconnectHandler(func(*nats.Conn) { b.connected(true, nil) }),
	}
	if b.opts.CredsFile != "" {
		o = append(o, nats.UserCredentials(b.opts.CredsFile))
	}
	if b.opts.InboxPrefix != "" {
		o = append(o, nats.CustomInboxPrefix(b.opts.InboxPrefix))
	}
	if b.opts.InProcess != nil {
		o = append(o, nats.InProcessServer(b.opts.InProcess))
	}
	return o
}

// asyncError is where NATS says that a permission is missing: the caller itself only sees a time-out.
func (b *Bus) asyncError(nc *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		b.log.Error().Err(err).Msg("NATS refuses: a permission is missing")
		return
	}
	b.log.WithLevel(b.complaint(nc != nil && nc.IsConnected(), err.Error())).Err(err).Msg("NATS")
}

// complaints are what the client library said last, and when.
type complaints struct {
	mu   sync.Mutex
	last string
	at   time.Time
}

// complaint is a warning for what was not heard for a minute. Without a connection the library goes on complaining of what
// it cannot do, which the loss of the connection has told already.
func (b *Bus) complaint(up bool, text string) zerolog.Level {
	b.heard.mu.Lock()
	defer b.heard.mu.Unlock()
	now := time.Now()
	if !up || text == b.heard.last && now.Sub(b.heard.at) < time.Minute {
		return zerolog.DebugLevel
	}
	b.heard.last, b.heard.at = text, now
	return zerolog.WarnLevel
}

func (b *Bus) connected(up bool, err error) {
	if up {
		b.log.Info().Msg("connected to NATS again")
	} else if err != nil {
		b.log.Warn().Err(err).Msg("connection to NATS lost")
	}
	if b.opts.Connected != nil {
		b.opts.Connected(up)
	}
}

// Up reports whether the connection stands.
func (b *Bus) Up() bool { return b.nc.IsConnected() }

// Close ends the connection; what was published before has been sent.
func (b *Bus) Close() {
	if b.nc.IsConnected() {
		// With a context, since FlushTimeout takes its timer from a pool that all connections of a process share.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = b.nc.FlushWithContext(ctx)
	}
	b.nc.Close()
}

// publish stores one message and waits for the stream's word. expect, when not negative, is the sequence at which
// the subject must stand.
func (b *Bus) publish(ctx context.Context, m *nats.Msg, expect int64) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var opts []jetstream.PublishOpt
	if expect >= 0 {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(uint64(expect)))
	}
	ack, err := b.js.PublishMsg(ctx, m, opts...)
	if err != nil {
		return 0, b.failure("publish to "+m.Subject, err)
	}
	return ack.Sequence, nil
}

// Codes of the JetStream API.
const (
	errWrongLastSequence         jetstream.ErrorCode = 10071
	errWrongLastSequenceConstant jetstream.ErrorCode = 10164 // another write to the subject is in flight
)

func (b *Bus) failure(what string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == errWrongLastSequence || api.ErrorCode == errWrongLastSequenceConstant) {
		return ErrConflict
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ErrNotFound
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: %s", ErrTooLarge, what)
	}
	return fmt.Errorf("bus: %s: %w", what, err)
}

// last reads the newest message of a subject from the stream's leader.
func (b *Bus) last(ctx context.Context, stream, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := b.streams[stream].GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return nil, b.failure("read "+subject, err)
	}
	return m, nil
}
