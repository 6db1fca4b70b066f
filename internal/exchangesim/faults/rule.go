package faults

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/hook"
)

// When says on which side of a call's effect a fault strikes.
type When string

// After a write's effect a fault loses the answer only: the client cannot know the outcome.
const (
	Before When = "before"
	After  When = "after"
)

// Rule scripts one fault: what it is, and which calls it hits. The zero value of every field but Fault hits all.
type Rule struct {
	ID    string `json:"id,omitempty"` // given by Add
	Fault string `json:"fault"`        // id of the catalogue
	// Mailbox is an address or a pattern as of path.Match ("room*@contoso.example"); for the operation "token", the
	// app's id or the user's address.
	Mailbox   string   `json:"mailbox,omitempty"`
	Share     float64  `json:"share,omitempty"`     // of the mailboxes, between 0 and 1; which ones is decided by Seed
	Operation string   `json:"operation,omitempty"` // "SyncFolderItems", a list "GetItem,FindItem", "*", "token", "discovery"
	Attempt   Attempts `json:"attempt,omitzero"`    // of the operation for the mailbox, counted from 1 since the rule was added
	Rate      float64  `json:"rate,omitempty"`      // of the attempts, between 0 and 1; which ones is decided by Seed
	Seed      uint64   `json:"seed,omitempty"`      // the simulator's own when 0
	When      When     `json:"when,omitempty"`      // before or after
	Then      []Then   `json:"then,omitempty"`      // in turn; laid over the catalogue's
	Item      *Item    `json:"item,omitempty"`      // which item of a batch
	Until     Until    `json:"until,omitzero"`      // when the rule stops
	Fired     uint64   `json:"fired"`               // how often it hit; set by Rules
}

// Item names one item of a batch, by its id or else by its position, counted from 0.
type Item struct {
	Position int    `json:"position"`
	ID       string `json:"id,omitempty"`
	Rest     string `json:"rest,omitempty"` // response code of the items after it, when the batch stops there
}

// Until ends a rule after so many hits, or so much time, whichever is first. 0 means never.
type Until struct {
	Count uint64   `json:"count,omitempty"`
	For   Duration `json:"for,omitempty"`
}

// Attempts is a range of attempts, written "2", "1-3", "3-" or "every".
type Attempts struct{ From, To int } // To 0: without end; From 0: every

func (a Attempts) has(n int) bool { return a.From == 0 || n >= a.From && (a.To == 0 || n <= a.To) }

// MarshalText implements encoding.TextMarshaler.
func (a Attempts) MarshalText() ([]byte, error) {
	switch {
	case a.From == 0:
		return []byte("every"), nil
	case a.To == 0:
		return fmt.Appendf(nil, "%d-", a.From), nil
	case a.To == a.From:
		return strconv.AppendInt(nil, int64(a.From), 10), nil
	}
	return fmt.Appendf(nil, "%d-%d", a.From, a.To), nil
}

// UnmarshalJSON accepts a number beside the texts.
func (a *Attempts) UnmarshalJSON(b []byte) error { return a.UnmarshalText(bytes.Trim(b, `"`)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Attempts) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" || s == "every" {
		*a = Attempts{}
		return nil
	}
	from, to, ranged := strings.Cut(s, "-")
	var err error
	if a.From, err = strconv.Atoi(from); err == nil {
		switch {
		case !ranged:
			a.To = a.From
		case to == "":
			a.To = 0
		default:
			a.To, err = strconv.Atoi(to)
		}
	}
	if err != nil || a.From < 1 || a.To != 0 && a.To < a.From {
		return &FieldError{"attempt", fmt.Sprintf("%q is no attempt", s), `write "2", "1-3", "3-" or "every"`}
	}
	return nil
}

// FieldError says what is wrong with one field of a rule, and what to write instead.
type FieldError struct{ Field, Problem, Hint string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem + "; " + e.Hint }

