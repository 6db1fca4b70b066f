package ewsapi

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"roomsync/internal/exchangesim/store"
)

// syncItems is SyncFolderItems.
func (r *request) syncItems() {
	r.one(func() error {
		if f := r.scripted(0, r.body.kid("SyncFolderId").kids[0].attr("Id")); f != nil {
			return fromFault(f)
		}
		s, err := shapeOf(r.body.kid("ItemShape"), true, false)
		if err != nil {
			return err
		}
		if s.mime {
			return &store.Error{Code: "ErrorInvalidPropertyForOperation"} // MS-OXWSSYNC_R3787
		}
		f, err := r.folder(r.body.kid("SyncFolderId").kids[0], store.Reviewer)
		if err == store.ErrFolderNotFound {
			return store.ErrSyncFolderNotFound
		}
		if err != nil {
			return err
		}
		limit, _ := strconv.Atoi(r.body.val("MaxChangesReturned"))
		page, err := f.Mailbox.Sync(f.ID, r.body.val("SyncState"), limit, r.ignored())
		if err != nil {
			return err
		}
		r.writePage(f.Mailbox, page, s)
		return nil
	})
}

// ignored lists the ids that the client wants to skip (MS-OXWSSYNC_R3851).
func (r *request) ignored() []string {
	list := r.body.kid("Ignore")
	if list == nil {
		return nil
	}
	ids := make([]string, len(list.kids))
	for i, k := range list.kids {
		ids[i] = k.attr("Id")
	}
	return ids
}

func (r *request) writePage(m *store.Mailbox, page store.Page, s *shape) {
	w := r.w
	w.raw(`<m:SyncState>`, page.State, `</m:SyncState><m:IncludesLastItemInRange>`, strconv.FormatBool(page.Last), `</m:IncludesLastItemInRange>`)
	if len(page.Changes) == 0 {
		w.raw(`<m:Changes/>`)
		return
	}
	w.raw(`<m:Changes>`)
	for _, c := range page.Changes {
		w.raw(`<t:`, string(c.Kind), `>`)
		switch c.Kind {
		case store.ChangeDelete:
			w.itemID("ItemId", c.ID, "")
		case store.ChangeReadFlag:
			w.itemID("ItemId", c.ID, c.Item.ChangeKey)
			w.tagBool("IsRead", c.Item.IsRead)
		default:
			r.writeItem(m, c.Item, s)
		}
		w.raw(`</t:`, string(c.Kind), `>`)
	}
	w.raw(`</m:Changes>`)
}

// getItem is GetItem, for items, occurrences by number, and masters of occurrences.
func (r *request) getItem() {
	s, shapeErr := shapeOf(r.body.kid("ItemShape"), false, false)
	r.each(func(e *element) error {
		if shapeErr != nil {
			return shapeErr
		}
		m, it, err := r.resolve(e, store.Reviewer)
		if err != nil {
			return err
		}
		r.w.raw(`<m:Items>`)
		r.writeItem(m, it, s)
		r.w.raw(`</m:Items>`)
		return nil
	})
}

// resolve finds the item that an ItemId, OccurrenceItemId or RecurringMasterItemId names.
func (r *request) resolve(e *element, need store.Access) (*store.Mailbox, *store.Item, error) {
	m, err := r.item(idOf(e), need)
	if err != nil {
		return nil, nil, err
	}
	var it *store.Item
	switch e.name {
	case "OccurrenceItemId":
		n, _ := strconv.Atoi(e.attr("InstanceIndex"))
		it, err = m.OccurrenceAt(idOf(e), n)
	case "RecurringMasterItemId":
		it, err = m.MasterOf(idOf(e))
	default:
		it, err = m.Item(idOf(e))
	}
	return m, it, err
}

// findItem is FindItem: a calendar view, or an indexed page of everything that the restriction lets through.
func (r *request) findItem() {
	s, shapeErr := shapeOf(r.body.kid("ItemShape"), true, true)
	r.each(func(e *element) error {
		if shapeErr != nil {
			return shapeErr
		}
		f, err := r.folder(e, store.Reviewer)
		if err != nil {
			return err
		}
		if view := r.body.kid("CalendarView"); view != nil {
			return r.findView(f, view, s)
		}
		return r.findPage(f, s)
	})
}

