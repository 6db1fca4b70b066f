package calsync

import (
	"fmt"
	"time"
)

// slot is a meeting of a series as it takes place.
type slot struct {
	original, start, end time.Time
	meeting              int // position among the content's meetings, -1 for one as the pattern has it
}

// beyond is how many meetings after the last that differs are looked at: its neighbour, and enough to see whether the
// pattern's own overlap.
const beyond = 60

// arrange puts the meetings of a series in the pattern's order. unplaced are those of the content's meetings that the
// pattern does not have; whole says that no more meetings follow.
func arrange(c Content) (slots []slot, unplaced []bool, whole bool) {
	positions, last := map[int64]int{}, c.Start
	unplaced = make([]bool, len(c.Meetings))
	for i, m := range c.Meetings {
		positions[minute(m.Original).Unix()], unplaced[i] = i, true
		if m.Original.After(last) {
			last = m.Original
		}
	}
	more := 0
	for start := range c.starts() {
		if start.After(last) {
			if more++; more > beyond {
				return slots, unplaced, false
			}
		}
		s := slot{start, start, c.patternEnd(start), -1}
		if i, ok := positions[minute(start).Unix()]; ok {
			unplaced[i] = false
			s = slot{start, c.Meetings[i].Start, c.Meetings[i].End, i}
		}
		if s.meeting < 0 || !c.Meetings[s.meeting].Cancelled {
			slots = append(slots, s)
		}
	}
	return slots, unplaced, true
}

// crosses says whether Exchange refuses two neighbours: they overlap, are in the wrong order, or on one day
// (ErrorOccurrenceCrossingBoundary).
func crosses(c Content, a, b slot) bool {
	if b.start.Before(a.end) {
		return true
	}
	loc := location(c.Zone)
	return a.start.In(loc).Format(dateLayout) == b.start.In(loc).Format(dateLayout)
}

// calendar holds the meetings that differ against the pattern.
func (f *faults) calendar(c Content) {
	slots, unplaced, whole := arrange(c)
	seen := map[int64]bool{}
	for i, m := range c.Meetings {
		at := m.Original.Format(time.RFC3339)
		switch {
		case seen[m.Original.Unix()]:
			f.add(meetingField(c, i), at+" is named twice", "name every meeting once, as an exception or as cancelled")
		case unplaced[i]:
			f.add(meetingField(c, i), at+" is no meeting of the series", "send when the pattern has it, in the booking's zone")
		}
		seen[m.Original.Unix()] = true
	}
	f.check(len(slots) > 0 || !whole, "cancelledOccurrences", "leave no meeting of the series", "cancel the booking")
	f.neighbours(c, slots)
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

func (f *faults) neighbours(c Content, slots []slot) {
	for i := 1; i < len(slots); i++ {
		a, b := slots[i-1], slots[i]
		switch {
		case !crosses(c, a, b):
		case a.meeting < 0 && b.meeting < 0:
			f.add("end", "is not before the day, or the time, of the series' next meeting", "send a shorter meeting, or a longer interval")
			return
		case b.meeting >= 0:
			f.crossing(b, a)
		default:
			f.crossing(a, b)
		}
	}
}

func (f *faults) crossing(moved, other slot) {
	f.add(fmt.Sprintf("exceptions[%d].start", moved.meeting),
		fmt.Sprintf("brings the meeting of %s to the day of that of %s, or past it, which Exchange refuses", moved.original.Format(time.RFC3339), other.original.Format(time.RFC3339)),
		"keep the meetings in their order and on days of their own, or cancel one of them")
}
