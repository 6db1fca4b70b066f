package ews

import (
	"cmp"
	"errors"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/xmltext"
)

const (
	anna = "user0001@contoso.example"
	beat = "user0002@contoso.example"
)

// exchange2019 is a simulated server and a client of it that impersonates.
type exchange2019 struct {
	*Client
	t      *testing.T
	sim    *exchangesim.Server
	target calsync.Target
}

func startExchange(t *testing.T, faults ...string) *exchange2019 {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 5, Items: -1, BusyShare: exchangesim.NoBusyShare, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(sim.Handler())
	t.Cleanup(s.Close)
	return &exchange2019{client(t, s, Options{Impersonate: true, Credentials: Basic(exchangesim.ServiceUser, "simulated")}), t, sim, calsync.Target{Address: anna}}
}

func (x *exchange2019) create(d calsync.Draft) calsync.Written {
	x.t.Helper()
	w, err := x.Create(x.t.Context(), x.target, d)
	if err != nil {
		x.t.Fatal(err)
	}
	return w
}

func (x *exchange2019) update(d calsync.Draft) calsync.Written {
	x.t.Helper()
	w, err := x.Update(x.t.Context(), x.target, d)
	if err != nil {
		x.t.Fatal(err)
	}
	return w
}

func (x *exchange2019) read(id string) calsync.Held {
	x.t.Helper()
	got, err := x.Read(x.t.Context(), x.target, []string{id})
	if err != nil || got[0].Err != nil {
		x.t.Fatal(err, got)
	}
	return got[0].Held
}

func (x *exchange2019) find(bookingID string) []calsync.Held {
	x.t.Helper()
	got, err := x.Find(x.t.Context(), x.target, bookingID)
	if err != nil {
		x.t.Fatal(err)
	}
	return got
}

func (x *exchange2019) mailbox() *store.Mailbox { return x.sim.Company().Mailbox(anna) }

// stored is a content as it should read back: cleaned, in whole seconds, with Exchange's defaults and the mailbox's zone.
func stored(c calsync.Content, zone string) calsync.Content {
	c.Subject, c.Location, c.Body.Text = xmltext.Clean(c.Subject), xmltext.Clean(c.Location), xmltext.Clean(c.Body.Text)
	c.Body.HTML = c.Body.HTML && c.Body.Text != ""
	c.Start, c.End = c.Start.Truncate(time.Second), c.End.Truncate(time.Second)
	c.FreeBusy, c.Sensitivity, c.Zone = cmp.Or(c.FreeBusy, "Busy"), cmp.Or(c.Sensitivity, "Normal"), cmp.Or(c.Zone, zone)
	categories := []string(nil)
	for _, s := range c.Categories {
		categories = append(categories, xmltext.Clean(s))
	}
	c.Categories = categories
	attendees := slices.Clone(c.Attendees)
	for i := range attendees {
		attendees[i].Name = xmltext.Clean(attendees[i].Name)
	}
	c.Attendees = byRole(attendees)
	return c
}

// byRole sorts as the lists of an item follow each other.
func byRole(list []calsync.Attendee) []calsync.Attendee {
	order := []string{"required", "optional", "resource"}
	slices.SortStableFunc(list, func(a, b calsync.Attendee) int {
		return slices.Index(order, a.Role) - slices.Index(order, b.Role)
	})
	return list
}

func contentOf(h calsync.Held) calsync.Content {
	c := calsync.Content{Subject: h.Subject, Body: h.Body, Location: h.Location, Start: h.Start, End: h.End, Zone: h.StartZone, AllDay: h.AllDay, FreeBusy: h.FreeBusy,
		Sensitivity: h.Sensitivity, Reminder: h.Reminder, Categories: h.Categories, Recurrence: h.Recurrence}
	for _, a := range h.Attendees {
		a.Response = ""
		c.Attendees = append(c.Attendees, a)
	}
	return c
}

// TestWrittenReadsBack: of drawn bookings the server holds what was meant, after Create and after an Update of every part to another's.
func TestWrittenReadsBack(t *testing.T) {
	x := startExchange(t)
	for i := range 150 {
		g := drawContents(uint64(i))
		d, next := g.single(), g.single()
		d.ItemID, d.ChangeKey = "", ""
		w := x.create(d)
		x.compare(i, w, d)
		next.ItemID, next.ChangeKey, next.Parts, next.BookingID = w.ItemID, w.ChangeKey, allParts, d.BookingID
		next.Content.Zone = cmp.Or(next.Content.Zone, d.Content.Zone) // no zone leaves the one that is there
		x.compare(i, x.update(next), next)
	}
	if n := len(x.sim.Company().Invitations(0)); n == 0 {
		t.Error("nobody was ever written to")
	}
}

