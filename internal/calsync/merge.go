package calsync

// verdict says what becomes of one part.
type verdict int

const (
	same      verdict = iota // neither side has changed it
	agreed                   // both have it alike
	written                  // ROOMS' is written
	overwrote                // ROOMS' is written over a change that it may not have known of
	open                     // Exchange's stays, and ROOMS is told of it as of any change
	kept                     // Exchange's stays, and ROOMS' is lost
)

func (v verdict) writes() bool { return v == written || v == overwrote }
func (v verdict) stays() bool  { return v == open || v == kept }

// threeWay is the comparison of three versions, part by part.
type threeWay struct {
	b Booking
	l Link
	s Seen
	p Policy

	theirs                  Content // Exchange's, where somebody looked
	rooms, exchange         Digests // now
	baseRooms, baseExchange Digests // when they agreed last
	told                    Digests // what ROOMS has been told of Exchange's
	exactly                 bool    // ROOMS says itself that it knows that
	adopted                 bool    // taken up as it was found: nothing says what both had agreed on
	resumed                 bool    // an attempt has reached Exchange before
	verdicts                map[Part]verdict
}

func compare(b Booking, l Link, s Seen, p Policy) *threeWay {
	m := &threeWay{b: b, l: l, s: s, p: p, rooms: DigestsOf(b.Content, p, b.ID), verdicts: map[Part]verdict{}}
	m.exchange, m.baseRooms, m.baseExchange = copyOf(l.Exchange), copyOf(l.Rooms), copyOf(l.Exchange)
	if s.Sight == Found {
		m.theirs = ContentOf(s.Held, s.Meetings)
		m.exchange = DigestsOf(m.theirs, p, b.ID)
		series := Normal(m.theirs, p)
		for i, x := range m.theirs.Meetings { // those as their pattern stay among them: they may have texts of their own
			m.theirs.Meetings[i] = normalMeeting(series, x, p)
		}
		m.findBase()
	}
	m.findKnowledge()
	for _, part := range parts(m.rooms, m.exchange, m.baseRooms, m.baseExchange, l.Told.Exchange, l.Disputed) {
		m.verdicts[part] = m.judge(part)
	}
	m.coupleMeetings()
	return m
}

func copyOf(d Digests) Digests {
	c := make(Digests, len(d))
	for part, v := range d {
		c[part] = v
	}
	return c
}

// findBase corrects what both sides agreed on by what is known of the version that was found.
func (m *threeWay) findBase() {
	held := m.s.Held
	if m.l.State == LinkNone || m.l.State == LinkCancelled || m.l.Unsure && held.Revision == m.l.Revision {
		// Nothing is known that they agreed on: ROOMS' is written wherever it differs.
		m.adopted = true
		m.baseRooms, m.baseExchange = copyOf(m.exchange), copyOf(m.exchange)
	} else if held.ID == m.l.ItemID && held.ChangeKey == m.l.ChangeKey {
		m.untouched()
	}
	for _, tried := range append([]Booking{m.b}, m.b.Earlier...) {
		if held.Revision == tried.Revision && tried.Revision > m.l.Revision && !tried.Cancelled {
			m.resume(DigestsOf(tried.Content, m.p, m.b.ID))
			break
		}
	}
	m.ownMeetings()
}

// ownMeetings takes meetings that are as a superseded revision had them for written by an attempt at it: writing a meeting
// leaves no trace of the revision.
func (m *threeWay) ownMeetings() {
	for _, e := range m.b.Earlier {
		if e.Cancelled {
			continue
		}
		tried := DigestsOf(e.Content, m.p, m.b.ID)
		for _, part := range parts(tried, m.exchange, m.l.Rooms) {
			if part.ofMeeting() && tried[part] != m.l.Rooms[part] && tried[part] == m.exchange[part] {
				m.wasWritten(part, tried)
			}
		}
	}
}

// untouched takes what is there for what was agreed, since nobody has written to it: the server stored something else
// than it was given.
func (m *threeWay) untouched() {
	left := m.baseExchange
	m.baseExchange = copyOf(m.exchange)
	for _, part := range m.l.Open {
		set(m.baseExchange, part, left[part])
	}
}

// resume allows for an attempt that reached Exchange and has no answer yet. What it wrote is not a change of somebody
// else's. Where it made the series, or set its pattern, the meetings that differ may not have followed yet.
func (m *threeWay) resume(tried Digests) {
	fresh := m.l.State != LinkLive
	m.adopted, m.resumed = false, true
	moved := m.s.Held.ID != m.l.ItemID || tried[PartTime] == m.exchange[PartTime] && tried[PartTime] != m.baseRooms[PartTime]
	for _, part := range parts(tried, m.exchange, m.baseRooms, m.baseExchange) {
		switch {
		case m.exchange[part] == tried[part], fresh && !part.ofMeeting():
			m.wasWritten(part, tried)
		case part.ofMeeting() && (fresh || moved):
			delete(m.baseRooms, part)
			delete(m.baseExchange, part)
		case part.ofMeeting() || tried[part] == m.baseRooms[part]: // it had nothing to write there
		case m.exchange[part] == m.baseExchange[part] && !m.disputed(part), m.p.Winner != WinnerExchange && m.p.Winner != WinnerNewest:
			m.wasWritten(part, tried) // all parts are written at once: the server, or somebody later, made something else of it
		case m.rooms[part] != tried[part]:
			set(m.baseRooms, part, tried[part]) // whether it was written depends on what was there then
		}
	}
}

func (m *threeWay) disputed(part Part) bool {
	_, is := m.l.Disputed[part]
	return is
}

func (m *threeWay) wasWritten(part Part, tried Digests) {
	set(m.baseRooms, part, tried[part])
	set(m.baseExchange, part, tried[part])
}

