package tokens

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// Microsoft's advice is a first retry after no less than five seconds, then exponential; a failed refresh must not
// cost the token in use. https://learn.microsoft.com/entra/architecture/resilience-daemon-app
const (
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
	// maxRetryAfter bounds what a service, or a mistake of it, can make us wait.
	maxRetryAfter = 2 * time.Hour
	// requestTimeout bounds one call of the Source: time for the lease of a process that died to run out, then to ask.
	requestTimeout = 90 * time.Second
	// closeTimeout bounds how long Close waits for a call that does not heed its context.
	closeTimeout = 5 * time.Second
	// forceInterval lies between two forced refreshes. A server that rejects every token would otherwise cause one
	// token request for each of its answers; Entra locks out such clients (AADSTS50196).
	forceInterval = 10 * time.Minute
)

// A token that servers reject, while the issuer does not accept the credential either, is given up: it would be rejected
// once for each mailbox and minute. One rejection does not do, as that may concern its mailbox alone.
const (
	doubts   = 5
	doubtFor = time.Minute
)

// ErrClosed says that the cache was closed.
var ErrClosed = errors.New("tokens: cache is closed")

// Cache holds the newest token of a Source. It is safe for concurrent use.
//
// The mutex guards fields and is never held across a call of the Source: who must wait for one waits on the channel
// of its flight.
type Cache struct {
	source Source
	jitter func() float64 // in [0, 1)
	life   context.Context
	end    context.CancelFunc

	mu        sync.Mutex
	token     Token // zero until the first success
	refreshAt time.Time
	flight    *flight // the call under way, nil when there is none
	count     uint64  // successes, for generations

	failures  int // in a row
	notBefore time.Time
	lastErr   *Error

	forced     string    // the generation that was refreshed by force last
	forceAfter time.Time // no forced refresh before

	rejections int       // of the token, since
	since      time.Time // no longer ago than doubtFor
}

// flight is one call of the Source. Token and err may be read once done is closed.
type flight struct {
	request Request
	done    chan struct{}
	token   Token
	err     error
}