// single draws a booking without a pattern, and all-day ones from midnight to midnight; attendees have names, since Exchange gives
// them its own otherwise.
func (g contents) single() calsync.Draft {
	d := g.draft()
	c := &d.Content
	c.Recurrence = nil
	c.AllDay = c.AllDay && c.Zone == "UTC"
	if c.AllDay {
		c.Start = c.Start.Truncate(24 * time.Hour)
		c.End = c.Start.AddDate(0, 0, 1+g.IntN(3))
	}
	for i := range c.Attendees {
		c.Attendees[i].Name = cmp.Or(strings.TrimSpace(c.Attendees[i].Name), "Anna")
	}
	return d
}

func (x *exchange2019) compare(i int, w calsync.Written, d calsync.Draft) {
	x.t.Helper()
	h := x.read(w.ItemID)
	if got, want := contentOf(h), stored(d.Content, x.mailbox().Zone); !reflect.DeepEqual(got, want) {
		x.t.Fatalf("%d:\ngot  %+v\nwant %+v", i, got, want)
	}
	if h.BookingID != xmltext.Clean(d.BookingID) || h.Revision != d.Revision || h.ChangeKey != w.ChangeKey || h.Folder != x.mailbox().Calendar() || h.EndZone != h.StartZone {
		x.t.Fatalf("%d: %+v", i, h)
	}
}

func weekly() calsync.Draft {
	d := meetingDraft()
	d.Notify, d.Content.Attendees = false, nil
	d.Content.Recurrence = &calsync.Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Tuesday"}, StartDate: "2026-03-03", Occurrences: 6}
	return d
}

func (x *exchange2019) meetings(uid string) []calsync.Appointment {
	x.t.Helper()
	got, err := x.Meetings(x.t.Context(), x.target, uid, calsync.Window{From: at("2026-01-01T00:00:00Z"), To: at("2027-01-01T00:00:00Z")})
	if err != nil {
		x.t.Fatal(err)
	}
	return got
}

// TestSeries: meetings are found by their original starts over the change to summer time, moved, cancelled and read back; what belongs to
// the series leaves them alone, and another time resets them.
func TestSeries(t *testing.T) {
	x := startExchange(t)
	d := weekly()
	w := x.create(d)
	uid := x.read(w.ItemID).UID
	list := x.meetings(uid)
	if len(list) != 6 || !list[3].RecurrenceID.Equal(at("2026-03-24T09:00:00Z")) || !list[4].RecurrenceID.Equal(at("2026-03-31T08:00:00Z")) {
		t.Fatalf("%d meetings: %+v", len(list), list)
	}
	moved := calsync.Draft{ItemID: list[1].ID, ChangeKey: list[1].ChangeKey, Parts: []calsync.Part{calsync.PartTime, calsync.PartSubject, calsync.PartLocation},
		Content: calsync.Content{Subject: "Verschoben", Start: at("2026-03-11T14:00:00Z"), End: at("2026-03-11T15:00:00Z")}}
	m := x.update(moved)
	if err := x.Delete(t.Context(), x.target, calsync.Deletion{ItemID: list[2].ID, ChangeKey: m.ChangeKey}); err != nil {
		t.Fatal(err)
	}
	h := x.read(w.ItemID)
	if len(h.Modified) != 1 || !h.Modified[0].OriginalStart.Equal(at("2026-03-10T09:00:00Z")) || len(h.Deleted) != 1 || !h.Deleted[0].Equal(at("2026-03-17T09:00:00Z")) {
		t.Fatalf("the series is %+v, %+v", h.Modified, h.Deleted)
	}
	if one := x.read(list[1].ID); one.Subject != "Verschoben" || one.Location != "" || !one.Start.Equal(at("2026-03-11T14:00:00Z")) || one.Body.Text != d.Content.Body.Text {
		t.Errorf("the meeting is %+v", one)
	}
	x.crossing(w.ItemID, list[3].ID)

	d.ItemID, d.ChangeKey, d.Parts, d.Content.Body = w.ItemID, x.read(w.ItemID).ChangeKey, []calsync.Part{calsync.PartBody}, calsync.Body{Text: "plain"}
	w = x.update(d)
	if h := x.read(w.ItemID); len(h.Modified) != 1 || len(h.Deleted) != 1 || h.Body != d.Content.Body {
		t.Errorf("another body changed the meetings: %+v", h)
	}
	d.ChangeKey, d.Parts, d.Content.Start = w.ChangeKey, []calsync.Part{calsync.PartTime}, at("2026-03-03T08:00:00Z")
	w = x.update(d)
	if list := x.meetings(uid); len(list) != 6 || !list[1].Start.Equal(at("2026-03-10T08:00:00Z")) || list[1].Type != calsync.Occurrence {
		t.Errorf("another time: %+v", list)
	}
	d.ChangeKey, d.Content.Recurrence = w.ChangeKey, nil
	x.update(d)
	if h := x.read(w.ItemID); h.Type != calsync.Single || h.Recurrence != nil || len(x.meetings(uid)) != 0 {
		t.Errorf("single again: %+v", h)
	}
}

