package calsync

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"roomsync/internal/zones"
)

// Policy says how one mailbox's bookings are decided on.
type Policy struct {
	Winner Winner
	// Resource is the mailbox of a room or a thing. Its booking attendant replaces subjects and takes bodies away, so
	// neither is compared.
	Resource bool
	// Key makes the digests of links such that nobody can guess a text by them who does not have it. It must be the same
	// for all processes and stay the same; nil is allowed.
	Key []byte
}

// Winner says which side's change stays where both made one that is not the same.
type Winner string

// The winners.
const (
	WinnerRooms    Winner = "rooms" // the default
	WinnerExchange Winner = "exchange"
	WinnerNewest   Winner = "newest" // a tie is ROOMS'
)

// Normal is a content in the form in which it is compared. What Exchange does to a value without changing its meaning
// makes no difference to it: line ends, blanks, markup of a body, seconds, the case and order of addresses, the order of
// categories, names of attendees, defaults of what is absent, and a meeting's value where it says what the series says.
func Normal(c Content, p Policy) Content {
	n := c
	n.Subject, n.Location = oneLine(c.Subject), oneLine(c.Location)
	n.Body = Body{Text: plainText(c.Body)}
	if p.Resource {
		n.Subject, n.Body = "", Body{}
	}
	n.Start, n.End = minute(c.Start), minute(c.End)
	n.Zone = canonicalZone(c.Zone)
	n.FreeBusy = cmp.Or(c.FreeBusy, "Busy")
	n.Sensitivity = cmp.Or(c.Sensitivity, "Normal")
	n.Categories = normalCategories(c.Categories)
	n.Attendees = normalAttendees(c.Attendees)
	n.Recurrence = normalRecurrence(c.Recurrence)
	n.Meetings = nil
	if n.Recurrence != nil {
		n.Meetings = normalMeetings(n, c.Meetings, p)
	}
	return n
}

// minute drops the seconds, which Exchange does not store.
func minute(t time.Time) time.Time { return t.UTC().Truncate(time.Minute) }

func canonicalZone(zone string) string {
	if id, ok := zones.Resolve(zone); ok {
		return id
	}
	return zone
}

func normalCategories(all []string) []string {
	var out []string
	for _, c := range all {
		if c = strings.ToLower(oneLine(c)); c != "" {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func normalAttendees(all []Attendee) []Attendee {
	var out []Attendee
	for _, a := range all {
		out = append(out, Attendee{Person: Person{Address: strings.ToLower(oneLine(a.Address))}, Role: cmp.Or(a.Role, "required")})
	}
	slices.SortFunc(out, func(a, b Attendee) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.Role, b.Role))
	})
	return slices.Compact(out)
}

func normalRecurrence(r *Recurrence) *Recurrence {
	if r == nil {
		return nil
	}
	n := *r
	n.Interval = max(r.Interval, 1)
	n.DaysOfWeek = slices.Clone(r.DaysOfWeek)
	slices.SortFunc(n.DaysOfWeek, func(a, b string) int { return cmp.Or(cmp.Compare(weekdays[a], weekdays[b]), strings.Compare(a, b)) })
	n.DaysOfWeek = slices.Compact(n.DaysOfWeek)
	n.WeekStart = cmp.Or(r.WeekStart, "Sunday")
	if n.Pattern != "weekly" || n.Interval == 1 {
		n.WeekStart = "" // it makes no difference
	}
	return &n
}

// normalMeetings keeps of the meetings what differs from their series, by original start. series is normal already.
func normalMeetings(series Content, all []Meeting, p Policy) []Meeting {
	var out []Meeting
	for _, m := range all {
		if m = normalMeeting(series, m, p); !asPattern(series, m) {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Meeting) int { return a.Original.Compare(b.Original) })
	return out
}

func normalMeeting(series Content, m Meeting, p Policy) Meeting {
	n := Meeting{Original: minute(m.Original), Cancelled: m.Cancelled}
	if m.Cancelled {
		return n
	}
	n.Start, n.End = minute(m.Start), minute(m.End)
	if !p.Resource {
		n.Subject = differs(m.Subject, series.Subject, oneLine)
	}
	n.Location = differs(m.Location, series.Location, oneLine)
	n.FreeBusy = differs(m.FreeBusy, series.FreeBusy, strings.TrimSpace)
	return n
}

func differs(own *string, series string, normal func(string) string) *string {
	if own == nil {
		return nil
	}
	if v := normal(*own); v != series {
		return &v
	}
	return nil
}

// asPattern says whether a meeting is what its series says.
func asPattern(series Content, m Meeting) bool {
	return !m.Cancelled && m.Subject == nil && m.Location == nil && m.FreeBusy == nil &&
		m.Start.Equal(m.Original) && m.End.Equal(minute(series.patternEnd(m.Original)))
}

// ContentOf is what an appointment holds. Of a series the meetings that differ are named by the appointment itself;
// meetings gives what else is known of them, read or listed, in any order.
func ContentOf(h Held, meetings []Appointment) Content {
	c := Content{
		Subject: h.Subject, Body: h.Body, Location: h.Location, Start: h.Start, End: h.End, Zone: canonicalZone(h.StartZone),
		AllDay: h.AllDay, FreeBusy: h.FreeBusy, Sensitivity: h.Sensitivity, Reminder: h.Reminder, Categories: h.Categories,
		Recurrence: h.Recurrence,
	}
	for _, a := range h.Attendees {
		if a.Response != "Organizer" {
			c.Attendees = append(c.Attendees, Attendee{Person: a.Person, Role: a.Role})
		}
	}
	if h.Recurrence != nil {
		c.Meetings = heldMeetings(h, meetings)
	}
	return c
}

func heldMeetings(h Held, read []Appointment) []Meeting {
	byOriginal := map[int64]Appointment{}
	for _, a := range read {
		byOriginal[minute(originalStart(a)).Unix()] = a
	}
	var out []Meeting
	for _, original := range h.Deleted {
		out = append(out, Meeting{Original: original.UTC(), Cancelled: true})
	}
	for _, ref := range h.Modified {
		m := Meeting{Original: ref.OriginalStart.UTC(), Start: ref.Start.UTC(), End: ref.End.UTC()}
		if a, ok := byOriginal[minute(ref.OriginalStart).Unix()]; ok {
			m.Cancelled = a.Cancelled
			m.Subject, m.Location, m.FreeBusy = own(a.Subject, h.Subject), own(a.Location, h.Location), own(a.FreeBusy, h.FreeBusy)
		}
		out = append(out, m)
	}
	return out
}

func own(here, series string) *string {
	if here == series {
		return nil
	}
	return &here
}
