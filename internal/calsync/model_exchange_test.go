package calsync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// exchange is a model of one calendar: change keys, ids that a move changes, a server that stores other things than it is
// given, meetings that a new pattern resets, and people.
type exchange struct {
	r     *rand.Rand
	now   func() time.Time
	items []*item // oldest first
	ids   int
	// pulled are the ids of items that changed since they were last pulled.
	pulled []string
	faults []string // what a server would refuse, and a planner must not do
}

type item struct {
	id, uid   string
	key       int
	bookingID string
	revision  int64
	content   Content
	cancelled bool
	modified  time.Time
	where     string // calendar, deleted, elsewhere
	// peoplesPattern says that a person has set when it takes place, and so its meetings.
	peoplesPattern bool
	peoples        bool // a person put it there: a copy, or what was restored
	// authors are the edits of people that no revision of ROOMS has replaced, by part.
	authors  map[Part]int
	origins  map[Part]string // what these parts were before
	signedAs map[Part]string // and what people made of them
	unsigned map[Part]bool   // what they changed while nothing tells it from what was not written yet
}

func (i *item) changeKey() string { return fmt.Sprintf("%s/%d", i.id, i.key) }

func (x *exchange) id() string { x.ids++; return fmt.Sprintf("item%d", x.ids) }

func (x *exchange) touch(i *item) {
	i.key++
	i.modified = x.now()
	x.pulled = append(x.pulled, i.id)
}

// stored is what the server makes of a content: it changes what has no meaning, and shortens a body, which has.
func stored(c Content) Content {
	text := plainText(c.Body)
	if len(text) > 12 {
		text = text[:12]
	}
	if text != "" {
		c.Body = Body{HTML: true, Text: "<html><body>\r\n<p>" + text + "&nbsp;</p>\r\n</body></html>"}
	}
	c.Subject, c.Location = c.Subject+" ", strings.TrimSpace(c.Location)
	c.Start, c.End = minute(c.Start), minute(c.End)
	c.FreeBusy, c.Sensitivity = "Busy", "Normal"
	c.Categories = slices.Clone(c.Categories)
	slices.Reverse(c.Categories)
	c.Meetings = slices.Clone(c.Meetings)
	return c
}

func (x *exchange) find(id string) *item {
	for _, i := range x.items {
		if i.id == id && i.where == "calendar" {
			return i
		}
	}
	return nil
}

func (x *exchange) create(id string, revision int64, c Content) *item {
	c.Meetings = nil
	n := &item{id: x.id(), bookingID: id, revision: revision, content: stored(c), where: "calendar", authors: map[Part]int{}, origins: map[Part]string{}, signedAs: map[Part]string{}, unsigned: map[Part]bool{}}
	n.uid = "uid-" + n.id
	x.items = append(x.items, n)
	x.touch(n)
	return n
}

// update fails with a conflict when somebody has written since key.
func (x *exchange) update(id, key string, revision int64, c Content, parts []Part) (*item, string) {
	i := x.find(id)
	switch {
	case i == nil:
		return nil, "gone"
	case i.changeKey() != key:
		return nil, "conflict"
	}
	wasSeries := i.content.Recurrence != nil
	for _, p := range parts {
		i.content = withPart(i.content, c, p)
		delete(i.authors, p)
		delete(i.origins, p)
	}
	if slices.Contains(parts, PartTime) {
		if wasSeries && c.Recurrence == nil {
			x.faults = append(x.faults, "a series was made single")
		}
		i.resetMeetings()
	}
	i.content = stored(i.content)
	i.revision = revision
	x.touch(i)
	return i, ""
}

func (i *item) resetMeetings() {
	i.content.Meetings = nil
	for p := range i.authors {
		if p.ofMeeting() {
			delete(i.authors, p)
		}
	}
}

