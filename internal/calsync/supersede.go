package calsync

import "roomsync/events"

// Fate says what is to be done about one event of a batch.
type Fate string

// The fates.
const (
	Do         Fate = "do"         // decide on it and do it, in the batch's order
	Superseded Fate = "superseded" // answer it as applied, superseded
	Stale      Fate = "stale"      // answer it as rejected, stale
	Bad        Fate = "invalid"    // answer it as rejected, invalid, with its faults
)

// Incoming is an event of a batch, parsed.
type Incoming struct {
	Booking Booking
	Faults  []events.Invalid
}

// Supersede says what is to be done about each event of a batch, in the order in which the queue has them. Of each
// booking only the highest valid revision is done; those before it are superseded, those after it and those at or below
// the revision that was answered last are stale. The booking that is done has those superseded as Earlier.
func Supersede(batch []Incoming, answered func(bookingID string) int64) []Fate {
	best := map[string]int{} // booking → position of what is done
	for i, in := range batch {
		id := in.Booking.ID
		if j, ok := best[id]; len(in.Faults) == 0 && in.Booking.Revision > answered(id) && (!ok || in.Booking.Revision > batch[j].Booking.Revision) {
			best[id] = i
		}
	}
	fates := make([]Fate, len(batch))
	for i, in := range batch {
		j, ok := best[in.Booking.ID]
		switch {
		case len(in.Faults) > 0:
			fates[i] = Bad
		case !ok, i > j, in.Booking.Revision <= answered(in.Booking.ID):
			fates[i] = Stale
		case i == j:
			fates[i] = Do
		default:
			fates[i] = Superseded
			batch[j].Booking.Earlier = append(batch[j].Booking.Earlier, in.Booking)
		}
	}
	return fates
}
