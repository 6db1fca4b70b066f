package ews

import (
	"context"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

var getFolder = newOperation("GetFolder")

// Folder is a calendar folder.
type Folder struct {
	ID, ChangeKey string
	Name          string // as shown to people, in the mailbox's language
	Class         string // "IPF.Appointment" for calendars
	Items         int    // how many it holds
	Rights        calsync.Rights
}

// Rights implements calsync.Reader by GetFolder.
func (c *Client) Rights(ctx context.Context, t calsync.Target) (calsync.Rights, error) {
	f, err := c.GetFolder(ctx, t)
	return f.Rights, err
}

// GetFolder reads the target's calendar folder. It is the cheapest question that shows whether a mailbox is there
// and may be read.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/getfolder-operation
func (c *Client) GetFolder(ctx context.Context, t calsync.Target) (Folder, error) {
	var folder Folder
	err := c.one(ctx, call{op: getFolder, target: t, body: func(r *request) { r.getFolder(t.Folder) }}, func(m *message) (fault *calsync.Fault) {
		folder, fault = m.folder()
		return fault
	})
	if err != nil {
		return Folder{}, err
	}
	return folder, nil
}

func (r *request) getFolder(folder string) {
	r.raw(`<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties>` +
		`<t:FieldURI FieldURI="folder:FolderClass"/><t:FieldURI FieldURI="folder:EffectiveRights"/></t:AdditionalProperties></m:FolderShape><m:FolderIds>`)
	r.folder(folder)
	r.raw(`</m:FolderIds></m:GetFolder>`)
}

// folder reads a GetFolderResponseMessage. The element's name tells the folder's type; any will do.
func (m *message) folder() (Folder, *calsync.Fault) {
	var folder Folder
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "Folders") {
			continue
		}
		if m.Child(m.Depth()) {
			folder = m.folderProperties()
		}
	}
	if f := m.fault(); f != nil {
		return Folder{}, f
	}
	if folder.ID == "" {
		m.lacking("a FolderId")
	}
	return folder, nil
}

func (m *message) folderProperties() Folder {
	var folder Folder
	for d := m.Depth(); m.Child(d); {
		if m.Space() != soap.NSTypes {
			continue
		}
		switch string(m.Local()) {
		case "FolderId":
			folder.ID, folder.ChangeKey = itemID(m.Scanner)
		case "FolderClass":
			folder.Class = m.String()
		case "DisplayName":
			folder.Name = m.String()
		case "TotalCount":
			folder.Items, _ = m.Int()
		case "EffectiveRights":
			folder.Rights = m.effectiveRights()
		}
	}
	return folder
}

// effectiveRights reads what the caller may do. Of a folder, Modify and Delete are about the folder itself.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/effectiverights
func (m *message) effectiveRights() calsync.Rights {
	rights := calsync.Rights{Told: true}
	for d := m.Depth(); m.Child(d); {
		if m.Space() != soap.NSTypes {
			continue
		}
		switch string(m.Local()) {
		case "Read":
			rights.Read, _ = soap.ParseBool(m.Bytes())
		case "CreateContents":
			rights.Create, _ = soap.ParseBool(m.Bytes())
		}
	}
	return rights
}
