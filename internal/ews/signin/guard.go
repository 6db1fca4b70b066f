package signin

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// pause is how long a refused password is not tried again: each try counts towards the lock-out of the account.
	pause = 10 * time.Minute
	// patience is how many refusals in a row a password is given that has worked: a domain controller in trouble
	// refuses good ones too, and a changed one's predecessor does not count towards the lock-out in Active Directory.
	patience = 3
)

// Fleet is what other processes know of the service user's passwords, which they may try at the same servers. Without it, or
// while it cannot be asked, each process keeps to the rules by itself.
type Fleet interface {
	// Enter waits for this process's turn to try a password that has not worked here; leave is to be told what came of it, nil
	// when the server said nothing about the password. barred is for how long it must not be tried; leave is then nil.
	Enter(ctx context.Context, server, password string) (leave func(worked *bool), barred time.Duration, err error)
	// Refused notes a refusal of a password that has worked, and returns for how long it must not be tried any more.
	Refused(server, password string) (barred time.Duration, err error)
	// Works notes a success after that.
	Works(server, password string)
	// Follow calls f when others have found that a password must not be tried any more, until ctx ends.
	Follow(ctx context.Context, server, password string, f func(barred time.Duration))
}

// outcome is what became of a try.
type outcome int

const (
	unknown outcome = iota // the server said nothing about the password
	accepted
	refused
)

// outcomeOf judges an answer to a request with credentials. Only one that shows Exchange itself at work proves a
// password: a result, or a SOAP Fault. A redirect, an error page or a refusal may be a proxy's, which has not looked at
// it, and a wrong password taken for proven would be tried by everybody at once. A 401 whose number says that the mailbox
// is not there says nothing about the password.
func outcomeOf(resp *http.Response) outcome {
	xml := strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "xml")
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized && strings.HasPrefix(resp.Header.Get("X-Ms-Diagnostics"), noMailbox):
		return unknown
	case code == http.StatusUnauthorized:
		return refused
	case code == http.StatusOK, code == http.StatusInternalServerError && xml:
		return accepted
	}
	return unknown
}

// noMailbox is the x-ms-diagnostics number of a user that is not there.
const noMailbox = "2000005"

// guards are those of one service user, by server: a wrong password at one must not stop another.
type guards struct {
	hint  string
	fleet Fleet // may be nil
	life  context.Context
	end   context.CancelFunc

	mu sync.Mutex
	by map[string]*guard
}

func newGuards(hint string, fleet Fleet) *guards {
	g := &guards{hint: hint, fleet: fleet, by: map[string]*guard{}}
	g.life, g.end = context.WithCancel(context.Background())
	return g
}

func (g *guards) of(server string) *guard {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.by[server] == nil {
		g.by[server] = newGuard(g.hint)
		g.by[server].server, g.by[server].guards = server, g
	}
	return g.by[server]
}

// barred is an error when a password may be tried at no server that was asked for so far.
func (g *guards) barred(password string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var first *Error
	for _, one := range g.by {
		left, ok := one.left(password)
		if ok {
			return nil
		}
		if first == nil || left < first.Retry {
			first = one.refusal(left)
		}
	}
	if first == nil {
		return nil
	}
	return first
}

// guard decides who may try a password at one server.
type guard struct {
	server string
	guards *guards
	turn   chan struct{} // holds a value while somebody tries a password that has not worked yet
	hint   string        // for whoever meets the bar

	mu       sync.Mutex // never held across a request
	proven   string     // has worked
	worked   uint64     // how often it was accepted
	refusals int        // of proven, in a row
	checking bool       // somebody finds out what the newest means
	barred   string     // is not tried before until
	until    time.Time
	unfollow context.CancelFunc
}

func newGuard(hint string) *guard {
	return &guard{turn: make(chan struct{}, 1), hint: hint, guards: &guards{life: context.Background()}, unfollow: func() {}}
}