// meeting writes one meeting of a series; nil cancels it.
func (x *exchange) meeting(id, key string, original time.Time, c *Content, parts []Part) (*item, string) {
	i := x.find(id)
	switch {
	case i == nil:
		return nil, "gone"
	case key != "" && i.changeKey() != key:
		return nil, "conflict"
	}
	m := patternMeeting(i.content, original)
	at := slices.IndexFunc(i.content.Meetings, func(m Meeting) bool { return m.Original.Equal(original) })
	if at >= 0 {
		m = i.content.Meetings[at]
		i.content.Meetings = slices.Delete(i.content.Meetings, at, at+1)
	}
	if m.Cancelled {
		x.faults = append(x.faults, "a cancelled meeting was written to")
	}
	i.content.Meetings = append(i.content.Meetings, changedMeeting(m, c, parts))
	delete(i.authors, MeetingPart(original))
	delete(i.origins, MeetingPart(original))
	x.checkMeetings(i)
	x.touch(i)
	return i, ""
}

func changedMeeting(m Meeting, c *Content, parts []Part) Meeting {
	if c == nil {
		return Meeting{Original: m.Original, Cancelled: true}
	}
	for _, p := range parts {
		switch p {
		case PartTime:
			m.Start, m.End = c.Start, c.End
		case PartSubject:
			m.Subject = &c.Subject
		case PartLocation:
			m.Location = &c.Location
		}
	}
	return m
}

func (x *exchange) checkMeetings(i *item) {
	if i.content.Recurrence == nil {
		x.faults = append(x.faults, "a meeting of a single appointment was written")
		return
	}
	slots, unplaced, _ := arrange(i.content)
	if slices.Contains(unplaced, true) {
		x.faults = append(x.faults, "a meeting that the series does not have was written")
	}
	for n := 1; n < len(slots); n++ {
		if crosses(i.content, slots[n-1], slots[n]) {
			x.faults = append(x.faults, "ErrorOccurrenceCrossingBoundary")
		}
	}
}

func (x *exchange) delete(id string) string {
	i := x.find(id)
	if i == nil {
		return "gone"
	}
	i.where = "deleted"
	x.touch(i)
	return ""
}

// move gives an item another id, as every move does.
func (x *exchange) move(i *item, where string) {
	x.pulled = append(x.pulled, i.id)
	i.id, i.where, i.peoples = x.id(), where, true
	x.touch(i)
}

// held is an item as a client reads it.
func (i *item) held() (Held, []Appointment) {
	c := i.content
	h := Held{Body: c.Body, Reminder: c.Reminder, Categories: c.Categories}
	h.Appointment = Appointment{
		ID: i.id, ChangeKey: i.changeKey(), UID: i.uid, Type: Single, Start: c.Start, End: c.End, StartZone: c.Zone, FreeBusy: c.FreeBusy,
		Sensitivity: c.Sensitivity, Subject: c.Subject, Location: c.Location, Recurrence: c.Recurrence, LastModified: i.modified, Cancelled: i.cancelled,
		BookingID: i.bookingID, Revision: i.revision,
	}
	var meetings []Appointment
	for _, m := range c.Meetings {
		if m.Cancelled {
			h.Deleted = append(h.Deleted, m.Original)
			continue
		}
		h.Modified = append(h.Modified, OccurrenceRef{OriginalStart: m.Original, Start: m.Start, End: m.End})
		a := Appointment{Type: Exception, RecurrenceID: m.Original, Start: m.Start, End: m.End, FreeBusy: c.FreeBusy, Subject: c.Subject, Location: c.Location}
		if m.Subject != nil {
			a.Subject = *m.Subject
		}
		if m.Location != nil {
			a.Location = *m.Location
		}
		meetings = append(meetings, a)
	}
	return h, meetings
}

// told is an item as ROOMS is told of it: a meeting says only what it has otherwise than its series.
func (i *item) told() Content {
	c := i.content
	series := Normal(c, Policy{})
	c.Meetings = nil
	for _, m := range i.content.Meetings {
		c.Meetings = append(c.Meetings, normalMeeting(series, m, Policy{}))
	}
	return c
}
