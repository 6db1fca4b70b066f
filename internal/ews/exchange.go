package ews

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// call is one operation on its way: what to ask, of whom, and how to read the answer.
type call struct {
	op     *operation
	target calsync.Target
	body   func(r *request) // writes the operation's element
	answer func(m *message) // reads one response message
}

// do makes the request, and decodes the answer into whatever call.answer fills. When it returns an error, that must
// be thrown away: the answer may have broken off anywhere.
func (c *Client) do(ctx context.Context, call call) error {
	x := exchanges.Get().(*exchange)
	defer x.release()
	if err := x.prepare(c, call); err != nil {
		f := &calsync.Fault{Operation: call.op.name, Kind: calsync.FaultMalformed, Err: err}
		if _, ok := errors.AsType[*hostError](err); ok {
			f.Kind = calsync.FaultHost
		}
		return f
	}
	for repeated := false; ; repeated = true {
		again, err := x.attempt(ctx, repeated)
		if !again {
			return err
		}
	}
}

// one makes a request for one thing, and reads the answer's one message. After an error what was read must be thrown away.
func (c *Client) one(ctx context.Context, call call, read func(m *message) *calsync.Fault) error {
	var fault *calsync.Fault
	messages := 0
	call.answer = func(m *message) {
		messages++
		fault = read(m)
	}
	err := c.do(ctx, call)
	switch {
	case err != nil:
		return err
	case messages != 1:
		f := malformed(call.op, "not exactly one response message")
		f.Unknown = call.op.writes
		return f
	case fault != nil:
		return fault
	}
	return nil
}

