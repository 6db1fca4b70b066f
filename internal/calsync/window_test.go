package calsync

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func utcDays(from, to string) Window { return Window{at(from + "T00:00:00Z"), at(to + "T00:00:00Z")} }

func TestWindowFor(t *testing.T) {
	kiritimati := time.FixedZone("", 14*3600)
	for _, tt := range []struct {
		now          time.Time
		past, future int
		want         Window
	}{
		{at("2026-11-24T00:00:00Z"), 7, 365, utcDays("2026-11-17", "2027-11-25")},
		{at("2026-11-24T23:59:59Z"), 7, 365, utcDays("2026-11-17", "2027-11-25")},
		{at("2026-11-25T00:00:00Z"), 7, 365, utcDays("2026-11-18", "2027-11-26")},
		{time.Date(2026, 11, 25, 13, 0, 0, 0, kiritimati), 7, 365, utcDays("2026-11-17", "2027-11-25")},
		{at("2028-02-28T12:00:00Z"), 0, 1, utcDays("2028-02-28", "2028-03-01")}, // 29 February is in it
		{at("2026-11-24T12:00:00Z"), 0, 0, utcDays("2026-11-24", "2026-11-25")},
		{at("2026-11-24T12:00:00Z"), -1, -1, utcDays("2026-11-24", "2026-11-25")},
	} {
		if got := WindowFor(tt.now, tt.past, tt.future); !got.Equal(tt.want) {
			t.Errorf("%s, %d, %d: %v, want %v", tt.now, tt.past, tt.future, got, tt.want)
		}
	}
}

func TestEntered(t *testing.T) {
	old := utcDays("2026-11-17", "2026-11-25")
	for _, tt := range []struct {
		name     string
		old, now Window
		want     []Window
	}{
		{"same", old, old, nil},
		{"a day on", old, utcDays("2026-11-18", "2026-11-26"), []Window{utcDays("2026-11-25", "2026-11-26")}},
		{"a clock set back", old, utcDays("2026-11-16", "2026-11-24"), []Window{utcDays("2026-11-16", "2026-11-17")}},
		{"wider", old, utcDays("2026-11-10", "2026-12-25"), []Window{utcDays("2026-11-10", "2026-11-17"), utcDays("2026-11-25", "2026-12-25")}},
		{"narrower", old, utcDays("2026-11-18", "2026-11-20"), nil},
		{"first", Window{}, old, []Window{old}},
		{"a year later", old, utcDays("2027-11-17", "2027-11-25"), []Window{utcDays("2027-11-17", "2027-11-25")}},
		{"no window", old, Window{}, nil},
	} {
		if got := Entered(tt.old, tt.now); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if got := Rolled(tt.old, tt.now); got != (len(tt.want) > 0) {
			t.Errorf("%s: rolled %v", tt.name, got)
		}
	}
}

// Each instant of the new window is in the old one or in exactly one of the parts, and no other instant is.
func TestEnteredProperty(t *testing.T) {
	base := at("2026-01-01T00:00:00Z")
	draw := func(t *rapid.T, name string) Window {
		from := base.AddDate(0, 0, rapid.IntRange(0, 30).Draw(t, name))
		return Window{from, from.AddDate(0, 0, rapid.IntRange(0, 30).Draw(t, name+" days"))}
	}
	rapid.Check(t, func(t *rapid.T) {
		old, now := draw(t, "old"), draw(t, "now")
		x := base.Add(time.Duration(rapid.IntRange(-10, 24*70).Draw(t, "hour")) * time.Hour)
		parts := 0
		for _, p := range Entered(old, now) {
			if p.Contains(x) {
				parts++
			}
		}
		if want := now.Contains(x) && !old.Contains(x); (parts == 1) != want || parts > 1 {
			t.Errorf("%s lies in %d parts; old %v, now %v", x, parts, old, now)
		}
	})
}

func TestOverlaps(t *testing.T) {
	w := utcDays("2026-11-24", "2026-11-25")
	for _, tt := range []struct {
		start, end string
		want       bool
	}{
		{"2026-11-23T23:00:00Z", "2026-11-24T00:00:00Z", false},
		{"2026-11-23T23:00:00Z", "2026-11-24T00:00:01Z", true},
		{"2026-11-24T23:59:59Z", "2026-11-25T01:00:00Z", true},
		{"2026-11-25T00:00:00Z", "2026-11-25T01:00:00Z", false},
		{"2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", true},
		{"2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", true},
		{"2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z", false},
	} {
		if got := w.Overlaps(at(tt.start), at(tt.end)); got != tt.want {
			t.Errorf("%s to %s: %v", tt.start, tt.end, got)
		}
	}
}
