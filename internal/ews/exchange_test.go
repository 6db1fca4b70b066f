package ews

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

func TestRequestHeaders(t *testing.T) {
	var got http.Header
	var body []byte
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		body, _ = io.ReadAll(r.Body)
		xmlAnswer(200, noChange)(w, r)
	})
	guarded := 0
	ctx := calsync.WithCall(t.Context(), calsync.Call{Fence: "mb/7", Guard: func(op string) error {
		guarded++
		if op != "SyncFolderItems" {
			t.Errorf("guard asked for %q", op)
		}
		return nil
	}})
	c := client(t, s, Options{Impersonate: true, Credentials: Basic("svc", "pw")})
	delta, err := c.Probe(ctx, mailbox, "", 0)
	if err != nil || delta.Cursor != "H4sI" || delta.More {
		t.Fatalf("%+v, %v", delta, err)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/xml; charset=utf-8", "Accept-Encoding": "gzip", "Return-Client-Request-Id": "true",
		"X-Anchormailbox": mailbox.Address, "X-Roomsync-Fence": "mb/7", "User-Agent": "roomsync/devel (+EWS)", "Authorization": "Basic c3ZjOnB3",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if !strings.Contains(string(body), "<t:PrimarySmtpAddress>"+mailbox.Address) || strings.Contains(string(body), "SyncState") {
		t.Errorf("body: %s", body)
	}
	first := got.Get("Client-Request-Id")
	if _, err := c.Probe(ctx, mailbox, "", 0); err != nil || got.Get("Client-Request-Id") == first || len(first) != 36 {
		t.Errorf("client-request-id %q, then %q, %v", first, got.Get("Client-Request-Id"), err)
	}
	if guarded != 2 {
		t.Errorf("the guard was asked %d times", guarded)
	}
}

// TestGuard: an error of the guard comes back as it is, and nothing is sent.
func TestGuard(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	lost := errors.New("lease lost")
	ctx := calsync.WithCall(t.Context(), calsync.Call{Guard: func(string) error { return lost }})
	if _, err := client(t, s, Options{}).Probe(ctx, mailbox, "", 0); err != lost || requests.Load() != 0 {
		t.Errorf("%v, %d requests", err, requests.Load())
	}
}

// TestRedirects: no redirect is followed, so that no byte of a request reaches a host that nobody configured.
func TestRedirects(t *testing.T) {
	var reached atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	host := strings.TrimPrefix(other.URL, "http://")
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{other.URL, "//" + host + "/x", "HTTP://" + host, "http://good@" + host, "/EWS/elsewhere"} {
			requests := 0
			f := probe(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}, Options{Credentials: Basic("u", "p")})
			if f.Kind != calsync.FaultHTTP || f.Status != status || f.Unknown || requests != 1 {
				t.Errorf("%d to %s: %+v after %d requests", status, location, f, requests)
			}
		}
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests reached the other host", reached.Load())
	}
}

