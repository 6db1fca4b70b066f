package ews

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// calendarItem writes an item as a real server does: some 25 properties, five of them with parts.
func calendarItem(b *bytes.Buffer, n int) {
	start := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	fmt.Fprintf(b, `<t:CalendarItem><t:ItemId Id="AAMkADM5NjU5ZGZmLTk1NTctNDY2YS05MjAwLTQ5NmY5YzBmNjZhMABGAAAAAAAxdqsfet7ZQohXgGDJQ+OyBwC4YXlr9Lp5Rp85dGfdkOHmAAAAAAEMAAC4YXlr9Lp5Rp85dGfdkOHm%08d" ChangeKey="DwAAABYAAADwSoBO6tE6QZYs8Ixm76GU%08d"/>`, n, n)
	b.WriteString(`<t:ParentFolderId Id="AAMkADM5NjU5ZGZmLTk1NTctNDY2YS05MjAwLTQ5NmY5YzBmNjZhMAAuAAAAAADoTzuWq76VRIeNlYRsLpeUAQDwSoBO6tE6QZYs8Ixm76GUAAAzNmMjAAA=" ChangeKey="AQAAAA=="/>`)
	fmt.Fprintf(b, `<t:ItemClass>IPM.Appointment</t:ItemClass><t:Subject>Projektsitzung &amp; Planung %d, Zürich</t:Subject><t:Sensitivity>Normal</t:Sensitivity><t:DateTimeReceived>2026-01-01T08:00:00Z</t:DateTimeReceived><t:Size>5711</t:Size><t:Importance>Normal</t:Importance><t:DateTimeCreated>2026-01-01T08:00:00Z</t:DateTimeCreated><t:ReminderIsSet>true</t:ReminderIsSet><t:HasAttachments>false</t:HasAttachments><t:Culture>de-CH</t:Culture>`, n)
	b.WriteString(`<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated><t:CreateContents>false</t:CreateContents><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights><t:LastModifiedTime>2026-01-01T08:00:00Z</t:LastModifiedTime>`)
	fmt.Fprintf(b, `<t:UID>040000008200E00074C5B7101A82E008000000001AF45EF9C7EDDB01000000000000000010000000F73231FC2ADB164D941E037E%08d</t:UID><t:Start>%s</t:Start><t:End>%s</t:End>`, n, start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339))
	b.WriteString(`<t:IsAllDayEvent>false</t:IsAllDayEvent><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>Sitzungszimmer Säntis</t:Location><t:IsMeeting>true</t:IsMeeting><t:IsCancelled>false</t:IsCancelled><t:IsRecurring>false</t:IsRecurring><t:CalendarItemType>Single</t:CalendarItemType><t:MyResponseType>Accept</t:MyResponseType>`)
	b.WriteString(`<t:Organizer><t:Mailbox><t:Name>Anna Muster</t:Name><t:EmailAddress>anna.muster@contoso.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>`)
	for _, role := range []string{"RequiredAttendees", "Resources"} {
		fmt.Fprintf(b, `<t:%s><t:Attendee><t:Mailbox><t:Name>Room %d</t:Name><t:EmailAddress>room%04d@contoso.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox><t:ResponseType>Accept</t:ResponseType></t:Attendee></t:%s>`, role, n, n, role)
	}
	b.WriteString(`<t:StartTimeZone Id="W. Europe Standard Time" Name="(UTC+01:00) Amsterdam, Berlin, Bern"/><t:EndTimeZone Id="W. Europe Standard Time" Name="(UTC+01:00) Amsterdam, Berlin, Bern"/></t:CalendarItem>`)
}

func syncAnswer(changes int) []byte {
	var b bytes.Buffer
	for n := range changes {
		b.WriteString("<t:Create>")
		calendarItem(&b, n)
		b.WriteString("</t:Create>")
	}
	return []byte(success("SyncFolderItems", `<m:SyncState>H4sIAAAA</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes>`+b.String()+`</m:Changes>`))
}

func getItemAnswer(items int) []byte {
	var all strings.Builder
	for n := range items {
		var b bytes.Buffer
		calendarItem(&b, n)
		all.WriteString(message1("GetItem", "Success", NoError, "<m:Items>"+b.String()+"</m:Items>"))
	}
	return []byte(answer(responses("GetItem", all.String())))
}

