package faults

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// Record is one call as the log keeps it, written when the call ends.
type Record struct {
	Seq       uint64      `json:"seq"` // counts ended calls, from 1
	Call      uint64      `json:"call"`
	Time      time.Time   `json:"time"` // when it began, by the simulator's wall clock
	Operation string      `json:"operation"`
	Mailbox   string      `json:"mailbox"`
	Caller    string      `json:"caller"`            // address or app id
	SignIn    hook.SignIn `json:"signIn,omitempty"`  // empty for calls of the token endpoint
	TokenID   string      `json:"tokenId,omitempty"` // its subject and generation, such as sim-app/3
	RequestID string      `json:"requestId,omitempty"`
	UserAgent string      `json:"userAgent,omitempty"`
	Fence     string      `json:"fence,omitempty"`
	Items     int         `json:"items"`
	Attempt   int         `json:"attempt"`
	Faults    []string    `json:"faults,omitempty"`  // "H4 before", "E22 after"
	Refused   hook.Cause  `json:"refused,omitempty"` // why access was refused
	Status    int         `json:"status"`            // 0: no answer was sent
	Codes     []string    `json:"codes,omitempty"`   // response codes that were sent
	Took      Duration    `json:"took"`
}

// Kind of a violation.
type Kind string

// What a client can do wrong in the eyes of the simulator.
const (
	TooEarly    Kind = "too-early"   // a call for a mailbox that was told to wait
	Overlap     Kind = "overlap"     // calls with different fences for one mailbox at the same time
	Concurrency Kind = "concurrency" // more calls at once for one mailbox than Exchange allows
)

// Violation is one such deed.
type Violation struct {
	Kind      Kind      `json:"kind"`
	Time      time.Time `json:"time"`
	Call      uint64    `json:"call"`
	Operation string    `json:"operation"`
	Mailbox   string    `json:"mailbox"`
	Caller    string    `json:"caller"`
	Fence     string    `json:"fence,omitempty"`
	Other     string    `json:"other,omitempty"` // the fence it overlapped with
	Early     Duration  `json:"early,omitempty"` // how much of the time was left
	Running   int       `json:"running,omitempty"`
}

// Counters sums up what happened since the start, or Reset.
type Counters struct {
	Calls       uint64            `json:"calls"` // begun
	Running     int               `json:"running"`
	ByOperation map[string]uint64 `json:"byOperation"` // ended
	ByStatus    map[int]uint64    `json:"byStatus"`    // ended; 0: no answer was sent
	ByCode      map[string]uint64 `json:"byCode"`      // response codes sent
	Faults      map[string]uint64 `json:"faults"`      // by id of the catalogue
	Violations  map[Kind]uint64   `json:"violations"`
}

// book keeps the log. The engine's lock guards it.
type book struct {
	limit, maxConcurrent int

	ring       []Record
	seq        uint64
	violations []Violation
	count      Counters
	running    map[*hook.Call]*running
	boxes      map[string]*box
	ended      chan struct{} // closed at the next call's end; nil while nobody waits
}

type running struct {
	faults []string
	stop   string // code of the items that a stopped batch leaves undone
}

// box is what is known of a mailbox.
type box struct {
	calls     int
	fences    map[string]int // calls running under each fence
	notBefore time.Time      // told to wait until then
}

func newBook(opts Options) book {
	b := book{limit: opts.Calls, maxConcurrent: opts.MaxConcurrent, running: map[*hook.Call]*running{}, boxes: map[string]*box{}}
	b.reset()
	return b
}

// reset forgets the past; calls that are running go on and will end.
func (b *book) reset() {
	b.ring, b.seq, b.violations = nil, 0, nil
	b.count = Counters{
		ByOperation: map[string]uint64{}, ByStatus: map[int]uint64{}, ByCode: map[string]uint64{},
		Faults: map[string]uint64{}, Violations: map[Kind]uint64{},
	}
	for name, x := range b.boxes {
		if x.notBefore = (time.Time{}); x.calls == 0 {
			delete(b.boxes, name)
		}
	}
}

func (b *book) box(mailbox string) *box {
	x := b.boxes[mailbox]
	if x == nil {
		x = &box{fences: map[string]int{}}
		b.boxes[mailbox] = x
	}
	return x
}

// enter notes the beginning of a call and what is wrong with that.
func (b *book) enter(c *hook.Call, now time.Time) {
	b.count.Calls++
	b.running[c] = &running{}
	if c.Mailbox == "" {
		return // such as GetServerTimeZones by the service user: nobody's calendar is touched
	}
	x := b.box(c.Mailbox)
	if early := x.notBefore.Sub(now); early > 0 {
		b.violate(c, Violation{Kind: TooEarly, Early: Duration(early)})
	}
	x.calls++
	if c.Operation != "token" && x.calls > b.maxConcurrent {
		b.violate(c, Violation{Kind: Concurrency, Running: x.calls})
	}
	if c.Fence == "" {
		return
	}
	for _, other := range slices.Sorted(maps.Keys(x.fences)) {
		if other != c.Fence {
			b.violate(c, Violation{Kind: Overlap, Other: other})
		}
	}
	x.fences[c.Fence]++
}

