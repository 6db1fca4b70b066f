package ewsapi

import (
	"strings"
	"testing"

	"roomsync/internal/exchangesim/store"
)

const idOnly = `<t:BaseShape>IdOnly</t:BaseShape>`

func (s *server) update(id, key, resolution, changes string) answer {
	s.t.Helper()
	if key != "" {
		key = ` ChangeKey="` + key + `"`
	}
	return s.call(`<m:UpdateItem ConflictResolution="` + resolution + `" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>` +
		`<t:ItemId Id="` + id + `"` + key + `/><t:Updates>` + changes + `</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`)
}

func set(uri, property string) string {
	return `<t:SetItemField><t:FieldURI FieldURI="` + uri + `"/><t:CalendarItem>` + property + `</t:CalendarItem></t:SetItemField>`
}

func (s *server) remove(how, ids string) answer {
	s.t.Helper()
	return s.call(`<m:DeleteItem DeleteType="` + how + `" SendMeetingCancellations="SendToNone"><m:ItemIds>` + ids + `</m:ItemIds></m:DeleteItem>`)
}

const weekly = `<t:CalendarItem><t:Subject>Weekly</t:Subject><t:Start>2026-03-02T10:00:00Z</t:Start><t:End>2026-03-02T11:00:00Z</t:End><t:Location>Room A</t:Location><t:Recurrence>` +
	`<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence>` +
	`<t:NumberedRecurrence><t:StartDate>2026-03-02</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence></t:CalendarItem>`

// TestOneAnswerForEachID: errors and successes come in the order of the ids, with HTTP 200.
func TestOneAnswerForEachID(t *testing.T) {
	s := newServer(t, Options{})
	id, _ := s.create(lunch).ok().id()
	calendar := s.company.Mailbox(ann).Calendar()
	foreign := store.New(store.Options{Seed: 9})
	other, err := foreign.AddMailbox(store.MailboxSpec{Address: "zoe@fabrikam.example"})
	if err != nil {
		t.Fatal(err)
	}
	gone, _ := s.create(lunch).ok().id()
	s.remove("HardDelete", itemID(gone)).ok()
	a := s.get(idOnly, itemID(id)+itemID("nonsense")+itemID(gone)+itemID(calendar)+itemID(other.Calendar())+itemID(id))
	a.want("NoError", "ErrorInvalidIdMalformed", "ErrorItemNotFound", "ErrorCannotUseFolderIdForItemId", "ErrorNonExistentMailbox", "NoError")
	if a.status != 200 || a.all("MessageText")[0].text != "Id is malformed." || a.all("MessageText")[1].text != "The specified object was not found in the store." {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	online := newServer(t, Options{Online: true})
	online.h = New(s.company, Options{Online: true})
	if got := online.get(idOnly, itemID(gone)).want("ErrorItemNotFound").text("MessageText"); !strings.HasSuffix(got, ", The process failed to get the correct properties.") {
		t.Errorf("online: %q", got)
	}
}

// TestEverything sets all properties that can be set and reads them again.
func TestEverything(t *testing.T) {
	s := newServer(t, Options{})
	person := func(tag, address string) string {
		return `<t:` + tag + `><t:Attendee><t:Mailbox><t:EmailAddress>` + address + `</t:EmailAddress></t:Mailbox></t:Attendee></t:` + tag + `>`
	}
	const property = `<t:ExtendedFieldURI PropertySetId="D7A52B44-1c0d-4a0e-8b0e-4d5d2c1f6e10" PropertyName="BookingId" PropertyType="String"/>`
	id, _ := s.create(`<t:CalendarItem><t:ItemClass>IPM.Appointment.Booking</t:ItemClass><t:Subject>A &lt;&amp;&gt; ü 🏢</t:Subject><t:Sensitivity>Private</t:Sensitivity>` +
		`<t:Body BodyType="HTML">&lt;p&gt;Hello &amp;amp; bye&lt;/p&gt;</t:Body><t:Categories><t:String>Red</t:String><t:String>Blue</t:String></t:Categories>` +
		`<t:Importance>High</t:Importance><t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>5</t:ReminderMinutesBeforeStart>` +
		`<t:ExtendedProperty>` + property + `<t:Value>B-1</t:Value></t:ExtendedProperty><t:UID>my-uid</t:UID>` +
		`<t:Start>2026-07-01T10:00:00</t:Start><t:End>2026-07-01T12:30:00</t:End><t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>There</t:Location>` +
		`<t:IsResponseRequested>false</t:IsResponseRequested>` + person("RequiredAttendees", bob) + person("OptionalAttendees", "x@y.example") + person("Resources", room) +
		`<t:StartTimeZone Id="Pacific Standard Time"/><t:EndTimeZone Id="Pacific Standard Time"/></t:CalendarItem>`).ok().id()
	a := s.get(allProperties+`<t:BodyType>Text</t:BodyType><t:AdditionalProperties>`+property+`<t:FieldURI FieldURI="calendar:StartTimeZone"/><t:FieldURI FieldURI="calendar:StartWallClock"/>`+
		`<t:FieldURI FieldURI="item:TextBody"/><t:FieldURI FieldURI="item:MimeContent"/><t:FieldURI FieldURI="calendar:IsOrganizer"/></t:AdditionalProperties>`, itemID(id)).ok()
	for tag, want := range map[string]string{
		"Subject": "A <&> ü 🏢", "Sensitivity": "Private", "Body": "Hello & bye", "Importance": "High", "Value": "B-1", "UID": "my-uid",
		"Start": "2026-07-01T17:00:00Z", "End": "2026-07-01T19:30:00Z", "LegacyFreeBusyStatus": "OOF", "Location": "There", "IsMeeting": "true", "Duration": "PT2H30M",
		"IsResponseRequested": "false", "StartWallClock": "2026-07-01T10:00:00-07:00", "ReminderMinutesBeforeStart": "5", "IsOrganizer": "true", "MyResponseType": "Organizer",
		"DisplayTo": "Bob Baker", "ItemClass": "IPM.Appointment.Booking", "TextBody": "Hello & bye",
	} {
		if got := a.text(tag); got != want {
			t.Errorf("%s is %q, want %q", tag, got, want)
		}
	}
	if z := a.all("StartTimeZone")[0]; z.attr("Id") != "Pacific Standard Time" || len(z.kid("Periods").kids) != 2 {
		t.Errorf("zone is %+v", z)
	}
	if n := len(a.all("Attendee")); n != 3 {
		t.Errorf("%d attendees", n)
	}
	if o := a.all("Organizer")[0].kid("Mailbox"); o.val("EmailAddress") != ann || o.val("RoutingType") != "SMTP" {
		t.Errorf("organizer is %+v", o)
	}
}

// TestControlCharacters: an item made by other means may hold what XML cannot.
func TestControlCharacters(t *testing.T) {
	s := newServer(t, Options{})
	m := s.company.Mailbox(ann)
	it, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{Subject: "a\x00b\x1f\xff\ufffe c\td", Start: now, End: now})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.get(allProperties, itemID(it.ID)).ok().text("Subject"); got != "a\ufffdb\ufffd\ufffd\ufffd c\td" {
		t.Errorf("subject %q", got)
	}
}

