package dispatcher_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// change publishes an event of ROOMS for a mailbox and returns its sequence.
func (w *world) change(mb, booking string, revision int64) uint64 {
	w.Helper()
	data, err := json.Marshal(events.BookingUpserted{BookingID: booking, Revision: revision, Mailbox: mb + "@contoso.example"})
	w.must(err)
	stored, err := w.bus.PublishChange(w.Context(), mb, events.Event{
		ID: fmt.Sprintf("%s/%d", booking, revision), Source: "urn:rooms:test", Type: events.TypeBookingUpserted, Time: w.bus.Now(), Data: data,
	})
	w.must(err)
	return stored.Sequence
}

// unacked counts the notices that are not settled.
func (w *world) unacked() int {
	w.Helper()
	c, err := w.js.Consumer(w.Context(), events.StreamChanges, "changes")
	w.must(err)
	i, err := c.Info(w.Context())
	w.must(err)
	return i.NumAckPending + int(i.NumPending)
}

// TestChanges_AreAskedForAtOnce in the lane of bookings, also past a poll's token that waits for a worker.
func TestChanges_AreAskedForAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.recheck("a", func(r *jobs.Record) { r.State, r.NotBefore = jobs.StateOK, time.Time{} })
		_, err := w.bus.PutToken(w.Context(), "a", jobs.LanePoll, jobs.Hint{})
		w.must(err)
		_, _, stop := w.run()
		time.Sleep(time.Second)
		for i := range 100 {
			w.change("a", fmt.Sprint(i), 1)
		}
		last := w.change("a", "x", 1)
		tok, after := w.next(jobs.LaneBooking, time.Minute)
		time.Sleep(time.Second)
		if tok.Mailbox != "a" || after > 10*time.Millisecond {
			t.Errorf("%v later a token of %s", after, tok.Mailbox)
		}
		r, _, err := w.bus.Record(w.Context(), "a")
		w.must(err)
		if r.Asked != last || r.Lane != jobs.LaneBooking || r.Done >= r.Want || !r.Pending() {
			t.Errorf("asked %d, want %d; %+v", r.Asked, last, r)
		}
		if n := w.unacked(); n > 0 {
			t.Errorf("%d notices are not settled", n)
		}
		stop()
	})
}

// TestChanges_OfAMailboxThatNobodyWants get an answer and a dead letter each, in order, once.
func TestChanges_OfAMailboxThatNobodyWants(t *testing.T) {
	bubble(t, func(w *world) {
		_, _, stop := w.run()
		for i := range 3 {
			w.change("nobody", fmt.Sprint(i), int64(i+1))
		}
		_, err := w.js.Publish(w.Context(), events.ChangesSubject("nobody"), []byte("no event"))
		w.must(err)
		w.flushed("nobody", 4)
		var letters []string
		for i := range 4 {
			m := w.message(events.StreamDead, uint64(i+1))
			var l jobs.Letter
			w.must(json.Unmarshal(m, &l))
			letters = append(letters, fmt.Sprintf("%d %s %t %d", l.Sequence, l.Reason, len(l.Event) > 0, len(l.Payload)))
		}
		if got := fmt.Sprint(letters); got != "[1 mailbox true 0 2 mailbox true 0 3 mailbox true 0 4 mailbox false 8]" {
			t.Errorf("dead letters %s", got)
		}
		for i := range 3 {
			var a events.BookingRejected
			w.must(json.Unmarshal(w.message(events.StreamEvents, uint64(i+1)), &a))
			if a.BookingID != fmt.Sprint(i) || a.Revision != int64(i+1) || a.Reason != events.RejectedMailbox || a.Hint == "" || a.Mailbox != "nobody@contoso.example" {
				t.Errorf("answer %d: %+v", i, a)
			}
		}
		stop()
	})
}

// flushed does what a worker would with a mailbox that has only an outbox, until so many events of ROOMS have their answer.
func (w *world) flushed(mb string, applied uint64) {
	w.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, seq, err := w.bus.Record(w.Context(), mb)
		w.must(err)
		if len(r.Outbox) > 0 {
			w.must(w.bus.Flush(w.Context(), mb, &r))
			_, err = w.bus.PutRecord(w.Context(), mb, &r, seq)
			w.must(err)
		}
		if r.Applied >= applied && w.unacked() == 0 {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("%d notices are not settled; %+v", w.unacked(), r)
		}
	}
}

func (w *world) message(stream string, seq uint64) []byte {
	w.Helper()
	s, err := w.js.Stream(w.Context(), stream)
	w.must(err)
	m, err := s.GetMsg(w.Context(), seq)
	w.must(err)
	return m.Data
}

// TestChanges_WaitForAnEntry that the dispatcher has not taken over yet, and for one that is switched on.
func TestChanges_WaitForAnEntry(t *testing.T) {
	bubble(t, func(w *world) {
		w.put("late", events.Mailbox{Enabled: true})
		seq := w.change("late", "x", 1)
		_, _, stop := w.run()
		w.next(jobs.LaneBooking, time.Minute)
		r, _, err := w.bus.Record(w.Context(), "late")
		w.must(err)
		if r.Asked != seq || r.Applied != 0 {
			t.Errorf("asked %d, applied %d; want %d and none", r.Asked, r.Applied, seq)
		}
		stop()
	})
}

// TestChanges_OfAStreamMadeAnew begin at its first sequence again.
func TestChanges_OfAStreamMadeAnew(t *testing.T) {
	bubble(t, func(w *world) {
		w.recheck("a", func(r *jobs.Record) {
			r.State, r.NotBefore = jobs.StateOK, time.Time{}
			r.Changes, r.Asked, r.Applied = "another", 5000, 5000
		})
		_, _, stop := w.run()
		seq := w.change("a", "x", 1)
		w.next(jobs.LaneBooking, time.Minute)
		r, _, err := w.bus.Record(w.Context(), "a")
		w.must(err)
		if r.Asked != seq || r.Applied != 0 || !r.Pending() {
			t.Errorf("asked %d, applied %d; want %d and none", r.Asked, r.Applied, seq)
		}
		stop()
	})
}
