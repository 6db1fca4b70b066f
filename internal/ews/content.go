package ews

import (
	"slices"
	"strings"
	"time"

	"roomsync/internal/calsync"
)

// field is a property of a calendar item that we write.
type field struct {
	part calsync.Part
	uri  string // FieldURI
	// empty says that the content has none: it is left out of a new item, and deleted from one that is there. Without
	// it the field has always a value.
	empty func(*calsync.Content) bool
	// keep leaves the field of an item that is there as it is where it is empty.
	keep bool
	// series says that a series has it as a whole, and not its meetings.
	series bool
	write  func(*request, *calsync.Content)
}

// early are the fields before our own properties in the schema's order, late those behind them (types.xsd, ItemType and
// CalendarItemType). A server refuses any other order.
var (
	early = []field{
		textField(calsync.PartSubject, "item:Subject", func(c *calsync.Content) string { return c.Subject }),
		{part: calsync.PartSensitivity, uri: "item:Sensitivity", write: (*request).sensitivity},
		{part: calsync.PartBody, uri: "item:Body", empty: func(c *calsync.Content) bool { return c.Body.Text == "" }, write: (*request).body},
		{part: calsync.PartCategories, uri: "item:Categories", empty: func(c *calsync.Content) bool { return len(c.Categories) == 0 }, write: (*request).categories},
		{part: calsync.PartReminder, uri: "item:ReminderIsSet", write: func(r *request, c *calsync.Content) { r.flag("ReminderIsSet", c.Reminder != nil) }},
		{part: calsync.PartReminder, uri: "item:ReminderMinutesBeforeStart", empty: func(c *calsync.Content) bool { return c.Reminder == nil }, keep: true, write: (*request).reminder},
	}
	late = []field{
		{part: calsync.PartTime, uri: "calendar:Start", write: func(r *request, c *calsync.Content) { r.moment("Start", c.Start) }},
		{part: calsync.PartTime, uri: "calendar:End", write: func(r *request, c *calsync.Content) { r.moment("End", c.End) }},
		{part: calsync.PartTime, uri: "calendar:IsAllDayEvent", series: true, write: func(r *request, c *calsync.Content) { r.flag("IsAllDayEvent", c.AllDay) }},
		{part: calsync.PartFreeBusy, uri: "calendar:LegacyFreeBusyStatus", write: (*request).freeBusy},
		textField(calsync.PartLocation, "calendar:Location", func(c *calsync.Content) string { return c.Location }),
		attendeeField("calendar:RequiredAttendees", isRequired),
		attendeeField("calendar:OptionalAttendees", isOptional),
		attendeeField("calendar:Resources", isResource),
		{part: calsync.PartTime, uri: "calendar:Recurrence", series: true, empty: func(c *calsync.Content) bool { return c.Recurrence == nil }, write: (*request).recurrence},
	}
	zones = []field{zoneField("calendar:StartTimeZone", "Id"), zoneField("calendar:EndTimeZone", "Id")}
	// zones07 is the form of Exchange 2007, which knows no other (MS-OXWSMTGS_R658, R715).
	zones07 = []field{zoneField("calendar:MeetingTimeZone", "TimeZoneName")}
)

// elementOf is the field's element.
func elementOf(uri string) string { return uri[strings.IndexByte(uri, ':')+1:] }

func textField(part calsync.Part, uri string, get func(*calsync.Content) string) field {
	return field{part: part, uri: uri,
		empty: func(c *calsync.Content) bool { return get(c) == "" },
		write: func(r *request, c *calsync.Content) { r.element(elementOf(uri), get(c)) }}
}

