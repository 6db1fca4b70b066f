package calsync

import (
	"cmp"
	"slices"
	"time"
)

// Look puts in order what [Writer.Find] found of a booking, oldest first. Meetings are left to the caller, of Held and of
// Successor where they are series.
func Look(b Booking, l Link, found []Held) Seen {
	var live []Held
	for _, h := range found {
		if !h.Cancelled {
			live = append(live, h)
		}
	}
	linked := slices.IndexFunc(found, func(h Held) bool { return l.State == LinkLive && h.ID == l.ItemID })
	switch {
	case linked >= 0 && !found[linked].Cancelled:
		return beside(b, found[linked], live, 0)
	case len(live) > 0:
		return among(b, l, live)
	case linked >= 0:
		return Seen{Sight: Found, Held: found[linked]}
	}
	return Seen{Sight: Gone}
}

// beside looks for what an attempt at this revision made beside the linked appointment to take its place: it is younger, of a
// revision that is higher by so much at least, and has a UID of its own. Anything else is somebody's copy, and left alone.
func beside(b Booking, linked Held, live []Held, higher int64) Seen {
	s := Seen{Sight: Found, Held: linked}
	younger := live[slices.IndexFunc(live, func(h Held) bool { return h.ID == linked.ID })+1:]
	successors := slices.DeleteFunc(slices.Clone(younger), func(h Held) bool {
		return h.ID == linked.ID || !made(b, h) || h.Revision < linked.Revision+higher || h.UID == "" || h.UID == linked.UID
	})
	if len(successors) > 0 {
		var one Held
		one, s.Doubles = oneOfDoubles(b, successors)
		s.Successor = &one
	}
	return s
}

// made says whether an attempt at this revision, or at one that it superseded, made an appointment.
func made(b Booking, h Held) bool {
	return h.Revision == b.Revision || slices.ContainsFunc(b.Earlier, func(e Booking) bool { return e.Revision == h.Revision })
}

// doubles says whether h was made of one request with other by something on the way that repeated it, and nobody has
// touched it since: where they differ, h is as the booking has it. They do not have the UID in common that a person's
// copy has, or lacks.
func doubles(b Booking, h, other Held) bool {
	if h.UID == "" || other.UID == "" || h.UID == other.UID || h.Revision != other.Revision {
		return false
	}
	for _, e := range b.Earlier {
		if e.Revision == h.Revision {
			b = e
		}
	}
	wanted := DigestsOf(b.Content, Policy{}, b.ID)
	x, y := DigestsOf(ContentOf(h, nil), Policy{}, b.ID), DigestsOf(ContentOf(other, nil), Policy{}, b.ID)
	for _, part := range allParts {
		if x[part] != y[part] && x[part] != wanted[part] {
			return false
		}
	}
	return true
}

// oneOfDoubles keeps of the appointments that an attempt made the oldest, or the one that somebody has touched.
func oneOfDoubles(b Booking, made []Held) (kept Held, double []Held) {
	kept = made[0]
	for _, h := range made[1:] {
		switch {
		case doubles(b, h, kept):
			double = append(double, h)
		case doubles(b, kept, h):
			kept, double = h, append(double, kept)
		}
	}
	return kept, double
}

// among chooses the booking's appointment where the linked one is not there: what an attempt at this revision made, else
// the one with the linked one's UID, else the oldest.
func among(b Booking, l Link, live []Held) Seen {
	rank := func(h Held) int {
		switch {
		case made(b, h) && h.Revision > l.Revision:
			return 0
		case h.UID != "" && h.UID == l.UID:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(live, func(a, b Held) int { return cmp.Compare(rank(a), rank(b)) })
	if rank(live[0]) > 0 {
		return Seen{Sight: Found, Held: live[0]}
	}
	ours := slices.DeleteFunc(live, func(h Held) bool { return rank(h) > 0 })
	first := slices.MinFunc(ours, func(a, b Held) int { return cmp.Compare(a.Revision, b.Revision) })
	if s := beside(b, first, ours, 1); s.Successor != nil {
		return s // an attempt was making it anew
	}
	slices.SortStableFunc(ours, func(a, b Held) int { return cmp.Compare(b.Revision, a.Revision) })
	s := Seen{Sight: Found}
	s.Held, s.Doubles = oneOfDoubles(b, ours)
	return s
}

// Clashes are the appointments in a listing at whose time a booking would take place, leaving out the booking's own, what
// is cancelled and what leaves the time free. It looks at the meetings of a series within w.
func Clashes(b Booking, l Link, listed []Appointment, w Window) []Appointment {
	var out []Appointment
	slots := b.Content.slotsIn(w)
	for _, a := range listed {
		ours := a.ID == l.ItemID && l.ItemID != "" || a.UID == l.UID && l.UID != ""
		if ours || a.Cancelled || a.FreeBusy == "Free" || a.Type == Master {
			continue
		}
		if slices.ContainsFunc(slots, func(s slot) bool { return s.start.Before(a.End) && a.Start.Before(s.end) }) {
			out = append(out, a)
		}
	}
	return out
}

// slotsIn are when a content takes place within w.
func (c Content) slotsIn(w Window) []slot {
	if c.Recurrence == nil {
		return []slot{{c.Start, c.Start, c.End, -1}}
	}
	moved := map[int64]Meeting{}
	for _, m := range c.Meetings {
		moved[minute(m.Original).Unix()] = m
	}
	var out []slot
	for start := range c.starts() {
		if start.After(w.To.Add(31 * 24 * time.Hour)) {
			break
		}
		m, ok := moved[start.Unix()]
		if !ok {
			m = patternMeeting(c, start)
		}
		if !m.Cancelled && w.Overlaps(m.Start, m.End) {
			out = append(out, slot{start, m.Start, m.End, -1})
		}
	}
	return out
}
