package ews

import (
	"cmp"
	"context"
	"slices"

	"roomsync/internal/calsync"
)

// Meetings implements calsync.Writer by List, of which it keeps the series': a CalendarView, which alone shows occurrences, bears
// no restriction. Without a uid nothing tells them from others, and none are returned. They are in the order of their
// original starts.
func (c *Client) Meetings(ctx context.Context, t calsync.Target, uid string, w calsync.Window) ([]calsync.Appointment, error) {
	if uid == "" {
		return nil, nil
	}
	all, err := c.List(ctx, t, w)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(all, func(a calsync.Appointment) bool { return a.UID != uid || !meeting(a) })
	for i := range found {
		if found[i].RecurrenceID.IsZero() && found[i].Type == calsync.Occurrence {
			found[i].RecurrenceID = found[i].Start // it is where the pattern has it
		}
	}
	slices.SortFunc(found, func(a, b calsync.Appointment) int {
		return cmp.Or(a.RecurrenceID.Compare(b.RecurrenceID), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

func meeting(a calsync.Appointment) bool {
	return a.Type == calsync.Occurrence || a.Type == calsync.Exception
}
