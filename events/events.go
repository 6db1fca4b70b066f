// Package events is the wire contract between roomsync and ROOMS: types, subjects, headers, schemas and examples.
// It needs nothing but the standard library, and anybody may import it.
package events

import (
	"encoding/json"
	"time"
)

// Types of events, as in the ce-type header. The version is part of the name; within a version fields are only added.
const (
	TypeBookingUpserted  = "rooms.booking.upserted.v1"
	TypeBookingCancelled = "rooms.booking.cancelled.v1"

	TypeCalendarChanged = "exchange.calendar.changed.v1"
	TypeBookingApplied  = "exchange.booking.applied.v1"
	TypeBookingConflict = "exchange.booking.conflict.v1"
	TypeBookingRejected = "exchange.booking.rejected.v1"
	TypeAccessDenied    = "exchange.access.denied.v1"
	TypeAccessRestored  = "exchange.access.restored.v1"
	TypeMailboxBlocked  = "exchange.mailbox.blocked.v1"
	TypeSyncCompleted   = "exchange.sync.completed.v1"
)

// Event is a CloudEvent 1.0.
type Event struct {
	ID     string // unique within Source; the same for every copy of the same event
	Source string
	Type   string
	Time   time.Time // when the event was made, UTC
	// Subject is the CloudEvents attribute, here the mailbox token; not the NATS subject, though it ends it.
	Subject string
	// Extensions are further attributes (lower-case letters and digits), such as traceparent.
	Extensions map[string]string
	Data       json.RawMessage
}

// Extra holds the fields of a JSON object that this version of the contract does not know. They are kept when a
// value is decoded and encoded again.
type Extra map[string]json.RawMessage

// CalendarChanged is a page of changes of one mailbox's calendar, in order. Data of [TypeCalendarChanged].
type CalendarChanged struct {
	Mailbox string   `json:"mailbox"` // address
	Reason  string   `json:"reason"`  // see the Reason constants
	Window  Window   `json:"window"`  // what recurrences are expanded over
	Changes []Change `json:"changes"`
	Extra   Extra    `json:"-"`
}

// Why a page was made.
const (
	ReasonInitial = "initial" // the mailbox's first synchronization
	ReasonChange  = "change"  // somebody changed the calendar
	ReasonWindow  = "window"  // time went on and the window with it
	ReasonResync  = "resync"  // the server forgot where we were; everything was compared anew
)

// Window is a half-open span of time.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Kinds of change.
const (
	KindCreated = "created"
	KindUpdated = "updated"
	KindDeleted = "deleted"
)

// Types of items.
const (
	ItemSingle     = "single"
	ItemMaster     = "master"
	ItemOccurrence = "occurrence"
	ItemException  = "exception"
)

// Change is what happened to one calendar item. A series is one change of its master, with every occurrence in the
// window. Of a deleted item only the id is known.
type Change struct {
	Kind      string `json:"kind"`
	ItemID    string `json:"itemId"` // opaque, case-sensitive, up to 512 bytes and more
	ChangeKey string `json:"changeKey,omitempty"`
	UID       string `json:"uid,omitempty"`
	Type      string `json:"type,omitempty"`

	Start    *time.Time `json:"start,omitempty"` // UTC
	End      *time.Time `json:"end,omitempty"`   // UTC
	TimeZone *TimeZone  `json:"timeZone,omitempty"`
	AllDay   bool       `json:"allDay,omitempty"`
	// StartDate and EndDate are the days of an all-day item in its own zone (yyyy-mm-dd), EndDate exclusive.
	StartDate string `json:"startDate,omitempty"`
	EndDate   string `json:"endDate,omitempty"`

	FreeBusy    string `json:"freeBusy,omitempty"` // one of the free/busy constants
	Cancelled   bool   `json:"cancelled,omitempty"`
	Sensitivity string `json:"sensitivity,omitempty"` // one of the sensitivity constants

	Recurrence  *Recurrence  `json:"recurrence,omitempty"`
	Occurrences []Occurrence `json:"occurrences,omitempty"`

	Subject   string     `json:"subject,omitempty"`
	Location  string     `json:"location,omitempty"`
	Organizer *Person    `json:"organizer,omitempty"`
	Attendees []Attendee `json:"attendees,omitempty"`

	// BookingID is that of ROOMS' own booking, where the item is the appointment of one.
	BookingID string `json:"bookingId,omitempty"`

	// Omitted names the properties that were left out, or shortened, because the message would have been too large:
	// attendees, occurrences (those after the last one given), location, subject.
	Omitted []string `json:"omitted,omitempty"`

	Extra Extra `json:"-"`
}

