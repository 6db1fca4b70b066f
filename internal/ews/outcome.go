package ews

import (
	"net/http"
	"strings"

	"roomsync/internal/calsync"
)

// A write whose answer is lost may have been done, and doing it again would make a second appointment and second invitations.
// So the outcome of a write counts as unknown unless it is sure that nothing was done: a doubt costs one search for the
// appointment, a mistake a doubled meeting. This file is all that is sure.

// settled are the response codes with which a server refuses a write before it changes anything. What is not among them, such
// as ErrorTimeoutExpired, ErrorInternalServerError or a code of tomorrow, may come in the midst of it; and so may what is about
// sending, such as ErrorInvalidRecipients, ErrorSendAsDenied, ErrorQuotaExceeded or, to delegates, ErrorAccessDenied: the
// invitations follow the appointment.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
var settled = setOf(
	// The request is wrong in itself.
	ErrorSchemaValidation, ErrorInvalidRequest, ErrorInvalidServerVersion, ErrorIncorrectSchemaVersion,
	ErrorInvalidSchemaVersionForMailboxVersion, ErrorInvalidOperation, ErrorRequestStreamTooBig, ErrorDuplicateSOAPHeader, ErrorMoreThanOneAccessModeSpecified,
	ErrorInvalidIdMalformed, ErrorInvalidIdEmpty, ErrorInvalidIdMonikerTooLong, ErrorInvalidIdStoreObjectIdTooLong,
	ErrorInvalidIdXml, ErrorInvalidId, ErrorInvalidIdMalformedEwsLegacyIdFormat, ErrorInvalidChangeKey, ErrorChangeKeyRequired,
	ErrorChangeKeyRequiredForWriteOperations, ErrorInvalidFolderId, ErrorCannotUseFolderIdForItemId, ErrorCannotUseItemIdForFolderId,
	ErrorInvalidPropertySet, ErrorInvalidPropertyRequest, ErrorInvalidPropertyForOperation, ErrorInvalidPropertyDelete,
	ErrorInvalidPropertyAppend, ErrorUpdatePropertyMismatch, ErrorIncorrectUpdatePropertyCount, ErrorSendMeetingInvitationsRequired,
	ErrorSendMeetingInvitationsOrCancellationsRequired, ErrorSendMeetingCancellationsRequired, ErrorMessageDispositionRequired,
	ErrorMissingArgument, ErrorRequiredPropertyMissing, ErrorInvalidExtendedProperty, ErrorInvalidExtendedPropertyValue,
	// What it asks for cannot be: found when the properties are checked, before the item is saved.
	ErrorCalendarEndDateIsEarlierThanStartDate, ErrorCalendarDurationIsTooLong, ErrorCalendarInvalidRecurrence,
	ErrorCalendarInvalidTimeZone, ErrorCalendarInvalidDayForWeeklyRecurrence, ErrorCalendarInvalidDayForTimeChangePattern,
	ErrorCalendarInvalidPropertyValue, ErrorCalendarOutOfRange, ErrorRecurrenceEndDateTooBig, ErrorRecurrenceHasNoOccurrence, ErrorTimeZone,
	ErrorValueOutOfRange, ErrorOccurrenceCrossingBoundary, ErrorOccurrenceTimeSpanTooBig,
	// The item is not there, or is another than was meant.
	ErrorIrresolvableConflict, ErrorStaleObject, ErrorItemNotFound, ErrorFolderNotFound, ErrorNoCalendar,
	ErrorCannotCreateCalendarItemInNonCalendarFolder, ErrorCalendarOccurrenceIsDeletedFromRecurrence,
	ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange, ErrorCalendarCannotUpdateDeletedItem, ErrorCalendarIsNotOrganizer,
	// We may not come in, or nobody lives there: found before the mailbox is opened.
	ErrorCreateItemAccessDenied, ErrorImpersonateUserDenied, ErrorImpersonationDenied, ErrorImpersonationFailed,
	ErrorInvalidExchangeImpersonationHeaderData, ErrorNonExistentMailbox, ErrorNonPrimarySmtpAddress, ErrorAccountDisabled,
	ErrorPasswordExpired, ErrorPasswordChangeRequired, ErrorOrganizationAccessBlocked, ErrorInvalidUserPrincipalName, ErrorInvalidUserSid,
	// The budget is asked before the work begins; with a batch of one there is no half of it.
	ErrorServerBusy, ErrorExceededConnectionCount, ErrorBatchProcessingStopped,
)

func setOf(codes ...string) map[string]bool {
	set := make(map[string]bool, len(codes))
	for _, code := range codes {
		set[code] = true
	}
	return set
}

// refusing are the statuses with which a request is turned away at the door.
var refusing = map[int]bool{
	http.StatusBadRequest: true, http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true,
	http.StatusMethodNotAllowed: true, http.StatusNotAcceptable: true, http.StatusProxyAuthRequired: true, http.StatusGone: true,
	http.StatusLengthRequired: true, http.StatusRequestEntityTooLarge: true, http.StatusRequestURITooLong: true,
	http.StatusUnsupportedMediaType: true, http.StatusExpectationFailed: true, http.StatusMisdirectedRequest: true,
	http.StatusUpgradeRequired: true, http.StatusTooManyRequests: true, http.StatusRequestHeaderFieldsTooLarge: true,
	456: true, // the user is blocked
	// A redirect that repeats the method was not answered here. 302 and 303 may lead to an error page instead: so ASP.NET tells of
	// an exception, and Exchange (/ews/genericerrorpage.htm) with it.
	http.StatusMovedPermanently: true, http.StatusTemporaryRedirect: true, http.StatusPermanentRedirect: true,
}

// unknownStatus says whether a write that was answered with a status alone may have been done.
func unknownStatus(resp *http.Response) bool {
	if resp.StatusCode == http.StatusServiceUnavailable {
		return !queueFull(resp)
	}
	return !refusing[resp.StatusCode]
}

// queueFull says whether a 503 comes from Windows' own HTTP.sys, which has not handed the request on. Any other may
// come from a proxy, or from Exchange's front end, whose back end went away with the request.
func queueFull(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Server"), "Microsoft-HTTPAPI/")
}

// leave sets what a code says of the outcome.
func (x *exchange) leave(f *calsync.Fault) *calsync.Fault {
	f.Unknown = x.call.op.writes && !settled[f.Code]
	return f
}
