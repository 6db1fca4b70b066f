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

	// BasedOn is the change key of the appointment as ROOMS knew it when it made the revision. What differs from that
	// version is then ROOMS' will. When absent, ROOMS is taken to know what it was told before the event was stored.
	BasedOn string `json:"basedOn,omitempty"`
	// Modified is when a user changed the booking; the event's time when absent.
	Modified *time.Time `json:"modified,omitempty"`

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

	// Overwritten names the parts of the appointment that were overwritten although ROOMS may not have known of them:
	// time, subject, body, location, freeBusy, sensitivity, reminder, categories, attendees, or "meeting " and the
	// original start of a meeting.
	Overwritten []string `json:"overwritten,omitempty"`
	Previous    *Change  `json:"previous,omitempty"` // the appointment as it was before something was overwritten
	Extra       Extra    `json:"-"`
}

// Reasons of [BookingApplied].
const (
	AppliedCreated    = "created"
	AppliedUpdated    = "updated"
	AppliedCancelled  = "cancelled"
	AppliedUnchanged  = "unchanged"  // the calendar had it already
	AppliedSuperseded = "superseded" // a later revision was waiting, and only that one was written
)

// BookingConflict says that somebody had changed the appointment in Exchange, so that the revision, or what Lost names
// of it, was not written. Data of [TypeBookingConflict].
type BookingConflict struct {
	BookingID string `json:"bookingId"`
	Revision  int64  `json:"revision"`
	Mailbox   string `json:"mailbox"`
	Reason    string `json:"reason"` // one of the Conflict constants

	ItemID    string `json:"itemId,omitempty"`
	ChangeKey string `json:"changeKey,omitempty"` // as it is in Exchange now
	UID       string `json:"uid,omitempty"`
	// Lost names the parts of the revision that were not written; the others were. Overwritten and Previous are as in
	// [BookingApplied].
	Lost        []string `json:"lost,omitempty"`
	Current     *Change  `json:"current,omitempty"` // the appointment as it is in Exchange now
	Overwritten []string `json:"overwritten,omitempty"`
	Previous    *Change  `json:"previous,omitempty"`
	Extra       Extra    `json:"-"`
}

// Reasons of [BookingConflict].
const (
	ConflictChanged = "changed" // the appointment was changed since ROOMS last saw it
	ConflictDeleted = "deleted" // the appointment was deleted
	ConflictBusy    = "busy"    // something else stands in the calendar at that time
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
	// Faults are all that is wrong with an event that does not keep to the contract.
	Faults []Invalid `json:"faults,omitempty"`
	Extra  Extra     `json:"-"`
}

// Invalid is a fault of an event.
type Invalid struct {
	Field   string `json:"field"`        // path in the data, such as recurrence.daysOfWeek[1]
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
