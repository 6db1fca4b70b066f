package calsync

import "context"

// Writer changes calendars. Its methods make requests for one mailbox only and their errors are *[Fault]s, as those of
// [Reader]. A fault whose Unknown is set leaves it open whether the change was made: whoever goes on must look first
// ([Writer.Find]), and then do all that is left to do.
type Writer interface {
	// Find returns the appointments in the target's calendar that carry the booking's id as their own property, in full
	// with their bodies, oldest first. There may be several: copies keep the property.
	Find(ctx context.Context, t Target, bookingID string) ([]Held, error)

	// Read reads appointments in full, with what Get leaves out; one result for each id, in the same order.
	Read(ctx context.Context, t Target, ids []string) ([]HeldResult, error)

	// Meetings returns the ids of a series' meetings by original start, those of them that exist and lie in w. Each has
	// the change key that a write to it needs.
	Meetings(ctx context.Context, t Target, uid string, w Window) ([]Appointment, error)

	// Create makes an appointment with all of the content but its Meetings, and with the booking's id and revision as its
	// own properties.
	Create(ctx context.Context, t Target, d Draft) (Written, error)

	// Update changes those parts of an appointment that d.Parts names, and always the revision. It fails with
	// ErrorIrresolvableConflict when the appointment is no longer at d.ChangeKey. For [PartTime] of a series the meetings
	// that differed are reset by the server.
	Update(ctx context.Context, t Target, d Draft) (Written, error)

	// Delete moves an appointment, or one meeting of a series, to the deleted items, with cancellations to the attendees
	// when notify is set. One that is not there is an error, ErrorItemNotFound.
	Delete(ctx context.Context, t Target, d Deletion) error
}

// Calendar reads and changes calendars.
type Calendar interface {
	Reader
	Writer
}

// Draft is what is to be written.
type Draft struct {
	// ItemID and ChangeKey name what is updated: an appointment, a series or one of its meetings.
	ItemID, ChangeKey string
	BookingID         string // "" for a meeting of a series: the series has it
	Revision          int64
	Content           Content
	Parts             []Part // what of it is written by Update; Create writes all
	Notify            bool   // Exchange writes to the attendees: at Create to all, at Update to all
}

// Deletion says what is to be deleted.
type Deletion struct {
	ItemID, ChangeKey string
	Notify            bool
	Message           string // text for the attendees: deleting by a CancelCalendarItem when it is not empty
}

// Written is what an appointment became by a write.
type Written struct{ ItemID, ChangeKey string }

// Held is an appointment with the properties that only writing needs.
type Held struct {
	Appointment
	Body       Body
	Reminder   *int // nil for none
	Categories []string
	Folder     string // ParentFolderId
}

// HeldResult is a Held, or why it could not be read.
type HeldResult struct {
	Held Held
	Err  *Fault
}
