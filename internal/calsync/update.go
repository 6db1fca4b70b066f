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
	if s.Sight == Unseen && (anew || m.blind()) {
		return Plan{Look: true}
	}
	// Doubles go first: what tells them is that they are as they were made.
	plan := Plan{Steps: deleteDoubles(s), link: m.nextLink(), Untold: m.untold()}
	if anew {
		plan.Steps = append(plan.Steps, m.stepsAnew()...)
		plan.link.Generation++
		if n := s.Successor; n != nil { // where it is complete already no write will tell its id
			plan.link.ItemID, plan.link.ChangeKey, plan.link.UID = n.ID, n.ChangeKey, n.UID
		}
	} else {
		plan.Steps = append(plan.Steps, m.steps()...)
	}
	plan.link.Exceptions = plan.link.Series && (slices.ContainsFunc(plan.Steps, changesMeeting) || plan.link.Exceptions && !anew ||
		slices.ContainsFunc(m.theirs.Meetings, func(x Meeting) bool { return !x.Cancelled }))
	plan.Answer = m.answer(plan.Steps)
	return plan
}

func changesMeeting(s Step) bool { return s.Kind == StepMeeting }

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
	e := edits{series: m.content(), there: m.theirs.Meetings, rewritten: m.writtenParts(), policy: m.p}
	if m.verdicts[PartTime].writes() {
		e.wanted, e.there = e.series.Meetings, nil // the pattern is set anew, and with it all its meetings
	} else {
		e.wanted = append(m.writtenMeetings(), m.following()...)
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

// following are the meetings that differ and are not written themselves: they are to follow their series' texts.
func (m *threeWay) following() []Meeting {
	return slices.DeleteFunc(slices.Clone(m.theirs.Meetings), func(x Meeting) bool {
		return x.Cancelled || m.verdicts[MeetingPart(minute(x.Original))].writes()
	})
}

// blind says whether the steps or the answer depend on what only a look can tell: what stays in Exchange, and the meetings
// that differ already and are to be written, or to follow their series' texts.
func (m *threeWay) blind() bool {
	texts := m.verdicts[PartSubject].writes() || m.verdicts[PartLocation].writes() || m.verdicts[PartFreeBusy].writes()
	for part, v := range m.verdicts {
		if v.stays() {
			return true
		}
		if part.ofMeeting() && v.writes() && m.exchange[part] != "" && !m.cancelledThere(part) && !m.verdicts[PartTime].writes() {
			return true
		}
	}
	return texts && m.l.Exceptions && !m.verdicts[PartTime].writes()
}

// stepsAnew make the appointment a second time with all that it is to hold, and then delete the first.
func (m *threeWay) stepsAnew() []Step {
	c := m.content()
	n := m.s.Successor
	if n != nil && n.Revision == m.b.Revision {
		return append(m.finish(*n, c), m.deleteOld())
	}
	var out []Step
	if n != nil { // it holds what a superseded revision wanted
		out = append(out, deleteStep(*n, m.b.Notify, ""))
	}
	out = append(out, createStep(m.b, c))
	out = append(out, meetingSteps(m.b, edits{series: c, wanted: c.Meetings, policy: m.p})...)
	return append(out, m.deleteOld())
}

func (m *threeWay) deleteOld() Step { return deleteStep(m.s.Held, m.b.Notify && m.l.Notified, "") }

// finish completes what a broken-off attempt made: the meetings that did not follow, and what people have done to the old
// appointment meanwhile.
func (m *threeWay) finish(n Held, c Content) []Step {
	there := ContentOf(n, m.s.SuccessorMeetings)
	has := DigestsOf(there, m.p, m.b.ID)
	var changed []Part
	for _, part := range allParts {
		if m.verdicts[part].stays() && has[part] != m.exchange[part] {
			changed = append(changed, part)
		}
	}
	e := edits{series: c, there: there.Meetings, policy: m.p}
	if slices.Contains(changed, PartTime) {
		e.there = nil
	}
	for _, x := range c.Meetings {
		part := MeetingPart(minute(x.Original))
		now, differs := e.now(x.Original)
		if !differs || m.verdicts[part].stays() && has[part] != m.exchange[part] && !now.Cancelled {
			e.wanted = append(e.wanted, x)
		}
	}
	var out []Step
	if len(changed) > 0 {
		out = append(out, Step{Kind: StepUpdate, Content: c, Parts: changed, Notify: m.b.Notify})
	}
	out = append(out, meetingSteps(m.b, e)...)
	for i := range out {
		out[i].ItemID, out[i].ChangeKey = n.ID, n.ChangeKey
	}
	return out
}

// untold says whether something of Exchange's stays that the revision has otherwise, or that was not compared: what people
// did to a successor. ROOMS takes an applied revision for what the calendar shows, so it is told of the appointment as it
// is right after, even if it was before.
func (m *threeWay) untold() bool {
	for _, v := range m.verdicts {
		if v == open {
			return true
		}
	}
	return m.s.Successor != nil
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
	next.Disputed, next.Told = copyOf(m.l.Disputed), m.l.Told.clone()
	for _, part := range parts(m.rooms, m.exchange, m.baseRooms, m.baseExchange) {
		if v := m.verdicts[part]; v == kept {
			next.Disputed[part] = m.rooms[part]
		} else if v.writes() || v == agreed {
			delete(next.Disputed, part)
		}
		if v := m.verdicts[part]; v.writes() || v == agreed {
			next.Told.sent(part, m.rooms[part])
		}
		switch v := m.verdicts[part]; {
		case v.writes():
			set(next.Rooms, part, m.rooms[part])
			set(next.Exchange, part, m.rooms[part])
		case v == agreed, v == kept:
			set(next.Rooms, part, m.exchange[part])
			set(next.Exchange, part, m.exchange[part])
		case v == open:
			next.Open = append(next.Open, part)
		}
	}
	if len(next.Open) == 0 || !m.l.Told.known() || m.l.Told.Gone {
		next.Told = Told{}
	}
	if m.s.Sight == Found {
		next.ItemID, next.ChangeKey, next.UID = m.s.Held.ID, m.s.Held.ChangeKey, m.s.Held.UID
	}
	return next
}

func (m *threeWay) answer(steps []Step) Answer {
	a := Answer{Kind: Applied, Reason: events.AppliedUpdated}
	for _, part := range parts(m.rooms, m.exchange) {
		switch v := m.verdicts[part]; {
		case v == kept:
			a.Lost = append(a.Lost, part)
		case v == overwrote, slices.Contains(m.s.Overwritten, part):
			a.Overwritten = append(a.Overwritten, part)
		}
	}
	switch {
	case len(a.Lost) > 0:
		a.Kind, a.Reason = Conflict, events.ConflictChanged
	case !m.verdicts[PartTime].writes() && len(Declined(m.s.Held)) > 0:
		a.Kind, a.Reason = Conflict, events.ConflictBusy
	case m.resumed && m.l.State != LinkLive:
		a.Reason = events.AppliedCreated
	case len(steps) == 0 && !m.resumed:
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
	for _, part := range parts(m.exchange, m.baseExchange, l.Disputed) {
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
