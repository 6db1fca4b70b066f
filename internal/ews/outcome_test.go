package ews

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// writes are one call of each operation that writes.
var writes = map[string]func(ctx context.Context, c *Client) error{
	"CreateItem": func(ctx context.Context, c *Client) error {
		_, err := c.Create(ctx, mailbox, meetingDraft())
		return err
	},
	"UpdateItem": func(ctx context.Context, c *Client) error {
		_, err := c.Update(ctx, mailbox, meetingDraft())
		return err
	},
	"DeleteItem": func(ctx context.Context, c *Client) error {
		return c.Delete(ctx, mailbox, calsync.Deletion{ItemID: "I", Notify: true})
	},
}

// outcome fails unless the write ended in a Fault that says so of its outcome.
func outcome(t *testing.T, name string, err error, unknown bool, why string) *calsync.Fault {
	t.Helper()
	f, ok := errors.AsType[*calsync.Fault](err)
	if !ok {
		t.Errorf("%s: %v is no Fault", name, err)
		return new(calsync.Fault)
	}
	if f.Unknown != unknown {
		t.Errorf("%s: unknown %v, want %v: %s (%v)", name, f.Unknown, unknown, why, f)
	}
	return f
}

func soapFault(code string) string {
	return answer(`<s:Fault><faultcode xmlns:a="` + soap.NSTypes + `">a:` + code + `</faultcode><faultstring>x</faultstring><detail><e:ResponseCode>` + code + `</e:ResponseCode><e:Message>x</e:Message></detail></s:Fault>`)
}

func status(code int, header ...string) func(string) http.HandlerFunc {
	return func(string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
}

func faulting(code string) func(string) http.HandlerFunc {
	return func(string) http.HandlerFunc { return xmlAnswer(500, soapFault(code)) }
}

func failing(code, more string) func(string) http.HandlerFunc {
	return func(op string) http.HandlerFunc { return xmlAnswer(200, failure(op, code, "x", more)) }
}

func body(build func(op string) string) func(string) http.HandlerFunc {
	return func(op string) http.HandlerFunc { return xmlAnswer(200, build(op)) }
}

// cutting closes the connection after some bytes of a good answer.
func cutting(part string) func(string) http.HandlerFunc {
	return func(string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, part)
			_ = conn.Close()
		}
	}
}

