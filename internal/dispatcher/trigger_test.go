package dispatcher_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/dispatcher"
	"roomsync/internal/jobs"
)

// recheck stores the record of a denied mailbox and the schedule of its next look, a day away.
func (w *world) recheck(mb string, change func(*jobs.Record)) {
	w.Helper()
	at := w.bus.Now().Add(24 * time.Hour)
	r := jobs.Record{
		State: jobs.StateDenied, NotBefore: at, NextPoll: at, Want: 1, Done: 1,
		Settings: jobs.Settings{Address: mb + "@contoso.example", Enabled: true},
	}
	change(&r)
	seq, err := w.bus.PutRecord(w.Context(), mb, &r, 0)
	w.must(err)
	w.must(w.bus.Park(w.Context(), mb, jobs.LanePoll, r.Wake(w.bus.Now()), jobs.Hint{Seq: seq, Record: r}))
}

// next waits for a lane's next token, acknowledges it and returns how long it took to come.
func (w *world) next(lane jobs.Lane, patience time.Duration) (bus.Token, time.Duration) {
	w.Helper()
	q, err := w.bus.Take(w.Context(), lane, 1)
	w.must(err)
	defer q.Stop()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	began := time.Now()
	tok, err := q.Next(ctx)
	if err != nil {
		w.Fatalf("no token of lane %s in %v: %v", lane, patience, err)
	}
	_ = tok.Ack()
	return tok, time.Since(began)
}

// TestRun_WakesWhoseTriggerPutNoToken: whoever stored the trigger died before the token, and a schedule is a day away.
func TestRun_WakesWhoseTriggerPutNoToken(t *testing.T) {
	for name, held := range map[string]bool{"denied": false, "held": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.recheck("a", func(r *jobs.Record) {
					if held {
						r.State, r.NotBefore, r.Held = jobs.StateOK, time.Time{}, r.NotBefore
					}
				})
				_, _, stop := w.run()
				time.Sleep(time.Minute)
				_, seq, err := w.bus.UpdateRecord(w.Context(), "a", func(r *jobs.Record) bool { // as Look does
					r.Want++
					r.Lane = jobs.LaneNotify
					r.Unpark()
					return true
				})
				w.must(err)
				tok, after := w.next(jobs.LaneNotify, 10*time.Minute)
				if after > 1500*time.Millisecond || tok.Hint == nil || tok.Hint.Seq != seq {
					t.Errorf("%v later: %+v; want the record at %d", after, tok.Hint, seq)
				}
				stop()
			})
		})
	}
}

// TestRun_LeavesAloneWhoWaits by its record, whatever is wanted of it: for Exchange, or for the access breaker.
func TestRun_LeavesAloneWhoWaits(t *testing.T) {
	bubble(t, func(w *world) {
		w.recheck("denied", func(*jobs.Record) {})
		w.recheck("throttled", func(r *jobs.Record) { r.Want++ })
		w.recheck("held", func(r *jobs.Record) {
			r.Want++
			r.NotBefore, r.NextPoll, r.Held = time.Time{}, time.Time{}, r.NotBefore
		})
		asked, put := w.count("$JS.API.STREAM.MSG.GET.>"), w.count("jobs.run.>")
		_, _, stop := w.run()
		time.Sleep(10 * time.Minute)
		stop()
		if asked.Load() != 0 || put.Load() != 0 {
			t.Errorf("%d reads and %d tokens in ten minutes", asked.Load(), put.Load())
		}
	})
}

// TestRun_WakesOnceAtATime: nobody takes the token, so a mailbox with a schedule a day away stays late.
func TestRun_WakesOnceAtATime(t *testing.T) {
	bubble(t, func(w *world) {
		w.recheck("a", func(r *jobs.Record) { r.Want++; r.NotBefore = time.Time{} })
		w.must(w.bus.Park(w.Context(), "a", jobs.LanePoll, w.bus.Now().Add(24*time.Hour), jobs.Hint{}))
		asked, put := w.count("$JS.API.STREAM.MSG.GET.>"), w.count("jobs.run.>")
		_, _, stop := w.run()
		time.Sleep(5 * time.Minute)
		stop()
		// Every ten seconds two reads and an attempt, of which the first puts the token.
		if n := put.Load(); n < 20 || n > 31 || asked.Load() != 2*n {
			t.Errorf("%d attempts and %d reads in five minutes", n, asked.Load())
		}
		s, err := w.js.Stream(w.Context(), events.StreamJobs)
		w.must(err)
		if got := s.CachedInfo().State.Msgs; got != 2 { // the schedule and a token
			t.Errorf("%d messages in JOBS", got)
		}
	})
}

// TestRun_AnEntryWhoseTokenFailed is taken over; its mailbox is woken as soon as tokens can be put.
func TestRun_AnEntryWhoseTokenFailed(t *testing.T) {
	bubble(t, func(w *world) {
		w.recheck("a", func(*jobs.Record) {})
		var log bytes.Buffer
		d, err := dispatcher.New(dispatcher.Options{Bus: w.bus, Log: zerolog.New(zerolog.SyncWriter(&log))})
		w.must(err)
		ctx, stop := context.WithCancel(w.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(time.Minute)
		w.limit(events.StreamJobs, 10)
		w.put("a", events.Mailbox{Enabled: true, PastDays: 3})
		time.Sleep(500 * time.Millisecond)
		w.limit(events.StreamJobs, -1)
		tok, after := w.next(jobs.LanePoll, 10*time.Minute)
		if after > 1500*time.Millisecond || tok.Hint == nil || tok.Hint.Record.Settings.PastDays != 3 {
			t.Errorf("%v after the trouble ended: %+v", after, tok.Hint)
		}
		stop()
		w.must(<-done)
		if got := log.String(); !strings.Contains(got, "no token put") || strings.Contains(got, "not taken over") {
			t.Errorf("log: %s", got)
		}
	})
}
