package store

// Error is a refusal, named by the EWS ResponseCode that Exchange answers with.
type Error struct {
	Code string
	// Text replaces the text that Exchange usually sends with Code; empty in most cases.
	Text string
	// Values are the name-value pairs of MessageXml.
	Values map[string]string
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code
	}
	return e.Code + ": " + e.Text
}

// Is makes errors.Is compare codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Refusals, for errors.Is.
var (
	ErrIDMalformed         = &Error{Code: "ErrorInvalidIdMalformed"}
	ErrItemNotFound        = &Error{Code: "ErrorItemNotFound"}
	ErrFolderNotFound      = &Error{Code: "ErrorFolderNotFound"}
	ErrSyncFolderNotFound  = &Error{Code: "ErrorSyncFolderNotFound"}
	ErrConflict            = &Error{Code: "ErrorIrresolvableConflict"}
	ErrStaleObject         = &Error{Code: "ErrorStaleObject"}
	ErrChangeKeyRequired   = &Error{Code: "ErrorChangeKeyRequiredForWriteOperations"}
	ErrInvalidChangeKey    = &Error{Code: "ErrorInvalidChangeKey"}
	ErrSyncState           = &Error{Code: "ErrorInvalidSyncStateData"}
	ErrEndBeforeStart      = &Error{Code: "ErrorCalendarEndDateIsEarlierThanStartDate"}
	ErrDurationTooLong     = &Error{Code: "ErrorCalendarDurationIsTooLong"}
	ErrViewTooBig          = &Error{Code: "ErrorCalendarViewRangeTooBig"}
	ErrFindCountLimit      = &Error{Code: "ErrorExceededFindCountLimit", Values: map[string]string{"PolicyLimit": "1000"}}
	ErrInvalidRecurrence   = &Error{Code: "ErrorCalendarInvalidRecurrence"}
	ErrNoOccurrence        = &Error{Code: "ErrorRecurrenceHasNoOccurrence"}
	ErrOccurrenceDeleted   = &Error{Code: "ErrorCalendarOccurrenceIsDeletedFromRecurrence"}
	ErrOccurrenceIndex     = &Error{Code: "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"}
	ErrNotAnOccurrence     = &Error{Code: "ErrorCalendarCannotUseIdForOccurrenceId"}
	ErrNotAMaster          = &Error{Code: "ErrorCalendarCannotUseIdForRecurringMasterId"}
	ErrCrossesBoundary     = &Error{Code: "ErrorOccurrenceCrossingBoundary"}
	ErrOccurrenceTooLong   = &Error{Code: "ErrorOccurrenceTimeSpanTooBig"}
	ErrTimeZone            = &Error{Code: "ErrorTimeZone"}
	ErrMoveCopyFailed      = &Error{Code: "ErrorMoveCopyFailed"}
	ErrInvalidPropertySet  = &Error{Code: "ErrorInvalidPropertySet"}
	ErrNotACalendarForView = &Error{Code: "ErrorCalendarFolderIsInvalidForCalendarView"}
)