// zoneField names the time zone by its Windows id. Its rules are the server's own.
func zoneField(uri, attribute string) field {
	return field{part: calsync.PartTime, uri: uri, keep: true, series: true,
		empty: func(c *calsync.Content) bool { return c.Zone == "" },
		write: func(r *request, c *calsync.Content) {
			r.raw(`<t:`)
			r.raw(elementOf(uri))
			r.raw(` `)
			r.raw(attribute)
			r.raw(`="`)
			r.text(c.Zone)
			r.raw(`"/>`)
		}}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// zoneFields are the ones by which the request's schema names time zones.
func (r *request) zoneFields() []field {
	if r.before("Exchange2010") {
		return zones07
	}
	return zones
}

// before says whether the request's schema is older than that one.
func (r *request) before(schema string) bool {
	return slices.Index(schemas, r.schema) < slices.Index(schemas, schema)
}

func (r *request) open(name string) {
	r.raw(`<t:`)
	r.raw(name)
	r.raw(`>`)
}

func (r *request) close(name string) {
	r.raw(`</t:`)
	r.raw(name)
	r.raw(`>`)
}

// element writes an element with text.
func (r *request) element(name, text string) {
	r.open(name)
	r.text(text)
	r.close(name)
}

func (r *request) flag(name string, value bool) {
	if value {
		r.element(name, "true")
	} else {
		r.element(name, "false")
	}
}

// moment writes a time in UTC. Exchange keeps no fractions of seconds.
func (r *request) moment(name string, t time.Time) {
	if t.IsZero() || t.UTC().Year() > 9999 {
		r.refuse("an appointment without a %s that can be written", strings.ToLower(name))
	}
	r.element(name, t.UTC().Format(time.RFC3339))
}

func (r *request) sensitivity(c *calsync.Content) {
	r.element("Sensitivity", orElse(c.Sensitivity, "Normal"))
}

func (r *request) body(c *calsync.Content) {
	kind := "Text"
	if c.Body.HTML {
		kind = "HTML"
	}
	r.raw(`<t:Body BodyType="`)
	r.raw(kind)
	r.raw(`">`)
	r.text(c.Body.Text)
	r.raw(`</t:Body>`)
}

func (r *request) categories(c *calsync.Content) {
	r.raw(`<t:Categories>`)
	for _, s := range c.Categories {
		r.element("String", s)
	}
	r.raw(`</t:Categories>`)
}

func (r *request) reminder(c *calsync.Content) {
	r.raw(`<t:ReminderMinutesBeforeStart>`)
	r.int(*c.Reminder)
	r.raw(`</t:ReminderMinutesBeforeStart>`)
}

// freeBusy writes a status. WorkingElsewhere came with Exchange 2013 (MS-OXWSCDATA_R16101); an older server is told Busy
// instead, so that nobody takes the time for free.
func (r *request) freeBusy(c *calsync.Content) {
	status := orElse(c.FreeBusy, "Busy")
	if status == "WorkingElsewhere" && r.before("Exchange2013") {
		status = "Busy"
	}
	r.element("LegacyFreeBusyStatus", status)
}

func isRequired(role string) bool { return !isOptional(role) && !isResource(role) }
func isOptional(role string) bool { return role == "optional" }
func isResource(role string) bool { return role == "resource" }

// attendeeField is the list of those attendees whose role is meant. Exchange keeps the answer of one who stays on a list, so a list
// can be written as a whole.
func attendeeField(uri string, meant func(role string) bool) field {
	of := func(a calsync.Attendee) bool { return meant(a.Role) }
	return field{part: calsync.PartAttendees, uri: uri,
		empty: func(c *calsync.Content) bool { return !slices.ContainsFunc(c.Attendees, of) },
		write: func(r *request, c *calsync.Content) {
			r.open(elementOf(uri))
			for _, a := range c.Attendees {
				if of(a) {
					r.attendee(a.Person)
				}
			}
			r.close(elementOf(uri))
		}}
}

func (r *request) attendee(p calsync.Person) {
	r.raw(`<t:Attendee><t:Mailbox>`)
	if p.Name != "" {
		r.element("Name", p.Name)
	}
	if p.Address == "" {
		r.refuse("an attendee without an address")
	}
	r.element("EmailAddress", p.Address)
	r.raw(`</t:Mailbox></t:Attendee>`)
}
