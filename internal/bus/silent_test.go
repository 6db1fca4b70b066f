package bus_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

// mute connects to a server whose answers can be made to get lost.
type mute struct {
	*embedded.Server
	on atomic.Bool
}

func (m *mute) InProcessConn() (net.Conn, error) {
	c, err := m.Server.InProcessConn()
	return &muteConn{Conn: c, m: m}, err
}

type muteConn struct {
	net.Conn
	m *mute
}

func (c *muteConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.m.on.Load() {
			return n, err
		}
	}
}

// TestQueue_SaysSinceWhenItHeardNothing, which an idle lane does not mistake for silence.
func TestQueue_SaysSinceWhenItHeardNothing(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		connect(t, srv)
		m := &mute{Server: srv}
		b, err := bus.Connect(t.Context(), bus.Options{Name: "test", InProcess: m})
		must(t, err)
		defer b.Close()
		q, err := b.Take(t.Context(), jobs.LanePoll, 10)
		must(t, err)
		defer q.Stop()
		listen := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if _, err := q.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("an empty lane: %v", err)
			}
		}
		listen(5 * time.Minute)
		if s := q.Silent(); s != 0 {
			t.Errorf("silent for %v on an idle lane", s)
		}
		m.on.Store(true)
		listen(time.Minute)
		if s := q.Silent(); s < 50*time.Second || s > time.Minute {
			t.Errorf("silent for %v, want about a minute", s)
		}
	})
}
