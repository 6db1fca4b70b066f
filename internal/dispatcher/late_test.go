package dispatcher_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/dispatcher"
	"roomsync/internal/jobs"
)

// text is a log that a test reads.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// with returns the lines that contain s.
func (l *text) with(s string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range strings.Split(l.b.String(), "\n") {
		if strings.Contains(line, s) {
			found = append(found, line)
		}
	}
	return found
}

// TestRun_SaysThatNobodyWorks: once after some minutes, then every ten, and once when it is over.
func TestRun_SaysThatNobodyWorks(t *testing.T) {
	bubble(t, func(w *world) {
		var log text
		d, err := dispatcher.New(dispatcher.Options{Bus: w.bus, Log: zerolog.New(&log)})
		w.must(err)
		ctx, stop := context.WithCancel(w.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		const n = 10
		polled := func(from int, next time.Time) {
			for i := from; i < n; i++ {
				mb := fmt.Sprint("mb", i)
				_, _, err := w.bus.UpdateRecord(w.Context(), mb, func(r *jobs.Record) bool {
					*r = jobs.Record{State: jobs.StateOK, LastOK: next.Add(-time.Minute), NextPoll: next, Settings: jobs.Settings{Address: mb, Enabled: true}}
					return true
				})
				w.must(err)
			}
		}
		polled(0, w.bus.Now().Add(time.Minute))
		time.Sleep(4*time.Minute - time.Second)
		if got := log.with("overdue"); len(got) != 0 {
			t.Errorf("said within three intervals: %q", got)
		}
		time.Sleep(150 * time.Second)
		if got := log.with("10 of 10 mailboxes are overdue by up to"); len(got) != 1 || !strings.Contains(got[0], "does a worker run?") || !strings.Contains(got[0], `"warn"`) {
			t.Errorf("after six minutes without a look: %q", got)
		}
		time.Sleep(20 * time.Minute)
		if got := log.with("overdue"); len(got) != 3 {
			t.Errorf("%d lines after twenty more minutes: %q", len(got), got)
		}
		polled(5, w.bus.Now().Add(time.Hour))
		time.Sleep(10 * time.Minute)
		if got := log.with("in time again"); len(got) != 0 {
			t.Errorf("half are late still: %q", got)
		}
		polled(0, w.bus.Now().Add(time.Hour))
		time.Sleep(10 * time.Minute)
		if got := log.with("in time again"); len(got) != 1 {
			t.Errorf("after all were looked at: %q", got)
		}
		if c := d.Count(); c.Late != 0 || c.Enabled != n {
			t.Errorf("count %+v", c)
		}
		stop()
		w.must(<-done)
	})
}

// TestRun_SaysThatWorkersCannotKeepUp when some mailboxes are looked at and most are late.
func TestRun_SaysThatWorkersCannotKeepUp(t *testing.T) {
	bubble(t, func(w *world) {
		var log text
		d, err := dispatcher.New(dispatcher.Options{Bus: w.bus, Log: zerolog.New(&log)})
		w.must(err)
		ctx, stop := context.WithCancel(w.Context())
		done := make(chan error, 1)
		for i := range 10 {
			w.due(fmt.Sprint("mb", i), w.bus.Now())
		}
		go func() { done <- d.Run(ctx) }()
		for range 5 * 60 {
			time.Sleep(time.Second)
			_, _, err := w.bus.UpdateRecord(w.Context(), "mb0", func(r *jobs.Record) bool {
				r.NextPoll = w.bus.Now().Add(time.Second)
				return true
			})
			w.must(err)
		}
		if got := log.with("overdue"); len(got) != 1 || !strings.Contains(got[0], "9 of 10") || !strings.Contains(got[0], "cannot keep up") {
			t.Errorf("%q", got)
		}
		stop()
		w.must(<-done)
	})
}
