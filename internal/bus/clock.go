package bus

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"roomsync/events"
)

// clock estimates the queue server's clock. Schedules fire by that clock, and leases and waits of many workers are
// compared, so all times in records are its times, and no host's own clock decides anything.
type clock struct{ base atomic.Pointer[clockBase] }

type clockBase struct {
	local  time.Time // with monotonic reading
	server time.Time
	rtt    time.Duration // of the request that told; it is half of that wrong at most
}

// maxDrift is how much faster or slower than another a sound clock runs.
const maxDrift = 100e-6

// offer takes a sample unless the one in use is better, which it is the less the older it grows: a slow answer may be
// wrong by half the time that it took.
func (c *clock) offer(s clockBase) {
	if base := c.base.Load(); base != nil {
		age := s.local.Sub(base.local)
		if s.rtt/2 > base.rtt/2+time.Duration(maxDrift*float64(age))+jitter {
			return
		}
	}
	c.base.Store(&s)
}

// jitter is what round trips differ by without meaning anything.
const jitter = time.Millisecond

// Now is the server's time, to within half a round trip. It never follows a jump of the local wall clock.
func (b *Bus) Now() time.Time {
	base := b.clock.base.Load()
	if base == nil {
		return time.Now().UTC()
	}
	return base.server.Add(time.Since(base.local))
}

// SyncClock measures the server's clock anew.
func (b *Bus) SyncClock(ctx context.Context) error {
	s, ok := b.streams[events.StreamState]
	if !ok {
		return errors.New("bus: the clock needs Ensure or Check first")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := time.Now()
	info, err := s.Info(ctx)
	if err != nil {
		return b.failure("read the server's clock", err)
	}
	rtt := time.Since(sent)
	b.clock.offer(clockBase{local: sent.Add(rtt / 2), server: info.TimeStamp.UTC(), rtt: rtt})
	return nil
}

// KeepClock measures every half minute until ctx ends.
func (b *Bus) KeepClock(ctx context.Context) {
	t := time.NewTicker(30 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := b.SyncClock(ctx); err != nil && ctx.Err() == nil {
				b.log.WithLevel(b.complaint(b.Up(), err.Error())).Err(err).Msg("the server's clock could not be read; going on with the estimate")
			}
		}
	}
}

// redactURL drops user and password from server addresses, for messages.
func redactURL(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		if u, err := url.Parse(strings.TrimSpace(p)); err == nil && u.User != nil {
			u.User = nil
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}
