package tokens

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Store keeps entries that all processes of a fleet read and write. Of what one says only the result of Put decides
// anything: Get and Wait may return an entry that has been replaced.
type Store interface {
	// Get returns an entry and its revision. When there is none, data is empty and revision what Put must name.
	Get(ctx context.Context, key string) (data []byte, revision uint64, err error)
	// Put writes an entry that still stands at revision, and returns the one it stands at now. ok is false when it
	// did not: somebody else wrote. After an error nobody knows whether it was written.
	Put(ctx context.Context, key string, data []byte, revision uint64) (now uint64, ok bool, err error)
	// Wait returns the entry, as Get does, as soon as it stands at a later revision. It ends with ctx.
	Wait(ctx context.Context, key string, revision uint64) (data []byte, now uint64, err error)
}

// SharedOptions say what is shared with whom.
type SharedOptions struct {
	Source   Source   // asks the issuer
	Identity Identity // of the credential
	Store    Store
	// Now is the store's clock, by which the processes agree on leases and expiry.
	Now func() time.Time
	// Keys returns the keys that tokens are sealed with, each a text of 32 bytes or more, the same for all processes:
	// the first seals, all open. It is called at every look into the store, so that keys are rotated without a restart:
	// put the new one in front everywhere, and take the old one away a token's lifetime later.
	Keys func() ([]Secret, error)
	// Credential returns what the Source would sign in with now: the client secret, the password, or what tells one
	// certificate from the next, such as its thumbprint. Nothing of it is stored but a keyed hash when the issuer refuses it,
	// so that a process with another one need not wait until the refused one may be tried again. With nil, or a Source whose
	// credential changes by itself, such as a federated one, all processes wait.
	Credential func() (Secret, error)
	// Warn is told what an operator should know, of each kind at most once a minute; optional.
	Warn func(error)
}

// Shared gets tokens for one process of a fleet. What another process got is taken from the store; otherwise one process asks
// the issuer, which a lease in the store decides, and the others wait for what comes of it, or go on with the token they
// have. Failures are shared likewise, with the time before which nobody asks again.
//
// It is meant to be the [Source] of one [Cache], which keeps the store off the path of every request:
//
//	shared, err := tokens.NewShared(…)
//	cache := tokens.NewCache(shared.Token)
type Shared struct {
	opts   SharedOptions
	key    string
	self   string // names this process in leases
	jitter func() float64

	unanswered atomic.Bool // whether this process's last request got no answer

	mu     sync.Mutex // never held across a call
	keys   keyring    // as they were last read
	warned map[string]time.Time
}

// NewShared checks the options; it reads the keys but nothing of the store.
func NewShared(o SharedOptions) (*Shared, error) {
	switch {
	case o.Source == nil || o.Store == nil || o.Now == nil || o.Keys == nil:
		return nil, errors.New("tokens: a shared source needs a Source, a Store, its clock, and Keys")
	case o.Identity == Identity{}:
		return nil, errors.New("tokens: a shared source needs the identity of its credential")
	}
	if o.Credential == nil {
		o.Credential = func() (Secret, error) { return Secret{}, nil }
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	texts, err := o.Keys()
	if err != nil {
		return nil, fmt.Errorf("tokens: the keys to seal shared tokens with cannot be read: %w", err)
	}
	ring, err := newKeyring(texts)
	if err != nil {
		return nil, err
	}
	return &Shared{opts: o, key: o.Identity.key(), self: rand.Text(), jitter: mrand.Float64, keys: ring, warned: map[string]time.Time{}}, nil
}

// Token is a [Source]. It waits, for another process or for the issuer, no longer than ctx allows.
func (s *Shared) Token(ctx context.Context, r Request) (Token, error) {
	c := &call{Shared: s, request: r, keys: s.readKeys()}
	t, err := c.run(ctx)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return t, err
	}
	if known := (*Error)(nil); errors.As(err, &known) {
		return t, err
	}
	hint := "access tokens are shared through NATS: see whether it can be reached"
	if ctx.Err() != nil {
		hint = "another process asks for the token and does not get on"
	}
	return t, &Error{Err: err, Hint: hint, RetryAfter: s.pace(firstRetry), paced: true}
}

// readKeys returns the keys as they are now, or as they were when they last could be read.
func (s *Shared) readKeys() keyring {
	texts, err := s.opts.Keys()
	var ring keyring
	if err == nil {
		ring, err = newKeyring(texts)
	}
	s.mu.Lock()
	if err == nil {
		s.keys = ring
	}
	ring = s.keys
	s.mu.Unlock()
	if err != nil {
		s.warn("keys", fmt.Errorf("tokens: going on with the sealing keys read before: %w", err))
	}
	return ring
}

func (s *Shared) warn(kind string, err error) {
	s.mu.Lock()
	last, before := s.warned[kind]
	quiet := before && time.Since(last) < time.Minute
	if !quiet {
		s.warned[kind] = time.Now()
	}
	s.mu.Unlock()
	if !quiet {
		s.opts.Warn(err)
	}
}

// lookAgain bounds how long a process stays away from the store while it waits: the credential may have been changed, or
// another process may have got a token, long before the fleet's next request is due.
const lookAgain = 30 * time.Second

// pace is when to call again if left is what remains of a wait, spread over less than firstRetry so that not all come at
// once.
func (s *Shared) pace(left time.Duration) time.Duration {
	wait := min(left, lookAgain)
	return wait + time.Duration(s.jitter()*float64(wait/10+time.Second))
}

// view is an entry as it stood at a revision.
type view struct {
	entry    entry
	revision uint64
}

func (s *Shared) read(ctx context.Context) (view, error) {
	data, revision, err := s.opts.Store.Get(ctx, s.key)
	return s.decode(data, revision), err
}

func (s *Shared) decode(data []byte, revision uint64) view {
	v := view{revision: revision}
	if len(data) > 0 && json.Unmarshal(data, &v.entry) != nil {
		v.entry = entry{}
		s.warn("entry", fmt.Errorf("tokens: the fleet's entry %s at revision %d is not understood: it is taken for missing", s.key, revision))
	}
	return v
}

// change writes what f makes of the entry until that meets nobody else's writing, and returns the entry as it then
// stands. f returns false to leave it as it is; it replaces slices and does not write into them.
func (s *Shared) change(ctx context.Context, v view, f func(e *entry, revision uint64) bool) (view, error) {
	for f(&v.entry, v.revision) {
		data, err := json.Marshal(&v.entry)
		if err != nil {
			return v, fmt.Errorf("tokens: encode the fleet's entry: %w", err)
		}
		revision, ok, err := s.opts.Store.Put(ctx, s.key, data, v.revision)
		if err != nil {
			return v, err
		}
		if ok {
			v.revision = revision
			return v, nil
		}
		// The other write may still be on its way to where it can be read.
		if err := pause(ctx, time.Duration((1+s.jitter())*float64(20*time.Millisecond))); err != nil {
			return v, err
		}
		if v, err = s.read(ctx); err != nil {
			return v, err
		}
	}
	return v, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
