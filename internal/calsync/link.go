package calsync

import (
	"maps"
	"slices"
	"time"
)

// Done is the link when a plan's steps have succeeded. w is what the last write to the appointment gave, empty where
// there was none; at is now, by the queue's clock.
func (p Plan) Done(w Written, at time.Time) Link {
	l := p.link
	if w.ChangeKey != "" {
		l.ChangeKey = w.ChangeKey
	}
	if w.ItemID != "" {
		l.ItemID = w.ItemID
	}
	l.At = at
	return l
}

// Failed is the link when a revision was given up. unknown says that a write of it may have reached Exchange all the same.
func Failed(l Link, b Booking, unknown bool, at time.Time) Link {
	l.BookingID, l.Revision, l.Unsure, l.At = b.ID, max(l.Revision, b.Revision), l.Unsure || unknown, at
	return l
}

// Settle takes what an appointment looks like right after our write for what both sides agreed on: a server may store
// something else than it is given. It changes nothing when somebody has written to it since.
func Settle(l Link, h Held, meetings []Appointment, p Policy) Link {
	if h.ID != l.ItemID || h.ChangeKey != l.ChangeKey || l.State != LinkLive {
		return l
	}
	now := DigestsOf(ContentOf(h, meetings), p, l.BookingID)
	for _, part := range l.Open {
		set(now, part, l.Exchange[part])
	}
	l.Exchange, l.Settled = now, true
	l.learn(h)
	return l
}

// Follows says whether a booking's link goes over to an appointment with the booking's id that appeared in the calendar:
// it is the linked one, or that is not there any more, since a person moved, restored or copied it. What follows no link
// is an appointment as any other, though it carries our property.
func Follows(l Link, h Held, linkedThere bool) bool {
	switch {
	case h.Cancelled || h.BookingID != l.BookingID:
		return false
	case l.State == LinkLive:
		return h.ID == l.ItemID || !linkedThere
	}
	return l.State == LinkLost
}

// Tell takes in a change of the linked appointment that a pull brought, or of one that the link follows ([Follows]). It
// says whether the change is news: our own write, and a new version without another content, are not. ROOMS is told of
// news by a calendar change that is committed at.
func Tell(l Link, h Held, meetings []Appointment, p Policy, at time.Time) (Link, bool) {
	if h.ID == l.ItemID && h.ChangeKey == l.ChangeKey && len(l.Open) == 0 && l.State == LinkLive {
		return Settle(l, h, meetings, p), false
	}
	now := DigestsOf(ContentOf(h, meetings), p, l.BookingID)
	known, back := l.Exchange, l.State != LinkLive || l.Told.Gone || h.ID != l.ItemID
	if l.Told.known() {
		known = l.Told.Exchange
	}
	l.learn(h)
	l.State = LinkLive
	if back || !maps.Equal(now, known) {
		l.Told, l.At = Told{ChangeKey: h.ChangeKey, At: at, Exchange: now, Before: l.Told.history()}, at
		return l, true
	}
	if !l.Told.known() {
		l.ChangeKey = h.ChangeKey // else ROOMS may name the version that it was told of
	}
	return l, false
}

// TellAnew takes in the linked appointment as one that ROOMS is told of with the answer to a revision ([Plan.Untold]),
// whatever it was told before.
func TellAnew(l Link, h Held, meetings []Appointment, p Policy, at time.Time) Link {
	now := DigestsOf(ContentOf(h, meetings), p, l.BookingID)
	l.Told = Told{ChangeKey: h.ChangeKey, At: at, Exchange: now, Before: l.Told.history()}
	l.learn(h)
	l.At = at
	return l
}

// learn takes over what an appointment says of itself.
func (l *Link) learn(h Held) {
	l.ItemID, l.UID, l.Series, l.Exceptions = h.ID, h.UID, h.Recurrence != nil, len(h.Modified) > 0
}

// maxHistory bounds the versions that a link remembers. A revision of an older one is taken as of the version that both
// sides agreed on.
const maxHistory = 4

// history is what comes before the next version that is told.
func (t Told) history() []Version {
	if !t.known() || t.Gone {
		return nil
	}
	return append([]Version{{t.ChangeKey, t.Exchange}}, t.Before[:min(len(t.Before), maxHistory-1)]...)
}

func (t Told) clone() Told {
	t.Exchange, t.Before = copyOf(t.Exchange), slices.Clone(t.Before)
	for i := range t.Before {
		t.Before[i].Exchange = copyOf(t.Before[i].Exchange)
	}
	return t
}

// sent makes a part what ROOMS itself has sent since it was told: whatever version it names, it knows that.
func (t Told) sent(part Part, digest string) {
	set(t.Exchange, part, digest)
	for _, v := range t.Before {
		set(v.Exchange, part, digest)
	}
}

// TellGone takes in that the linked appointment is not in the calendar any more, or stands there cancelled, of which
// ROOMS is told by a calendar change that is committed at. The link stays: the next revision is answered as a conflict,
// unless the appointment comes back before.
func TellGone(l Link, itemID string, at time.Time) Link {
	if l.State == LinkLive && l.ItemID == itemID {
		l.Told, l.At = Told{At: at, Gone: true}, at
	}
	return l
}

// TellRestored takes in that an appointment is in the calendar whose booking ROOMS cancelled: somebody restored it. It stays an
// appointment as any other, of which ROOMS is told, until a higher revision takes it up, or away again.
func TellRestored(l Link, h Held, meetings []Appointment, p Policy, at time.Time) Link {
	if l.State == LinkCancelled {
		l.Told, l.At = Told{ChangeKey: h.ChangeKey, At: at, Exchange: DigestsOf(ContentOf(h, meetings), p, l.BookingID)}, at
	}
	return l
}
