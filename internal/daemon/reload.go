package daemon

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/ews"
	"roomsync/internal/tokens"
)

// How a changed configuration is noticed: by reading its files, which are few and small. Notifications of the file
// system are no help where it matters: a network share sends none for what another host writes, and Kubernetes swaps a
// symbolic link, which ends an inotify watch. Times and sizes are no proof either: a share rounds and caches them.
const (
	lookEvery = 15 * time.Second
	// settle is how long files must stay as they are before they are taken up: somebody may be writing.
	settle = time.Second
	// settleLooks bounds the wait for that.
	settleLooks = 10
	// proveTimeout bounds the wait for a first token with a new sign-in; the request itself may go on.
	proveTimeout = 30 * time.Second
)

// Hangup delivers SIGHUP, which tells a daemon to read its configuration anew, until ctx ends. Windows has none.
func Hangup(ctx context.Context) <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(hangup) })
	return hangup
}

// access is one way to sign in, ready for use.
type access struct {
	calendar calsync.Calendar
	prove    func(context.Context) error // that it works, as far as that can be told without a mailbox: gets a token
	close    func()
}

func (x surroundings) open(c config.Worker) (*access, error) {
	client, creds, closeIt, err := x.signIn(c.Exchange, c.Work)
	if err != nil {
		return nil, err
	}
	prove := func(ctx context.Context) error { return apply(ctx, c.Exchange, creds) }
	return &access{client, prove, closeIt}, nil
}

// reopen is open for a sign-in that has changed, or at whose issuer something was put right.
func (x surroundings) reopen(c config.Worker, asked bool) (*access, error) {
	x.doubt = tokens.Request{Prove: true, Fresh: asked}
	return x.open(c)
}

// apply gets what a request to Exchange would be authenticated with, without sending one.
func apply(ctx context.Context, c config.Exchange, creds ews.Credentials) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.EWSURL, http.NoBody)
	if err == nil {
		_, err = creds.Apply(ctx, r)
	}
	if b, ok := creds.(interface{ Barred() error }); ok && err == nil {
		err = b.Barred()
	}
	return err
}

// reloading makes the client for Exchange, and exchanges it when the files change that the configuration was read from,
// until closeIt is called. The sentry knows whether the one in use works.
func reloading(c config.Worker, log zerolog.Logger, x surroundings, crew *crew, hangup <-chan os.Signal) (_ calsync.Calendar, _ *sentry, closeIt func(), err error) {
	look := func() *look { return lookAt(c.Files(), c.CertDir, c.TokenFile) }
	seen := look()
	seen.files = [len(seen.files)]byte{} // may have changed since the start: they are read once in any case
	first, err := x.open(c)
	if err != nil {
		return nil, nil, nil, err
	}
	cal, guard := newSwapping(first.calendar, first.close), newSentry(log, first.prove)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { guard.run(ctx) })
	if len(c.Files()) > 0 || c.CertDir != "" || c.TokenFile != "" || hangup != nil {
		r := &reloader{
			log: log, look: look, again: c.Again, open: x.reopen, cal: cal, relieve: crew.relieve, use: guard.use,
			present: c, prove: first.prove, seen: seen,
		}
		all.Go(func() { r.run(ctx, hangup) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return cal, guard, func() {
		cancel()
		select {
		case <-done:
		case <-time.After(2 * time.Second): // a file on a server that is gone can take for ever
		}
		cal.close()
	}, nil
}

// logFindings logs what should be known of a configuration and was not said before.
func logFindings(log zerolog.Logger, findings, before []config.Finding) {
	for _, f := range findings {
		level := zerolog.InfoLevel
		if f.Level == config.LevelWarning {
			level = zerolog.WarnLevel
		}
		if !slices.Contains(before, f) {
			log.WithLevel(level).Str("setting", f.About).Msg(f.Problem)
		}
	}
}

// reloader takes up changes of the configuration while a worker runs. What cannot be used changes nothing: the sign-in
// in use stays, with the token that it has, until another one has got a token of its own.
type reloader struct {
	log   zerolog.Logger
	look  func() *look
	again func() (config.Worker, error)
	open  func(c config.Worker, asked bool) (*access, error)
	cal   *swapping
	// relieve has another worker take over, since what Exchange says means something else to whom it is said now; swap
	// is called in between. It returns false when ctx ended before.
	relieve func(ctx context.Context, c config.Worker, swap func()) bool
	// use is told how to try the sign-in that is in use from now on.
	use func(prove func(context.Context) error)

	present config.Worker
	prove   func(context.Context) error // that of the sign-in in use
	seen    *look                       // the files when they were last read
	next    *candidate
	said    string // the last warning, which is not repeated
	renewed bool   // certificates have changed since the present sign-in began
}

// candidate is a sign-in that is to take the place of the present one.
type candidate struct {
	*access
	config  config.Worker
	changed []string
}

func (r *reloader) run(ctx context.Context, hangup <-chan os.Signal) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	defer r.drop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.turn(ctx, true)
		case <-t.C:
			r.turn(ctx, false)
		}
	}
}

