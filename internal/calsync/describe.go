package calsync

import (
	"time"

	"roomsync/events"
	"roomsync/internal/zones"
)

// Describe returns what ROOMS is told about an appointment: its times always, of the optional properties those in f,
// and of an appointment that is not of normal sensitivity the times only. kind is one of the events.Kind constants;
// of a deleted item only the id is told.
func Describe(kind string, a Appointment, f Fields) events.Change {
	c := events.Change{Kind: kind, ItemID: a.ID}
	if kind == events.KindDeleted {
		return c
	}
	c.ChangeKey, c.UID, c.Type = a.ChangeKey, a.UID, string(a.Type)
	c.Start, c.End, c.TimeZone = instant(a.Start), instant(a.End), timeZone(a.StartZone)
	if a.AllDay {
		c.AllDay = true
		c.StartDate, c.EndDate = days(a)
	}
	c.FreeBusy, c.Cancelled, c.Sensitivity = freeBusy(a.FreeBusy), a.Cancelled, sensitivity(a.Sensitivity)
	c.Recurrence = recurrence(a.Recurrence)
	if !private(a) {
		describeDetails(&c, a, f)
	}
	return c
}

func describeDetails(c *events.Change, a Appointment, f Fields) {
	if f.Has(FieldSubject) {
		c.Subject = a.Subject
	}
	if f.Has(FieldLocation) {
		c.Location = a.Location
	}
	if f.Has(FieldOrganizer) && a.Organizer != (Person{}) {
		c.Organizer = &events.Person{Name: a.Organizer.Name, Address: a.Organizer.Address}
	}
	if f.Has(FieldAttendees) {
		c.Attendees = attendees(a.Attendees)
	}
}

func attendees(all []Attendee) []events.Attendee {
	var out []events.Attendee
	for _, a := range all {
		out = append(out, events.Attendee{
			Person:   events.Person{Name: a.Name, Address: a.Address},
			Role:     a.Role,
			Response: response(a.Response),
		})
	}
	return out
}

func recurrence(r *Recurrence) *events.Recurrence {
	if r == nil {
		return nil
	}
	return &events.Recurrence{
		Pattern: r.Pattern, Interval: r.Interval, DaysOfWeek: r.DaysOfWeek, DayOfMonth: r.DayOfMonth,
		WeekIndex: r.WeekIndex, Month: r.Month, WeekStart: r.WeekStart,
		StartDate: r.StartDate, EndDate: r.EndDate, Occurrences: r.Occurrences,
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// timeZone keeps an id that is not known as it is: the instants are right without it. Some clients store an IANA name
// where Exchange means a Windows id.
func timeZone(id string) *events.TimeZone {
	if id == "" {
		return nil
	}
	if windows, ok := zones.Windows(id); ok && windows != id {
		return &events.TimeZone{Windows: windows, IANA: id}
	}
	iana, _ := zones.IANA(id)
	return &events.TimeZone{Windows: id, IANA: iana}
}

// days returns the dates of an all-day appointment, the second one exclusive. Exchange keeps it as instants, from
// midnight to midnight on the clock of the zone it was made in; read on any other clock it would shift by a day.
func days(a Appointment) (first, end string) {
	from, to := nearestDay(a.Start, location(a.StartZone)), nearestDay(a.End, location(a.EndZone, a.StartZone))
	if !to.After(from) {
		to = from.AddDate(0, 0, 1)
	}
	return from.Format(time.DateOnly), to.Format(time.DateOnly)
}

// nearestDay is the day whose beginning is nearest to t. It is the day that t begins, unless the zone is not the one
// that the appointment was made in: then t is some hours off midnight, before it when made further east. Where a
// clock skips midnight for summer time, the day begins at one o'clock.
func nearestDay(t time.Time, loc *time.Location) time.Time {
	t = t.In(loc)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	if t.Hour() >= 12 {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

// location is that of the first id that is known, else UTC. Zones that share a Windows id share their rules.
func location(ids ...string) *time.Location {
	for _, id := range ids {
		if windows, ok := zones.Windows(id); ok {
			id = windows
		}
		if loc, ok := zones.Location(id); ok {
			return loc
		}
	}
	return time.UTC
}
