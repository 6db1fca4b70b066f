package dispatcher_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/dispatcher"
	"roomsync/internal/jobs"
)

// due stores the record of an enabled mailbox whose next poll is at that time.
func (w *world) due(mb string, at time.Time) {
	w.Helper()
	r := jobs.Record{State: jobs.StateOK, NextPoll: at, Settings: jobs.Settings{Address: mb + "@contoso.example", Enabled: true}}
	_, err := w.bus.PutRecord(w.Context(), mb, &r, 0)
	w.must(err)
}

// stick stores a schedule that is overdue and that NATS will never fire.
func (w *world) stick(mailboxes ...string) {
	w.Helper()
	for _, mb := range mailboxes {
		w.must(w.bus.Park(w.Context(), mb, jobs.LaneBooking, w.bus.Now(), jobs.Hint{Seq: 1}))
	}
	w.limit(events.StreamJobs, 10)
	time.Sleep(time.Second)
	w.limit(events.StreamJobs, -1)
}

// lines counts the lines of a log.
type lines struct{ atomic.Int64 }

func (l *lines) Write(p []byte) (int, error) {
	l.Add(int64(strings.Count(string(p), "\n")))
	return len(p), nil
}

// TestRun_WakesWithinASecond has no schedule fire: those of half the mailboxes were lost, those of the others sleep.
func TestRun_WakesWithinASecond(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 1000
		var sleeping []string
		for i := range n / 2 {
			sleeping = append(sleeping, fmt.Sprint("mb", 2*i))
		}
		w.stick(sleeping...)
		began := w.bus.Now().Add(5 * time.Second)
		due := func(i int) time.Time {
			return began.Add(time.Duration(i) * 2 * time.Millisecond).Truncate(time.Millisecond)
		}
		for i := range n {
			w.due(fmt.Sprint("mb", i), due(i))
		}
		var log lines
		d, err := dispatcher.New(dispatcher.Options{Bus: w.bus, Log: zerolog.New(&log)})
		w.must(err)
		ctx, stop := context.WithCancel(w.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		var lanes sync.WaitGroup
		lane := func(l jobs.Lane, first int) {
			lanes.Go(func() {
				came := w.tokens(l, n/2)
				for i := first; i < n; i += 2 {
					if late := came[fmt.Sprint("mb", i)].Sub(due(i)); late < time.Second || late > 1300*time.Millisecond {
						t.Errorf("mailbox %d, and perhaps others: token %v after it was due", i, late)
						return
					}
				}
			})
		}
		lane(jobs.LaneBooking, 0) // as their schedules say
		lane(jobs.LanePoll, 1)
		lanes.Wait()
		if got := log.Load(); got != 2 { // that the bucket is empty, and that somebody was woken
			t.Errorf("%d lines of log", got)
		}
		stop()
		w.must(<-done)
	})
}

// tokens takes the tokens of n mailboxes from a lane and returns when each came first. Any goroutine may call it.
func (w *world) tokens(lane jobs.Lane, n int) map[string]time.Time {
	w.Helper()
	came := map[string]time.Time{}
	q, err := w.bus.Take(w.Context(), lane, n)
	if err != nil {
		w.Error(err)
		return came
	}
	defer q.Stop()
	for len(came) < n {
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		tok, err := q.Next(ctx)
		cancel()
		if err != nil {
			w.Errorf("lane %s, tokens of %d mailboxes came: %v", lane, len(came), err)
			break
		}
		if _, again := came[tok.Mailbox]; !again { // nobody changes the record, so it is woken again later
			came[tok.Mailbox] = w.bus.Now()
		}
		_ = tok.Ack()
	}
	return came
}

// TestRun_LeavesAloneWhatHasAToken: thousands of tokens wait for a worker.
func TestRun_LeavesAloneWhatHasAToken(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 2000
		for i := range n {
			mb := fmt.Sprint("mb", i)
			w.due(mb, w.bus.Now())
			_, err := w.bus.PutToken(w.Context(), mb, jobs.LanePoll, jobs.Hint{})
			w.must(err)
		}
		asked := w.count("$JS.API.STREAM.MSG.GET.>")
		_, _, stop := w.run()
		time.Sleep(3 * time.Minute)
		stop()
		// Ten mailboxes a second at most, two reads each: of the schedule and of the record.
		if got := asked.Load(); got < 100 || got > 2*10*180 {
			t.Errorf("%d reads in three minutes", got)
		}
		s, err := w.js.Stream(w.Context(), events.StreamJobs)
		w.must(err)
		if got := s.CachedInfo().State.Msgs; got != n {
			t.Errorf("%d messages in JOBS, want %d", got, n)
		}
	})
}

// TestRun_LeavesAloneWhatIsPaused: after trouble with the queue a schedule is to come that the record does not know of.
func TestRun_LeavesAloneWhatIsPaused(t *testing.T) {
	bubble(t, func(w *world) {
		w.due("paused", w.bus.Now())
		at := w.bus.Now().Add(jobs.QueuePause)
		w.must(w.bus.Park(w.Context(), "paused", jobs.LanePoll, at, jobs.Hint{}))
		asked := w.count("$JS.API.STREAM.MSG.GET.>")
		_, _, stop := w.run()
		q, err := w.bus.Take(w.Context(), jobs.LanePoll, 1)
		w.must(err)
		defer q.Stop()
		if _, err := q.Next(w.Context()); err != nil || w.bus.Now().Before(at) {
			t.Errorf("a token came %v before its time, %v", at.Sub(w.bus.Now()), err)
		}
		stop()
		if got := asked.Load(); got != 1 {
			t.Errorf("the schedule was looked at %d times, want once", got)
		}
	})
}

// count counts the messages of a subject.
func (w *world) count(subject string) *atomic.Int64 {
	w.Helper()
	var n atomic.Int64
	_, err := w.js.Conn().Subscribe(subject, func(*nats.Msg) { n.Add(1) })
	w.must(err)
	return &n
}
