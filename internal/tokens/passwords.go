package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// PasswordsOptions say with whom it is shared which passwords servers refuse.
type PasswordsOptions struct {
	Store Store
	Now   func() time.Time // the store's clock
	// Keys are those of [SharedOptions], of which the first makes marks of passwords; none, or nil, when there are none.
	Keys func() ([]Secret, error)
}

// Passwords keeps a fleet from locking the account of a service user: whatever the number of its processes, one at a time
// tries a password that has not worked yet, and one that a server refused is not tried again for a while.
//
// What is stored tells nothing of a password to who lacks the key. Without a key nothing of it is stored at all, so that
// nobody can tell whether his password is the one that was refused: then two refusals at most are risked in a row.
type Passwords struct {
	opts PasswordsOptions
	self string

	mu   sync.Mutex // never held across a call
	seen map[string]seenPassword
}

// seenPassword is what this process had to sign in with last, and since when when it had another before.
type seenPassword struct {
	password Secret
	changed  time.Time // on the store's clock; zero for the first
}

const (
	// refusedFor is how long a password is not tried that was refused.
	refusedFor = 10 * time.Minute
	// unknownTries is how many refusals in a row are risked of passwords that cannot be told from one's own, within
	// unknownFor: one may be of a single process with another password, which must not stop those that have the right one.
	unknownTries = 2
	unknownFor   = 20 * time.Minute
	// turnTime is how long a process may take to try: longer than a request may take.
	turnTime = 2 * time.Minute
	// provenFor is how long it counts for others that a password has worked: while a fleet starts.
	provenFor = time.Minute
	// maxDoubts is how many refusals in the whole fleet a password is forgiven that has worked.
	maxDoubts = 3
	doubtsFor = refusedFor
)

// NewPasswords checks nothing and asks nothing.
func NewPasswords(o PasswordsOptions) *Passwords {
	return &Passwords{opts: o, self: rand.Text(), seen: map[string]seenPassword{}}
}

// passwordEntry is what a fleet knows of one user at one server.
type passwordEntry struct {
	Holder  string            `json:"holder,omitempty"` // whose turn it is to try, until Lease
	Lease   time.Time         `json:"lease,omitzero"`
	Refused []refusedPassword `json:"refused,omitempty"` // the newest first
	Proven  string            `json:"proven,omitempty"`  // mark of the password that worked last
	At      time.Time         `json:"at,omitzero"`       // when that was
	// Doubts are refusals of a password that has worked, in a row; the newest was at DoubtAt.
	Doubts  int       `json:"doubts,omitempty"`
	DoubtAt time.Time `json:"doubtAt,omitzero"`
}

type refusedPassword struct {
	Mark string    `json:"mark,omitempty"` // "" of a process without a key
	At   time.Time `json:"at"`
	Had  bool      `json:"had,omitempty"` // it had worked before: then it is the fleet's, and no other need be risked
}

// User is the part of a fleet that one sign-in of this process takes.
type User struct {
	p     *Passwords
	name  string
	since time.Time // refusals before do not count; zero when all do
}

// For returns what guards a service user. Anew says that somebody has put something right, such as a locked account: what
// was refused before counts no more.
func (p *Passwords) For(name string, anew bool) *User {
	u := &User{p: p, name: name}
	if anew {
		u.since = p.opts.Now()
	}
	return u
}

// ask is one password at one server.
type ask struct {
	*User
	key      string
	keys     keyring
	password Secret
	changed  time.Time
}

func (u *User) ask(server, password string) ask {
	text := fmt.Sprintf("roomsync passwords %d %q %q", formatVersion, server, u.name)
	sum := sha256.Sum256([]byte(strings.ToLower(text)))
	a := ask{User: u, key: "pw." + hex.EncodeToString(sum[:16]), password: NewSecret(password)}
	if u.p.opts.Keys != nil {
		if texts, err := u.p.opts.Keys(); err == nil && len(texts) > 0 {
			a.keys, _ = newKeyring(texts) // faults of keys are found at the start
		}
	}
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	a.changed = u.p.seen[a.key].changed
	return a
}

