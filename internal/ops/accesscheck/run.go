package accesscheck

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// check is a check under way. Everything but the calls themselves happens in one goroutine.
type check struct {
	Options
	boxes    []Mailbox
	results  []Result // in the order of boxes until the report
	settled  int
	findings int

	ready    []int // to be asked for, as places in boxes
	waiting  later
	tries    []int
	began    []time.Time // the first call
	answers  chan answer
	running  int
	limit    int  // calls at once, for now
	proven   bool // a sign-in has worked
	streak   int  // calls in a row that worked, since the limit was last changed
	servers  map[string]*server
	stops    []Stop
	finished bool // nothing more may be asked
}

// server is what is known of one of the servers that mailboxes are on.
type server struct {
	notBefore time.Time // it wants to be left alone
	failures  int       // in a row, none of them a mailbox's own
	down      bool
}

// maxFailures in a row, of whatever mailboxes, are taken for the server's; while nothing has worked yet, maxTries are.
const maxFailures = 20

// maxTries is how often a mailbox is asked for when answers do not come, or make no sense.
const maxTries = 3

type answer struct {
	place  int
	rights calsync.Rights
	err    error
}

func newCheck(o Options, boxes []Mailbox) *check {
	c := &check{
		Options: o, boxes: boxes, results: make([]Result, len(boxes)), ready: make([]int, len(boxes)), tries: make([]int, len(boxes)),
		began: make([]time.Time, len(boxes)), answers: make(chan answer), limit: 1, servers: map[string]*server{},
	}
	for i, b := range boxes {
		c.ready[i] = i
		c.results[i] = Result{Address: b.Address, Canary: b.Canary, Access: Unchecked}
		if c.servers[b.URL] == nil {
			c.servers[b.URL] = &server{}
		}
	}
	// What most of them share is proved first: another server's refusal then says nothing about it.
	slices.SortStableFunc(c.ready, func(a, b int) int { return cmp.Compare(min(len(boxes[a].URL), 1), min(len(boxes[b].URL), 1)) })
	return c
}

func (c *check) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c.launch(ctx)
		if c.running == 0 && (c.finished || len(c.ready)+len(c.waiting) == 0) {
			return
		}
		if len(c.waiting) > 0 {
			timer.Reset(time.Until(c.waiting[0].at))
		}
		done := ctx.Done()
		if c.finished {
			done = nil // only calls under way are waited for
		}
		select {
		case a := <-c.answers:
			c.running--
			c.take(ctx, a)
		case <-timer.C:
		case <-done:
			c.finished = true
		}
	}
}

// launch begins as many calls as may run.
func (c *check) launch(ctx context.Context) {
	now := time.Now()
	for len(c.waiting) > 0 && !c.waiting[0].at.After(now) {
		c.ready = append(c.ready, heap.Pop(&c.waiting).(due).place)
	}
	for len(c.ready) > 0 && c.running < c.limit && !c.finished && ctx.Err() == nil {
		i := c.ready[0]
		c.ready = c.ready[1:]
		switch s := c.servers[c.boxes[i].URL]; {
		case s.down:
			c.settle(i, c.results[i])
		case s.notBefore.After(now):
			heap.Push(&c.waiting, due{s.notBefore, i})
		default:
			c.call(ctx, i)
		}
	}
}

func (c *check) call(ctx context.Context, i int) {
	if c.tries[i]++; c.tries[i] == 1 {
		c.began[i] = time.Now()
	}
	c.running++
	go func() {
		rights, err := c.Asker.Rights(ctx, c.boxes[i].Target)
		c.answers <- answer{i, rights, err}
	}()
}

// take decides about an answer.
func (c *check) take(ctx context.Context, a answer) {
	var f *calsync.Fault
	errors.As(a.err, &f)
	cut := f == nil || f.Kind == calsync.FaultTransport || f.Kind == calsync.FaultToken
	switch s := c.servers[c.boxes[a.place].URL]; {
	case a.err == nil && a.rights.Told && !a.rights.Read:
		f = &calsync.Fault{Operation: "GetFolder", Kind: calsync.FaultRights, Status: 200}
		c.refused(a.place, s, f)
	case a.err == nil:
		c.worked(s)
		c.granted(a)
	case cut && ctx.Err() != nil: // the check's end, and nobody's failure
		c.settle(a.place, c.results[a.place])
	case f == nil:
		c.settle(a.place, c.results[a.place])
	default:
		c.refused(a.place, s, f)
	}
}

// worked notes that the server is good, and slowly allows as much again as was taken away.
func (c *check) worked(s *server) {
	s.failures = 0
	c.signedIn()
	if c.streak++; c.streak >= 4*c.limit && c.limit < c.Parallel {
		c.limit, c.streak = c.limit+1, 0
	}
}

// signedIn notes that the sign-in is good, so that many may go on where one went ahead.
func (c *check) signedIn() {
	if !c.proven {
		c.proven, c.limit = true, c.Parallel
	}
}

