// Package ewsapi is the simulated Exchange's SOAP face: Exchange Web Services over a [store.Company].
//
// It is meant to be as strict as the real server, because a client is tested against it: requests are checked against
// a digest of Exchange's schema, answers have the form of recorded ones and validate against the schema, errors come
// as SOAP Faults with HTTP 500 or as response messages with HTTP 200 just as Exchange sends them.
// Where nothing is known of the real server, the code says so.
//
// It does not deliver mail: invitations, updates and cancellations are recorded and reach nobody but rooms with a booking attendant,
// so attendees' copies exist only there and where somebody makes them. There are no attachments, no notifications and no search folders.
package ewsapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// Options configures the handler. The zero value lets everyone in, fails nothing and claims to be Exchange 2019.
type Options struct {
	// Auth decides who may sign in. When nil, everyone may impersonate anyone, and the user name of basic
	// authentication, if given, is the caller's own mailbox.
	Auth hook.Authenticator
	// Interceptor scripts what goes wrong; nil for nothing.
	Interceptor hook.Interceptor
	// Gate decides who may use EWS; everybody who signs in may when nil.
	Gate hook.Gatekeeper
	// Online makes the server claim to be Exchange Online, with its version and its texts.
	Online bool
	// Sleep waits for scripted delays until the channel is closed; a timer of package time when nil.
	Sleep func(d time.Duration, done <-chan struct{})
}

// Handler answers EWS requests.
type Handler struct {
	company *store.Company
	opts    Options
	header  string // SOAP header of every answer
	calls   atomic.Uint64

	mu         sync.Mutex
	attempts   map[attemptKey]int
	unanchored atomic.Uint64
}

type attemptKey struct{ operation, mailbox string }

// New returns a handler for any path that ends in /EWS/Exchange.asmx.
func New(c *store.Company, opts Options) *Handler {
	h := &Handler{company: c, opts: opts, attempts: map[attemptKey]int{}}
	if opts.Sleep == nil {
		h.opts.Sleep = sleep
	}
	v := `MajorVersion="15" MinorVersion="2" MajorBuildNumber="1748" MinorBuildNumber="10" Version="V2017_07_11"`
	if opts.Online {
		v = `MajorVersion="15" MinorVersion="20" MajorBuildNumber="9073" MinorBuildNumber="22" Version="V2018_01_08"`
	}
	h.header = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + nsSOAP + `"><s:Header><h:ServerVersionInfo ` + v +
		` xmlns:h="` + nsTypes + `" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="` + nsXSI + `"/></s:Header><s:Body>`
	return h
}

// Unanchored counts the calls with impersonation but without X-AnchorMailbox, which a real Exchange answers slowly or
// with 500 and 503 now and then.
func (h *Handler) Unanchored() uint64 { return h.unanchored.Load() }

// maxRequest is the largest request body (Exchange's own limit is 35 MB by default).
const maxRequest = 35 << 20

// request is one call under way.
type request struct {
	h             *Handler
	http          *http.Request
	call          hook.Call
	op            *operation
	envelope      *element
	body          *element // the operation's element
	principal     hook.Principal
	mailbox       *store.Mailbox // impersonated or the caller's own; nil for a caller without one
	impersonating *element       // names the mailbox to impersonate; nil when the caller acts as itself
	zone          *time.Location // TimeZoneContext; UTC without it
	zoneID        string
	w             *writer
	codes         []string
	began         time.Time
	writeFault    hook.WriteFault // what happens to a write beside its being done
}

var writers = sync.Pool{New: func() any { return &writer{buf: make([]byte, 0, 8<<10)} }}

