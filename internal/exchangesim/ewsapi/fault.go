package ewsapi

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// texts are what Exchange says with a response code, from recorded answers and Microsoft's documentation.
var texts = map[string]string{
	"ErrorAccessDenied":                                  "Access is denied. Check credentials and try again.",
	"ErrorBatchProcessingStopped":                        "The batch processing was stopped because of an error.",
	"ErrorCalendarCannotMoveOrCopyOccurrence":            "You cannot move or copy an occurrence of a recurring calendar item.",
	"ErrorCalendarCannotUseIdForOccurrenceId":            "The specified id cannot be used as the id of a recurring master.",
	"ErrorCalendarCannotUseIdForRecurringMasterId":       "The specified id is not the id of an occurrence.",
	"ErrorCalendarDurationIsTooLong":                     "The duration of a calendar item must be within 5 years.",
	"ErrorCalendarEndDateIsEarlierThanStartDate":         "EndDate is earlier than StartDate",
	"ErrorCalendarFolderIsInvalidForCalendarView":        "The folder is not a calendar folder.",
	"ErrorCalendarInvalidRecurrence":                     "Invalid recurrence.",
	"ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": "Occurrence index is out of recurrence range.",
	"ErrorCalendarOccurrenceIsDeletedFromRecurrence":     "The occurrence was deleted from the recurrence.",
	"ErrorCalendarViewRangeTooBig":                       "The specified view range exceeds the maximum range of two years.",
	"ErrorChangeKeyRequired":                             "The change key is required for this operation.",
	"ErrorChangeKeyRequiredForWriteOperations":           "A change key is required for this operation.",
	"ErrorCreateItemAccessDenied":                        "Access is denied. Check credentials and try again., Cannot save changes made to an item to store.",
	"ErrorExceededConnectionCount":                       "You have exceeded the available concurrent connections for your account. Try again once your other requests have completed.",
	"ErrorExceededFindCountLimit":                        "You have exceeded the maximum number of objects that can be returned for the find operation. Use paging to reduce the result size and try your request again.",
	"ErrorFolderNotFound":                                "The specified folder could not be found in the store.",
	"ErrorImpersonateUserDenied":                         "The account does not have permission to impersonate the requested user.",
	"ErrorImpersonationDenied":                           "The account does not have permission to impersonate through this server.",
	"ErrorInternalServerError":                           "An internal server error occurred. The operation failed.",
	"ErrorInternalServerTransientError":                  "An internal server error occurred. Try again later.",
	"ErrorInvalidChangeKey":                              "The change key is invalid.",
	"ErrorInvalidExchangeImpersonationHeaderData":        "ExchangeImpersonation SOAP header must be present for this type of OAuth token.",
	"ErrorInvalidIdMalformed":                            "Id is malformed.",
	"ErrorInvalidPropertyForOperation":                   "Property is not valid for this operation.",
	"ErrorInvalidPropertyRequest":                        "Property is not valid for this object type.",
	"ErrorInvalidPropertySet":                            "Set action is invalid for property.",
	"ErrorInvalidPropertyDelete":                         "Delete action is invalid for property.",
	"ErrorInvalidPropertyAppend":                         "Append action is invalid for property.",
	"ErrorInvalidRequest":                                "The request is invalid.",
	"ErrorInvalidOperation":                              "The operation is not supported by this server.",
	"ErrorInvalidServerVersion":                          "The specified server version is invalid.",
	"ErrorInvalidSmtpAddress":                            "The SMTP address format is invalid.",
	"ErrorInvalidSyncStateData":                          "Synchronization state data is corrupt or otherwise invalid.",
	"ErrorInvalidUserPrincipalName":                      "The user principal name (UPN) is not valid.",
	"ErrorInvalidUserSid":                                "The SID is not valid.",
	"ErrorIrresolvableConflict":                          "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
	"ErrorItemNotFound":                                  "The specified object was not found in the store.",
	"ErrorMailRecipientNotFound":                         "Unable to resolve e-mail address to an Active Directory object.",
	"ErrorMailboxStoreUnavailable":                       "The mailbox database is temporarily unavailable.",
	"ErrorMessageDispositionRequired":                    "Message disposition is required.",
	"ErrorMoveCopyFailed":                                "The move or copy operation failed.",
	"ErrorNameResolutionMultipleResults":                 "Multiple results were found.",
	"ErrorNameResolutionNoResults":                       "No results were found.",
	"ErrorNonExistentMailbox":                            "The SMTP address has no mailbox associated with it.",
	"ErrorOccurrenceCrossingBoundary":                    "Modified occurrence is crossing or overlapping adjacent occurrence.",
	"ErrorOccurrenceTimeSpanTooBig":                      "The occurrence's time span is too big.",
	"ErrorParentFolderNotFound":                          "The specified parent folder could not be found.",
	"ErrorRecurrenceHasNoOccurrence":                     "The recurrence has no occurrences in the specified range.",
	"ErrorSchemaValidation":                              "The request failed schema validation.",
	"ErrorSendMeetingCancellationsRequired":              "SendMeetingCancellations attribute is required for Calendar items.",
	"ErrorSendMeetingInvitationsOrCancellationsRequired": "SendMeetingInvitationsOrCancellations attribute is required for Calendar items.",
	"ErrorSendMeetingInvitationsRequired":                "SendMeetingInvitations attribute is required for Calendar items.",
	"ErrorServerBusy":                                    "The server cannot service this request right now. Try again later.",
	"ErrorStaleObject":                                   "The change key passed in the request does not match the current change key for the item.",
	"ErrorSyncFolderNotFound":                            "The specified folder could not be found in the store.",
	"ErrorTimeZone":                                      "The time zone is not valid.",
	"ErrorTimeoutExpired":                                "The request timed out.",
	"ErrorTooManyObjectsOpened":                          "Too many concurrent connections opened.",
	"ErrorUnsupportedPathForQuery":                       "The property can not be used with this type of restriction.",
	"ErrorUnsupportedPathForSortGroup":                   "The property can not be used for sorting or grouping results.",
	"ErrorUnsupportedTypeForConversion":                  "The value cannot be converted to the property's type.",
	"ErrorUpdatePropertyMismatch":                        "The property does not match the specified path.",
	"ErrorIncorrectUpdatePropertyCount":                  "An object within a change description must contain one and only one property to modify.",
}

