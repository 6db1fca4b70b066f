package calsync

import (
	"slices"
	"strings"

	"roomsync/events"
)

// decideUpdate brings an appointment that is there, or is taken to be there, to what both sides make of it.
func decideUpdate(b Booking, l Link, s Seen, p Policy) Plan {
	m := compare(b, l, s, p)
	if m.verdicts[PartTime].writes() && len(s.Clashes) > 0 {
		return conflictBusy(b, l)
	}
	anew := m.needsAnew()
	if anew && s.Sight == Unseen {
		return Plan{Look: true}
	}
	plan := Plan{link: m.nextLink(), Untold: m.untold()}
	if anew {
		plan.Steps = m.stepsAnew()
		plan.link.Generation++
	} else {
		plan.Steps = m.steps()
	}
	plan.Steps = append(plan.Steps, deleteDoubles(s)...)
	plan.Answer = m.answer(plan.Steps)
	return plan
}

// needsAnew says whether Exchange cannot bring what is there to what it is to be without losing something, so that the
// appointment is made anew and the old one then deleted: a meeting that was cancelled cannot be restored, a series cannot
// become a single appointment, and a new pattern would reset the meetings that people changed.
func (m *threeWay) needsAnew() bool {
	series := m.content().Recurrence != nil
	if m.isSeries() && !series {
		return true
	}
	if m.s.Successor != nil {
		return true
	}
	pattern := m.verdicts[PartTime].writes() && m.isSeries()
	for part, v := range m.verdicts {
		switch {
		case !part.ofMeeting():
		case pattern && v.stays() && m.exchange[part] != "":
			return true
		case !pattern && v.writes() && m.cancelledThere(part) && m.rooms[part] != m.exchange[part]:
			return true
		}
	}
	return false
}

func (m *threeWay) isSeries() bool {
	if m.s.Sight == Found {
		return m.theirs.Recurrence != nil
	}
	return m.l.Series
}

// cancelledThere says whether a meeting is cancelled in Exchange; its digest says so too.
func (m *threeWay) cancelledThere(part Part) bool {
	return m.exchange[part] == digest(m.p.Key, m.b.ID, part, cancelledMeeting)
}

// steps change what is there.
func (m *threeWay) steps() []Step {
	id, key := m.l.ItemID, m.l.ChangeKey
	if m.s.Sight == Found {
		id, key = m.s.Held.ID, m.s.Held.ChangeKey
	}
	var out []Step
	if changed := m.writtenParts(); len(changed) > 0 {
		out = append(out, Step{Kind: StepUpdate, ItemID: id, ChangeKey: key, Content: m.content(), Parts: changed, Notify: m.b.Notify})
	}
	e := edits{series: m.content(), there: m.theirs.Meetings, unseen: m.s.Sight != Found, policy: m.p}
	if m.verdicts[PartTime].writes() {
		e.wanted, e.there, e.unseen = e.series.Meetings, nil, false // the pattern is set anew, and with it all its meetings
	} else {
		e.wanted = m.writtenMeetings()
	}
	for _, step := range meetingSteps(m.b, e) {
		step.ItemID, step.ChangeKey = id, key
		out = append(out, step)
	}
	return out
}

func (m *threeWay) writtenParts() []Part {
	var out []Part
	for _, part := range allParts {
		if m.verdicts[part].writes() {
			out = append(out, part)
		}
	}
	return out
}

// writtenMeetings are the meetings to be written, those included that are to be as their series again.
func (m *threeWay) writtenMeetings() []Meeting {
	wanted := map[Part]Meeting{}
	for _, x := range m.b.Content.Meetings {
		wanted[MeetingPart(minute(x.Original))] = x
	}
	var out []Meeting
	for _, part := range parts(m.rooms, m.exchange) {
		if !part.ofMeeting() || !m.verdicts[part].writes() {
			continue
		}
		x, ok := wanted[part]
		if !ok {
			x = patternMeeting(m.content(), part.original())
		}
		out = append(out, x)
	}
	return out
}

// stepsAnew make the appointment a second time with all that it is to hold, and then delete the first.
func (m *threeWay) stepsAnew() []Step {
	c := m.content()
	e := edits{series: c, wanted: c.Meetings, policy: m.p}
	var out []Step
	var id, key string
	switch n := m.s.Successor; {
	case n == nil:
		out = append(out, createStep(m.b, c))
	case n.Revision != m.b.Revision: // it holds what a superseded revision wanted
		out = append(out, deleteStep(*n, m.b.Notify, ""), createStep(m.b, c))
	default:
		id, key = n.ID, n.ChangeKey
		e.there = ContentOf(*n, m.s.SuccessorMeetings).Meetings
		e.wanted = missing(c.Meetings, e.there)
	}
	for _, step := range meetingSteps(m.b, e) {
		step.ItemID, step.ChangeKey = id, key
		out = append(out, step)
	}
	return append(out, deleteStep(m.s.Held, m.b.Notify && m.l.Notified, ""))
}

