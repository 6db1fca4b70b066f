package ews

import (
	"strings"

	"roomsync/internal/calsync"
)

// patterns are the elements of a pattern in the schema's order, by the pattern's name (types.xsd, RecurrencePatternTypes).
// The regenerating ones belong to tasks.
var patterns = map[string]struct {
	element string
	parts   []func(*request, *calsync.Recurrence)
}{
	"daily":           {"DailyRecurrence", []func(*request, *calsync.Recurrence){(*request).interval}},
	"weekly":          {"WeeklyRecurrence", []func(*request, *calsync.Recurrence){(*request).interval, (*request).daysOfWeek, (*request).firstDayOfWeek}},
	"absoluteMonthly": {"AbsoluteMonthlyRecurrence", []func(*request, *calsync.Recurrence){(*request).interval, (*request).dayOfMonth}},
	"relativeMonthly": {"RelativeMonthlyRecurrence", []func(*request, *calsync.Recurrence){(*request).interval, (*request).dayOfWeek, (*request).weekIndex}},
	"absoluteYearly":  {"AbsoluteYearlyRecurrence", []func(*request, *calsync.Recurrence){(*request).dayOfMonth, (*request).month}},
	"relativeYearly":  {"RelativeYearlyRecurrence", []func(*request, *calsync.Recurrence){(*request).dayOfWeek, (*request).weekIndex, (*request).month}},
}

// recurrence writes a series' pattern and range. Dates go without a zone: Exchange reads them in the series' own, while a Z
// behind them would move them by a day for zones west of Greenwich.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/recurrence-recurrencetype
func (r *request) recurrence(c *calsync.Content) {
	rec := c.Recurrence
	pattern, ok := patterns[rec.Pattern]
	if !ok {
		r.refuse("a series with the pattern %q, which no appointment has", rec.Pattern)
		return
	}
	r.raw(`<t:Recurrence>`)
	r.open(pattern.element)
	for _, part := range pattern.parts {
		part(r, rec)
	}
	r.close(pattern.element)
	r.recurrenceRange(rec)
	r.raw(`</t:Recurrence>`)
}

func (r *request) recurrenceRange(rec *calsync.Recurrence) {
	name := "NoEndRecurrence"
	switch {
	case rec.Occurrences > 0:
		name = "NumberedRecurrence"
	case rec.EndDate != "":
		name = "EndDateRecurrence"
	}
	r.open(name)
	r.element("StartDate", rec.StartDate)
	switch {
	case rec.Occurrences > 0:
		r.number("NumberOfOccurrences", rec.Occurrences)
	case rec.EndDate != "":
		r.element("EndDate", rec.EndDate)
	}
	r.close(name)
}

func (r *request) number(name string, n int) {
	r.open(name)
	r.int(n)
	r.close(name)
}

func (r *request) interval(rec *calsync.Recurrence)   { r.number("Interval", max(rec.Interval, 1)) }
func (r *request) dayOfMonth(rec *calsync.Recurrence) { r.number("DayOfMonth", rec.DayOfMonth) }
func (r *request) weekIndex(rec *calsync.Recurrence)  { r.element("DayOfWeekIndex", rec.WeekIndex) }
func (r *request) month(rec *calsync.Recurrence)      { r.element("Month", rec.Month) }

func (r *request) daysOfWeek(rec *calsync.Recurrence) {
	r.element("DaysOfWeek", strings.Join(rec.DaysOfWeek, " "))
}

// dayOfWeek writes the one day or kind of day of a relative pattern (types.xsd, DayOfWeekType).
func (r *request) dayOfWeek(rec *calsync.Recurrence) {
	if len(rec.DaysOfWeek) != 1 {
		r.refuse("a %s series with %d days of the week: such a pattern has one, or Day, Weekday or WeekendDay", rec.Pattern, len(rec.DaysOfWeek))
		return
	}
	r.element("DaysOfWeek", rec.DaysOfWeek[0])
}

// firstDayOfWeek came with Exchange 2010 SP1. Older servers take the mailbox's own.
func (r *request) firstDayOfWeek(rec *calsync.Recurrence) {
	if rec.WeekStart != "" && !r.before("Exchange2010_SP1") {
		r.element("FirstDayOfWeek", rec.WeekStart)
	}
}
