package ewsapi

import "testing"

const lunch = `<t:CalendarItem><t:Subject>Lunch</t:Subject><t:Start>2026-03-03T11:00:00Z</t:Start><t:End>2026-03-03T12:00:00Z</t:End>` +
	`<t:Location>Canteen</t:Location></t:CalendarItem>`

func (s *server) create(item string) answer {
	s.t.Helper()
	return s.call(`<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>` + item + `</m:Items></m:CreateItem>`)
}

func (s *server) get(shape, ids string) answer {
	s.t.Helper()
	return s.call(`<m:GetItem><m:ItemShape>` + shape + `</m:ItemShape><m:ItemIds>` + ids + `</m:ItemIds></m:GetItem>`)
}

func itemID(id string) string { return `<t:ItemId Id="` + id + `"/>` }

const allProperties = `<t:BaseShape>AllProperties</t:BaseShape>`

func (s *server) sync(state string) answer {
	s.t.Helper()
	if state != "" {
		state = `<m:SyncState>` + state + `</m:SyncState>`
	}
	return s.call(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>` +
		`<t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>` + state + `<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>`)
}

func TestCreateGetSync(t *testing.T) {
	s := newServer(t, Options{})
	id, key := s.create(lunch).ok().id()
	if len(id) != 152 || len(key) != 40 {
		t.Errorf("id has %d characters, change key %d; want 152 and 40", len(id), len(key))
	}
	a := s.get(allProperties, itemID(id)).ok()
	for tag, want := range map[string]string{"Subject": "Lunch", "Location": "Canteen", "Start": "2026-03-03T11:00:00Z", "LegacyFreeBusyStatus": "Busy", "CalendarItemType": "Single"} {
		if got := a.text(tag); got != want {
			t.Errorf("%s is %q, want %q", tag, got, want)
		}
	}
	first := s.sync("").ok()
	if n := len(first.all("Create")); n != 1 {
		t.Fatalf("%d creates: %s", n, first.body)
	}
	again := s.sync(first.text("SyncState")).ok()
	if len(again.all("Changes")[0].kids) != 0 || again.text("SyncState") != first.text("SyncState") {
		t.Errorf("a sync without changes says %s", again.body)
	}
}
