package ewsapi

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// gate counts refusals and refuses nothing itself.
type gate map[hook.Cause]int

func (gate) Admit(*hook.Call) *hook.Answer          { return nil }
func (gate) Impersonate(*hook.Call, string) string  { return "" }
func (g gate) Refused(c *hook.Call, why hook.Cause) { g[why]++; c.Refused = why }
func (g gate) want(t *testing.T, n map[hook.Cause]int) {
	t.Helper()
	if !maps.Equal(map[hook.Cause]int(g), n) {
		t.Errorf("refused %v, want %v", g, n)
	}
	clear(g)
}

// of names ann's distinguished folder.
func of(folder string) string {
	return `<t:DistinguishedFolderId Id="` + folder + `"><t:Mailbox><t:EmailAddress>` + ann + `</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`
}

const (
	syncTheirs = `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>FOLDER</m:SyncFolderId><m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>`
	findTheirs = `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:CalendarView StartDate="2026-03-01T00:00:00Z" EndDate="2026-03-31T00:00:00Z"/><m:ParentFolderIds>FOLDER</m:ParentFolderIds></m:FindItem>`
	getTheirs  = `<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape><m:FolderIds>FOLDER</m:FolderIds></m:GetFolder>`
	withGuests = `<t:CalendarItem><t:Subject>Lunch</t:Subject><t:Start>2026-03-02T12:00:00Z</t:Start><t:End>2026-03-02T13:00:00Z</t:End>` +
		`<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>` + room + `</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees></t:CalendarItem>`
)

// delegates is a server whose caller is bob, with an appointment of ann's.
type delegates struct {
	*server
	ann  *store.Mailbox
	item *store.Item
	gate gate
	sc   *script
}

