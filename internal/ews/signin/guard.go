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

// outcome is what became of a try.
type outcome int

const (
	unknown outcome = iota // the server said nothing about the password
	accepted
	refused
)

// outcomeOf judges an answer to a request with credentials. Only one that shows Exchange itself at work proves a
// password: a result, or a SOAP Fault. A redirect, an error page or a refusal may be a proxy's, which has not looked at
// it, and a wrong password taken for proven would be tried by everybody at once.
func outcomeOf(resp *http.Response) outcome {
	xml := strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "xml")
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return refused
	case code == http.StatusOK, code == http.StatusInternalServerError && xml:
		return accepted
	}
	return unknown
}

// guard decides who may try a password.
type guard struct {
	turn chan struct{} // holds a value while somebody tries a password that has not worked yet

	mu       sync.Mutex // never held across a request
	proven   string     // has worked
	refusals int        // of proven, in a row
	barred   string     // is not tried before until
	until    time.Time
	hint     string // for whoever meets the bar
}

func newGuard(hint string) *guard { return &guard{turn: make(chan struct{}, 1), hint: hint} }

// enter waits until the password may be tried. The caller must call leave with the outcome.
func (g *guard) enter(ctx context.Context, password string) (leave func(outcome) error, err error) {
	free, err := g.may(password)
	if err != nil {
		return nil, err
	}
	if free {
		return func(o outcome) error { return g.learn(password, o) }, nil
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	free, err = g.may(password) // what the one before has learned
	if free || err != nil {
		<-g.turn
	}
	switch {
	case err != nil:
		return nil, err
	case free:
		return func(o outcome) error { return g.learn(password, o) }, nil
	}
	return func(o outcome) error {
		defer func() { <-g.turn }()
		return g.learn(password, o)
	}, nil
}

// may says whether a password can be tried by many at once, or that it must not be tried at all.
func (g *guard) may(password string) (free bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := time.Until(g.until); left > 0 && password == g.barred {
		return false, &Error{Status: http.StatusUnauthorized, Retry: left, Hint: g.hint}
	}
	return password == g.proven, nil
}

// learn notes an outcome. The error is that of a password which is barred now.
func (g *guard) learn(password string, o outcome) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case o == accepted:
		g.proven, g.refusals = password, 0
	case o == refused && password == g.proven && g.refusals+1 < patience:
		g.refusals++
	case o == refused:
		g.proven, g.refusals = "", 0
		g.barred, g.until = password, time.Now().Add(pause)
		return &Error{Status: http.StatusUnauthorized, Retry: pause, Hint: g.hint}
	}
	return nil
}
