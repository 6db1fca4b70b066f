package ewsapi

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// reply is the true answer, before anything spoils it.
type reply struct {
	operation string
	status    int // 200 when 0
	body      []byte
	frontEnd  bool // refused before any mailbox server was asked
}

// gzipFrom is the size from which an answer is compressed for a client that accepts it: IIS's minFileSizeForComp,
// https://learn.microsoft.com/iis/configuration/system.webserver/httpcompression.
const gzipFrom = 2700

// deliver sends an answer: the reply, or what the script says instead. It returns the HTTP status, 0 when nothing
// was sent.
func (h *Handler) deliver(out http.ResponseWriter, in *http.Request, a *hook.Answer, rep reply) int {
	if a == nil {
		a = &hook.Answer{}
	}
	if a.Delay > 0 {
		h.opts.Sleep(a.Delay, in.Context().Done())
	}
	switch {
	case a.Hang:
		<-in.Context().Done()
		panic(http.ErrAbortHandler)
	case a.Reset:
		reset(out)
		return 0
	}
	status, body := choose(a, rep)
	header := out.Header()
	h.setHeader(header, in, rep)
	if a.SOAPFault == nil && a.Response == nil && a.Status != 0 {
		header.Del("Content-Type")
	}
	maps.Copy(header, a.Header)
	if a.CutAfter > 0 || a.Close || a.Trickle > 0 {
		h.sendSpoilt(out, in, a, status, body)
		return status
	}
	if len(body) >= gzipFrom && strings.Contains(in.Header.Get("Accept-Encoding"), "gzip") && header.Get("Content-Encoding") == "" {
		body = compress(body)
		header.Set("Content-Encoding", "gzip")
		header.Set("Vary", "Accept-Encoding")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	out.WriteHeader(status)
	_, _ = out.Write(body)
	return status
}

// choose picks the status and the body.
func choose(a *hook.Answer, rep reply) (int, []byte) {
	switch {
	case a.SOAPFault != nil:
		f := a.SOAPFault
		return statusOf(a), fault(&requestError{code: f.Code, text: f.Message}, f.BackOff)
	case a.Status != 0 && a.Response == nil:
		return a.Status, a.Body
	case rep.status != 0:
		return rep.status, rep.body
	}
	return http.StatusOK, rep.body
}

// setHeader sets what a real server's answer carries.
func (h *Handler) setHeader(header http.Header, in *http.Request, rep reply) {
	header["Content-Type"] = contentType
	header["Cache-Control"] = cacheControl
	header["X-FEServer"] = frontEnd
	if !rep.frontEnd {
		header["X-DiagInfo"], header["X-BEServer"] = backEnd, backEnd
	}
	id := in.Header.Get("client-request-id")
	if id == "" || in.Header.Get("return-client-request-id") != "true" {
		id = newRequestID()
	}
	header["request-id"] = []string{id}
	if rep.operation != "" && !rep.frontEnd {
		header["x-EwsHandler"] = []string{rep.operation}
	}
	if _, err := in.Cookie("exchangecookie"); err != nil {
		header["Set-Cookie"] = []string{"exchangecookie=" + strings.ReplaceAll(newRequestID(), "-", "") + "; path=/; HttpOnly"}
	}
}

var (
	contentType  = []string{"text/xml; charset=utf-8"}
	cacheControl = []string{"private"}
	frontEnd     = []string{"SIM-FE01"}
	backEnd      = []string{"SIM-BE01"}
)

// newRequestID is a random GUID. Nothing depends on its being hard to guess.
func newRequestID() string {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	var s [36]byte
	hex.Encode(s[:], b[:4])
	s[8] = '-'
	hex.Encode(s[9:], b[4:6])
	s[13] = '-'
	hex.Encode(s[14:], b[6:8])
	s[18] = '-'
	hex.Encode(s[19:], b[8:10])
	s[23] = '-'
	hex.Encode(s[24:], b[10:])
	return string(s[:])
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// reset closes the connection so that the client sees no answer.
func reset(out http.ResponseWriter) {
	conn, _, err := http.NewResponseController(out).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// sendSpoilt writes the answer on the bare connection, so that it can be cut or dripped.
func (h *Handler) sendSpoilt(out http.ResponseWriter, in *http.Request, a *hook.Answer, status int, body []byte) {
	conn, buffered, err := http.NewResponseController(out).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	gone := watch(conn, buffered)
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	header := out.Header()
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("Connection", "close")
	if !a.Close {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	_ = header.Write(conn)
	_, _ = io.WriteString(conn, "\r\n")
	if a.CutAfter > 0 {
		body = body[:min(a.CutAfter, len(body))]
	}
	if a.Trickle <= 0 {
		_, _ = conn.Write(body)
		return
	}
	for i := range body {
		h.opts.Sleep(a.Trickle, gone)
		if _, err := conn.Write(body[i : i+1]); err != nil {
			return
		}
	}
}

// watch returns a channel that is closed when the client closes its side.
func watch(conn io.Reader, _ any) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return gone
}

func sleep(d time.Duration, done <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	}
}
