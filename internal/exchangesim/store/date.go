package store

import "time"

// Date is a day of the calendar, counted from 1970-01-01.
type Date int

const day = 24 * time.Hour

// NewDate returns the day with that name; month and day may overflow as with [time.Date].
func NewDate(year int, month time.Month, d int) Date {
	return Date(time.Date(year, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// DateOf returns the day on which t falls in loc.
func DateOf(t time.Time, loc *time.Location) Date {
	y, m, d := t.In(loc).Date()
	return NewDate(y, m, d)
}

// ParseDate reads yyyy-mm-dd, with or without the time zone that XML Schema allows after it.
func ParseDate(s string) (Date, bool) {
	if len(s) < 10 {
		return 0, false
	}
	t, err := time.Parse(time.DateOnly, s[:10])
	return DateOf(t, time.UTC), err == nil && validZone(s[10:])
}

func validZone(s string) bool {
	if s == "" || s == "Z" {
		return true
	}
	_, err := time.Parse("-07:00", s)
	return err == nil
}

// Midnight is the day's beginning in UTC.
func (d Date) Midnight() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) }

func (d Date) String() string { return d.Midnight().Format(time.DateOnly) }

// ticks is the day's beginning in .NET's unit, 100 ns since year 1.
func (d Date) ticks() uint64 { return uint64(int64(d)*86400+62135596800) * 10_000_000 }

func dateOfTicks(t uint64) (Date, bool) {
	seconds := int64(t/10_000_000) - 62135596800
	return Date(seconds / 86400), t%(86400*10_000_000) == 0 && seconds >= -62135596800
}

// clock returns t's time of day in loc, as the distance the hands of the clock show.
func clock(t time.Time, loc *time.Location) time.Duration {
	t = t.In(loc)
	h, m, s := t.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
}

// wall is the moment when the clocks in loc show that time of day on that day. A time that the clocks skip in spring
// is read with the offset before the change; of a time shown twice in autumn the second (standard time) is meant, as
// .NET's TimeZoneInfo does.
func wall(d Date, ofDay time.Duration, loc *time.Location) time.Time {
	shown := d.Midnight().Add(ofDay)
	_, before := shown.Add(-day).In(loc).Zone()
	_, after := shown.Add(day).In(loc).Zone()
	late := shown.Add(-time.Duration(after) * time.Second)
	if _, offset := late.In(loc).Zone(); offset == after {
		return late
	}
	return shown.Add(-time.Duration(before) * time.Second)
}