func set(d Digests, part Part, digest string) {
	if digest == "" {
		delete(d, part)
	} else {
		d[part] = digest
	}
}

// findKnowledge finds out which version of Exchange's ROOMS knew when it made the revision. One that it names itself takes
// the place of the one that both had agreed on.
func (m *threeWay) findKnowledge() {
	t := m.l.Told
	if m.b.BasedOn == "" {
		if t.known() && m.b.Stored.After(t.At) {
			m.told = t.Exchange
		}
		return
	}
	versions := append([]Version{{m.s.Held.ChangeKey, m.exchange}}, t.history()...)
	for _, v := range versions {
		if v.ChangeKey != m.b.BasedOn {
			continue
		}
		m.told, m.exactly = v.Exchange, true
		for _, part := range parts(v.Exchange, m.baseExchange) {
			if v.Exchange[part] != m.baseExchange[part] {
				set(m.baseRooms, part, v.Exchange[part])
				set(m.baseExchange, part, v.Exchange[part])
			}
		}
		return
	}
}

func (m *threeWay) judge(part Part) verdict {
	rooms, exchange := m.rooms[part], m.exchange[part]
	roomsChanged, exchangeChanged := rooms != m.baseRooms[part], exchange != m.baseExchange[part]
	knows := m.told != nil && m.told[part] == exchange
	lost, disputed := m.l.Disputed[part]
	switch {
	case rooms == exchange:
		return agreed
	case !roomsChanged && !exchangeChanged:
		return same
	case knows && m.exactly, !exchangeChanged && !disputed && !m.adopted:
		return written
	case !roomsChanged && !knows:
		return open
	case m.roomsWins(), m.adopted, !exchangeChanged && rooms != lost:
		return overwrote
	}
	return kept
}

func (m *threeWay) roomsWins() bool {
	switch m.p.Winner {
	case WinnerExchange:
		return false
	case WinnerNewest:
		return !m.b.Modified.Before(m.s.Held.LastModified)
	}
	return true
}

// coupleMeetings corrects the verdicts about meetings by what they are together: a meeting of Exchange's that ROOMS' new
// pattern does not have cannot stay, and one of ROOMS' cannot be written that Exchange's pattern does not have, or that
// comes to a meeting which stays as somebody has put it.
func (m *threeWay) coupleMeetings() {
	if m.s.Sight != Found || !m.mixed() {
		return
	}
	for range len(m.verdicts) { // a meeting that is not moved may be in another's way
		if !m.coupleOnce(fitting(m.content())) {
			return
		}
	}
}

// coupleOnce says whether it changed a verdict.
func (m *threeWay) coupleOnce(fits func(Part) bool) bool {
	changed, time := false, m.verdicts[PartTime]
	for part, v := range m.verdicts {
		switch {
		case !part.ofMeeting() || fits(part):
		case v.stays() && m.exchange[part] != "" && time.writes():
			m.verdicts[part], changed = overwrote, true
		case v.writes() && !time.writes() && (m.rooms[part] != "" || !time.stays()):
			m.verdicts[part], changed = kept, true
		}
	}
	return changed
}

// mixed says whether meetings come from both sides, or from another side than their pattern.
func (m *threeWay) mixed() bool {
	if m.rooms[PartTime] != m.exchange[PartTime] {
		return true
	}
	for part, v := range m.verdicts {
		if part.ofMeeting() && v.writes() {
			return true
		}
	}
	return false
}

// fitting says of a meeting whether the content's pattern has it and it keeps clear of its neighbours.
func fitting(c Content) func(Part) bool {
	if c.Recurrence == nil {
		return func(Part) bool { return false }
	}
	slots, unplaced, _ := arrange(c)
	bad := map[Part]bool{}
	for i := 1; i < len(slots); i++ {
		if crosses(c, slots[i-1], slots[i]) {
			bad[MeetingPart(slots[i-1].original)], bad[MeetingPart(slots[i].original)] = true, true
		}
	}
	for i, meeting := range c.Meetings {
		if unplaced[i] {
			bad[MeetingPart(meeting.Original)] = true
		}
	}
	return func(part Part) bool { return !bad[part] }
}

// content is what Exchange is to hold.
func (m *threeWay) content() Content {
	c := m.b.Content
	for _, part := range allParts {
		if m.verdicts[part].stays() {
			c = withPart(c, m.theirs, part)
		}
	}
	if c.Meetings = nil; c.Recurrence != nil {
		c.Meetings = m.meetings()
	}
	return c
}

// meetings are those that differ from the series, of either side.
func (m *threeWay) meetings() []Meeting {
	var out []Meeting
	for _, x := range m.b.Content.Meetings {
		if !m.verdicts[MeetingPart(minute(x.Original))].stays() {
			out = append(out, x)
		}
	}
	for _, x := range m.theirs.Meetings {
		if m.verdicts[MeetingPart(minute(x.Original))].stays() {
			out = append(out, x)
		}
	}
	return out
}

// withPart returns c with a part of another content.
func withPart(c, from Content, part Part) Content {
	switch part {
	case PartTime:
		c.Start, c.End, c.Zone, c.AllDay, c.Recurrence = from.Start, from.End, from.Zone, from.AllDay, from.Recurrence
	case PartSubject:
		c.Subject = from.Subject
	case PartBody:
		c.Body = from.Body
	case PartLocation:
		c.Location = from.Location
	case PartFreeBusy:
		c.FreeBusy = from.FreeBusy
	case PartSensitivity:
		c.Sensitivity = from.Sensitivity
	case PartReminder:
		c.Reminder = from.Reminder
	case PartCategories:
		c.Categories = from.Categories
	case PartAttendees:
		c.Attendees = from.Attendees
	}
	return c
}