// outcomes says of each way that a write can fail whether it may have been done, and why.
var outcomes = []struct {
	name    string
	answer  func(op string) http.HandlerFunc
	unknown bool
	why     string
}{
	{"connection closed without an answer", cutting(""), true, "the request was sent"},
	{"answer cut", cutting("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 900\r\n\r\n<s:Envelope"), true, "it had begun to answer"},
	{"answer cut without a trace", cutting("HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n<s:Envelope"), true, "the document has no end"},
	{"408", status(408), true, "who waited for what is not told"},
	{"500 without SOAP", status(500), true, "an exception in the midst"},
	{"502", status(502), true, "a proxy lost the answer"},
	{"504", status(504), true, "a proxy did not wait for the answer"},
	{"503", status(503), true, "a front end may have lost its back end"},
	{"503 of the queue", status(503, "Server", "Microsoft-HTTPAPI/2.0"), false, "HTTP.sys did not hand it on"},
	{"204", status(204), true, "nobody says what was done"},
	{"302 to the error page", status(302, "Location", "/ews/genericerrorpage.htm"), true, "so ASP.NET tells of an exception"},
	{"307", status(307, "Location", "https://elsewhere.example/"), false, "asked to ask somewhere else"},
	{"400", status(400), false, "turned away at the door"},
	{"403", status(403), false, "turned away at the door"},
	{"404", status(404), false, "nobody there"},
	{"413", status(413), false, "not read"},
	{"429", status(429, "Retry-After", "5"), false, "turned away at the door"},
	{"web page", status(200, "Content-Type", "text/html"), true, "whatever answered may have passed it on"},
	{"not XML", status(200, "Content-Type", "application/json"), true, "the answer is lost"},
	{"no id", body(func(op string) string { return success(op, "<m:Items><t:CalendarItem/></m:Items>") }), true, "it says that it was done"},
	{"no message", body(func(op string) string { return answer(responses(op, "")) }), true, "it says neither"},
	{"two messages", body(func(op string) string {
		one := message1(op, "Success", NoError, writtenID)
		return answer(responses(op, one+one))
	}), true, "it says more than was asked"},
	{"another's answer", body(func(string) string { return success("GetItem", "<m:Items/>") }), true, "the answer is another's"},
	{"ErrorTimeoutExpired", failing(ErrorTimeoutExpired, ""), true, "its work was interrupted"},
	{"ErrorInternalServerError", failing(ErrorInternalServerError, ""), true, "an exception in the midst"},
	{"ErrorInternalServerError for being busy", failing(ErrorInternalServerError, `<m:MessageXml><t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value></m:MessageXml>`), true, "busy in the midst"},
	{"ErrorInternalServerTransientError", failing(ErrorInternalServerTransientError, ""), true, "an exception in the midst"},
	{"ErrorMailboxStoreUnavailable", failing(ErrorMailboxStoreUnavailable, ""), true, "the store went away, before or after"},
	{"ErrorConnectionFailed", failing(ErrorConnectionFailed, ""), true, "the store went away, before or after"},
	{"ErrorMailboxFailover", failing(ErrorMailboxFailover, ""), true, "what was saved may have gone along"},
	{"ErrorInvalidRecipients", failing(ErrorInvalidRecipients, ""), true, "found in sending, which follows saving"},
	{"ErrorQuotaExceeded", failing(ErrorQuotaExceeded, ""), true, "the copy in the sent items comes last"},
	{"ErrorAccessDenied", failing(ErrorAccessDenied, ""), true, "a delegate may save and not send"},
	{"a code of tomorrow", failing("ErrorOfTomorrow", ""), true, "nobody knows"},
	{"fault ErrorInternalServerError", faulting(ErrorInternalServerError), true, "an exception in the midst"},
	{"fault ErrorSchemaValidation", faulting(ErrorSchemaValidation), false, "refused as it stands"},
	{"fault ErrorServerBusy", faulting(ErrorServerBusy), false, "the budget is asked first"},
	{"ErrorServerBusy", failing(ErrorServerBusy, ""), false, "the budget is asked first"},
	{"fault ErrorExceededConnectionCount", faulting(ErrorExceededConnectionCount), false, "so with MaxConcurrency"},
	{"fault ErrorImpersonateUserDenied", faulting(ErrorImpersonateUserDenied), false, "before the mailbox is opened"},
	{"fault ErrorNonExistentMailbox", faulting(ErrorNonExistentMailbox), false, "no mailbox to write to"},
	{"ErrorIrresolvableConflict", failing(ErrorIrresolvableConflict, ""), false, "compared before it is saved"},
	{"ErrorItemNotFound", failing(ErrorItemNotFound, ""), false, "nothing to write to"},
	{"ErrorCreateItemAccessDenied", failing(ErrorCreateItemAccessDenied, ""), false, "asked before it is saved"},
	{"ErrorOccurrenceCrossingBoundary", failing(ErrorOccurrenceCrossingBoundary, ""), false, "checked before it is saved"},
	{"ErrorBatchProcessingStopped", failing(ErrorBatchProcessingStopped, ""), false, "it was not begun"},
}

// TestOutcomes: for each operation and each failure what is said of the outcome; and that the client asks once, whatever comes.
func TestOutcomes(t *testing.T) {
	for op, write := range writes {
		for _, o := range outcomes {
			if o.name == "no id" && op == "DeleteItem" {
				continue // that answer has none
			}
			var asked atomic.Int32
			handler := o.answer(op)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				handler(w, r)
			})
			c := client(t, s, Options{})
			outcome(t, op+" "+o.name, write(t.Context(), c), o.unknown, o.why)
			if asked.Load() != 1 {
				t.Errorf("%s %s: asked %d times", op, o.name, asked.Load())
			}
		}
	}
}

