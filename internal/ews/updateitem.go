package ews

import (
	"context"
	"slices"

	"roomsync/internal/calsync"
)

var updateItem = newWrite("UpdateItem")

// Update implements calsync.Writer by UpdateItem with the conflict resolution NeverOverwrite, which fails with
// ErrorIrresolvableConflict when the item is no longer at the change key (MS-OXWSCORE_R580).
//
// A draft without a booking id is of one meeting of a series: the zone is the series', and so are our properties; and a server
// refuses to delete the recurrence of a meeting, while it bears that of a single appointment
// (https://github.com/mustang-im/mustang/pull/536).
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/updateitem-operation
func (c *Client) Update(ctx context.Context, t calsync.Target, d calsync.Draft) (calsync.Written, error) {
	return c.write(ctx, call{op: updateItem, target: t, body: func(r *request) { r.updateItem(&d) }})
}

func (r *request) updateItem(d *calsync.Draft) {
	r.raw(`<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="`)
	r.raw(recipients(d.Notify))
	r.raw(`"><m:ItemChanges><t:ItemChange>`)
	r.itemID("ItemId", d.ItemID, d.ChangeKey)
	r.raw(`<t:Updates>`)
	empty := len(r.buf)
	r.updates(early, d)
	if d.BookingID != "" {
		r.setOwnProperty(bookingIDPath, d.BookingID)
		r.setOwnProperty(revisionPath, decimal(d.Revision))
	}
	r.updates(late, d)
	r.updates(r.zoneFields(), d) // always with start and end: alone, a new zone would move them
	if len(r.buf) == empty {
		r.refuse("an update that changes nothing")
	}
	r.raw(`</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`)
}

// itemID writes an id. Without a change key the server says whether it needs one.
func (r *request) itemID(name, id, changeKey string) {
	r.raw(`<t:`)
	r.raw(name)
	r.raw(` Id="`)
	r.text(id)
	if changeKey != "" {
		r.raw(`" ChangeKey="`)
		r.text(changeKey)
	}
	r.raw(`"/>`)
}

// updates writes the changes of those fields that belong to the draft's parts.
func (r *request) updates(fields []field, d *calsync.Draft) {
	for _, f := range fields {
		if f.series && d.BookingID == "" || !slices.Contains(d.Parts, f.part) {
			continue
		}
		empty := f.empty != nil && f.empty(&d.Content)
		switch {
		case !empty:
			r.setField(f, &d.Content)
		case !f.keep:
			r.raw(`<t:DeleteItemField><t:FieldURI FieldURI="`)
			r.raw(f.uri)
			r.raw(`"/></t:DeleteItemField>`)
		}
	}
}

func (r *request) setField(f field, c *calsync.Content) {
	r.raw(`<t:SetItemField><t:FieldURI FieldURI="`)
	r.raw(f.uri)
	r.raw(`"/><t:CalendarItem>`)
	f.write(r, c)
	r.raw(`</t:CalendarItem></t:SetItemField>`)
}
