package ews

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
)

// scripted answers the requests in turn and keeps them.
func scripted(t *testing.T, answers ...string) (*Client, *[]string) {
	t.Helper()
	requests := new([]string)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*requests = append(*requests, string(body))
		if len(*requests) > len(answers) {
			t.Errorf("request %d was not expected", len(*requests))
			return
		}
		xmlAnswer(200, answers[len(*requests)-1])(w, r)
	})
	return client(t, s, Options{GetBatch: 2}), requests
}

// wantKind fails unless err is a Fault of that kind.
func wantKind(t *testing.T, err error, kind calsync.FaultKind, code string) {
	t.Helper()
	f, ok := errors.AsType[*calsync.Fault](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want a %s fault %s", err, kind, code)
	}
}

func TestProbe(t *testing.T) {
	item := func(id string) string {
		return `<t:CalendarItem><t:ItemId Id="` + id + `" ChangeKey="ck-` + id + `"/></t:CalendarItem>`
	}
	c, requests := scripted(t, success("SyncFolderItems", `<m:SyncState>next &amp; on</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange><m:Changes>`+
		`<t:Create>`+item("a")+`</t:Create><t:Update>`+item("A")+`</t:Update><t:Delete><t:ItemId Id="b" ChangeKey="x"/></t:Delete>`+
		`<t:ReadFlagChange><t:ItemId Id="c"/><t:IsRead>true</t:IsRead></t:ReadFlagChange>`+
		`<t:Create><t:Message><t:ItemId Id="mail"/></t:Message></t:Create><t:Tomorrow/></m:Changes>`))
	target := calsync.Target{Address: "a@contoso.example", Folder: "F=", Schema: "Exchange2016"}
	got, err := c.Probe(t.Context(), target, "cursor", 7)
	if err != nil {
		t.Fatal(err)
	}
	want := []calsync.ItemChange{{Kind: calsync.Created, ID: "a", ChangeKey: "ck-a"}, {Kind: calsync.Updated, ID: "A", ChangeKey: "ck-A"}, {Kind: calsync.Deleted, ID: "b"}}
	if got.Cursor != "next & on" || !got.More || !slices.Equal(got.Changes, want) {
		t.Errorf("%+v", got)
	}
	for _, part := range []string{`<m:SyncState>cursor</m:SyncState>`, `<m:MaxChangesReturned>7<`, `<t:FolderId Id="F="/>`, `Version="Exchange2016"`} {
		if !strings.Contains((*requests)[0], part) {
			t.Errorf("no %s in %s", part, (*requests)[0])
		}
	}
}

func TestProbeRefusesNonsense(t *testing.T) {
	const state, last, changes = `<m:SyncState>same</m:SyncState>`, `<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>`, `<m:Changes/>`
	one := message1("SyncFolderItems", "Success", NoError, state+last+changes)
	tests := map[string]string{
		"E18 no progress":         success("SyncFolderItems", state+`<m:IncludesLastItemInRange>false</m:IncludesLastItemInRange>`+changes),
		"no cursor":               success("SyncFolderItems", last+changes),
		"empty cursor":            success("SyncFolderItems", `<m:SyncState/>`+last+changes),
		"no IncludesLast":         success("SyncFolderItems", state+changes),
		"no Changes":              success("SyncFolderItems", state+last),
		"a change without an id":  success("SyncFolderItems", state+last+`<m:Changes><t:Delete><t:ItemId/></t:Delete></m:Changes>`),
		"no messages":             answer(`<m:SyncFolderItemsResponse><m:ResponseMessages/></m:SyncFolderItemsResponse>`),
		"no ResponseMessages":     answer(`<m:SyncFolderItemsResponse/>`),
		"two messages":            answer(responses("SyncFolderItems", one+one)),
		"no ResponseClass":        answer(responses("SyncFolderItems", strings.Replace(one, "ResponseClass", "Klass", 1))),
		"another's message":       answer(responses("SyncFolderItems", strings.ReplaceAll(one, "SyncFolderItemsResponseMessage", "GetItemResponseMessage"))),
		"types for messages":      strings.ReplaceAll(success("SyncFolderItems", state+last+changes), "/messages", "/types"),
		"two roots":               success("SyncFolderItems", state+last+changes) + "<a/>",
		"a DOCTYPE":               strings.Replace(success("SyncFolderItems", state+last+changes), "?>", "?><!DOCTYPE a>", 1),
		"a well-formed other XML": `<html/>`,
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := scripted(t, doc)
			_, err := c.Probe(t.Context(), mailbox, "same", 0)
			wantKind(t, err, calsync.FaultMalformed, "")
		})
	}
}

