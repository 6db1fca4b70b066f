// Package faults makes the simulated Exchange misbehave by script: it holds the catalogue of faults, the rules that say
// which call is hit, the addresses that misbehave without any rule, and the log that proves afterwards what happened
// and whether the client kept to what it was told.
//
// Which call is hit depends on what is asked (mailbox, operation, attempt) and a seed, never on the order of arrival,
// so that a run can be repeated. Waiting is measured on the monotonic clock: a jump of the simulated wall clock ends no
// back-off.
package faults

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Options sets an Engine up.
type Options struct {
	Seed uint64           // decides shares and rates where a rule has no seed of its own
	Now  func() time.Time // a clock that never jumps; time.Now when nil
	// BusyShare of all EWS calls is answered ErrorServerBusy without any rule. A client that cannot bear that would not
	// survive the real Exchange.
	BusyShare float64
	// BusyBackOff is the BackOffMilliseconds of those answers; 1 s when 0.
	BusyBackOff time.Duration
	// MaxConcurrent calls for one mailbox are no violation; 27 when 0, the EWSMaxConcurrency of Exchange Online's
	// default throttling policy.
	MaxConcurrent int
	// Calls is how many calls the log holds; 10,000 when 0.
	Calls int
}

// Engine decides what goes wrong. It implements hook.Interceptor. Its methods may be called concurrently, and none of
// them waits for anything.
type Engine struct {
	opts Options

	mu    sync.Mutex
	rules []*state
	next  int // number of the next rule
	bars  map[string]Form
	slow  map[string]time.Time // until when a mailbox is throttled by hand
	book  book
}

var _ hook.Interceptor = (*Engine)(nil)

// New makes an engine without rules.
func New(opts Options) *Engine {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	pick(&opts.BusyBackOff, time.Second)
	pick(&opts.MaxConcurrent, 27)
	pick(&opts.Calls, 10_000)
	return &Engine{opts: opts, bars: map[string]Form{}, slow: map[string]time.Time{}, book: newBook(opts)}
}

// Add puts a rule at the end of the list; the first rule that hits a call decides. It returns the rule with its id and
// everything that the catalogue fills in. The error is a *FieldError.
func (e *Engine) Add(r Rule) (Rule, error) {
	if _, err := r.complete(); err != nil {
		return Rule{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	r.ID, r.Fired = fmt.Sprintf("r%d", e.next), 0
	e.rules = append(e.rules, &state{
		rule: r, ops: r.operations(), added: e.opts.Now(), seed: cmp.Or(r.Seed, e.opts.Seed),
		starts: map[string]int{}, turns: map[string]int{},
	})
	return r, nil
}

// Remove takes a rule away and says whether there was one.
func (e *Engine) Remove(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.rules)
	e.rules = slices.DeleteFunc(e.rules, func(s *state) bool { return s.rule.ID == id })
	return len(e.rules) < n
}

// Rules lists the rules, also those that have ended, with their hits.
func (e *Engine) Rules() []Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]Rule, len(e.rules))
	for i, s := range e.rules {
		all[i] = s.rule
		all[i].Fired = s.fired
	}
	return all
}

// Clear removes every rule, ban and throttle, so that the faults stop and liveness can be judged. What was counted
// stays.
func (e *Engine) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = nil
	clear(e.bars)
	clear(e.slow)
}

// Reset is Clear, and forgets calls, counters and violations too.
func (e *Engine) Reset() {
	e.Clear()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.book.reset()
}

// The forms in which access to a mailbox is denied: by an application access policy with an empty HTTP 403, or with
// ErrorAccessDenied in the response messages, as for missing rights.
const (
	Denied403  Form = "403"
	DeniedSOAP Form = "soap"
)

// Forbid denies all access to the mailbox from now on.
func (e *Engine) Forbid(mailbox string, form Form) error {
	if form != Denied403 && form != DeniedSOAP {
		return &FieldError{"form", fmt.Sprintf("%q is unknown", form), "use 403 or soap"}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bars[strings.ToLower(mailbox)] = form
	return nil
}

// Allow ends what Forbid began, and says whether access was denied.
func (e *Engine) Allow(mailbox string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, was := e.bars[strings.ToLower(mailbox)]
	delete(e.bars, strings.ToLower(mailbox))
	return was
}

// Forbidden lists the mailboxes that Forbid has closed.
func (e *Engine) Forbidden() map[string]Form {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.bars)
}

// Throttle answers every call for the mailbox with ErrorServerBusy for so long, and tells the rest of that time as
// BackOffMilliseconds.
func (e *Engine) Throttle(mailbox string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slow[strings.ToLower(mailbox)] = e.opts.Now().Add(d)
}

// Before implements hook.Interceptor.
func (e *Engine) Before(c *hook.Call) *hook.Answer {
	now := e.opts.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.book.enter(c, now)
	a := e.before(c, now)
	if a != nil {
		e.book.strike(c, a.FaultID, Before)
		e.book.told(c.Mailbox, a, now)
	}
	return a
}

