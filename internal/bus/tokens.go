package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// Token is a job as it came from the queue.
type Token struct {
	Mailbox string // token of the mailbox
	Lane    jobs.Lane
	Hint    *jobs.Hint // nil when the token carries none
	msg     jetstream.Msg
}

// Ack tells the queue that the token has done its duty. It does not wait: should it get lost, the token comes again
// and finds nothing to do.
func (t *Token) Ack() error { return t.msg.Ack() }

// Extend tells the queue that the token's worker is alive.
func (t *Token) Extend() error { return t.msg.InProgress() }

// HandBack gives the token to another worker at once.
func (t *Token) HandBack() error { return t.msg.Nak() }

// Queue is one lane's tokens, for one worker.
type Queue struct {
	lane jobs.Lane
	it   jetstream.MessagesContext

	mu          sync.Mutex
	first, miss time.Time // the first and the newest of the heartbeats that were missed in a row
}

// heartbeat is how often the server says that a pull stands. Two that fail to come are an error of Next's.
const heartbeat = 5 * time.Second

// Silent is for how long the server has said nothing on this lane, although asked; zero when it speaks. A consumer that
// is wedged looks so, and a permission that is missing. It is known only while somebody waits in Next.
func (q *Queue) Silent() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.miss.IsZero() || time.Since(q.miss) > 3*heartbeat {
		return 0
	}
	return time.Since(q.first) + 2*heartbeat
}

// missed notes that the heartbeats fail to come, heard that something came.
func (q *Queue) missed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.miss.IsZero() || now.Sub(q.miss) > 3*heartbeat {
		q.first = now
	}
	q.miss = now
}

func (q *Queue) heard() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.miss = time.Time{}
}

// Take opens a lane. At most ahead tokens are fetched before they are asked for.
func (b *Bus) Take(ctx context.Context, lane jobs.Lane, ahead int) (*Queue, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := b.js.Consumer(ctx, events.StreamJobs, consumerConfig(lane).Durable)
	if err != nil {
		return nil, b.failure("open lane "+string(lane), err)
	}
	it, err := c.Messages(jetstream.PullMaxMessages(ahead), jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return nil, b.failure("open lane "+string(lane), err)
	}
	return &Queue{lane: lane, it: it}, nil
}

// ErrClosed says that a queue was stopped and holds no more tokens.
var ErrClosed = errors.New("bus: queue closed")

// Next waits for a token. A token that makes no sense is removed and skipped.
func (q *Queue) Next(ctx context.Context) (Token, error) {
	for {
		m, err := q.it.Next(jetstream.NextContext(ctx))
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return Token{}, ErrClosed
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			q.missed()
			continue // the server was away; the pull is renewed
		case err != nil:
			return Token{}, err
		}
		q.heard()
		if t, ok := q.token(m); ok {
			return t, nil
		}
		_ = m.Term()
	}
}

func (q *Queue) token(m jetstream.Msg) (Token, bool) {
	mb, found := strings.CutPrefix(m.Subject(), subjectRun+string(q.lane)+".")
	if !found {
		return Token{}, false
	}
	t := Token{Mailbox: mb, Lane: q.lane, msg: m}
	if len(m.Data()) > 0 {
		var h jobs.Hint
		if json.Unmarshal(m.Data(), &h) == nil && h.Seq > 0 {
			t.Hint = &h
		}
	}
	return t, true
}

// Drain stops fetching. Next goes on to return what was fetched already, then ErrClosed.
func (q *Queue) Drain() { q.it.Drain() }

// Stop ends the queue at once; what was fetched comes back to others after AckWait.
func (q *Queue) Stop() { q.it.Stop() }

// maxHint bounds the hint: a larger record is read from the leader when its token comes.
const maxHint = 8 << 10

func hintData(h jobs.Hint) []byte {
	if len(h.Record.Outbox) > 0 {
		return nil
	}
	data, err := json.Marshal(h)
	if err != nil || len(data) > maxHint {
		return nil
	}
	return data
}

