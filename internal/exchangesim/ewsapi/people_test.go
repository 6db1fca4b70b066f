package ewsapi

import (
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/store"
)

func TestResolveNames(t *testing.T) {
	s := newServer(t, Options{})
	resolve := func(entry string) answer {
		return s.call(`<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>` + entry + `</m:UnresolvedEntry></m:ResolveNames>`)
	}
	if a := resolve("Archer").ok(); a.text("EmailAddress") != ann {
		t.Errorf("found %s", a.body)
	}
	resolve("smtp:" + bob).ok()
	resolve("nobody").want("ErrorNameResolutionNoResults")
	if _, err := s.company.AddMailbox(store.MailboxSpec{Address: "anna@contoso.example"}); err != nil {
		t.Fatal(err)
	}
	if a := resolve("ann").want("ErrorNameResolutionMultipleResults"); len(a.all("Resolution")) != 2 || a.all("ResolveNamesResponseMessage")[0].attr("ResponseClass") != "Warning" {
		t.Errorf("several: %s", a.body)
	}
}

func TestRooms(t *testing.T) {
	s := newServer(t, Options{})
	if a := s.call(`<m:GetRoomLists/>`).ok(); a.text("EmailAddress") != "rooms@contoso.example" {
		t.Errorf("lists: %s", a.body)
	}
	rooms := func(list string) answer {
		return s.call(`<m:GetRooms><m:RoomList><t:EmailAddress>` + list + `</t:EmailAddress></m:RoomList></m:GetRooms>`)
	}
	if a := rooms("rooms@contoso.example").ok(); a.text("EmailAddress") != room {
		t.Errorf("rooms: %s", a.body)
	}
	rooms("x@contoso.example").want("ErrorNameResolutionNoResults")
}

// availability asks for a mailbox's free/busy information in Pacific time.
func (s *server) availability(address, view, from, to string) answer {
	s.t.Helper()
	return s.call(`<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>480</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>11</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>` +
		`<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>2</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>` +
		`<m:MailboxDataArray><t:MailboxData><t:Email><t:Address>` + address + `</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData>` +
		`<t:MailboxData><t:Email><t:Address>nobody@contoso.example</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray>` +
		`<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>` + from + `</t:StartTime><t:EndTime>` + to + `</t:EndTime></t:TimeWindow>` +
		`<t:MergedFreeBusyIntervalInMinutes>60</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>` + view + `</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>`)
}

// TestAvailability crosses the change to daylight saving time on 8 March 2026 in the time zone of the request.
func TestAvailability(t *testing.T) {
	s := newServer(t, Options{})
	m := s.company.Mailbox(ann)
	for _, it := range []*store.Item{
		{Subject: "before", Start: time.Date(2026, 3, 7, 17, 0, 0, 0, time.UTC), FreeBusy: "Busy"},
		{Subject: "after", Start: time.Date(2026, 3, 8, 17, 0, 0, 0, time.UTC), FreeBusy: "OOF", Sensitivity: "Private"},
	} {
		it.End = it.Start.Add(time.Hour)
		if _, err := m.Create(store.Actor{}, m.Calendar(), it); err != nil {
			t.Fatal(err)
		}
	}
	a := s.availability(ann, "DetailedMerged", "2026-03-07T08:00:00", "2026-03-07T11:00:00").want("NoError", "ErrorMailRecipientNotFound")
	if a.text("StartTime") != "2026-03-07T09:00:00" || a.text("MergedFreeBusy") != "020" || a.text("Subject") != "before" || a.text("FreeBusyViewType") != "DetailedMerged" {
		t.Errorf("availability: %s", a.body)
	}
	a = s.availability(ann, "Detailed", "2026-03-08T08:00:00", "2026-03-08T12:00:00")
	if a.text("StartTime") != "2026-03-08T10:00:00" || a.text("BusyType") != "OOF" || len(a.all("Subject")) != 0 || a.text("IsPrivate") != "true" {
		t.Errorf("private appointment in summer time: %s", a.body)
	}
	s.user = bob
	a = s.availability(ann, "DetailedMerged", "2026-03-07T08:00:00", "2026-03-07T11:00:00")
	if len(a.all("CalendarEventDetails")) != 0 || a.text("FreeBusyViewType") != "FreeBusyMerged" {
		t.Errorf("a stranger sees %s", a.body)
	}
	s.availability(ann, "MergedOnly", "2026-03-07T08:00:00", "2026-07-07T11:00:00").want("ErrorTimeIntervalTooBig", "ErrorTimeIntervalTooBig")
	s.availability(ann, "FreeBusy", "2026-03-07T08:00:00", "2026-03-07T08:00:00").want("ErrorInvalidTimeInterval", "ErrorInvalidTimeInterval")
}

func TestServerTimeZones(t *testing.T) {
	s := newServer(t, Options{})
	a := s.call(`<m:GetServerTimeZones ReturnFullTimeZoneData="true"><m:Ids><t:Id>W. Europe Standard Time</t:Id><t:Id>India Standard Time</t:Id><t:Id>Mars</t:Id></m:Ids></m:GetServerTimeZones>`).ok()
	zones := a.all("TimeZoneDefinition")
	if len(zones) != 2 {
		t.Fatalf("%d zones: %s", len(zones), a.body)
	}
	for _, want := range []string{`Bias="-PT60M" Name="Standard"`, `Bias="-PT120M" Name="Daylight"`,
		`<t:TimeOffset>PT2H</t:TimeOffset><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence>`,
		`<t:TimeOffset>PT3H</t:TimeOffset><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence>`,
		`Name="(UTC+01:00) W. Europe Standard Time"`, `Bias="-PT330M" Name="Standard"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	if all := s.call(`<m:GetServerTimeZones/>`).ok(); len(all.all("TimeZoneDefinition")) < 130 || len(all.all("Periods")) < 130 {
		t.Errorf("%d zones in all", len(all.all("TimeZoneDefinition")))
	}
	if names := s.call(`<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>`).ok(); len(names.all("Periods")) != 0 {
		t.Error("rules were returned unasked")
	}
}
