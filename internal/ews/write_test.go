package ews

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"roomsync/internal/calsync"
)

const writtenID = `<m:Items><t:CalendarItem><t:ItemId Id="N" ChangeKey="nk"/></t:CalendarItem></m:Items>`

// inner cuts the operation's element out of a request.
func inner(t *testing.T, request string) string {
	t.Helper()
	_, body, found := strings.Cut(request, "<s:Body>")
	body, _, end := strings.Cut(body, "</s:Body>")
	if !found || !end {
		t.Fatalf("no body in %s", request)
	}
	return body
}

func meetingDraft() calsync.Draft {
	reminder := 15
	return calsync.Draft{BookingID: "R-1", Revision: 7, Notify: true, Content: calsync.Content{
		Subject: "Sitzung", Body: calsync.Body{HTML: true, Text: "<p>x</p>"}, Location: "Säntis", Start: at("2026-03-03T09:00:00Z"), End: at("2026-03-03T10:00:00Z"), Zone: "W. Europe Standard Time",
		FreeBusy: "OOF", Sensitivity: "Private", Reminder: &reminder, Categories: []string{"Blau", "Rot"},
		Attendees: []calsync.Attendee{{Person: calsync.Person{Name: "Anna", Address: "anna@contoso.example"}}, {Person: calsync.Person{Address: "beat@contoso.example"}, Role: "optional"},
			{Person: calsync.Person{Address: "room@contoso.example"}, Role: "resource"}},
		Recurrence: &calsync.Recurrence{Pattern: "weekly", Interval: 2, DaysOfWeek: []string{"Tuesday", "Friday"}, WeekStart: "Monday", StartDate: "2026-03-03", Occurrences: 5},
	}}
}

func TestCreate(t *testing.T) {
	c, requests := scripted(t, success("CreateItem", writtenID), success("CreateItem", writtenID))
	got, err := c.Create(t.Context(), calsync.Target{Folder: "F="}, meetingDraft())
	if err != nil || got != (calsync.Written{ItemID: "N", ChangeKey: "nk"}) {
		t.Errorf("%+v, %v", got, err)
	}
	want := `<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:SavedItemFolderId><t:FolderId Id="F="/></m:SavedItemFolderId><m:Items><t:CalendarItem>` +
		`<t:Subject>Sitzung</t:Subject><t:Sensitivity>Private</t:Sensitivity><t:Body BodyType="HTML">&lt;p&gt;x&lt;/p&gt;</t:Body><t:Categories><t:String>Blau</t:String><t:String>Rot</t:String></t:Categories>` +
		`<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>` +
		`<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="b0defe7b-aa30-4a61-9610-813ab2b94490" PropertyName="BookingId" PropertyType="String"/><t:Value>R-1</t:Value></t:ExtendedProperty>` +
		`<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="b0defe7b-aa30-4a61-9610-813ab2b94490" PropertyName="BookingRevision" PropertyType="String"/><t:Value>7</t:Value></t:ExtendedProperty>` +
		`<t:Start>2026-03-03T09:00:00Z</t:Start><t:End>2026-03-03T10:00:00Z</t:End><t:IsAllDayEvent>false</t:IsAllDayEvent><t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Säntis</t:Location>` +
		`<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Anna</t:Name><t:EmailAddress>anna@contoso.example</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>` +
		`<t:OptionalAttendees><t:Attendee><t:Mailbox><t:EmailAddress>beat@contoso.example</t:EmailAddress></t:Mailbox></t:Attendee></t:OptionalAttendees>` +
		`<t:Resources><t:Attendee><t:Mailbox><t:EmailAddress>room@contoso.example</t:EmailAddress></t:Mailbox></t:Attendee></t:Resources>` +
		`<t:Recurrence><t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Tuesday Friday</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>` +
		`<t:NumberedRecurrence><t:StartDate>2026-03-03</t:StartDate><t:NumberOfOccurrences>5</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>` +
		`<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="W. Europe Standard Time"/></t:CalendarItem></m:Items></m:CreateItem>`
	if got := inner(t, (*requests)[0]); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	alone := meetingDraft()
	alone.Content.Attendees = nil
	if _, err := c.Create(t.Context(), mailbox, alone); err != nil || !strings.Contains((*requests)[1], `"SendToNone"`) {
		t.Errorf("without attendees: %v, %s", err, (*requests)[1])
	}
}

