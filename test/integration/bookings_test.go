package integration

import (
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews"
	"roomsync/internal/exchangesim"
)

// seenItem is an appointment as exchangelib sees it.
type seenItem struct {
	Subject, Body, Location, Start, End, Zone, EndZone, FreeBusy, Sensitivity, Recurrence, Type, BookingID, Revision string
	HTML, AllDay                                                                                                     bool
	Reminder                                                                                                         int
	Categories, Required, Optional, Resources, Deleted                                                               []string
	Modified                                                                                                         [][2]string
}

// writing is our writer on a simulated server, and a third-party client of the same.
type writing struct {
	t      *testing.T
	client *ews.Client
	url    string
	target calsync.Target
}

func startWriting(t *testing.T) *writing {
	t.Helper()
	needExchangelib(t)
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 3, Items: -1, BusyShare: exchangesim.NoBusyShare})
	must(t, err)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	url := server.URL + exchangesim.EWSPath
	client, err := ews.New(ews.Options{URL: url, Impersonate: true, Credentials: ews.Basic(exchangesim.ServiceUser, "simulated")})
	must(t, err)
	return &writing{t, client, url, calsync.Target{Address: "user0001@contoso.example"}}
}

func (w *writing) create(id string, c calsync.Content) calsync.Written {
	w.t.Helper()
	made, err := w.client.Create(w.t.Context(), w.target, calsync.Draft{BookingID: id, Revision: 7, Content: c})
	must(w.t, err)
	return made
}

// python runs the script of the third-party client.
func (w *writing) python(into any, verb string, ids ...string) {
	w.t.Helper()
	runScript(w.t, into, "bookings.py", append([]string{w.url, w.target.Address, "simulated", ews.PropertySet, verb}, ids...)...)
}

