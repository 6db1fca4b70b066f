package ews

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// decodeItem reads the inside of a CalendarItem element.
func decodeItem(t *testing.T, inner string) (calsync.Appointment, error) {
	t.Helper()
	var s soap.Scanner
	s.Reset([]byte(`<t:CalendarItem xmlns:t="` + soap.NSTypes + `"><t:ItemId Id="id" ChangeKey="ck"/>` + inner + `</t:CalendarItem>`))
	s.Next()
	a, err := readAppointment(&s)
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	return a, err
}

func at(value string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// TestRecordedMaster reads a series that a real Exchange 2019 sent.
func TestRecordedMaster(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(shared(t, "ews-samples"), "recorded-garethp", "GetItem.response.testRecurringEventSupport.04.http200.xml"))
	if err != nil {
		t.Fatal(err)
	}
	results, faults, err := decodeDocument("GetItem", 200, doc)
	if err != nil || len(results) != 1 || faults[0] != nil {
		t.Fatalf("%v, %v, %v", results, faults, err)
	}
	got := results[0].(calsync.Appointment)
	want := calsync.Appointment{
		ID:        "BBNlBEl6Oja3gkN1MkZnMWYtNGYxZS05YkRkLTU0ZmI5ZTIyOGM2OQBGAAAAAADoTzuWq76VRIeNlYRsLpeUBwDwSoBO6tE6QZYs8Ixm76GUAAAzNmMjAADwSoBO6tE6QZYs8Ixm76GUAAAzNocrAAA=",
		ChangeKey: "DwAAABYAAADwSoBO6tE6QZYs8Ixm76GUAAAzNjiB",
		UID:       "040000008200E00074C5B7101A82E008000000001AF45EF9C7EDDB01000000000000000010000000F73231FC2ADB164D941E037E14477E38",
		Type:      calsync.Master, Start: at("2025-07-02T10:00:00Z"), End: at("2025-07-02T11:00:00Z"), FreeBusy: "Busy", Sensitivity: "Normal",
		Subject: "Weekly Team Meeting", Location: "Conference Room A", Organizer: calsync.Person{Name: "test.user", Address: "user@test.user.com"},
		Recurrence:   &calsync.Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Wednesday"}, StartDate: "2025-07-02", Occurrences: 4},
		LastModified: at("2025-07-05T16:15:07Z"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

func TestAppointment(t *testing.T) {
	attendee := func(name, response string) string {
		return `<t:Attendee><t:Mailbox><t:Name>` + name + `</t:Name><t:EmailAddress>` + name + `@contoso.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox><t:ResponseType>` + response + `</t:ResponseType></t:Attendee>`
	}
	got, err := decodeItem(t, `<t:Subject>A &amp; B&#x1;&#x0;</t:Subject><t:Sensitivity>Private</t:Sensitivity><t:LastModifiedTime>2026-03-01T08:00:00.5Z</t:LastModifiedTime><t:Body>skipped <b xmlns="">x</b></t:Body>`+
		`<t:UID>U</t:UID><t:RecurrenceId>2026-03-29T07:00:00Z</t:RecurrenceId><t:Start>2026-03-29T09:00:00+02:00</t:Start><t:End>2026-03-29T08:00:00Z</t:End><t:IsAllDayEvent>true</t:IsAllDayEvent>`+
		`<t:LegacyFreeBusyStatus>WorkingElsewhere</t:LegacyFreeBusyStatus><t:Location/><t:IsCancelled>1</t:IsCancelled><t:CalendarItemType>Exception</t:CalendarItemType>`+
		`<t:Organizer><t:Mailbox><t:Name>Anna</t:Name><t:EmailAddress>/O=CONTOSO/CN=ANNA</t:EmailAddress><t:RoutingType>EX</t:RoutingType></t:Mailbox></t:Organizer>`+
		`<t:RequiredAttendees>`+attendee("r", "Accept")+attendee("s", "NoResponseReceived")+`</t:RequiredAttendees><t:OptionalAttendees>`+attendee("o", "Decline")+`</t:OptionalAttendees><t:Resources>`+attendee("room", "Tentative")+`</t:Resources>`+
		`<t:StartTimeZone Id="W. Europe Standard Time" Name="(UTC+01:00) Bern"><t:Periods/></t:StartTimeZone><t:EndTimeZone Id="UTC"/><x:Subject xmlns:x="urn:other">not ours</x:Subject>`)
	if err != nil {
		t.Fatal(err)
	}
	person := func(name string) calsync.Person {
		return calsync.Person{Name: name, Address: name + "@contoso.example"}
	}
	want := calsync.Appointment{
		ID: "id", ChangeKey: "ck", UID: "U", Type: calsync.Exception, RecurrenceID: at("2026-03-29T07:00:00Z"), Start: at("2026-03-29T07:00:00Z"), End: at("2026-03-29T08:00:00Z"),
		StartZone: "W. Europe Standard Time", EndZone: "UTC", AllDay: true, FreeBusy: "WorkingElsewhere", Cancelled: true, Sensitivity: "Private", Subject: "A & B\uFFFD\uFFFD", Organizer: calsync.Person{Name: "Anna"},
		Attendees:    []calsync.Attendee{{Person: person("r"), Role: "required", Response: "Accept"}, {Person: person("s"), Role: "required", Response: "NoResponseReceived"}, {Person: person("o"), Role: "optional", Response: "Decline"}, {Person: person("room"), Role: "resource", Response: "Tentative"}},
		LastModified: at("2026-03-01T08:00:00.5Z"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

// TestNotGiven: what the server leaves out stays the zero value (E34).
func TestNotGiven(t *testing.T) {
	got, err := decodeItem(t, "")
	if want := (calsync.Appointment{ID: "id", ChangeKey: "ck"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestZones(t *testing.T) {
	for inner, want := range map[string][2]string{
		`<t:MeetingTimeZone TimeZoneName="Pacific Standard Time"/>`:                                                                              {"Pacific Standard Time", "Pacific Standard Time"},
		`<t:StartTimeZoneId>UTC</t:StartTimeZoneId><t:EndTimeZoneId>Tokyo Standard Time</t:EndTimeZoneId>`:                                       {"UTC", "Tokyo Standard Time"},
		`<t:MeetingTimeZone TimeZoneName="old"/><t:StartTimeZone Id="new"/><t:EndTimeZone Id="end"/>`:                                            {"new", "end"},
		`<t:StartTimeZone Id="new"/><t:EndTimeZone Id="end"/><t:MeetingTimeZone TimeZoneName="old"/>`:                                            {"new", "end"},
		`<t:StartTimeZone Id="same"/><t:EndTimeZone Id="end"/><t:StartTimeZoneId>same</t:StartTimeZoneId><t:MeetingTimeZone/><t:EndTimeZoneId/>`: {"same", "end"},
		`<t:StartTimeZone Name="(UTC) no id"/><t:StartTimeZoneId></t:StartTimeZoneId><t:EndTimeZone Id="Customized Time Zone"/>`:                 {"", "Customized Time Zone"},
	} {
		got, err := decodeItem(t, inner)
		if err != nil || got.StartZone != want[0] || got.EndZone != want[1] {
			t.Errorf("%s: %q, %q, %v; want %q", inner, got.StartZone, got.EndZone, err, want)
		}
	}
}

func TestRecurrences(t *testing.T) {
	const noEnd = `<t:NoEndRecurrence><t:StartDate>2014-03-08-08:00</t:StartDate></t:NoEndRecurrence>`
	tests := []struct {
		inner string
		want  calsync.Recurrence
	}{
		{`<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>` + noEnd,
			calsync.Recurrence{Pattern: "daily", Interval: 3, StartDate: "2014-03-08"}},
		{`<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Monday  Wednesday
			Friday</t:DaysOfWeek><t:FirstDayOfWeek>Sunday</t:FirstDayOfWeek></t:WeeklyRecurrence>` + noEnd,
			calsync.Recurrence{Pattern: "weekly", Interval: 2, DaysOfWeek: []string{"Monday", "Wednesday", "Friday"}, WeekStart: "Sunday", StartDate: "2014-03-08"}},
		{`<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence><t:NumberedRecurrence><t:StartDate>2025-07-02Z</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>`,
			calsync.Recurrence{Pattern: "absoluteMonthly", Interval: 1, DayOfMonth: 31, StartDate: "2025-07-02", Occurrences: 4}},
		{`<t:RelativeMonthlyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence><t:EndDateRecurrence><t:StartDate>2025-07-02</t:StartDate><t:EndDate>2026-07-02+05:30</t:EndDate></t:EndDateRecurrence>`,
			calsync.Recurrence{Pattern: "relativeMonthly", Interval: 2, DaysOfWeek: []string{"Weekday"}, WeekIndex: "Last", StartDate: "2025-07-02", EndDate: "2026-07-02"}},
		{`<t:AbsoluteYearlyRecurrence><t:DayOfMonth>29</t:DayOfMonth><t:Month>February</t:Month></t:AbsoluteYearlyRecurrence>` + noEnd,
			calsync.Recurrence{Pattern: "absoluteYearly", DayOfMonth: 29, Month: "February", StartDate: "2014-03-08"}},
		{`<t:RelativeYearlyRecurrence><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>Fourth</t:DayOfWeekIndex><t:Month>November</t:Month></t:RelativeYearlyRecurrence>` + noEnd,
			calsync.Recurrence{Pattern: "relativeYearly", DaysOfWeek: []string{"Thursday"}, WeekIndex: "Fourth", Month: "November", StartDate: "2014-03-08"}},
		{`<t:DailyRegeneration><t:Interval>1</t:Interval></t:DailyRegeneration>` + noEnd,
			calsync.Recurrence{Pattern: "dailyRegeneration", Interval: 1, StartDate: "2014-03-08"}},
	}
	for _, tt := range tests {
		got, err := decodeItem(t, `<t:Recurrence>`+tt.inner+`</t:Recurrence>`)
		if err != nil || !reflect.DeepEqual(*got.Recurrence, tt.want) {
			t.Errorf("got %+v, %v, want %+v", got.Recurrence, err, tt.want)
		}
	}
}

func TestChangedOccurrences(t *testing.T) {
	got, err := decodeItem(t, `<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id="o1" ChangeKey="k1"/><t:Start>2026-01-02T10:00:00Z</t:Start><t:End>2026-01-02T11:00:00Z</t:End><t:OriginalStart>2026-01-01T10:00:00Z</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences>`+
		`<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-01-08T10:00:00Z</t:Start></t:DeletedOccurrence><t:DeletedOccurrence><t:Start>2026-01-15T11:00:00+01:00</t:Start></t:DeletedOccurrence></t:DeletedOccurrences>`)
	if err != nil {
		t.Fatal(err)
	}
	modified := []calsync.OccurrenceRef{{ID: "o1", ChangeKey: "k1", Start: at("2026-01-02T10:00:00Z"), End: at("2026-01-02T11:00:00Z"), OriginalStart: at("2026-01-01T10:00:00Z")}}
	deleted := []time.Time{at("2026-01-08T10:00:00Z"), at("2026-01-15T10:00:00Z")}
	if !reflect.DeepEqual(got.Modified, modified) || !reflect.DeepEqual(got.Deleted, deleted) {
		t.Errorf("%+v, %+v", got.Modified, got.Deleted)
	}
}

// TestUnreadableValues: a value that makes no sense is an error, not a zero that would be taken for a fact.
func TestUnreadableValues(t *testing.T) {
	for _, inner := range []string{
		`<t:Start>tomorrow</t:Start>`, `<t:Start/>`, `<t:End>2026-02-30T00:00:00Z</t:End>`, `<t:End>2026-01-01T25:00:00Z</t:End>`, `<t:IsAllDayEvent>perhaps</t:IsAllDayEvent>`, `<t:CalendarItemType>Weird</t:CalendarItemType>`,
		`<t:Recurrence/>`, `<t:Recurrence><t:DailyRecurrence><t:Interval>x</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-01-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>`,
		`<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-13-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>`,
		`<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-01-01x</t:StartDate></t:NoEndRecurrence></t:Recurrence>`,
		`<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>x</t:Start></t:DeletedOccurrence></t:DeletedOccurrences>`, `<t:ItemId/>`,
	} {
		if got, err := decodeItem(t, inner); err == nil {
			t.Errorf("%s was read as %+v", inner, got)
		}
	}
}

// FuzzTime: the fast path and the library agree, and whatever is read is UTC.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2025-07-02T10:00:00Z", "2025-07-02T10:00:00+02:00", "2024-02-29T00:00:00Z", "2025-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "2025-07-02T10:00:00.123Z", "2025-07-02T24:00:00Z", "2025-07-02T10:00:00", "2025-00-00T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fast, ok := parseZulu([]byte(s))
		slow, err := time.Parse(time.RFC3339, s)
		if ok && (err != nil || !fast.Equal(slow)) {
			t.Errorf("%q: %v, and %v, %v", s, fast, slow, err)
		}
		if got, ok := parseTime([]byte(s)); ok && got.Location() != time.UTC || err == nil && !ok {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	})
}

// FuzzDecoders feeds every operation's decoder, on both statuses that have bodies: no panic, and an answer that ends
// in an error is never a success as well.
func FuzzDecoders(f *testing.F) {
	f.Add([]byte(noChange))
	f.Add([]byte(failure("GetItem", ErrorServerBusy, "x", `<m:MessageXml><t:Value Name="BackOffMilliseconds">1</t:Value></m:MessageXml>`)))
	f.Add([]byte(answer(responses("GetItem", itemMessage("1")))))
	f.Add(getItemAnswer(1))
	f.Add(syncAnswer(1))
	f.Add([]byte(success("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:CalendarItem><t:ItemId Id="1"/></t:CalendarItem></t:Items></m:RootFolder>`)))
	f.Add([]byte(answer(`<s:Fault><faultcode>s:Client</faultcode><detail><e:ResponseCode>ErrorX</e:ResponseCode></detail></s:Fault>`)))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for op := range decoders {
			for _, status := range []int{200, 500} {
				results, faults, err := decodeDocument(op, status, doc)
				if err == nil && status == 200 && len(results) == 0 && len(faults) == 0 && !emptyResponse(doc, decoders[op].op) {
					t.Errorf("%s: neither a result nor an error of %q", op, doc)
				}
			}
		}
	})
}

// emptyResponse says whether doc is an answer whose ResponseMessages are empty, which the callers refuse.
func emptyResponse(doc []byte, op *operation) bool {
	var s soap.Scanner
	s.Reset(doc)
	return soap.Body(&s) == nil && s.Is(soap.NSMessages, op.response)
}