// crossing moves a meeting beyond its neighbour, which no server takes.
func (x *exchange2019) crossing(master, meeting string) {
	x.t.Helper()
	_, err := x.Update(x.t.Context(), x.target, calsync.Draft{ItemID: meeting, ChangeKey: x.read(master).ChangeKey, Parts: []calsync.Part{calsync.PartTime},
		Content: calsync.Content{Start: at("2026-04-01T09:00:00Z"), End: at("2026-04-01T10:00:00Z")}})
	f := outcome(x.t, "crossing", err, false, "")
	if f.Code != ErrorOccurrenceCrossingBoundary {
		x.t.Errorf("%v", err)
	}
}

// TestPatterns: each pattern and range reads back.
func TestPatterns(t *testing.T) {
	x := startExchange(t)
	for _, rec := range []calsync.Recurrence{
		{Pattern: "daily", Interval: 3, StartDate: "2026-03-03"},
		{Pattern: "weekly", Interval: 2, DaysOfWeek: []string{"Tuesday", "Friday"}, WeekStart: "Monday", StartDate: "2026-03-03", EndDate: "2026-06-30"},
		{Pattern: "absoluteMonthly", Interval: 1, DayOfMonth: 3, StartDate: "2026-03-03", Occurrences: 12},
		{Pattern: "relativeMonthly", Interval: 2, DaysOfWeek: []string{"Tuesday"}, WeekIndex: "First", StartDate: "2026-03-03", EndDate: "2027-03-03"},
		{Pattern: "absoluteYearly", DayOfMonth: 3, Month: "March", StartDate: "2026-03-03", Occurrences: 4},
		{Pattern: "relativeYearly", DaysOfWeek: []string{"Tuesday"}, WeekIndex: "First", Month: "March", StartDate: "2026-03-03"},
	} {
		d := weekly()
		d.Content.Recurrence = &rec
		h := x.read(x.create(d).ItemID)
		if h.Type != calsync.Master || !reflect.DeepEqual(*h.Recurrence, rec) || !h.Start.Equal(d.Content.Start) {
			t.Errorf("got %+v at %v, want %+v", h.Recurrence, h.Start, rec)
		}
	}
}

// TestConflict: what somebody else changed meanwhile is not written over.
func TestConflict(t *testing.T) {
	x := startExchange(t)
	d := weekly()
	w := x.create(d)
	if _, _, err := x.mailbox().Update(store.Actor{Name: anna}, w.ItemID, store.Basis{}, func(it *store.Item) error { it.Location = "Haus 4"; return nil }); err != nil {
		t.Fatal(err)
	}
	d.ItemID, d.ChangeKey, d.Parts = w.ItemID, w.ChangeKey, []calsync.Part{calsync.PartSubject}
	_, err := x.Update(t.Context(), x.target, d)
	if f := outcome(t, "conflict", err, false, ""); f.Code != ErrorIrresolvableConflict {
		t.Errorf("%v", err)
	}
	if h := x.read(w.ItemID); h.Location != "Haus 4" || h.Revision != 7 {
		t.Errorf("%+v", h)
	}
}

