package daemon

import (
	"context"

	"roomsync/internal/calsync"
)

// Find implements [calsync.Writer].
func (s *swapping) Find(ctx context.Context, t calsync.Target, bookingID string) ([]calsync.Held, error) {
	l := s.lend()
	defer s.back(l)
	return l.Find(ctx, t, bookingID)
}

// Read implements [calsync.Writer].
func (s *swapping) Read(ctx context.Context, t calsync.Target, ids []string) ([]calsync.HeldResult, error) {
	l := s.lend()
	defer s.back(l)
	return l.Read(ctx, t, ids)
}

// Meetings implements [calsync.Writer].
func (s *swapping) Meetings(ctx context.Context, t calsync.Target, uid string, w calsync.Window) ([]calsync.Appointment, error) {
	l := s.lend()
	defer s.back(l)
	return l.Meetings(ctx, t, uid, w)
}

// Create implements [calsync.Writer].
func (s *swapping) Create(ctx context.Context, t calsync.Target, d calsync.Draft) (calsync.Written, error) {
	l := s.lend()
	defer s.back(l)
	return l.Create(ctx, t, d)
}

// Update implements [calsync.Writer].
func (s *swapping) Update(ctx context.Context, t calsync.Target, d calsync.Draft) (calsync.Written, error) {
	l := s.lend()
	defer s.back(l)
	return l.Update(ctx, t, d)
}

// Delete implements [calsync.Writer].
func (s *swapping) Delete(ctx context.Context, t calsync.Target, d calsync.Deletion) error {
	l := s.lend()
	defer s.back(l)
	return l.Delete(ctx, t, d)
}
