package roomsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
)

// feed follows the stream of events once, for all readers of this process, and remembers the newest. A reader that is further
// behind asks NATS for one event after the other, so that it leaves nothing there, and nothing is read that it does not take.
type feed struct {
	bus *bus.Bus
	log zerolog.Logger

	mu    sync.Mutex // held for a moment only
	ring  []*entry   // by sequence
	bytes int
	// Every event from sequence cover up to at is in ring; 0 while the stream is not followed.
	cover, at uint64
	moved     chan struct{} // closed when the above changes
	era       int           // rises when the stream may be another one than before, or the feed ends
}

// Bounds of what a feed remembers.
const (
	maxRing      = 2048
	maxRingBytes = 16 << 20
)

// entry is an event that several readers write.
type entry struct {
	bus.Delivered
	text func() ([]byte, error) // in the JSON format of CloudEvents, without line ends
}

func newEntry(d bus.Delivered) *entry {
	return &entry{d, sync.OnceValues(func() ([]byte, error) { return oneLine(d) })}
}

func oneLine(d bus.Delivered) ([]byte, error) {
	text, err := d.MarshalJSON()
	if err != nil || bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return text, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, text)
	return b.Bytes(), err
}

func newFeed(b *bus.Bus, log zerolog.Logger) *feed {
	return &feed{bus: b, log: log, moved: make(chan struct{})}
}

// run follows the stream until ctx ends; readers end then.
func (f *feed) run(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		if err := f.follow(ctx); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			f.log.Warn().Err(err).Msg("the stream of events cannot be followed; trying again")
		}
		f.end()
		pause(ctx, time.Second)
	}
	f.move(func() { f.era++ })
}

func (f *feed) follow(ctx context.Context) error {
	_, last, err := f.bus.EventsKept(ctx)
	if err != nil {
		return err
	}
	f.move(func() { f.cover, f.at = last+1, last })
	return f.bus.FollowEvents(ctx, last+1, func(d bus.Delivered) error {
		f.move(func() { f.add(newEntry(d)) })
		return nil
	})
}

// move changes the feed and wakes those who wait for that.
func (f *feed) move(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *feed) add(e *entry) {
	f.ring, f.bytes, f.at = append(f.ring, e), f.bytes+len(e.Data), e.Sequence
	for len(f.ring) > maxRing || f.bytes > maxRingBytes {
		f.cover, f.bytes = f.ring[0].Sequence+1, f.bytes-len(f.ring[0].Data)
		f.ring[0] = nil
		f.ring = f.ring[1:]
	}
}

// end forgets everything, if the stream was followed.
func (f *feed) end() {
	f.move(func() {
		if f.cover > 0 {
			f.ring, f.bytes, f.cover, f.at, f.era = nil, 0, 0, 0, f.era+1
		}
	})
}

func (f *feed) reader(mailbox string, after uint64) *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &reader{feed: f, mailbox: mailbox, at: after, era: f.era}
}

// errInterrupted says that the stream may be another one than before, so that a position must be checked anew.
var errInterrupted = errors.New("roomsapi: reading was interrupted")

// forgottenError says that events after a reader's position are not kept any more, or that the stream does not reach it.
type forgottenError struct{ first, last uint64 }

func (e *forgottenError) Error() string {
	return fmt.Sprintf("roomsapi: events from %d to %d are kept", e.first, e.last)
}

// reader reads the events of one mailbox, or of all ("*"), from a position on.
type reader struct {
	feed    *feed
	mailbox string
	at      uint64 // nothing up to this sequence is missing
	era     int
}

// everybody is a reader's mailbox when it reads the events of all.
const everybody = "*"

// Bounds of what a reader takes in one go.
const (
	maxTake      = 64
	maxTakeBytes = 1 << 20
)

// next returns the events after the reader's position and moves it behind them. It waits for the first one, until ctx ends.
// Whatever NATS does meanwhile, it waits; [forgottenError] and errInterrupted end a reader.
func (r *reader) next(ctx context.Context, limit int) ([]*entry, error) {
	for ctx.Err() == nil {
		found, moved, err := r.try(ctx, limit)
		if err != nil && !final(err) {
			pause(ctx, time.Second)
			continue
		}
		if err != nil || len(found) > 0 {
			return found, err
		}
		t := time.NewTimer(5 * time.Second) // for a feed that does not follow at present
		select {
		case <-moved:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil, ctx.Err()
}

func final(err error) bool {
	var f *forgottenError
	return errors.Is(err, errInterrupted) || errors.As(err, &f)
}

// try is next without waiting; moved is closed when it is worth another try.
func (r *reader) try(ctx context.Context, limit int) (found []*entry, moved <-chan struct{}, err error) {
	f := r.feed
	f.mu.Lock()
	at, moved, era, covered := f.at, f.moved, f.era, f.cover > 0 && r.at+1 >= f.cover
	if covered {
		found = r.fromRing(limit)
	}
	f.mu.Unlock()
	if era != r.era {
		return nil, moved, errInterrupted
	}
	if !covered {
		found, err = r.fromStream(ctx, limit, at)
	}
	return found, moved, err
}

// fromRing takes from what the feed remembers, whose lock is held. What another reader wants is passed over for good.
func (r *reader) fromRing(limit int) (found []*entry) {
	f, size := r.feed, 0
	i, _ := slices.BinarySearchFunc(f.ring, r.at+1, func(e *entry, seq uint64) int { return int(int64(e.Sequence) - int64(seq)) })
	for _, e := range f.ring[i:] {
		if len(found) == limit || size > maxTakeBytes {
			return found
		}
		if r.at = e.Sequence; r.mailbox == everybody || r.mailbox == e.Mailbox {
			found, size = append(found, e), size+len(e.Data)
		}
	}
	r.at = max(r.at, f.at)
	return found
}

// fromStream takes from the stream. followed is up to where the feed was before: when nothing is found, nothing is up to there.
//
// What the stream has forgotten since the reader's position must not be passed over in silence. So where a sequence is left out,
// the stream's first one is looked at after the events were read, and before they are handed out.
func (r *reader) fromStream(ctx context.Context, limit int, followed uint64) (found []*entry, err error) {
	at, size, jumped, end := r.at, 0, false, false
	for len(found) < limit && size < maxTakeBytes {
		d, err := r.feed.bus.NextEvent(ctx, r.mailbox, at+1)
		if errors.Is(err, bus.ErrNotFound) {
			end = true
			break
		}
		if err != nil {
			return nil, err
		}
		jumped = jumped || d.Sequence != at+1
		at, size = d.Sequence, size+len(d.Data)
		found = append(found, newEntry(d))
	}
	if (jumped || end) && r.at > 0 {
		if err := r.feed.kept(ctx, r.at); err != nil {
			return nil, err
		}
	}
	if end {
		at = max(at, followed)
	}
	r.at = at
	return found, nil
}

// kept checks that every event after a position is kept.
func (f *feed) kept(ctx context.Context, after uint64) error {
	first, last, err := f.bus.EventsKept(ctx)
	if err == nil && (after+1 < first || after > last) {
		err = &forgottenError{first, last}
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