// maxKept is the largest buffer that is kept for another answer.
const maxKept = 1 << 20

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	if !strings.HasSuffix(strings.ToLower(in.URL.Path), "/ews/exchange.asmx") {
		http.NotFound(out, in)
		return
	}
	if in.Method != http.MethodPost {
		out.Header().Set("Allow", http.MethodPost)
		http.Error(out, "The page cannot be displayed because the method is not allowed.", http.StatusMethodNotAllowed)
		return
	}
	h.company.Work()
	principal, denied := h.authenticate(in)
	if denied != nil {
		h.deliver(out, in, denied, reply{frontEnd: true})
		return
	}
	w := writers.Get().(*writer)
	w.buf = w.buf[:0]
	defer func() {
		if cap(w.buf) <= maxKept {
			writers.Put(w)
		}
	}()
	r := &request{h: h, http: in, principal: principal, w: w, zone: time.UTC, began: time.Now()}
	r.serve(out)
}

func (h *Handler) authenticate(in *http.Request) (hook.Principal, *hook.Answer) {
	if h.opts.Auth != nil {
		return h.opts.Auth.Authenticate(in)
	}
	user, _, _ := in.BasicAuth()
	return hook.Principal{Address: strings.ToLower(user), MayImpersonate: true}, nil
}

func (r *request) serve(out http.ResponseWriter) {
	if err := r.read(); err != nil {
		rep := r.faultReply(err)
		r.h.deliver(out, r.http, nil, rep)
		return
	}
	answer := r.before()
	rep := reply{operation: r.op.name}
	if !replaces(answer) {
		if answer != nil && answer.Delay > 0 {
			r.h.opts.Sleep(answer.Delay, r.http.Context().Done())
			spoil := *answer
			spoil.Delay = 0
			answer = &spoil
		}
		if no := r.admit(); no != nil {
			answer, rep.frontEnd = no, no.Status != 0
		} else {
			rep = r.perform(answer)
			if after := r.after(); after != nil {
				answer = after
			}
		}
	}
	if answer != nil && answer.Response != nil {
		rep = r.errorForAll(answer.Response)
	}
	status := 0
	defer func() { // also when the connection is given up by a panic
		if i := r.h.opts.Interceptor; i != nil {
			i.Done(&r.call, status, r.seen(answer), time.Since(r.began))
		}
	}()
	status = r.h.deliver(out, r.http, answer, rep)
}

// perform does what is asked, and what a fault adds to it.
func (r *request) perform(answer *hook.Answer) reply {
	if answer != nil {
		r.writeFault = answer.Write
	}
	rep := r.run()
	if r.writeFault == hook.WriteTwice { // the first answer was lost, and what stood in between asked again
		r.codes = r.codes[:0]
		rep = r.run()
	}
	return rep
}

// seen lists the response codes that the client got to see.
func (r *request) seen(a *hook.Answer) []string {
	switch {
	case a == nil:
		return r.codes
	case a.SOAPFault != nil:
		return []string{a.SOAPFault.Code}
	case a.Hang || a.Reset || a.Status != 0 && a.Response == nil:
		return nil
	}
	return r.codes
}

// replaces reports whether an answer stands instead of the true one, which then has no effect.
func replaces(a *hook.Answer) bool {
	return a != nil && (a.Hang || a.Reset || a.Status != 0 || a.SOAPFault != nil || a.Response != nil)
}

func (r *request) before() *hook.Answer {
	if i := r.h.opts.Interceptor; i != nil {
		return i.Before(&r.call)
	}
	return nil
}

func (r *request) after() *hook.Answer {
	if i := r.h.opts.Interceptor; i != nil {
		return i.After(&r.call)
	}
	return nil
}

// admit asks the gatekeeper, as Exchange's front end does before the request reaches a mailbox server.
func (r *request) admit() *hook.Answer {
	if g := r.h.opts.Gate; g != nil {
		return g.Admit(&r.call)
	}
	return nil
}

// refused tells the gatekeeper what is refused here.
func (r *request) refused(why hook.Cause) {
	if g := r.h.opts.Gate; g != nil {
		g.Refused(&r.call, why)
	}
}

