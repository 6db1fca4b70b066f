package ewsapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

func meeting(send string, attendees ...string) string {
	return fmt.Sprintf(`<m:CreateItem SendMeetingInvitations=%q><m:Items><t:CalendarItem><t:Subject>Meeting</t:Subject><t:Body BodyType="Text">a &lt; b</t:Body>%s`+
		`<t:Start>2026-03-03T10:00:30Z</t:Start><t:End>2026-03-03T11:00:00Z</t:End>%s</t:CalendarItem></m:Items></m:CreateItem>`, send,
		`<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="11111111-2222-3333-4444-555555555555" PropertyName="BookingId" PropertyType="String"/><t:Value>B-1</t:Value></t:ExtendedProperty>`,
		required(attendees))
}

func required(attendees []string) string {
	if len(attendees) == 0 {
		return ""
	}
	var b strings.Builder
	for _, a := range attendees {
		b.WriteString(`<t:Attendee><t:Mailbox><t:EmailAddress>` + a + `</t:EmailAddress></t:Mailbox></t:Attendee>`)
	}
	return `<t:RequiredAttendees>` + b.String() + `</t:RequiredAttendees>`
}

func update(id, changeKey, send, uri, element string) string {
	return fmt.Sprintf(`<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations=%q><m:ItemChanges><t:ItemChange><t:ItemId Id=%q ChangeKey=%q/>`+
		`<t:Updates><t:SetItemField><t:FieldURI FieldURI=%q/><t:CalendarItem>%s</t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`, send, id, changeKey, uri, element)
}

func invite(send, id, changeKey string, attendees ...string) string {
	return update(id, changeKey, send, "calendar:RequiredAttendees", required(attendees))
}

// told lists the invitations since the last call as "kind recipient".
type told struct {
	s    *server
	seen uint64
}

func (l *told) next() string {
	var list []string
	for _, i := range l.s.company.Invitations(l.seen) {
		who, _, _ := strings.Cut(i.Recipient, "@")
		list = append(list, string(i.Kind)+" "+who)
		l.seen = i.Seq
	}
	return strings.Join(list, ", ")
}

func (l *told) want(what string) {
	l.s.t.Helper()
	if got := l.next(); got != what {
		l.s.t.Errorf("told: %q, want %q", got, what)
	}
}

// TestInvitations: who is told what, by each of the values that say so (MS-OXWSMTGS_R44 to R49, R59 to R64).
func TestInvitations(t *testing.T) {
	s := newServer(t, Options{})
	told := &told{s: s}
	id, key := s.call(meeting("SendToNone", bob)).ok().id()
	told.want("")
	_, key = s.call(update(id, key, "SendToAllAndSaveCopy", "item:Subject", `<t:Subject>First told</t:Subject>`)).ok().id()
	told.want("request bob")
	_, key = s.call(update(id, key, "SendToNone", "item:Subject", `<t:Subject>Quiet</t:Subject>`)).ok().id()
	told.want("")
	_, key = s.call(update(id, key, "SendOnlyToAll", "item:Subject", `<t:Subject>Loud</t:Subject>`)).ok().id()
	told.want("update bob")
	_, key = s.call(invite("SendToChangedAndSaveCopy", id, key, bob, room)).ok().id()
	told.want("request room1")
	_, key = s.call(invite("SendToAllAndSaveCopy", id, key, room)).ok().id()
	told.want("update room1, cancellation bob")
	s.call(`<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToAllAndSaveCopy"><m:ItemIds><t:ItemId Id="` + id + `"/></m:ItemIds></m:DeleteItem>`).ok()
	told.want("cancellation room1")
	s.call(meeting("SendToAllAndSaveCopy")).ok()
	told.want("")
	counts := s.company.InvitationCounts()
	if want := (store.InvitationCount{Booking: "B-1", Recipient: bob, Requests: 1, Updates: 1, Cancellations: 1}); len(counts) != 2 || counts[0] != want {
		t.Errorf("counts %+v", counts)
	}
	if s.call(update(id, key, "SendToNone", "item:Subject", `<t:Subject>Gone</t:Subject>`)).codes()[0] != "ErrorItemNotFound" {
		t.Error("a deleted item was updated")
	}
}

func cancelCalendarItem(disposition, id string) string {
	return `<m:CreateItem` + disposition + `><m:Items><t:CancelCalendarItem><t:ReferenceItemId Id="` + id + `"/><t:NewBodyContent BodyType="Text">Hail</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>`
}