// complete checks the rule and fills in what the catalogue says.
func (r *Rule) complete() (Fault, error) {
	f, ok := Lookup(r.Fault)
	if !ok {
		return f, &FieldError{"fault", fmt.Sprintf("%q is not in the catalogue", r.Fault), "use an id such as H4, E8 or T22"}
	}
	if !f.Implemented() {
		return f, &FieldError{"fault", f.ID + " (" + f.Title + ") is not implemented", "the catalogue marks what is"}
	}
	r.Fault, r.Mailbox = f.ID, strings.ToLower(r.Mailbox)
	pick(&r.Operation, f.Operation)
	pick(&r.When, f.When)
	if r.Item == nil {
		r.Item = f.Item
	}
	given := r.Then
	r.Then = slices.Clone(f.Then)
	if len(given) > 0 {
		r.Then = make([]Then, len(given))
		for i, t := range given {
			r.Then[i] = t.over(f.Then[i%len(f.Then)])
		}
	}
	return f, r.check(f)
}

func (r *Rule) check(f Fault) error {
	if _, err := path.Match(r.Mailbox, ""); err != nil {
		return &FieldError{"mailbox", "the pattern is malformed", "use * and ? only"}
	}
	if r.Share < 0 || r.Share > 1 {
		return &FieldError{"share", "not between 0 and 1", "0.5 is half of the mailboxes"}
	}
	if r.Rate < 0 || r.Rate > 1 {
		return &FieldError{"rate", "not between 0 and 1", "0.1 is every tenth attempt"}
	}
	if r.When != Before && r.When != After {
		return &FieldError{"when", fmt.Sprintf("%q is unknown", r.When), "use before or after"}
	}
	for _, op := range r.operations() {
		if !slices.Contains(Operations, op) && !r.entra() {
			return &FieldError{"operation", fmt.Sprintf("%q is not simulated", op), "use *, token, discovery or " + strings.Join(Operations, ", ")}
		}
	}
	if f.ID[0] == 'T' && !r.entra() {
		return &FieldError{"operation", f.ID + " is a fault of the token service", "use token or discovery"}
	}
	for i, t := range r.Then {
		if err := t.check(fmt.Sprintf("then[%d]", i), r); err != nil {
			return err
		}
	}
	return nil
}

func (t Then) check(field string, r *Rule) error {
	switch {
	case t.Status != 0 && (t.Status < 200 || t.Status > 599):
		return &FieldError{field + ".status", "not an HTTP status", "use 200 to 599"}
	case t.AADSTS != 0 && !entra.Known(t.AADSTS):
		return &FieldError{field + ".aadsts", fmt.Sprintf("AADSTS%d is unknown", t.AADSTS), "use a number of the catalogue"}
	case t.Form != "" && t.Form != SOAPFault && t.Form != ResponseMessage:
		return &FieldError{field + ".form", fmt.Sprintf("%q is unknown", t.Form), "use fault or response"}
	case t.Code != "" && !strings.HasPrefix(t.Code, "Error"):
		return &FieldError{field + ".code", fmt.Sprintf("%q is no EWS response code", t.Code), "they begin with Error"}
	case t.Special != "" && !slices.Contains(Specials(), t.Special):
		return &FieldError{field + ".special", fmt.Sprintf("%q is unknown", t.Special), "use " + strings.Join(Specials(), ", ")}
	case t.Write != "" && !slices.Contains(writeFaults, t.Write):
		return &FieldError{field + ".write", fmt.Sprintf("%q is unknown", t.Write), "use twice, normalized, touched or attended"}
	case t.Write != "" && (r.When != Before || r.entra()):
		return &FieldError{field + ".write", "it happens in a write", "use an operation such as CreateItem, and before"}
	case t.Delay < 0 || t.Trickle < 0 || t.BackOff < 0 || t.Cut < 0:
		return &FieldError{field, "a negative span", "use 0 or more"}
	case r.entra() && !t.fitsEntra():
		return &FieldError{"operation", r.Fault + " cannot strike the token service", "use a fault that is an HTTP answer, a delay or a reset, such as H1 or T24"}
	case r.Item != nil && t.Code == "":
		return &FieldError{field + ".code", "a fault of one item needs a response code", "name one, or leave item out"}
	}
	return nil
}

var writeFaults = []hook.WriteFault{hook.WriteTwice, hook.WriteNormalized, hook.WriteTouched, hook.WriteAttended}

// entra says whether the rule strikes the token service.
func (r *Rule) entra() bool { return r.Operation == "token" || r.Operation == "discovery" }

