package ews

import (
	"bytes"
	"context"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// maxChanges is the most that MaxChangesReturned allows (types.xsd, MaxSyncChangesReturnedType; MS-OXWSSYNC_R470).
const maxChanges = 512

var syncFolderItems = newOperation("SyncFolderItems")

// Probe implements calsync.Reader by SyncFolderItems. An item that is no CalendarItem is reported only when it is
// deleted, and changes of the read flag are not reported at all.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/syncfolderitems-operation
func (c *Client) Probe(ctx context.Context, t calsync.Target, cursor string, most int) (calsync.Delta, error) {
	if most < 1 || most > maxChanges {
		most = c.opt.PageSize
	}
	var delta calsync.Delta
	err := c.one(ctx, call{op: syncFolderItems, target: t, body: func(r *request) { r.syncFolderItems(t.Folder, cursor, most) }}, func(m *message) (fault *calsync.Fault) {
		delta, fault = m.delta()
		return fault
	})
	switch {
	case err != nil:
		return calsync.Delta{}, err
	case delta.More && delta.Cursor == cursor && len(delta.Changes) == 0:
		return calsync.Delta{}, malformed(syncFolderItems, "more changes are announced, but neither changes nor a new cursor are given")
	}
	return delta, nil
}

func (r *request) syncFolderItems(folder, cursor string, most int) {
	r.raw(`<m:SyncFolderItems>`)
	r.properties(nil)
	r.raw(`<m:SyncFolderId>`)
	r.folder(folder)
	r.raw(`</m:SyncFolderId>`)
	if cursor != "" {
		r.raw(`<m:SyncState>`)
		r.text(cursor)
		r.raw(`</m:SyncState>`)
	}
	r.raw(`<m:MaxChangesReturned>`)
	r.int(most)
	r.raw(`</m:MaxChangesReturned></m:SyncFolderItems>`)
}

// delta reads a SyncFolderItemsResponseMessage.
func (m *message) delta() (calsync.Delta, *calsync.Fault) {
	var delta calsync.Delta
	var last, lastGiven, changesGiven bool
	for d := m.Depth(); m.next(d); {
		switch {
		case m.Is(soap.NSMessages, "SyncState"):
			delta.Cursor = m.String()
		case m.Is(soap.NSMessages, "IncludesLastItemInRange"):
			last, lastGiven = m.Bool()
		case m.Is(soap.NSMessages, "Changes"):
			changesGiven = true
			delta.Changes = m.changes()
		}
	}
	if f := m.fault(); f != nil {
		return calsync.Delta{}, f
	}
	if delta.Cursor == "" || !lastGiven || !changesGiven {
		m.lacking("SyncState, IncludesLastItemInRange or Changes")
	}
	delta.More = !last
	return delta, nil
}

func (m *message) changes() []calsync.ItemChange {
	var changes []calsync.ItemChange
	for d := m.Depth(); m.Child(d); {
		if m.Space() != soap.NSTypes {
			continue
		}
		change := calsync.ItemChange{}
		switch string(m.Local()) {
		case "Create":
			change.Kind = calsync.Created
		case "Update":
			change.Kind = calsync.Updated
		case "Delete":
			change.Kind = calsync.Deleted
		default:
			continue
		}
		if m.change(&change) {
			changes = append(changes, change)
		}
	}
	return changes
}

// change reads one change and says whether it is one to report.
func (m *message) change(c *calsync.ItemChange) bool {
	found := false
	for d := m.Depth(); m.Child(d); {
		switch {
		case c.Kind == calsync.Deleted && m.Is(soap.NSTypes, "ItemId"):
			c.ID, found = string(m.Attr("Id")), true
		case c.Kind != calsync.Deleted && m.Is(soap.NSTypes, "CalendarItem"):
			found = true
			for d := m.Depth(); m.Child(d); {
				if m.Is(soap.NSTypes, "ItemId") {
					c.ID, c.ChangeKey = itemID(m.Scanner)
				}
			}
		}
	}
	if found && c.ID == "" {
		m.lacking("an ItemId in each change")
	}
	return found
}

// itemID returns the Id and the ChangeKey of the current element. Ids are opaque and case-sensitive (MS-OXWSCORE_R157,
// R159: at least 512 bytes must fit).
func itemID(s *soap.Scanner) (id, changeKey string) {
	a, b := s.Attr("Id"), s.Attr("ChangeKey")
	both := string(append(append(make([]byte, 0, 256), a...), bytes.TrimSpace(b)...))
	return both[:len(a)], both[len(a):]
}