// PutToken puts a token into the queue if the mailbox has none in any lane. It reports whether it did. A booking's token
// stands beside one of another lane, behind which it would wait; whichever comes later finds nothing to do.
func (b *Bus) PutToken(ctx context.Context, mb string, lane jobs.Lane, h jobs.Hint) (bool, error) {
	m := &nats.Msg{Subject: subjectRun + string(lane) + "." + mb, Data: hintData(h), Header: nats.Header{}}
	if lane != jobs.LaneBooking {
		m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, subjectRun+"*."+mb)
	}
	_, err := b.publish(ctx, m, 0)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// Park stores the schedule of the mailbox's next token, in place of the one there may be.
func (b *Bus) Park(ctx context.Context, mb string, lane jobs.Lane, at time.Time, h jobs.Hint) error {
	_, err := b.publish(ctx, schedule(subjectWait+mb, lane, mb, at, hintData(h)), -1)
	return err
}

// Parked is a schedule that Park stored.
type Parked struct {
	At   time.Time // when its token is to come
	Lane jobs.Lane
	Hint jobs.Hint // zero when the schedule carries none
}

// Parked reads the schedule of the mailbox's next token. [ErrNotFound] says that there is none.
func (b *Bus) Parked(ctx context.Context, mb string) (Parked, error) {
	m, err := b.last(ctx, events.StreamJobs, subjectWait+mb)
	if err != nil {
		return Parked{}, err
	}
	at, found := strings.CutPrefix(m.Header.Get(jetstream.ScheduleHeader), scheduleAt)
	when, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !found {
		return Parked{}, ErrNotFound // somebody's message, which brings no token
	}
	p := Parked{At: when}
	lane := strings.TrimPrefix(m.Header.Get(jetstream.ScheduleTargetHeader), subjectRun)
	p.Lane = jobs.Lane(strings.TrimSuffix(lane, "."+mb))
	if json.Unmarshal(m.Data, &p.Hint) != nil {
		p.Hint = jobs.Hint{}
	}
	return p, nil
}

// Kick stores a schedule beside the one that Park keeps, for a token that found its place taken: the owner of that
// place may be done without having seen what the token stands for. The first kick wins, so that a stream of triggers
// cannot put it off.
func (b *Bus) Kick(ctx context.Context, mb string, lane jobs.Lane, at time.Time) error {
	_, err := b.publish(ctx, schedule(subjectKick+mb, lane, mb, at, nil), 0)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// scheduleAt stands before the time of a schedule that fires once.
const scheduleAt = "@at "

// schedule writes the time with all its digits: the library's own helper cuts the fraction off and fires early.
func schedule(subject string, lane jobs.Lane, mb string, at time.Time, data []byte) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	m.Header.Set(jetstream.ScheduleHeader, scheduleAt+at.UTC().Format(time.RFC3339Nano))
	m.Header.Set(jetstream.ScheduleTargetHeader, subjectRun+string(lane)+"."+mb)
	return m
}

// Trigger says that the mailbox is to be looked at, durably: Want is raised, and a token will come. Urgent work
// does not wait for the next poll, but it does wait for the end of a back-off.
func (b *Bus) Trigger(ctx context.Context, mb string, lane jobs.Lane) error {
	return b.trigger(ctx, mb, lane, func(*jobs.Record) {})
}

// trigger makes a change of the record together with the trigger. A mailbox that is not enabled is left alone.
func (b *Bus) trigger(ctx context.Context, mb string, lane jobs.Lane, change func(*jobs.Record)) error {
	r, seq, err := b.UpdateRecord(ctx, mb, func(r *jobs.Record) bool {
		if !r.Settings.Enabled {
			return false
		}
		r.Want++
		r.Lane = jobs.Urgent(r.Lane, lane)
		change(r)
		return true
	})
	if err != nil || !r.Settings.Enabled {
		return err
	}
	return b.Wake(ctx, mb, &r, seq)
}

// Wake brings a token for a record that has work: now, or when its back-off is over.
func (b *Bus) Wake(ctx context.Context, mb string, r *jobs.Record, seq uint64) error {
	lane, now := jobs.Urgent(r.Lane, jobs.LanePoll), b.Now()
	h := jobs.Hint{Seq: seq, Record: *r}
	if r.Owner == "" && now.Before(r.Until()) {
		return b.Park(ctx, mb, lane, r.Until(), h)
	}
	placed, err := b.PutToken(ctx, mb, lane, h)
	if err != nil || placed {
		return err
	}
	return b.Kick(ctx, mb, lane, now.Add(time.Second))
}
