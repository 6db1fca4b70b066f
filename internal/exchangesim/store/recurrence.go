package store

import (
	"iter"
	"time"
)

// Pattern is the kind of a recurrence.
type Pattern int

// Patterns, as in the schema's RecurrencePatternTypes (regenerating patterns belong to tasks only).
const (
	Daily Pattern = iota + 1
	Weekly
	AbsoluteMonthly
	RelativeMonthly
	AbsoluteYearly
	RelativeYearly
)

// DaySet is a set of week days; bit 0 is Sunday.
type DaySet uint8

// Sets that the schema has words for.
const (
	AnyDay      DaySet = 1<<7 - 1
	Weekdays    DaySet = 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5
	WeekendDays DaySet = 1<<0 | 1<<6
)

// On is the set of one day.
func On(d time.Weekday) DaySet { return 1 << d }

// Has reports whether d is in the set.
func (s DaySet) Has(d time.Weekday) bool { return s&(1<<d) != 0 }

// Recurrence is a pattern and its range. Days count in the time zone of the series' start.
type Recurrence struct {
	Pattern    Pattern
	Interval   int          // every so many days, weeks or months; 1 for yearly patterns
	Days       DaySet       // weekly and relative patterns
	FirstDay   time.Weekday // of the week, for weekly patterns
	DayOfMonth int          // absolute patterns; a month that is too short uses its last day
	Index      int          // relative patterns: 1 to 4, or 5 for the last
	Month      time.Month   // yearly patterns

	Start  Date
	End    Date // last day, inclusive; only when HasEnd
	HasEnd bool
	Count  int // number of occurrences; 0 without such a limit
}

// lastIndex is the Index of the last such day of a month.
const lastIndex = 5

// maxCount is the schema's and Exchange's limit for numbered ranges.
const maxCount = 999

// Exchange's limits of an interval (MS-OXWSCDATA 2.2.4 for days, weeks and months).
var maxInterval = map[Pattern]int{Daily: 999, Weekly: 99, AbsoluteMonthly: 99, RelativeMonthly: 99, AbsoluteYearly: 1, RelativeYearly: 1}

func (r *Recurrence) check() error {
	limit, known := maxInterval[r.Pattern]
	bad := !known || r.Interval < 1 || r.Interval > limit || r.Count < 0 || r.Count > maxCount || r.HasEnd && r.End < r.Start
	switch r.Pattern {
	case Weekly:
		bad = bad || r.Days == 0
	case AbsoluteMonthly:
		bad = bad || r.DayOfMonth < 1 || r.DayOfMonth > 31
	case RelativeMonthly:
		bad = bad || r.Days == 0 || r.Index < 1 || r.Index > 5
	case AbsoluteYearly:
		bad = bad || r.DayOfMonth < 1 || r.DayOfMonth > 31 || r.Month < 1 || r.Month > 12
	case RelativeYearly:
		bad = bad || r.Days == 0 || r.Index < 1 || r.Index > 5 || r.Month < 1 || r.Month > 12
	}
	if bad {
		return ErrInvalidRecurrence
	}
	for range r.Dates() {
		return nil
	}
	return ErrNoOccurrence
}

// horizon ends series without end: no window a client may ask for reaches further.
const horizon = 200 * 366

// Dates yields the days of the pattern in order, deleted and moved occurrences included.
func (r *Recurrence) Dates() iter.Seq[Date] {
	last := r.Start + horizon
	if r.HasEnd {
		last = min(last, r.End)
	}
	return func(yield func(Date) bool) {
		n := 0
		for d := range r.candidates(last) {
			if d < r.Start {
				continue
			}
			if d > last || r.Count > 0 && n == r.Count || !yield(d) {
				return
			}
			n++
		}
	}
}

// candidates yields the pattern's days up to last and perhaps a few beyond, beginning in the period that holds Start.
func (r *Recurrence) candidates(last Date) iter.Seq[Date] {
	switch r.Pattern {
	case Daily:
		return r.daily(last)
	case Weekly:
		return r.weekly(last)
	}
	return r.monthly(last)
}

func (r *Recurrence) daily(last Date) iter.Seq[Date] {
	return func(yield func(Date) bool) {
		for d := r.Start; d <= last && yield(d); d += Date(r.Interval) {
		}
	}
}

func (r *Recurrence) weekly(last Date) iter.Seq[Date] {
	week := r.Start - Date((r.Start.Weekday()-r.FirstDay+7)%7)
	return func(yield func(Date) bool) {
		for ; week <= last; week += Date(7 * r.Interval) {
			for d := week; d < week+7; d++ {
				if r.Days.Has(d.Weekday()) && !yield(d) {
					return
				}
			}
		}
	}
}

func (r *Recurrence) monthly(last Date) iter.Seq[Date] {
	year, month, _ := r.Start.Midnight().Date()
	step := r.Interval
	if r.Pattern == AbsoluteYearly || r.Pattern == RelativeYearly {
		month, step = r.Month, 12
	}
	return func(yield func(Date) bool) {
		for n := 0; NewDate(year, month+time.Month(n), 1) <= last; n += step {
			if !yield(r.inMonth(year, month+time.Month(n))) {
				return
			}
		}
	}
}

// inMonth finds the pattern's day in one month.
func (r *Recurrence) inMonth(year int, month time.Month) Date {
	first, next := NewDate(year, month, 1), NewDate(year, month+1, 1)
	if r.Pattern == AbsoluteMonthly || r.Pattern == AbsoluteYearly {
		return min(first+Date(r.DayOfMonth-1), next-1)
	}
	found, n := first, 0
	for d := first; d < next; d++ {
		if r.Days.Has(d.Weekday()) && (n < r.Index || r.Index == lastIndex) {
			found, n = d, n+1
		}
	}
	return found
}
