package ews

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

const (
	// bookingPage is within the 250 that a server returns at once where there is a restriction.
	bookingPage = 100
	// maxBookingPages bounds a search: nobody has as many copies of one appointment.
	maxBookingPages = 50
)

// carrier is an item that carries our property.
type carrier struct {
	id      string
	created time.Time
}

// Find implements calsync.Writer: by FindItem with a restriction on our own property, over all its pages, and GetItem for what was
// found. Occurrences do not show in such a search, only their series. Items made in the same second come in the order of their ids,
// which has no meaning but is the same each time.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/isequalto
func (c *Client) Find(ctx context.Context, t calsync.Target, bookingID string) ([]calsync.Held, error) {
	if bookingID == "" {
		return nil, nil // an empty value would find nothing, or everything
	}
	carriers, err := c.carriers(ctx, t, bookingID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(carriers))
	for i, found := range carriers {
		ids[i] = found.id
	}
	results, err := c.Read(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	return onlyOf(results, bookingID)
}

// onlyOf drops items that went away since they were listed, and those whose id differs in case only: Exchange compares texts
// without regard to it.
func onlyOf(results []calsync.HeldResult, bookingID string) ([]calsync.Held, error) {
	var found []calsync.Held
	for _, r := range results {
		switch {
		case r.Err != nil && r.Err.Code == ErrorItemNotFound:
		case r.Err != nil:
			return nil, r.Err
		case r.Held.BookingID == bookingID:
			found = append(found, r.Held)
		}
	}
	return found, nil
}

// carriers lists the items that carry the booking's id, oldest first.
func (c *Client) carriers(ctx context.Context, t calsync.Target, bookingID string) ([]carrier, error) {
	var all []carrier
	for offset, pages := 0, 0; ; pages++ {
		if pages == maxBookingPages {
			return nil, malformed(findItem, "a search that does not come to an end")
		}
		var page bookingPageAnswer
		err := c.one(ctx, call{op: findItem, target: t, body: func(r *request) { r.findBooking(t.Folder, bookingID, offset) }},
			func(m *message) (fault *calsync.Fault) {
				page, fault = m.carriers()
				return fault
			})
		if err != nil {
			return nil, err
		}
		all = append(all, page.found...)
		next := orNext(page.next, offset+len(page.found))
		if page.last {
			return oldestFirst(all), nil
		}
		if next <= offset {
			return nil, malformed(findItem, "more items are announced, but none are given")
		}
		offset = next
	}
}

// orNext is the offset that the server names, or the one that follows from what it gave.
func orNext(told, counted int) int {
	if told > 0 {
		return told
	}
	return counted
}

// oldestFirst sorts, and drops those that two pages have, as happens when something is created between them.
func oldestFirst(all []carrier) []carrier {
	slices.SortFunc(all, func(a, b carrier) int {
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.id, b.id))
	})
	return slices.CompactFunc(all, func(a, b carrier) bool { return a.id == b.id })
}

func (r *request) findBooking(folder, bookingID string, offset int) {
	r.raw(`<m:FindItem Traversal="Shallow">`)
	r.properties([]string{"item:DateTimeCreated"})
	r.raw(`<m:IndexedPageItemView MaxEntriesReturned="`)
	r.int(bookingPage)
	r.raw(`" Offset="`)
	r.int(offset)
	r.raw(`" BasePoint="Beginning"/><m:Restriction><t:IsEqualTo>`)
	r.raw(bookingIDPath)
	r.raw(`<t:FieldURIOrConstant><t:Constant Value="`)
	r.text(bookingID)
	r.raw(`"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>` +
		`<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="item:DateTimeCreated"/></t:FieldOrder></m:SortOrder><m:ParentFolderIds>`)
	r.folder(folder)
	r.raw(`</m:ParentFolderIds></m:FindItem>`)
}

type bookingPageAnswer struct {
	found []carrier
	next  int // IndexedPagingOffset, 0 when not given
	last  bool
}

// carriers reads a FindItemResponseMessage. Whatever is no appointment, such as a message that somebody dragged into the calendar,
// counts for nothing.
func (m *message) carriers() (bookingPageAnswer, *calsync.Fault) {
	var page bookingPageAnswer
	rooted := false
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "RootFolder") {
			continue
		}
		rooted = true
		page.last, _ = soap.ParseBool(m.Attr("IncludesLastItemInRange"))
		page.next, _ = digits(m.Attr("IndexedPagingOffset"))
		page.found = m.carrierItems()
	}
	if f := m.fault(); f != nil {
		return bookingPageAnswer{}, f
	}
	if !rooted {
		m.lacking("RootFolder")
	}
	return page, nil
}

func (m *message) carrierItems() []carrier {
	var found []carrier
	for d := m.Depth(); m.Child(d); {
		for d := m.Depth(); m.Child(d); {
			if m.Is(soap.NSTypes, "CalendarItem") {
				found = append(found, m.carrier())
			}
		}
	}
	return found
}

func (m *message) carrier() carrier {
	var c carrier
	r := reader{Scanner: m.Scanner}
	for d := m.Depth(); m.Child(d); {
		switch {
		case m.Is(soap.NSTypes, "ItemId"):
			c.id, _ = itemID(m.Scanner)
		case m.Is(soap.NSTypes, "DateTimeCreated"):
			c.created = r.time("DateTimeCreated")
		}
	}
	if c.id == "" || r.err != nil {
		m.lacking("an ItemId and a DateTimeCreated that can be read")
	}
	return c
}