func itemMessage(id string) string {
	return message1("GetItem", "Success", NoError, `<m:Items><t:CalendarItem><t:ItemId Id="`+id+`" ChangeKey="k"/><t:Subject>`+id+`</t:Subject></t:CalendarItem></m:Items>`)
}

// TestGetPartialFailure: each item has its own result, by position, over several batches (E13, E14, E16).
func TestGetPartialFailure(t *testing.T) {
	c, requests := scripted(t,
		answer(responses("GetItem", itemMessage("1")+message1("GetItem", "Error", ErrorItemNotFound, "<m:Items/>"))),
		answer(responses("GetItem", message1("GetItem", "Warning", ErrorBatchProcessingStopped, "<m:Items/>")+message1("GetItem", "Success", NoError, `<m:Items><t:Message/></m:Items>`))),
		answer(responses("GetItem", message1("GetItem", "Success", NoError, `<m:Items><t:CalendarItem><t:ItemId Id="5"/><t:Start>yesterday</t:Start></t:CalendarItem></m:Items>`))))
	got, err := c.Get(t.Context(), mailbox, []string{"1", "2", "3", "4", "5"})
	if err != nil || len(got) != 5 || len(*requests) != 3 {
		t.Fatalf("%d results, %d requests, %v", len(got), len(*requests), err)
	}
	if got[0].Err != nil || got[0].Appointment.Subject != "1" {
		t.Errorf("%+v", got[0])
	}
	wantKind(t, got[1].Err, calsync.FaultResponse, ErrorItemNotFound)
	wantKind(t, got[2].Err, calsync.FaultResponse, ErrorBatchProcessingStopped)
	wantKind(t, got[3].Err, calsync.FaultMalformed, "")
	wantKind(t, got[4].Err, calsync.FaultMalformed, "")
	if !strings.Contains((*requests)[1], `<t:ItemId Id="3"/><t:ItemId Id="4"/>`) {
		t.Errorf("second batch: %s", (*requests)[1])
	}
}

func TestGetCountsResponses(t *testing.T) {
	for n, messages := range []string{"", itemMessage("1"), 2: itemMessage("1") + itemMessage("2") + itemMessage("3")} {
		c, _ := scripted(t, answer(responses("GetItem", messages)))
		got, err := c.Get(t.Context(), mailbox, []string{"1", "2"})
		wantKind(t, err, calsync.FaultMalformed, "")
		if got != nil {
			t.Errorf("%d: results came with the error", n)
		}
	}
	c, _ := scripted(t)
	if got, err := c.Get(t.Context(), mailbox, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing asked: %v, %v", got, err)
	}
}

func TestMasters(t *testing.T) {
	c, requests := scripted(t, answer(responses("GetItem", itemMessage("m"))))
	got, err := c.Masters(t.Context(), mailbox, []string{"occ"})
	if err != nil || got[0].Appointment.ID != "m" || !strings.Contains((*requests)[0], `<t:RecurringMasterItemId OccurrenceId="occ"/>`) {
		t.Errorf("%+v, %v, %s", got, err, *requests)
	}
}

var viewDates = regexp.MustCompile(`StartDate="([^"]+)" EndDate="([^"]+)"`)

// calendar is a server that answers CalendarViews as Exchange does: overlapping items in order of start, at most
// limit of them; what lies beyond is cut off, or refused.
type calendar struct {
	t      *testing.T
	starts []time.Time
	limit  int
	refuse string // code to answer with when there are too many; "" cuts the list
	views  int
}

