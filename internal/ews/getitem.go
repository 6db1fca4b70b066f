package ews

import (
	"context"
	"errors"
	"slices"
	"strings"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

var getItem = newOperation("GetItem")

// The two ways to name an item, up to the id.
const (
	itemIDElement   = `<t:ItemId Id="`
	masterIDElement = `<t:RecurringMasterItemId OccurrenceId="`
)

// listed are the properties that FindItem may return; full are all those of a calsync.Appointment.
// Servers of 2007 know the zone only as MeetingTimeZone.
var (
	listed = []string{"item:Subject", "item:Sensitivity", "item:LastModifiedTime", "calendar:UID", "calendar:RecurrenceId",
		"calendar:Start", "calendar:End", "calendar:IsAllDayEvent", "calendar:LegacyFreeBusyStatus", "calendar:Location",
		"calendar:IsCancelled", "calendar:CalendarItemType", "calendar:Organizer", "calendar:StartTimeZone", "calendar:EndTimeZone"}
	full     = append(slices.Clone(listed), "calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Resources", "calendar:Recurrence", "calendar:ModifiedOccurrences", "calendar:DeletedOccurrences")
	listed07 = of2007(listed)
	full07   = of2007(full)
)

// of2007 replaces the properties that came with Exchange 2010.
func of2007(uris []string) []string {
	uris = slices.DeleteFunc(slices.Clone(uris), func(uri string) bool {
		return strings.HasSuffix(uri, "TimeZone") || uri == "item:LastModifiedTime"
	})
	return append(uris, "calendar:MeetingTimeZone")
}

func (r *request) itemShape(uris, uris2007 []string, paths ...string) {
	if strings.HasPrefix(r.schema, "Exchange2007") {
		uris = uris2007
	}
	r.properties(uris, paths...)
}

// Get implements calsync.Reader by GetItem, in batches of Options.GetBatch.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/getitem-operation
func (c *Client) Get(ctx context.Context, t calsync.Target, ids []string) ([]calsync.Result, error) {
	return c.getItems(ctx, t, ids, itemIDElement)
}

// Masters implements calsync.Reader by GetItem with a RecurringMasterItemId.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/recurringmasteritemid
func (c *Client) Masters(ctx context.Context, t calsync.Target, occurrenceIDs []string) ([]calsync.Result, error) {
	return c.getItems(ctx, t, occurrenceIDs, masterIDElement)
}

func (c *Client) getItems(ctx context.Context, t calsync.Target, ids []string, element string) ([]calsync.Result, error) {
	return inBatches(ctx, c, t, ids, func(r *request, batch []string) { r.getItem(batch, element) }, (*message).item)
}

// inBatches makes as many GetItem requests as the ids need and returns one result for each of them.
func inBatches[R any](ctx context.Context, c *Client, t calsync.Target, ids []string, ask func(*request, []string), read func(*message) R) ([]R, error) {
	results := make([]R, 0, len(ids))
	for batch := range slices.Chunk(ids, c.opt.GetBatch) {
		before := len(results)
		err := c.do(ctx, call{op: getItem, target: t,
			body:   func(r *request) { ask(r, batch) },
			answer: func(m *message) { results = append(results, read(m)) },
		})
		if err != nil {
			return nil, err
		}
		if len(results)-before != len(batch) {
			return nil, malformed(getItem, "not one response message for each item")
		}
	}
	return results, nil
}

func (r *request) getItem(ids []string, element string) {
	r.raw(`<m:GetItem>`)
	r.itemShape(full, full07, bookingIDPath, revisionPath)
	r.itemIDs(ids, element)
	r.raw(`</m:GetItem>`)
}

func (r *request) itemIDs(ids []string, element string) {
	r.raw(`<m:ItemIds>`)
	for _, id := range ids {
		r.raw(element)
		r.text(id)
		r.raw(`"/>`)
	}
	r.raw(`</m:ItemIds>`)
}

// item reads a GetItemResponseMessage.
func (m *message) item() calsync.Result {
	var result calsync.Result
	fault := m.calendarItem(func(s *soap.Scanner) (err error) {
		result.Appointment, err = readAppointment(s)
		return err
	})
	if fault != nil {
		return calsync.Result{Err: fault}
	}
	return result
}

// calendarItem reads the one item of a GetItemResponseMessage. An item that cannot be read is a fault of its own, not of the
// batch.
func (m *message) calendarItem(read func(*soap.Scanner) error) *calsync.Fault {
	err := errors.New("a GetItemResponseMessage without a calendar item")
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "Items") {
			continue
		}
		for d := m.Depth(); m.Child(d); {
			if m.Is(soap.NSTypes, "CalendarItem") {
				err = read(m.Scanner)
			}
		}
	}
	f := m.fault()
	if f == nil && err != nil {
		f = m.exchange.fault(calsync.FaultMalformed)
		f.Status, f.Err = 200, err
	}
	return f
}
