package tokens

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// call is one call of [Shared.Token].
type call struct {
	*Shared
	request    Request
	keys       keyring
	credential Secret // the present one, once it is needed
	failed     *Error // what the issuer said to this call
}

// maxWait bounds one wait for a change, so that one whose news gets lost costs seconds.
const maxWait = 5 * time.Second

// run looks at the entry until it has a token, has got one, or knows why there is none.
func (c *call) run(ctx context.Context) (Token, error) {
	if c.request.Prove {
		if err := c.readCredential(); err != nil {
			return Token{}, err
		}
	}
	v, err := c.read(ctx)
	for err == nil {
		now := c.opts.Now()
		best, value := c.newest(&v.entry, now)
		switch {
		case best != nil && c.serves(best, now), best != nil && best.Generation == c.request.Rejected && v.entry.forcedLately(now):
			return hand(best, value, now), nil
		case v.entry.leased(c.self, now):
			v, err = c.wait(ctx, v, now)
		default:
			var t Token
			if t, v, err = c.ask(ctx, v, now); !t.Value.IsZero() {
				return t, nil
			}
		}
	}
	return Token{}, err
}

// newest returns the newest token in the entry that this process can open and that can still be used.
func (c *call) newest(e *entry, now time.Time) (best *sealed, value Secret) {
	for i := range e.Tokens {
		t := &e.Tokens[i]
		if t.left(now) < minUse {
			continue
		}
		v, err := c.keys.open(c.key, t)
		switch {
		case err != nil:
			c.warn("open", err)
		case best == nil || t.Issued.After(best.Issued):
			best, value = t, v
		}
	}
	return best, value
}

// serves reports whether t is what the caller needs. One that is due does for those who wait for a token, but renews none.
func (c *call) serves(t *sealed, now time.Time) bool {
	r := c.request
	return t.Generation != r.Rejected && (!r.Renewal || now.Before(t.Refresh)) &&
		(!r.Prove || t.Mark != "" && c.marks(t.Mark, false)) && (!r.Fresh || now.Sub(t.Issued) < anew)
}

// anew is how recent what happened must be to count for [Request.Fresh]: a whole fleet is told of a change at once, and
// one of its processes asks for all.
const anew = time.Minute

// hand converts a token of the store's clock to one of this process's. One that is due is soon asked for again, when
// it serves already.
func hand(t *sealed, value Secret, now time.Time) Token {
	local := time.Now()
	return Token{
		Value: value, Generation: t.Generation, adopted: true,
		Expires:   local.Add(t.left(now)),
		RefreshAt: local.Add(max(t.Refresh.Sub(now), time.Second)),
	}
}

// wait returns the entry when it changes, or after a while.
func (c *call) wait(ctx context.Context, v view, now time.Time) (view, error) {
	patience := v.entry.Lease.Sub(now) + time.Duration(c.jitter()*float64(time.Second))
	waiting, cancel := context.WithTimeout(ctx, min(patience, maxWait))
	defer cancel()
	data, revision, err := c.opts.Store.Wait(waiting, c.key, v.revision)
	if err == nil {
		return c.decode(data, revision), nil
	}
	if waiting.Err() == nil { // the store cannot wait
		_ = pause(ctx, time.Second)
	}
	if ctx.Err() != nil {
		return v, fmt.Errorf("tokens: waiting for the process that asks: %w", ctx.Err())
	}
	return c.read(ctx)
}

// ask takes the lease and asks the issuer, unless the fleet has to wait. Without a token and an error the entry has
// to be looked at again: another process took the lease, or the issuer did not give a token.
func (c *call) ask(ctx context.Context, v view, now time.Time) (Token, view, error) {
	if err := c.readCredential(); err != nil {
		return Token{}, v, err
	}
	why, left := v.entry.refusal(now.Add(-c.modesty()), func(mark string) bool { return c.marks(mark, true) })
	if left > 0 && !(c.request.Fresh && now.Sub(why.At) >= anew) {
		return Token{}, v, c.refused(why, left)
	}
	if c.failed != nil { // and could not be noted, the lease being lost
		return Token{}, v, c.refused(failure{}, firstRetry)
	}
	looked := v.revision
	v, err := c.change(ctx, v, func(e *entry, revision uint64) bool {
		if revision != looked { // what was decided on has changed
			return false
		}
		e.Holder, e.Lease = c.self, now.Add(leaseTime)
		return true
	})
	if err != nil || v.entry.Holder != c.self {
		return Token{}, v, err
	}
	t, err := c.issue(ctx, v.entry.Lease)
	if err == nil {
		return c.publish(ctx, v, t), v, nil
	}
	v, err = c.fail(ctx, v, err)
	return Token{}, v, err
}

