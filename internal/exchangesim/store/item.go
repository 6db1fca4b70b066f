package store

import (
	"maps"
	"slices"
	"time"
)

// CalendarItemType says what part of a series an item is.
type CalendarItemType string

// Calendar item types, with the schema's names (CalendarItemTypeType).
const (
	Single          CalendarItemType = "Single"
	Occurrence      CalendarItemType = "Occurrence"
	Exception       CalendarItemType = "Exception"
	RecurringMaster CalendarItemType = "RecurringMaster"
)

// Body is an item's text.
type Body struct {
	HTML bool // the content is HTML, otherwise plain text
	Text string
}

// Person is a name with an SMTP address.
type Person struct{ Name, Address string }

// Attendee is somebody invited, or a resource booked.
type Attendee struct {
	Person
	// Response is a ResponseTypeType: Unknown, Organizer, Tentative, Accept, Decline or NoResponseReceived.
	Response string
	Replied  time.Time // zero when there was no response
}

// PropertyKey names an extended property. Name or ID together with Set, or Tag alone.
type PropertyKey struct {
	Set  string // property set GUID, lower case
	Name string
	ID   int32  // dispatch id; only when HasID
	Tag  uint16 // property tag without its type
	// HasID tells a dispatch id of 0 from none.
	HasID bool
	Type  string // MapiPropertyTypeType: String, Integer, StringArray …
}

// Item is one calendar item, or a message with few properties. Items are immutable once stored.
type Item struct {
	ID           string
	ChangeKey    string
	FolderID     string
	Class        string // IPM.Appointment, IPM.Appointment.Occurrence, IPM.Note …
	Subject      string
	Sensitivity  string // Normal, Personal, Private, Confidential
	Importance   string // Low, Normal, High
	Body         Body
	Categories   []string
	IsRead       bool
	Created      time.Time
	LastModified time.Time
	LastModifier string // display name
	Extended     map[PropertyKey][]string

	UID       string // GlobalObjectId in hexadecimal, shared by a series and by all copies of a meeting
	Start     time.Time
	End       time.Time
	StartZone string // Windows id
	EndZone   string // Windows id
	AllDay    bool
	FreeBusy  string // Free, Tentative, Busy, OOF, WorkingElsewhere, NoData
	Location  string

	ReminderSet     bool
	ReminderMinutes int

	Organizer         Person
	Required          []Attendee
	Optional          []Attendee
	Resources         []Attendee
	MyResponse        string // ResponseTypeType
	IsCancelled       bool
	RequestSent       bool // invitations were sent
	ResponseRequested bool
	NewTimeProposal   bool // attendees may propose another time
	Sequence          int  // AppointmentSequenceNumber

	Type       CalendarItemType
	Recurrence *Recurrence // of a recurring master
	// Exceptions and Deleted belong to a recurring master, in order of their original dates.
	Exceptions []Override
	Deleted    []Date

	// OriginalStart is where the pattern puts an occurrence or exception; zero for others.
	OriginalStart time.Time
	// MasterID is the recurring master's id of an occurrence or exception.
	MasterID string
}

// IsCalendar reports whether the item is an appointment.
func (it *Item) IsCalendar() bool { return it.Type != "" }

// IsMeeting reports whether anybody is invited.
func (it *Item) IsMeeting() bool {
	return len(it.Required)+len(it.Optional)+len(it.Resources) > 0
}

// Booking returns the first value of the extended property with that name in any property set, "" without one.
func (it *Item) Booking(name string) string {
	for k, v := range it.Extended {
		if k.Name == name && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// clone copies the item so that none of its parts is shared.
func (it *Item) clone() *Item {
	c := *it
	c.Categories = slices.Clone(it.Categories)
	c.Extended = maps.Clone(it.Extended)
	c.Required = slices.Clone(it.Required)
	c.Optional = slices.Clone(it.Optional)
	c.Resources = slices.Clone(it.Resources)
	c.Exceptions = slices.Clone(it.Exceptions)
	c.Deleted = slices.Clone(it.Deleted)
	if it.Recurrence != nil {
		r := *it.Recurrence
		c.Recurrence = &r
	}
	return &c
}

// fill gives an appointment the values Exchange puts where a client sent none.
func (it *Item) fill(m *Mailbox) {
	setDefault(&it.Class, "IPM.Appointment")
	setDefault(&it.Sensitivity, "Normal")
	setDefault(&it.Importance, "Normal")
	setDefault(&it.FreeBusy, "Busy")
	setDefault(&it.StartZone, m.Zone)
	setDefault(&it.EndZone, it.StartZone)
	setDefault(&it.MyResponse, "Organizer")
	if it.Organizer.Address == "" {
		it.Organizer = Person{Name: m.Name, Address: m.Address}
	}
	it.Type = Single
	if it.Recurrence != nil {
		it.Type = RecurringMaster
	}
	for _, list := range [][]Attendee{it.Required, it.Optional, it.Resources} {
		for i := range list {
			setDefault(&list[i].Response, "Unknown")
		}
	}
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// tooLong reports whether an appointment would last more than five years (MS-OXWSMTGS_R1203).
func tooLong(start, end time.Time) bool { return end.After(start.AddDate(5, 0, 0)) }

// check refuses what Exchange refuses to save.
func (it *Item) check() error {
	if it.End.Before(it.Start) {
		return ErrEndBeforeStart
	}
	if tooLong(it.Start, it.End) {
		return ErrDurationTooLong
	}
	for _, z := range []string{it.StartZone, it.EndZone} {
		if _, ok := Location(z); !ok {
			return ErrTimeZone
		}
	}
	if it.Recurrence != nil {
		return it.Recurrence.check()
	}
	return nil
}

// midnights moves an all-day item's ends to midnight of its zone, as Exchange does: the start down, the end up.
func (it *Item) midnights() {
	loc, _ := Location(it.StartZone)
	if !it.AllDay || loc == nil {
		return
	}
	first, last := DateOf(it.Start, loc), DateOf(it.End, loc)
	if wall(last, 0, loc).Before(it.End) || last == first {
		last++
	}
	it.Start, it.End = wall(first, 0, loc), wall(last, 0, loc)
}
