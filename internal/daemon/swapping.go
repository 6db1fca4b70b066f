package daemon

import (
	"context"
	"sync"

	"roomsync/internal/calsync"
)

// swapping is a [calsync.Calendar] that can be exchanged while it is in use: calls that have begun end with the one that they
// began with, which is closed after the last of them.
type swapping struct {
	mu  sync.Mutex // never held across a call
	now *lent
}

// lent is a calendar and how many use it.
type lent struct {
	calsync.Calendar
	closeIt func()
	users   int // calls under way, and one for being the present one
}

func newSwapping(c calsync.Calendar, closeIt func()) *swapping {
	return &swapping{now: &lent{c, closeIt, 1}}
}

// swap makes c the calendar of every call from now on.
func (s *swapping) swap(c calsync.Calendar, closeIt func()) {
	s.mu.Lock()
	old := s.now
	s.now = &lent{c, closeIt, 1}
	s.mu.Unlock()
	s.back(old)
}

// close lets go of the present calendar; no call may begin any more.
func (s *swapping) close() {
	s.mu.Lock()
	l := s.now
	s.mu.Unlock()
	s.back(l)
}

func (s *swapping) lend() *lent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.users++
	return s.now
}

func (s *swapping) back(l *lent) {
	s.mu.Lock()
	l.users--
	last := l.users == 0
	s.mu.Unlock()
	if last {
		l.closeIt()
	}
}

// Probe implements [calsync.Reader].
func (s *swapping) Probe(ctx context.Context, t calsync.Target, cursor string, most int) (calsync.Delta, error) {
	l := s.lend()
	defer s.back(l)
	return l.Probe(ctx, t, cursor, most)
}

// List implements [calsync.Reader].
func (s *swapping) List(ctx context.Context, t calsync.Target, w calsync.Window) ([]calsync.Appointment, error) {
	l := s.lend()
	defer s.back(l)
	return l.List(ctx, t, w)
}

// Get implements [calsync.Reader].
func (s *swapping) Get(ctx context.Context, t calsync.Target, ids []string) ([]calsync.Result, error) {
	l := s.lend()
	defer s.back(l)
	return l.Get(ctx, t, ids)
}

// Masters implements [calsync.Reader].
func (s *swapping) Masters(ctx context.Context, t calsync.Target, occurrenceIDs []string) ([]calsync.Result, error) {
	l := s.lend()
	defer s.back(l)
	return l.Masters(ctx, t, occurrenceIDs)
}

// Rights implements [calsync.Reader].
func (s *swapping) Rights(ctx context.Context, t calsync.Target) (calsync.Rights, error) {
	l := s.lend()
	defer s.back(l)
	return l.Rights(ctx, t)
}