// Free/busy states of Change, Occurrence and bookings.
const (
	Free             = "free"
	Tentative        = "tentative"
	Busy             = "busy"
	OutOfOffice      = "oof"
	WorkingElsewhere = "workingElsewhere"
	NoData           = "noData" // Exchange does not say
)

// Sensitivities. Of every item that is not normal the times are told, and neither subject, location nor people.
const (
	Normal       = "normal"
	Personal     = "personal"
	Private      = "private"
	Confidential = "confidential"
)

// TimeZone is the zone an item was made in. IANA is empty where the Windows id is not known.
type TimeZone struct {
	Windows string `json:"windows,omitempty"`
	IANA    string `json:"iana,omitempty"`
}

// Recurrence is the pattern and range of a series, in Exchange's words.
type Recurrence struct {
	Pattern     string   `json:"pattern"`               // daily, weekly, absoluteMonthly, relativeMonthly, absoluteYearly, relativeYearly
	Interval    int      `json:"interval,omitempty"`    // every so many days, weeks or months; not of yearly patterns
	DaysOfWeek  []string `json:"daysOfWeek,omitempty"`  // Monday … Sunday, Day, Weekday, WeekendDay
	DayOfMonth  int      `json:"dayOfMonth,omitempty"`  // 1 to 31; the month's last day where it is shorter
	WeekIndex   string   `json:"weekIndex,omitempty"`   // First, Second, Third, Fourth, Last
	Month       string   `json:"month,omitempty"`       // January …
	WeekStart   string   `json:"weekStart,omitempty"`   // a weekday, of weekly patterns
	StartDate   string   `json:"startDate"`             // yyyy-mm-dd in the series' zone
	EndDate     string   `json:"endDate,omitempty"`     // absent with occurrences or without end
	Occurrences int      `json:"occurrences,omitempty"` // a numbered range
	Extra       Extra    `json:"-"`
}

// Occurrence is one meeting of a series. Subject, Location and FreeBusy stand here only where they differ; Cleared
// names those of them that are empty here and not in the series.
type Occurrence struct {
	ItemID        string    `json:"itemId"`
	Type          string    `json:"type"`          // occurrence or exception
	OriginalStart time.Time `json:"originalStart"` // UTC; with UID the key of this meeting
	Start         time.Time `json:"start"`
	End           time.Time `json:"end"`
	FreeBusy      string    `json:"freeBusy,omitempty"`
	Cancelled     bool      `json:"cancelled,omitempty"`
	Subject       string    `json:"subject,omitempty"`
	Location      string    `json:"location,omitempty"`
	Cleared       []string  `json:"cleared,omitempty"` // subject, location
	Extra         Extra     `json:"-"`
}

// Person is a name and an SMTP address.
type Person struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// Attendee is a person invited or a resource booked.
type Attendee struct {
	Person
	Role     string `json:"role"`               // required, optional, resource
	Response string `json:"response,omitempty"` // unknown, organizer, tentative, accept, decline, noResponseReceived
}

// SyncCompleted says that a first synchronization, or one from nothing, is complete: what was not named since it
// began does not exist in the window. Data of [TypeSyncCompleted].
type SyncCompleted struct {
	Mailbox string    `json:"mailbox"`
	Reason  string    `json:"reason"` // initial or resync
	Window  Window    `json:"window"`
	Items   int       `json:"items"` // items told of, masters counted once
	Started time.Time `json:"started"`
	Extra   Extra     `json:"-"`
}