func TestCreateRefusals(t *testing.T) {
	s := newServer(t, Options{})
	item := func(inner string) string { return `<t:CalendarItem>` + inner + `</t:CalendarItem>` }
	const reversed = `<t:Start>2026-03-03T11:00:00Z</t:Start><t:End>2026-03-03T10:00:00Z</t:End>`
	for name, c := range map[string]struct{ item, code string }{
		"MSOXWSMTGS_R1204 reversed":      {item(reversed), "ErrorCalendarEndDateIsEarlierThanStartDate"},
		"MSOXWSMTGS_R1203 over 5 years":  {item(`<t:Start>2026-03-03T11:00:00Z</t:Start><t:End>2031-03-04T10:00:00Z</t:End>`), "ErrorCalendarDurationIsTooLong"},
		"read-only property":             {item(`<t:Subject>x</t:Subject><t:Size>3</t:Size>`), "ErrorInvalidPropertySet"},
		"unknown zone":                   {item(`<t:StartTimeZone Id="Mars Standard Time"/>`), "ErrorTimeZone"},
		"extended property without name": {item(`<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="d7a52b44-1c0d-4a0e-8b0e-4d5d2c1f6e10" PropertyType="String"/><t:Value>x</t:Value></t:ExtendedProperty>`), "ErrorInvalidExtendedProperty"},
		"two property sets":              {item(`<t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertySetId="d7a52b44-1c0d-4a0e-8b0e-4d5d2c1f6e10" PropertyName="x" PropertyType="String"/><t:Value>x</t:Value></t:ExtendedProperty>`), "ErrorInvalidExtendedProperty"},
		"not a number":                   {item(`<t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="x" PropertyType="Integer"/><t:Value>x</t:Value></t:ExtendedProperty>`), "ErrorInvalidExtendedPropertyValue"},
		"no occurrence": {strings.Replace(weekly, `<t:NumberedRecurrence><t:StartDate>2026-03-02</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>`,
			`<t:EndDateRecurrence><t:StartDate>2026-03-03</t:StartDate><t:EndDate>2026-03-04Z</t:EndDate></t:EndDateRecurrence>`, 1), "ErrorRecurrenceHasNoOccurrence"},
		"task": {`<t:Task/>`, "ErrorInvalidOperation"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.create(c.item).want(c.code)
		})
	}
	s.t = t
	s.call(`<m:CreateItem><m:Items>` + lunch + `</m:Items></m:CreateItem>`).want("ErrorSendMeetingInvitationsRequired")
	s.call(`<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items>` + lunch + `</m:Items></m:CreateItem>`).
		want("ErrorCannotCreateCalendarItemInNonCalendarFolder")
	s.create(item(reversed)+lunch).want("ErrorCalendarEndDateIsEarlierThanStartDate", "NoError")
	if n := len(s.company.Effects(0)); n != 1 {
		t.Errorf("%d effects, want 1: refused items must leave none", n)
	}
}

