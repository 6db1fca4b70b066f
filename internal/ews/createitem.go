package ews

import (
	"context"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

var createItem = newWrite("CreateItem")

// Create implements calsync.Writer by CreateItem.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/createitem-operation
func (c *Client) Create(ctx context.Context, t calsync.Target, d calsync.Draft) (calsync.Written, error) {
	return c.write(ctx, call{op: createItem, target: t, body: func(r *request) { r.createItem(t.Folder, &d) }})
}

// write makes a request that changes one item and answers with its id.
func (c *Client) write(ctx context.Context, call call) (calsync.Written, error) {
	var written calsync.Written
	err := c.one(ctx, call, func(m *message) (fault *calsync.Fault) {
		written, fault = m.written()
		return fault
	})
	if err != nil {
		return calsync.Written{}, err
	}
	return written, nil
}

func (r *request) createItem(folder string, d *calsync.Draft) {
	r.raw(`<m:CreateItem SendMeetingInvitations="`)
	r.raw(recipients(d.Notify && len(d.Content.Attendees) > 0))
	r.raw(`"><m:SavedItemFolderId>`)
	r.folder(folder)
	r.raw(`</m:SavedItemFolderId><m:Items><t:CalendarItem>`)
	r.newFields(early, &d.Content)
	r.ownProperty(bookingIDPath, d.BookingID)
	r.ownProperty(revisionPath, decimal(d.Revision))
	r.newFields(late, &d.Content)
	r.newFields(r.zoneFields(), &d.Content)
	r.raw(`</t:CalendarItem></m:Items></m:CreateItem>`)
}

// recipients says who is written to. It is a value of CalendarItemCreateOrDeleteOperationType, and of
// CalendarItemUpdateOperationType (MS-OXWSMTGS 2.2.5.1, 2.2.5.3).
func recipients(all bool) string {
	if all {
		return "SendToAllAndSaveCopy"
	}
	return "SendToNone"
}

func (r *request) newFields(fields []field, c *calsync.Content) {
	for _, f := range fields {
		if f.empty == nil || !f.empty(c) {
			f.write(r, c)
		}
	}
}

// written reads an ItemInfoResponseMessage with the id of one item. Without it the outcome is unknown.
func (m *message) written() (calsync.Written, *calsync.Fault) {
	var w calsync.Written
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "Items") {
			continue
		}
		for d := m.Depth(); m.Child(d); {
			for d := m.Depth(); m.Child(d); {
				if m.Is(soap.NSTypes, "ItemId") {
					w.ItemID, w.ChangeKey = itemID(m.Scanner)
				}
			}
		}
	}
	if f := m.fault(); f != nil {
		return calsync.Written{}, f
	}
	if w.ItemID == "" || w.ChangeKey == "" {
		m.lacking("an ItemId with a ChangeKey")
	}
	return w, nil
}
