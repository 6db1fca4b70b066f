package events

import (
	"encoding/json"
	"time"
)

var (
	zurich = TimeZone{Windows: "W. Europe Standard Time", IANA: "Europe/Berlin"}
	year   = Window{Start: at("2026-11-17T00:00:00Z"), End: at("2027-11-25T00:00:00Z")}
)

const (
	itemA = "AAMkAGI2TG93AAA="
	itemB = "AAMkAGI2TG94AAA="
	keyA  = "DwAAABYAAABh4Q=="
	uidA  = "040000008200E00074C5B7101A82E00800000000A0F1"
)

func goldens() []goldenValue {
	var all []goldenValue
	for name, c := range goldenChanges() {
		page := CalendarChanged{Mailbox: room, Reason: ReasonChange, Window: year, Changes: []Change{c}}
		all = append(all, goldenValue{"calendar-changed." + name, TypeCalendarChanged, page})
	}
	all = append(all, goldenPages()...)
	all = append(all, goldenBookings()...)
	all = append(all, goldenAnswers()...)
	return append(all, goldenStates()...)
}

func goldenChanges() map[string]Change {
	single := Change{
		Kind: KindCreated, ItemID: itemA, ChangeKey: keyA, UID: uidA, Type: ItemSingle,
		Start: ptr(at("2026-11-24T08:00:00Z")), End: ptr(at("2026-11-24T09:30:00Z")), TimeZone: &zurich,
		FreeBusy: Busy, Sensitivity: Normal, Subject: "Budget 2027: \"first\" draft", Location: "Zürich, Säntis",
		Organizer: &Person{Name: "Anna Muster", Address: anna},
	}
	meeting := single
	meeting.Kind, meeting.Cancelled = KindUpdated, true
	meeting.Attendees = []Attendee{
		{Person{"Bruno Beispiel", "bruno@contoso.example"}, "required", "accept"},
		{Person{"", "guest@fabrikam.example"}, "optional", "noResponseReceived"},
		{Person{"Säntis", room}, "resource", "accept"},
	}
	private := single
	private.Sensitivity, private.Subject, private.Location, private.Organizer = Private, "", "", nil
	booked := single
	booked.BookingID = "ROOMS-4711"
	large := single
	large.Omitted = []string{"attendees"}
	return map[string]Change{
		"single":          single,
		"meeting":         meeting,
		"private":         private,
		"large":           large,
		"booking":         booked,
		"all-day":         goldenAllDay(),
		"series":          goldenSeries(),
		"deleted":         {Kind: KindDeleted, ItemID: itemB},
		"unknown-zone":    goldenUnknownZone(single),
		"unknown-fields":  goldenUnknownFields(single),
		"tentative-empty": {Kind: KindUpdated, ItemID: itemB, ChangeKey: keyA, Type: ItemSingle, Start: single.Start, End: single.End, FreeBusy: Tentative},
	}
}

func goldenAllDay() Change {
	return Change{
		Kind: KindCreated, ItemID: itemA, ChangeKey: keyA, UID: uidA, Type: ItemSingle,
		// Two days in Zurich begin an hour before midnight UTC.
		Start: ptr(at("2026-12-23T23:00:00Z")), End: ptr(at("2026-12-25T23:00:00Z")), TimeZone: &zurich,
		AllDay: true, StartDate: "2026-12-24", EndDate: "2026-12-26",
		FreeBusy: OutOfOffice, Sensitivity: Normal, Subject: "Weihnachten",
	}
}

