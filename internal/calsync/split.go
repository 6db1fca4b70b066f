package calsync

import (
	"fmt"
	"slices"
	"sort"

	"roomsync/events"
)

// What can be left out of a change that is too large, in this order.
const (
	omitAttendees   = "attendees"
	omitOccurrences = "occurrences"
	omitLocation    = "location"
	omitSubject     = "subject"
)

// Split distributes changes, in their order, over pages of at most maxBytes of JSON each (the changes and the commas
// between them; what stands around them is the caller's to allow for). It fails for a change that cannot be encoded.
//
// A change that is larger by itself loses its attendees, if that is not enough as many of its last occurrences as need
// be, then its location and its subject. [events.Change].Omitted says which; a change never loses anything silently.
// One that is still too large gets a page of its own, larger than maxBytes. The changes given are not modified.
func Split(changes []events.Change, maxBytes int) ([][]events.Change, error) {
	var pages [][]events.Change
	var buf []byte
	room := 0 // left on the last page
	for _, c := range changes {
		var err error
		if buf, err = c.AppendJSON(buf[:0]); err != nil {
			return nil, fmt.Errorf("change of item %s: %w", c.ItemID, err)
		}
		n := len(buf)
		if n > maxBytes {
			c = shrink(c, maxBytes)
			n = size(c)
		}
		if len(pages) == 0 || n+len(",") > room {
			pages = append(pages, nil)
			room = maxBytes + len(",")
		}
		last := &pages[len(pages)-1]
		*last = append(*last, c)
		room -= n + len(",")
	}
	return pages, nil
}

// size is that of a change that is known to encode.
func size(c events.Change) int {
	b, _ := c.AppendJSON(nil)
	return len(b)
}

func shrink(c events.Change, maxBytes int) events.Change {
	c.Omitted = slices.Clone(c.Omitted)
	for _, step := range []struct {
		name  string
		has   bool
		leave func(*events.Change, int)
	}{
		{omitAttendees, len(c.Attendees) > 0, func(c *events.Change, _ int) { c.Attendees = nil }},
		{omitOccurrences, len(c.Occurrences) > 0, leaveOccurrences},
		{omitLocation, c.Location != "", func(c *events.Change, _ int) { c.Location = "" }},
		{omitSubject, c.Subject != "", func(c *events.Change, _ int) { c.Subject = "" }},
	} {
		if size(c) <= maxBytes {
			break
		}
		if step.has {
			c.Omitted = append(c.Omitted, step.name)
			step.leave(&c, maxBytes)
		}
	}
	return c
}

// leaveOccurrences keeps as many of the first occurrences as fit.
func leaveOccurrences(c *events.Change, maxBytes int) {
	all := c.Occurrences
	tooMany := sort.Search(len(all), func(n int) bool {
		c.Occurrences = all[:n+1]
		return size(*c) > maxBytes
	})
	c.Occurrences = slices.Clip(all[:tooMany])
}