const length = 30 * time.Minute

func (c *calendar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.views++
	body, _ := io.ReadAll(r.Body)
	m := viewDates.FindSubmatch(body)
	from, err1 := time.Parse(time.RFC3339, string(m[1]))
	to, err2 := time.Parse(time.RFC3339, string(m[2]))
	if err1 != nil || err2 != nil || to.Sub(from) > 2*366*24*time.Hour {
		c.t.Errorf("view from %s to %s", m[1], m[2])
	}
	var items []string
	for i, start := range c.starts {
		if !start.Add(length).Before(from) && start.Before(to) { // calendarview.md: what ends at StartDate is included
			items = append(items, fmt.Sprintf(`<t:CalendarItem><t:ItemId Id="%d"/><t:Start>%s</t:Start><t:End>%s</t:End></t:CalendarItem>`, i, start.Format(time.RFC3339), start.Add(length).Format(time.RFC3339)))
		}
	}
	last := len(items) <= c.limit
	if !last && c.refuse != "" {
		xmlAnswer(200, failure("FindItem", c.refuse, "too many", ""))(w, r)
		return
	}
	items = items[:min(len(items), c.limit)]
	xmlAnswer(200, success("FindItem", fmt.Sprintf(`<m:RootFolder TotalItemsInView="%d" IncludesLastItemInRange="%v"><t:Items>%s</t:Items></m:RootFolder>`, len(items), last, strings.Join(items, ""))))(w, r)
}

// TestListIsComplete: whatever the server cuts or refuses, every appointment of the window comes, once, in order.
func TestListIsComplete(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := calsync.Window{From: from, To: from.AddDate(3, 0, 0)} // longer than one view may be
	var starts []time.Time
	for i := range 300 {
		starts = append(starts, from.Add(time.Duration(i)*90*time.Minute-length)) // the first ends when the window begins
	}
	starts = append(starts, w.To, w.To.Add(-time.Minute), from.Add(-time.Minute))
	for _, refuse := range []string{"", ErrorExceededFindCountLimit, ErrorCalendarViewRangeTooBig, ErrorResultSetTooBig} {
		cal := &calendar{t: t, starts: starts, limit: 20, refuse: refuse}
		got, err := client(t, serve(t, cal.ServeHTTP), Options{}).List(t.Context(), mailbox, w)
		if err != nil {
			t.Fatalf("%s: %v", refuse, err)
		}
		if len(got) != 299+2 { // not the one that ended before, not the one that begins at the end
			t.Errorf("%s: %d appointments after %d views", refuse, len(got), cal.views)
		}
		ordered := slices.IsSortedFunc(got, func(a, b calsync.Appointment) int { return a.Start.Compare(b.Start) })
		if !ordered || cal.views > 100 {
			t.Errorf("%s: ordered %v, %d views", refuse, ordered, cal.views)
		}
	}
}

// TestListGivesUp: a server that never says "complete" costs a bounded number of requests and yields no part.
func TestListGivesUp(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	same := slices.Repeat([]time.Time{from}, 5)
	for _, refuse := range []string{"", ErrorExceededFindCountLimit} {
		cal := &calendar{t: t, starts: same, limit: 3, refuse: refuse}
		got, err := client(t, serve(t, cal.ServeHTTP), Options{}).List(t.Context(), mailbox, calsync.Window{From: from, To: from.AddDate(0, 1, 0)})
		if err == nil || got != nil || cal.views > maxViews {
			t.Errorf("%q: %d appointments, %v after %d views", refuse, len(got), err, cal.views)
		}
	}
	never := &calendar{t: t, limit: -1}
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		never.views++
		xmlAnswer(200, success("FindItem", `<m:RootFolder IncludesLastItemInRange="false"><t:Items/></m:RootFolder>`))(w, r)
	}), Options{})
	_, err := c.List(t.Context(), mailbox, calsync.Window{From: from, To: from.AddDate(1, 0, 0)})
	wantKind(t, err, calsync.FaultMalformed, "")
	if never.views > maxViews {
		t.Errorf("%d views", never.views)
	}
}