func (b *book) violate(c *hook.Call, v Violation) {
	v.Time, v.Call, v.Operation, v.Mailbox, v.Caller, v.Fence = c.Time, c.ID, c.Operation, c.Mailbox, caller(c), c.Fence
	b.violations = append(b.violations, v)
	b.count.Violations[v.Kind]++
}

func caller(c *hook.Call) string { return cmp.Or(c.Caller.Address, c.Caller.AppID) }

// strike notes a fault.
func (b *book) strike(c *hook.Call, id string, when When) {
	b.count.Faults[id]++
	if r := b.running[c]; r != nil {
		r.faults = append(r.faults, id+" "+string(when))
	}
}

// stop and stopped remember that the rest of a batch is not done.
func (b *book) stop(c *hook.Call, code string) {
	if r := b.running[c]; r != nil {
		r.stop = code
	}
}

func (b *book) stopped(c *hook.Call) string {
	if r := b.running[c]; r != nil {
		return r.stop
	}
	return ""
}

// told remembers what an answer asks the client to wait; a delayed answer is not heard before its time.
func (b *book) told(mailbox string, a *hook.Answer, now time.Time) {
	if w := toldToWait(a, now); w > 0 {
		b.wait(mailbox, a.Delay+w, now)
	}
}

func (b *book) wait(mailbox string, d time.Duration, now time.Time) {
	if mailbox == "" {
		return
	}
	if x := b.box(mailbox); d > 0 && now.Add(d).After(x.notBefore) {
		x.notBefore = now.Add(d)
	}
}

// leave notes the end of a call.
func (b *book) leave(c *hook.Call, status int, codes []string, took time.Duration) {
	r := b.running[c]
	if r == nil {
		return // Before was not asked
	}
	delete(b.running, c)
	b.leaveBox(c)
	b.seq++
	b.count.ByOperation[c.Operation]++
	b.count.ByStatus[status]++
	for _, code := range codes {
		b.count.ByCode[code]++
	}
	rec := Record{
		Seq: b.seq, Call: c.ID, Time: c.Time, Operation: c.Operation, Mailbox: c.Mailbox, Caller: caller(c),
		SignIn: c.Caller.SignIn, TokenID: c.Caller.TokenID, Refused: c.Refused, RequestID: c.RequestID, UserAgent: c.UserAgent, Fence: c.Fence, Items: c.Items,
		Attempt: c.Attempt, Faults: r.faults, Status: status, Codes: slices.Clone(codes), Took: Duration(took),
	}
	if len(b.ring) < b.limit {
		b.ring = append(b.ring, rec)
	} else {
		b.ring[(b.seq-1)%uint64(b.limit)] = rec
	}
	if b.ended != nil {
		close(b.ended)
		b.ended = nil
	}
}

func (b *book) leaveBox(c *hook.Call) {
	if c.Mailbox == "" {
		return
	}
	x := b.box(c.Mailbox)
	x.calls--
	if c.Fence == "" {
		return
	}
	if x.fences[c.Fence]--; x.fences[c.Fence] <= 0 {
		delete(x.fences, c.Fence)
	}
}

// Calls lists the logged calls that ended after the one with that number, oldest first, at most limit (0: all that the
// log holds), and only those for mailbox unless it is empty.
func (e *Engine) Calls(since uint64, mailbox string, limit int) []Record {
	mailbox = strings.ToLower(mailbox)
	e.mu.Lock()
	defer e.mu.Unlock()
	b := &e.book
	all := []Record{}
	for i := range b.ring {
		r := &b.ring[(b.seq+uint64(i))%uint64(len(b.ring))] // the oldest stands after the newest
		if r.Seq > since && (mailbox == "" || r.Mailbox == mailbox) {
			all = append(all, *r)
		}
		if limit > 0 && len(all) == limit {
			break
		}
	}
	return all
}

// CallsChanged returns a channel that is closed when the next call has ended. To wait without missing one, take the
// channel, then look at Calls or Counters, then wait.
func (e *Engine) CallsChanged() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.book.ended == nil {
		e.book.ended = make(chan struct{})
	}
	return e.book.ended
}

// Violations lists what clients did wrong, oldest first. None is ever dropped.
func (e *Engine) Violations() []Violation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Violation{}, e.book.violations...)
}

// Counters tells what has happened so far.
func (e *Engine) Counters() Counters {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.book.count
	c.Running = len(e.book.running)
	c.ByOperation, c.ByStatus, c.ByCode = maps.Clone(c.ByOperation), maps.Clone(c.ByStatus), maps.Clone(c.ByCode)
	c.Faults, c.Violations = maps.Clone(c.Faults), maps.Clone(c.Violations)
	return c
}
