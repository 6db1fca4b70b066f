package calsync

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"roomsync/events"
	"roomsync/internal/zones"
)

const zurich = "W. Europe Standard Time"

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func full() Appointment {
	return Appointment{
		ID: "id", ChangeKey: "ck", UID: "uid", Type: Single,
		Start: at("2026-11-24T08:00:00Z"), End: at("2026-11-24T09:00:00Z"), StartZone: zurich, EndZone: zurich,
		FreeBusy: "WorkingElsewhere", Sensitivity: "Normal", Subject: "canary-subject", Location: "canary-location",
		Organizer: Person{"canary-organizer", "canary@contoso.example"},
		Attendees: []Attendee{{Person{"canary-attendee", "canary2@contoso.example"}, "required", "NoResponseReceived"}},
	}
}

func TestDescribe(t *testing.T) {
	a := full()
	want := events.Change{
		Kind: events.KindCreated, ItemID: "id", ChangeKey: "ck", UID: "uid", Type: events.ItemSingle,
		Start: &a.Start, End: &a.End, TimeZone: &events.TimeZone{Windows: zurich, IANA: "Europe/Berlin"},
		FreeBusy: events.WorkingElsewhere, Sensitivity: events.Normal, Subject: "canary-subject", Location: "canary-location",
		Organizer: &events.Person{Name: "canary-organizer", Address: "canary@contoso.example"},
	}
	if got := Describe(events.KindCreated, a, DefaultFields); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	want.Subject, want.Location, want.Organizer = "", "", nil
	want.Attendees = []events.Attendee{{Person: events.Person{Name: "canary-attendee", Address: "canary2@contoso.example"}, Role: "required", Response: "noResponseReceived"}}
	if got := Describe(events.KindCreated, a, FieldAttendees); !reflect.DeepEqual(got, want) {
		t.Errorf("attendees only: got %+v\nwant %+v", got, want)
	}
	if got, want := Describe(events.KindDeleted, a, DefaultFields), (events.Change{Kind: events.KindDeleted, ItemID: "id"}); !reflect.DeepEqual(got, want) {
		t.Errorf("deleted: got %+v, want %+v", got, want)
	}
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		fields []string
		want   Fields
	}{
		{nil, FieldSubject | FieldLocation | FieldOrganizer},
		{[]string{}, 0},
		{[]string{"attendees"}, FieldAttendees},
		{[]string{"subject", "location", "organizer", "attendees", "body"}, FieldSubject | FieldLocation | FieldOrganizer | FieldAttendees},
	} {
		if got := FieldsOf(events.Mailbox{Fields: tt.fields}); got != tt.want {
			t.Errorf("%q: %b, want %b", tt.fields, got, tt.want)
		}
	}
}

// Of what is not normal only the times are told, whatever is wanted: in a series as in a single appointment.
func TestPrivate(t *testing.T) {
	all := FieldSubject | FieldLocation | FieldOrganizer | FieldAttendees
	for _, s := range []string{"Personal", "Private", "Confidential", "SomethingNew"} {
		a := full()
		a.Sensitivity = s
		single := Describe(events.KindUpdated, a, all)
		a.Type = Master
		o := full()
		o.Type, o.Subject, o.ID = Exception, "canary-exception", "occurrence"
		series := Series(events.KindUpdated, a, []Appointment{o}, Window{o.Start, o.End}, all)
		for _, c := range []events.Change{single, series} {
			text, err := json.Marshal(c)
			if err != nil || strings.Contains(string(text), "canary") {
				t.Errorf("%s: %s, %v", s, text, err)
			}
			if c.UID != "uid" || c.ChangeKey != "ck" || !c.Start.Equal(a.Start) || !c.End.Equal(a.End) || c.FreeBusy == "" || c.TimeZone == nil {
				t.Errorf("%s: the times or ids are gone: %s", s, text)
			}
			if c.Sensitivity == events.Normal || c.Sensitivity == "" {
				t.Errorf("%s is told as %q", s, c.Sensitivity)
			}
		}
		if len(series.Occurrences) != 1 {
			t.Errorf("%s: the series lost its meeting", s)
		}
	}
}