// TestZones: where a time without an offset belongs.
func TestZones(t *testing.T) {
	s := newServer(t, Options{})
	item := func(zone string) string {
		return `<t:CalendarItem><t:Start>2026-07-01T10:00:00</t:Start><t:End>2026-07-01T11:00:00</t:End>` + zone + `</t:CalendarItem>`
	}
	start := func(a answer) string {
		id, _ := a.ok().id()
		return s.get(allProperties, itemID(id)).text("Start")
	}
	if got := start(s.create(item(""))); got != "2026-07-01T10:00:00Z" {
		t.Errorf("without any zone: %s", got)
	}
	if got := start(s.create(item(`<t:StartTimeZone Id="Tokyo Standard Time"/>`))); got != "2026-07-01T01:00:00Z" {
		t.Errorf("with the item's zone: %s", got)
	}
	s.soap = `<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/></t:TimeZoneContext>`
	if got := start(s.create(item(""))); got != "2026-07-01T08:00:00Z" {
		t.Errorf("with the request's zone: %s", got)
	}
	s.soap = `<t:TimeZoneContext><t:TimeZoneDefinition Id="Mars Standard Time"/></t:TimeZoneContext>`
	s.create(item("")).want("ErrorTimeZone")
}

func TestUpdate(t *testing.T) {
	s := newServer(t, Options{})
	id, key := s.create(strings.Replace(lunch, "<t:Location>", "<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus><t:Location>", 1)).ok().id()
	a := s.update(id, key, "NeverOverwrite", set("item:Subject", `<t:Subject>Dinner</t:Subject>`)+
		set("item:Body", `<t:Body BodyType="Text">one</t:Body>`)+
		strings.NewReplacer("SetItemField", "AppendToItemField").Replace(set("item:Body", `<t:Body BodyType="Text"> two</t:Body>`))+
		`<t:DeleteItemField><t:FieldURI FieldURI="calendar:Location"/></t:DeleteItemField>`).ok()
	newID, newKey := a.id()
	if newID != id || newKey == key || a.text("Count") != "0" {
		t.Errorf("id kept %v, key kept %v, conflicts %s", newID == id, newKey == key, a.text("Count"))
	}
	got := s.get(allProperties, itemID(id)).ok()
	if got.text("Subject") != "Dinner" || got.text("Body") != "one two" || len(got.all("Location")) != 0 || got.text("LegacyFreeBusyStatus") != "Free" {
		t.Errorf("item is %s", got.body)
	}

	s.update(id, key, "NeverOverwrite", set("item:Subject", `<t:Subject>x</t:Subject>`)).want("ErrorIrresolvableConflict")
	s.update(id, key, "AutoResolve", set("item:Subject", `<t:Subject>x</t:Subject>`)).want("ErrorIrresolvableConflict")
	if a := s.update(id, key, "AutoResolve", set("calendar:LegacyFreeBusyStatus", `<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>`)).ok(); a.text("Count") == "0" {
		t.Error("a merge counted no conflict")
	}
	s.update(id, key, "AlwaysOverwrite", set("item:Subject", `<t:Subject>Last</t:Subject>`)).ok()
	s.update(id, "", "NeverOverwrite", set("item:Subject", `<t:Subject>x</t:Subject>`)).want("ErrorChangeKeyRequiredForWriteOperations")
	s.update(id, "", "AlwaysOverwrite", set("item:Subject", `<t:Location>x</t:Location>`)).want("ErrorUpdatePropertyMismatch")
	s.update(id, "", "AlwaysOverwrite", set("item:Subject", `<t:Subject>x</t:Subject><t:Location>x</t:Location>`)).want("ErrorIncorrectUpdatePropertyCount")
	s.update(id, "", "AlwaysOverwrite", set("item:Size", `<t:Size>1</t:Size>`)).want("ErrorInvalidPropertySet")
	s.update(id, "", "AlwaysOverwrite", `<t:DeleteItemField><t:FieldURI FieldURI="calendar:Start"/></t:DeleteItemField>`).want("ErrorInvalidPropertyDelete")
	s.update(id, "", "AlwaysOverwrite", set("calendar:End", `<t:End>2020-01-01T00:00:00Z</t:End>`)).want("ErrorCalendarEndDateIsEarlierThanStartDate")
	s.call(`<m:UpdateItem ConflictResolution="AlwaysOverwrite"><m:ItemChanges><t:ItemChange>` + itemID(id) + `<t:Updates>` + set("item:Subject", `<t:Subject>x</t:Subject>`) +
		`</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`).want("ErrorSendMeetingInvitationsOrCancellationsRequired")
	if got := s.get(allProperties, itemID(id)).text("Subject"); got != "Last" {
		t.Errorf("subject is %q after refused updates", got)
	}
}

