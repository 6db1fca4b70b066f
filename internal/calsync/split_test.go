package calsync

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roomsync/events"
)

func encoded(t interface{ Fatal(...any) }, changes []events.Change) int {
	b, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	return len(b) - len("[]")
}

func large(occurrences, attendees int) events.Change {
	c := events.Change{Kind: events.KindUpdated, ItemID: "large", Subject: strings.Repeat("s", 50), Location: strings.Repeat("l", 50)}
	start := at("2026-11-24T08:00:00Z")
	for i := range occurrences {
		s := start.AddDate(0, 0, i)
		c.Occurrences = append(c.Occurrences, events.Occurrence{ItemID: "o", Type: "occurrence", OriginalStart: s, Start: s, End: s.Add(time.Hour)})
	}
	for range attendees {
		c.Attendees = append(c.Attendees, events.Attendee{Person: events.Person{Address: "a@b.example"}, Role: "required"})
	}
	return c
}

func TestSplitLargeChange(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		occurrences, attendees int
		max                    int
		omitted                []string
	}{
		{"fits", 10, 10, 5000, nil},
		{"attendees suffice", 10, 100, 2000, []string{"attendees"}},
		{"some occurrences", 100, 100, 2000, []string{"attendees", "occurrences"}},
		{"no attendees there", 100, 0, 2000, []string{"occurrences"}},
		{"all occurrences", 5, 0, 200, []string{"occurrences"}},
		{"location", 5, 0, 160, []string{"occurrences", "location"}},
		{"everything", 5, 5, 110, []string{"attendees", "occurrences", "location", "subject"}},
	} {
		c := large(tt.occurrences, tt.attendees)
		pages, err := Split([]events.Change{c}, tt.max)
		if err != nil || len(pages) != 1 || len(pages[0]) != 1 {
			t.Fatalf("%s: %d pages, %v", tt.name, len(pages), err)
		}
		got := pages[0][0]
		if !slices.Equal(got.Omitted, tt.omitted) {
			t.Errorf("%s: omitted %q, want %q", tt.name, got.Omitted, tt.omitted)
		}
		if n := encoded(t, pages[0]); n > tt.max && tt.name != "everything" {
			t.Errorf("%s: %d bytes, want at most %d", tt.name, n, tt.max)
		}
		if !reflect.DeepEqual(c, large(tt.occurrences, tt.attendees)) {
			t.Errorf("%s: the change given was modified", tt.name)
		}
		if n := len(got.Occurrences); n > 0 && n < tt.occurrences {
			got.Occurrences = c.Occurrences[:n+1]
			if encoded(t, []events.Change{got}) <= tt.max {
				t.Errorf("%s: room for more than %d occurrences", tt.name, n)
			}
		}
	}
}

// What was omitted before is still named, and the list given is not written to.
func TestSplitKeepsOmitted(t *testing.T) {
	c := large(100, 0)
	c.Omitted = make([]string, 1, 4)
	c.Omitted[0] = "attendees"
	pages, err := Split([]events.Change{c}, 2000)
	if err != nil || !slices.Equal(pages[0][0].Omitted, []string{"attendees", "occurrences"}) {
		t.Errorf("%v, %v", pages, err)
	}
	if spare := c.Omitted[:2][1]; spare != "" {
		t.Errorf("%q was written behind the list given", spare)
	}
}

func TestSplitRefuses(t *testing.T) {
	bad := events.Change{ItemID: "bad", Extra: events.Extra{"x": json.RawMessage("{")}}
	if pages, err := Split([]events.Change{large(1, 1), bad}, 1000); pages != nil || err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("%v, %v", pages, err)
	}
	if pages, err := Split(nil, 1000); pages != nil || err != nil {
		t.Errorf("nothing: %v, %v", pages, err)
	}
}

// Pages keep every change, in order, within the limit, and no page could take the next one's first change.
func TestSplitProperties(t *testing.T) {
	change := rapid.Custom(func(t *rapid.T) events.Change {
		return events.Change{Kind: events.KindUpdated, ItemID: rapid.StringN(1, 30, 60).Draw(t, "id"), Subject: rapid.StringN(0, 60, 200).Draw(t, "subject")}
	})
	rapid.Check(t, func(t *rapid.T) {
		changes := rapid.SliceOfN(change, 0, 30).Draw(t, "changes")
		limit := rapid.IntRange(600, 3000).Draw(t, "limit")
		pages, err := Split(changes, limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(pages...); len(changes) > 0 && !reflect.DeepEqual(got, changes) {
			t.Errorf("changes were lost, changed or moved")
		}
		for i, page := range pages {
			if n := plainSize(t, page); n > limit {
				t.Errorf("page %d has %d bytes, limit %d", i, n, limit)
			}
			if i+1 < len(pages) && plainSize(t, append(slices.Clone(page), pages[i+1][0])) <= limit {
				t.Errorf("page %d has room for the next change", i)
			}
		}
	})
}

// plainSize is what a page takes as [events.CalendarChanged] writes it.
func plainSize(t *rapid.T, changes []events.Change) int {
	with, err := events.CalendarChanged{Changes: changes}.AppendJSON(nil)
	without, err2 := events.CalendarChanged{}.AppendJSON(nil)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return len(with) - len(without)
}
