package worker_test

import (
	"sync/atomic"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// TestLook_DuringARunIsAnsweredByTheNext: an operator who asks while a run is finding the mailbox refused does not wait for
// the re-check in an hour.
func TestLook_DuringARunIsAnsweredByTheNext(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		mb := events.MailboxToken(alice)
		ch := e.Events(mb)
		testenv.Must(t, e.Sim.Faults().Forbid(alice, faults.Denied403))
		e.Dispatcher()
		var looks atomic.Int32
		e.Worker("w1", func(w *worker.Options) {
			w.Calendar = &before{Reader: w.Calendar, f: func(method string) {
				if method == "Probe" && looks.Add(1) == 1 {
					testenv.Must(t, e.Bus.Look(t.Context(), mb))
				}
			}}
		})
		e.Want(alice)
		if d := e.Next(ch, time.Minute); d.Type != events.TypeAccessDenied {
			t.Fatalf("got %s", d.Type)
		}
		time.Sleep(10 * time.Second)
		if n := looks.Load(); n != 2 {
			t.Errorf("looked %d times, want twice: the second time for the operator", n)
		}
		e.Quiet(ch, 10*time.Minute)
		if n := looks.Load(); n != 2 {
			t.Errorf("looked %d times in ten minutes", n)
		}
	})
}
