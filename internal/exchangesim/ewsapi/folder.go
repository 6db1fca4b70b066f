package ewsapi

import (
	"slices"
	"strings"

	"roomsync/internal/exchangesim/store"
)

// folder finds the folder that a FolderId or DistinguishedFolderId names and checks the caller's rights.
func (r *request) folder(e *element, need store.Access) (store.Folder, error) {
	var f store.Folder
	var err error
	if e.name == "DistinguishedFolderId" {
		f, err = r.distinguished(e)
	} else {
		f, err = r.folderByID(e.attr("Id"))
	}
	if err != nil {
		return f, err
	}
	return f, r.mayNot(f.Mailbox, f.ID, need, store.ErrFolderNotFound)
}

func (r *request) distinguished(e *element) (store.Folder, error) {
	m := r.mailbox
	if named := e.kid("Mailbox"); named != nil {
		if m = r.h.company.Mailbox(named.val("EmailAddress")); m == nil {
			return store.Folder{}, &store.Error{Code: "ErrorNonExistentMailbox"}
		}
	}
	if m == nil {
		return store.Folder{}, &store.Error{Code: "ErrorMissingEmailAddress", Text: "When making a request as an account that does not " +
			"have a mailbox, you must specify the mailbox primary SMTP address for any distinguished folder Ids."}
	}
	f, ok := m.Folder(e.attr("Id"))
	if !ok {
		return f, store.ErrFolderNotFound
	}
	return f, nil
}

func (r *request) folderByID(id string) (store.Folder, error) {
	m, err := r.owner(id)
	if err != nil {
		return store.Folder{}, err
	}
	if !store.IsFolderID(id) {
		return store.Folder{}, &store.Error{Code: "ErrorCannotUseItemIdForFolderId", Text: "Item ID cannot be used as a folder ID."}
	}
	return m.FolderByID(id)
}

// owner is the mailbox that gave an id out.
func (r *request) owner(id string) (*store.Mailbox, error) {
	m, err := r.h.company.OwnerOf(id)
	if err == store.ErrItemNotFound {
		return nil, &store.Error{Code: "ErrorNonExistentMailbox", Text: "No mailbox with such guid."}
	}
	return m, err
}

// item checks an item's id and the caller's rights and returns the mailbox it is in.
func (r *request) item(id string, need store.Access) (*store.Mailbox, error) {
	m, err := r.owner(id)
	if err != nil {
		return nil, err
	}
	if store.IsFolderID(id) {
		return nil, &store.Error{Code: "ErrorCannotUseFolderIdForItemId", Text: "Folder ID cannot be used as an item ID."}
	}
	return m, r.mayNot(m, id, need, store.ErrItemNotFound)
}

// folderShape is what to tell about folders.
type folderShape struct {
	idOnly bool
	all    bool
	extra  map[string]bool // FieldURIs
}

func folderShapeOf(e *element) folderShape {
	s := folderShape{idOnly: e.val("BaseShape") == "IdOnly", all: e.val("BaseShape") == "AllProperties", extra: map[string]bool{}}
	if more := e.kid("AdditionalProperties"); more != nil {
		for _, k := range more.kids {
			s.extra[k.attr("FieldURI")] = true
		}
	}
	return s
}

func (s *folderShape) has(uri string, inDefault bool) bool {
	return s.all || inDefault && !s.idOnly || s.extra[uri]
}

// writeFolder writes a folder, its properties in the schema's order.
func (r *request) writeFolder(f store.Folder, s folderShape) {
	w := r.w
	tag := "Folder"
	if f.IsCalendar() {
		tag = "CalendarFolder"
	}
	w.raw(`<t:`, tag, `>`)
	w.itemID("FolderId", f.ID, f.ChangeKey)
	if s.has("folder:ParentFolderId", false) && f.ParentID != "" {
		w.itemID("ParentFolderId", f.ParentID, "AQAAAA==")
	}
	if s.has("folder:FolderClass", false) && f.Class != "" {
		w.tag("FolderClass", f.Class)
	}
	if s.has("folder:DisplayName", true) {
		w.tag("DisplayName", f.Display)
	}
	if s.has("folder:TotalCount", true) {
		w.tagInt("TotalCount", f.Total)
	}
	if s.has("folder:ChildFolderCount", true) {
		w.tagInt("ChildFolderCount", f.Children)
	}
	if s.has("folder:EffectiveRights", false) {
		w.rights(true, r.accessTo(f.Mailbox, f.ID) >= store.Editor)
	}
	if s.extra["folder:DistinguishedFolderId"] && f.Name != "" {
		w.tag("DistinguishedFolderId", f.Name)
	}
	if s.has("folder:UnreadCount", true) && !f.IsCalendar() {
		w.tagInt("UnreadCount", f.Unread)
	}
	w.raw(`</t:`, tag, `>`)
}