// goldenSeries meets at 09:00 in Zurich: in winter at 08:00 UTC, in summer at 07:00 UTC.
func goldenSeries() Change {
	return Change{
		Kind: KindUpdated, ItemID: itemA, ChangeKey: keyA, UID: uidA, Type: ItemMaster,
		Start: ptr(at("2027-03-15T08:00:00Z")), End: ptr(at("2027-03-15T09:00:00Z")), TimeZone: &zurich,
		FreeBusy: Busy, Sensitivity: Normal, Subject: "Wochensitzung", Location: "Säntis",
		Recurrence: &Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Monday"}, WeekStart: "Monday",
			StartDate: "2027-03-15", Occurrences: 4},
		Occurrences: []Occurrence{
			{ItemID: "occ-1", Type: ItemOccurrence, OriginalStart: at("2027-03-15T08:00:00Z"), Start: at("2027-03-15T08:00:00Z"), End: at("2027-03-15T09:00:00Z")},
			{ItemID: "occ-2", Type: ItemException, OriginalStart: at("2027-03-22T08:00:00Z"), Start: at("2027-03-23T13:00:00Z"), End: at("2027-03-23T14:00:00Z"),
				Subject: "Wochensitzung (verschoben)", Location: "Rigi", FreeBusy: Tentative},
			// The meeting of 29 March was deleted; that of 5 April was cancelled and still stands in the calendar.
			{ItemID: "occ-4", Type: ItemException, OriginalStart: at("2027-04-05T07:00:00Z"), Start: at("2027-04-05T07:00:00Z"), End: at("2027-04-05T08:00:00Z"), Cancelled: true, Cleared: []string{"location"}},
		},
	}
}

func goldenUnknownZone(c Change) Change {
	c.TimeZone = &TimeZone{Windows: "Customized Time Zone"}
	return c
}

func goldenUnknownFields(c Change) Change {
	c.Extra = Extra{"teams": json.RawMessage(`{"joinUrl":"https://teams.example/1","lobby":[true,null,1.5]}`)}
	return c
}

func goldenPages() []goldenValue {
	page := CalendarChanged{Mailbox: room, Reason: ReasonInitial, Window: year, Changes: []Change{
		goldenAllDay(), goldenSeries(), {Kind: KindDeleted, ItemID: itemB},
	}}
	page.Changes[0].ItemID = itemB
	page.Changes[2].ItemID = "AAMkAGI2TG95AAA="
	page.Extra = Extra{"tenant": json.RawMessage(`"contoso"`)}
	return []goldenValue{
		{"calendar-changed.page", TypeCalendarChanged, page},
		{"calendar-changed.empty", TypeCalendarChanged, CalendarChanged{Mailbox: room, Reason: ReasonWindow, Window: year, Changes: []Change{}}},
	}
}

func goldenBookings() []goldenValue {
	single := BookingUpserted{
		BookingID: "ROOMS-4711", Revision: 1, Mailbox: room, Subject: "Kundengespräch", Location: "Säntis",
		Body:  &Body{Type: BodyText, Content: "Kaffee für 4\nBeamer"},
		Start: ptr(at("2026-11-24T08:00:00Z")), End: ptr(at("2026-11-24T09:30:00Z")), TimeZone: TimeZone{IANA: "Europe/Zurich"},
		FreeBusy: Busy, Sensitivity: Normal, Reminder: ptr(0), Categories: []string{"ROOMS"},
	}
	meeting := single
	meeting.ModifiedAt, meeting.BasedOn = ptr(at("2026-11-20T10:00:00Z")), keyA
	meeting.Revision, meeting.SendInvitations, meeting.Sensitivity = 2, true, Confidential
	meeting.Body = &Body{Type: BodyHTML, Content: "<p>Kaffee &amp; <b>Beamer</b></p>"}
	meeting.Attendees = []Attendee{{Person: Person{"Bruno Beispiel", "bruno@contoso.example"}, Role: "required"}}
	unknown := single
	unknown.Extra = Extra{"catering": json.RawMessage(`{"persons":4}`)}
	return []goldenValue{
		{"booking-upserted.single", TypeBookingUpserted, single},
		{"booking-upserted.meeting", TypeBookingUpserted, meeting},
		{"booking-upserted.unknown-fields", TypeBookingUpserted, unknown},
		{"booking-upserted.all-day", TypeBookingUpserted, BookingUpserted{
			BookingID: "ROOMS-4712", Revision: 1, Mailbox: room, Subject: "Inventar", TimeZone: TimeZone{Windows: zurich.Windows},
			AllDay: true, StartDate: "2026-12-30", EndDate: "2027-01-01", FreeBusy: Free}},
		{"booking-upserted.series", TypeBookingUpserted, goldenBookedSeries()},
		{"booking-upserted.last-friday", TypeBookingUpserted, goldenLastFriday()},
		{"booking-cancelled.quiet", TypeBookingCancelled, BookingCancelled{BookingID: "ROOMS-4711", Revision: 3, Mailbox: room}},
		{"booking-cancelled.meeting", TypeBookingCancelled, BookingCancelled{BookingID: "ROOMS-4711", Revision: 3, Mailbox: room,
			SendCancellations: true, Message: "Der Raum ist gesperrt."}},
	}
}