// missing are the meetings that are not there yet. One that is there otherwise was changed by somebody since.
func missing(wanted, there []Meeting) []Meeting {
	return slices.DeleteFunc(slices.Clone(wanted), func(w Meeting) bool {
		return slices.ContainsFunc(there, func(t Meeting) bool { return minute(t.Original).Equal(minute(w.Original)) })
	})
}

// untold says whether the appointment has something of others that ROOMS has not been told of, and that its answer does
// not tell either.
func (m *threeWay) untold() bool {
	for part, v := range m.verdicts {
		if v == open && !m.wasTold(part) || v == same && m.toldOtherwise(part) {
			return true
		}
	}
	return false
}

func (m *threeWay) wasTold(part Part) bool {
	t := m.l.Told
	return t.known() && !t.Gone && t.Exchange[part] == m.exchange[part]
}

// toldOtherwise says whether the last that ROOMS was told of a part is not what is there: it was changed back since, or an
// attempt that broke off has written it.
func (m *threeWay) toldOtherwise(part Part) bool {
	t := m.l.Told
	return m.s.Sight == Found && t.known() && !t.Gone && t.Exchange[part] != m.exchange[part]
}

// nextLink is the link when the steps have succeeded, but for what only the writes can tell.
func (m *threeWay) nextLink() Link {
	next := m.l
	next.BookingID, next.Revision, next.State = m.b.ID, m.b.Revision, LinkLive
	next.Generation = max(next.Generation, 1)
	next.Rooms, next.Exchange = copyOf(m.baseRooms), copyOf(m.baseExchange)
	next.Open, next.Unsure, next.Settled = nil, false, false
	next.Series = m.content().Recurrence != nil
	next.Notified = next.Notified || m.b.Notify && len(m.b.Content.Attendees) > 0
	told := copyOf(m.l.Told.Exchange)
	next.Disputed = copyOf(m.l.Disputed)
	for _, part := range parts(m.rooms, m.exchange, m.baseRooms, m.baseExchange) {
		if v := m.verdicts[part]; v == kept {
			next.Disputed[part] = m.rooms[part]
		} else if v.writes() || v == agreed {
			delete(next.Disputed, part)
		}
		switch v := m.verdicts[part]; {
		case v.writes():
			set(next.Rooms, part, m.rooms[part])
			set(next.Exchange, part, m.rooms[part])
			set(told, part, m.rooms[part])
		case v == agreed, v == kept:
			set(next.Rooms, part, m.exchange[part])
			set(next.Exchange, part, m.exchange[part])
			set(told, part, m.exchange[part])
		case v == open:
			next.Open = append(next.Open, part)
		}
	}
	if next.Told.Exchange = told; len(next.Open) == 0 && !m.untold() || !m.l.Told.known() || m.l.Told.Gone {
		next.Told = Told{}
	}
	if m.s.Sight == Found {
		next.ItemID, next.ChangeKey, next.UID = m.s.Held.ID, m.s.Held.ChangeKey, m.s.Held.UID
	}
	return next
}

func (m *threeWay) answer(steps []Step) Answer {
	a := Answer{Kind: Applied, Reason: events.AppliedUpdated}
	for _, part := range parts(m.rooms, m.exchange, m.l.Told.Exchange) {
		switch v := m.verdicts[part]; {
		case v == kept:
			a.Lost = append(a.Lost, part)
		case v == overwrote, v == agreed && m.toldOtherwise(part), slices.Contains(m.s.Overwritten, part):
			a.Overwritten = append(a.Overwritten, part)
		}
	}
	ours := m.s.Sight == Found && m.s.Held.Revision == m.b.Revision // an earlier attempt has written it
	switch {
	case len(a.Lost) > 0:
		a.Kind, a.Reason = Conflict, events.ConflictChanged
	case !m.verdicts[PartTime].writes() && len(Declined(m.s.Held)) > 0:
		a.Kind, a.Reason = Conflict, events.ConflictBusy
	case ours && m.l.State != LinkLive:
		a.Reason = events.AppliedCreated
	case len(steps) == 0 && !ours:
		a.Reason = events.AppliedUnchanged
	}
	return a
}

// unknownChanges are the parts of an appointment that somebody changed and ROOMS may not have known of: that it had been
// told before it cancelled the booking does not prove that it had read it.
func unknownChanges(b Booking, l Link, s Seen, p Policy) []Part {
	b.Content = Content{}
	m := compare(b, l, s, p)
	var out []Part
	for _, part := range parts(m.exchange, m.baseExchange) {
		if _, disputed := l.Disputed[part]; disputed || m.exchange[part] != m.baseExchange[part] {
			out = append(out, part)
		}
	}
	return out
}

// Declined are the addresses of the rooms and things that declined a meeting: their booking attendant's answer comes some
// time after the invitation.
func Declined(h Held) []string {
	var out []string
	for _, a := range h.Attendees {
		if a.Role == "resource" && a.Response == "Decline" {
			out = append(out, strings.ToLower(a.Address))
		}
	}
	return out
}