// exchange is one request and its answer, with the buffers for them. The request's own bytes are not reused: a
// transport may go on reading them after it has returned the answer.
type exchange struct {
	client   *Client
	call     call
	template *http.Request
	id       string
	serverID string

	// connected is set once a write has a connection to go out on; nil for reads.
	connected *atomic.Bool

	answer  bytes.Buffer
	scanner soap.Scanner
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// maxKept is the largest buffer that goes back into the pool.
const maxKept = 4 << 20

func (x *exchange) release() {
	x.client, x.call, x.template, x.serverID, x.connected = nil, call{}, nil, "", nil
	if x.answer.Cap() > maxKept {
		x.answer = bytes.Buffer{}
	}
	x.answer.Reset()
	x.scanner.Reset(nil)
	exchanges.Put(x)
}

func (x *exchange) prepare(c *Client, call call) error {
	u, err := c.endpoint(call.target.URL)
	if err != nil {
		return err
	}
	if strings.ContainsFunc(call.target.Address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the mailbox's address holds characters that no address has: correct it")
	}
	r := request{schema: call.target.Schema, address: call.target.Address, impersonate: c.opt.Impersonate}
	setDefault(&r.schema, c.opt.Schema)
	if !knownSchema(r.schema) {
		return errors.New("unknown schema version: choose one such as Exchange2013_SP1 or Exchange2016")
	}
	body := r.envelope(call.body)
	if r.err != nil {
		return r.err
	}
	x.client, x.call = c, call
	x.template = &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return nil
}

func (x *exchange) header(fence string) http.Header {
	h := make(http.Header, 12)
	h["User-Agent"] = []string{x.client.opt.UserAgent}
	h["Content-Type"] = contentType
	h["Accept"] = accept
	h["Accept-Encoding"] = gzipOnly
	h["Client-Request-Id"] = []string{x.id}
	h["Return-Client-Request-Id"] = yes
	if x.client.opt.Impersonate && x.call.target.Address != "" {
		h["X-Anchormailbox"] = []string{x.call.target.Address}
	}
	if fence != "" {
		h["X-Roomsync-Fence"] = []string{fence}
	}
	return h
}

var (
	contentType = []string{"text/xml; charset=utf-8"}
	accept      = []string{"text/xml"}
	gzipOnly    = []string{"gzip"}
	yes         = []string{"true"}
)

// attempt sends the request once and reads the answer. It returns true when the server refused the credentials and
// there are new ones to try.
func (x *exchange) attempt(ctx context.Context, repeated bool) (again bool, err error) {
	accompanying, creds := calsync.CallOf(ctx), x.client.opt.Credentials
	w := newWatchdog(ctx)
	defer w.stop()

	x.id, x.serverID = x.client.requestID(), ""
	r := x.template.WithContext(x.traced(w.ctx))
	r.Header = x.header(accompanying.Fence)
	generation, err := creds.Apply(ctx, r) // a wait for a token is not the server's time
	if err != nil {
		return false, x.tokenFault(err)
	}
	if err := accompanying.Guard(x.call.op.name); err != nil {
		return false, err
	}
	r.Body, _ = r.GetBody()
	w.start(x.client.opt.Timeout)
	resp, err := x.client.transport.RoundTrip(r)
	if err != nil {
		return false, x.transportFault(w.reason(err))
	}
	defer resp.Body.Close()
	w.answered()
	x.serverID = serverID(resp.Header.Get("Request-Id"))

	readErr := x.read(w.body(resp.Body), resp.Header)
	if resp.StatusCode != http.StatusUnauthorized {
		return false, x.judge(resp, w.reason(readErr))
	}
	fault := x.httpFault(resp)
	if repeated {
		return false, fault
	}
	retry, err := creds.Reject(ctx, generation, fault.Claims)
	if err != nil {
		return false, x.tokenFault(err)
	}
	return retry, fault
}

// traced returns the context that tells whether a write went out. Whatever goes wrong before there is a connection, in finding
// the host, in a proxy or in TLS's handshake, leaves no doubt.
func (x *exchange) traced(ctx context.Context) context.Context {
	if !x.call.op.writes {
		return ctx
	}
	connected := new(atomic.Bool) // not a part of x, which may be in other hands when a late connection comes
	x.connected = connected
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
}

// judge makes an error of an answer, or decodes it. The status alone decides nothing: Exchange reports errors on
// 200 and on 500, and sends results on 200 only.
func (x *exchange) judge(resp *http.Response, readErr error) error {
	kind := strings.ToLower(resp.Header.Get("Content-Type"))
	isXML := strings.Contains(kind, "xml")
	ok := resp.StatusCode == http.StatusOK
	switch {
	case !ok && (readErr != nil || !isXML):
		return x.httpFault(resp)
	case errors.Is(readErr, errOversize):
		return x.unusable(resp, calsync.FaultOversize, readErr)
	case errors.Is(readErr, errEncoding):
		return x.unusable(resp, calsync.FaultMalformed, readErr)
	case readErr != nil:
		return x.transportFault(readErr)
	case strings.Contains(kind, "html"):
		return x.unusable(resp, calsync.FaultHTML, errors.New("a web page in place of an answer: a proxy or a sign-in stands between us and Exchange"))
	case !isXML:
		return x.unusable(resp, calsync.FaultMalformed, errors.New("the answer is not XML"))
	}
	fault, err := x.decode(resp)
	switch {
	case fault != nil:
		return fault
	case !ok:
		return x.httpFault(resp)
	case err != nil:
		return x.unusable(resp, calsync.FaultMalformed, err)
	}
	return nil
}

// decode reads the answer: a SOAP Fault, or the operation's response.
func (x *exchange) decode(resp *http.Response) (*calsync.Fault, error) {
	s := &x.scanner
	s.Reset(x.answer.Bytes())
	if err := soap.Body(s); err != nil {
		return nil, err
	}
	if s.Is(soap.NSEnvelope, "Fault") {
		f := soap.ReadFault(s)
		if err := s.Finish(); err != nil {
			return nil, err
		}
		return x.soapFault(&f, resp), nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil
	}
	return nil, x.messages()
}
