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
	anew      bool // a booking that was cancelled is being made anew
	revision  int64
	seen      int64          // the highest revision whose answer, other than superseded, it has read
	answered  int64          // and the highest of those that were not met by a deletion
	changedIn map[Part]int64 // the revision that changed a part last
	mirror    Content        // the appointment as far as ROOMS has been told
	sent      map[int64]Content
	key       string          // the newest change key that it knows
	knows     map[int]bool    // edits of people that it was told of
	values    map[string]bool // parts that it was told of, with their digests
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
		r.content, r.stands, r.anew = w.drawContent(), true, true
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
	c = placed(c)
	if c.Recurrence != nil {
		if slots, _, _ := arrange(c); len(slots) == 0 {
			c.Meetings = nil
		}
	}
	return c
}

func placed(c Content) Content {
	fits := fitting(c)
	c.Meetings = slices.DeleteFunc(slices.Clone(c.Meetings), func(m Meeting) bool { return !fits(MeetingPart(m.Original)) })
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
		told := DigestsOf(r.mirror, w.policy, "")
		for _, p := range parts(now, before, told) {
			if now[p] != before[p] || r.anew && now[p] != told[p] {
				r.changedIn[p] = r.revision
			}
			c.dirty[p] = r.unanswered(p)
		}
	}
	for n := range r.knows {
		c.knows[n] = true
	}
	r.sent[r.revision], r.published, r.anew = r.content, r.content, false
	w.changes = append(w.changes, c)
	w.messages++
	if w.verbose {
		w.say("rooms: rev %d %+v based on %q cancelled %v", r.revision, values(Normal(r.content, w.policy)), c.booking.BasedOn, b.Cancelled)
	}
}

// unanswered says whether a part was changed in a revision whose answer is not there yet. Until then it is ROOMS'.
func (r *rooms) unanswered(p Part) bool { return r.changedIn[p] > r.answered }

// read takes in the next event.
func (r *rooms) read() {
	m := r.inbox[0]
	r.inbox = r.inbox[1:]
	if r.world.verbose {
		r.world.say("rooms reads: %+v kind %s key %s %v", m.answer, m.kind, m.key, values(Normal(m.content, r.world.policy)))
	}
	for p, digest := range DigestsOf(m.content, r.world.policy, "") {
		r.values[string(p)+digest] = true
	}
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
		r.mirror = m.content
		r.adopt()
	default:
		r.answer(m)
	}
}

// deleted is what ROOMS makes of an appointment that somebody deleted: it takes the booking for cancelled, or insists.
func (r *rooms) deleted() { r.deletedBefore(r.seen) }

// deletedBefore is deleted for what meets a revision: the answer to one on its way will tell.
func (r *rooms) deletedBefore(revision int64) {
	r.key = ""
	if !r.stands || r.revision > revision {
		return
	}
	if r.stands = r.world.r.IntN(2) == 0; !r.stands {
		r.answered = r.revision // it gives up what it had changed
	} else {
		r.world.edits++
		r.publish()
	}
}

// adopt takes over what ROOMS has been told of the appointment, but for what it has changed itself and that is not
// answered yet.
func (r *rooms) adopt() {
	if !r.stands {
		if r.revision > r.seen {
			return // its own cancellation is on its way
		}
		r.stands, r.content = true, r.mirror // it is back
	}
	r.content = mix(r.content, r.mirror, func(p Part) bool { return !r.unanswered(p) })
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
	if m.key != "" {
		r.key = m.key
	}
	if a.Reason == events.AppliedSuperseded {
		return
	}
	r.seen = m.revision
	switch {
	case a.Kind == Rejected:
		r.world.fault("rejected: " + a.Reason)
	case a.Reason == events.ConflictDeleted:
		r.deletedBefore(m.revision) // what it changed is still ROOMS' will
		return
	case a.Kind == Conflict:
		r.mirror = m.content
	default:
		r.mirror = r.sent[m.revision]
	}
	if r.answered = m.revision; r.stands {
		r.adopt()
	}
}
