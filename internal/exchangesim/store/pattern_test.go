package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// matches says whether a pattern has an occurrence on d, by the definition instead of by construction.
func matches(r *Recurrence, d Date) bool {
	at, start := d.Midnight(), r.Start.Midnight()
	months := (at.Year()-start.Year())*12 + int(at.Month()) - int(start.Month())
	lastDay := NewDate(at.Year(), at.Month()+1, 1) - 1
	absolute := at.Day() == min(r.DayOfMonth, lastDay.Midnight().Day())
	switch r.Pattern {
	case Daily:
		return int(d-r.Start)%r.Interval == 0
	case Weekly:
		weeks := int(weekOf(d, r.FirstDay)-weekOf(r.Start, r.FirstDay)) / 7
		return r.Days.Has(d.Weekday()) && weeks%r.Interval == 0
	case AbsoluteMonthly:
		return absolute && months%r.Interval == 0
	case RelativeMonthly:
		return isNth(r, d, lastDay) && months%r.Interval == 0
	case AbsoluteYearly:
		return absolute && at.Month() == r.Month
	}
	return isNth(r, d, lastDay) && at.Month() == r.Month
}

// weekOf is the day on which d's week began.
func weekOf(d Date, first time.Weekday) Date {
	for d.Weekday() != first {
		d--
	}
	return d
}

// isNth reports whether d is the n-th, or the last, of its month's days of the wanted kind.
func isNth(r *Recurrence, d, lastDay Date) bool {
	if !r.Days.Has(d.Weekday()) {
		return false
	}
	from, to := NewDate(d.Midnight().Year(), d.Midnight().Month(), 1), d
	if r.Index == lastIndex {
		from, to = d, lastDay
	}
	n := 0
	for x := from; x <= to; x++ {
		if r.Days.Has(x.Weekday()) {
			n++
		}
	}
	return r.Index == lastIndex && n == 1 || n == r.Index && r.Index != lastIndex
}

// TestPatternsMatchTheirDefinition compares the first occurrences of any pattern with a search day by day.
func TestPatternsMatchTheirDefinition(t *testing.T) {
	sets := []DaySet{AnyDay, Weekdays, WeekendDays, On(time.Sunday), On(time.Wednesday), On(time.Saturday)}
	rapid.Check(t, func(t *rapid.T) {
		r := Recurrence{
			Pattern: Pattern(rapid.IntRange(int(Daily), int(RelativeYearly)).Draw(t, "pattern")), Interval: rapid.IntRange(1, 6).Draw(t, "interval"),
			FirstDay: time.Weekday(rapid.IntRange(0, 6).Draw(t, "first day")), DayOfMonth: rapid.IntRange(1, 31).Draw(t, "day of month"),
			Index: rapid.IntRange(1, 5).Draw(t, "index"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month")),
			Start: NewDate(2024, 1, rapid.IntRange(1, 1500).Draw(t, "start")), Days: rapid.SampledFrom(sets).Draw(t, "days"),
		}
		if r.Pattern == Weekly {
			r.Days = DaySet(rapid.IntRange(1, int(AnyDay)).Draw(t, "week days"))
		}
		if r.Pattern == AbsoluteYearly || r.Pattern == RelativeYearly {
			r.Interval = 1
		}
		until := r.Start + 1200
		var got, want []Date
		for d := range r.Dates() {
			if d >= until {
				break
			}
			got = append(got, d)
		}
		for d := r.Start; d < until; d++ {
			if matches(&r, d) {
				want = append(want, d)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v:\n got %v\nwant %v", r, got, want)
		}
	})
}
