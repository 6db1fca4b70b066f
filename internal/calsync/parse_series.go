package calsync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"roomsync/events"
)

// maxRange bounds intervals and numbered ranges, as Exchange does.
const maxRange = 999

// needs says which fields each pattern has: those, and no others.
var needs = map[string]struct{ interval, days, dayOfMonth, index, month, weekStart bool }{
	"daily":           {interval: true},
	"weekly":          {interval: true, days: true, weekStart: true},
	"absoluteMonthly": {interval: true, dayOfMonth: true},
	"relativeMonthly": {interval: true, days: true, index: true},
	"absoluteYearly":  {dayOfMonth: true, month: true},
	"relativeYearly":  {days: true, index: true, month: true},
}

// series checks the recurrence and the meetings that differ from it. These are held against the pattern only when
// everything that makes the pattern is good.
func (f *faults) series(c *Content, d events.BookingUpserted, timed bool) {
	if d.Recurrence == nil {
		f.check(len(d.Exceptions) == 0, "exceptions", "are given of a booking that does not recur", "send a recurrence, or leave them out")
		f.check(len(d.CancelledOccurrences) == 0, "cancelledOccurrences", "are given of a booking that does not recur", "send a recurrence, or leave them out")
		return
	}
	before := len(f.found)
	c.Recurrence = f.recurrence(*d.Recurrence)
	good := len(f.found) == before && !f.broken["recurrence"]
	f.exceptions(c, d.Exceptions)
	f.cancellations(c, d.CancelledOccurrences)
	if timed && good && f.first(*c) && len(f.found) == before {
		f.calendar(*c)
	}
}

func (f *faults) recurrence(r events.Recurrence) *Recurrence {
	n, ok := needs[r.Pattern]
	if !ok {
		f.add("recurrence.pattern", fmt.Sprintf("%q is not known", r.Pattern), "use "+oneOf(needs))
		return nil
	}
	f.needed(r.Pattern, n.interval, r.Interval != 0, "interval")
	f.needed(r.Pattern, n.days, len(r.DaysOfWeek) > 0, "daysOfWeek")
	f.needed(r.Pattern, n.dayOfMonth, r.DayOfMonth != 0, "dayOfMonth")
	f.needed(r.Pattern, n.index, r.WeekIndex != "", "weekIndex")
	f.needed(r.Pattern, n.month, r.Month != "", "month")
	f.check(n.weekStart || r.WeekStart == "", "recurrence.weekStart", "is not for "+r.Pattern, "leave it out")
	f.check(r.Interval >= 0 && r.Interval <= maxRange, "recurrence.interval", "is out of range", fmt.Sprintf("send 1 to %d", maxRange))
	f.check(r.DayOfMonth >= 0 && r.DayOfMonth <= 31, "recurrence.dayOfMonth", "is out of range", "send 1 to 31")
	f.known("recurrence.weekIndex", r.WeekIndex, weekIndexes)
	f.known("recurrence.month", r.Month, months)
	f.known("recurrence.weekStart", r.WeekStart, weekdays)
	f.daysOfWeek(r)
	f.rangeOf(r)
	return &Recurrence{
		Pattern: r.Pattern, Interval: r.Interval, DaysOfWeek: slices.Clone(r.DaysOfWeek), DayOfMonth: r.DayOfMonth, WeekIndex: r.WeekIndex,
		Month: r.Month, WeekStart: r.WeekStart, StartDate: r.StartDate, EndDate: r.EndDate, Occurrences: r.Occurrences,
	}
}

func (f *faults) needed(pattern string, needed, given bool, field string) {
	f.check(given || !needed, "recurrence."+field, "is missing, and "+pattern+" needs it", "send it")
	f.check(needed || !given, "recurrence."+field, "is not for "+pattern, "leave it out")
}

func known[V any](word string, words map[string]V) bool {
	_, ok := words[word]
	return ok || word == ""
}

func (f *faults) known(field, word string, words any) {
	switch words := words.(type) {
	case map[string]int:
		f.check(known(word, words), field, fmt.Sprintf("%q is not known", word), "use "+oneOf(words))
	case map[string]time.Month:
		f.check(known(word, words), field, fmt.Sprintf("%q is not known", word), "use January to December")
	case map[string]time.Weekday:
		f.check(known(word, words), field, fmt.Sprintf("%q is no day of the week", word), "use Monday to Sunday")
	}
}

