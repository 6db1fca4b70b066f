package ews

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// reader decodes one calendar item and remembers the first value that could not be read.
type reader struct {
	*soap.Scanner
	err error
}

func (r *reader) wrong(element string) {
	if r.err == nil {
		r.err = fmt.Errorf("a calendar item with a %s that cannot be read", element)
	}
}

// readAppointment reads the current CalendarItem element and goes to its end. Elements it does not know are skipped,
// also those of later schemas.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendaritem
func readAppointment(s *soap.Scanner) (calsync.Appointment, error) {
	var a calsync.Appointment
	r := reader{Scanner: s}
	for d := s.Depth(); s.Child(d); {
		if s.Space() == soap.NSTypes {
			r.property(&a)
		}
	}
	if r.err == nil && a.ID == "" {
		r.err = errors.New("a calendar item without an ItemId")
	}
	return a, r.err
}

func (r *reader) property(a *calsync.Appointment) {
	switch string(r.Local()) {
	case "ItemId":
		a.ID, a.ChangeKey = itemID(r.Scanner)
	case "UID":
		a.UID = r.String()
	case "CalendarItemType":
		a.Type = r.itemType()
	case "RecurrenceId":
		a.RecurrenceID = r.time("RecurrenceId")
	case "Start":
		a.Start = r.time("Start")
	case "End":
		a.End = r.time("End")
	case "IsAllDayEvent":
		a.AllDay = r.boolean("IsAllDayEvent")
	case "IsCancelled":
		a.Cancelled = r.boolean("IsCancelled")
	case "LegacyFreeBusyStatus":
		a.FreeBusy = r.word()
	case "Sensitivity":
		a.Sensitivity = r.word()
	case "Subject":
		a.Subject = r.String()
	case "Location":
		a.Location = r.String()
	case "LastModifiedTime":
		a.LastModified = r.time("LastModifiedTime")
	default:
		r.part(a)
	}
}

// part reads the properties that have parts of their own.
func (r *reader) part(a *calsync.Appointment) {
	switch string(r.Local()) {
	case "Organizer":
		a.Organizer = r.recipient()
	case "RequiredAttendees":
		a.Attendees = r.attendees(a.Attendees, "required")
	case "OptionalAttendees":
		a.Attendees = r.attendees(a.Attendees, "optional")
	case "Resources":
		a.Attendees = r.attendees(a.Attendees, "resource")
	case "ExtendedProperty":
		r.extended(a)
	case "Recurrence":
		a.Recurrence = r.recurrence()
	case "ModifiedOccurrences":
		a.Modified = r.occurrences()
	case "DeletedOccurrences":
		a.Deleted = r.deletedOccurrences()
	case "StartTimeZone":
		a.StartZone = zone(r.Attr("Id"), a.StartZone)
	case "EndTimeZone":
		a.EndZone = zone(r.Attr("Id"), a.EndZone)
	case "StartTimeZoneId": // the short form, Exchange 2013 and later
		a.StartZone = zone(r.Bytes(), a.StartZone)
	case "EndTimeZoneId":
		a.EndZone = zone(r.Bytes(), a.EndZone)
	case "MeetingTimeZone": // the form of Exchange 2007, for both
		name := r.Attr("TimeZoneName")
		a.StartZone, a.EndZone = zone([]byte(a.StartZone), string(name)), zone([]byte(a.EndZone), string(name))
	}
}

// zone returns id, or what is known already when id is empty.
func zone(id []byte, known string) string {
	if len(id) == 0 || string(id) == known {
		return known
	}
	return string(id)
}

func (r *reader) itemType() calsync.ItemType {
	switch string(bytes.TrimSpace(r.Bytes())) {
	case "Single":
		return calsync.Single
	case "Occurrence":
		return calsync.Occurrence
	case "Exception":
		return calsync.Exception
	case "RecurringMaster":
		return calsync.Master
	}
	r.wrong("CalendarItemType")
	return ""
}

func (r *reader) boolean(element string) bool {
	value, ok := r.Bool()
	if !ok {
		r.wrong(element)
	}
	return value
}

// words are the values of enumerations that every page repeats.
var words = func() map[string]string {
	m := map[string]string{}
	for _, w := range []string{"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData",
		"Normal", "Personal", "Private", "Confidential",
		"Unknown", "Organizer", "Accept", "Decline", "NoResponseReceived",
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Day", "Weekday", "WeekendDay",
		"First", "Second", "Third", "Fourth", "Last", "January", "February", "March", "April", "May", "June", "July",
		"August", "September", "October", "November", "December"} {
		m[w] = w
	}
	return m
}()

// word reads an enumeration's value.
func (r *reader) word() string { return word(bytes.TrimSpace(r.Bytes())) }

func word(b []byte) string {
	if w, ok := words[string(b)]; ok {
		return w
	}
	return string(b)
}

func (r *reader) time(element string) time.Time {
	t, ok := parseTime(bytes.TrimSpace(r.Bytes()))
	if !ok {
		r.wrong(element)
	}
	return t
}

// parseTime reads an xs:dateTime to UTC. Exchange always writes a zone, nearly always Z; a value without one is UTC.
func parseTime(b []byte) (time.Time, bool) {
	if t, ok := parseZulu(b); ok {
		return t, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseZulu reads the one form that Exchange writes, such as 2025-07-02T10:00:00Z.
func parseZulu(b []byte) (time.Time, bool) {
	if len(b) != 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != 'Z' {
		return time.Time{}, false
	}
	year, ok1 := digits(b[:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day && int(t.Month()) == month // time.Date turns the 31st of April into the 1st of May
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
