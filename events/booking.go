package events

import "time"

// BookingUpserted is a booking as ROOMS has it now; it replaces every earlier revision. Data of
// [TypeBookingUpserted].
//
// Start and End are instants and TimeZone says whose clock they were meant on: a series goes on at the same hour of
// that clock through the change to summer time. An all-day booking has StartDate and EndDate instead, and no instants.
type BookingUpserted struct {
	BookingID string `json:"bookingId"` // ROOMS' key of the booking, never used for another
	Revision  int64  `json:"revision"`  // rises with every change of the booking, also when cancelled
	Mailbox   string `json:"mailbox"`   // address whose calendar it belongs to; the organizer of its meeting
	// ModifiedAt is when it was changed in ROOMS; the event's time when absent. It decides where the newest change wins.
	ModifiedAt *time.Time `json:"modifiedAt,omitempty"`
	// BasedOn is the change key of the appointment as ROOMS knew it when the revision was made. Absent means that ROOMS
	// knew what it had been told when it published the revision.
	BasedOn string `json:"basedOn,omitempty"`

	Subject  string `json:"subject,omitempty"`
	Body     *Body  `json:"body,omitempty"`
	Location string `json:"location,omitempty"`

	Start     *time.Time `json:"start,omitempty"`
	End       *time.Time `json:"end,omitempty"`
	TimeZone  TimeZone   `json:"timeZone"` // one of the two names suffices; Windows is preferred when both are given
	AllDay    bool       `json:"allDay,omitempty"`
	StartDate string     `json:"startDate,omitempty"` // yyyy-mm-dd
	EndDate   string     `json:"endDate,omitempty"`   // yyyy-mm-dd, exclusive

	FreeBusy    string   `json:"freeBusy,omitempty"`    // busy when absent
	Sensitivity string   `json:"sensitivity,omitempty"` // normal when absent
	Reminder    *int     `json:"reminder,omitempty"`    // minutes before the start; absent means no reminder
	Categories  []string `json:"categories,omitempty"`

	Attendees []Attendee `json:"attendees,omitempty"` // Response is not read
	// SendInvitations lets Exchange write to the attendees. When false nobody is ever written to.
	SendInvitations bool `json:"sendInvitations,omitempty"`

	Recurrence *Recurrence        `json:"recurrence,omitempty"` // Start and End are then those of the first meeting
	Exceptions []BookingException `json:"exceptions,omitempty"`
	// CancelledOccurrences are the original starts of meetings that do not take place.
	CancelledOccurrences []time.Time `json:"cancelledOccurrences,omitempty"`

	Extra Extra `json:"-"`
}

// Body is the text of an appointment.
type Body struct {
	Type    string `json:"type"` // text or html
	Content string `json:"content"`
}

// Types of bodies.
const (
	BodyText = "text"
	BodyHTML = "html" // simple markup: no scripts, no external content
)

// BookingException is a meeting of a series that differs from it. Subject, Location and FreeBusy stand here only where
// they differ.
type BookingException struct {
	// OriginalStart is when the pattern has it: with an all-day series, midnight of that day in the booking's zone.
	OriginalStart time.Time `json:"originalStart"`
	Start         time.Time `json:"start"`
	End           time.Time `json:"end"`
	Subject       string    `json:"subject,omitempty"`
	Location      string    `json:"location,omitempty"`
	FreeBusy      string    `json:"freeBusy,omitempty"`
	Extra         Extra     `json:"-"`
}

// BookingCancelled says that a booking does not take place any more. Data of [TypeBookingCancelled].
type BookingCancelled struct {
	BookingID string `json:"bookingId"`
	Revision  int64  `json:"revision"` // higher than that of the booking cancelled
	Mailbox   string `json:"mailbox"`
	// ModifiedAt and BasedOn are as in [BookingUpserted].
	ModifiedAt *time.Time `json:"modifiedAt,omitempty"`
	BasedOn    string     `json:"basedOn,omitempty"`
	// SendCancellations lets Exchange tell the attendees, if it had invited them.
	SendCancellations bool   `json:"sendCancellations,omitempty"`
	Message           string `json:"message,omitempty"` // text for the attendees
	Extra             Extra  `json:"-"`
}