// refused decides about a fault.
func (c *check) refused(i int, s *server, f *calsync.Fault) {
	v := jobs.Judge(fact(f, c.Identity.Delegate))
	if !c.proven { // a 401 without a reason is no throttling while nothing has worked
		v = v.After(0, time.Hour)
	}
	if f.Kind == calsync.FaultResponse || f.Kind == calsync.FaultSOAP {
		c.signedIn()
	}
	switch v.Class {
	case jobs.Denied, jobs.Blocked:
		c.worked(s)
		c.denied(i, f, v)
	case jobs.Credentials:
		c.credentials(i, s, f, v)
	case jobs.Config:
		if v.Scope == jobs.ScopeServer {
			c.down(s)
			c.stop(i, "Exchange is not where the configuration says, or its certificate is not trusted", f, v)
		}
		c.failed(i, Failed, f, v)
	case jobs.Throttled:
		c.throttled(i, s, f, v)
	case jobs.Transient:
		c.again(i, s, f, v)
	default:
		c.worked(s)
		c.failed(i, Failed, f, v)
	}
}

// credentials ends the check when what all mailboxes share is refused. What one server refuses, or a page in front of it,
// concerns the mailboxes on it, each of which has a result of its own.
func (c *check) credentials(i int, s *server, f *calsync.Fault, v jobs.Verdict) {
	const page = "web pages come instead of answers"
	switch {
	case f.Kind == calsync.FaultHTML && !c.proven && c.boxes[i].URL == "": // the configured address is wrong
		c.down(s)
		c.stop(i, page, f, v)
	case f.Kind == calsync.FaultHTML:
		c.strike(i, s, page, f, v)
	case c.shared(i, f, v):
		c.finished = true
		c.stop(everyone, "the sign-in is refused", f, v)
		c.settle(i, c.results[i])
		return
	default: // more tries may lock the account
		c.down(s)
		c.stop(i, "this server refuses the sign-in", f, v)
	}
	c.failed(i, Failed, f, v)
}

// shared reports whether a refused sign-in is the one of all mailboxes. One that a mailbox's own server refuses is its
// alone where another server has taken it, and where a token was refused, which was issued for another server.
func (c *check) shared(i int, f *calsync.Fault, v jobs.Verdict) bool {
	onPremises := c.Identity.SignIn == jobs.SignInOnPremises
	switch {
	case v.Reason == events.RefusedUserLocked, v.Reason == events.RefusedPasswordExpired, c.boxes[i].URL == "":
		return true
	case f.Kind == calsync.FaultToken:
		return !onPremises || !c.proven
	}
	return onPremises && !c.proven
}

// throttled leaves alone what Exchange wants to be left alone.
func (c *check) throttled(i int, s *server, f *calsync.Fault, v jobs.Verdict) {
	wait := jobs.Wait(v, fact(f, c.Identity.Delegate), 1, source)
	if v.Code == "ErrorExceededConnectionCount" {
		c.limit, c.streak = max(1, c.limit/2), 0
	}
	until := time.Now().Add(wait)
	if v.Scope == jobs.ScopeServer || v.Scope == jobs.ScopeCredential {
		s.notBefore = until
	}
	if until.After(c.began[i].Add(c.Patience)) {
		c.failed(i, Throttled, f, v)
		return
	}
	c.tries[i]-- // being throttled is not a failed try
	heap.Push(&c.waiting, due{until, i})
	c.tell()
}

// again tries a few times more. A server that gives nobody an answer is given up.
func (c *check) again(i int, s *server, f *calsync.Fault, v jobs.Verdict) {
	if v.Scope == jobs.ScopeServer || v.Scope == jobs.ScopeCredential {
		c.strike(i, s, "Exchange or Entra cannot be reached, or answers with errors of its own", f, v)
	}
	until := time.Now().Add(jobs.Wait(v, fact(f, c.Identity.Delegate), c.tries[i], source))
	if s.down || c.tries[i] >= maxTries || until.After(c.began[i].Add(c.Patience)) {
		c.failed(i, Failed, f, v)
		return
	}
	heap.Push(&c.waiting, due{until, i})
	c.tell()
}

// strike counts a failure that is not the mailbox's, and gives a server up that has too many in a row.
func (c *check) strike(i int, s *server, problem string, f *calsync.Fault, v jobs.Verdict) {
	if s.failures++; !s.down && (s.failures >= maxFailures || !c.proven && s.failures >= maxTries) {
		c.down(s)
		c.stop(i, problem, f, v)
	}
}

// down gives a server up: its mailboxes are not waited for any more.
func (c *check) down(s *server) {
	s.down = true
	for i, d := range c.waiting {
		if c.servers[c.boxes[d.place].URL] == s {
			c.waiting[i].at = time.Time{}
		}
	}
	heap.Init(&c.waiting)
}

// server names the server that a mailbox is on.
func (c *check) server(i int) string { return cmp.Or(c.boxes[i].URL, c.Server, "the default server") }

// settle keeps a mailbox's result.
func (c *check) settle(i int, r Result) {
	c.results[i] = r
	c.settled++
	if r.Finding {
		c.findings++
	}
	c.tell()
}

func (c *check) tell() {
	if c.Progress != nil {
		c.Progress(Progress{Settled: c.settled, Total: len(c.boxes), Findings: c.findings, Waiting: len(c.waiting)})
	}
}

// due is a mailbox that is left alone until a time; later is a heap of them.
type due struct {
	at    time.Time
	place int
}

type later []due

func (l later) Len() int           { return len(l) }
func (l later) Less(i, j int) bool { return l[i].at.Before(l[j].at) }
func (l later) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *later) Push(x any)        { *l = append(*l, x.(due)) }
func (l *later) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

var source = rand.New(globalSource{})

// globalSource is safe for concurrent use and unseeded.
type globalSource struct{}

func (globalSource) Uint64() uint64 { return rand.Uint64() }
