package ewsapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim/store"
)

// find sends a FindItem with what stands between the shape and the folder.
func (s *server) find(shape, middle string) answer {
	s.t.Helper()
	return s.call(`<m:FindItem Traversal="Shallow"><m:ItemShape>` + shape + `</m:ItemShape>` + middle +
		`<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>`)
}

func view(from, to string, limit int) string {
	most := ""
	if limit > 0 {
		most = fmt.Sprintf(` MaxEntriesReturned="%d"`, limit)
	}
	return `<m:CalendarView` + most + ` StartDate="` + from + `" EndDate="` + to + `"/>`
}

func subjects(a answer) string {
	var all []string
	for _, e := range a.all("Subject") {
		all = append(all, e.text)
	}
	return strings.Join(all, " ")
}

// fill puts appointments a to e on consecutive hours.
func (s *server) fill() {
	m := s.company.Mailbox(ann)
	booking := store.PropertyKey{Set: "d7a52b44-1c0d-4a0e-8b0e-4d5d2c1f6e10", Name: "BookingId", Type: "String"}
	count := store.PropertyKey{Set: propertySets["PublicStrings"], Name: "Count", Type: "Integer"}
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		start := now.Add(time.Duration(i) * time.Hour)
		it := &store.Item{Subject: name, Location: "Room " + name, Start: start, End: start.Add(time.Hour), Extended: map[store.PropertyKey][]string{}}
		if i%2 == 0 {
			it.Extended[booking] = []string{"B-" + name}
			it.Extended[count] = []string{fmt.Sprint(i)}
		}
		if _, err := m.Create(store.Actor{}, m.Calendar(), it); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestRestrictions(t *testing.T) {
	s := newServer(t, Options{})
	s.fill()
	const booking = `<t:ExtendedFieldURI PropertySetId="d7a52b44-1c0d-4a0e-8b0e-4d5d2c1f6e10" PropertyName="BookingId" PropertyType="String"/>`
	const count = `<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Count" PropertyType="Integer"/>`
	path := func(uri string) string { return `<t:FieldURI FieldURI="` + uri + `"/>` }
	constant := func(v string) string {
		return `<t:FieldURIOrConstant><t:Constant Value="` + v + `"/></t:FieldURIOrConstant>`
	}
	for name, c := range map[string]struct{ expression, want string }{
		"equal":            {`<t:IsEqualTo>` + path("item:Subject") + constant("C") + `</t:IsEqualTo>`, "c"},
		"not equal":        {`<t:IsNotEqualTo>` + path("item:Subject") + constant("c") + `</t:IsNotEqualTo>`, "e d b a"},
		"own property":     {`<t:IsEqualTo>` + booking + constant("B-c") + `</t:IsEqualTo>`, "c"},
		"property there":   {`<t:Exists>` + booking + `</t:Exists>`, "e c a"},
		"property missing": {`<t:Not><t:Exists>` + booking + `</t:Exists></t:Not>`, "d b"},
		"number":           {`<t:IsGreaterThanOrEqualTo>` + count + constant("2") + `</t:IsGreaterThanOrEqualTo>`, "e c"},
		"time":             {`<t:IsLessThan>` + path("calendar:Start") + constant("2026-03-02T11:00:00Z") + `</t:IsLessThan>`, "b a"},
		"two properties":   {`<t:IsGreaterThan>` + path("calendar:End") + `<t:FieldURIOrConstant>` + path("calendar:Start") + `</t:FieldURIOrConstant></t:IsGreaterThan>`, "e d c b a"},
		"and": {`<t:And><t:IsGreaterThan>` + path("calendar:Start") + constant("2026-03-02T09:00:00Z") + `</t:IsGreaterThan><t:IsLessThanOrEqualTo>` +
			path("calendar:End") + constant("2026-03-02T12:00:00Z") + `</t:IsLessThanOrEqualTo></t:And>`, "c b"},
		"or":           {`<t:Or><t:IsEqualTo>` + path("item:Subject") + constant("a") + `</t:IsEqualTo><t:IsEqualTo>` + path("item:Subject") + constant("b") + `</t:IsEqualTo></t:Or>`, "b a"},
		"substring":    {`<t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase">` + path("calendar:Location") + `<t:Constant Value="ROOM A"/></t:Contains>`, "a"},
		"case matters": {`<t:Contains ContainmentMode="Substring" ContainmentComparison="Exact">` + path("calendar:Location") + `<t:Constant Value="ROOM A"/></t:Contains>`, ""},
		"prefix":       {`<t:Contains ContainmentMode="Prefixed" ContainmentComparison="Exact">` + path("calendar:Location") + `<t:Constant Value="Room"/></t:Contains>`, "e d c b a"},
		"whole":        {`<t:Contains ContainmentMode="FullString" ContainmentComparison="Exact">` + path("calendar:Location") + `<t:Constant Value="Room"/></t:Contains>`, ""},
		"boolean":      {`<t:IsEqualTo>` + path("calendar:IsAllDayEvent") + constant("true") + `</t:IsEqualTo>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			a := s.find(`<t:BaseShape>Default</t:BaseShape>`, `<m:Restriction>`+c.expression+`</m:Restriction>`).ok()
			if got := subjects(a); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
	s.t = t
	s.find(idOnly, `<m:Restriction><t:Exists>`+path("calendar:OnlineMeetingSettings")+`</t:Exists></m:Restriction>`).want("ErrorUnsupportedPathForQuery")
}

func TestSortAndPages(t *testing.T) {
	s := newServer(t, Options{})
	s.fill()
	sorted := `<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder></m:SortOrder>`
	for _, c := range []struct {
		view, want, last, next string
	}{
		{`Offset="0" MaxEntriesReturned="2" BasePoint="Beginning"`, "a b", "false", "2"},
		{`Offset="4" MaxEntriesReturned="2" BasePoint="Beginning"`, "e", "true", "5"},
		{`Offset="9" MaxEntriesReturned="2" BasePoint="Beginning"`, "", "true", "5"},
		{`Offset="0" MaxEntriesReturned="2" BasePoint="End"`, "d e", "false", "2"},
		{`Offset="4" MaxEntriesReturned="2" BasePoint="End"`, "a", "true", "5"},
	} {
		a := s.find(`<t:BaseShape>Default</t:BaseShape>`, `<m:IndexedPageItemView `+c.view+`/>`+sorted).ok()
		root := a.all("RootFolder")[0]
		if got := subjects(a); got != c.want || root.attr("IncludesLastItemInRange") != c.last || root.attr("IndexedPagingOffset") != c.next || root.attr("TotalItemsInView") != "5" {
			t.Errorf("%s: %q, %+v; want %q, last %s, next %s", c.view, got, root.attrs, c.want, c.last, c.next)
		}
	}
	descending := strings.Replace(sorted, "Ascending", "Descending", 1)
	if got := subjects(s.find(`<t:BaseShape>Default</t:BaseShape>`, descending).ok()); got != "e d c b a" {
		t.Errorf("descending: %q", got)
	}
	s.find(idOnly, strings.Replace(sorted, "calendar:Start", "calendar:Organizer", 1)).want("ErrorUnsupportedPathForSortGroup")
}

func TestTraversal(t *testing.T) {
	s := newServer(t, Options{})
	s.fill()
	for traversal, want := range map[string]int{"Shallow": 5, "Associated": 0, "SoftDeleted": 0} {
		a := s.call(`<m:FindItem Traversal="` + traversal + `"><m:ItemShape>` + idOnly + `</m:ItemShape><m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>`).ok()
		if n := len(a.all("CalendarItem")); n != want {
			t.Errorf("%s: %d items, want %d", traversal, n, want)
		}
	}
}

// TestRestrictedLimit: a search returns at most 250 entries, and says that there are more.
func TestRestrictedLimit(t *testing.T) {
	s := newServer(t, Options{})
	m := s.company.Mailbox(ann)
	for range 300 {
		if _, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{Subject: "x", Start: now, End: now}); err != nil {
			t.Fatal(err)
		}
	}
	a := s.find(idOnly, `<m:IndexedPageItemView Offset="0" BasePoint="Beginning"/><m:Restriction><t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists></m:Restriction>`).ok()
	if n := len(a.all("CalendarItem")); n != 250 || a.all("RootFolder")[0].attr("IncludesLastItemInRange") != "false" {
		t.Errorf("%d entries", n)
	}
}

func TestCalendarView(t *testing.T) {
	s := newServer(t, Options{})
	s.create(weekly).ok()
	s.create(lunch).ok()
	a := s.find(allProperties, view("2026-03-01T00:00:00Z", "2026-03-17T00:00:00Z", 0)).ok()
	if got := subjects(a); got != "Weekly Lunch Weekly Weekly" {
		t.Errorf("view shows %q", got)
	}
	for _, absent := range []string{"Body", "Recurrence", "FirstOccurrence", "RequiredAttendees"} {
		if absent != "Body" && len(a.all(absent)) > 0 || absent == "Body" && strings.Contains(a.body, "<t:Body") {
			t.Errorf("FindItem returns %s", absent)
		}
	}
	if o := a.all("Organizer")[0].kid("Mailbox"); o.val("RoutingType") != "EX" || !strings.HasPrefix(o.val("EmailAddress"), "/O=") {
		t.Errorf("FindItem gives the organizer as %s %s", o.val("RoutingType"), o.val("EmailAddress"))
	}
	if a := s.find(idOnly, view("2026-03-01T00:00:00Z", "2026-03-17T00:00:00Z", 2)).ok(); a.all("RootFolder")[0].attr("IncludesLastItemInRange") != "false" || len(a.all("CalendarItem")) != 2 {
		t.Errorf("limited view: %s", a.body)
	}
	if got := subjects(s.find(`<t:BaseShape>Default</t:BaseShape>`, "").ok()); got != "Lunch Weekly" {
		t.Errorf("without a view: %q, want singles and masters", got)
	}
	s.find(idOnly, view("2026-03-01T00:00:00Z", "2028-03-05T00:00:00Z", 0)).want("ErrorCalendarViewRangeTooBig")
	s.find(idOnly, view("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", 0)).want("ErrorCalendarEndDateIsEarlierThanStartDate")
	s.find(idOnly, view("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 0)+`<m:Restriction><t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists></m:Restriction>`).want("ErrorInvalidOperation")
	inbox := strings.Replace(`<m:FindItem Traversal="Shallow"><m:ItemShape>`+idOnly+`</m:ItemShape>`+view("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 0)+
		`<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>`, `Id="calendar"`, `Id="inbox"`, 1)
	s.call(inbox).want("ErrorCalendarFolderIsInvalidForCalendarView")
}

func TestCalendarViewCountLimit(t *testing.T) {
	s := newServer(t, Options{})
	s.create(strings.NewReplacer("<t:NumberOfOccurrences>4", "<t:NumberOfOccurrences>999", "WeeklyRecurrence", "DailyRecurrence", "<t:DaysOfWeek>Monday</t:DaysOfWeek>", "").Replace(weekly)).ok()
	s.create(strings.NewReplacer("<t:NumberOfOccurrences>4", "<t:NumberOfOccurrences>999", "WeeklyRecurrence", "DailyRecurrence", "<t:DaysOfWeek>Monday</t:DaysOfWeek>", "").Replace(weekly)).ok()
	a := s.find(idOnly, view("2026-03-01T00:00:00Z", "2028-03-01T00:00:00Z", 0)).want("ErrorExceededFindCountLimit")
	if v := a.all("Value"); len(v) != 1 || v[0].attr("Name") != "PolicyLimit" || v[0].text != "1000" {
		t.Errorf("message is %s", a.body)
	}
}

func TestFolders(t *testing.T) {
	s := newServer(t, Options{})
	m := s.company.Mailbox(ann)
	sub, err := m.AddFolder(m.Calendar(), "Team", "IPF.Appointment")
	if err != nil {
		t.Fatal(err)
	}
	a := s.call(`<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="folder:DistinguishedFolderId"/></t:AdditionalProperties></m:FolderShape>` +
		`<m:FolderIds><t:DistinguishedFolderId Id="calendar"/><t:DistinguishedFolderId Id="inbox"/><t:FolderId Id="` + sub.ID + `"/><t:FolderId Id="x"/><t:DistinguishedFolderId Id="tasks"/></m:FolderIds></m:GetFolder>`)
	a.want("NoError", "NoError", "NoError", "ErrorInvalidIdMalformed", "ErrorFolderNotFound")
	if len(a.all("CalendarFolder")) != 2 || a.text("DisplayName") != "Calendar" || a.text("ChildFolderCount") != "1" || a.text("FolderClass") != "IPF.Appointment" {
		t.Errorf("folders are %s", a.body)
	}
	findFolder := func(traversal, restriction string) answer {
		return s.call(`<m:FindFolder Traversal="` + traversal + `"><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:IndexedPageFolderView Offset="0" BasePoint="Beginning"/>` +
			restriction + `<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>`)
	}
	shallow, deep := findFolder("Shallow", "").ok(), findFolder("Deep", "").ok()
	if n, d := len(shallow.all("FolderId")), len(deep.all("FolderId")); d != n+1 {
		t.Errorf("%d folders, %d in depth", n, d)
	}
	named := findFolder("Deep", `<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURIOrConstant><t:Constant Value="Team"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>`).ok()
	if f := named.all("FolderId"); len(f) != 1 || f[0].attr("Id") != sub.ID {
		t.Errorf("search by name: %s", named.body)
	}
	hierarchy := func(state string) answer {
		return s.call(`<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>` + state + `</m:SyncFolderHierarchy>`)
	}
	first := hierarchy("").ok()
	if n := len(first.all("Create")); n != len(deep.all("FolderId")) {
		t.Errorf("hierarchy has %d folders", n)
	}
	if again := hierarchy(`<m:SyncState>` + first.text("SyncState") + `</m:SyncState>`).ok(); len(again.all("Create")) != 0 {
		t.Error("the hierarchy changed")
	}
	hierarchy(`<m:SyncState>xx</m:SyncState>`).want("ErrorInvalidSyncStateData")
}

func TestSyncFolderItems(t *testing.T) {
	s := newServer(t, Options{})
	s.fill()
	const head, tail = `<m:SyncFolderItems><m:ItemShape>`, `</m:SyncFolderItems>`
	const folder = `<m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>`
	const most = `<m:MaxChangesReturned>512</m:MaxChangesReturned>`
	s.call(head + `<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>` + folder + most + tail).want("ErrorInvalidPropertyForOperation") // MS-OXWSSYNC_R3787
	a := s.call(head + allProperties + `</m:ItemShape>` + folder + most + `<m:SyncScope>NormalItems</m:SyncScope>` + tail).ok()                                                       // MS-OXWSSYNC_R392
	if len(a.all("Create")) != 5 || strings.Contains(a.body, "<t:Body") || a.text("IncludesLastItemInRange") != "true" {
		t.Errorf("initial synchronization: %s", a.body)
	}
	ids := a.all("ItemId")
	state := `<m:SyncState>` + a.text("SyncState") + `</m:SyncState>`
	s.update(ids[0].attr("Id"), "", "AlwaysOverwrite", set("item:Subject", `<t:Subject>x</t:Subject>`)).ok()
	s.update(ids[1].attr("Id"), "", "AlwaysOverwrite", set("item:Subject", `<t:Subject>x</t:Subject>`)).ok()
	s.remove("HardDelete", itemID(ids[2].attr("Id"))).ok()
	ignore := `<m:Ignore>` + itemID(ids[1].attr("Id")) + `</m:Ignore>`
	a = s.call(head + `<t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>` + folder + state + ignore + most + tail).ok() // MS-OXWSSYNC_R3851
	if len(a.all("Update")) != 1 || len(a.all("Delete")) != 1 || a.all("Update")[0].kids[0].kid("ItemId").attr("Id") != ids[0].attr("Id") {
		t.Errorf("changes: %s", a.body)
	}
	a = s.sync(strings.Repeat("A", 440)).want("ErrorInvalidSyncStateData")
	if a.status != 200 || a.text("SyncState") != "" || a.text("MessageText") != "Synchronization state data is corrupt or otherwise invalid." {
		t.Errorf("bad state: status %d, %s", a.status, a.body)
	}
	gone, _ := s.company.Mailbox(ann).AddFolder(s.company.Mailbox(ann).Calendar(), "x", "IPF.Appointment")
	if err := s.company.Mailbox(ann).RemoveFolder(gone.ID); err != nil {
		t.Fatal(err)
	}
	s.call(head + idOnly + `</m:ItemShape><m:SyncFolderId><t:FolderId Id="` + gone.ID + `"/></m:SyncFolderId>` + most + tail).want("ErrorSyncFolderNotFound")
}

// TestSyncReadFlag: reading a message is a change of its own kind.
func TestSyncReadFlag(t *testing.T) {
	s := newServer(t, Options{})
	m := s.company.Mailbox(ann)
	it, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{Subject: "x", Start: now, End: now})
	if err != nil {
		t.Fatal(err)
	}
	state := s.sync("").ok().text("SyncState")
	if _, _, err := m.Update(store.Actor{}, it.ID, store.Basis{}, func(it *store.Item) error { it.IsRead = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := s.sync(state).ok(); len(a.all("ReadFlagChange")) != 1 || a.text("IsRead") != "true" {
		t.Errorf("changes: %s", a.body)
	}
}
