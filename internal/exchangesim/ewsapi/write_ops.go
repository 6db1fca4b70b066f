package ewsapi

import (
	"strconv"
	"strings"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// createItem is CreateItem for appointments and, without delivery, for messages.
func (r *request) createItem() {
	r.each(func(e *element) error {
		switch e.name {
		case "CalendarItem":
			return r.createAppointment(e)
		case "Message":
			return r.createMessage(e)
		case "CancelCalendarItem":
			return r.cancelMeeting(e)
		}
		return &store.Error{Code: "ErrorInvalidOperation", Text: "Items of this type are not supported by this server."}
	})
}

// saveFolder is the folder that the request names, or a default one.
func (r *request) saveFolder(standard string) (store.Folder, error) {
	target := &element{name: "DistinguishedFolderId", attrs: []attribute{{name: "Id", value: standard}}}
	if given := r.body.kid("SavedItemFolderId"); given != nil {
		target = given.kids[0]
	}
	f, err := r.folder(target, store.Reviewer)
	if err == nil && r.accessTo(f.Mailbox, f.ID) < store.Editor {
		r.refused(hook.FolderNoCreate)
		err = &store.Error{Code: "ErrorCreateItemAccessDenied"}
	}
	return f, err
}

// needsAlso checks the rights in a second folder that a write touches: a delegate's deletion puts the item into the
// mailbox's deleted items, and what he sends for it begins in its drafts. That Exchange asks for both is inferred from
// ROOMS' instructions, which demand Editor on Calendar, Deleted Items and Drafts; the code is the documented one for
// changes without rights.
func (r *request) needsAlso(m *store.Mailbox, folder string) error {
	if r.accessTo(m, m.FolderID(folder)) >= store.Editor {
		return nil
	}
	r.refused(hook.FolderReadOnly)
	return &store.Error{Code: "ErrorAccessDenied"}
}

// sends checks what is needed to tell others about a change of the item.
func (r *request) sends(m *store.Mailbox, it *store.Item, how string) error {
	if how == "SendToNone" || !it.IsMeeting() {
		return nil
	}
	return r.needsAlso(m, "drafts")
}

func (r *request) createAppointment(e *element) error {
	send := r.body.attr("SendMeetingInvitations")
	if send == "" {
		return &store.Error{Code: "ErrorSendMeetingInvitationsRequired"}
	}
	f, err := r.saveFolder("calendar")
	if err != nil {
		return err
	}
	if !f.IsCalendar() {
		return &store.Error{Code: "ErrorCannotCreateCalendarItemInNonCalendarFolder", Text: "Cannot create a calendar item in a non-calendar Folder."}
	}
	it := &store.Item{StartZone: r.zoneID, ReminderSet: true, ReminderMinutes: 15, ResponseRequested: true, NewTimeProposal: true}
	if err := r.setAll(it, e); err != nil {
		return err
	}
	if it.Start.IsZero() || it.End.IsZero() {
		setMissingTimes(r, it)
	}
	if err := r.sends(f.Mailbox, it, send); err != nil {
		return err
	}
	r.spoilt(it)
	it.RequestSent = send != "SendToNone" && it.IsMeeting()
	stored, err := f.Mailbox.Create(r.actor(), f.ID, it)
	if err != nil {
		return err
	}
	r.invite(f.Mailbox, stored, send)
	r.written(f.Mailbox, stored)
	r.writeID(stored)
	return nil
}

// setMissingTimes gives an appointment without start or end the next half hour, as Exchange does.
func setMissingTimes(r *request, it *store.Item) {
	if it.Start.IsZero() {
		it.Start = r.h.company.Now().Truncate(halfHour).Add(halfHour)
		if !it.End.IsZero() && it.End.Before(it.Start) {
			it.Start = it.End.Add(-halfHour)
		}
	}
	if it.End.IsZero() {
		it.End = it.Start.Add(halfHour)
	}
}

func (r *request) createMessage(e *element) error {
	disposition := r.body.attr("MessageDisposition")
	standard := map[string]string{"SaveOnly": "drafts", "SendAndSaveCopy": "sentitems", "SendOnly": "sentitems"}[disposition]
	if standard == "" {
		return &store.Error{Code: "ErrorMessageDispositionRequired"}
	}
	it := &store.Item{Class: "IPM.Note", Importance: "Normal", Sensitivity: "Normal"}
	if err := r.setAll(it, e); err != nil {
		return err
	}
	if disposition == "SendOnly" {
		r.w.raw(`<m:Items/>`)
		return nil
	}
	f, err := r.saveFolder(standard)
	if err != nil {
		return err
	}
	stored, err := f.Mailbox.Create(r.actor(), f.ID, it)
	if err != nil {
		return err
	}
	if disposition == "SendAndSaveCopy" {
		r.w.raw(`<m:Items/>`)
		return nil
	}
	r.writeID(stored)
	return nil
}

// writeID answers a write with the item's new id.
func (r *request) writeID(it *store.Item) {
	tag := "CalendarItem"
	if !it.IsCalendar() {
		tag = "Message"
	}
	r.w.raw(`<m:Items><t:`, tag, `>`)
	r.w.itemID("ItemId", it.ID, it.ChangeKey)
	r.w.raw(`</t:`, tag, `></m:Items>`)
}

// updateItem is UpdateItem.
func (r *request) updateItem() {
	r.each(func(e *element) error {
		m, it, err := r.resolve(e.kids[0], store.Editor)
		if err != nil {
			return err
		}
		if it.IsCalendar() && r.body.attr("SendMeetingInvitationsOrCancellations") == "" {
			return &store.Error{Code: "ErrorSendMeetingInvitationsOrCancellationsRequired"}
		}
		if err := r.sends(m, it, r.body.attr("SendMeetingInvitationsOrCancellations")); err != nil {
			return err
		}
		if !it.IsCalendar() && r.body.attr("MessageDisposition") == "" {
			return &store.Error{Code: "ErrorMessageDispositionRequired"}
		}
		how := r.body.attr("SendMeetingInvitationsOrCancellations")
		basis := store.Basis{ChangeKey: e.kids[0].attr("ChangeKey"), Resolution: store.Resolution(r.body.attr("ConflictResolution"))}
		stored, merged, err := m.Update(r.actor(), it.ID, basis, func(it *store.Item) error { return r.apply(it, e.kid("Updates")) })
		if err != nil {
			return err
		}
		r.inviteAgain(m, it, stored, how)
		r.written(m, stored)
		r.writeID(stored)
		r.w.raw(`<m:ConflictResults><t:Count>`, strconv.Itoa(merged), `</t:Count></m:ConflictResults>`)
		return nil
	})
}

// apply makes the changes of an ItemChange, those of time zones first.
func (r *request) apply(it *store.Item, updates *element) error {
	for _, first := range []bool{true, false} {
		for _, u := range updates.kids {
			if strings.HasSuffix(u.kids[0].attr("FieldURI"), "TimeZone") != first {
				continue
			}
			if err := r.change(it, u); err != nil {
				return err
			}
		}
	}
	if send := r.body.attr("SendMeetingInvitationsOrCancellations"); send != "SendToNone" && it.IsMeeting() {
		it.RequestSent = true
		it.Sequence++
	}
	r.spoilt(it)
	return nil
}

// change makes one SetItemField, AppendToItemField or DeleteItemField.
func (r *request) change(it *store.Item, u *element) error {
	path := u.kids[0]
	if u.name == "DeleteItemField" {
		return r.unset(it, path)
	}
	holder := u.kids[1]
	if len(holder.kids) != 1 {
		return &store.Error{Code: "ErrorIncorrectUpdatePropertyCount"}
	}
	e := holder.kids[0]
	if !namesSame(path, e) {
		return &store.Error{Code: "ErrorUpdatePropertyMismatch"}
	}
	if u.name == "AppendToItemField" {
		return r.appendTo(it, e)
	}
	return r.set(it, e, false)
}

// namesSame reports whether a path names the property that an element holds.
func namesSame(path, e *element) bool {
	if path.name != "ExtendedFieldURI" {
		_, name, _ := strings.Cut(path.attr("FieldURI"), ":")
		return name == e.name
	}
	if e.name != "ExtendedProperty" {
		return false
	}
	a, errA := propertyKey(path)
	b, errB := propertyKey(e.kids[0])
	return errA == nil && errB == nil && a == b
}

func (r *request) appendTo(it *store.Item, e *element) error {
	old := *it
	switch e.name {
	case "Body", "RequiredAttendees", "OptionalAttendees", "Resources":
	default:
		return &store.Error{Code: "ErrorInvalidPropertyAppend"}
	}
	if err := r.set(it, e, false); err != nil {
		return err
	}
	it.Body.Text = joined(old.Body.Text, it.Body.Text, e.name == "Body")
	if e.name == "RequiredAttendees" {
		it.Required = append(old.Required, it.Required...)
	}
	if e.name == "OptionalAttendees" {
		it.Optional = append(old.Optional, it.Optional...)
	}
	if e.name == "Resources" {
		it.Resources = append(old.Resources, it.Resources...)
	}
	return nil
}

func joined(old, added string, join bool) string {
	if join {
		return old + added
	}
	return added
}

// emptied are the properties that a client may delete, with what is left then.
var emptied = map[string]func(*store.Item){
	"item:Subject":               func(i *store.Item) { i.Subject = "" },
	"item:Body":                  func(i *store.Item) { i.Body = store.Body{} },
	"item:Categories":            func(i *store.Item) { i.Categories = nil },
	"item:Importance":            func(i *store.Item) { i.Importance = "Normal" },
	"item:Sensitivity":           func(i *store.Item) { i.Sensitivity = "Normal" },
	"item:ReminderIsSet":         func(i *store.Item) { i.ReminderSet = false },
	"calendar:Location":          func(i *store.Item) { i.Location = "" },
	"calendar:RequiredAttendees": func(i *store.Item) { i.Required = nil },
	"calendar:OptionalAttendees": func(i *store.Item) { i.Optional = nil },
	"calendar:Resources":         func(i *store.Item) { i.Resources = nil },
	"calendar:Recurrence":        func(i *store.Item) { i.Recurrence, i.Exceptions, i.Deleted = nil, nil, nil },
}

func (r *request) unset(it *store.Item, path *element) error {
	if path.name == "ExtendedFieldURI" {
		key, err := propertyKey(path)
		delete(it.Extended, key)
		return err
	}
	clear := emptied[path.attr("FieldURI")]
	if clear == nil {
		return &store.Error{Code: "ErrorInvalidPropertyDelete"}
	}
	clear(it)
	return nil
}

// deleteItem is DeleteItem. Deleting an occurrence changes its series.
func (r *request) deleteItem() {
	how := store.Disposal(r.body.attr("DeleteType"))
	r.each(func(e *element) error {
		m, it, err := r.resolve(e, store.Editor)
		if err != nil {
			return err
		}
		if it.IsCalendar() && r.body.attr("SendMeetingCancellations") == "" {
			return &store.Error{Code: "ErrorSendMeetingCancellationsRequired"} // MS-OXWSMTGS_R1213
		}
		if err := r.sends(m, it, r.body.attr("SendMeetingCancellations")); err != nil {
			return err
		}
		if how == store.MoveToDeletedItems {
			if err := r.needsAlso(m, "deleteditems"); err != nil {
				return err
			}
		}
		if err := m.Delete(r.actor(), it.ID, "", how); err != nil {
			return err
		}
		r.cancel(m, it, r.body.attr("SendMeetingCancellations"), "")
		return nil
	})
}

func (r *request) moveItem() { r.transfer((*store.Mailbox).Move) }
func (r *request) copyItem() { r.transfer((*store.Mailbox).Copy) }

// transfer is MoveItem and CopyItem, within a mailbox.
func (r *request) transfer(do func(*store.Mailbox, store.Actor, string, string) (*store.Item, error)) {
	r.each(func(e *element) error {
		target, err := r.folder(r.body.kid("ToFolderId").kids[0], store.Editor)
		if err != nil {
			return err
		}
		m, it, err := r.resolve(e, store.Editor)
		if err != nil {
			return err
		}
		if target.Mailbox != m {
			return store.ErrMoveCopyFailed
		}
		stored, err := do(m, r.actor(), it.ID, target.ID)
		if err != nil {
			return err
		}
		if r.body.val("ReturnNewItemIds") == "false" {
			r.w.raw(`<m:Items/>`)
			return nil
		}
		r.writeID(stored)
		return nil
	})
}
