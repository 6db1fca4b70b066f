package calsync

import (
	"fmt"
	"slices"
	"time"
)

var monday = time.Date(2026, 3, 23, 9, 0, 0, 0, time.UTC) // the clocks change on the Sunday after

// drawContent draws a booking from a small world, so that two sides often draw the same.
func (w *world) drawContent() Content {
	c := Content{Zone: "W. Europe Standard Time"}
	for _, p := range []Part{PartTime, PartSubject, PartBody, PartLocation, PartReminder, PartCategories} {
		c = w.redraw(c, p)
	}
	return c
}

// redraw draws one part anew.
func (w *world) redraw(c Content, p Part) Content {
	pick := func() string { return string(rune('A' + w.r.IntN(3))) }
	switch p {
	case PartTime:
		c.Start = monday.Add(time.Duration(w.r.IntN(3)) * time.Hour)
		c.End = c.Start.Add(time.Duration(30+30*w.r.IntN(2)) * time.Minute)
		c.Recurrence, c.Meetings = nil, nil
		if w.r.IntN(2) == 0 {
			c.Recurrence = &Recurrence{Pattern: "daily", Interval: 3, StartDate: "2026-03-23", Occurrences: 3 + w.r.IntN(2)}
		}
	case PartSubject:
		c.Subject = pick()
	case PartBody:
		c.Body = Body{Text: []string{"", "short", "a long text that the server shortens " + pick()}[w.r.IntN(3)]}
	case PartLocation:
		c.Location = []string{"", pick()}[w.r.IntN(2)]
	case PartReminder:
		c.Reminder = []*int{nil, new(int)}[w.r.IntN(2)]
	case PartCategories:
		c.Categories = [][]string{nil, {"Red"}, {"Blue", "Red"}}[w.r.IntN(3)]
	}
	return c
}

// redrawMeeting draws a meeting of a series: as its pattern, moved, renamed or cancelled. It leaves one meeting at least.
func (w *world) redrawMeeting(c Content, restores bool) (Content, bool) {
	var originals []time.Time
	for start := range c.starts() {
		originals = append(originals, start)
	}
	original := originals[w.r.IntN(len(originals))]
	meetings := slices.Clone(c.Meetings)
	at := slices.IndexFunc(meetings, func(m Meeting) bool { return m.Original.Equal(original) })
	if at >= 0 {
		if meetings[at].Cancelled && !restores {
			return c, false
		}
		meetings = slices.Delete(meetings, at, at+1)
	}
	m := patternMeeting(c, original)
	switch shift := time.Duration(w.r.IntN(4)) * 24 * time.Hour; w.r.IntN(4) {
	case 0:
		m = Meeting{Original: original, Cancelled: true}
	case 1:
		m.Start, m.End = m.Start.Add(shift), m.End.Add(shift)
	case 2:
		m.Subject = ptrTo("own " + string(rune('A'+w.r.IntN(2))))
	}
	was := c
	if c.Meetings = meetings; !asPattern(c, m) {
		c.Meetings = append(meetings, m)
	}
	if slots, _, _ := arrange(c); len(slots) == 0 || len(placed(c).Meetings) < len(c.Meetings) || !fitting(c)(MeetingPart(original)) {
		return was, false
	}
	return c, true
}

func ptrTo[T any](v T) *T { return &v }

// people do something to the calendar.
func (w *world) people() {
	x := w.exchange
	if len(x.items) == 0 {
		return
	}
	i := x.items[w.r.IntN(len(x.items))]
	if linked := x.find(w.link.ItemID); linked != nil && w.r.IntN(3) > 0 {
		i = linked
	}
	w.edits++
	switch {
	case i.where == "elsewhere":
		x.move(i, "calendar")
	case i.where == "deleted":
		if w.r.IntN(2) == 0 {
			x.move(i, "calendar")
		}
	default:
		w.peopleChange(i)
	}
	if w.verbose {
		w.say("people: %s %+v %s", i.id, values(Normal(i.content, w.policy)), i.where)
	}
}