func day(value string) time.Time {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func invited(role, address string) calsync.Attendee {
	return calsync.Attendee{Person: calsync.Person{Address: address}, Role: role}
}

func meetingContent() calsync.Content {
	reminder := 10
	return calsync.Content{
		Subject: "Übergabe <ä&ß> 🏢", Body: calsync.Body{Text: "Eins\nZwei & drei"}, Location: "Säntis", Start: day("2026-03-03T09:00:00Z"), End: day("2026-03-03T10:30:00Z"),
		Zone: "W. Europe Standard Time", FreeBusy: "Tentative", Sensitivity: "Private", Reminder: &reminder, Categories: []string{"Blau", "Räume"},
		Attendees: []calsync.Attendee{invited("required", "user0002@contoso.example"), invited("optional", "user0003@contoso.example"), invited("resource", "room@contoso.example")},
	}
}

// allDayContent goes over the change to summer time.
func allDayContent() calsync.Content {
	return calsync.Content{Subject: "Messe", Body: calsync.Body{HTML: true, Text: "<html><body><p>a &amp; b</p></body></html>"}, Start: day("2026-03-26T23:00:00Z"), End: day("2026-03-30T22:00:00Z"),
		Zone: "W. Europe Standard Time", AllDay: true, FreeBusy: "WorkingElsewhere"}
}

func seriesContent() calsync.Content {
	return calsync.Content{Subject: "Jour fixe", Start: day("2026-03-16T22:30:00Z"), End: day("2026-03-16T23:30:00Z"), Zone: "Tokyo Standard Time",
		Recurrence: &calsync.Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Tuesday"}, WeekStart: "Monday", StartDate: "2026-03-17", Occurrences: 6}}
}

// TestExchangelibReads: a client that knows nothing of us sees in what we wrote what was meant.
func TestExchangelibReads(t *testing.T) {
	w := startWriting(t)
	single, allDay := w.create("R-1", meetingContent()), w.create("R-2", allDayContent())
	series := w.create("R-3", seriesContent())
	w.exceptions(series)
	var got struct{ Items []seenItem }
	w.python(&got, "read", single.ItemID, allDay.ItemID, series.ItemID)
	want := []seenItem{
		{Subject: "Übergabe <ä&ß> 🏢", Body: "Eins\nZwei & drei", Location: "Säntis", Start: "2026-03-03T09:00:00+00:00", End: "2026-03-03T10:30:00+00:00", Zone: "W. Europe Standard Time", EndZone: "W. Europe Standard Time",
			FreeBusy: "Tentative", Sensitivity: "Private", Reminder: 10, Categories: []string{"Blau", "Räume"}, Required: []string{"user0002@contoso.example"}, Optional: []string{"user0003@contoso.example"},
			Resources: []string{"room@contoso.example"}, Type: "Single", BookingID: "R-1", Revision: "7"},
		{Subject: "Messe", Body: "<html><body><p>a &amp; b</p></body></html>", HTML: true, Start: "2026-03-27", End: "2026-03-30", Zone: "W. Europe Standard Time", EndZone: "W. Europe Standard Time", AllDay: true,
			FreeBusy: "WorkingElsewhere", Sensitivity: "Normal", Reminder: -1, Type: "Single", BookingID: "R-2", Revision: "7"},
		{Subject: "Jour fixe", Start: "2026-03-16T22:30:00+00:00", End: "2026-03-16T23:30:00+00:00", Zone: "Tokyo Standard Time", EndZone: "Tokyo Standard Time", FreeBusy: "Busy", Sensitivity: "Normal", Reminder: -1,
			Recurrence: "Occurs on weekdays Tuesday of every 1 week(s) where the first day of the week is Monday / 6 from 2026-03-16T22:30:00+00:00", Type: "RecurringMaster",
			Modified: [][2]string{{"2026-03-23T22:30:00+00:00", "2026-03-25T01:00:00+00:00"}}, Deleted: []string{"2026-03-30T22:30:00+00:00"}, BookingID: "R-3", Revision: "7"},
	}
	for i := range want {
		for _, list := range []*[]string{&want[i].Categories, &want[i].Required, &want[i].Optional, &want[i].Resources, &want[i].Deleted} {
			if *list == nil {
				*list = []string{}
			}
		}
		if want[i].Modified == nil {
			want[i].Modified = [][2]string{}
		}
		if i >= len(got.Items) || !reflect.DeepEqual(got.Items[i], want[i]) {
			t.Errorf("%d:\ngot  %+v\nwant %+v", i, got.Items[i], want[i])
		}
	}
}

func (w *writing) meetings(id string) []calsync.Appointment {
	w.t.Helper()
	h := w.read(id)
	list, err := w.client.Meetings(w.t.Context(), w.target, h.UID, calsync.Window{From: day("2026-03-01T00:00:00Z"), To: day("2026-06-01T00:00:00Z")})
	must(w.t, err)
	return list
}

func (w *writing) read(id string) calsync.Held {
	w.t.Helper()
	list, err := w.client.Read(w.t.Context(), w.target, []string{id})
	must(w.t, err)
	if list[0].Err != nil {
		w.t.Fatal(list[0].Err)
	}
	return list[0].Held
}

// exceptions moves the second meeting and cancels the third.
func (w *writing) exceptions(series calsync.Written) {
	w.t.Helper()
	list := w.meetings(series.ItemID)
	moved, err := w.client.Update(w.t.Context(), w.target, calsync.Draft{ItemID: list[1].ID, ChangeKey: list[1].ChangeKey, Parts: []calsync.Part{calsync.PartTime},
		Content: calsync.Content{Start: day("2026-03-25T01:00:00Z"), End: day("2026-03-25T02:00:00Z")}})
	must(w.t, err)
	must(w.t, w.client.Delete(w.t.Context(), w.target, calsync.Deletion{ItemID: list[2].ID, ChangeKey: moved.ChangeKey}))
}

// TestExchangelibEdits: what such a client edits in our appointments, and the property that it writes, we read as it was meant.
func TestExchangelibEdits(t *testing.T) {
	w := startWriting(t)
	single, series := w.create("R-1", meetingContent()), w.create("R-3", seriesContent())
	var made struct {
		Created string
		Found   []string
	}
	w.python(&made, "edit", single.ItemID, series.ItemID)
	h := w.read(single.ItemID)
	if h.Location != "Haus 9" || h.Body != (calsync.Body{HTML: true, Text: "<p>Neu</p>"}) || h.Categories != nil || h.Reminder != nil ||
		h.Subject != meetingContent().Subject || len(h.Attendees) != 3 || h.BookingID != "R-1" || h.Revision != 7 || h.ChangeKey == single.ChangeKey {
		t.Errorf("the single one is %+v", h)
	}
	list := w.meetings(series.ItemID)
	if len(list) != 5 || list[1].Type != calsync.Exception || list[1].Subject != "Eine Stunde später" || !list[1].RecurrenceID.Equal(day("2026-03-23T22:30:00Z")) || !list[1].Start.Equal(day("2026-03-23T23:30:00Z")) {
		t.Errorf("the meetings are %+v", list)
	}
	if m := w.read(series.ItemID); len(m.Modified) != 1 || len(m.Deleted) != 1 || !m.Deleted[0].Equal(day("2026-03-30T22:30:00Z")) {
		t.Errorf("the series is %+v, %+v", m.Modified, m.Deleted)
	}
	found, err := w.client.Find(t.Context(), w.target, "R-9")
	must(t, err)
	if len(found) != 1 || found[0].ID != made.Created || found[0].Revision != 12 || len(made.Found) != 1 {
		t.Errorf("found %+v; the client found %v", found, made.Found)
	}
}