func newDelegates(t *testing.T) *delegates {
	d := &delegates{gate: gate{}, sc: &script{}}
	d.server = newServer(t, Options{Auth: as{Address: bob}, Interceptor: d.sc, Gate: d.gate})
	d.ann = d.company.Mailbox(ann)
	var err error
	if d.item, err = d.ann.Create(store.Actor{}, d.ann.Calendar(), &store.Item{Start: now, End: now.Add(halfHour)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *delegates) grant(folder string, a store.Access) {
	d.t.Helper()
	if err := d.ann.Grant(bob, folder, a); err != nil {
		d.t.Fatal(err)
	}
}

func (d *delegates) in(body, folder string) answer {
	return d.call(strings.Replace(body, "FOLDER", folder, 1))
}

func (d *delegates) create(send, item string) answer {
	return d.call(`<m:CreateItem SendMeetingInvitations="` + send + `"><m:SavedItemFolderId>` + of("calendar") + `</m:SavedItemFolderId><m:Items>` + item + `</m:Items></m:CreateItem>`)
}

func (d *delegates) remove(how, send string, ids ...string) answer {
	var all string
	for _, id := range ids {
		all += itemID(id)
	}
	return d.call(`<m:DeleteItem DeleteType="` + how + `" SendMeetingCancellations="` + send + `"><m:ItemIds>` + all + `</m:ItemIds></m:DeleteItem>`)
}

// What Exchange tells those who have no rights is ambiguous on purpose.
func TestDelegates_WithoutRightsFindNothing(t *testing.T) {
	d := newDelegates(t)
	for _, level := range []store.Access{store.NoAccess, store.AvailabilityOnly, store.LimitedDetails} {
		d.grant("calendar", level)
		d.in(getTheirs, of("calendar")).want("ErrorFolderNotFound")
		if c := d.sc.last(t).call; c.Mailbox != ann || c.Caller.Address != bob || c.Refused != hook.FolderHidden {
			t.Errorf("call is %+v", c)
		}
		d.in(getTheirs, `<t:FolderId Id="`+d.ann.Calendar()+`"/>`).want("ErrorFolderNotFound")
		d.in(syncTheirs, of("calendar")).want("ErrorSyncFolderNotFound")
		d.in(findTheirs, of("calendar")).want("ErrorFolderNotFound")
		d.get(allProperties, itemID(d.item.ID)).want("ErrorItemNotFound")
		if c := d.sc.last(t).call; c.Mailbox != ann {
			t.Errorf("the mailbox of an item id is %s", c.Mailbox)
		}
		d.create("SendToNone", lunch).want("ErrorFolderNotFound")
		d.remove("HardDelete", "SendToNone", d.item.ID).want("ErrorItemNotFound")
		d.gate.want(t, map[hook.Cause]int{hook.FolderHidden: 7})
	}
	d.in(getTheirs, strings.Replace(of("calendar"), ann, "nobody@contoso.example", 1)).want("ErrorNonExistentMailbox")
}

func TestDelegates_ReviewersReadOnly(t *testing.T) {
	d := newDelegates(t)
	d.grant("calendar", store.Reviewer)
	if a := d.in(getTheirs, of("calendar")).ok(); a.text("Read") != "true" || a.text("CreateContents") != "false" {
		t.Errorf("rights of a reviewer: %s", a.body)
	}
	d.in(syncTheirs, of("calendar")).ok()
	if found := d.in(findTheirs, of("calendar")).ok().all("ItemId"); len(found) != 1 {
		t.Errorf("found %d items", len(found))
	}
	if a := d.get(allProperties, itemID(d.item.ID)).ok(); a.text("Modify") != "false" {
		t.Error("a reviewer may modify")
	}
	d.gate.want(t, map[hook.Cause]int{})
	d.create("SendToNone", lunch).want("ErrorCreateItemAccessDenied")
	d.gate.want(t, map[hook.Cause]int{hook.FolderNoCreate: 1})
	d.remove("HardDelete", "SendToNone", d.item.ID, d.item.ID).want("ErrorAccessDenied", "ErrorBatchProcessingStopped")
	d.gate.want(t, map[hook.Cause]int{hook.FolderReadOnly: 1})
}

func TestDelegates_EditorsOfTheCalendarOnly(t *testing.T) {
	d := newDelegates(t)
	d.grant("calendar", store.Editor)
	d.create("SendToNone", withGuests).ok()
	d.create("SendToAllAndSaveCopy", lunch).ok() // nobody to invite, so nothing to draft
	if last := d.company.Effects(1)[1]; last.Actor != bob || last.Mailbox != ann {
		t.Errorf("effect is %+v", last)
	}
	d.create("SendToAllAndSaveCopy", withGuests).want("ErrorAccessDenied")
	d.remove("MoveToDeletedItems", "SendToNone", d.item.ID).want("ErrorAccessDenied")
	d.gate.want(t, map[hook.Cause]int{hook.FolderReadOnly: 2})
	d.in(getTheirs, of("drafts")).want("ErrorFolderNotFound")

	d.grant(`\Drafts`, store.Editor)
	id, _ := d.create("SendToAllAndSaveCopy", withGuests).ok().id()
	d.grant("Deleted Items", store.Editor)
	d.remove("MoveToDeletedItems", "SendToAllAndSaveCopy", id, d.item.ID).want("NoError", "NoError")
	d.remove("MoveToDeletedItems", "SendToNone", d.item.ID).want("ErrorItemNotFound") // it has a new id there
}

func TestDelegates_SeeTheirFoldersOnly(t *testing.T) {
	d := newDelegates(t)
	const find = `<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:ParentFolderIds>FOLDER</m:ParentFolderIds></m:FindFolder>`
	d.in(find, of("msgfolderroot")).want("ErrorFolderNotFound")
	d.grant("msgfolderroot", store.Reviewer)
	d.grant("calendar", store.Reviewer)
	if a := d.in(find, of("msgfolderroot")).ok(); len(a.all("FolderId")) != 1 || a.text("DisplayName") != "Calendar" {
		t.Errorf("folders: %s", a.body)
	}
	want := []store.Permission{{User: bob, Folder: "calendar", Access: store.Reviewer}, {User: bob, Folder: "msgfolderroot", Access: store.Reviewer}}
	if got := d.ann.Permissions(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("permissions %v", got)
	}
	if err := d.ann.Grant(bob, "attic", store.Editor); err != store.ErrFolderNotFound {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// shut lets nobody in.
type shut struct {
	gate
	answer hook.Answer
}

func (s shut) Admit(*hook.Call) *hook.Answer { return &s.answer }

// What the front end refuses reaches no mailbox server: no effect, and no header of one.
func TestAdmit_RefusesBeforeTheMailboxServer(t *testing.T) {
	sc := &script{before: func(*hook.Call) *hook.Answer { return &hook.Answer{Delay: time.Second} }}
	slept := time.Duration(0)
	opts := Options{Interceptor: sc, Gate: shut{gate{}, hook.Answer{Status: 403}}, Sleep: func(d time.Duration, _ <-chan struct{}) { slept += d }}
	s := newServer(t, opts)
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(document(createLunch)))
	r.SetBasicAuth(ann, "simulated")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	h := w.Header()
	front, back, handler := "X-FEServer", "X-BEServer", "x-EwsHandler" // in the case that Exchange sends them in
	if w.Code != 403 || w.Body.Len() > 0 || h[front] == nil || h[back] != nil || h[handler] != nil || h.Get("Content-Type") != "" {
		t.Errorf("%d %q, headers %v", w.Code, w.Body, h)
	}
	if c := sc.last(t); c.status != 403 || c.call.Operation != "CreateItem" || len(s.company.Effects(0)) > 0 || slept != time.Second {
		t.Errorf("call %+v, slept %v, effects %v", c, slept, s.company.Effects(0))
	}
	soap := newServer(t, Options{Gate: shut{gate{}, hook.Answer{Response: &hook.ItemFault{Code: "ErrorAccessDenied"}}}})
	soap.call(createLunch).want("ErrorAccessDenied")
	if len(soap.company.Effects(0)) > 0 {
		t.Error("the item was made all the same")
	}
}

const createLunch = `<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>` + lunch + `</m:Items></m:CreateItem>`
