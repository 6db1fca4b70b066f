package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/ews/signin"
	"roomsync/internal/jobs"
	"roomsync/internal/tokens"
	"roomsync/internal/worker"
)

// sentry knows whether this process can sign in to Exchange. It asks what is asked before each request, which costs nothing
// while there is a token, and asks the issuer as seldom as jobs would.
type sentry struct {
	log    zerolog.Logger
	doubts chan chan<- struct{}

	mu      sync.Mutex // never held across a call
	prove   func(context.Context) error
	why     *worker.NoSignIn // nil while it can
	changed chan struct{}    // closed when why changes
	said    string           // the problem that was logged last, and when
	at      time.Time
	warned  bool // since it could sign in last
}

var _ worker.SignIn = (*sentry)(nil)

const (
	// glance is how often it is looked whether the sign-in still works. Nobody is asked for that while there is a token.
	glance = 5 * time.Second
	// lookFor bounds a look, so that an issuer that gives no answer is known for it. The request goes on.
	lookFor = 10 * time.Second
	// mostBetween is the longest time between two looks while there is no sign-in: another process may have got a token.
	mostBetween = 30 * time.Second
)

// newSentry has it that prove does not work until it has been tried; see run.
func newSentry(log zerolog.Logger, prove func(context.Context) error) *sentry {
	asking := jobs.Cause{Reason: trouble, Problem: "it was not tried yet", Since: time.Now()}
	return &sentry{log: log, prove: prove, why: &worker.NoSignIn{Cause: asking}, changed: make(chan struct{}), doubts: make(chan chan<- struct{})}
}

// Now implements [worker.SignIn].
func (s *sentry) Now() (*worker.NoSignIn, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why, s.changed
}

// Doubt implements [worker.SignIn].
func (s *sentry) Doubt(ctx context.Context) {
	looked := make(chan struct{})
	select {
	case s.doubts <- looked:
	case <-ctx.Done():
		return
	}
	select {
	case <-looked:
	case <-ctx.Done():
	}
}

// use makes another sign-in the one that is looked at.
func (s *sentry) use(prove func(context.Context) error) {
	s.mu.Lock()
	s.prove = prove
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lookFor)
	defer cancel()
	s.Doubt(ctx)
}

// run looks until ctx ends.
func (s *sentry) run(ctx context.Context) {
	var waiting []chan<- struct{}
	for ctx.Err() == nil {
		pause := s.look(ctx)
		for _, looked := range waiting {
			close(looked)
		}
		waiting = s.wait(ctx, pause)
	}
}

// wait pauses until it is time, or somebody doubts, and returns all who do.
func (s *sentry) wait(ctx context.Context, pause time.Duration) (waiting []chan<- struct{}) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case looked := <-s.doubts:
		waiting = append(waiting, looked)
	}
	for {
		select {
		case looked := <-s.doubts:
			waiting = append(waiting, looked)
		default:
			return waiting
		}
	}
}

// look tries once, and returns when to look again.
func (s *sentry) look(ctx context.Context) time.Duration {
	s.mu.Lock()
	prove := s.prove
	s.mu.Unlock()
	looking, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	err := prove(looking)
	if ctx.Err() != nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.works()
		return glance
	}
	return s.fails(err)
}

// works notes that it can sign in. The caller holds mu.
func (s *sentry) works() {
	if s.why == nil {
		return
	}
	if s.warned {
		s.log.Info().Str("after", worker.Roughly(time.Since(s.why.Since))).Msg("signed in to Exchange again; this worker takes jobs")
	}
	s.said, s.warned = "", false
	s.set(nil)
}

// fails notes that it cannot, and returns when to look again. The caller holds mu.
func (s *sentry) fails(err error) time.Duration {
	now := time.Now()
	cause, pause := causeOf(err, now)
	cause.Since = now
	if s.why != nil {
		cause.Since = s.why.Since
	}
	s.set(&worker.NoSignIn{Cause: cause})
	s.warn(cause, now)
	return pause
}

// set replaces the state and tells who waits. The caller holds mu.
func (s *sentry) set(why *worker.NoSignIn) {
	was := s.why
	s.why = why
	if was == nil || why == nil || was.Problem != why.Problem || was.Reason != why.Reason {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// warn logs a problem when it is another one, and again after a while. The caller holds mu.
func (s *sentry) warn(c jobs.Cause, now time.Time) {
	text := c.Problem + c.Advice
	if text == s.said && now.Sub(s.at) < quiet {
		return
	}
	s.said, s.at, s.warned = text, now, true
	e := s.log.Warn().Str("reason", c.Reason)
	if c.Code != "" {
		e = e.Str("code", c.Code)
	}
	if c.AADSTS != 0 {
		e = e.Str("aadsts", fmt.Sprintf("AADSTS%d", c.AADSTS))
	}
	if c.Status != 0 {
		e = e.Int("status", c.Status)
	}
	e = e.Str("problem", c.Problem)
	if c.Advice != "" {
		e = e.Str("do", c.Advice)
	}
	if left := c.Next.Sub(now); left > 0 {
		e = e.Str("triedAgainIn", worker.Roughly(left))
	}
	e.Msg("cannot sign in to Exchange: this worker takes no jobs until it can")
}

// The reasons that are not an issuer's own, in the words of the wire contract.
const (
	refusal = "sign-in-refused"
	trouble = "sign-in-unavailable"
)

// causeOf takes an error of a sign-in apart, and says when to look again.
func causeOf(err error, now time.Time) (c jobs.Cause, pause time.Duration) {
	c = jobs.Cause{Reason: trouble, Problem: err.Error()}
	var token *tokens.Error
	var password *signin.Error
	switch {
	case errors.As(err, &token):
		c.Code, c.AADSTS, c.Status, c.Advice = token.Code, token.AADSTS, token.Status, token.Hint
		plain := *token
		plain.Hint = ""
		c.Problem = strings.TrimPrefix(plain.Error(), "tokens: ")
		if token.Refuses() {
			c.Reason = refusal
		}
		if token.Reason != "" {
			c.Reason = token.Reason
		}
		c.Next, pause = token.NextAsk, token.RetryAfter
	case errors.As(err, &password):
		c.Status, c.Reason = password.Status, refusal
		c.Problem, c.Advice, _ = strings.Cut(password.Hint, ": ")
		if password.Err != nil {
			c.Problem = password.Err.Error() + ": " + c.Problem
		}
		pause = password.Retry
	case errors.Is(err, context.DeadlineExceeded):
		c.Problem = "nobody has answered a request for an access token yet"
		c.Advice = "see whether this host reaches the authority (--authority-url); a proxy or firewall may stand in between"
	}
	if c.Next.IsZero() && pause > 0 {
		c.Next = now.Add(pause)
	}
	return c, min(max(pause, time.Second), mostBetween)
}
