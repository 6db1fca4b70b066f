package calsync

import (
	"iter"
	"slices"
	"time"
)

// maxMeetings bounds the work on one series: a daily one of fifty years has fewer.
const maxMeetings = 20_000

const dateLayout = time.DateOnly

var weekdays = map[string]time.Weekday{
	"Sunday": time.Sunday, "Monday": time.Monday, "Tuesday": time.Tuesday, "Wednesday": time.Wednesday,
	"Thursday": time.Thursday, "Friday": time.Friday, "Saturday": time.Saturday,
}

var months = func() map[string]time.Month {
	m := map[string]time.Month{}
	for x := time.January; x <= time.December; x++ {
		m[x.String()] = x
	}
	return m
}()

var weekIndexes = map[string]int{"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}

// starts are the original starts of the meetings of a series, in order, at most maxMeetings of them. The clock stays the
// same over the change to summer time; one that the change leaves out is an hour later.
func (c Content) starts() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		loc := location(c.Zone)
		clock := c.Start.In(loc)
		for day := range c.Recurrence.days() {
			if !yield(atClock(day, clock, loc)) {
				return
			}
		}
	}
}

// atClock is a clock's time on a day. The time package leaves open on which side of a gap it comes out: it is after it.
func atClock(day, clock time.Time, loc *time.Location) time.Time {
	t := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, loc)
	if t.Hour() == clock.Hour() && t.Minute() == clock.Minute() {
		return t.UTC()
	}
	_, before := t.Add(-24 * time.Hour).Zone()
	return time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC).Add(-time.Duration(before) * time.Second)
}

// days are the days of the pattern within the range, as midnights of UTC.
func (r Recurrence) days() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		start, err := time.Parse(dateLayout, r.StartDate)
		if err != nil {
			return
		}
		end, err := time.Parse(dateLayout, r.EndDate)
		endless := err != nil
		n := 0
		for day := range r.pattern(start) {
			if day.Before(start) {
				continue
			}
			n++
			if !endless && day.After(end) || r.Occurrences > 0 && n > r.Occurrences || n > maxMeetings || !yield(day) {
				return
			}
		}
	}
}

// pattern are the days of the pattern from some day before start on, without end.
func (r Recurrence) pattern(start time.Time) iter.Seq[time.Time] {
	step := max(r.Interval, 1)
	first := start.AddDate(0, 0, 1-start.Day())
	switch r.Pattern {
	case "daily":
		return every(func(n int) []time.Time { return []time.Time{start.AddDate(0, 0, n*step)} })
	case "weekly":
		return every(func(n int) []time.Time { return r.week(start, n*step) })
	case "absoluteMonthly", "relativeMonthly":
		return every(func(n int) []time.Time { return r.inMonth(first.AddDate(0, n*step, 0)) })
	case "absoluteYearly", "relativeYearly":
		january := time.Date(start.Year(), r.monthOf(start), 1, 0, 0, 0, 0, time.UTC)
		return every(func(n int) []time.Time { return r.inMonth(january.AddDate(n, 0, 0)) })
	}
	return func(func(time.Time) bool) {}
}

// every goes through the periods of a pattern. A period may lack a day; too many in a row end it.
func every(period func(n int) []time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for n := range maxMeetings {
			for _, day := range period(n) {
				if !yield(day) {
					return
				}
			}
		}
	}
}

func (r Recurrence) monthOf(start time.Time) time.Month {
	if m, ok := months[r.Month]; ok {
		return m
	}
	return start.Month()
}

// week are the days in the n-th week after that of start.
func (r Recurrence) week(start time.Time, n int) []time.Time {
	begin := weekdays[r.WeekStart] // Sunday when absent, as in Exchange
	begins := start.AddDate(0, 0, -int((start.Weekday()-begin+7)%7)+7*n)
	var days []time.Time
	for i := range 7 {
		if day := begins.AddDate(0, 0, i); r.onWeekday(day.Weekday()) {
			days = append(days, day)
		}
	}
	return days
}

func (r Recurrence) onWeekday(d time.Weekday) bool {
	weekend := d == time.Saturday || d == time.Sunday
	return slices.Contains(r.DaysOfWeek, d.String()) || slices.Contains(r.DaysOfWeek, "Day") ||
		!weekend && slices.Contains(r.DaysOfWeek, "Weekday") || weekend && slices.Contains(r.DaysOfWeek, "WeekendDay")
}

// inMonth is the day in the month that begins with first: a day of the month, the last where the month is shorter
// (MS-OXOCAL, PatternType Month), or the first, second … last of some weekdays.
func (r Recurrence) inMonth(first time.Time) []time.Time {
	last := first.AddDate(0, 1, -1)
	if r.DayOfMonth > 0 {
		return []time.Time{first.AddDate(0, 0, min(r.DayOfMonth, last.Day())-1)}
	}
	var fitting []time.Time
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		if r.onWeekday(day.Weekday()) {
			fitting = append(fitting, day)
		}
	}
	switch n := weekIndexes[r.WeekIndex]; {
	case n < 0 && len(fitting) > 0:
		return fitting[len(fitting)-1:]
	case n > 0 && n <= len(fitting):
		return fitting[n-1 : n]
	}
	return nil
}

// patternEnd is when a meeting that begins at original ends by the pattern: as long after it on the clock as the first
// meeting's end is after its start.
func (c Content) patternEnd(original time.Time) time.Time {
	loc := location(c.Zone)
	start, end, here := onClock(c.Start.In(loc)), onClock(c.End.In(loc)), onClock(original.In(loc))
	wall := here.Add(end.Sub(start))
	return atClock(wall, wall, loc)
}

// onClock is the time that a clock shows, as if it were UTC.
func onClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}
