package calsync

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// cancelledMeeting is the value of a meeting that does not take place.
const cancelledMeeting = "cancelled"

// edits are the meetings of a series that are to be written.
type edits struct {
	series Content
	wanted []Meeting
	there  []Meeting // those that differ in Exchange now
	// rewritten are the parts that are written to the series before. A meeting that differs in anything may have a text of
	// its own that only happens to be the series' old one, and does not follow it.
	rewritten []Part
	policy    Policy
}

// original is the original start of a meeting's part.
func (p Part) original() time.Time {
	t, _ := time.Parse(time.RFC3339, strings.TrimPrefix(string(p), "meeting "))
	return t
}

// patternMeeting is a meeting as its series has it.
func patternMeeting(series Content, original time.Time) Meeting {
	return Meeting{Original: original, Start: original, End: series.patternEnd(original)}
}

// meetingSteps cancel and change meetings, in an order in which none passes or meets its neighbour on the way: first those
// cancelled, then those that move to a later time, the last first, then the others, the first first.
func meetingSteps(b Booking, e edits) []Step {
	var cancels, later, others []Step
	wanted := slices.Clone(e.wanted)
	slices.SortFunc(wanted, func(a, b Meeting) int { return a.Original.Compare(b.Original) })
	for _, m := range wanted {
		now, differs := e.now(m.Original)
		switch {
		case m.Cancelled && now.Cancelled:
		case m.Cancelled:
			cancels = append(cancels, Step{Kind: StepCancelMeeting, Original: m.Original, Notify: b.Notify})
		default:
			step := e.change(b, m, now, differs)
			if len(step.Parts) == 0 {
				continue
			}
			if m.Start.After(now.Start) {
				later = append(later, step)
			} else {
				others = append(others, step)
			}
		}
	}
	slices.Reverse(later)
	return slices.Concat(cancels, later, others)
}

// now is a meeting as it is in Exchange, and whether it differs there from its series.
func (e edits) now(original time.Time) (Meeting, bool) {
	for _, m := range e.there {
		if minute(m.Original).Equal(minute(original)) {
			return m, true
		}
	}
	return patternMeeting(e.series, original), false
}

// change writes what of a meeting is not as it is to be.
func (e edits) change(b Booking, m, now Meeting, differs bool) Step {
	c := e.series
	c.Recurrence, c.Meetings = nil, nil
	c.Start, c.End = m.Start, m.End
	step := Step{Kind: StepMeeting, Original: m.Original, Notify: b.Notify}
	put := func(part Part, other bool) {
		if other {
			step.Parts = append(step.Parts, part)
		}
	}
	put(PartTime, !minute(m.Start).Equal(minute(now.Start)) || !minute(m.End).Equal(minute(now.End)))
	text := func(part Part, into *string, wanted, is *string) {
		series := *into
		*into = *cmp.Or(wanted, &series)
		stays := wanted == nil && differs && slices.Contains(e.rewritten, part)
		put(part, stays || oneLine(*into) != oneLine(*cmp.Or(is, &series)))
	}
	if !e.policy.Resource {
		text(PartSubject, &c.Subject, m.Subject, now.Subject)
	}
	text(PartLocation, &c.Location, m.Location, now.Location)
	text(PartFreeBusy, &c.FreeBusy, m.FreeBusy, now.FreeBusy)
	step.Content = c
	return step
}
