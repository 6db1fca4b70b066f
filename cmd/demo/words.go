package main

import (
	"fmt"
	"time"

	"roomsync/events"
)

// known is what ROOMS remembers of an appointment, so that it can say what a change changed.
type known struct {
	subject, location, freeBusy string
	span                        span
	series                      bool
	meetings                    map[time.Time]events.Occurrence // of a series, by original start
}

// span is when something takes place.
type span struct {
	start, end time.Time
	allDay     bool
}

func (s span) same(o span) bool {
	return s.start.Equal(o.start) && s.end.Equal(o.end) && s.allDay == o.allDay
}

func remember(c events.Change) known {
	k := known{subject: c.Subject, location: c.Location, freeBusy: c.FreeBusy, series: c.Type == events.ItemMaster}
	if k.subject == "" {
		k.subject = "an appointment"
		if c.Sensitivity != "" && c.Sensitivity != events.Normal {
			k.subject = "a private appointment"
		}
	}
	k.span = spanOf(c)
	if len(c.Occurrences) > 0 {
		k.meetings = make(map[time.Time]events.Occurrence, len(c.Occurrences))
		for _, o := range c.Occurrences {
			k.meetings[o.OriginalStart] = o
		}
	}
	return k
}

// spanOf takes the days of an all-day appointment as they stand: they are the same in every zone.
func spanOf(c events.Change) span {
	first, err1 := time.ParseInLocation(time.DateOnly, c.StartDate, time.Local)
	end, err2 := time.ParseInLocation(time.DateOnly, c.EndDate, time.Local)
	if c.AllDay && err1 == nil && err2 == nil {
		return span{first, end, true}
	}
	if c.Start == nil || c.End == nil {
		return span{}
	}
	return span{*c.Start, *c.End, false}
}

// words says what a change did to an appointment, given what was known of it (nil: nothing), on the day of now.
func words(c events.Change, old *known, now time.Time) string {
	if c.Kind == events.KindDeleted {
		if old == nil {
			return "an appointment cancelled"
		}
		return old.subject + " cancelled"
	}
	k := remember(c)
	switch {
	case old == nil && k.series:
		return k.subject + " added, " + rhythm(c.Recurrence)
	case old == nil:
		return k.subject + " added, " + k.span.words(now)
	case k.series:
		return k.subject + seriesChange(k, *old, now)
	case !k.span.same(old.span):
		return k.subject + " moved to " + k.span.words(now)
	}
	return k.subject + detailChange(k, *old)
}

func detailChange(k, old known) string {
	switch {
	case k.subject != old.subject:
		return ", until now " + old.subject
	case k.location != old.location && k.location != "":
		return " now in " + k.location
	case k.freeBusy != old.freeBusy:
		return " now " + k.freeBusy
	}
	return " edited"
}

// seriesChange finds the meeting that is different; several are told together.
func seriesChange(k, old known, now time.Time) string {
	var what string
	n := 0
	for original, o := range k.meetings {
		was, ok := old.meetings[original]
		if ok && (!was.Start.Equal(o.Start) || !was.End.Equal(o.End)) {
			n++
			what = " of " + day(original, now) + " moved to " + span{o.Start, o.End, false}.words(now)
		} else if ok && (was.Subject != o.Subject || was.Location != o.Location || was.Type != o.Type) {
			n++
			what = " of " + day(original, now) + " edited"
		}
	}
	for original := range old.meetings {
		if _, ok := k.meetings[original]; !ok {
			n++
			what = " of " + day(original, now) + " cancelled"
		}
	}
	switch n {
	case 0:
		return detailChange(k, old)
	case 1:
		return what
	}
	return fmt.Sprintf(": %d meetings of the series changed", n)
}

func rhythm(r *events.Recurrence) string {
	if r == nil {
		return "a series"
	}
	switch r.Pattern {
	case "daily":
		return "daily"
	case "weekly":
		if len(r.DaysOfWeek) == 5 {
			return "every working day"
		}
		return "weekly"
	case "absoluteMonthly", "relativeMonthly":
		return "monthly"
	}
	return "yearly"
}

// words are a day and hours on this machine's clock.
func (s span) words(now time.Time) string {
	if s.start.IsZero() {
		return "an unknown time"
	}
	if s.allDay {
		last := s.end.AddDate(0, 0, -1)
		if !last.After(s.start) {
			return day(s.start, now) + ", all day"
		}
		return day(s.start, now) + " to " + day(last, now)
	}
	const clock = "15:04"
	return day(s.start, now) + " " + s.start.Local().Format(clock) + "–" + s.end.Local().Format(clock)
}

// day names a day near now by its weekday, and others by their date too.
func day(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.Local)
	switch {
	case !t.Before(today) && t.Before(today.AddDate(0, 0, 1)):
		return "today"
	case !t.Before(today) && t.Before(today.AddDate(0, 0, 7)):
		return t.Format("Mon")
	}
	return t.Format("Mon 2 Jan")
}