func (w *world) peopleChange(i *item) {
	x := w.exchange
	switch n := w.r.IntN(20); {
	case n == 0:
		x.delete(i.id)
	case n == 1:
		x.move(i, "elsewhere")
	case n == 2:
		x.move(i, "calendar") // out and back at once
	case n == 3:
		w.copyItem(i)
	case n == 4:
		i.cancelled = true
		x.touch(i)
	case n == 5 && i.content.Recurrence != nil && i.content.Recurrence.Occurrences > 2:
		w.split(i)
	case n < 12 && i.content.Recurrence != nil:
		if c, ok := w.redrawMeeting(i.content, false); ok {
			w.personEdits(i, c)
		}
	default:
		p := []Part{PartTime, PartSubject, PartBody, PartLocation, PartReminder, PartCategories}[w.r.IntN(6)]
		c := w.redraw(i.content, p)
		if p == PartTime && (c.Recurrence == nil) != (i.content.Recurrence == nil) {
			return // people do not do that
		}
		w.personEdits(i, c)
	}
}

// personEdits gives an item a content, and signs what is other than before.
func (w *world) personEdits(i *item, c Content) {
	before := DigestsOf(i.content, w.policy, "")
	i.content = stored(c)
	if i.id != w.link.ItemID {
		for _, x := range w.exchange.items { // nothing tells which of doubles was touched, once a server has changed them too
			x.peoples = x.peoples || x.revision == i.revision && x.bookingID == i.bookingID
		}
	}
	after := DigestsOf(i.content, w.policy, "")
	w.exchange.touch(i)
	w.signatures++
	i.peoplesPattern = i.peoplesPattern || before[PartTime] != after[PartTime]
	for _, p := range parts(before, after) {
		switch {
		case p.ofMeeting() && after[p] == "" && before[PartTime] != after[PartTime]:
			if _, known := i.origins[p]; !known {
				i.origins[p] = before[p]
			}
			delete(i.authors, p) // it went with the pattern
		case before[p] != after[p]:
			w.sign(i, p, before[p], after[p])
		}
	}
}

// sign signs a part, unless people have brought it back to what it was before they came.
func (w *world) sign(i *item, p Part, before, after string) {
	if _, known := i.origins[p]; !known {
		i.origins[p] = before
	}
	unwritten := p.ofMeeting() && w.tried // nothing tells a meeting that was put back from one not written yet
	if i.signedAs[p], i.authors[p] = after, w.signatures; i.origins[p] == after || unwritten {
		delete(i.authors, p)
		i.unsigned[p] = unwritten
	}
}

func (w *world) copyItem(i *item) {
	n := *i
	n.id, n.peoples, n.authors, n.origins, n.key = w.exchange.id(), true, map[Part]int{}, map[Part]string{}, 0
	n.signedAs, n.unsigned = map[Part]string{}, map[Part]bool{}
	n.content.Meetings = slices.Clone(i.content.Meetings)
	if w.r.IntN(2) == 0 {
		n.uid = ""
	}
	w.exchange.items = append(w.exchange.items, &n)
	w.exchange.touch(&n)
}

// split ends a series and makes another of the rest, without our property, as "this and following" does.
func (w *world) split(i *item) {
	c := i.content
	shorter := *c.Recurrence
	shorter.Occurrences = 2
	c.Recurrence = &shorter
	c.Meetings = slices.DeleteFunc(slices.Clone(c.Meetings), func(m Meeting) bool { return m.Original.After(monday.Add(5 * 24 * time.Hour)) })
	if slots, _, _ := arrange(c); len(slots) == 0 {
		return
	}
	w.personEdits(i, c)
	rest := &item{id: w.exchange.id(), where: "calendar", content: stored(w.drawContent()), peoples: true, authors: map[Part]int{}, origins: map[Part]string{}, signedAs: map[Part]string{}, unsigned: map[Part]bool{}}
	w.exchange.items = append(w.exchange.items, rest)
	w.exchange.touch(rest)
}

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}
