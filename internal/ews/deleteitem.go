package ews

import (
	"context"

	"roomsync/internal/calsync"
)

var deleteItem = newWrite("DeleteItem")

// Delete implements calsync.Writer: by DeleteItem into the deleted items, or, where the attendees are to be told something, by
// CreateItem with a CancelCalendarItem, which moves the item there too. A message is for those who are written to: without
// Notify it goes to nobody.
//
// The change key goes along, but no server promises to compare it: what is deleted may have changed since.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/exchange-web-services/how-to-delete-appointments-and-cancel-meetings-by-using-ews-in-exchange
func (c *Client) Delete(ctx context.Context, t calsync.Target, d calsync.Deletion) error {
	if d.Notify && d.Message != "" {
		return c.one(ctx, call{op: createItem, target: t, body: func(r *request) { r.cancelCalendarItem(&d) }}, (*message).done)
	}
	return c.one(ctx, call{op: deleteItem, target: t, body: func(r *request) { r.deleteItem(&d) }}, (*message).done)
}

func (r *request) deleteItem(d *calsync.Deletion) {
	r.raw(`<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="`)
	r.raw(recipients(d.Notify))
	r.raw(`"><m:ItemIds>`)
	r.itemID("ItemId", d.ItemID, d.ChangeKey)
	r.raw(`</m:ItemIds></m:DeleteItem>`)
}

// cancelCalendarItem writes a response object. It is a message, so it needs a disposition and not SendMeetingInvitations
// (MS-OXWSMTGS_R1342).
func (r *request) cancelCalendarItem(d *calsync.Deletion) {
	r.raw(`<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:CancelCalendarItem>`)
	r.itemID("ReferenceItemId", d.ItemID, d.ChangeKey)
	r.raw(`<t:NewBodyContent BodyType="Text">`)
	r.text(d.Message)
	r.raw(`</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>`)
}

// done reads a response message that says only whether it was done.
func (m *message) done() *calsync.Fault {
	for d := m.Depth(); m.next(d); {
	}
	return m.fault()
}