// fitsEntra says whether the token service can answer so: not with EWS codes, and it can spoil only what it is given.
func (t Then) fitsEntra() bool {
	given := t.Status != 0 || t.AADSTS != 0 || t.Special == GzipBomb || t.Special == HugeBody
	return t.Code == "" && !t.Close && !t.Chunked && spoilers[t.Special] == nil &&
		(given || t.Cut == 0 && t.Trickle == 0 && (t.Delay > 0 || t.Hang || t.Reset || t.DateSkew != 0))
}

// Operations are the EWS operations that a rule may name: those that the simulator knows.
var Operations = []string{
	"GetFolder", "FindFolder", "SyncFolderHierarchy", "SyncFolderItems", "FindItem", "GetItem", "CreateItem", "UpdateItem",
	"DeleteItem", "MoveItem", "CopyItem", "ResolveNames", "GetRoomLists", "GetRooms", "GetServerTimeZones",
	"GetUserAvailability", "Subscribe", "Unsubscribe", "GetStreamingEvents", "GetEvents",
}

// operations is nil when the rule hits every EWS operation.
func (r *Rule) operations() []string {
	if r.Operation == "*" {
		return nil
	}
	return strings.Split(r.Operation, ",")
}

// Parse reads the short form of a rule: the fault's id, then an operation, a mailbox (what has an @, a * or a ?) and
// key=value pairs in any order: attempt, rate, share, seed, when, item (position), until (hits, or a span), backoff,
// delay, retry-after, status, code.
//
//	E22 CreateItem user0007@contoso.example attempt=1
//	H22 share=0.5 until=20m
func Parse(text string) (Rule, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Rule{}, &FieldError{"fault", "the rule is empty", `write "H4 SyncFolderItems attempt=1"`}
	}
	p := parsing{rule: Rule{Fault: words[0]}}
	for _, w := range words[1:] {
		if err := p.word(w); err != nil {
			return Rule{}, err
		}
	}
	if p.then != (thenKey{}) {
		p.rule.Then = []Then{{Status: p.then.status, Code: p.then.code, RetryAfter: p.then.retryAfter,
			BackOff: p.then.backOff, Delay: p.then.delay}}
	}
	check := p.rule
	_, err := check.complete()
	return p.rule, err
}

type thenKey struct {
	status           int
	code, retryAfter string
	backOff, delay   Duration
}

type parsing struct {
	rule Rule
	then thenKey
}

func (p *parsing) word(w string) error {
	key, value, pair := strings.Cut(w, "=")
	if !pair {
		if strings.ContainsAny(w, "@*?") && w != "*" {
			p.rule.Mailbox = w
		} else {
			p.rule.Operation = w
		}
		return nil
	}
	if err := p.pair(key, value); err != nil {
		return &FieldError{key, fmt.Sprintf("%q is not understood", value), err.Error()}
	}
	return nil
}

func (p *parsing) pair(key, value string) (err error) {
	r := &p.rule
	switch key {
	case "attempt":
		err = r.Attempt.UnmarshalText([]byte(value))
	case "rate":
		r.Rate, err = strconv.ParseFloat(value, 64)
	case "share":
		r.Share, err = strconv.ParseFloat(value, 64)
	case "seed":
		r.Seed, err = strconv.ParseUint(value, 10, 64)
	case "when":
		r.When = When(value)
	case "item":
		r.Item = &Item{}
		r.Item.Position, err = strconv.Atoi(value)
	case "until":
		if r.Until.Count, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = r.Until.For.UnmarshalText([]byte(value))
		}
	case "backoff":
		err = p.then.backOff.UnmarshalText([]byte(value))
	case "delay":
		err = p.then.delay.UnmarshalText([]byte(value))
	case "retry-after":
		p.then.retryAfter = value
	case "status":
		p.then.status, err = strconv.Atoi(value)
	case "code":
		p.then.code = value
	default:
		err = fmt.Errorf("the keys are attempt, rate, share, seed, when, item, until, backoff, delay, retry-after, status and code")
	}
	return err
}

// state is a rule at work.
type state struct {
	rule   Rule
	ops    []string
	added  time.Time
	seed   uint64
	fired  uint64
	starts map[string]int // attempt before the rule's first, by operation and mailbox
	turns  map[string]int // hits, by operation and mailbox
}