// The same answers for encoding/xml.
type (
	xmlMailbox struct {
		Name    string `xml:"http://schemas.microsoft.com/exchange/services/2006/types Mailbox>Name"`
		Address string `xml:"http://schemas.microsoft.com/exchange/services/2006/types Mailbox>EmailAddress"`
		Routing string `xml:"http://schemas.microsoft.com/exchange/services/2006/types Mailbox>RoutingType"`
	}
	xmlAttendee struct {
		xmlMailbox
		Response string `xml:"http://schemas.microsoft.com/exchange/services/2006/types ResponseType"`
	}
	xmlZone struct {
		ID string `xml:"Id,attr"`
	}
	xmlID struct {
		ID        string `xml:"Id,attr"`
		ChangeKey string `xml:"ChangeKey,attr"`
	}
	xmlItem struct {
		ItemID       xmlID         `xml:"http://schemas.microsoft.com/exchange/services/2006/types ItemId"`
		Subject      string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types Subject"`
		Sensitivity  string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types Sensitivity"`
		LastModified time.Time     `xml:"http://schemas.microsoft.com/exchange/services/2006/types LastModifiedTime"`
		UID          string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types UID"`
		Start        time.Time     `xml:"http://schemas.microsoft.com/exchange/services/2006/types Start"`
		End          time.Time     `xml:"http://schemas.microsoft.com/exchange/services/2006/types End"`
		AllDay       bool          `xml:"http://schemas.microsoft.com/exchange/services/2006/types IsAllDayEvent"`
		FreeBusy     string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types LegacyFreeBusyStatus"`
		Location     string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types Location"`
		Cancelled    bool          `xml:"http://schemas.microsoft.com/exchange/services/2006/types IsCancelled"`
		Type         string        `xml:"http://schemas.microsoft.com/exchange/services/2006/types CalendarItemType"`
		Organizer    xmlMailbox    `xml:"http://schemas.microsoft.com/exchange/services/2006/types Organizer"`
		Required     []xmlAttendee `xml:"http://schemas.microsoft.com/exchange/services/2006/types RequiredAttendees>Attendee"`
		Resources    []xmlAttendee `xml:"http://schemas.microsoft.com/exchange/services/2006/types Resources>Attendee"`
		StartZone    xmlZone       `xml:"http://schemas.microsoft.com/exchange/services/2006/types StartTimeZone"`
		EndZone      xmlZone       `xml:"http://schemas.microsoft.com/exchange/services/2006/types EndTimeZone"`
	}
	xmlSync struct {
		Message struct {
			Class     string `xml:"ResponseClass,attr"`
			SyncState string `xml:"http://schemas.microsoft.com/exchange/services/2006/messages SyncState"`
			Last      bool   `xml:"http://schemas.microsoft.com/exchange/services/2006/messages IncludesLastItemInRange"`
			Creates   []struct {
				Item xmlItem `xml:"http://schemas.microsoft.com/exchange/services/2006/types CalendarItem"`
			} `xml:"Changes>Create"`
		} `xml:"Body>SyncFolderItemsResponse>ResponseMessages>SyncFolderItemsResponseMessage"`
	}
	xmlGet struct {
		Messages []struct {
			Class string  `xml:"ResponseClass,attr"`
			Item  xmlItem `xml:"Items>CalendarItem"`
		} `xml:"Body>GetItemResponse>ResponseMessages>GetItemResponseMessage"`
	}
)

func (i *xmlItem) appointment() calsync.Appointment {
	a := calsync.Appointment{ID: i.ItemID.ID, ChangeKey: i.ItemID.ChangeKey, UID: i.UID, Start: i.Start, End: i.End, StartZone: i.StartZone.ID, EndZone: i.EndZone.ID,
		AllDay: i.AllDay, FreeBusy: i.FreeBusy, Cancelled: i.Cancelled, Sensitivity: i.Sensitivity, Subject: i.Subject, Location: i.Location,
		Organizer: calsync.Person{Name: i.Organizer.Name, Address: i.Organizer.Address}, LastModified: i.LastModified}
	if i.Type == "Single" {
		a.Type = calsync.Single
	}
	for _, x := range i.Required {
		a.Attendees = append(a.Attendees, calsync.Attendee{Person: calsync.Person{Name: x.Name, Address: x.Address}, Role: "required", Response: x.Response})
	}
	for _, x := range i.Resources {
		a.Attendees = append(a.Attendees, calsync.Attendee{Person: calsync.Person{Name: x.Name, Address: x.Address}, Role: "resource", Response: x.Response})
	}
	return a
}

