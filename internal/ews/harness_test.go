package ews

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

var mailbox = calsync.Target{Address: "room0001@contoso.example"}

// answer wraps what stands in the body of an envelope.
func answer(inner string) string {
	return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + soap.NSEnvelope + `" xmlns:m="` + soap.NSMessages + `" xmlns:t="` + soap.NSTypes + `" xmlns:e="` + soap.NSErrors + `"><s:Body>` + inner + `</s:Body></s:Envelope>`
}

// success wraps the inside of one successful response message.
func success(op, inner string) string {
	return answer(responses(op, message1(op, "Success", NoError, inner)))
}

func responses(op, messages string) string {
	return `<m:` + op + `Response><m:ResponseMessages>` + messages + `</m:ResponseMessages></m:` + op + `Response>`
}

func message1(op, class, code, inner string) string {
	return `<m:` + op + `ResponseMessage ResponseClass="` + class + `"><m:ResponseCode>` + code + `</m:ResponseCode>` + inner + `</m:` + op + `ResponseMessage>`
}

func failure(op, code, text, inner string) string {
	return answer(responses(op, `<m:`+op+`ResponseMessage ResponseClass="Error"><m:MessageText>`+text+`</m:MessageText><m:ResponseCode>`+code+
		`</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>`+inner+`</m:`+op+`ResponseMessage>`))
}

var noChange = success("SyncFolderItems", `<m:SyncState>H4sI</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/>`)

// serve starts a server that gives every request to h.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func xmlAnswer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// client returns a client of a server.
func client(t testing.TB, s *httptest.Server, opt Options) *Client {
	t.Helper()
	opt.URL = s.URL + "/EWS/Exchange.asmx"
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// probe makes one call that has to end with a Fault.
func probe(t *testing.T, h http.HandlerFunc, opt Options) *calsync.Fault {
	t.Helper()
	return probeServer(t, serve(t, h), opt)
}

func probeServer(t *testing.T, s *httptest.Server, opt Options) *calsync.Fault {
	t.Helper()
	delta, err := client(t, s, opt).Probe(t.Context(), mailbox, "before", 0)
	f, ok := errors.AsType[*calsync.Fault](err)
	if !ok {
		t.Fatalf("%+v, %v: want a Fault", delta, err)
	}
	if delta.Cursor != "" || delta.Changes != nil {
		t.Errorf("a part of the result came with the error: %+v", delta)
	}
	if f.Operation != "SyncFolderItems" || f.RequestID == "" {
		t.Errorf("operation %q, request id %q", f.Operation, f.RequestID)
	}
	return f
}