// present notes that this is the password which the process has now.
func (a *ask) present() {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	s, known := a.p.seen[a.key]
	if known && !s.password.Equal(a.password) {
		s.changed = a.p.opts.Now()
	}
	s.password = a.password
	a.p.seen[a.key] = s
	a.changed = s.changed
}

func (a *ask) mark() string {
	if len(a.keys) == 0 {
		return ""
	}
	return a.keys[0].mark(a.key, a.password)
}

// whose says whether a mark is of our password, and whether that can be told at all.
func (a *ask) whose(mark string) (ours, known bool) {
	yes, no := a.keys.marks(mark, a.key, a.password, true), a.keys.marks(mark, a.key, a.password, false)
	return yes, yes == no
}

// barred is for how much longer the password must not be tried.
func (a *ask) barred(e *passwordEntry, now time.Time) (left time.Duration) {
	unknown := 0
	for _, r := range e.Refused {
		age := now.Sub(r.At)
		if age < -maxSkew || r.At.Before(a.since) {
			continue
		}
		switch ours, known := a.whose(r.Mark); {
		case known && ours:
			left = max(left, refusedFor-age)
		case !known && age < unknownFor && r.At.After(a.changed):
			unknown++
			if r.Had {
				unknown = unknownTries
			}
			if unknown >= unknownTries {
				left = max(left, unknownFor-now.Sub(a.newestUnknown(e)))
			}
		}
	}
	return left
}

func (a *ask) newestUnknown(e *passwordEntry) (at time.Time) {
	for _, r := range e.Refused {
		if _, known := a.whose(r.Mark); !known && r.At.After(at) {
			at = r.At
		}
	}
	return at
}

// proven reports whether another process has just seen the same password work.
func (a *ask) proven(e *passwordEntry, now time.Time) bool {
	ours, known := a.whose(e.Proven)
	age := now.Sub(e.At)
	return e.Proven != "" && known && ours && age < provenFor && age > -maxSkew
}

// refuse notes a refusal.
func (a *ask) refuse(e *passwordEntry, now time.Time, had bool) {
	mark := a.mark()
	refused := []refusedPassword{{mark, now, had}}
	for _, r := range e.Refused {
		if (mark == "" || r.Mark != mark) && now.Sub(r.At) < unknownFor && len(refused) < maxRefused {
			refused = append(refused, r)
		}
	}
	e.Refused, e.Doubts = refused, 0
	if ours, _ := a.whose(e.Proven); ours {
		e.Proven = ""
	}
}

// accept notes a success. It ends what refusals have counted towards the account's lock-out, of whichever password.
func (a *ask) accept(e *passwordEntry, now time.Time) {
	e.Refused = slices.DeleteFunc(slices.Clone(e.Refused), func(r refusedPassword) bool {
		ours, known := a.whose(r.Mark)
		return ours || !known
	})
	e.Proven, e.At, e.Doubts = a.mark(), now, 0
}

// Enter waits until it is this process's turn to try a password at a server that it has not seen work there. leave must
// be called with what came of it: true when it worked, false when it was refused, nil when nobody knows. barred is for how long it
// must not be tried, leave is then nil. An error says that nobody can be asked.
func (u *User) Enter(ctx context.Context, server, password string) (leave func(worked *bool), barred time.Duration, err error) {
	a := u.ask(server, password)
	a.present()
	for {
		e, revision, err := a.read(ctx)
		if err != nil {
			return nil, 0, err
		}
		now := u.p.opts.Now()
		if left := a.barred(&e, now); left > 0 {
			return nil, left, nil
		}
		if a.proven(&e, now) {
			return a.leave, 0, nil
		}
		if left := e.Lease.Sub(now); e.Holder != "" && e.Holder != u.p.self && left > 0 && left <= turnTime+maxSkew {
			if err := a.wait(ctx, revision, min(left, maxWait)); err != nil {
				return nil, 0, err
			}
			continue
		}
		e.Holder, e.Lease = u.p.self, now.Add(turnTime)
		switch ok, err := a.write(ctx, &e, revision); {
		case err != nil:
			return nil, 0, err
		case ok:
			return a.leave, 0, nil
		}
		if err := pause(ctx, a.moment()); err != nil {
			return nil, 0, err
		}
	}
}