// TestAnswers covers the answers of exchange-faults: status, header and body of each, and the facts they give.
func TestAnswers(t *testing.T) {
	busy := answer(`<s:Fault><faultcode xmlns:a="` + soap.NSTypes + `">a:ErrorServerBusy</faultcode><faultstring xml:lang="en-US">The server cannot service this request right now.</faultstring><detail><e:ResponseCode>ErrorServerBusy</e:ResponseCode><e:Message>busy</e:Message><t:MessageXml><t:Value Name="BackOffMilliseconds">297749</t:Value></t:MessageXml></detail></s:Fault>`)
	bare := answer(`<s:Fault><faultcode>ErrorImpersonateUserDenied</faultcode><faultstring>no</faultstring></s:Fault>`)
	const xml, html = "text/xml; charset=utf-8", "text/html"
	tests := []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   calsync.Fault
	}{
		{"H1 503 with seconds", 503, map[string]string{"Retry-After": "120"}, "", calsync.Fault{Kind: calsync.FaultHTTP, BackOff: 2 * time.Minute}},
		{"H2 503 bare", 503, nil, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H2 Retry-After 0", 503, map[string]string{"Retry-After": "0"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H2 Retry-After negative", 503, map[string]string{"Retry-After": "-5"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H2 Retry-After a year", 503, map[string]string{"Retry-After": "31536000"}, "", calsync.Fault{Kind: calsync.FaultHTTP, BackOff: 365 * 24 * time.Hour}},
		{"H2 Retry-After nonsense", 503, map[string]string{"Retry-After": "soon"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H2 Retry-After beyond numbers", 503, map[string]string{"Retry-After": "9223372036854775807"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H3 429", 429, map[string]string{"Retry-After": "7", "Content-Type": html}, "<p>slow down", calsync.Fault{Kind: calsync.FaultHTTP, BackOff: 7 * time.Second}},
		{"H4 500 ErrorServerBusy", 500, map[string]string{"Content-Type": xml}, busy, calsync.Fault{Kind: calsync.FaultSOAP, Code: ErrorServerBusy, Message: "busy", BackOff: 297749 * time.Millisecond}},
		{"H4 the longer wait counts", 500, map[string]string{"Content-Type": xml, "Retry-After": "600"}, busy, calsync.Fault{Kind: calsync.FaultSOAP, Code: ErrorServerBusy, Message: "busy", BackOff: 10 * time.Minute}},
		{"503 with a SOAP fault", 503, map[string]string{"Content-Type": xml}, busy, calsync.Fault{Kind: calsync.FaultSOAP, Code: ErrorServerBusy, Message: "busy", BackOff: 297749 * time.Millisecond}},
		{"H5 500 HTML", 500, map[string]string{"Content-Type": html}, "<h1>Server Error in '/EWS' Application.</h1>", calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"500 with XML that is no envelope", 500, map[string]string{"Content-Type": xml}, "<a/>", calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"500 with a result", 500, map[string]string{"Content-Type": xml}, noChange, calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"H6 X-CasErrorCode", 500, map[string]string{"X-CasErrorCode": "ServerNotFound"}, "", calsync.Fault{Kind: calsync.FaultHTTP, Inner: "ServerNotFound", Unknown: true}},
		{"H7 502", 502, map[string]string{"Content-Type": html}, "<p>", calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"H7 504", 504, nil, "", calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"H8 408", 408, nil, "", calsync.Fault{Kind: calsync.FaultHTTP, Unknown: true}},
		{"H17 login page", 200, map[string]string{"Content-Type": html}, "<html><form>", calsync.Fault{Kind: calsync.FaultHTML, Unknown: true}},
		{"H17 login page as XML", 200, map[string]string{"Content-Type": "application/xhtml+xml"}, "<html/>", calsync.Fault{Kind: calsync.FaultHTML, Unknown: true}},
		{"H18 empty", 200, map[string]string{"Content-Type": xml}, "", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H18 JSON", 200, map[string]string{"Content-Type": "application/json"}, "{}", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"a result that calls itself HTML", 200, map[string]string{"Content-Type": html}, noChange, calsync.Fault{Kind: calsync.FaultHTML, Unknown: true}},
		{"an Error with NoError", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", NoError, "x", ""), calsync.Fault{Kind: calsync.FaultResponse, Code: NoError, Message: "x"}},
		{"H18 SOAP 1.2", 200, map[string]string{"Content-Type": "application/soap+xml"}, strings.ReplaceAll(noChange, soap.NSEnvelope, "http://www.w3.org/2003/05/soap-envelope"), calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"another operation's answer", 200, map[string]string{"Content-Type": xml}, success("GetItem", "<m:Items/>"), calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H22 403, EWS is off", 403, map[string]string{"X-EWS-Policy-Reason": "EWS is disabled for this user or tenant"}, "", calsync.Fault{Kind: calsync.FaultHTTP, Policy: calsync.PolicyDisabled}},
		{"H22 403, not on the list", 403, map[string]string{"X-EWS-Policy-Reason": "EWS is blocked by policy for this user or tenant"}, "", calsync.Fault{Kind: calsync.FaultHTTP, Policy: calsync.PolicyBlocked}},
		{"H22 403, words of tomorrow", 403, map[string]string{"X-EWS-Policy-Reason": "EWS takes a day off"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H22 403", 403, map[string]string{"X-Ms-Diagnostics": `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`}, "", calsync.Fault{Kind: calsync.FaultHTTP, Diagnostics: "2000008"}},
		{"H22 403 with Exchange's id", 403, map[string]string{"request-id": "2b1c7a8e-0d3f-4a57-9a55-1e0c8d1f3b11"}, "", calsync.Fault{Kind: calsync.FaultHTTP, ServerRequestID: "2b1c7a8e-0d3f-4a57-9a55-1e0c8d1f3b11"}},
		{"an id that is none", 403, map[string]string{"request-id": "<b>x</b>"}, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"Exchange's id of a response message", 200, map[string]string{"Content-Type": xml, "request-id": "7"}, failure("SyncFolderItems", ErrorAccessDenied, "x", ""), calsync.Fault{Kind: calsync.FaultResponse, Code: ErrorAccessDenied, Message: "x", ServerRequestID: "7"}},
		{"H25 407", 407, nil, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H26 404", 404, map[string]string{"Content-Type": html}, "<p>", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H27 456", 456, nil, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H28 utf-16", 200, map[string]string{"Content-Type": xml}, "\xff\xfe<\x00a\x00", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"unasked compression", 200, map[string]string{"Content-Type": xml, "Content-Encoding": "br"}, "x", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"E1 200 with BackOffMilliseconds", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", ErrorServerBusy, "busy", `<m:MessageXml><t:Value Name="BackOffMilliseconds">5000</t:Value></m:MessageXml>`), calsync.Fault{Kind: calsync.FaultResponse, Code: ErrorServerBusy, Message: "busy", BackOff: 5 * time.Second}},
		{"E1 the wait in the text", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", ErrorServerBusy, "Policy value '5'. Suggested backoff time 5000 ms.", ""), calsync.Fault{Kind: calsync.FaultResponse, Code: ErrorServerBusy, BackOff: 5 * time.Second, Message: "Policy value '5'. Suggested backoff time 5000 ms."}},
		{"E6 inner ErrorServerBusy", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", ErrorInternalServerError, "x", `<m:MessageXml><t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value></m:MessageXml>`), calsync.Fault{Kind: calsync.FaultResponse, Code: ErrorInternalServerError, Inner: ErrorServerBusy, Message: "x"}},
		{"E8 bad cursor", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", ErrorInvalidSyncStateData, "x", `<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>`), calsync.Fault{Kind: calsync.FaultResponse, Code: ErrorInvalidSyncStateData, Message: "x"}},
		{"a code nobody knows", 200, map[string]string{"Content-Type": xml}, failure("SyncFolderItems", "ErrorOfTomorrow", "x", ""), calsync.Fault{Kind: calsync.FaultResponse, Code: "ErrorOfTomorrow", Message: "x"}},
		{"gromox: a bare fault on 200", 200, map[string]string{"Content-Type": xml}, bare, calsync.Fault{Kind: calsync.FaultSOAP, Code: ErrorImpersonateUserDenied, Message: "no"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := probe(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}, Options{})
			got := *f
			got.Operation, got.RequestID, got.Err = "", "", nil
			tt.want.Status = tt.status
			if got != tt.want {
				t.Errorf("\ngot  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"Sun, 01 Nov 2026 12:01:30 GMT": 90 * time.Second,
		"Sun, 01 Nov 2026 11:00:00 GMT": 0,
		"Sun, 01 Nov 9999 11:00:00 GMT": 0,
		"":                              0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
