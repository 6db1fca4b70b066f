package ewsapi

import (
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

func writeCategories(c *propContext) {
	if len(c.it.Categories) == 0 {
		return
	}
	c.w.raw(`<t:Categories>`)
	for _, s := range c.it.Categories {
		c.w.tag("String", s)
	}
	c.w.raw(`</t:Categories>`)
}

// writeResponses writes what the user can do with the item.
func writeResponses(c *propContext) {
	c.w.raw(`<t:ResponseObjects>`)
	switch {
	case c.it.IsMeeting() && c.it.MyResponse == "Organizer":
		c.w.raw(`<t:CancelCalendarItem/>`)
	case c.it.IsMeeting():
		c.w.raw(`<t:AcceptItem/><t:TentativelyAcceptItem/><t:DeclineItem/>`)
	}
	c.w.raw(`<t:ForwardItem/></t:ResponseObjects>`)
}

// ofOccurrence writes the original start of an occurrence.
func ofOccurrence(tag string) func(*propContext) {
	return func(c *propContext) {
		if c.it.MasterID != "" {
			c.w.tagTime(tag, c.it.OriginalStart)
		}
	}
}

// writeOrganizer writes who made the appointment. FindItem gives an X.500 address where GetItem gives the SMTP address,
// as every recorded answer does.
func writeOrganizer(c *propContext) {
	c.w.raw(`<t:Organizer>`)
	if c.shape.find {
		c.w.raw(`<t:Mailbox>`)
		c.w.tag("Name", c.it.Organizer.Name)
		c.w.tag("EmailAddress", legacyDN(c.it.Organizer.Address))
		c.w.raw(`<t:RoutingType>EX</t:RoutingType><t:MailboxType>OneOff</t:MailboxType></t:Mailbox>`)
	} else {
		c.w.mailbox("Mailbox", c.it.Organizer, "Mailbox")
	}
	c.w.raw(`</t:Organizer>`)
}

func legacyDN(address string) string {
	local, _, _ := strings.Cut(address, "@")
	return "/O=CONTOSO/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN=" + strings.ToUpper(local)
}

func (w *writer) mailbox(tag string, p store.Person, kind string) {
	w.raw(`<t:`, tag, `>`)
	if p.Name != "" {
		w.tag("Name", p.Name)
	}
	if p.Address != "" {
		w.tag("EmailAddress", p.Address)
	}
	w.raw(`<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>`, kind, `</t:MailboxType></t:`, tag, `>`)
}

func attendees(tag string, get func(*store.Item) []store.Attendee) func(*propContext) {
	return func(c *propContext) {
		list := get(c.it)
		if len(list) == 0 {
			return
		}
		c.w.raw(`<t:`, tag, `>`)
		for _, a := range list {
			c.w.raw(`<t:Attendee>`)
			c.w.mailbox("Mailbox", a.Person, "Mailbox")
			c.w.tag("ResponseType", a.Response)
			if !a.Replied.IsZero() {
				c.w.tagTime("LastResponseTime", a.Replied)
			}
			c.w.raw(`</t:Attendee>`)
		}
		c.w.raw(`</t:`, tag, `>`)
	}
}

// bound writes the first or the last occurrence of a series.
func (c *propContext) bound(tag string) {
	if c.it.Type != store.RecurringMaster {
		return
	}
	b := c.m.Bounds(c.it)
	o := b.First
	if tag == "LastOccurrence" {
		o = b.Last
	}
	if o != nil {
		c.w.occurrence(tag, o)
	}
}

func (w *writer) occurrence(tag string, o *store.Item) {
	w.raw(`<t:`, tag, `>`)
	w.itemID("ItemId", o.ID, o.ChangeKey)
	w.tagTime("Start", o.Start)
	w.tagTime("End", o.End)
	w.tagTime("OriginalStart", o.OriginalStart)
	w.raw(`</t:`, tag, `>`)
}

func writeModified(c *propContext) {
	if len(c.it.Exceptions) == 0 {
		return
	}
	c.w.raw(`<t:ModifiedOccurrences>`)
	for _, o := range c.m.Modified(c.it) {
		c.w.occurrence("Occurrence", o)
	}
	c.w.raw(`</t:ModifiedOccurrences>`)
}

func writeDeleted(c *propContext) {
	if len(c.it.Deleted) == 0 {
		return
	}
	c.w.raw(`<t:DeletedOccurrences>`)
	for _, start := range c.m.DeletedStarts(c.it) {
		c.w.raw(`<t:DeletedOccurrence>`)
		c.w.tagTime("Start", start)
		c.w.raw(`</t:DeletedOccurrence>`)
	}
	c.w.raw(`</t:DeletedOccurrences>`)
}

// wallClock writes a time as the clocks in a zone show it, with the zone's offset.
func (c *propContext) wallClock(tag string, t time.Time, zone string) {
	if loc, ok := store.Location(zone); ok {
		c.w.raw(`<t:`, tag, `>`, t.In(loc).Format(time.RFC3339), `</t:`, tag, `>`)
	}
}

// duration writes xs:duration with days, hours and minutes, as Exchange does.
func duration(d time.Duration) string {
	if d == 0 {
		return "PT0S"
	}
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	s := "P"
	if days > 0 {
		s += strconv.Itoa(int(days)) + "D"
	}
	if rest > 0 {
		s += "T"
	}
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "H"}, {time.Minute, "M"}, {time.Second, "S"}} {
		if n := rest / unit.of; n > 0 {
			s += strconv.Itoa(int(n)) + unit.name
		}
		rest %= unit.of
	}
	return s
}