func TestListPassesOtherFaultsOn(t *testing.T) {
	w := calsync.Window{From: time.Unix(0, 0), To: time.Unix(3600, 0)}
	c, _ := scripted(t, failure("FindItem", ErrorServerBusy, "busy", ""))
	_, err := c.List(t.Context(), mailbox, w)
	wantKind(t, err, calsync.FaultResponse, ErrorServerBusy)
	c, _ = scripted(t, success("FindItem", ""))
	_, err = c.List(t.Context(), mailbox, w)
	wantKind(t, err, calsync.FaultMalformed, "")
	c, _ = scripted(t, success("FindItem", `<m:RootFolder IncludesLastItemInRange="true"><t:Items><t:CalendarItem><t:Start>x</t:Start></t:CalendarItem></t:Items></m:RootFolder>`))
	_, err = c.List(t.Context(), mailbox, w)
	wantKind(t, err, calsync.FaultMalformed, "")
	c, _ = scripted(t)
	if got, err := c.List(t.Context(), mailbox, calsync.Window{From: w.To, To: w.From}); err != nil || got != nil {
		t.Errorf("empty window: %v, %v", got, err)
	}
}

func TestGetFolder(t *testing.T) {
	c, requests := scripted(t, success("GetFolder", `<m:Folders><t:CalendarFolder><t:FolderId Id="F=" ChangeKey="k"/><t:FolderClass>IPF.Appointment</t:FolderClass><t:DisplayName>Kalender</t:DisplayName><t:TotalCount>17</t:TotalCount>`+
		`<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated><t:CreateContents>true</t:CreateContents><t:CreateHierarchy>false</t:CreateHierarchy><t:Delete>false</t:Delete><t:Modify>false</t:Modify><t:Read>1</t:Read><t:ViewPrivateItems>false</t:ViewPrivateItems></t:EffectiveRights></t:CalendarFolder></m:Folders>`),
		failure("GetFolder", ErrorAccessDenied, "Access is denied.", "<m:Folders/>"), success("GetFolder", "<m:Folders/>"))
	got, err := c.GetFolder(t.Context(), mailbox)
	if want := (Folder{"F=", "k", "Kalender", "IPF.Appointment", 17, calsync.Rights{Told: true, Read: true, Create: true}}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains((*requests)[0], `<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>`+mailbox.Address) {
		t.Errorf("a delegate has to name the mailbox: %s", *requests)
	}
	_, err = c.GetFolder(t.Context(), mailbox)
	wantKind(t, err, calsync.FaultResponse, ErrorAccessDenied)
	_, err = c.GetFolder(t.Context(), mailbox)
	wantKind(t, err, calsync.FaultMalformed, "")
}

func TestResolveNames(t *testing.T) {
	set := `<m:ResolutionSet><t:Resolution><t:Mailbox><t:Name>Room 1</t:Name><t:EmailAddress>room1@contoso.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Resolution>` +
		`<t:Resolution><t:Mailbox><t:Name>Room 2</t:Name><t:EmailAddress>/o=x/cn=room2</t:EmailAddress><t:RoutingType>EX</t:RoutingType></t:Mailbox></t:Resolution></m:ResolutionSet>`
	c, _ := scripted(t, answer(responses("ResolveNames", message1("ResolveNames", "Warning", ErrorNameResolutionMultipleResults, set))),
		failure("ResolveNames", ErrorNameResolutionNoResults, "No results were found.", ""), failure("ResolveNames", ErrorServerBusy, "busy", ""))
	got, err := c.ResolveNames(t.Context(), mailbox, "room")
	if want := []calsync.Person{{Name: "Room 1", Address: "room1@contoso.example"}, {Name: "Room 2"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.ResolveNames(t.Context(), mailbox, "nobody"); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	_, err = c.ResolveNames(t.Context(), mailbox, "x")
	wantKind(t, err, calsync.FaultResponse, ErrorServerBusy)
}
