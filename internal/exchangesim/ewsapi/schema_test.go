package ewsapi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDigestAcceptsDocumentedRequests checks the digest of the schema against requests that others wrote: everything
// that Microsoft's schema allows must pass.
func TestDigestAcceptsDocumentedRequests(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(), "ews-samples", "*", "*.request.*.xml"))
	if len(files) == 0 {
		t.Skip("no sample requests beside the checkout (set ROOMSYNC_SHARED)")
	}
	checked := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := &request{}
		err = r.parse(string(doc))
		var unknown *requestError
		if errors.As(err, &unknown) {
			continue // an operation that this server does not have
		}
		checked++
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	if checked < 50 {
		t.Errorf("only %d requests were checked", checked)
	}
}

// TestSchemaFaults sends requests that the schema forbids.
func TestSchemaFaults(t *testing.T) {
	const syncHead = `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>`
	const calendar = `<t:DistinguishedFolderId Id="calendar"/>`
	const folder = `<m:SyncFolderId>` + calendar + `</m:SyncFolderId>`
	s := newServer(t, Options{})
	for name, c := range map[string]struct{ body, violation string }{
		"MSOXWSSYNC_R470 too many": {syncHead + folder + `<m:MaxChangesReturned>513</m:MaxChangesReturned></m:SyncFolderItems>`,
			"MaxSyncChangesReturnedType' - The MaxInclusive constraint failed."},
		"MSOXWSSYNC_R389 none": {syncHead + folder + `<m:MaxChangesReturned>0</m:MaxChangesReturned></m:SyncFolderItems>`, "The MinInclusive constraint failed."},
		"missing element":      {syncHead + folder + `</m:SyncFolderItems>`, "has incomplete content. List of possible elements expected: 'MaxChangesReturned'"},
		"wrong order": {syncHead + `<m:MaxChangesReturned>1</m:MaxChangesReturned>` + folder + `</m:SyncFolderItems>`,
			"has invalid child element 'MaxChangesReturned'"},
		"unknown element": {syncHead + folder + `<m:MaxChangesReturned>1</m:MaxChangesReturned><m:Nonsense/></m:SyncFolderItems>`, "invalid child element 'Nonsense'"},
		"wrong namespace": {strings.Replace(syncHead, "m:ItemShape", "t:ItemShape", 2) + folder + `<m:MaxChangesReturned>1</m:MaxChangesReturned></m:SyncFolderItems>`,
			"invalid child element 'ItemShape' in namespace '" + nsTypes},
		"unknown folder name": {`<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="inbox1"/></m:FolderIds></m:GetFolder>`,
			"The 'Id' attribute is invalid - The value 'inbox1' is invalid according to its datatype '" + nsTypes + ":DistinguishedFolderIdNameType' - The Enumeration constraint failed."},
		"unknown property": {`<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Colour"/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:GetItem>`,
			"UnindexedFieldURIType' - The Enumeration constraint failed."},
		"missing attribute": {`<m:DeleteItem><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:DeleteItem>`, "The required attribute 'DeleteType' is missing."},
		"unknown attribute": {`<m:GetRoomLists Colour="blue"/>`, "The 'Colour' attribute is not declared."},
		"text between":      {`<m:GetRoomLists>hello</m:GetRoomLists>`, "cannot contain text"},
		"not a time":        {`<m:CreateItem><m:Items><t:CalendarItem><t:Start>today</t:Start></t:CalendarItem></m:Items></m:CreateItem>`, "The string 'today' is not a valid DateTime value."},
		"properties shuffled": {`<m:CreateItem><m:Items><t:CalendarItem><t:Start>2026-03-03T10:00:00Z</t:Start><t:Subject>x</t:Subject></t:CalendarItem></m:Items></m:CreateItem>`,
			"invalid child element 'Subject'"},
		"no mailboxes": {`<m:GetUserAvailabilityRequest/>`, "'MailboxDataArray'"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			a := s.call(c.body).want("ErrorSchemaValidation")
			if a.status != 500 || a.root.kid("Header") != nil {
				t.Errorf("status %d, SOAP header %v; want 500 and none", a.status, a.root.kid("Header") != nil)
			}
			if v := a.text("Violation"); !strings.Contains(v, c.violation) {
				t.Errorf("violation %q, want %q in it", v, c.violation)
			}
			if got := a.text("faultcode"); got != "a:ErrorSchemaValidation" {
				t.Errorf("faultcode %q", got)
			}
		})
	}
}

// TestNotXML sends what no XML parser accepts; the server says where.
func TestNotXML(t *testing.T) {
	s := newServer(t, Options{})
	for name, c := range map[string]struct {
		document     string
		line, column string
	}{
		"cut off":       {envelopeStart + "<s:Body>", "1", ""},
		"entity":        {"<a>\n\n  &nbsp;</a>", "3", "3"},
		"doctype":       {`<!DOCTYPE a><a/>`, "1", "1"},
		"two roots":     {`<a/><b/>`, "1", "5"},
		"mismatch":      {"<a>\n</b>", "2", ""},
		"prefix":        {`<x:a/>`, "1", ""},
		"control char":  {"<a>\x01</a>", "1", ""},
		"char ref":      {"<a>&#x1;</a>", "1", ""},
		"duplicate":     {`<a b="1" b="2"/>`, "1", ""},
		"invalid utf-8": {"<a>\xff</a>", "1", ""},
		"too deep":      {strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70), "1", ""},
		"not soap":      {`<a/>`, "1", ""},
		"soap 1.2":      {`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>`, "1", ""},
		"empty":         {``, "1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			a := s.post(c.document).want("ErrorSchemaValidation")
			if got := a.text("LineNumber"); got != c.line {
				t.Errorf("line %s, want %s: %s", got, c.line, a.text("Violation"))
			}
			if got := a.text("LinePosition"); c.column != "" && got != c.column {
				t.Errorf("position %s, want %s", got, c.column)
			}
		})
	}
}

func TestXMLForms(t *testing.T) {
	root, err := parseXML("\ufeff<?xml version=\"1.0\"?><!-- c --><a xmlns='u' xmlns:p=\"v\"><p:b c='&lt;&#65;&#x42;'>x<![CDATA[<y>&]]>z&amp;\r\n</p:b><?pi?><d/></a>\n")
	if err != nil {
		t.Fatal(err)
	}
	b := root.kids[0]
	if root.ns != "u" || b.ns != "v" || b.name != "b" || b.attr("c") != "<AB" || b.text != "x<y>&z&\n" || root.kids[1].ns != "u" {
		t.Errorf("parsed %+v, %+v", root, b)
	}
}

func FuzzParseXML(f *testing.F) {
	f.Add(envelopeStart + `<s:Body><m:GetRoomLists/></s:Body></s:Envelope>`)
	f.Add("<a b='c'>&amp;<![CDATA[x]]></a>")
	f.Fuzz(func(t *testing.T, doc string) {
		root, err := parseXML(doc)
		if (root == nil) == (err == nil) {
			t.Errorf("root %v, error %v", root, err)
		}
	})
}