func (e *Engine) before(c *hook.Call, now time.Time) *hook.Answer {
	if c.Operation == "token" || c.Operation == "discovery" {
		return e.scripted(c, Before, now)
	}
	if a := e.standing(c, now); a != nil {
		return a
	}
	if a := magic(c, e.opts.Seed); a != nil {
		return a
	}
	if a := e.scripted(c, Before, now); a != nil {
		return a
	}
	if hit(e.opts.Seed, c.Mailbox, c.Operation, c.Attempt, e.opts.BusyShare) {
		return Then{Code: "ErrorServerBusy", BackOff: Duration(e.opts.BusyBackOff)}.answer("E1", now)
	}
	return nil
}

// standing answers for mailboxes that are closed or throttled by hand.
func (e *Engine) standing(c *hook.Call, now time.Time) *hook.Answer {
	switch e.bars[c.Mailbox] {
	case Denied403:
		return Then{Status: 403}.answer("H22", now)
	case DeniedSOAP:
		return Then{Code: "ErrorAccessDenied", Form: ResponseMessage}.answer("E12", now)
	}
	if until, ok := e.slow[c.Mailbox]; ok {
		if left := until.Sub(now).Truncate(time.Millisecond); left > 0 {
			return Then{Code: "ErrorServerBusy", BackOff: Duration(left)}.answer("E1", now)
		}
		delete(e.slow, c.Mailbox)
	}
	return nil
}

// After implements hook.Interceptor.
func (e *Engine) After(c *hook.Call) *hook.Answer {
	now := e.opts.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.scripted(c, After, now)
	if a != nil {
		e.book.strike(c, a.FaultID, After)
		e.book.told(c.Mailbox, a, now)
	}
	return a
}

func (e *Engine) scripted(c *hook.Call, when When, now time.Time) *hook.Answer {
	for _, s := range e.rules {
		if s.rule.Item == nil && s.rule.When == when && s.hits(c, now) {
			return s.fire(c).answer(s.rule.Fault, now)
		}
	}
	return nil
}

// Item implements hook.Interceptor.
func (e *Engine) Item(c *hook.Call, position int, id string) *hook.ItemFault {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.rules {
		if s.rule.Item == nil {
			continue
		}
		if f := s.item(e, c, position, id, e.opts.Now()); f != nil {
			return f
		}
	}
	return nil
}

// item decides for one item: the rule's own one, or one that comes after it when the batch stops there.
func (s *state) item(e *Engine, c *hook.Call, position int, id string, now time.Time) *hook.ItemFault {
	it := s.rule.Item
	mine := position == it.Position
	if it.ID != "" {
		mine = id == it.ID
	}
	switch {
	case mine && s.hits(c, now):
		f := s.fire(c).itemFault()
		e.book.strike(c, s.rule.Fault, Before)
		e.book.wait(c.Mailbox, f.BackOff, now)
		if it.Rest != "" {
			e.book.stop(c, it.Rest)
		}
		return f
	case !mine && it.Rest != "" && e.book.stopped(c) == it.Rest:
		return &hook.ItemFault{Code: it.Rest}
	}
	return nil
}

// Done implements hook.Interceptor.
func (e *Engine) Done(c *hook.Call, status int, codes []string, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.book.leave(c, status, codes, took)
}

// hits says whether the rule strikes the call.
func (s *state) hits(c *hook.Call, now time.Time) bool {
	r := &s.rule
	switch {
	case r.Until.Count > 0 && s.fired >= r.Until.Count,
		r.Until.For > 0 && now.Sub(s.added) >= time.Duration(r.Until.For),
		!s.operation(c.Operation),
		!matches(r.Mailbox, c.Mailbox),
		r.Share > 0 && !share(s.seed, c.Mailbox, r.Share):
		return false
	}
	key := c.Operation + " " + c.Mailbox
	start, seen := s.starts[key]
	if !seen {
		start = c.Attempt - 1
		s.starts[key] = start
	}
	return r.Attempt.has(c.Attempt-start) && (r.Rate == 0 || hit(s.seed, c.Mailbox, c.Operation, c.Attempt, r.Rate))
}

func (s *state) operation(op string) bool {
	if s.ops == nil {
		return op != "token" && op != "discovery"
	}
	return slices.Contains(s.ops, op)
}

func matches(pattern, mailbox string) bool {
	if pattern == "" || pattern == mailbox {
		return true
	}
	ok, err := path.Match(pattern, mailbox)
	return ok && err == nil
}

// fire counts a hit and returns what happens: several actions take turns, for each mailbox and operation by itself.
func (s *state) fire(c *hook.Call) Then {
	s.fired++
	key := c.Operation + " " + c.Mailbox
	turn := s.turns[key]
	s.turns[key]++
	return s.rule.Then[turn%len(s.rule.Then)]
}