// TestCancelCalendarItem: the attendees get the organizer's text, and the item goes to the deleted items.
func TestCancelCalendarItem(t *testing.T) {
	const disposition = ` MessageDisposition="SendAndSaveCopy"`
	s := newServer(t, Options{})
	id, _ := s.call(meeting("SendToAllAndSaveCopy", bob)).ok().id()
	alone, _ := s.call(meeting("SendToNone")).ok().id()
	s.call(strings.Replace(cancelCalendarItem(disposition, id), "<t:ReferenceItemId", `<t:NewBodyContent BodyType="Text"/><t:ReferenceItemId`, 1)).want("ErrorSchemaValidation")
	s.call(cancelCalendarItem("", id)).want("ErrorMessageDispositionRequired") // MS-OXWSMTGS_R1342
	s.call(cancelCalendarItem(disposition, alone)).want("ErrorCalendarIsNotOrganizer")
	s.call(cancelCalendarItem(disposition, id)).ok()
	all := s.company.Invitations(0)
	if last := all[len(all)-1]; last.Kind != store.InviteCancel || last.Message != "Hail" || last.Booking != "B-1" || last.Recipient != bob {
		t.Errorf("told %+v", last)
	}
	s.call(cancelCalendarItem(disposition, id)).want("ErrorItemNotFound")
	if f, _ := s.company.Mailbox(ann).Folder("deleteditems"); f.Total != 1 {
		t.Errorf("%d deleted items", f.Total)
	}
}

// writing strikes every write with the same fault.
type writing struct {
	hook.Interceptor
	fault hook.WriteFault
}

func (w writing) Before(*hook.Call) *hook.Answer { return &hook.Answer{Write: w.fault} }

func (writing) Item(*hook.Call, int, string) *hook.ItemFault  { return nil }
func (writing) After(*hook.Call) *hook.Answer                 { return nil }
func (writing) Done(*hook.Call, int, []string, time.Duration) {}

func (s *server) only() *store.Item {
	s.t.Helper()
	m := s.company.Mailbox(ann)
	all, err := m.Items(m.Calendar())
	if err != nil || len(all) != 1 {
		s.t.Fatalf("%d items, %v", len(all), err)
	}
	return all[0]
}

// TestWriteTwice: a create makes two items, of which the client knows the younger; other writes find what the first did (E23).
func TestWriteTwice(t *testing.T) {
	s := newServer(t, Options{Interceptor: writing{fault: hook.WriteTwice}})
	id, key := s.call(meeting("SendToAllAndSaveCopy", bob)).ok().id()
	m := s.company.Mailbox(ann)
	all, _ := m.Items(m.Calendar())
	if len(all) != 2 || all[0].ID != id || all[1].UID == all[0].UID {
		t.Fatalf("%d items, the client knows %s", len(all), id)
	}
	if n := s.company.InvitationCounts()[0].Requests; n != 2 {
		t.Errorf("%d requests", n)
	}
	s.call(update(id, key, "SendToNone", "item:Subject", `<t:Subject>Once</t:Subject>`)).want("ErrorIrresolvableConflict")
	if it, _ := m.Item(id); it.Subject != "Once" {
		t.Errorf("subject %q", it.Subject)
	}
	s.call(`<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone"><m:ItemIds><t:ItemId Id="` + id + `"/></m:ItemIds></m:DeleteItem>`).want("ErrorItemNotFound")
	s.only()
}

// TestWriteChangedByServer: what is stored is not what was sent, or only the change key is another (E24); or it changes seconds later (E25).
func TestWriteChangedByServer(t *testing.T) {
	s := newServer(t, Options{Interceptor: writing{fault: hook.WriteNormalized}})
	id, key := s.call(strings.Replace(meeting("SendToNone"), "Meeting<", " Meeting  <", 1)).ok().id()
	if it := s.only(); it.ChangeKey != key || it.Start.Second() != 0 || !it.Body.HTML || !strings.Contains(it.Body.Text, "a &lt; b") || it.Subject != "Meeting" {
		t.Errorf("%+v", it)
	}
	s.call(update(id, key, "SendToNone", "item:Subject", `<t:Subject>`+strings.Repeat("ä", 300)+`</t:Subject>`)).ok()
	if it := s.only(); it.Subject != strings.Repeat("ä", maxSubject) {
		t.Errorf("subject %q", it.Subject)
	}

	s = newServer(t, Options{Interceptor: writing{fault: hook.WriteTouched}})
	_, key = s.call(meeting("SendToNone")).ok().id()
	if it := s.only(); it.ChangeKey == key || it.Subject != "Meeting" || it.Start.Second() != 30 {
		t.Errorf("%+v", it)
	}

	clock := now
	s = newServer(t, Options{Interceptor: writing{fault: hook.WriteAttended}})
	s.company = store.New(store.Options{Now: func() time.Time { return clock }})
	if _, err := s.company.AddMailbox(store.MailboxSpec{Address: ann, Name: "Ann Archer"}); err != nil {
		t.Fatal(err)
	}
	s.h = New(s.company, Options{Interceptor: writing{fault: hook.WriteAttended}})
	s.call(meeting("SendToNone")).ok()
	for _, want := range []string{"Meeting", "Ann Archer"} {
		s.call(`<m:GetRoomLists/>`) // any call makes the server do what is due
		if it := s.only(); it.Subject != want {
			t.Errorf("subject %q, want %q", it.Subject, want)
		}
		clock = clock.Add(attendantDelay)
	}
	if n := len(s.company.Effects(0)); n != 2 {
		t.Errorf("%d effects", n)
	}
}
