// Package calsync is the domain: what a calendar is, independent of the protocol it is read through, and what
// ROOMS is told about it. It does no I/O.
//
// # The seam to the calendar server
//
// [Reader] is the one small interface through which the product reads calendars. Package ews implements it over
// Exchange Web Services; an implementation over Microsoft Graph can follow without a change above this line.
// Its types use Exchange's words and nothing of SOAP.
package calsync

import (
	"context"
	"time"
)

// Target names one mailbox's calendar on one server.
type Target struct {
	Address string // primary SMTP address, as configured
	URL     string // service endpoint, "" for the fleet's default
	Folder  string // folder id, "" for the default calendar
	Schema  string // schema version to ask for, such as "Exchange2016", "" for the default
}

// Reader reads calendars. Every method makes requests for one mailbox only. Errors that the server gave are
// *[Fault]; a method that returns an error returns no part of a result.
type Reader interface {
	// Probe returns one page of what changed since cursor, at most max changes; "" means everything there is.
	// It reports single appointments and recurring masters, never occurrences, and no properties.
	Probe(ctx context.Context, t Target, cursor string, max int) (Delta, error)

	// List returns the single appointments and the occurrences and exceptions of series that overlap w, in order
	// of start, complete or not at all. It may lack what a server leaves out of listings: organizer's SMTP
	// address, attendees, recurrence.
	List(ctx context.Context, t Target, w Window) ([]Appointment, error)

	// Get reads appointments in full, one result for each id, in the same order.
	Get(ctx context.Context, t Target, ids []string) ([]Result, error)

	// Masters reads the recurring master of each of the given occurrences in full, one result for each.
	Masters(ctx context.Context, t Target, occurrenceIDs []string) ([]Result, error)

	// Rights asks what we may do in the calendar: the cheapest question that shows whether it is there for us.
	Rights(ctx context.Context, t Target) (Rights, error)
}

// Rights is what a server says that we may do in a calendar.
type Rights struct {
	Told   bool // the server says what we may do; else the calendar is there, and nothing more is known
	Read   bool // read what is in it
	Create bool // put appointments into it
}

// Window is a half-open span of time, From <= t < To.
type Window struct{ From, To time.Time }

// Delta is one page of changes.
type Delta struct {
	Cursor  string // continues after this page; opaque, any length
	Changes []ItemChange
	More    bool // another page is waiting
}

// ChangeKind says what happened to an item.
type ChangeKind string

// The kinds of change a server reports.
const (
	Created ChangeKind = "created"
	Updated ChangeKind = "updated"
	Deleted ChangeKind = "deleted"
)

// ItemChange is one entry of a Delta. ChangeKey is empty for Deleted.
type ItemChange struct {
	Kind      ChangeKind
	ID        string
	ChangeKey string
	Unsure    bool // set by Fold only: the item may be gone, and must be read before anything is said of it
}

// Result is an appointment, or why it could not be read.
type Result struct {
	Appointment Appointment
	Err         *Fault // nil on success
}

// ItemType is Exchange's CalendarItemType, in the contract's words.
type ItemType string

// The types of calendar items.
const (
	Single     ItemType = "single"
	Master     ItemType = "master"
	Occurrence ItemType = "occurrence"
	Exception  ItemType = "exception"
)

// Appointment is a calendar item as the server gave it. Zero values mean "not given".
type Appointment struct {
	ID, ChangeKey string // opaque, case-sensitive
	UID           string // shared by all copies of a meeting and all occurrences of a series
	Type          ItemType
	RecurrenceID  time.Time // original start (UTC); occurrences and exceptions only

	Start, End         time.Time // UTC
	StartZone, EndZone string    // Windows zone ids, such as "W. Europe Standard Time"
	AllDay             bool
	FreeBusy           string // Free, Tentative, Busy, OOF, WorkingElsewhere, NoData
	Cancelled          bool
	Sensitivity        string // Normal, Personal, Private, Confidential

	Subject   string
	Location  string
	Organizer Person
	Attendees []Attendee

	Recurrence *Recurrence // masters, from Get and Masters only
	Modified   []OccurrenceRef
	Deleted    []time.Time // original starts (UTC) of deleted occurrences

	LastModified time.Time

	// BookingID and Revision are our own properties, from Get and Masters only: "" and 0 for an appointment of somebody else.
	// A copy of a booking's appointment carries them too.
	BookingID string
	Revision  int64
}

// Person is a display name and an SMTP address; either may be empty.
type Person struct{ Name, Address string }

// Attendee is a person invited, or a room or thing booked.
type Attendee struct {
	Person
	Role     string // required, optional, resource
	Response string // Unknown, Organizer, Tentative, Accept, Decline, NoResponseReceived
}

// OccurrenceRef is an occurrence that differs from its series.
type OccurrenceRef struct {
	ID, ChangeKey string
	Start, End    time.Time // now, UTC
	OriginalStart time.Time // UTC
}

// Recurrence is a series' pattern and range. Exactly the fields that Pattern needs are set.
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/recurrence-recurrencetype
type Recurrence struct {
	Pattern    string   // daily, weekly, absoluteMonthly, relativeMonthly, absoluteYearly, relativeYearly, or a regenerating one
	Interval   int      // every n days, weeks, months or years
	DaysOfWeek []string // Monday … Sunday, Day, Weekday, WeekendDay
	DayOfMonth int
	WeekIndex  string // First, Second, Third, Fourth, Last
	Month      string // January …
	WeekStart  string // FirstDayOfWeek of weekly patterns

	StartDate   string // yyyy-mm-dd in the series' zone
	EndDate     string // "" when there is none
	Occurrences int    // 0 when the range is not numbered
}