// TestWriteAfter401: the one request that is repeated is one that was not let in.
func TestWriteAfter401(t *testing.T) {
	for op, write := range writes {
		for name, second := range map[string]struct {
			answer  http.HandlerFunc
			unknown bool
		}{"refused again": {status(401)(op), false}, "then lost": {cutting("")(op), true}} {
			var asked atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					w.WriteHeader(401)
					return
				}
				second.answer(w, r)
			})
			err := write(t.Context(), client(t, s, Options{Credentials: renewing{}}))
			outcome(t, op+" "+name, err, second.unknown, "")
			if asked.Load() != 2 {
				t.Errorf("%s %s: asked %d times", op, name, asked.Load())
			}
		}
	}
}

// renewing are credentials that have new ones whenever they are refused.
type renewing struct{}

func (renewing) Apply(context.Context, *http.Request) (string, error) { return "", nil }
func (renewing) Reject(context.Context, string, string) (bool, error) { return true, nil }

// TestOutcomeWithoutConnection: what never had a connection leaves no doubt, and what had one always does.
func TestOutcomeWithoutConnection(t *testing.T) {
	create := writes["CreateItem"]
	closed := serve(t, nil)
	closed.Close()
	outcome(t, "refused", create(t.Context(), client(t, closed, Options{})), false, "nothing was sent")

	c, err := New(Options{URL: "https://nobody.invalid/EWS/Exchange.asmx"})
	if err != nil {
		t.Fatal(err)
	}
	outcome(t, "no such host", create(t.Context(), c), false, "nothing was sent")

	secure := httptest.NewUnstartedServer(xmlAnswer(200, success("CreateItem", writtenID)))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	f := outcome(t, "unknown certificate", create(t.Context(), client(t, secure, Options{})), false, "no handshake")
	if f.Kind != calsync.FaultTLS {
		t.Errorf("%+v", f)
	}
	s := serve(t, nil)
	guarded := calsync.WithCall(t.Context(), calsync.Call{Guard: func(string) error { return errors.New("lease lost") }})
	if err := create(guarded, client(t, s, Options{})); err == nil || err.Error() != "lease lost" {
		t.Errorf("%v", err)
	}
}

// TestOutcomeAfterAlert: a TLS alert that comes after the request says nothing of what became of that.
func TestOutcomeAfterAlert(t *testing.T) {
	identity := httptest.NewUnstartedServer(nil)
	identity.StartTLS()
	t.Cleanup(identity.Close)
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	go func() {
		conn, err := raw.Accept()
		if err != nil {
			return
		}
		secured := tls.Server(conn, &tls.Config{Certificates: identity.TLS.Certificates, NextProtos: []string{"http/1.1"}})
		_, _ = secured.Read(make([]byte, 1<<16))                 // the request is here
		_, _ = conn.Write([]byte{23, 3, 3, 0, 32, 31: 0, 36: 0}) // a record that no key fits
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	pool := x509.NewCertPool()
	pool.AddCert(identity.Certificate())
	c, err := New(Options{URL: "https://" + raw.Addr().String() + "/EWS/Exchange.asmx", TLS: &tls.Config{RootCAs: pool}})
	if err != nil {
		t.Fatal(err)
	}
	f := outcome(t, "bad record", writes["CreateItem"](t.Context(), c), true, "the request had gone out")
	if f.Kind != calsync.FaultTLS {
		t.Errorf("the test means an error of TLS, not %v", f)
	}
}

// TestWriteTimesOut: a server that never answers leaves the outcome open, in time.
func TestWriteTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		outcome(t, "silence", writes["UpdateItem"](t.Context(), c), true, "it may still be at work")
		if took := time.Since(start); took != 100*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestSettledCodes: each code that counts as a refusal is one that the schema knows and the reading side has a word for.
func TestSettledCodes(t *testing.T) {
	for code := range settled {
		if codes[code] != code {
			t.Errorf("%s is no response code", code)
		}
	}
	for _, doubtful := range []string{ErrorTimeoutExpired, ErrorInternalServerError, ErrorMailboxMoveInProgress, ErrorADUnavailable, "", NoError} {
		if settled[doubtful] {
			t.Errorf("%s counts as a refusal", doubtful)
		}
	}
}