// daysOfWeek are one or more weekdays of a weekly pattern, and one day or kind of day of a relative one.
func (f *faults) daysOfWeek(r events.Recurrence) {
	relative := strings.HasPrefix(r.Pattern, "relative")
	for i, day := range r.DaysOfWeek {
		_, ok := weekdays[day]
		ok = ok || relative && (day == "Day" || day == "Weekday" || day == "WeekendDay")
		f.check(ok, fmt.Sprintf("recurrence.daysOfWeek[%d]", i), fmt.Sprintf("%q is no day for %s", day, r.Pattern),
			"use Monday to Sunday; in relative patterns Day, Weekday and WeekendDay too")
		f.check(!slices.Contains(r.DaysOfWeek[:i], day), fmt.Sprintf("recurrence.daysOfWeek[%d]", i), fmt.Sprintf("%q stands there twice", day), "name it once")
	}
	f.check(!relative || len(r.DaysOfWeek) <= 1, "recurrence.daysOfWeek", "are several, and "+r.Pattern+" has one", "send one")
}

func (f *faults) rangeOf(r events.Recurrence) {
	start, err := time.Parse(dateLayout, r.StartDate)
	f.check(err == nil, "recurrence.startDate", fmt.Sprintf("%q is no date", r.StartDate), "send it as yyyy-mm-dd")
	f.check(r.EndDate == "" || r.Occurrences == 0, "recurrence.occurrences", "is given beside endDate", "send one of them, or neither for a series without end")
	f.check(r.Occurrences >= 0 && r.Occurrences <= maxRange, "recurrence.occurrences", "is out of range", fmt.Sprintf("send 1 to %d", maxRange))
	if r.EndDate == "" {
		return
	}
	end, endErr := time.Parse(dateLayout, r.EndDate)
	f.check(endErr == nil, "recurrence.endDate", fmt.Sprintf("%q is no date", r.EndDate), "send it as yyyy-mm-dd")
	f.check(err != nil || endErr != nil || !end.Before(start), "recurrence.endDate", "lies before startDate", "send a later one")
}

// first checks that the first meeting is the pattern's first. Exchange would move the series' start without a word.
func (f *faults) first(c Content) bool {
	day := c.Start.In(location(c.Zone)).Format(dateLayout)
	if c.Recurrence.StartDate != day {
		f.add("recurrence.startDate", fmt.Sprintf("is %s, and the first meeting is on %s in the booking's zone", c.Recurrence.StartDate, day), "send the day of the first meeting")
		return false
	}
	for start := range c.starts() {
		if start.Equal(c.Start) {
			return true
		}
		f.add("recurrence", "does not have the first meeting: the first that fits it is on "+start.In(location(c.Zone)).Format(dateLayout), "send that one as start")
		return false
	}
	f.add("recurrence", "has no meeting at all", "send a later end")
	return false
}

func (f *faults) exceptions(c *Content, all []events.BookingException) {
	for i, x := range all {
		field := fmt.Sprintf("exceptions[%d]", i)
		f.check(!x.OriginalStart.IsZero(), field+".originalStart", "is missing", "send when the pattern has the meeting")
		m := Meeting{Original: x.OriginalStart.UTC(), Start: f.instant(field+".start", present(x.Start)), End: f.instant(field+".end", present(x.End))}
		f.span(field+".start", field+".end", m.Start, m.End)
		m.Subject, m.Location = given(f.line(field+".subject", x.Subject)), given(f.line(field+".location", x.Location))
		m.FreeBusy = given(f.word(field+".freeBusy", x.FreeBusy, "", freeBusyOf))
		c.Meetings = append(c.Meetings, m)
	}
}

func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (f *faults) cancellations(c *Content, all []time.Time) {
	for i, original := range all {
		f.check(!original.IsZero(), fmt.Sprintf("cancelledOccurrences[%d]", i), "is missing", "send when the pattern has the meeting")
		c.Meetings = append(c.Meetings, Meeting{Original: original.UTC(), Cancelled: true})
	}
}
