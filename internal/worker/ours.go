package worker

import (
	"context"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// ours says how an appointment that a page names belongs to a booking.
type ours struct {
	booking string // its id, "" where it belongs to none
	echo    bool   // it is as we wrote it, so that ROOMS has its answer
}

// ours looks at those appointments of a page that carry a booking's id, and adds what follows for their links, and for
// ROOMS, to what is told. Bodies and the like are read of these only.
func (r *run) ours(ctx context.Context, ids []string, results map[string]calsync.Result, t *told) (map[string]ours, error) {
	if r.w.writer == nil {
		return nil, nil
	}
	var carrying []string
	for _, id := range ids {
		if res := results[id]; res.Err == nil && res.Appointment.BookingID != "" {
			carrying = append(carrying, id)
		}
	}
	if len(carrying) == 0 {
		return nil, nil
	}
	read, err := r.w.writer.Read(ctx, r.target(), carrying)
	if err != nil {
		return nil, err
	}
	found := map[string]ours{}
	links := map[string]linked{} // as this page leaves them
	for i, id := range carrying {
		if read[i].Err != nil || read[i].Held.ChangeKey != results[id].Appointment.ChangeKey {
			continue // changed since; a later page says how
		}
		if found[id], err = r.own(ctx, read[i].Held, links, t); err != nil {
			return nil, err
		}
	}
	for _, l := range links {
		out, err := l.outgoing()
		if err != nil {
			return nil, err
		}
		t.more = append(t.more, out)
	}
	return found, nil
}

// own takes in one appointment that carries a booking's id.
func (r *run) own(ctx context.Context, h calsync.Held, links map[string]linked, t *told) (ours, error) {
	l, known := links[h.BookingID]
	if !known {
		var err error
		if l, err = r.readLink(ctx, h.BookingID); err != nil {
			return ours{}, err
		}
	}
	var meetings []calsync.Appointment
	if h.Type == calsync.Master {
		var err error
		if meetings, err = r.meetings(ctx, h.Appointment); err != nil {
			return ours{}, err
		}
	}
	now := r.w.bus.Now()
	exactly := l.State == calsync.LinkLive && h.ID == l.ItemID && h.ChangeKey == l.ChangeKey
	news := true
	switch follows, err := r.follows(ctx, l.Link, h); {
	case err != nil:
		return ours{}, err
	case follows:
		l.Link, news = calsync.Tell(l.Link, h, meetings, r.policy(), now)
	case l.State == calsync.LinkCancelled:
		l.Link = calsync.TellRestored(l.Link, h, meetings, r.policy(), now)
	default:
		return ours{}, nil // a copy
	}
	x := ours{booking: h.BookingID, echo: exactly && !news}
	err := r.declined(h, &l.Link, t)
	links[h.BookingID] = l
	return x, err
}

// follows says whether a booking's link goes over to an appointment.
func (r *run) follows(ctx context.Context, l calsync.Link, h calsync.Held) (bool, error) {
	if l.State != calsync.LinkLive || h.ID == l.ItemID {
		return calsync.Follows(l, h, h.ID == l.ItemID), nil
	}
	read, err := r.w.writer.Read(ctx, r.target(), []string{l.ItemID})
	if err != nil {
		return false, err
	}
	there := read[0].Err == nil && read[0].Held.Folder == h.Folder
	return calsync.Follows(l, h, there), nil
}

// declined tells ROOMS, once, when a room that a booking invites has said no: the revision had its answer long before.
func (r *run) declined(h calsync.Held, l *calsync.Link, t *told) error {
	had := l.Declined
	l.Declined = len(calsync.Declined(h)) > 0
	if !l.Declined || had || l.State != calsync.LinkLive {
		return nil
	}
	out, err := jobs.Event(events.TypeBookingConflict, events.BookingConflict{
		BookingID: l.BookingID, Revision: l.Revision, Mailbox: r.record().Settings.Address, Reason: events.ConflictDeclined,
		ItemID: h.ID, ChangeKey: h.ChangeKey, UID: h.UID, Current: r.shown(h.Appointment, nil, l.BookingID),
	})
	if err != nil {
		return err
	}
	t.more = append(t.more, out)
	return nil
}