func goldenBookedSeries() BookingUpserted {
	return BookingUpserted{
		BookingID: "ROOMS-4713", Revision: 7, Mailbox: room, Subject: "Wochensitzung",
		Start: ptr(at("2027-03-15T08:00:00Z")), End: ptr(at("2027-03-15T09:00:00Z")), TimeZone: zurich,
		Recurrence: &Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Monday"}, WeekStart: "Monday",
			StartDate: "2027-03-15", Occurrences: 4},
		Exceptions: []BookingException{{OriginalStart: at("2027-03-22T08:00:00Z"), Start: at("2027-03-23T13:00:00Z"),
			End: at("2027-03-23T14:00:00Z"), Location: "Rigi"}},
		CancelledOccurrences: []time.Time{at("2027-03-29T07:00:00Z")},
	}
}

func goldenLastFriday() BookingUpserted {
	return BookingUpserted{
		BookingID: "ROOMS-4714", Revision: 1, Mailbox: room, Subject: "Apéro",
		Start: ptr(at("2026-11-27T16:00:00+01:00")), End: ptr(at("2026-11-27T17:00:00+01:00")), TimeZone: TimeZone{IANA: "Europe/Zurich"},
		Recurrence: &Recurrence{Pattern: "relativeMonthly", Interval: 1, DaysOfWeek: []string{"Friday"}, WeekIndex: "Last",
			StartDate: "2026-11-27", EndDate: "2027-06-30"},
	}
}

func goldenAnswers() []goldenValue {
	const booking = "ROOMS-4711"
	now := goldenChanges()["single"]
	now.Kind, now.BookingID = KindUpdated, booking
	return []goldenValue{
		{"booking-applied.created", TypeBookingApplied, BookingApplied{BookingID: booking, Revision: 1, Mailbox: room, Reason: AppliedCreated, ItemID: itemA, ChangeKey: keyA, UID: uidA}},
		{"booking-applied.cancelled", TypeBookingApplied, BookingApplied{BookingID: booking, Revision: 3, Mailbox: room, Reason: AppliedCancelled}},
		{"booking-conflict.changed", TypeBookingConflict, BookingConflict{BookingID: booking, Revision: 2, Mailbox: room, Reason: ConflictChanged, ItemID: itemA, ChangeKey: keyA, UID: uidA, Current: &now}},
		{"booking-applied.overwrote", TypeBookingApplied, BookingApplied{BookingID: booking, Revision: 2, Mailbox: room, Reason: AppliedUpdated, ItemID: itemA, ChangeKey: keyA, UID: uidA,
			Lost: []string{"subject", "meeting 2027-03-22T08:00:00Z"}, Previous: &now}},
		{"booking-conflict.partly", TypeBookingConflict, BookingConflict{BookingID: booking, Revision: 2, Mailbox: room, Reason: ConflictChanged, ItemID: itemA, ChangeKey: keyA, UID: uidA, Current: &now, Lost: []string{"location"}}},
		{"booking-conflict.deleted", TypeBookingConflict, BookingConflict{BookingID: booking, Revision: 2, Mailbox: room, Reason: ConflictDeleted, ItemID: itemA, UID: uidA}},
		{"booking-rejected.invalid", TypeBookingRejected, BookingRejected{BookingID: booking, Revision: 2, Mailbox: room, Reason: RejectedInvalid, Hint: "send a higher revision without these faults",
			Faults: []Invalid{{"end", "lies before start", "give an end after the start"}, {"recurrence.daysOfWeek[1]", "Mittwoch is no day of the week", ""}}}},
		{"booking-rejected.refused", TypeBookingRejected, BookingRejected{BookingID: booking, Revision: 2, Mailbox: room, Reason: RejectedRefused, Code: "ErrorCalendarDurationIsTooLong",
			Hint: "Exchange allows five years at most", Extra: Extra{"ticket": json.RawMessage(`42`)}}},
	}
}

