package faults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
)

// Duration is a time.Duration that is written as "1.5s" in JSON.
type Duration time.Duration

// Std is the duration in the type of package time.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it as 500ms, 2s or 20m", text)
	}
	*d = Duration(v)
	return nil
}

// Form says where an EWS response code stands.
type Form string

// The forms of an error: a request-level SOAP fault with HTTP 500, or HTTP 200 with the error in each response message.
const (
	SOAPFault       Form = "fault"
	ResponseMessage Form = "response"
)

// Bodies and changes that a rule can only name.
const (
	GzipBomb          = "gzip-bomb"          // 100 MB of spaces, compressed to 100 kB
	HugeBody          = "huge-body"          // 32 MB of spaces after the beginning of an envelope
	IllegalCharacters = "illegal-characters" // &#xB; in every subject of the true answer
)

// Then is what happens when a rule hits. Given in a rule, it is laid over the catalogue's: fields that are not set keep
// the catalogue's value.
type Then struct {
	Status     int               `json:"status,omitempty"`     // HTTP status
	Headers    map[string]string `json:"headers,omitempty"`    // of the HTTP answer
	Body       string            `json:"body,omitempty"`       // of the HTTP answer
	RetryAfter string            `json:"retryAfter,omitempty"` // value of the header; "date+30s" is sent as an HTTP date

	Code    string   `json:"code,omitempty"`    // EWS response code
	Form    Form     `json:"form,omitempty"`    // of Code; a SOAP fault when empty
	Message string   `json:"message,omitempty"` // Exchange's own text when empty
	Inner   string   `json:"inner,omitempty"`   // InnerErrorResponseCode
	BackOff Duration `json:"backOff,omitempty"` // sent as BackOffMilliseconds

	AADSTS int `json:"aadsts,omitempty"` // number of an error of the token endpoint

	Delay   Duration `json:"delay,omitempty"`   // before the answer, which is the true one when nothing else is set
	Hang    bool     `json:"hang,omitempty"`    // never answer
	Reset   bool     `json:"reset,omitempty"`   // close the connection without an answer
	Cut     int      `json:"cut,omitempty"`     // bytes of the body before the connection is cut
	Close   bool     `json:"close,omitempty"`   // the end of the connection ends the body
	Chunked bool     `json:"chunked,omitempty"` // with Cut: the body is sent in chunks, of which one is cut
	Trickle Duration `json:"trickle,omitempty"` // time for each byte of the body

	Special string `json:"special,omitempty"` // gzip-bomb, huge-body or illegal-characters
}

// over lays t over the catalogue's entry d.
func (t Then) over(d Then) Then {
	if t.Headers == nil {
		t.Headers = d.Headers
	}
	pick(&t.Status, d.Status)
	pick(&t.Body, d.Body)
	pick(&t.RetryAfter, d.RetryAfter)
	pick(&t.Code, d.Code)
	pick(&t.Form, d.Form)
	pick(&t.Message, d.Message)
	pick(&t.Inner, d.Inner)
	pick(&t.BackOff, d.BackOff)
	pick(&t.AADSTS, d.AADSTS)
	pick(&t.Delay, d.Delay)
	pick(&t.Hang, d.Hang)
	pick(&t.Reset, d.Reset)
	pick(&t.Cut, d.Cut)
	pick(&t.Close, d.Close)
	pick(&t.Chunked, d.Chunked)
	pick(&t.Trickle, d.Trickle)
	pick(&t.Special, d.Special)
	return t
}

func pick[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}

// answer is what t means for a whole call, at a moment of the simulator's life.
func (t Then) answer(id string, now time.Time) *hook.Answer {
	a := &hook.Answer{}
	if t.AADSTS != 0 {
		a = entra.Refusal(t.AADSTS, now)
	}
	a.FaultID = id
	a.Delay, a.Reset, a.Close, a.Trickle = time.Duration(t.Delay), t.Reset, t.Close, time.Duration(t.Trickle)
	if t.Hang {
		a.Delay, a.Reset = forever, true // the client goes first; then the call ends as any other does
	}
	if t.Status != 0 {
		a.Status, a.Body = t.Status, []byte(t.Body)
	}
	t.headers(a, now)
	switch {
	case t.Code == "":
	case t.Form == ResponseMessage:
		a.Response = t.itemFault()
	default:
		a.SOAPFault = &hook.SOAPFault{Code: t.Code, Message: t.Message, BackOff: t.backOff()}
	}
	t.special(a)
	a.Header.Set(FaultHeader, id)
	return a
}

