package calsync

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roomsync/events"
	"roomsync/internal/zones"
)

// weekly is a series on Mondays at 09:00 in Zurich over the change to summer time, with one meeting moved and renamed
// and one cancelled.
func weekly(t testing.TB) (master Appointment, listed []Appointment) {
	loc, ok := zones.Location(zurich)
	if !ok {
		t.Fatal("no rules of Zurich")
	}
	master = Appointment{
		ID: "master", ChangeKey: "ck", UID: "uid", Type: Master, StartZone: zurich, FreeBusy: "Busy", Sensitivity: "Normal",
		Subject: "Sitzung", Location: "Säntis", Recurrence: &Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Monday"}, StartDate: "2027-03-15", Occurrences: 4},
	}
	for i := range 4 {
		start := time.Date(2027, 3, 15+7*i, 9, 0, 0, 0, loc)
		o := master
		o.ID, o.Type, o.Recurrence = "occurrence "+string(rune('0'+i)), Occurrence, nil
		o.Start, o.End, o.RecurrenceID = start.UTC(), start.Add(time.Hour).UTC(), start.UTC()
		listed = append(listed, o)
	}
	master.Start, master.End = listed[0].Start, listed[0].End
	moved := &listed[1]
	moved.Type, moved.Subject, moved.Location, moved.FreeBusy = Exception, "Sitzung, verschoben", "Rigi", "Tentative"
	moved.Start, moved.End = at("2027-04-06T13:00:00Z"), at("2027-04-06T14:00:00Z")
	listed[3].Type, listed[3].Cancelled, listed[3].Location = Exception, true, ""
	return master, listed
}

func TestSeries(t *testing.T) {
	master, listed := weekly(t)
	other := listed[0]
	other.ID, other.UID = "other", "another uid"
	single := listed[0]
	single.ID, single.Type = "single", Single // a copy of an invitation may have a series' UID
	shuffled := []Appointment{other, listed[3], listed[1], single, listed[0], listed[1], listed[2]}
	w := Window{at("2027-03-15T00:00:00Z"), at("2027-05-01T00:00:00Z")}
	c := Series(events.KindCreated, master, shuffled, w, DefaultFields)
	want := []events.Occurrence{
		{ItemID: "occurrence 0", Type: "occurrence", OriginalStart: at("2027-03-15T08:00:00Z"), Start: at("2027-03-15T08:00:00Z"), End: at("2027-03-15T09:00:00Z")},
		{ItemID: "occurrence 1", Type: "exception", OriginalStart: at("2027-03-22T08:00:00Z"), Start: at("2027-04-06T13:00:00Z"), End: at("2027-04-06T14:00:00Z"),
			FreeBusy: events.Tentative, Subject: "Sitzung, verschoben", Location: "Rigi"},
		{ItemID: "occurrence 2", Type: "occurrence", OriginalStart: at("2027-03-29T07:00:00Z"), Start: at("2027-03-29T07:00:00Z"), End: at("2027-03-29T08:00:00Z")},
		{ItemID: "occurrence 3", Type: "exception", OriginalStart: at("2027-04-05T07:00:00Z"), Start: at("2027-04-05T07:00:00Z"), End: at("2027-04-05T08:00:00Z"), Cancelled: true, Cleared: []string{"location"}},
	}
	if !reflect.DeepEqual(c.Occurrences, want) {
		t.Errorf("got  %+v\nwant %+v", c.Occurrences, want)
	}
	if c.Kind != events.KindCreated || c.Type != events.ItemMaster || c.ItemID != "master" || c.Recurrence.Pattern != "weekly" || c.Recurrence.Occurrences != 4 || c.Subject != "Sitzung" {
		t.Errorf("master %+v", c)
	}
}

func TestSeriesWindow(t *testing.T) {
	master, listed := weekly(t)
	ids := func(from, to string) (ids []string) {
		for _, o := range Series(events.KindUpdated, master, listed, Window{at(from), at(to)}, 0).Occurrences {
			ids = append(ids, o.ItemID)
		}
		return ids
	}
	for _, tt := range []struct {
		from, to string
		want     []string
	}{
		{"2027-03-22T00:00:00Z", "2027-03-29T07:00:00Z", nil}, // the moved one left, the next begins at the end
		{"2027-03-22T00:00:00Z", "2027-03-29T07:00:01Z", []string{"occurrence 2"}},
		{"2027-03-29T08:00:00Z", "2027-04-06T00:00:00Z", []string{"occurrence 3"}}, // that of 29 March has just ended
		{"2027-04-06T00:00:00Z", "2027-04-07T00:00:00Z", []string{"occurrence 1"}}, // moved into the window
	} {
		if got := ids(tt.from, tt.to); !slices.Equal(got, tt.want) {
			t.Errorf("%s to %s: %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
	master.UID = ""
	listed[0].UID = ""
	if c := Series(events.KindUpdated, master, listed, Window{at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")}, 0); c.Occurrences != nil {
		t.Errorf("a master without UID took %d meetings", len(c.Occurrences))
	}
}

func TestSeriesFields(t *testing.T) {
	master, listed := weekly(t)
	c := Series(events.KindUpdated, master, listed, Window{master.Start, at("2027-05-01T00:00:00Z")}, FieldLocation)
	if o := c.Occurrences[1]; o.Subject != "" || o.Location != "Rigi" || c.Subject != "" {
		t.Errorf("only the location is wanted: %+v", o)
	}
}

// A listing that gives no location says nothing of it; only an exception can have lost the series' one.
func TestSeriesWithoutTexts(t *testing.T) {
	master, listed := weekly(t)
	listed[0].Subject, listed[0].Location = "", ""
	c := Series(events.KindUpdated, master, listed[:1], Window{master.Start, master.End}, DefaultFields)
	if o := c.Occurrences[0]; o.Cleared != nil || o.Subject != "" || o.Location != "" {
		t.Errorf("got %+v", o)
	}
}

// The order of the listing does not matter, and it is not changed.
func TestSeriesOrder(t *testing.T) {
	master, listed := weekly(t)
	w := Window{master.Start, at("2027-05-01T00:00:00Z")}
	want := Series(events.KindUpdated, master, listed, w, DefaultFields)
	rapid.Check(t, func(t *rapid.T) {
		shuffled := rapid.Permutation(listed).Draw(t, "listed")
		before := slices.Clone(shuffled)
		if got := Series(events.KindUpdated, master, shuffled, w, DefaultFields); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if !reflect.DeepEqual(shuffled, before) {
			t.Error("the listing was changed")
		}
	})
}