// TestNotify: attendees hear of a booking when they are to, once for each write; and with a text when it is cancelled.
func TestNotify(t *testing.T) {
	x := startExchange(t)
	d := meetingDraft()
	d.Content.Attendees = []calsync.Attendee{{Person: calsync.Person{Name: "Beat", Address: beat}}}
	quiet := d
	quiet.Notify, quiet.BookingID = false, "R-2"
	for _, draft := range []calsync.Draft{d, quiet} {
		w := x.create(draft)
		draft.ItemID, draft.ChangeKey, draft.Parts = w.ItemID, w.ChangeKey, []calsync.Part{calsync.PartLocation}
		x.update(draft)
		if err := x.Delete(t.Context(), x.target, calsync.Deletion{ItemID: w.ItemID, Notify: draft.Notify, Message: "Hagel"}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := x.sim.Company().InvitationCounts(), (store.InvitationCount{Booking: "R-1", Recipient: beat, Requests: 1, Updates: 1, Cancellations: 1}); len(got) != 1 || got[0] != want {
		t.Errorf("told %+v", got)
	}
	if all := x.sim.Company().Invitations(0); all[len(all)-1].Message != "Hagel" {
		t.Errorf("told %+v", all)
	}
	if f, _ := x.mailbox().Folder("deleteditems"); f.Total != 2 {
		t.Errorf("%d deleted items", f.Total)
	}
}

// TestLostAnswers: after an unknown outcome the search tells what was done: one, or with a proxy that asks again two, the older first.
func TestLostAnswers(t *testing.T) {
	for rule, want := range map[string]int{"E22 CreateItem attempt=1": 1, "E23 CreateItem attempt=1": 2, "H10 CreateItem attempt=1": 0} {
		x := startExchange(t, rule)
		_, err := x.Create(t.Context(), x.target, meetingDraft())
		if f, ok := errors.AsType[*calsync.Fault](err); strings.HasPrefix(rule, "E23") != (err == nil) || ok && !f.Unknown {
			t.Errorf("%s: %v", rule, err)
		}
		found := x.find("R-1")
		if len(found) != want {
			t.Fatalf("%s: %d appointments, want %d", rule, len(found), want)
		}
		if want == 2 && found[0].ID > found[1].ID {
			t.Errorf("the younger comes first")
		}
	}
}

// TestWanderers: the search follows an appointment under its new ids, and shows copies beside it.
func TestWanderers(t *testing.T) {
	x := startExchange(t)
	w := x.create(meetingDraft())
	m := x.mailbox()
	by := store.Actor{Name: anna}
	backup := m.Snapshot()
	if err := x.Delete(t.Context(), x.target, calsync.Deletion{ItemID: w.ItemID}); err != nil {
		t.Fatal(err)
	}
	if found := x.find("R-1"); len(found) != 0 {
		t.Errorf("found in the deleted items: %+v", found)
	}
	trash, err := m.Items(m.FolderID("deleteditems"))
	if err != nil || len(trash) != 1 {
		t.Fatal(trash, err)
	}
	back, err := m.Move(by, trash[0].ID, m.Calendar())
	if err != nil {
		t.Fatal(err)
	}
	if found := x.find("R-1"); len(found) != 1 || found[0].ID != back.ID || found[0].ID == w.ItemID || found[0].Revision != 7 {
		t.Errorf("restored: %+v", found)
	}
	if _, err := m.Copy(by, back.ID, m.Calendar()); err != nil {
		t.Fatal(err)
	}
	if found := x.find("R-1"); len(found) != 2 {
		t.Errorf("%d with a copy", len(found))
	}
	if err := m.Restore(backup, true); err != nil {
		t.Fatal(err)
	}
	if found := x.find("R-1"); len(found) != 1 || found[0].ID == w.ItemID || found[0].ID == back.ID {
		t.Errorf("after a restore: %+v", found)
	}
}

// TestChangedByServer: what the server made of it is what Read tells, and a change key that moved on is a conflict.
func TestChangedByServer(t *testing.T) {
	x := startExchange(t, "E24 CreateItem")
	d := meetingDraft()
	d.Content.Body, d.Content.Subject = calsync.Body{Text: "a < b"}, "Sitzung   "
	if h := x.read(x.create(d).ItemID); !h.Body.HTML || h.Subject != "Sitzung" {
		t.Errorf("%+v", h)
	}
	w := x.create(d) // the second turn of the fault
	d.ItemID, d.ChangeKey = w.ItemID, w.ChangeKey
	_, err := x.Update(t.Context(), x.target, d)
	if f := outcome(t, "touched", err, false, ""); f.Code != ErrorIrresolvableConflict {
		t.Errorf("%v", err)
	}
}

// TestDelegateWrites: a delegate writes into the mailbox that the target names, wherever its rights suffice.
func TestDelegateWrites(t *testing.T) {
	x := startExchange(t)
	if err := x.sim.Delegate(beat, store.Editor); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(x.sim.Handler())
	t.Cleanup(s.Close)
	x.Client = client(t, s, Options{Credentials: Basic(beat, "simulated")})
	w := x.create(weekly())
	if it, err := x.mailbox().Item(w.ItemID); err != nil || it.Subject != "Sitzung" {
		t.Errorf("%+v, %v", it, err)
	}
	if found := x.find("R-1"); len(found) != 1 {
		t.Errorf("found %+v", found)
	}
	if err := x.Delete(t.Context(), x.target, calsync.Deletion{ItemID: w.ItemID}); err != nil {
		t.Error(err)
	}
	if err := x.mailbox().Grant(beat, "calendar", store.Reviewer); err != nil {
		t.Fatal(err)
	}
	_, err := x.Create(t.Context(), x.target, weekly())
	if f := outcome(t, "reviewer", err, false, ""); f.Code != ErrorCreateItemAccessDenied {
		t.Errorf("%v", err)
	}
}