// NewCache returns a cache that has asked for nothing yet. Close it to end the call that may be under way.
func NewCache(source Source) *Cache {
	c := &Cache{source: source, jitter: rand.Float64}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Get returns a token that has not expired. It waits for the Source only when there is none; after a failure it
// answers with the same error, without asking, until the next try is due. Errors are *[Error] with the RetryAfter
// that is left, the error of ctx, or [ErrClosed].
func (c *Cache) Get(ctx context.Context) (Token, error) {
	c.mu.Lock()
	now := time.Now()
	if now.Before(c.token.Expires) {
		t := c.token
		if !now.Before(c.refreshAt) && c.mayAsk(now) {
			c.ask(Request{Renewal: true})
		}
		c.mu.Unlock()
		return t, nil
	}
	if !c.mayAsk(now) && c.flight == nil {
		defer c.mu.Unlock()
		return Token{}, c.refusal(now)
	}
	f := c.ask(Request{})
	c.mu.Unlock()
	return f.wait(ctx)
}

// Reject says that a server refused the token of a generation, with its claims challenge or "". A token that came
// meanwhile, or can be had now, makes the request worth repeating. For one generation the issuer is asked once, and
// not again within ten minutes of the last such refresh: false and no error then means that a new token will not help.
func (c *Cache) Reject(ctx context.Context, generation, claims string) (retry bool, err error) {
	c.mu.Lock()
	now := time.Now()
	if alive := now.Before(c.token.Expires); !alive || c.token.Generation != generation {
		c.mu.Unlock()
		t, err := c.Get(ctx)
		return err == nil && t.Generation != generation, err
	}
	c.doubt(now)
	f, err := c.force(now, generation, claims)
	c.mu.Unlock()
	if f == nil {
		return false, err
	}
	t, err := f.wait(ctx)
	return err == nil && t.Generation != generation, err
}

// doubt counts a rejection of the token. The caller holds mu.
func (c *Cache) doubt(now time.Time) {
	if now.Sub(c.since) > doubtFor {
		c.since, c.rejections = now, 0
	}
	c.rejections++
	c.giveUp(now)
}

// giveUp lets go of a token that was rejected too often and cannot be renewed. The caller holds mu.
func (c *Cache) giveUp(now time.Time) {
	if c.rejections > doubts && now.Sub(c.since) <= doubtFor && now.Before(c.notBefore) && c.lastErr.hopeless() {
		c.token = Token{}
	}
}

// force returns the flight that will bring another token than the rejected one, or nil when none will be asked for.
func (c *Cache) force(now time.Time, generation, claims string) (*flight, error) {
	if c.flight != nil {
		return c.flight, nil
	}
	if c.forced == generation || now.Before(c.forceAfter) {
		return nil, nil
	}
	if !c.mayAsk(now) {
		return nil, c.refusal(now)
	}
	c.forced, c.forceAfter = generation, now.Add(forceInterval)
	return c.ask(Request{Rejected: generation, Claims: claims}), nil
}

// settleForce gives back what a forced refresh has taken unless the issuer was asked. The caller holds mu.
func (c *Cache) settleForce(f *flight, now time.Time) {
	switch {
	case f.request.Rejected == "" || f.err == nil && !f.token.adopted:
	case f.err == nil && f.token.Generation == f.request.Rejected: // the fleet must not ask yet
		c.forced, c.forceAfter = "", now.Add(lookAgain)
	default: // another process's token has come; or nothing has, and the spacing of failures says when to try again
		c.forced, c.forceAfter = "", time.Time{}
		c.giveUp(now)
	}
}

// Close ends the call under way, and waits for it to end: a [Shared] gives its lease back, so the store should be closed
// later. Later calls of the Source do not happen; a token that is there goes on being given.
func (c *Cache) Close() {
	c.end()
	c.mu.Lock()
	f := c.flight
	c.mu.Unlock()
	if f == nil {
		return
	}
	t := time.NewTimer(closeTimeout)
	defer t.Stop()
	select {
	case <-f.done:
	case <-t.C:
	}
}

// mayAsk reports whether a call of the Source may begin now. The caller holds mu.
func (c *Cache) mayAsk(now time.Time) bool {
	return c.flight == nil && c.life.Err() == nil && !now.Before(c.notBefore)
}

// refusal is the answer while the Source may not be asked. The caller holds mu.
func (c *Cache) refusal(now time.Time) error {
	if c.life.Err() != nil {
		return ErrClosed
	}
	e := *c.lastErr
	e.RetryAfter = c.notBefore.Sub(now) // NextAsk stays
	return &e
}

// ask begins a call of the Source, or returns the one under way. The caller holds mu.
func (c *Cache) ask(r Request) *flight {
	if c.flight == nil {
		c.flight = &flight{request: r, done: make(chan struct{})}
		go c.fly(c.flight)
	}
	return c.flight
}

// fly calls the Source on behalf of everybody: no caller's context can end it.
func (c *Cache) fly(f *flight) {
	ctx, cancel := context.WithTimeout(c.life, requestTimeout)
	defer cancel()
	t, err := c.source(ctx, f.request)
	now := time.Now()
	if err == nil {
		err = check(t, now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		f.token = c.keep(t, now)
	} else {
		f.err = c.fail(err, now)
	}
	c.settleForce(f, now)
	c.flight = nil
	close(f.done)
}

func (f *flight) wait(ctx context.Context) (Token, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

// A lifetime outside of these is a mistake of the service: a shorter one would make us ask all the time, a longer one
// never. Entra's tokens live for up to 28 hours.
const (
	minLife = time.Minute
	maxLife = 48 * time.Hour
)

func check(t Token, now time.Time) error {
	switch {
	case t.Value.IsZero():
		return &Error{Hint: "the token service answered without a token: see its log"}
	case t.Expires.Sub(now) < minLife && !t.adopted: // an adopted one was sound when it was issued
		return &Error{Hint: "the token service gave a token that expires within a minute: check this host's clock"}
	}
	return nil
}

func (c *Cache) keep(t Token, now time.Time) Token {
	c.count++
	if t.Generation == "" {
		t.Generation = strconv.FormatUint(c.count, 10)
	}
	// now has a monotonic reading, so that from here on the wall clock may be set without doing harm.
	t.Expires = now.Add(min(t.Expires.Sub(now), maxLife))
	if !t.RefreshAt.IsZero() {
		t.RefreshAt = now.Add(t.RefreshAt.Sub(now))
	}
	c.token, c.refreshAt = t, refreshAt(t, now, c.jitter())
	c.failures, c.notBefore, c.lastErr = 0, time.Time{}, nil
	c.rejections = 0
	return t
}

// refreshAt spreads renewals over a tenth of the lifetime, so that processes that began together part.
func refreshAt(t Token, now time.Time, jitter float64) time.Time {
	at := due(t, now)
	spread := min(t.Expires.Sub(now)/10, t.Expires.Sub(at)/2)
	return at.Add(time.Duration(jitter * float64(spread)))
}

// due is when the issuer wants t to be renewed, or else 65 % of the lifetime.
func due(t Token, now time.Time) time.Time {
	if t.RefreshAt.After(now) && t.RefreshAt.Before(t.Expires) {
		return t.RefreshAt
	}
	return now.Add(t.Expires.Sub(now) * 65 / 100)
}

func (c *Cache) fail(err error, now time.Time) error {
	if c.life.Err() != nil {
		return ErrClosed
	}
	e := asError(err)
	if !e.paced {
		c.failures++
		e.RetryAfter = max(spacing(c.failures, c.jitter()), min(e.RetryAfter, maxRetryAfter))
	}
	c.lastErr, c.notBefore = e, now.Add(e.RetryAfter)
	if e.NextAsk.IsZero() {
		e.NextAsk = c.notBefore
	}
	return e
}

// asError returns the *Error in err, to be changed, or one that wraps err.
func asError(err error) *Error {
	if known := (*Error)(nil); errors.As(err, &known) {
		copied := *known
		return &copied
	}
	return &Error{Err: err}
}

// spacing is the pause after a number of failures in a row, with up to a tenth on top.
func spacing(failures int, jitter float64) time.Duration {
	wait := min(firstRetry<<min(failures-1, 10), lastRetry)
	return wait + time.Duration(jitter*float64(wait/10))
}