// An exception may be more private than its series.
func TestPrivateException(t *testing.T) {
	master, o := full(), full()
	master.Type, o.Type, o.Subject, o.Sensitivity = Master, Exception, "canary-exception", "Private"
	c := Series(events.KindUpdated, master, []Appointment{o}, Window{o.Start, o.End}, DefaultFields)
	if c.Subject == "" || c.Occurrences[0].Subject != "" {
		t.Errorf("subject %q, the exception's %q", c.Subject, c.Occurrences[0].Subject)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		what      string
		f         func(string) string
		in, wants string
	}{
		{"free/busy", freeBusy, "Free Tentative Busy OOF WorkingElsewhere NoData Other", "free tentative busy oof workingElsewhere noData noData"},
		{"sensitivity", sensitivity, "Normal Personal Private Confidential Other", "normal personal private confidential confidential"},
		{"response", response, "Unknown Organizer Tentative Accept Decline NoResponseReceived Other", "unknown organizer tentative accept decline noResponseReceived unknown"},
	} {
		wants := strings.Fields(tt.wants)
		for i, in := range strings.Fields(tt.in) {
			if got := tt.f(in); got != wants[i] {
				t.Errorf("%s %s is told as %q, want %q", tt.what, in, got, wants[i])
			}
		}
		if got := tt.f(""); got != "" {
			t.Errorf("%s not given is told as %q", tt.what, got)
		}
	}
}

func TestTimeZone(t *testing.T) {
	for id, want := range map[string]*events.TimeZone{
		"":                      nil,
		zurich:                  {Windows: zurich, IANA: "Europe/Berlin"},
		"Customized Time Zone":  {Windows: "Customized Time Zone"},
		"Mitteleuropäische Z.":  {Windows: "Mitteleuropäische Z."},
		"tzone://Microsoft/Utc": {Windows: "tzone://Microsoft/Utc", IANA: "Etc/UTC"},
		"Europe/Zurich":         {Windows: zurich, IANA: "Europe/Zurich"},
		"UTC":                   {Windows: "UTC", IANA: "Etc/UTC"},
	} {
		if got := timeZone(id); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", id, got, want)
		}
	}
}

// The cases in which calendar software shifts a day.
func TestAllDay(t *testing.T) {
	for _, tt := range []struct{ name, start, end, zone, first, last string }{
		{"winter", "2026-12-23T23:00:00Z", "2026-12-24T23:00:00Z", zurich, "2026-12-24", "2026-12-25"},
		{"summer", "2026-07-31T22:00:00Z", "2026-08-01T22:00:00Z", zurich, "2026-08-01", "2026-08-02"},
		{"day of 23 hours", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", zurich, "2026-03-29", "2026-03-30"},
		{"day of 25 hours", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", zurich, "2026-10-25", "2026-10-26"},
		{"over the change", "2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", zurich, "2026-03-28", "2026-03-31"},
		{"west", "2026-12-24T05:00:00Z", "2026-12-25T05:00:00Z", "Eastern Standard Time", "2026-12-24", "2026-12-25"},
		{"far east", "2026-12-23T10:00:00Z", "2026-12-24T10:00:00Z", "Line Islands Standard Time", "2026-12-24", "2026-12-25"},
		{"half hour", "2026-12-23T18:30:00Z", "2026-12-24T18:30:00Z", "India Standard Time", "2026-12-24", "2026-12-25"},
		{"UTC", "2026-12-24T00:00:00Z", "2026-12-25T00:00:00Z", "UTC", "2026-12-24", "2026-12-25"},
		{"midnight skipped", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z", "Middle East Standard Time", "2026-03-29", "2026-03-30"},
		{"IANA name", "2026-12-23T23:00:00Z", "2026-12-24T23:00:00Z", "Europe/Zurich", "2026-12-24", "2026-12-25"},
		{"unknown zone, made east", "2026-12-23T23:00:00Z", "2026-12-24T23:00:00Z", "Customized Time Zone", "2026-12-24", "2026-12-25"},
		{"unknown zone, made west", "2026-12-24T05:00:00Z", "2026-12-25T05:00:00Z", "", "2026-12-24", "2026-12-25"},
		{"unknown zone, made far east", "2026-12-23T12:00:00Z", "2026-12-24T12:00:00Z", "", "2026-12-24", "2026-12-25"},
		{"stored in another zone", "2026-12-23T23:00:00Z", "2026-12-24T23:00:00Z", "UTC", "2026-12-24", "2026-12-25"},
		{"no length", "2026-12-23T23:00:00Z", "2026-12-23T23:00:00Z", zurich, "2026-12-24", "2026-12-25"},
	} {
		a := Appointment{ID: "i", AllDay: true, Start: at(tt.start), End: at(tt.end), StartZone: tt.zone, EndZone: tt.zone}
		c := Describe(events.KindCreated, a, 0)
		if c.StartDate != tt.first || c.EndDate != tt.last || !c.AllDay {
			t.Errorf("%s: %s to %s, want %s to %s", tt.name, c.StartDate, c.EndDate, tt.first, tt.last)
		}
		if !c.Start.Equal(a.Start) || !c.End.Equal(a.End) {
			t.Errorf("%s: the instants changed", tt.name)
		}
	}
}

// Each end is read on its own clock: this one begins on the Line Islands (UTC+14) and ends in New York.
func TestAllDayOfTwoZones(t *testing.T) {
	a := Appointment{AllDay: true, Start: at("2026-12-23T10:00:00Z"), StartZone: "Line Islands Standard Time",
		End: at("2026-12-25T05:00:00Z"), EndZone: "Eastern Standard Time"}
	if c := Describe(events.KindCreated, a, 0); c.StartDate != "2026-12-24" || c.EndDate != "2026-12-25" {
		t.Errorf("%s to %s, want 2026-12-24 to 2026-12-25", c.StartDate, c.EndDate)
	}
}

// In every zone, on every day, an all-day appointment made on that zone's clock keeps its dates.
func TestAllDayAnywhere(t *testing.T) {
	all := zones.All()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(all).Draw(t, "zone").Windows
		loc, _ := zones.Location(zone)
		day := at("2020-01-01T00:00:00Z").AddDate(0, 0, rapid.IntRange(0, 5000).Draw(t, "day"))
		end := day.AddDate(0, 0, rapid.IntRange(1, 40).Draw(t, "days"))
		midnight := func(d time.Time) time.Time { return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, loc) }
		a := Appointment{AllDay: true, Start: midnight(day).UTC(), End: midnight(end).UTC(), StartZone: zone, EndZone: zone}
		c := Describe(events.KindCreated, a, 0)
		if c.StartDate != day.Format(time.DateOnly) || c.EndDate != end.Format(time.DateOnly) {
			t.Errorf("%s: %s to %s, want %s to %s", zone, c.StartDate, c.EndDate, day, end)
		}
	})
}