// findView answers a CalendarView. The schema lets a restriction stand beside it; Exchange refuses the combination, as
// it refuses sorting, since a view has its own order (calendarview.md).
func (r *request) findView(f store.Folder, view *element, s *shape) error {
	if r.body.kid("Restriction") != nil || r.body.kid("SortOrder") != nil {
		return &store.Error{Code: "ErrorInvalidOperation", Text: "Restrictions and sort order may not be specified for a CalendarView."}
	}
	from, _ := parseDateTime(view.attr("StartDate"), r.zone)
	to, _ := parseDateTime(view.attr("EndDate"), r.zone)
	limit, _ := strconv.Atoi(view.attr("MaxEntriesReturned"))
	found, err := f.Mailbox.View(f.ID, from, to, limit)
	if err != nil {
		return err
	}
	r.w.raw(`<m:RootFolder TotalItemsInView="`, strconv.Itoa(len(found.Items)), `" IncludesLastItemInRange="`, strconv.FormatBool(found.Complete), `">`)
	r.writeItems(f.Mailbox, found.Items, s)
	r.w.raw(`</m:RootFolder>`)
	return nil
}

func (r *request) writeItems(m *store.Mailbox, items []*store.Item, s *shape) {
	if len(items) == 0 {
		r.w.raw(`<t:Items/>`)
		return
	}
	r.w.raw(`<t:Items>`)
	for _, it := range items {
		r.writeItem(m, it, s)
	}
	r.w.raw(`</t:Items>`)
}

// restrictedLimit is how many entries a search with a restriction returns at most (documented for Exchange 2013 and
// later, as the limit of dynamic search folders).
const restrictedLimit = 250

func (r *request) findPage(f store.Folder, s *shape) error {
	items, err := f.Mailbox.Items(f.ID)
	if err != nil {
		return err
	}
	if r.body.attr("Traversal") != "Shallow" {
		items = nil // there are no associated items, and soft-deleted ones are in the recoverable items folder
	}
	if restriction := r.body.kid("Restriction"); restriction != nil {
		test, err := r.compile(restriction.kids[0])
		if err != nil {
			return err
		}
		items = slices.DeleteFunc(items, func(it *store.Item) bool { return !test(it) })
	}
	if err := r.sort(items); err != nil {
		return err
	}
	view := r.body.kid("IndexedPageItemView")
	p := pageOf(view, len(items))
	if r.body.kid("Restriction") != nil && p.to-p.from > restrictedLimit {
		p.to = p.from + restrictedLimit
		p.next = p.to
	}
	r.w.raw(`<m:RootFolder`)
	p.write(r.w, view != nil)
	r.w.raw(`>`)
	r.writeItems(f.Mailbox, items[p.from:p.to], s)
	r.w.raw(`</m:RootFolder>`)
	return nil
}

// sort orders items by the request's SortOrder.
func (r *request) sort(items []*store.Item) error {
	order := r.body.kid("SortOrder")
	if order == nil {
		return nil
	}
	for i := len(order.kids) - 1; i >= 0; i-- {
		get, err := operandOf(order.kids[i].kids[0])
		if err != nil {
			return &store.Error{Code: "ErrorUnsupportedPathForSortGroup"}
		}
		sign := 1
		if order.kids[i].attr("Order") == "Descending" {
			sign = -1
		}
		slices.SortStableFunc(items, func(a, b *store.Item) int { return sign * compare(get(a), get(b)) })
	}
	return nil
}

// compare orders two values of the same property; a missing one comes first.
func compare(a, b value) int {
	if a.ok != b.ok {
		if b.ok {
			return -1
		}
		return 1
	}
	if !a.at.IsZero() || !b.at.IsZero() {
		return a.at.Compare(b.at)
	}
	if c := cmp.Compare(a.num, b.num); c != 0 {
		return c
	}
	return strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text))
}