func textOf(code, text string) string {
	if text != "" {
		return text
	}
	if t, ok := texts[code]; ok {
		return t
	}
	return code
}

// requestError refuses a whole request with a SOAP Fault.
type requestError struct {
	code, text string
	// position and violation of a schema error
	line, column int
	violation    string
}

func (e *requestError) Error() string { return e.code + ": " + textOf(e.code, e.text) }

func refuse(code string) error { return &requestError{code: code} }

// stopsBatch lists the codes after which Exchange leaves the rest of a batch alone (responsecode.md).
var stopsBatch = map[string]bool{"ErrorAccessDenied": true, "ErrorAccountDisabled": true, "ErrorADUnavailable": true,
	"ErrorADOperation": true, "ErrorConnectionFailed": true, "ErrorMailboxStoreUnavailable": true, "ErrorMailboxMoveInProgress": true,
	"ErrorPasswordChangeRequired": true, "ErrorPasswordExpired": true, "ErrorQuotaExceeded": true, "ErrorInsufficientResources": true}

// itemError turns any error into what a response message says.
func itemError(err error) *store.Error {
	var e *store.Error
	if errors.As(err, &e) {
		return e
	}
	return &store.Error{Code: "ErrorInternalServerError", Text: textOf("ErrorInternalServerError", "") + " " + err.Error()}
}

func fromFault(f *hook.ItemFault) *store.Error {
	e := &store.Error{Code: f.Code, Text: f.Message, Values: map[string]string{}}
	if f.BackOff > 0 {
		e.Values["BackOffMilliseconds"] = strconv.FormatInt(f.BackOff.Milliseconds(), 10)
	}
	if f.Inner != "" {
		e.Values["InnerErrorMessageText"] = textOf(f.Inner, "")
		e.Values["InnerErrorResponseCode"] = f.Inner
		e.Values["InnerErrorDescriptiveLinkKey"] = "0"
	}
	return e
}

const faultStart = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + nsSOAP + `"><s:Body><s:Fault><faultcode xmlns:a="` + nsTypes + `">a:`

// fault writes the SOAP Fault for a refused request. As on the real server it has no SOAP header.
func fault(e *requestError, backOff time.Duration) []byte {
	w := &writer{}
	text := textOf(e.code, e.text)
	faultText := text
	if e.violation != "" {
		faultText += ": " + e.violation
		faultText = "The request failed schema validation: " + e.violation
	}
	w.raw(faultStart, e.code, `</faultcode><faultstring xml:lang="en-US">`)
	w.text(faultText)
	w.raw(`</faultstring><detail><e:ResponseCode xmlns:e="`, nsErrors, `">`, e.code, `</e:ResponseCode><e:Message xmlns:e="`, nsErrors, `">`)
	w.text(text)
	w.raw(`</e:Message>`)
	if e.violation != "" || backOff > 0 {
		w.raw(`<t:MessageXml xmlns:t="`, nsTypes, `">`)
		if e.violation != "" {
			w.raw(`<t:LineNumber>`, strconv.Itoa(e.line), `</t:LineNumber><t:LinePosition>`, strconv.Itoa(e.column), `</t:LinePosition><t:Violation>`)
			w.text(e.violation)
			w.raw(`</t:Violation>`)
		}
		if backOff > 0 {
			w.raw(`<t:Value Name="BackOffMilliseconds">`, strconv.FormatInt(backOff.Milliseconds(), 10), `</t:Value>`)
		}
		w.raw(`</t:MessageXml>`)
	}
	w.raw(`</detail></s:Fault></s:Body></s:Envelope>`)
	return w.buf
}

const nsErrors = "http://schemas.microsoft.com/exchange/services/2006/errors"

// errorMessage writes the beginning of a response message that is an error, up to what its type adds.
func (w *writer) errorMessage(e *store.Error) {
	w.raw(`<m:MessageText>`)
	w.text(textOf(e.Code, e.Text))
	w.raw(`</m:MessageText><m:ResponseCode>`, e.Code, `</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>`)
	if len(e.Values) == 0 {
		return
	}
	w.raw(`<m:MessageXml>`)
	for _, name := range slices.Sorted(maps.Keys(e.Values)) {
		w.raw(`<t:Value Name="`, name, `">`)
		w.text(e.Values[name])
		w.raw(`</t:Value>`)
	}
	w.raw(`</m:MessageXml>`)
}

// statusOf is the HTTP status of a Fault.
func statusOf(a *hook.Answer) int {
	if a.Status != 0 {
		return a.Status
	}
	return http.StatusInternalServerError
}
