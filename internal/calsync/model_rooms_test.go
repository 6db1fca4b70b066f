package calsync

import (
	"slices"

	"roomsync/events"
)

// rooms is a model of ROOMS: it changes bookings, and does what docs/contract.md asks it to do, at its own pace.
type rooms struct {
	world     *world
	content   Content // as its users see it
	published Content // as it was when it was last sent, or taken over
	stands    bool
	revision  int64
	answered  int64          // the highest revision with an answer other than superseded
	changedIn map[Part]int64 // the revision that changed a part last
	sent      map[int64]Content
	key       string       // the newest change key that it knows
	knows     map[int]bool // edits of people that it was told of
	inbox     []message
}

// message is an event of roomsync: an answer, or a change of the appointment.
type message struct {
	revision int64
	answer   Answer
	kind     string // of a calendar change
	key      string
	content  Content
	authors  map[Part]int
}

// edit is something that a user of ROOMS does.
func (r *rooms) edit() {
	w := r.world
	w.edits++
	switch n := w.r.IntN(12); {
	case !r.stands:
		if r.revision > 0 && n > 3 {
			return
		}
		r.content, r.stands = w.drawContent(), true
	case n == 0:
		r.stands = false
	case n < 6 && r.content.Recurrence != nil:
		c := r.valid(r.content)
		c, ok := w.redrawMeeting(c, true)
		if !ok {
			return
		}
		r.content = c
	default:
		p := []Part{PartTime, PartSubject, PartBody, PartLocation, PartReminder, PartCategories}[w.r.IntN(6)]
		r.content = w.redraw(r.content, p)
	}
	r.publish()
}

// valid leaves out the meetings that the pattern does not have (any more).
func (r *rooms) valid(c Content) Content {
	fits := fitting(c)
	c.Meetings = slices.DeleteFunc(slices.Clone(c.Meetings), func(m Meeting) bool { return !fits[MeetingPart(m.Original)] })
	if c.Recurrence != nil {
		if slots, _, _ := arrange(c); len(slots) == 0 {
			c.Meetings = nil
		}
	}
	return c
}

func (r *rooms) publish() {
	w := r.world
	r.revision++
	b := Booking{ID: theBooking, Revision: r.revision, Modified: w.now(), Cancelled: !r.stands}
	b.Stored = b.Modified
	c := change{booking: b, knows: map[int]bool{}, dirty: map[Part]bool{}}
	if r.stands {
		r.content = r.valid(r.content)
		c.booking.Content = r.content
		if w.r.IntN(2) == 0 {
			c.booking.BasedOn = r.key
		}
		now, before := DigestsOf(r.content, w.policy, ""), DigestsOf(r.published, w.policy, "")
		for _, p := range parts(now, before) {
			if now[p] != before[p] {
				r.changedIn[p] = r.revision
			}
			c.dirty[p] = r.unanswered(p)
		}
	}
	for n := range r.knows {
		c.knows[n] = true
	}
	r.sent[r.revision], r.published = r.content, r.content
	w.changes = append(w.changes, c)
	w.messages++
	w.say("rooms: rev %d %+v based on %q cancelled %v", r.revision, values(Normal(r.content, w.policy)), c.booking.BasedOn, b.Cancelled)
}

// unanswered says whether a part was changed in a revision whose answer is not there yet. Until then it is ROOMS'.
func (r *rooms) unanswered(p Part) bool { return r.changedIn[p] > r.answered }

// read takes in the next event.
func (r *rooms) read() {
	m := r.inbox[0]
	r.inbox = r.inbox[1:]
	r.world.say("rooms reads: %+v kind %s key %s %v", m.answer, m.kind, m.key, values(Normal(m.content, r.world.policy)))
	for _, n := range m.authors {
		if m.kind != "" || m.answer.Kind == Conflict {
			r.knows[n] = true
		}
	}
	switch {
	case m.kind == events.KindDeleted:
		r.deleted()
	case m.kind != "":
		r.key = m.key
		r.adopt(m.content)
	default:
		r.answer(m)
	}
}

// deleted is what ROOMS makes of an appointment that somebody deleted: it takes the booking for cancelled, or insists.
func (r *rooms) deleted() {
	r.key = ""
	if !r.stands || r.revision > r.answered {
		return // the answer to what is on its way will tell
	}
	if r.stands = r.world.r.IntN(2) == 0; r.stands {
		r.world.edits++
		r.publish()
	}
}

// adopt takes over Exchange's values, but for what ROOMS has changed itself and that is not answered yet.
func (r *rooms) adopt(c Content) {
	if !r.stands {
		if r.revision > r.answered {
			return // its own cancellation is on its way
		}
		r.stands, r.content = true, c // it is back
	}
	r.content = mix(r.content, c, func(p Part) bool { return !r.unanswered(p) })
	r.published = r.content
}

// mix returns c with those parts of another content.
func mix(c, from Content, take func(Part) bool) Content {
	out := c
	for _, p := range allParts {
		if take(p) {
			out = withPart(out, from, p)
		}
	}
	out.Meetings = nil
	for _, m := range c.Meetings {
		if !take(MeetingPart(m.Original)) {
			out.Meetings = append(out.Meetings, m)
		}
	}
	for _, m := range from.Meetings {
		if take(MeetingPart(m.Original)) {
			out.Meetings = append(out.Meetings, m)
		}
	}
	return out
}

func (r *rooms) answer(m message) {
	a := m.answer
	if a.Reason == events.AppliedSuperseded {
		return
	}
	r.answered = m.revision
	if m.key != "" {
		r.key = m.key
	}
	switch {
	case a.Kind == Rejected:
		r.world.fault("rejected: " + a.Reason)
	case a.Reason == events.ConflictDeleted:
		r.deleted()
	case r.stands:
		r.content = mix(r.content, r.sent[r.revision], func(p Part) bool { return slices.Contains(a.Overwritten, p) })
		if a.Kind == Conflict {
			r.adopt(m.content)
		}
		r.published = r.content
	}
}
