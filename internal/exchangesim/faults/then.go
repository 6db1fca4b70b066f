package faults

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
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

	DateSkew Duration `json:"dateSkew,omitempty"` // how far the Date header is off
	Special  string   `json:"special,omitempty"`  // one of Specials

	Write hook.WriteFault `json:"write,omitempty"` // what happens to a write beside its being done
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
	pick(&t.DateSkew, d.DateSkew)
	pick(&t.Special, d.Special)
	pick(&t.Write, d.Write)
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
	a.Write = t.Write
	a.Header.Set(FaultHeader, id)
	return a
}

// forever is longer than any client waits.
const forever = 1000 * time.Hour

// FaultHeader names the fault in the answer that it shaped, for people who look.
const FaultHeader = "X-Simulated-Fault"

func (t Then) headers(a *hook.Answer, now time.Time) {
	if a.Header == nil {
		a.Header = http.Header{}
	}
	for k, v := range t.Headers {
		a.Header.Set(k, v)
	}
	if t.DateSkew != 0 {
		a.Header.Set("Date", now.Add(t.DateSkew.Std()).UTC().Format(http.TimeFormat))
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
