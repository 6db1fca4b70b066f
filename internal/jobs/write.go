package jobs

import (
	"strings"

	"roomsync/events"
)

// WriteFate says what a failed write means for the booking that it was of.
type WriteFate int

// The fates of writes.
const (
	WriteLater   WriteFate = iota // it is the mailbox's trouble, or the server's: the booking waits with it
	WriteAnew                     // the appointment is not as it was believed to be: look, and decide anew
	WriteRefused                  // Exchange refuses this booking: it is given up, and the mailbox goes on
	WriteDenied                   // it refuses every write to this calendar, which may well be read: given up as well
)

// changedCodes say that what is to be written is not there, or not as it was.
var changedCodes = map[string]bool{
	"ErrorIrresolvableConflict":                          true,
	"ErrorStaleObject":                                   true,
	"ErrorChangeKeyRequired":                             true,
	"ErrorChangeKeyRequiredForWriteOperations":           true,
	"ErrorInvalidChangeKey":                              true,
	"ErrorItemNotFound":                                  true,
	"ErrorCalendarCannotUpdateDeletedItem":               true,
	"ErrorCalendarOccurrenceIsDeletedFromRecurrence":     true,
	"ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": true,
}

// OfWrite says what the verdict on a failed write means for its booking.
func (v Verdict) OfWrite() WriteFate {
	switch {
	case changedCodes[v.Code]:
		return WriteAnew
	case v.Class == ItemConflict, v.Class == Bug, v.Class == Blocked && v.Reason == events.RefusedFull:
		return WriteRefused
	case v.Class == Denied && strings.HasSuffix(v.Code, "AccessDenied"):
		return WriteDenied
	}
	return WriteLater
}
