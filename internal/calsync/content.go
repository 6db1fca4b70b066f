package calsync

import "time"

// Content is what a booking and an appointment have in common: what is compared, merged and written. It is in Exchange's
// words and does not depend on which side it comes from.
type Content struct {
	Subject  string
	Body     Body
	Location string

	Start, End time.Time // UTC; of an all-day item midnights in Zone
	Zone       string    // Windows zone id, such as "W. Europe Standard Time"
	AllDay     bool

	FreeBusy    string // Free, Tentative, Busy, OOF, WorkingElsewhere
	Sensitivity string // Normal, Personal, Private, Confidential
	Reminder    *int   // minutes before the start, nil for none
	Categories  []string
	Attendees   []Attendee // without the responses

	Recurrence *Recurrence // Start and End are then those of the first meeting
	// Meetings are those of the series that differ from its pattern, by original start.
	Meetings []Meeting
}

// Body is the text of an appointment.
type Body struct {
	HTML bool
	Text string
}

// Meeting is a meeting of a series that was moved, changed or cancelled.
type Meeting struct {
	Original   time.Time // when the pattern has it, UTC; of an all-day series midnight in its zone
	Cancelled  bool      // it does not take place, and nothing below counts
	Start, End time.Time // UTC
	// Subject, Location and FreeBusy are nil where they are as in the series.
	Subject, Location, FreeBusy *string
}

// Booking is what ROOMS wants of one appointment, checked and in Exchange's words.
type Booking struct {
	ID       string
	Revision int64
	Modified time.Time // when ROOMS' user changed it
	Stored   time.Time // when the queue stored the event, by the queue's clock
	// BasedOn is the change key of the appointment as ROOMS knew it when it made the revision; "" where it does not say.
	BasedOn   string
	Cancelled bool // it does not take place any more; Content is empty then
	Content   Content
	// Notify lets Exchange write to the attendees: invitations, updates, cancellations.
	Notify bool
	// Message is text for the attendees of a cancelled booking.
	Message string
	// Earlier are the revisions that this one superseded before they had an answer. An attempt at one of them may have
	// reached Exchange.
	Earlier []Booking
}

// Link ties a booking to its appointment, and remembers what both sides agreed on last. It holds no personal data.
type Link struct {
	BookingID string `json:"bookingId"`
	// Revision is the highest that ended in an answer, whatever that was; an event with a lower one, or the same, is stale.
	Revision int64     `json:"revision"`
	State    LinkState `json:"state"`
	// Event is the event that ended in that answer, by source and id: that very event again has its answer already.
	Event string `json:"event,omitempty"`
	// Generation counts the appointments that the booking has had.
	Generation int `json:"generation,omitempty"`

	ItemID    string `json:"itemId,omitempty"`
	ChangeKey string `json:"changeKey,omitempty"` // after our last write, or when last compared
	UID       string `json:"uid,omitempty"`
	Notified  bool   `json:"notified,omitempty"` // attendees were written to, so they are to hear of the end

	// Declined says that a room that the booking invites has declined, of which ROOMS was told.
	Declined bool `json:"declined,omitempty"`

	// Rooms and Exchange are digests of each [Part] as either side had it when they last agreed. They differ where a
	// server stores something else than it is given: a shortened text, a body with markup.
	Rooms    Digests `json:"rooms,omitempty"`
	Exchange Digests `json:"exchange,omitempty"`
	// Settled says that Exchange holds what the appointment looked like when it was read at ChangeKey. Until then it
	// holds what was written.
	Settled bool `json:"settled,omitempty"`
	// Series says that the appointment is a series, Exceptions that meetings of it were changed: such a meeting may have
	// texts of its own, also when it looks like its series.
	Series     bool `json:"series,omitempty"`
	Exceptions bool `json:"exceptions,omitempty"`
	// Open are the parts that somebody changed in Exchange and that ROOMS' last revision, which did not know of it, left
	// as they are: both sides have still to agree on them.
	Open []Part `json:"open,omitempty"`
	// Disputed are the parts of ROOMS' that a conflict named as lost, as they were: until ROOMS has another, or says that it
	// knows Exchange's, it may not have read of it.
	Disputed Digests `json:"disputed,omitempty"`
	// Unsure says that a write was given up whose outcome nobody found out: the calendar must be looked into first.
	Unsure bool `json:"unsure,omitempty"`

	// Told is what ROOMS has been told of the appointment since then.
	Told Told `json:"told,omitzero"`

	At time.Time `json:"at"` // of the last change
}

// Told is a version of an appointment that ROOMS has been told of by a calendar change: a revision that ROOMS made after that
// is made in the knowledge of it.
type Told struct {
	ChangeKey string    `json:"changeKey"`
	At        time.Time `json:"at"` // when it was committed, by the queue's clock
	Exchange  Digests   `json:"exchange"`
	Gone      bool      `json:"gone,omitempty"` // that it was deleted, or moved out of the calendar
	// Before are the versions told before this one since both sides agreed last, the newest first: ROOMS may have made a
	// revision of any of them.
	Before []Version `json:"before,omitempty"`
}

// Version is what an appointment was like at a change key.
type Version struct {
	ChangeKey string  `json:"changeKey"`
	Exchange  Digests `json:"exchange"`
}

// LinkState says what became of a booking's appointment.
type LinkState string

// The states of links.
const (
	LinkNone      LinkState = ""          // never written
	LinkLive      LinkState = "live"      // it stands in the calendar
	LinkCancelled LinkState = "cancelled" // ROOMS cancelled it: a tombstone
	LinkLost      LinkState = "lost"      // somebody deleted it, or moved it away, and ROOMS was told by a conflict
)

// Part names a part of a content that is compared, merged and written as one, such as "subject". Each meeting that
// differs from its series is a part of its own ([MeetingPart]).
type Part string

// The parts.
const (
	PartTime        Part = "time" // start, end, zone, all-day, recurrence
	PartSubject     Part = "subject"
	PartBody        Part = "body"
	PartLocation    Part = "location"
	PartFreeBusy    Part = "freeBusy"
	PartSensitivity Part = "sensitivity"
	PartReminder    Part = "reminder"
	PartCategories  Part = "categories"
	PartAttendees   Part = "attendees"
)

// MeetingPart is the part of the meeting with this original start, such as "meeting 2026-11-24T09:00:00Z".
func MeetingPart(original time.Time) Part {
	return Part("meeting " + original.UTC().Format(time.RFC3339))
}

// Digests are short digests of parts. A part that is absent is as it is by default.
type Digests map[Part]string
