package calsync

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"roomsync/events"
)

// Series returns the change for a series: its master with Recurrence, and each of its meetings that overlaps w, by
// original start. The meetings are found in a complete listing of w by the UID that all of a series share; what else
// stands in the listing is ignored. A meeting carries what differs from the master. What is private in the master is
// private in its meetings.
// kind is [events.KindCreated] or [events.KindUpdated]; either way the series is told as a whole.
func Series(kind string, master Appointment, listed []Appointment, w Window, f Fields) events.Change {
	c := Describe(kind, master, f)
	c.Type = events.ItemMaster
	if master.UID == "" {
		return c // nothing tells its meetings from others
	}
	seen := map[string]bool{} // listings that were put together of several may name one twice
	for _, a := range listed {
		if a.UID == master.UID && meeting(a) && w.Overlaps(a.Start, a.End) && !seen[a.ID] {
			seen[a.ID] = true
			c.Occurrences = append(c.Occurrences, occurrence(master, a, f))
		}
	}
	slices.SortFunc(c.Occurrences, func(a, b events.Occurrence) int {
		return cmp.Or(a.OriginalStart.Compare(b.OriginalStart), strings.Compare(a.ItemID, b.ItemID))
	})
	return c
}

func meeting(a Appointment) bool { return a.Type == Occurrence || a.Type == Exception }

func occurrence(master, a Appointment, f Fields) events.Occurrence {
	o := events.Occurrence{
		ItemID: a.ID, Type: string(a.Type), OriginalStart: originalStart(a),
		Start: a.Start.UTC(), End: a.End.UTC(), Cancelled: a.Cancelled,
	}
	if a.FreeBusy != master.FreeBusy {
		o.FreeBusy = freeBusy(a.FreeBusy)
	}
	if private(master) || private(a) {
		return o
	}
	if f.Has(FieldSubject) {
		o.Subject = differing(&o, "subject", a.Subject, master.Subject)
	}
	if f.Has(FieldLocation) {
		o.Location = differing(&o, "location", a.Location, master.Location)
	}
	return o
}

// differing is what a meeting has instead of its series' text. Only an exception can have lost it: for a plain
// occurrence an empty text means that the listing did not give it.
func differing(o *events.Occurrence, name, here, series string) string {
	if here == series {
		return ""
	}
	if here == "" && o.Type == events.ItemException {
		o.Cleared = append(o.Cleared, name)
	}
	return here
}

// originalStart falls back to the start, which is the same for a meeting that was not moved.
func originalStart(a Appointment) time.Time {
	if a.RecurrenceID.IsZero() {
		return a.Start.UTC()
	}
	return a.RecurrenceID.UTC()
}