// Whatever Exchange says, ROOMS is told what the contract allows.
func TestDescribeKeepsToTheSchema(t *testing.T) {
	schema := pageSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		f := Fields(rapid.Uint8Range(0, 15).Draw(t, "fields"))
		page := events.CalendarChanged{Reason: events.ReasonChange, Window: Window{}.Event()}
		master := drawAppointment(t, Master)
		listed := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Appointment {
			o := drawAppointment(t, rapid.SampledFrom([]ItemType{Occurrence, Exception}).Draw(t, "type"))
			o.UID = master.UID
			return o
		}), 0, 5).Draw(t, "listed")
		page.Changes = []events.Change{
			Describe(events.KindCreated, drawAppointment(t, Single), f),
			Describe(events.KindDeleted, drawAppointment(t, Single), f),
			Series(events.KindUpdated, master, listed, Window{To: at("9000-01-01T00:00:00Z")}, f),
		}
		text, err := page.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

func pageSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, _ := events.Schema(events.TypeCalendarChanged)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:page", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("urn:page")
}

func drawAppointment(t *rapid.T, typ ItemType) Appointment {
	text, word := rapid.StringN(0, 8, 32), func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0).UTC()
	a := Appointment{
		ID: text.Draw(t, "id"), ChangeKey: text.Draw(t, "ck"), UID: text.Draw(t, "uid"), Type: typ,
		Start: start, End: start.Add(time.Duration(rapid.Int32Range(0, 1e6).Draw(t, "s")) * time.Second),
		StartZone: word("", zurich, "UTC", "Customized Time Zone", "Europe/Kyiv"), EndZone: word("", zurich, "?"),
		AllDay: rapid.Bool().Draw(t, "all day"), FreeBusy: word("", "Free", "OOF", "NoData", "Other"), Cancelled: rapid.Bool().Draw(t, "cancelled"),
		Sensitivity: word("", "Normal", "Private", "Other"), Subject: text.Draw(t, "subject"), Location: text.Draw(t, "location"),
		Organizer: Person{text.Draw(t, "name"), text.Draw(t, "address")},
		Attendees: []Attendee{{Person{text.Draw(t, "name"), ""}, word("required", "optional", "resource"), word("", "Accept", "Other")}},
	}
	if typ == Master {
		a.Recurrence = &Recurrence{Pattern: word("weekly", "daily", "dailyRegenerating"), Interval: rapid.IntRange(0, 3).Draw(t, "interval"),
			DaysOfWeek: []string{word("Monday", "Weekday")}, WeekIndex: word("", "Last"), StartDate: "2026-11-24"}
	}
	return a
}
