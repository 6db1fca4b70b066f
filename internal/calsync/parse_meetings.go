package calsync

import (
	"fmt"
	"time"
)

// slot is a meeting of a series as it takes place.
type slot struct {
	original, start, end time.Time
	field                string // of the exception, "" for a meeting as the pattern has it
}

// calendar holds the meetings that differ against the pattern. Exchange refuses a meeting that overlaps its neighbour, comes
// to its other side or onto its day (ErrorOccurrenceCrossingBoundary), and a series whose meetings are longer than the
// time between them.
func (f *faults) calendar(c Content) {
	fields, last := f.byOriginal(c)
	var slots []slot
	more := 0 // meetings after the last exception: its neighbour, and enough to see overlaps of the pattern
	ended := true
	for start := range c.starts() {
		if start.After(last) {
			if more++; more > 60 {
				ended = false
				break
			}
		}
		if s, ok := place(c, start, fields); ok {
			slots = append(slots, s)
		}
		delete(fields, start.Unix())
	}
	for i, m := range c.Meetings {
		if _, left := fields[m.Original.Unix()]; left {
			f.add(meetingField(c, i), m.Original.Format(time.RFC3339)+" is no meeting of the series", "send when the pattern has it, in the booking's zone")
		}
	}
	f.check(len(slots) > 0 || !ended, "cancelledOccurrences", "leave no meeting of the series", "cancel the booking")
	f.neighbours(c, slots)
}

// byOriginal are the positions of the meetings that differ, by original start, and the last of these.
func (f *faults) byOriginal(c Content) (map[int64]int, time.Time) {
	fields, last := map[int64]int{}, c.Start
	for i, m := range c.Meetings {
		if _, twice := fields[m.Original.Unix()]; twice {
			f.add(meetingField(c, i), m.Original.Format(time.RFC3339)+" is named twice", "name every meeting once, as an exception or as cancelled")
		}
		fields[m.Original.Unix()] = i
		if m.Original.After(last) {
			last = m.Original
		}
	}
	return fields, last
}

// meetingField is the path of a content's i-th meeting: exceptions stand before those cancelled.
func meetingField(c Content, i int) string {
	exceptions := 0
	for _, m := range c.Meetings {
		if !m.Cancelled {
			exceptions++
		}
	}
	if i < exceptions {
		return fmt.Sprintf("exceptions[%d].originalStart", i)
	}
	return fmt.Sprintf("cancelledOccurrences[%d]", i-exceptions)
}

func place(c Content, original time.Time, fields map[int64]int) (slot, bool) {
	i, differs := fields[original.Unix()]
	if !differs {
		return slot{original: original, start: original, end: c.patternEnd(original)}, true
	}
	m := c.Meetings[i]
	return slot{original, m.Start, m.End, fmt.Sprintf("exceptions[%d].start", i)}, !m.Cancelled
}

func (f *faults) neighbours(c Content, slots []slot) {
	loc := location(c.Zone)
	for i := 1; i < len(slots); i++ {
		a, b := slots[i-1], slots[i]
		sameDay := a.start.In(loc).Format(dateLayout) == b.start.In(loc).Format(dateLayout)
		if !b.start.Before(a.end) && !sameDay {
			continue
		}
		if a.field == "" && b.field == "" {
			f.add("end", "is after the series' next meeting begins", "send a shorter meeting, or a longer interval")
			return
		}
		f.crossing(a, b)
	}
}

func (f *faults) crossing(a, b slot) {
	moved, other := b, a
	if moved.field == "" {
		moved, other = a, b
	}
	f.add(moved.field, fmt.Sprintf("brings the meeting of %s to the day of that of %s, or past it, which Exchange refuses",
		moved.original.Format(time.RFC3339), other.original.Format(time.RFC3339)), "leave a day between neighbours in their order, or cancel one of them")
}