const (
	setOwn = `<t:SetItemField>` + bookingIDPath + `<t:CalendarItem><t:ExtendedProperty>` + bookingIDPath + `<t:Value>R-1</t:Value></t:ExtendedProperty></t:CalendarItem></t:SetItemField>` +
		`<t:SetItemField>` + revisionPath + `<t:CalendarItem><t:ExtendedProperty>` + revisionPath + `<t:Value>7</t:Value></t:ExtendedProperty></t:CalendarItem></t:SetItemField>`
)

func set(uri, element string) string {
	return `<t:SetItemField><t:FieldURI FieldURI="` + uri + `"/><t:CalendarItem>` + element + `</t:CalendarItem></t:SetItemField>`
}

func unset(uri string) string {
	return `<t:DeleteItemField><t:FieldURI FieldURI="` + uri + `"/></t:DeleteItemField>`
}

// TestUpdate: each part alone, full and emptied; of a meeting only what a meeting has of its own.
func TestUpdate(t *testing.T) {
	time := set("calendar:Start", "<t:Start>2026-03-03T09:00:00Z</t:Start>") + set("calendar:End", "<t:End>2026-03-03T10:00:00Z</t:End>")
	full, empty := meetingDraft(), meetingDraft()
	empty.Content = calsync.Content{Start: full.Content.Start, End: full.Content.End}
	meeting := empty
	meeting.BookingID = ""
	tests := map[string]struct {
		draft calsync.Draft
		part  calsync.Part
		want  string
	}{
		"nothing but the revision": {full, "", setOwn},
		"subject":                  {full, calsync.PartSubject, set("item:Subject", "<t:Subject>Sitzung</t:Subject>") + setOwn},
		"no subject":               {empty, calsync.PartSubject, unset("item:Subject") + setOwn},
		"no body":                  {empty, calsync.PartBody, unset("item:Body") + setOwn},
		"no categories":            {empty, calsync.PartCategories, unset("item:Categories") + setOwn},
		"no location":              {empty, calsync.PartLocation, setOwn + unset("calendar:Location")},
		"no attendees":             {empty, calsync.PartAttendees, setOwn + unset("calendar:RequiredAttendees") + unset("calendar:OptionalAttendees") + unset("calendar:Resources")},
		"sensitivity as it was":    {empty, calsync.PartSensitivity, set("item:Sensitivity", "<t:Sensitivity>Normal</t:Sensitivity>") + setOwn},
		"free/busy as it was":      {empty, calsync.PartFreeBusy, setOwn + set("calendar:LegacyFreeBusyStatus", "<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>")},
		"no reminder":              {empty, calsync.PartReminder, set("item:ReminderIsSet", "<t:ReminderIsSet>false</t:ReminderIsSet>") + setOwn},
		"reminder": {full, calsync.PartReminder, set("item:ReminderIsSet", "<t:ReminderIsSet>true</t:ReminderIsSet>") +
			set("item:ReminderMinutesBeforeStart", "<t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>") + setOwn},
		"no series any more": {empty, calsync.PartTime, setOwn + time + set("calendar:IsAllDayEvent", "<t:IsAllDayEvent>false</t:IsAllDayEvent>") + unset("calendar:Recurrence")},
		"a meeting moved":    {meeting, calsync.PartTime, time},
		"a meeting renamed":  {meeting, calsync.PartSubject, unset("item:Subject")},
		"part of a meeting":  {full, calsync.MeetingPart(full.Content.Start), setOwn},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, requests := scripted(t, success("UpdateItem", writtenID+`<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>`))
			tt.draft.ItemID, tt.draft.ChangeKey, tt.draft.Parts = "I", "K", []calsync.Part{tt.part}
			got, err := c.Update(t.Context(), mailbox, tt.draft)
			if err != nil || got != (calsync.Written{ItemID: "N", ChangeKey: "nk"}) {
				t.Fatalf("%+v, %v", got, err)
			}
			want := `<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToAllAndSaveCopy"><m:ItemChanges><t:ItemChange>` +
				`<t:ItemId Id="I" ChangeKey="K"/><t:Updates>` + tt.want + `</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
			if got := inner(t, (*requests)[0]); got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	const deletion = `<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="`
	tests := map[string]struct {
		d        calsync.Deletion
		op, want string
	}{
		"quietly":                             {calsync.Deletion{ItemID: "I", ChangeKey: "K"}, "DeleteItem", deletion + `SendToNone"><m:ItemIds><t:ItemId Id="I" ChangeKey="K"/></m:ItemIds></m:DeleteItem>`},
		"a message without anybody to get it": {calsync.Deletion{ItemID: "I", Message: "x"}, "DeleteItem", deletion + `SendToNone"><m:ItemIds><t:ItemId Id="I"/></m:ItemIds></m:DeleteItem>`},
		"told":                                {calsync.Deletion{ItemID: "I", Notify: true}, "DeleteItem", deletion + `SendToAllAndSaveCopy"><m:ItemIds><t:ItemId Id="I"/></m:ItemIds></m:DeleteItem>`},
		"with a message":                      {calsync.Deletion{ItemID: "I", ChangeKey: "K", Notify: true, Message: "Hagel & Sturm"}, "CreateItem", `<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:CancelCalendarItem><t:ReferenceItemId Id="I" ChangeKey="K"/><t:NewBodyContent BodyType="Text">Hagel &amp; Sturm</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, requests := scripted(t, success(tt.op, ""))
			if err := c.Delete(t.Context(), mailbox, tt.d); err != nil {
				t.Fatal(err)
			}
			if got := inner(t, (*requests)[0]); got != tt.want {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
	c, _ := scripted(t, failure("DeleteItem", ErrorItemNotFound, "gone", ""))
	wantKind(t, c.Delete(t.Context(), mailbox, calsync.Deletion{ItemID: "I"}), calsync.FaultResponse, ErrorItemNotFound)
}

func ownProperties(id, revision string) string {
	property := func(set, name, value string) string {
		return `<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="` + set + `" PropertyName="` + name + `" PropertyType="String"/><t:Value>` + value + `</t:Value></t:ExtendedProperty>`
	}
	return property("11111111-2222-3333-4444-555555555555", "BookingId", "somebody else's") +
		property(strings.ToUpper(PropertySet), "BookingId", id) + property(PropertySet, "BookingRevision", revision) + property(PropertySet, "BookingColour", "blue")
}

func heldMessage(id, more string) string {
	return message1("GetItem", "Success", NoError, `<m:Items><t:CalendarItem><t:ItemId Id="`+id+`" ChangeKey="k"/>`+more+`</t:CalendarItem></m:Items>`)
}

func TestRead(t *testing.T) {
	const reminder = `<t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>`
	c, requests := scripted(t, answer(responses("GetItem",
		heldMessage("a", `<t:ParentFolderId Id="F" ChangeKey="x"/><t:Subject>S</t:Subject><t:Body BodyType="HTML" IsTruncated="false">&lt;p&gt;</t:Body><t:Categories><t:String>Rot</t:String><t:String/></t:Categories>`+
			`<t:ReminderIsSet>true</t:ReminderIsSet>`+reminder+ownProperties("B", "9007199254740993"))+
			heldMessage("b", `<t:Body BodyType="Text"/><t:ReminderIsSet>false</t:ReminderIsSet>`+reminder+ownProperties("B", "many")))),
		answer(responses("GetItem", message1("GetItem", "Error", ErrorItemNotFound, "<m:Items/>"))))
	got, err := c.Read(t.Context(), mailbox, []string{"a", "b", "c"})
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	minutes := 30
	want := calsync.Held{Appointment: calsync.Appointment{ID: "a", ChangeKey: "k", Subject: "S", BookingID: "B", Revision: 9007199254740993},
		Body: calsync.Body{HTML: true, Text: "<p>"}, Reminder: &minutes, Categories: []string{"Rot", ""}, Folder: "F"}
	if got[0].Err != nil || !reflect.DeepEqual(got[0].Held, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got[0].Held, want)
	}
	if h := got[1].Held; got[1].Err != nil || h.Reminder != nil || h.Revision != 0 || h.BookingID != "B" || h.Body != (calsync.Body{}) {
		t.Errorf("%+v, %v", h, got[1].Err)
	}
	wantKind(t, got[2].Err, calsync.FaultResponse, ErrorItemNotFound)
	if !strings.Contains((*requests)[0], `"item:Body"/>`) || !strings.Contains((*requests)[0], revisionPath) {
		t.Errorf("asked for %s", (*requests)[0])
	}
}

// TestGetTellsTheBooking: the reads of a poll learn whose the item is.
func TestGetTellsTheBooking(t *testing.T) {
	c, _ := scripted(t, answer(responses("GetItem", heldMessage("a", ownProperties("B", "3")))))
	got, err := c.Get(t.Context(), mailbox, []string{"a"})
	if err != nil || got[0].Appointment.BookingID != "B" || got[0].Appointment.Revision != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func foundPage(attributes string, ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		id, created, _ := strings.Cut(id, "@")
		b.WriteString(`<t:CalendarItem><t:ItemId Id="` + id + `" ChangeKey="k"/><t:DateTimeCreated>2026-01-01T00:00:0` + created + `Z</t:DateTimeCreated></t:CalendarItem>`)
	}
	return success("FindItem", `<m:RootFolder `+attributes+`><t:Items>`+b.String()+`</t:Items></m:RootFolder>`)
}

// TestFind: over all pages, oldest first, once each, without those that went away and those whose id is another in its case.
func TestFind(t *testing.T) {
	c, requests := scripted(t,
		foundPage(`IndexedPagingOffset="2" TotalItemsInView="4" IncludesLastItemInRange="false"`, "young@9", "old@1"),
		foundPage(`IncludesLastItemInRange="true"`, "old@1", "gone@2", "case@3"),
		answer(responses("GetItem", heldMessage("old", ownProperties("B-x", "1"))+message1("GetItem", "Error", ErrorItemNotFound, "<m:Items/>"))),
		answer(responses("GetItem", heldMessage("case", ownProperties("b-X", "1"))+heldMessage("young", ownProperties("B-x", "2")))))
	got, err := c.Find(t.Context(), mailbox, "B-x")
	if err != nil || len(got) != 2 || got[0].ID != "old" || got[1].ID != "young" {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, part := range []string{`Offset="0"`, `Offset="2"`, `<t:ItemId Id="old"/><t:ItemId Id="gone"/>`, `<t:ItemId Id="case"/><t:ItemId Id="young"/>`} {
		if !strings.Contains((*requests)[i], part) {
			t.Errorf("request %d has no %s: %s", i, part, (*requests)[i])
		}
	}
	if !strings.Contains((*requests)[0], `<t:IsEqualTo>`+bookingIDPath+`<t:FieldURIOrConstant><t:Constant Value="B-x"/>`) {
		t.Errorf("searched for %s", (*requests)[0])
	}
	if got, err := c.Find(t.Context(), mailbox, ""); got != nil || err != nil {
		t.Errorf("without an id: %v, %v", got, err)
	}
}

// TestFindGivesUp: a search that cannot be finished yields an error and no part, since "none" would lead to a second
// appointment.
func TestFindGivesUp(t *testing.T) {
	const more = `IndexedPagingOffset="1" IncludesLastItemInRange="false"`
	for name, answers := range map[string][]string{
		"no progress":      {foundPage(more, "a@1"), foundPage(more, "b@1")},
		"nothing and more": {foundPage(`IncludesLastItemInRange="false"`)},
		"no root":          {success("FindItem", "")},
		"no creation":      {success("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:CalendarItem><t:ItemId Id="a"/><t:DateTimeCreated>x</t:DateTimeCreated></t:CalendarItem></t:Items></m:RootFolder>`)},
		"no id":            {success("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:CalendarItem/></t:Items></m:RootFolder>`)},
	} {
		c, _ := scripted(t, answers...)
		got, err := c.Find(t.Context(), mailbox, "B")
		if got != nil {
			t.Errorf("%s: %+v", name, got)
		}
		wantKind(t, err, calsync.FaultMalformed, "")
	}
	c, _ := scripted(t, foundPage(`IncludesLastItemInRange="true"`, "a@1"), answer(responses("GetItem", message1("GetItem", "Error", ErrorAccessDenied, "<m:Items/>"))))
	_, err := c.Find(t.Context(), mailbox, "B")
	wantKind(t, err, calsync.FaultResponse, ErrorAccessDenied)
	endless := 0
	c, err = New(Options{Transport: transport(func(r *http.Request) (*http.Response, error) {
		endless++
		body := foundPage(`IndexedPagingOffset="`+decimal(int64(endless))+`" IncludesLastItemInRange="false"`, "a@1")
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": contentType}, Body: nopCloser{bytes.NewReader([]byte(body))}}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Find(t.Context(), mailbox, "B")
	wantKind(t, err, calsync.FaultMalformed, "")
	if endless > maxBookingPages {
		t.Errorf("%d pages", endless)
	}
}

func TestMeetings(t *testing.T) {
	item := func(id, uid, kind, recurrence, start string) string {
		if recurrence != "" {
			recurrence = `<t:RecurrenceId>2026-03-` + recurrence + `T09:00:00Z</t:RecurrenceId>`
		}
		return `<t:CalendarItem><t:ItemId Id="` + id + `" ChangeKey="k"/><t:UID>` + uid + `</t:UID>` + recurrence + `<t:Start>2026-03-` + start + `T09:00:00Z</t:Start><t:End>2026-03-` + start + `T10:00:00Z</t:End><t:CalendarItemType>` + kind + `</t:CalendarItemType></t:CalendarItem>`
	}
	c, _ := scripted(t, success("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items>`+item("o2", "U", "Occurrence", "10", "10")+item("other", "V", "Occurrence", "11", "11")+
		item("single", "U", "Single", "", "12")+item("o3", "U", "Occurrence", "", "13")+item("moved", "U", "Exception", "03", "14")+`</t:Items></m:RootFolder>`))
	got, err := c.Meetings(t.Context(), mailbox, "U", calsync.Window{From: at("2026-03-01T00:00:00Z"), To: at("2026-04-01T00:00:00Z")})
	var ids []string
	for _, a := range got {
		ids = append(ids, a.ID+" "+a.RecurrenceID.Format("02"))
	}
	if want := []string{"moved 03", "o2 10", "o3 13"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("%q, %v, want %q", ids, err, want)
	}
	if got, err := c.Meetings(t.Context(), mailbox, "", calsync.Window{}); got != nil || err != nil {
		t.Errorf("without a uid: %v, %v", got, err)
	}
}

// TestRecordedCreate reads the id that a real Exchange gave a new appointment.
func TestRecordedCreate(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(shared(t, "ews-samples"), "recorded-garethp", "CreateItem.response.testUpdateCalendarItem.03.http200.xml"))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := scripted(t, string(doc))
	got, err := c.Create(t.Context(), mailbox, meetingDraft())
	if err != nil || len(got.ItemID) < 120 || len(got.ChangeKey) < 30 {
		t.Errorf("%+v, %v", got, err)
	}
}