// enter waits until the password may be tried. The caller must call leave with the outcome.
func (g *guard) enter(ctx context.Context, password string) (leave func(outcome) error, err error) {
	free, worked, err := g.may(password)
	if err != nil {
		return nil, err
	}
	if free {
		return func(o outcome) error { return g.learn(password, o, worked) }, nil
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	free, worked, err = g.may(password) // what the one before has learned
	tell := func(*bool) {}
	if err == nil && !free {
		tell, err = g.fleetEnter(ctx, password)
	}
	if free || err != nil {
		<-g.turn
	}
	switch {
	case err != nil:
		return nil, err
	case free:
		return func(o outcome) error { return g.learn(password, o, worked) }, nil
	}
	return func(o outcome) error {
		defer func() { <-g.turn }()
		err := g.learn(password, o, worked)
		tell(word(o))
		return err
	}, nil
}

// word is what the fleet is told of an outcome.
func word(o outcome) *bool {
	if o == unknown {
		return nil
	}
	worked := o == accepted
	return &worked
}

// fleetEnter waits for this process's turn among those of the fleet. When the fleet cannot be asked, this process goes by
// what it knows itself.
func (g *guard) fleetEnter(ctx context.Context, password string) (func(*bool), error) {
	if g.guards.fleet == nil {
		return func(*bool) {}, nil
	}
	leave, barred, err := g.guards.fleet.Enter(ctx, g.server, password)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return func(*bool) {}, nil
	case barred > 0:
		g.bar(password, barred)
		return nil, g.refusal(barred)
	}
	return leave, nil
}

func (g *guard) refusal(left time.Duration) *Error {
	return &Error{Status: http.StatusUnauthorized, Retry: left, Hint: g.hint}
}

// left is for how long the password is barred; ok that it is not.
func (g *guard) left(password string) (left time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	left = time.Until(g.until)
	return left, left <= 0 || password != g.barred
}

// may says whether a password can be tried by many at once, or that it must not be tried at all, and how often it has
// worked.
func (g *guard) may(password string) (free bool, worked uint64, err error) {
	if left, ok := g.left(password); !ok {
		return false, 0, g.refusal(left)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return password == g.proven, g.worked, nil
}

// bar has it that a password is not tried for a while.
func (g *guard) bar(password string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if password == g.proven {
		g.proven, g.refusals, g.checking = "", 0, false
	}
	g.barred, g.until = password, time.Now().Add(d)
	g.unfollow()
}

// learn notes the outcome of a try that began when the password had worked so often. The error is that of a password which is
// barred now.
func (g *guard) learn(password string, o outcome, worked uint64) error {
	g.mu.Lock()
	had := password == g.proven
	g.checking = false
	switch {
	case o == accepted:
		g.accept(password)
		return nil
	case o != refused, had && g.worked != worked: // it works for others meanwhile: this is a mailbox's own trouble
		g.mu.Unlock()
		return nil
	case had:
		g.refusals++
	}
	own := !had || g.refusals >= patience
	g.mu.Unlock()
	left := time.Duration(0)
	if own {
		left = pause
	}
	if had && g.guards.fleet != nil {
		if barred, err := g.guards.fleet.Refused(g.server, password); err == nil {
			left = max(left, barred)
		}
	}
	if left == 0 {
		return nil
	}
	g.bar(password, left)
	return g.refusal(left)
}

// accept notes that the password works. The caller holds mu, which it lets go.
func (g *guard) accept(password string) {
	doubted := g.proven == password && g.refusals > 0
	fresh := g.proven != password
	g.proven, g.refusals = password, 0
	g.worked++
	var following context.Context
	if fleet := g.guards.fleet; fleet != nil && fresh {
		g.unfollow()
		following, g.unfollow = context.WithCancel(g.guards.life)
	}
	g.mu.Unlock()
	if following != nil {
		go g.guards.fleet.Follow(following, g.server, password, func(barred time.Duration) { g.bar(password, barred) })
	}
	if doubted && g.guards.fleet != nil {
		g.guards.fleet.Works(g.server, password)
	}
}

// check reports, once after each refusal of a password that has worked, that a connection which is signed in should be
// signed in anew: that its requests are answered proves nothing of the password, which may have been changed since, and one
// that is refused may be a mailbox's own trouble. The outcome tells the two apart.
func (g *guard) check() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refusals == 0 || g.checking {
		return false
	}
	g.checking = true
	return true
}