// writeRecurrence writes a master's pattern and range. Dates carry the zone Z, as recorded ones do.
func writeRecurrence(c *propContext) {
	r := c.it.Recurrence
	if r == nil {
		return
	}
	w := c.w
	w.raw(`<t:Recurrence>`)
	w.pattern(r)
	switch {
	case r.Count > 0:
		w.raw(`<t:NumberedRecurrence><t:StartDate>`, r.Start.String(), `Z</t:StartDate>`)
		w.tagInt("NumberOfOccurrences", r.Count)
		w.raw(`</t:NumberedRecurrence>`)
	case r.HasEnd:
		w.raw(`<t:EndDateRecurrence><t:StartDate>`, r.Start.String(), `Z</t:StartDate><t:EndDate>`, r.End.String(), `Z</t:EndDate></t:EndDateRecurrence>`)
	default:
		w.raw(`<t:NoEndRecurrence><t:StartDate>`, r.Start.String(), `Z</t:StartDate></t:NoEndRecurrence>`)
	}
	w.raw(`</t:Recurrence>`)
}

var patternNames = map[store.Pattern]string{
	store.Daily: "DailyRecurrence", store.Weekly: "WeeklyRecurrence",
	store.AbsoluteMonthly: "AbsoluteMonthlyRecurrence", store.RelativeMonthly: "RelativeMonthlyRecurrence",
	store.AbsoluteYearly: "AbsoluteYearlyRecurrence", store.RelativeYearly: "RelativeYearlyRecurrence",
}

func (w *writer) pattern(r *store.Recurrence) {
	name := patternNames[r.Pattern]
	w.raw(`<t:`, name, `>`)
	if r.Pattern != store.AbsoluteYearly && r.Pattern != store.RelativeYearly {
		w.tagInt("Interval", r.Interval)
	}
	switch r.Pattern {
	case store.Weekly:
		w.tag("DaysOfWeek", dayList(r.Days))
		if r.FirstDay != time.Sunday {
			w.tag("FirstDayOfWeek", r.FirstDay.String())
		}
	case store.RelativeMonthly, store.RelativeYearly:
		w.tag("DaysOfWeek", dayWord(r.Days))
		w.tag("DayOfWeekIndex", weekIndexes[r.Index-1])
	case store.AbsoluteMonthly, store.AbsoluteYearly:
		w.tagInt("DayOfMonth", r.DayOfMonth)
	}
	if r.Month != 0 && (r.Pattern == store.AbsoluteYearly || r.Pattern == store.RelativeYearly) {
		w.tag("Month", r.Month.String())
	}
	w.raw(`</t:`, name, `>`)
}

func dayList(days store.DaySet) string {
	var names []string
	for d := time.Sunday; d <= time.Saturday; d++ {
		if days.Has(d) {
			names = append(names, d.String())
		}
	}
	return strings.Join(names, " ")
}

// dayWord names a set by the one word that relative patterns have for it.
func dayWord(days store.DaySet) string {
	switch days {
	case store.AnyDay:
		return "Day"
	case store.Weekdays:
		return "Weekday"
	case store.WeekendDays:
		return "WeekendDay"
	}
	return dayList(days)
}