// turn looks once. When asked to, it signs in anew even if nothing has changed: what was wrong may have been put right
// on the other side, and a new client does not wait as the present one may have to.
func (r *reloader) turn(ctx context.Context, asked bool) {
	before := r.seen
	if !r.settled(ctx) && !asked || ctx.Err() != nil {
		r.try(ctx)
		return
	}
	if before != nil && r.seen.token != before.token && r.troubled(ctx) { // otherwise it is only rotated
		asked = true
	}
	r.renewed = r.renewed || before != nil && r.seen.certificates != before.certificates
	r.reread(asked)
	r.try(ctx)
}

// troubled reports whether the sign-in in use gets no token.
func (r *reloader) troubled(ctx context.Context) bool {
	proving, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	return r.prove(proving) != nil && ctx.Err() == nil
}

// settled reports whether files have changed since they were last read, once they have stopped changing.
func (r *reloader) settled(ctx context.Context) bool {
	now := r.look()
	if now.same(r.seen) {
		return false
	}
	for range settleLooks {
		if !pause(ctx, settle) {
			return false
		}
		before := now
		if now = r.look(); now.same(before) {
			break
		}
	}
	changed := !now.same(r.seen)
	r.seen = now
	return changed
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reread resolves the whole configuration anew, and opens another access if that is what it asks for.
func (r *reloader) reread(asked bool) {
	troubled := r.said != "" || r.next != nil
	r.drop()
	later, err := r.again()
	if err != nil {
		r.warn("the configuration has changed and cannot be used; the one before stays in force", err)
		return
	}
	live, restart := r.present.Changes(&later)
	if r.renewed && later.Auth == config.AuthCertificate {
		live = append(live, "cert-dir (its files)")
	}
	if len(restart) > 0 {
		r.log.Warn().Strs("changed", restart).Msg("a change of these settings needs a restart")
	}
	switch {
	case len(live) > 0 || asked:
		r.prepare(later, live, asked)
	case troubled:
		r.log.Info().Msg("the configuration is again as it was")
		fallthrough
	default:
		r.present, r.said, r.renewed = later, "", false
	}
}

func (r *reloader) prepare(later config.Worker, changed []string, asked bool) {
	a, err := r.open(later, asked)
	if err != nil {
		r.warn("the configuration has changed, but its sign-in cannot be used; the one before stays in force", err)
		return
	}
	r.log.Info().Strs("changed", changed).Str("auth", later.Auth).Msg("the configuration was read anew; signing in with it")
	r.next, r.said = &candidate{a, later, changed}, "" // what comes of it is told, also when it was the same before
}

// try makes the candidate the present sign-in if it works.
func (r *reloader) try(ctx context.Context) {
	n := r.next
	if n == nil || ctx.Err() != nil {
		return
	}
	proving, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	if err := n.prove(proving); err != nil {
		if ctx.Err() == nil {
			r.warn("the changed sign-in gets no token; the one before stays in force, and the changed one is tried again", err)
		}
		return
	}
	swap := func() {
		r.cal.swap(n.calendar, n.close)
		r.use(n.prove)
	}
	if Identity(n.config.Exchange) == Identity(r.present.Exchange) {
		swap()
	} else if !r.relieve(ctx, n.config, swap) {
		return
	}
	r.log.Info().Strs("changed", n.changed).Str("auth", n.config.Auth).Msg("the changed sign-in is in force")
	logFindings(r.log, n.config.Findings(), r.present.Findings())
	r.present, r.prove, r.next, r.said, r.renewed = n.config, n.prove, nil, "", false
}

// drop gives up the candidate.
func (r *reloader) drop() {
	if r.next != nil {
		r.next.close()
		r.next = nil
	}
}

// warn logs a warning unless it was the last one.
func (r *reloader) warn(message string, err error) {
	if text := message + err.Error(); text != r.said {
		r.said = text
		r.log.Warn().Strs("faults", faults(err)).Msg(message)
	}
}

// faults are what is wrong, one by one.
func faults(err error) []string {
	var list config.Faults
	if !errors.As(err, &list) {
		return []string{err.Error()}
	}
	var all []string
	for _, f := range list {
		all = append(all, f.Key+": "+f.Problem)
	}
	return all
}