func goldenStates() []goldenValue {
	since, next := at("2026-11-24T07:00:00Z"), at("2026-11-24T08:00:00Z")
	return []goldenValue{
		{"access-denied.code", TypeAccessDenied, AccessDenied{Mailbox: room, Since: since, Operation: "SyncFolderItems", Status: 200, Code: "ErrorImpersonateUserDenied",
			Hint: "let the service account impersonate this mailbox", NextCheck: next}},
		{"access-denied.http", TypeAccessDenied, AccessDenied{Mailbox: room, Since: since, Operation: "SyncFolderItems", Status: 403,
			Hint: "Exchange gave no reason: look at EWSEnabled, EwsAllowedAppIDs, the licence and the application access policy", NextCheck: next,
			Scope: ScopeMailbox, Reason: RefusedForbidden, Evidence: goldenEvidence(since), FirstSeen: since, LastSeen: since}},
		{"access-denied.tenant", TypeAccessDenied, AccessDenied{Mailbox: room, Since: since, Operation: "SyncFolderItems", Status: 403,
			Hint: "many mailboxes at once: look at EwsEnabled of the organization", NextCheck: since.Add(time.Minute), Scope: ScopeTenant,
			Reason: RefusedForbidden, Evidence: goldenEvidence(since), FirstSeen: since, LastSeen: since, Refused: 5, Observed: 9}},
		{"access-denied.permission", TypeAccessDenied, AccessDenied{Mailbox: room, Since: since, Operation: "SyncFolderItems", Status: 403,
			Hint: "grant the app its permission", NextCheck: since.Add(time.Minute), Scope: ScopeApp, Reason: RefusedPermission,
			Evidence:  &Evidence{Operation: "SyncFolderItems", Status: 403, Diagnostics: "2000008", RequestID: "9c1f0f6e-5a51-4b1e-9d7d-000000000043", At: since},
			FirstSeen: since, LastSeen: since, Refused: 1, Observed: 1}},
		{"access-restored.policy", TypeAccessRestored, AccessRestored{Mailbox: room, Since: since, Until: next, Checks: 2}},
		{"access-restored.partial", TypeAccessRestored, AccessRestored{Mailbox: room, Since: since, Until: next, Checks: 1, Scope: ScopeTenant,
			Reason: RefusedForbidden, Evidence: goldenEvidence(next), FirstSeen: since, LastSeen: next, Partial: true}},
		{"mailbox-blocked.missing", TypeMailboxBlocked, MailboxBlocked{Mailbox: room, Since: since, Operation: "SyncFolderItems", Code: "ErrorNonExistentMailbox",
			Hint: "no such mailbox: correct the address or remove it", NextCheck: next}},
		{"mailbox-blocked.disabled", TypeMailboxBlocked, MailboxBlocked{Mailbox: room, Since: since, Operation: "SyncFolderItems", Code: "ErrorAccountDisabled",
			Hint: "the account is disabled", NextCheck: next, Scope: ScopeMailbox, Reason: RefusedDisabled,
			Evidence: &Evidence{Operation: "SyncFolderItems", Status: 200, Code: "ErrorAccountDisabled", RequestID: "a7e1", At: since}, FirstSeen: since, LastSeen: since}},
		{"sync-completed.initial", TypeSyncCompleted, SyncCompleted{Mailbox: room, Reason: ReasonInitial, Window: year, Items: 128, Started: since}},
		{"sync-completed.resync", TypeSyncCompleted, SyncCompleted{Mailbox: room, Reason: ReasonResync, Window: year, Started: since, Extra: Extra{"attempts": json.RawMessage(`2`)}}},
		{"mailbox.minimal", SchemaMailbox, Mailbox{Address: room, Mode: ModeO365Pull, Enabled: true}},
		{"mailbox.full", SchemaMailbox, Mailbox{Address: room, Mode: ModeExchange2016, URL: "https://exchange01.contoso.example/EWS/Exchange.asmx", Folder: "AQMkADA=",
			Fields: []string{}, PastDays: 1, FutureDays: 90, Winner: WinnerNewest, Resource: true, Extra: Extra{"group": json.RawMessage(`"pilot"`)}}},
	}
}

func goldenEvidence(at time.Time) *Evidence {
	return &Evidence{
		Operation: "SyncFolderItems", Status: 403, RequestID: "9c1f0f6e-5a51-4b1e-9d7d-000000000042",
		ServerRequestID: "2b1c7a8e-0d3f-4a57-9a55-1e0c8d1f3b11", At: at, Extra: Extra{"backEnd": json.RawMessage(`"ZR0P278MB0001"`)},
	}
}
