package ewsapi

import (
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// invite tells the attendees of a new meeting.
func (r *request) invite(m *store.Mailbox, it *store.Item, how string) {
	if how != "SendToNone" {
		m.Invite(r.actor(), store.InviteRequest, it, everybody(it), "")
	}
}

// inviteAgain tells the attendees of a change: those who are on the list now, or, with SendOnlyToChanged and
// SendToChangedAndSaveCopy, only those who came; and those who are not on it any more that they need not come
// (MS-OXWSMTGS 2.2.5.3).
func (r *request) inviteAgain(m *store.Mailbox, before, after *store.Item, how string) {
	if how == "" || how == "SendToNone" {
		return
	}
	was, is := everybody(before), everybody(after)
	came, stayed := without(is, was), is
	if before.RequestSent {
		stayed = without(is, came)
	} else {
		came, stayed = is, nil // nobody has heard of it yet
	}
	m.Invite(r.actor(), store.InviteRequest, after, came, "")
	if !strings.Contains(how, "Changed") {
		m.Invite(r.actor(), store.InviteUpdate, after, stayed, "")
	}
	if before.RequestSent {
		m.Invite(r.actor(), store.InviteCancel, after, without(was, is), "")
	}
}

// cancel tells the attendees that a meeting does not take place. Only its organizer can; somebody else's deletion tells nobody.
func (r *request) cancel(m *store.Mailbox, it *store.Item, how, message string) {
	if how != "SendToNone" && it.MyResponse == "Organizer" {
		m.Invite(r.actor(), store.InviteCancel, it, everybody(it), message)
	}
}

func everybody(it *store.Item) []store.Attendee {
	return slices.Concat(it.Required, it.Optional, it.Resources)
}

func without(list, others []store.Attendee) []store.Attendee {
	return slices.DeleteFunc(slices.Clone(list), func(a store.Attendee) bool {
		return slices.ContainsFunc(others, func(o store.Attendee) bool { return strings.EqualFold(a.Address, o.Address) })
	})
}

// cancelMeeting is CreateItem with a CancelCalendarItem, a response object: the item goes to the deleted items and the
// attendees are told, with the organizer's text (MS-OXWSMTGS 2.2.4.10). The documented answer holds a CalendarItem; whether its id is
// the old or the new one does not show there, and this server gives the old one.
func (r *request) cancelMeeting(e *element) error {
	if r.body.attr("MessageDisposition") == "" {
		return &store.Error{Code: "ErrorMessageDispositionRequired"} // MS-OXWSMTGS_R1342
	}
	ref := e.kid("ReferenceItemId")
	if ref == nil {
		return &store.Error{Code: "ErrorMissingArgument"}
	}
	m, it, err := r.resolve(ref, store.Editor)
	if err != nil {
		return err
	}
	if it.MyResponse != "Organizer" || !it.IsMeeting() {
		return &store.Error{Code: "ErrorCalendarIsNotOrganizer"}
	}
	for _, folder := range []string{"drafts", "deleteditems"} {
		if err := r.needsAlso(m, folder); err != nil {
			return err
		}
	}
	if err := m.Delete(r.actor(), it.ID, ref.attr("ChangeKey"), store.MoveToDeletedItems); err != nil {
		return err
	}
	r.cancel(m, it, "SendToAllAndSaveCopy", e.val("NewBodyContent"))
	r.writeID(it)
	return nil
}

// maxSubject is where servers cut a subject: PidTagNormalizedSubject holds 255 characters.
const maxSubject = 255

// normalize changes what is written as servers and what runs on them do now and then: times to whole minutes, texts trimmed and cut, a body
// as HTML.
func normalize(it *store.Item) {
	it.Start, it.End = it.Start.Truncate(time.Minute), it.End.Truncate(time.Minute)
	it.Location = strings.TrimSpace(it.Location)
	it.Subject = strings.TrimSpace(it.Subject)
	if text := []rune(it.Subject); len(text) > maxSubject {
		it.Subject = string(text[:maxSubject])
	}
	if it.Body.Text != "" && !it.Body.HTML {
		it.Body = store.Body{HTML: true, Text: htmlOf(it.Body.Text)}
	}
}

// attendantDelay is what the attendant of a fault waits.
const attendantDelay = 3 * time.Second

// spoilt applies what a fault does to an item in being written.
func (r *request) spoilt(it *store.Item) {
	if r.writeFault == hook.WriteNormalized {
		normalize(it)
	}
}

// written applies what a fault does to an item after it was written.
func (r *request) written(m *store.Mailbox, it *store.Item) {
	switch r.writeFault {
	case hook.WriteTouched:
		m.Touch(it.ID)
	case hook.WriteAttended:
		m.TidyLater(it.ID, attendantDelay)
	}
}