// scanPage reads a page of whole items with the scanner, as encoding/xml does below. Probe itself needs only the ids.
func scanPage(s *soap.Scanner, doc []byte) ([]calsync.Appointment, error) {
	var list []calsync.Appointment
	s.Reset(doc)
	if err := soap.Body(s); err != nil {
		return nil, err
	}
	var itemErr error
	for s.Next() != soap.Done {
		if s.Is(soap.NSTypes, "CalendarItem") {
			a, err := readAppointment(s)
			if err != nil {
				itemErr = err
			}
			list = append(list, a)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return list, itemErr
}

func unmarshalPage(doc []byte) ([]calsync.Appointment, error) {
	var page xmlSync
	if err := xml.Unmarshal(doc, &page); err != nil {
		return nil, err
	}
	var list []calsync.Appointment
	for i := range page.Message.Creates {
		list = append(list, page.Message.Creates[i].Item.appointment())
	}
	return list, nil
}

func scanItems(x *exchange, doc []byte) ([]calsync.Appointment, error) {
	var list []calsync.Appointment
	x.call = call{op: getItem, answer: func(m *message) { list = append(list, m.item().Appointment) }}
	x.answer.Reset()
	x.answer.Write(doc)
	_, err := x.decode(&http.Response{StatusCode: 200})
	return list, err
}

func unmarshalItems(doc []byte) ([]calsync.Appointment, error) {
	var get xmlGet
	if err := xml.Unmarshal(doc, &get); err != nil {
		return nil, err
	}
	var list []calsync.Appointment
	for i := range get.Messages {
		list = append(list, get.Messages[i].Item.appointment())
	}
	return list, nil
}

// TestBenchmarksAgree: both sides of the benchmarks do the same job.
func TestBenchmarksAgree(t *testing.T) {
	want, err := unmarshalPage(syncAnswer(3))
	if err != nil {
		t.Fatal(err)
	}
	page, err1 := scanPage(new(soap.Scanner), syncAnswer(3))
	items, err2 := scanItems(new(exchange), getItemAnswer(3))
	other, err3 := unmarshalItems(getItemAnswer(3))
	if err1 != nil || err2 != nil || err3 != nil || len(want) != 3 {
		t.Fatal(err1, err2, err3, len(want))
	}
	for name, got := range map[string][]calsync.Appointment{"page": page, "items": items, "encoding/xml items": other} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

func benchDecode(b *testing.B, doc []byte, items int, decode func() (int, error)) {
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := decode(); err != nil || n != items {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/item")
}

func BenchmarkPage512(b *testing.B) {
	doc := syncAnswer(512)
	b.Run("scanner", func(b *testing.B) {
		var s soap.Scanner
		benchDecode(b, doc, 512, func() (int, error) { l, err := scanPage(&s, doc); return len(l), err })
	})
	b.Run("encoding-xml", func(b *testing.B) {
		benchDecode(b, doc, 512, func() (int, error) { l, err := unmarshalPage(doc); return len(l), err })
	})
}

func BenchmarkGetItem50(b *testing.B) {
	doc := getItemAnswer(50)
	b.Run("scanner", func(b *testing.B) {
		x := new(exchange)
		benchDecode(b, doc, 50, func() (int, error) { l, err := scanItems(x, doc); return len(l), err })
	})
	b.Run("encoding-xml", func(b *testing.B) {
		benchDecode(b, doc, 50, func() (int, error) { l, err := unmarshalItems(doc); return len(l), err })
	})
}

// BenchmarkNoChangeCall is the same without a network: what the client adds to net/http.
func BenchmarkNoChangeCall(b *testing.B) {
	body := []byte(noChange)
	header := http.Header{"Content-Type": contentType}
	c, err := New(Options{Transport: transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: header, Body: nopCloser{bytes.NewReader(body)}}, nil
	})})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Probe(b.Context(), mailbox, cursor, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// cursor is of the length that real ones have.
var cursor = strings.Repeat("H4sIAAAA", 54)

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// BenchmarkWrite is the making of a request that writes a meeting of three attendees in a series.
func BenchmarkWrite(b *testing.B) {
	d := meetingDraft()
	d.ItemID, d.ChangeKey, d.Parts = cursor[:152], cursor[:40], allParts
	for name, write := range map[string]func(*request){
		"create": func(r *request) { r.createItem("", &d) },
		"update": func(r *request) { r.updateItem(&d) },
		"delete": func(r *request) { r.deleteItem(&calsync.Deletion{ItemID: d.ItemID, ChangeKey: d.ChangeKey}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r := request{schema: "Exchange2016", address: mailbox.Address, impersonate: true}
				n = len(r.envelope(write))
			}
			b.ReportMetric(float64(n), "bytes/request")
		})
	}
}

// BenchmarkOwnProperties is what our own properties add to reading items in full: GetItem of 50, all of bookings.
func BenchmarkOwnProperties(b *testing.B) {
	doc := bytes.ReplaceAll(getItemAnswer(50), []byte("<t:Culture>"), []byte(ownAnswer+"<t:Culture>"))
	x := new(exchange)
	benchDecode(b, doc, 50, func() (int, error) { l, err := scanItems(x, doc); return len(l), err })
}

// ownAnswer are our properties as a server sends them.
const ownAnswer = `<t:ExtendedProperty>` + bookingIDPath + `<t:Value>4a7c1d2e-0b7f-4c55-9a55-1e0c8d1f3b11</t:Value></t:ExtendedProperty>` +
	`<t:ExtendedProperty>` + revisionPath + `<t:Value>17</t:Value></t:ExtendedProperty>`
