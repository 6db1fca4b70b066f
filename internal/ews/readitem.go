package ews

import (
	"context"
	"errors"
	"slices"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// held are the properties of a calsync.Held.
var (
	held   = append(slices.Clone(full), heldOnly...)
	held07 = append(slices.Clone(full07), heldOnly...)

	heldOnly = []string{"item:Body", "item:Categories", "item:ReminderIsSet", "item:ReminderMinutesBeforeStart", "item:ParentFolderId"}
)

// Read implements calsync.Writer by GetItem, in batches of Options.GetBatch. Bodies come in the richest form that the server
// has, which is that in which they were written.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/getitem-operation
func (c *Client) Read(ctx context.Context, t calsync.Target, ids []string) ([]calsync.HeldResult, error) {
	return inBatches(ctx, c, t, ids, (*request).readItem, (*message).held)
}

func (r *request) readItem(ids []string) {
	r.raw(`<m:GetItem>`)
	r.itemShape(held, held07, bookingIDPath, revisionPath)
	r.itemIDs(ids, itemIDElement)
	r.raw(`</m:GetItem>`)
}

// held reads a GetItemResponseMessage.
func (m *message) held() calsync.HeldResult {
	var result calsync.HeldResult
	fault := m.calendarItem(func(s *soap.Scanner) (err error) {
		result.Held, err = readHeld(s)
		return err
	})
	if fault != nil {
		return calsync.HeldResult{Err: fault}
	}
	return result
}

// readHeld reads the current CalendarItem element and goes to its end, as readAppointment does.
func readHeld(s *soap.Scanner) (calsync.Held, error) {
	var h calsync.Held
	var reminds bool
	r := reader{Scanner: s}
	for d := s.Depth(); s.Child(d); {
		if s.Space() != soap.NSTypes {
			continue
		}
		switch string(s.Local()) {
		case "Body":
			h.Body = r.readBody()
		case "Categories":
			h.Categories = r.strings()
		case "ReminderIsSet":
			reminds = r.boolean("ReminderIsSet")
		case "ReminderMinutesBeforeStart":
			minutes := r.number("ReminderMinutesBeforeStart")
			h.Reminder = &minutes
		case "ParentFolderId":
			h.Folder = string(r.Attr("Id"))
		default:
			r.property(&h.Appointment)
		}
	}
	if !reminds {
		h.Reminder = nil // Exchange goes on to tell the minutes
	}
	if r.err == nil && h.ID == "" {
		r.err = errors.New("a calendar item without an ItemId")
	}
	return h, r.err
}

func (r *reader) readBody() calsync.Body {
	html := string(r.Attr("BodyType")) == "HTML"
	return calsync.Body{HTML: html, Text: r.String()}
}

// strings reads an ArrayOfStringsType.
func (r *reader) strings() []string {
	var list []string
	for d := r.Depth(); r.Child(d); {
		if r.Is(soap.NSTypes, "String") {
			list = append(list, r.String())
		}
	}
	return list
}
