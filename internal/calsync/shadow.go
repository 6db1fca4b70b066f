package calsync

import (
	"maps"
	"slices"

	"roomsync/events"
)

// Shadow is what ROOMS has been told exists in one calendar: item id → change key last told, of single appointments
// and masters. As JSON it is one object, sorted by id, so that equal shadows are equal bytes. The zero value is empty
// and ready for use.
type Shadow map[string]string

// Apply follows the changes that ROOMS is being told. It is idempotent.
func (s *Shadow) Apply(changes []events.Change) {
	if *s == nil {
		*s = make(Shadow, len(changes))
	}
	for _, c := range changes {
		if c.Kind == events.KindDeleted {
			delete(*s, c.ItemID)
		} else {
			(*s)[c.ItemID] = c.ChangeKey
		}
	}
}

// Missing returns the ids, sorted, that ROOMS knows and a listing lacks. They are candidates, no more: absence is not
// deletion. The listing must be complete (every page of a [Reader.Probe] from the empty cursor, as the listing of a
// window names no masters), and each candidate must be read and not found before ROOMS is told that it is gone.
func (s Shadow) Missing(listed map[string]string) []string {
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(s)) {
		if _, ok := listed[id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing
}