// readCredential reads what the Source would sign in with now.
func (c *call) readCredential() (err error) {
	if c.credential, err = c.opts.Credential(); err != nil {
		return &Error{Unusable: true, Err: err, Hint: "what to sign in with cannot be read", RetryAfter: c.pace(firstRetry), paced: true}
	}
	return nil
}

func (c *call) marks(mark string, otherwise bool) bool {
	return c.keys.marks(mark, c.key, c.credential, otherwise)
}

// refused is the error while nobody may ask.
func (c *call) refused(why failure, left time.Duration) error {
	e := why.error()
	if c.failed != nil {
		e = asError(c.failed)
	}
	e.RetryAfter, e.paced = c.pace(left), true
	e.NextAsk = time.Now().Add(left)
	return e
}

// issue asks the issuer, well within the lease.
func (c *call) issue(ctx context.Context, lease time.Time) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, lease.Sub(c.opts.Now())-leaseMargin)
	defer cancel()
	if ctx.Err() != nil { // this process stood still since it took the lease
		return Token{}, ctx.Err()
	}
	t, err := c.opts.Source(ctx, c.request)
	if err == nil {
		err = check(t, time.Now())
	}
	c.unanswered.Store(err != nil && asError(err).Status == 0)
	return t, err
}

// modesty is for how much longer than others this process waits after a failure. Who got no answer lets another be
// first, whose host perhaps reaches the issuer.
func (c *call) modesty() time.Duration {
	if c.unanswered.Load() {
		return firstRetry
	}
	return 0
}

// publish shares a token that was just issued. One that cannot be shared is good all the same.
func (c *call) publish(ctx context.Context, v view, t Token) Token {
	local, now := time.Now(), c.opts.Now()
	t.Expires = local.Add(min(t.Expires.Sub(local), maxLife))
	fresh := sealed{
		Generation: rand.Text(), Issued: now,
		Refresh: now.Add(due(t, local).Sub(local)), Expires: now.Add(t.Expires.Sub(local)),
		Mark: c.keys[0].mark(c.key, c.credential),
	}
	c.keys[0].put(c.key, &fresh, t.Value)
	_, err := c.settle(ctx, v, func(e *entry, _ uint64) bool {
		if e.has(fresh.Generation) {
			return false
		}
		e.add(fresh)
		e.Outage, e.Refused = nil, nil
		if c.request.Rejected != "" {
			e.Forced = now
		}
		if e.Holder == c.self {
			e.Holder, e.Lease = "", time.Time{}
		}
		return true
	})
	if err != nil {
		c.warn("share", fmt.Errorf("tokens: a new token could not be shared, other processes will ask for theirs: %w", err))
	}
	t.Generation, t.RefreshAt, t.adopted = fresh.Generation, due(t, local), false
	return t
}

// fail shares what came of a request instead of a token. A process that is being stopped, or has nothing to sign in with,
// only gives the lease back.
func (c *call) fail(ctx context.Context, v view, cause error) (view, error) {
	stopped := errors.Is(ctx.Err(), context.Canceled)
	c.failed = asError(cause)
	f := facts(c.failed, c.opts.Now())
	if c.failed.refusesCredential() {
		f.Credential = c.keys[0].mark(c.key, c.credential)
	}
	jitter := c.jitter()
	v, err := c.settle(ctx, v, func(e *entry, _ uint64) bool {
		if e.Holder != c.self {
			return false
		}
		e.Holder, e.Lease = "", time.Time{}
		if !stopped && !c.failed.Unusable {
			e.note(f, c.failed.RetryAfter, jitter, func(mark string) bool { return c.marks(mark, false) })
		}
		return true
	})
	switch {
	case stopped:
		return v, ctx.Err()
	case err != nil: // nobody asks until the lease ends
		return v, c.refused(f, max(min(c.failed.RetryAfter, maxRetryAfter), leaseTime))
	}
	return v, nil
}

// settle changes the entry for as long as the lease keeps others from asking, even if ctx has ended meanwhile; then it
// tries once.
func (c *call) settle(ctx context.Context, v view, f func(e *entry, revision uint64) bool) (view, error) {
	left := max(v.entry.Lease.Sub(c.opts.Now()), maxWait)
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	for {
		changed, err := c.change(lasting, v, f)
		if err == nil || ctx.Err() != nil || pause(lasting, time.Second) != nil {
			return changed, err
		}
		if next, err := c.read(lasting); err == nil {
			v = next
		}
	}
}