// moment is between two tries to write.
func (a *ask) moment() time.Duration {
	return time.Duration((1 + mrand.Float64()) * float64(20*time.Millisecond))
}

func (a *ask) wait(ctx context.Context, revision uint64, most time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, _, err := a.p.opts.Store.Wait(waiting, a.key, revision)
	if err != nil && waiting.Err() == nil { // the store cannot wait
		return pause(ctx, time.Second)
	}
	return ctx.Err()
}

func (a ask) leave(worked *bool) {
	_ = a.change(func(e *passwordEntry, now time.Time) bool {
		held := e.Holder == a.p.self
		if held {
			e.Holder, e.Lease = "", time.Time{}
		}
		switch {
		case worked == nil:
			return held
		case *worked:
			a.accept(e, now)
		default:
			a.refuse(e, now, false)
		}
		return true
	})
}

// Refused notes that a password was refused which had worked, and returns for how long the fleet does not try it any more; 0
// when it is forgiven. An error says that nobody could be told.
func (u *User) Refused(server, password string) (barred time.Duration, err error) {
	a := u.ask(server, password)
	err = a.change(func(e *passwordEntry, now time.Time) bool {
		if barred = a.barred(e, now); barred > 0 {
			return false
		}
		if age := now.Sub(e.DoubtAt); age > doubtsFor || age < -maxSkew {
			e.Doubts = 0
		}
		e.Doubts, e.DoubtAt = e.Doubts+1, now
		if e.Doubts >= maxDoubts {
			a.refuse(e, now, true)
			barred = refusedFor
		}
		return true
	})
	return barred, err
}

// Works notes that a password works that was doubted.
func (u *User) Works(server, password string) {
	a := u.ask(server, password)
	_ = a.change(func(e *passwordEntry, now time.Time) bool {
		if e.Doubts == 0 {
			return false
		}
		e.Doubts = 0
		return true
	})
}

// Follow calls f when the fleet has found that a password must not be tried at a server, with for how long, until ctx ends.
func (u *User) Follow(ctx context.Context, server, password string, f func(barred time.Duration)) {
	a := u.ask(server, password)
	for ctx.Err() == nil {
		e, revision, err := a.read(ctx)
		if err == nil {
			if left := a.barred(&e, u.p.opts.Now()); left > 0 {
				f(left)
				return
			}
			_, _, err = u.p.opts.Store.Wait(ctx, a.key, revision)
		}
		if err != nil {
			_ = pause(ctx, maxWait)
		}
	}
}

func (a *ask) read(ctx context.Context) (e passwordEntry, revision uint64, err error) {
	data, revision, err := a.p.opts.Store.Get(ctx, a.key)
	if err == nil && len(data) > 0 && json.Unmarshal(data, &e) != nil {
		e = passwordEntry{} // of another version, or damaged
	}
	return e, revision, err
}

func (a *ask) write(ctx context.Context, e *passwordEntry, revision uint64) (bool, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	_, ok, err := a.p.opts.Store.Put(ctx, a.key, data, revision)
	return ok, err
}

// errBusy says that others were faster every time.
var errBusy = errors.New("tokens: what is known of passwords could not be stored")

// change stores what f makes of the entry, whoever else writes; it takes five seconds at most, also when the caller's time is
// over: what a server said is worth it.
func (a *ask) change(f func(e *passwordEntry, now time.Time) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	for ctx.Err() == nil {
		e, revision, err := a.read(ctx)
		if err != nil {
			return err
		}
		if !f(&e, a.p.opts.Now()) {
			return nil
		}
		if ok, err := a.write(ctx, &e, revision); err != nil || ok {
			return err
		}
		_ = pause(ctx, a.moment())
	}
	return errBusy
}