// readAndWrite are the rights of an owner or editor of an item, by far the most frequent ones.
const readAndWrite = `<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated><t:CreateContents>false</t:CreateContents>` +
	`<t:CreateHierarchy>false</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights>`

func (w *writer) rights(folder, write bool) {
	if !folder && write {
		w.raw(readAndWrite)
		return
	}
	w.raw(`<t:EffectiveRights>`)
	w.tagBool("CreateAssociated", folder && write)
	w.tagBool("CreateContents", folder && write)
	w.tagBool("CreateHierarchy", folder && write)
	w.tagBool("Delete", write)
	w.tagBool("Modify", write)
	w.tagBool("Read", true)
	w.raw(`</t:EffectiveRights>`)
}

func (r *request) getFolder() {
	shape := folderShapeOf(r.body.kid("FolderShape"))
	r.each(func(e *element) error {
		f, err := r.folder(e, store.Reviewer)
		if err != nil {
			return err
		}
		r.w.raw(`<m:Folders>`)
		r.writeFolder(f, shape)
		r.w.raw(`</m:Folders>`)
		return nil
	})
}

func (r *request) findFolder() {
	shape := folderShapeOf(r.body.kid("FolderShape"))
	deep := r.body.attr("Traversal") == "Deep"
	r.each(func(e *element) error {
		parent, err := r.folder(e, store.Reviewer)
		if err != nil {
			return err
		}
		found := r.visible(descendants(parent, deep))
		if found, err = r.restrictFolders(found); err != nil {
			return err
		}
		page := pageOf(r.body.kid("IndexedPageFolderView"), len(found))
		r.w.raw(`<m:RootFolder`)
		page.write(r.w, r.body.kid("IndexedPageFolderView") != nil)
		r.w.raw(`><t:Folders>`)
		for _, f := range found[page.from:page.to] {
			r.writeFolder(f, shape)
		}
		r.w.raw(`</t:Folders></m:RootFolder>`)
		return nil
	})
}

// descendants lists the folders below parent.
func descendants(parent store.Folder, deep bool) []store.Folder {
	if parent.Mailbox == nil {
		return nil
	}
	below := map[string]bool{parent.ID: true}
	var found []store.Folder
	for _, f := range parent.Mailbox.Folders() {
		if !below[f.ParentID] {
			continue
		}
		found = append(found, f)
		if deep {
			below[f.ID] = true
		}
	}
	return found
}

// visible leaves out the folders that the caller may not see.
func (r *request) visible(all []store.Folder) []store.Folder {
	return slices.DeleteFunc(all, func(f store.Folder) bool { return r.accessTo(f.Mailbox, f.ID) < store.Reviewer })
}

// restrictFolders applies the request's restriction to folders.
func (r *request) restrictFolders(all []store.Folder) ([]store.Folder, error) {
	restriction := r.body.kid("Restriction")
	if restriction == nil {
		return all, nil
	}
	test, err := compileFolders(restriction.kids[0])
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f store.Folder) bool { return !test(f) }), nil
}

// syncHierarchy tells of all folders once: the hierarchy of a simulated mailbox does not change under a client. A
// state that is not this mailbox's is refused.
func (r *request) syncHierarchy() {
	shape := folderShapeOf(r.body.kid("FolderShape"))
	r.one(func() error {
		root := &element{name: "DistinguishedFolderId", attrs: []attribute{{name: "Id", value: "msgfolderroot"}}}
		if id := r.body.kid("SyncFolderId"); id != nil {
			root = id.kids[0]
		}
		f, err := r.folder(root, store.Reviewer)
		if err != nil {
			return err
		}
		found := r.visible(descendants(f, true))
		current := hierarchyState(f, found)
		given := r.body.val("SyncState")
		if given != "" && (len(given) != len(current) || !strings.HasPrefix(given, current[:64])) {
			return store.ErrSyncState
		}
		r.w.raw(`<m:SyncState>`, current, `</m:SyncState><m:IncludesLastFolderInRange>true</m:IncludesLastFolderInRange><m:Changes>`)
		if given != current {
			for _, f := range found {
				r.w.raw(`<t:Create>`)
				r.writeFolder(f, shape)
				r.w.raw(`</t:Create>`)
			}
		}
		r.w.raw(`</m:Changes>`)
		return nil
	})
}