// forever is longer than any client waits.
const forever = 1000 * time.Hour

// FaultHeader names the fault in the answer that it shaped, for people who look.
const FaultHeader = "X-Simulated-Fault"

// SpoilHeader tells what is to be done to the true answer's bytes, which the EWS part knows nothing of: the simulator
// takes it out and hands it to Spoil.
const SpoilHeader = "X-Simulated-Spoil"

// Spoil changes an answer's body as the value of SpoilHeader says, and tells whether the connection is to be cut in the
// middle of a chunk after it.
func Spoil(how string, body []byte) (spoilt []byte, cut bool) {
	if how == IllegalCharacters {
		return spoilSubjects(body), false
	}
	if n, err := strconv.Atoi(how); err == nil {
		return body[:min(n, len(body))], true
	}
	return body, false
}

func (t Then) headers(a *hook.Answer, now time.Time) {
	if a.Header == nil {
		a.Header = http.Header{}
	}
	for k, v := range t.Headers {
		a.Header.Set(k, v)
	}
	if t.RetryAfter == "" {
		return
	}
	value := t.RetryAfter
	if span, ok := strings.CutPrefix(value, "date+"); ok {
		if d, err := time.ParseDuration(span); err == nil {
			value = now.Add(d).UTC().Format(http.TimeFormat)
		}
	}
	a.Header.Set("Retry-After", value)
}

// backOff is what the wire can say: whole milliseconds.
func (t Then) backOff() time.Duration { return time.Duration(t.BackOff).Truncate(time.Millisecond) }

func (t Then) itemFault() *hook.ItemFault {
	return &hook.ItemFault{Code: t.Code, Message: t.Message, BackOff: t.backOff(), Inner: t.Inner}
}

func (t Then) special(a *hook.Answer) {
	a.CutAfter = t.Cut
	if t.Chunked && t.Cut > 0 {
		a.CutAfter = 0
		a.Header.Set(SpoilHeader, strconv.Itoa(t.Cut))
	}
	switch t.Special {
	case GzipBomb:
		a.Status, a.Body = http.StatusOK, gzipBomb()
		a.Header.Set("Content-Type", "text/xml; charset=utf-8")
		a.Header.Set("Content-Encoding", "gzip")
	case HugeBody:
		a.Status, a.Body = http.StatusOK, hugeBody()
		a.Header.Set("Content-Type", "text/xml; charset=utf-8")
	case IllegalCharacters:
		a.Header.Set(SpoilHeader, IllegalCharacters)
	}
}

const envelopeStart = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`

var hugeBody = sync.OnceValue(func() []byte {
	return append([]byte(envelopeStart), bytes.Repeat([]byte(" "), 32<<20)...)
})

// gzipBomb is an envelope's beginning and one hundred times the same compressed megabyte: gzip members may follow each
// other (RFC 1952, section 2.2).
var gzipBomb = sync.OnceValue(func() []byte {
	return append(zipped([]byte(envelopeStart)), bytes.Repeat(zipped(bytes.Repeat([]byte(" "), 1<<20)), 100)...)
})

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // writes to a buffer do not fail
	_ = w.Close()
	return out.Bytes()
}

// spoilSubjects puts a character reference into each subject that XML 1.0 forbids and Exchange writes nevertheless.
func spoilSubjects(body []byte) []byte {
	const open, spoilt = "Subject>", "&#xB;"
	var out bytes.Buffer
	out.Grow(len(body) + 64)
	for {
		i := bytes.Index(body, []byte(open))
		if i < 0 {
			out.Write(body)
			return out.Bytes()
		}
		end := i + len(open)
		out.Write(body[:end])
		if tag := bytes.LastIndexByte(body[:i], '<'); tag >= 0 && !bytes.ContainsAny(body[tag+1:i], "/ >") {
			out.WriteString(spoilt)
		}
		body = body[end:]
	}
}

// toldToWait is how long the answer asks the client to stay away, 0 when it does not, or with a value that no client
// should obey.
func toldToWait(a *hook.Answer, now time.Time) time.Duration {
	wait := retryAfter(a.Header.Get("Retry-After"), now)
	if a.SOAPFault != nil {
		wait = max(wait, a.SOAPFault.BackOff)
	}
	if a.Response != nil {
		wait = max(wait, a.Response.BackOff)
	}
	return min(wait, longestWait)
}

// longestWait is the cap that a client may put on what it is told.
const longestWait = 15 * time.Minute

func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(0, min(n, 86_400))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