// read understands the request: envelope, schema, whose data is asked for. What it refuses becomes a Fault.
func (r *request) read() error {
	doc, err := readAll(r.http)
	if err != nil {
		return err
	}
	if err := r.parse(doc); err != nil {
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			line, column := position(doc, syntax.at)
			return &requestError{code: "ErrorSchemaValidation", line: line, column: column, violation: syntax.violation}
		}
		return err
	}
	if sid := r.envelope.kid("Header").kid("ExchangeImpersonation").kid("ConnectingSID"); sid != nil {
		r.impersonating = sid.kids[0]
	} else if r.principal.Address != "" {
		r.mailbox = r.h.company.Mailbox(r.principal.Address)
	}
	r.describe()
	return nil
}

// readAll reads the request's body. The content length, where it is given, saves growing the buffer.
func readAll(in *http.Request) (string, error) {
	var b bytes.Buffer
	if n := in.ContentLength; n > 0 && n <= maxRequest {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(in.Body, maxRequest+1))
	if err != nil || n > maxRequest {
		return "", refuse("ErrorInvalidRequest")
	}
	return strings.TrimPrefix(b.String(), "\ufeff"), nil
}

func (r *request) parse(doc string) error {
	root, err := parseXML(doc)
	if err != nil {
		return err
	}
	if root.ns != nsSOAP || root.name != "Envelope" {
		return invalid(root, "The envelope must be a SOAP 1.1 envelope.")
	}
	r.envelope = root
	body := root.kid("Body")
	if body == nil || body.ns != nsSOAP || len(body.kids) != 1 {
		return invalid(root, "The SOAP body must have one child element.")
	}
	r.body = body.kids[0]
	if r.op = operations[strings.TrimSuffix(r.body.name, "Request")]; r.op == nil || r.body.ns != nsMessages {
		return &requestError{code: "ErrorInvalidRequest", text: fmt.Sprintf("The operation %q is not known.", r.body.name)}
	}
	if header := root.kid("Header"); header != nil {
		for _, k := range header.kids {
			if k.name == "RequestServerVersion" {
				continue // has an error code of its own
			}
			if err := validate(k, k.name); err != nil {
				return err
			}
		}
	}
	if r.op.form == inAvailability {
		return checkAvailability(r.body)
	}
	return validate(r.body, r.body.name)
}

// describe fills in what the interceptor sees.
func (r *request) describe() {
	h := r.h
	r.call = hook.Call{
		ID: h.calls.Add(1), Time: h.company.Now(), Operation: r.op.name, Caller: r.principal,
		RequestID: r.http.Header.Get("client-request-id"), UserAgent: r.http.UserAgent(),
		Fence: r.http.Header.Get("X-Roomsync-Fence"), Items: r.op.count(r.body),
	}
	if r.impersonating != nil {
		r.call.Acting = strings.ToLower(strings.TrimSpace(r.impersonating.text))
	}
	r.call.Mailbox = r.target()
	h.mu.Lock()
	key := attemptKey{r.call.Operation, r.call.Mailbox}
	h.attempts[key]++
	r.call.Attempt = h.attempts[key]
	h.mu.Unlock()
}

// target is the address of the mailbox whose data is asked for, which need not exist: that of a folder id with
// t:Mailbox, or for a delegate that of the first id, else the impersonated or the caller's own.
func (r *request) target() string {
	if address := r.body.find("DistinguishedFolderId").kid("Mailbox").val("EmailAddress"); address != "" {
		return strings.ToLower(address)
	}
	if r.call.Acting != "" {
		return r.call.Acting
	}
	for _, name := range []string{"FolderId", "ItemId", "OccurrenceItemId", "RecurringMasterItemId", "ReferenceItemId"} {
		if e := r.body.find(name); e != nil {
			if owner, err := r.h.company.OwnerOf(idOf(e)); err == nil {
				return owner.Address
			}
		}
	}
	if r.mailbox != nil {
		return r.mailbox.Address
	}
	return ""
}

func (r *request) faultReply(err error) reply {
	var e *requestError
	if !errors.As(err, &e) {
		e = &requestError{code: "ErrorInternalServerError", text: err.Error()}
	}
	r.codes = append(r.codes, e.code)
	return reply{status: http.StatusInternalServerError, body: fault(e, 0)}
}