// BookingApplied says that the calendar shows a booking's revision. Data of [TypeBookingApplied].
type BookingApplied struct {
	BookingID string `json:"bookingId"`
	Revision  int64  `json:"revision"`
	Mailbox   string `json:"mailbox"`
	Reason    string `json:"reason"` // one of the Applied constants

	ItemID    string `json:"itemId,omitempty"` // absent when no appointment is left
	ChangeKey string `json:"changeKey,omitempty"`
	UID       string `json:"uid,omitempty"`

	// Lost names the parts that somebody had changed in Exchange and that ROOMS' revision took the place of: time,
	// subject, body, location, freeBusy, sensitivity, reminder, categories, attendees, or "meeting " with the original
	// start of one meeting of a series. Previous is the appointment as it was then.
	Lost     []string `json:"lost,omitempty"`
	Previous *Change  `json:"previous,omitempty"`
	Extra    Extra    `json:"-"`
}

// Reasons of [BookingApplied].
const (
	AppliedCreated    = "created"
	AppliedUpdated    = "updated"
	AppliedCancelled  = "cancelled"
	AppliedUnchanged  = "unchanged"  // the calendar had it already
	AppliedSuperseded = "superseded" // a later revision was waiting, and only that one was written
)

// BookingConflict says that the revision was not written, or not all of it, because of what is in Exchange. Data of
// [TypeBookingConflict].
type BookingConflict struct {
	BookingID string `json:"bookingId"`
	Revision  int64  `json:"revision"`
	Mailbox   string `json:"mailbox"`
	Reason    string `json:"reason"` // one of the Conflict constants

	ItemID    string  `json:"itemId,omitempty"`
	ChangeKey string  `json:"changeKey,omitempty"` // as it is in Exchange now
	UID       string  `json:"uid,omitempty"`
	Current   *Change `json:"current,omitempty"` // the appointment as it is in Exchange now
	// Lost names the parts of the revision that were not written, in the words of [BookingApplied].Lost. Absent means all.
	Lost  []string `json:"lost,omitempty"`
	Extra Extra    `json:"-"`
}

// Reasons of [BookingConflict].
const (
	ConflictChanged = "changed" // the appointment was changed since ROOMS last saw it
	ConflictDeleted = "deleted" // the appointment was deleted
	ConflictBusy    = "busy"    // something else stands in the calendar at that time
	// ConflictDeclined is no answer but comes later: a room that the booking invited has declined.
	ConflictDeclined = "declined"
)

// BookingRejected says that a revision was given up. It waits as a dead letter for an operator. Data of
// [TypeBookingRejected].
type BookingRejected struct {
	BookingID string `json:"bookingId"`
	Revision  int64  `json:"revision"`
	Mailbox   string `json:"mailbox"`
	Reason    string `json:"reason"` // one of the Rejected constants

	ItemID    string `json:"itemId,omitempty"`
	ChangeKey string `json:"changeKey,omitempty"`
	Code      string `json:"code,omitempty"` // Exchange's ResponseCode; absent when it gave none
	Hint      string `json:"hint"`           // for an operator
	// Faults are all that is wrong with an invalid event.
	Faults []Invalid `json:"faults,omitempty"`
	Extra  Extra     `json:"-"`
}

// Invalid is one fault of an event's data.
type Invalid struct {
	Field   string `json:"field"`        // path of the value, such as "recurrence.daysOfWeek[1]"; "" for the whole
	Problem string `json:"problem"`      // what is wrong with it
	Do      string `json:"do,omitempty"` // what to do about it
}

// Reasons of [BookingRejected].
const (
	RejectedInvalid = "invalid" // the event does not keep to the contract
	RejectedStale   = "stale"   // a revision at least as high was applied before
	RejectedRefused = "refused" // Exchange refuses this booking
	RejectedMailbox = "mailbox" // Exchange refuses the mailbox, or it is not wanted
	RejectedFailed  = "failed"  // too many attempts failed
)
