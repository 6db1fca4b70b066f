package ews

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
		{"H17 login page", 200, map[string]string{"Content-Type": html}, "<html><form>", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H17 login page as XML", 200, map[string]string{"Content-Type": "application/xhtml+xml"}, "<html/>", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H18 empty", 200, map[string]string{"Content-Type": xml}, "", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H18 JSON", 200, map[string]string{"Content-Type": "application/json"}, "{}", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H18 SOAP 1.2", 200, map[string]string{"Content-Type": "application/soap+xml"}, strings.ReplaceAll(noChange, soap.NSEnvelope, "http://www.w3.org/2003/05/soap-envelope"), calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"another operation's answer", 200, map[string]string{"Content-Type": xml}, success("GetItem", "<m:Items/>"), calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"H22 403", 403, map[string]string{"X-Ms-Diagnostics": `2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"`}, "", calsync.Fault{Kind: calsync.FaultHTTP, Diagnostics: "2000008"}},
		{"H25 407", 407, nil, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H26 404", 404, map[string]string{"Content-Type": html}, "<p>", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H27 456", 456, nil, "", calsync.Fault{Kind: calsync.FaultHTTP}},
		{"H28 utf-16", 200, map[string]string{"Content-Type": xml}, "\xff\xfe<\x00a\x00", calsync.Fault{Kind: calsync.FaultMalformed, Unknown: true}},
		{"unasked compression", 200, map[string]string{"Content-Type": xml, "Content-Encoding": "br"}, "x", calsync.Fault{Kind: calsync.FaultTransport, Unknown: true}},
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
			if tt.want.Kind == calsync.FaultTransport {
				tt.want.Status = 0
			}
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

// TestTruncated cuts a good answer at every byte, in each of the ways that a connection can end.
func TestTruncated(t *testing.T) {
	ends := map[string]func(io.Writer, string){
		"close-delimited": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n%s", part)
		},
		"content-length": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(noChange), part)
		},
		"chunked": func(c io.Writer, part string) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(part), part)
		},
	}
	for name, write := range ends {
		var cut int
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			write(conn, noChange[:cut])
			_ = conn.Close()
		})
		c := client(t, s, Options{})
		for cut = 1; cut < len(noChange); cut += 7 {
			delta, err := c.Probe(t.Context(), mailbox, "", 0)
			f, ok := errors.AsType[*calsync.Fault](err)
			if !ok || !f.Unknown || delta.Cursor != "" {
				t.Fatalf("%s, cut after %d: %+v, %+v", name, cut, delta, err)
			}
		}
	}
}

func TestConnectionFaults(t *testing.T) {
	closed := serve(t, nil)
	closed.Close()
	if f := probeServer(t, closed, Options{}); f.Kind != calsync.FaultTransport || f.Unknown {
		t.Errorf("refused: %+v", f)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	if f := probe(t, reset, Options{}); f.Kind != calsync.FaultTransport || !f.Unknown {
		t.Errorf("reset: %+v", f)
	}
	plain := serve(t, xmlAnswer(200, noChange))
	plain.URL = strings.Replace(plain.URL, "http:", "https:", 1)
	if f := probeServer(t, plain, Options{}); f.Kind != calsync.FaultTLS || f.Unknown {
		t.Errorf("plain HTTP behind https: %+v", f)
	}
}

func TestTLS(t *testing.T) {
	quiet := log.New(io.Discard, "", 0) // refused handshakes are what this test is about
	s := httptest.NewUnstartedServer(xmlAnswer(200, noChange))
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	if f := probeServer(t, s, Options{}); f.Kind != calsync.FaultTLS || f.Unknown {
		t.Errorf("unknown authority: %+v", f)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := client(t, s, Options{TLS: &tls.Config{RootCAs: roots}}).Probe(t.Context(), mailbox, "", 0); err != nil {
		t.Error(err)
	}
	if f := probeServer(t, s, Options{TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}}); f.Kind != calsync.FaultTLS {
		t.Errorf("another host's certificate: %+v", f)
	}
	old := httptest.NewUnstartedServer(xmlAnswer(200, noChange))
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	if f := probeServer(t, old, Options{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}); f.Kind != calsync.FaultTLS {
		t.Errorf("TLS 1.1: %+v", f)
	}
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipAnswer(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		xmlAnswer(200, string(body))(w, r)
	}
}

func TestGzip(t *testing.T) {
	good := zipped(t, []byte(noChange))
	c := client(t, serve(t, gzipAnswer(good)), Options{})
	for range 3 { // the second reuses the unpacker
		if delta, err := c.Probe(t.Context(), mailbox, "", 0); err != nil || delta.Cursor != "H4sI" {
			t.Errorf("%+v, %v", delta, err)
		}
	}
	for _, cut := range []int{0, 5, len(good) / 2, len(good) - 1} {
		if f := probe(t, gzipAnswer(good[:cut]), Options{}); f.Kind != calsync.FaultTransport || !f.Unknown {
			t.Errorf("cut after %d: %+v", cut, f)
		}
	}
	if f := probe(t, gzipAnswer([]byte("no gzip at all, really")), Options{}); f.Kind != calsync.FaultTransport {
		t.Errorf("%+v", f)
	}
}

// TestOversize: an answer is bounded after it is unpacked, and an endless one as well.
func TestOversize(t *testing.T) {
	bomb := zipped(t, bytes.Repeat([]byte(" "), 10<<20))
	if f := probe(t, gzipAnswer(bomb), Options{MaxBody: 1 << 20}); f.Kind != calsync.FaultOversize || f.Status != 200 || !f.Unknown {
		t.Errorf("%+v", f)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
	}
	if f := probe(t, endless, Options{MaxBody: 1 << 20}); f.Kind != calsync.FaultOversize {
		t.Errorf("%+v", f)
	}
	exact := client(t, serve(t, xmlAnswer(200, noChange)), Options{MaxBody: int64(len(noChange))})
	if _, err := exact.Probe(t.Context(), mailbox, "", 0); err != nil {
		t.Error(err)
	}
}

// transport answers without a network, so that time is the test's.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip is a body that gives one byte each time the pause is over.
type drip struct {
	ctx   context.Context
	pause time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (d drip) Close() error { return nil }

func dripping(pause time.Duration) transport {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}}, Body: drip{r.Context(), pause}}, nil
	}
}

func TestTimeouts(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := []struct {
		name      string
		transport transport
		want      error
		after     time.Duration
	}{
		{"H15 never answers", silent, errTimeout, 100 * time.Second},
		{"H14 a byte now and then", dripping(100 * time.Millisecond), errSlow, rateWindow},
		{"no byte of the body", dripping(time.Hour), errSlow, rateWindow},
		{"steady, and too long", dripping(time.Second / 200), errTimeout, 100 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Options{Transport: tt.transport})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = c.Probe(t.Context(), mailbox, "", 0)
				f, ok := errors.AsType[*calsync.Fault](err)
				if !ok || f.Kind != calsync.FaultTransport || !f.Unknown || !errors.Is(err, tt.want) {
					t.Errorf("%v", err)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("ended after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestCallerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := New(Options{Transport: dripping(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Probe(ctx, mailbox, "", 0); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