func TestSeries(t *testing.T) {
	s := newServer(t, Options{})
	master, _ := s.create(weekly).ok().id()
	byIndex := func(n string) string {
		return `<t:OccurrenceItemId RecurringMasterId="` + master + `" InstanceIndex="` + n + `"/>`
	}
	a := s.get(allProperties, byIndex("2")+byIndex("5"))
	a.want("NoError", "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")
	second, key := a.id()
	if len(second) != 168 || a.text("CalendarItemType") != "Occurrence" || a.text("IsRecurring") != "true" || a.text("RecurrenceId") != "2026-03-09T10:00:00Z" ||
		a.text("ItemClass") != "IPM.Appointment.Occurrence" {
		t.Errorf("occurrence is %s", a.body)
	}
	if got := s.get(allProperties, `<t:RecurringMasterItemId OccurrenceId="`+second+`"/>`).ok(); got.text("IsRecurring") != "false" || got.text("CalendarItemType") != "RecurringMaster" ||
		got.all("StartDate")[0].text != "2026-03-02Z" {
		t.Errorf("master is %s", got.body)
	}
	s.update(second, key, "NeverOverwrite", set("item:Subject", `<t:Subject>Special</t:Subject>`)+set("calendar:Start", `<t:Start>2026-03-10T12:00:00Z</t:Start>`)+
		set("calendar:End", `<t:End>2026-03-10T13:00:00Z</t:End>`)).ok()
	third, _ := s.get(idOnly, byIndex("3")).ok().id()
	s.remove("MoveToDeletedItems", itemID(third)).ok()
	s.get(idOnly, itemID(third)+byIndex("3")).want("ErrorCalendarOccurrenceIsDeletedFromRecurrence", "ErrorCalendarOccurrenceIsDeletedFromRecurrence")

	whole := s.get(allProperties, itemID(master)).ok()
	if n, d := len(whole.all("Occurrence")), len(whole.all("DeletedOccurrence")); n != 1 || d != 1 {
		t.Fatalf("%d modified, %d deleted: %s", n, d, whole.body)
	}
	if o := whole.all("Occurrence")[0]; o.val("Start") != "2026-03-10T12:00:00Z" || o.val("OriginalStart") != "2026-03-09T10:00:00Z" || o.kid("ItemId").attr("Id") != second {
		t.Errorf("modified occurrence is %+v", o)
	}
	changed := s.get(allProperties, itemID(second)).ok()
	if changed.text("CalendarItemType") != "Exception" || changed.text("Subject") != "Special" || changed.text("RecurrenceId") != "2026-03-09T10:00:00Z" {
		t.Errorf("exception is %s", changed.body)
	}
	if _, k1 := changed.id(); k1 != whole.all("ItemId")[0].attr("ChangeKey") {
		t.Error("master and exception have different change keys")
	}
	s.update(second, "", "AlwaysOverwrite", set("calendar:Recurrence", `<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-03-09</t:StartDate></t:NoEndRecurrence></t:Recurrence>`)).
		want("ErrorInvalidPropertySet")
}

