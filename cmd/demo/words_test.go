package main

import (
	"testing"
	"time"

	"roomsync/events"
)

// monday is noon of a Monday on this machine's clock.
var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)

func when(day, hour, minute int) *time.Time {
	t := time.Date(2026, 11, day, hour, minute, 0, 0, time.Local).UTC()
	return &t
}

func meeting(change func(*events.Change)) events.Change {
	c := events.Change{
		Kind: events.KindUpdated, ItemID: "x", Type: events.ItemSingle, Subject: "Budget review", Location: "Eiger",
		FreeBusy: events.Busy, Start: when(24, 10, 0), End: when(24, 11, 0),
	}
	if change != nil {
		change(&c)
	}
	return c
}

func series(change func(*events.Change)) events.Change {
	return meeting(func(c *events.Change) {
		c.Type = events.ItemMaster
		c.Recurrence = &events.Recurrence{Pattern: "weekly", DaysOfWeek: []string{"Tuesday"}}
		for _, day := range []int{24, 30} {
			c.Occurrences = append(c.Occurrences, events.Occurrence{
				Type: events.ItemOccurrence, OriginalStart: *when(day, 10, 0), Start: *when(day, 10, 0), End: *when(day, 11, 0),
			})
		}
		if change != nil {
			change(c)
		}
	})
}

func TestWords(t *testing.T) {
	allDay := func(first, end string) events.Change {
		return meeting(func(c *events.Change) { c.Subject, c.AllDay, c.StartDate, c.EndDate = "Vacation", true, first, end })
	}
	for _, c := range []struct {
		want     string
		old, now events.Change
	}{
		{"Budget review moved to Tue 10:30–11:30", meeting(nil), meeting(func(c *events.Change) { c.Start, c.End = when(24, 10, 30), when(24, 11, 30) })},
		{"Budget review moved to today 10:30–11:30", meeting(nil), meeting(func(c *events.Change) { c.Start, c.End = when(23, 10, 30), when(23, 11, 30) })},
		{"Budget review moved to Mon 30 Nov 08:00–09:00", meeting(nil), meeting(func(c *events.Change) { c.Start, c.End = when(30, 8, 0), when(30, 9, 0) })},
		{"Budget review moved to Sun 22 Nov 08:00–09:00", meeting(nil), meeting(func(c *events.Change) { c.Start, c.End = when(22, 8, 0), when(22, 9, 0) })},
		{"Budget #2, until now Budget review", meeting(nil), meeting(func(c *events.Change) { c.Subject = "Budget #2" })},
		{"Budget review now in Rigi", meeting(nil), meeting(func(c *events.Change) { c.Location = "Rigi" })},
		{"Budget review now tentative", meeting(nil), meeting(func(c *events.Change) { c.FreeBusy = events.Tentative })},
		{"Budget review edited", meeting(nil), meeting(nil)},
		{"Budget review cancelled", meeting(nil), events.Change{Kind: events.KindDeleted}},
		{"Vacation moved to Wed, all day", allDay("2026-11-24", "2026-11-25"), allDay("2026-11-25", "2026-11-26")},
		{"Vacation moved to Wed to Fri", allDay("2026-11-24", "2026-11-25"), allDay("2026-11-25", "2026-11-28")},
		{"Budget review edited", series(nil), series(nil)},
		{"Budget review of Tue moved to Tue 15:00–16:00", series(nil), series(func(c *events.Change) {
			c.Occurrences[0].Start, c.Occurrences[0].End = *when(24, 15, 0), *when(24, 16, 0)
		})},
		{"Budget review of Tue edited", series(nil), series(func(c *events.Change) { c.Occurrences[0].Subject = "other" })},
		{"Budget review of Mon 30 Nov cancelled", series(nil), series(func(c *events.Change) { c.Occurrences = c.Occurrences[:1] })},
		{"Budget review: 2 meetings of the series changed", series(nil), series(func(c *events.Change) { c.Occurrences[0].Location, c.Occurrences = "Rigi", c.Occurrences[:1] })},
	} {
		old := remember(c.old)
		if got := words(c.now, &old, monday); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestWords_OfWhatWasNotKnown(t *testing.T) {
	for want, c := range map[string]events.Change{
		"Budget review added, Tue 10:00–11:00":         meeting(nil),
		"Budget review added, weekly":                  series(nil),
		"an appointment cancelled":                     {Kind: events.KindDeleted},
		"a private appointment added, Tue 10:00–11:00": meeting(func(c *events.Change) { c.Subject, c.Sensitivity = "", events.Private }),
		"an appointment added, Tue 10:00–11:00":        meeting(func(c *events.Change) { c.Subject = "" }),
		"Budget review added, an unknown time":         meeting(func(c *events.Change) { c.Start, c.End = nil, nil }),
	} {
		if got := words(c, nil, monday); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