// TestPatternsRoundTrip creates a series of each pattern and reads the same pattern back.
func TestPatternsRoundTrip(t *testing.T) {
	s := newServer(t, Options{})
	for _, pattern := range []string{
		`<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>`,
		`<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Monday Friday</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>`,
		`<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>`,
		`<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>`,
		`<t:AbsoluteYearlyRecurrence><t:DayOfMonth>24</t:DayOfMonth><t:Month>December</t:Month></t:AbsoluteYearlyRecurrence>`,
		`<t:RelativeYearlyRecurrence><t:DaysOfWeek>Thursday</t:DaysOfWeek><t:DayOfWeekIndex>Fourth</t:DayOfWeekIndex><t:Month>November</t:Month></t:RelativeYearlyRecurrence>`,
	} {
		for _, limits := range []string{`<t:NoEndRecurrence><t:StartDate>2026-03-02Z</t:StartDate></t:NoEndRecurrence>`,
			`<t:EndDateRecurrence><t:StartDate>2026-03-02Z</t:StartDate><t:EndDate>2028-03-02Z</t:EndDate></t:EndDateRecurrence>`,
			`<t:NumberedRecurrence><t:StartDate>2026-03-02Z</t:StartDate><t:NumberOfOccurrences>7</t:NumberOfOccurrences></t:NumberedRecurrence>`} {
			rec := `<t:Recurrence>` + pattern + limits + `</t:Recurrence>`
			id, _ := s.create(strings.Replace(lunch, "</t:CalendarItem>", rec+"</t:CalendarItem>", 1)).ok().id()
			if a := s.get(allProperties, itemID(id)).ok(); !strings.Contains(a.body, rec) {
				t.Errorf("want %s in %s", rec, a.body)
			}
		}
	}
}

func TestDeleteMoveCopy(t *testing.T) {
	s := newServer(t, Options{})
	id, _ := s.create(lunch).ok().id()
	s.call(`<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>` + itemID(id) + `</m:ItemIds></m:DeleteItem>`).want("ErrorSendMeetingCancellationsRequired") // MS-OXWSMTGS_R1213
	transfer := func(op, folder, id string) answer {
		return s.call(`<m:` + op + `><m:ToFolderId><t:DistinguishedFolderId Id="` + folder + `"/></m:ToFolderId><m:ItemIds>` + itemID(id) + `</m:ItemIds></m:` + op + `>`)
	}
	copied, _ := transfer("CopyItem", "calendar", id).ok().id()
	moved, _ := transfer("MoveItem", "deleteditems", id).ok().id()
	if copied == id || moved == id || copied == moved {
		t.Error("a copy or a moved item has an old id")
	}
	s.get(idOnly, itemID(id)+itemID(moved)+itemID(copied)).want("ErrorItemNotFound", "NoError", "NoError")
	s.remove("MoveToDeletedItems", itemID(copied)).ok()
	s.remove("SoftDelete", itemID(moved)).ok()
	trash, _ := s.company.Mailbox(ann).Folder("deleteditems")
	dumpster, _ := s.company.Mailbox(ann).Folder("recoverableitemsdeletions")
	if trash.Total != 1 || dumpster.Total != 1 {
		t.Errorf("%d in the deleted items, %d in the recoverable items", trash.Total, dumpster.Total)
	}
}

func TestMessages(t *testing.T) {
	s := newServer(t, Options{})
	create := func(disposition string) answer {
		return s.call(`<m:CreateItem` + disposition + `><m:Items><t:Message><t:Subject>Hi</t:Subject></t:Message></m:Items></m:CreateItem>`)
	}
	create("").want("ErrorMessageDispositionRequired")
	create(` MessageDisposition="SendOnly"`).ok()
	id, _ := create(` MessageDisposition="SaveOnly"`).ok().id()
	if a := s.get(allProperties, itemID(id)).ok(); len(a.all("Message")) != 1 || a.text("IsRead") != "false" {
		t.Errorf("message is %s", a.body)
	}
}
