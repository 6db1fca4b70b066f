package integration

import (
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/exchangesim"
)

// TestSignIn sets up every way to sign in, as an administrator would, for real processes, and lets the credential be
// wrong, expire and be revoked: each time the log must say what to do, nobody may ask again and again, no account may be
// locked, and what is put right must be taken up without a restart.
func TestSignIn(t *testing.T) {
	var all sync.WaitGroup
	for _, s := range signIns() {
		all.Go(func() { // not t.Parallel: nearly all of the time is waiting, whatever the number of cores
			t.Run(s.name, func(t *testing.T) { s.prove(newOrg(t)) })
		})
	}
	all.Wait()
}

func (s signIn) prove(o *org) {
	o.sim.Users().SetLockout(lockout, time.Hour)
	o.want(0, orgMailboxes/2)
	p := o.signedIn(s.rooms(o))
	o.synchronized(p)
	o.alive(p)
	o.end(p)

	settings := s.flags(o)
	o.want(orgMailboxes/2, orgMailboxes)
	s.meetAtStart(o, settings)
	for _, x := range s.later {
		x.meet(o, settings)
	}
}

// lockout is how many wrong passwords lock an account: fewer than mailboxes ask at the same time.
const lockout = 4

// meetAtStart starts a worker with a wrong credential, and corrects that in its file.
func (s signIn) meetAtStart(o *org, settings map[string]string) {
	t := o.t
	t.Helper()
	runs, before := o.runs(), o.asked()
	s.wrong.cause(o)
	p := o.signedIn(settings)
	p.says(t, 0, s.wrong.says...)
	o.insist(p, runs)
	if n := o.asked().since(before); n.tokens+n.refusals != 1 {
		t.Errorf("a wrong credential was tried %+v times, want once", n)
	}
	o.unlocked()
	s.wrong.cure(o)
	corrected := time.Now()
	p.says(t, 0, "the changed sign-in is in force")
	if took := time.Since(corrected); took > 45*time.Second { // every 15 s it looks, and then once more
		t.Errorf("taken up after %v", took)
	}
	o.lookAt()
	o.synchronized(p)
	o.alive(p)
	o.end(p)
}

// meet lets the trouble come over a worker that is at work. Each has a process of its own, since a log repeats the same
// trouble only once a minute.
func (x trouble) meet(o *org, settings map[string]string) {
	t := o.t
	t.Helper()
	if x.before != nil {
		x.before(o)
	}
	p := o.signedIn(settings)
	o.lookAt()
	o.alive(p)

	runs, before, from := o.runs(), o.asked(), len(p.log.String())
	x.cause(o)
	p.says(t, from, x.says...)
	o.insist(p, runs)
	// One request for a token, and one of each mailbox that was under way, or that had to be heard before the token, or the
	// password, was given up.
	if n := o.asked().since(before); n.tokens > 1 || n.refusals > 2*orgMailboxes {
		t.Errorf("%s: asked %+v times", x.name, n)
	}
	o.unlocked()
	x.cure(o)
	p.hangup(t)
	p.says(t, from, "the changed sign-in is in force")
	o.lookAt()
	o.alive(p)
	o.end(p)
}

// insist waits until every mailbox has met a refusal, and lets all of them try again as often as they would in some
// minutes.
func (o *org) insist(p *process, before map[string]uint64) {
	o.t.Helper()
	o.refused(p, before)
	for range 3 {
		before = o.runs()
		o.lookAt()
		o.refused(p, before)
	}
}

func (o *org) unlocked() {
	o.t.Helper()
	if u, ok := o.sim.Users().User(exchangesim.ServiceUser); !ok || u.LockedUntil != nil {
		o.t.Errorf("the service user is locked out: %+v", u)
	}
}

// end stops a worker, which must not have anything to hide.
func (o *org) end(p *process) {
	o.t.Helper()
	if code := p.stop(o.t); code != 0 {
		o.t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if log := p.log.String(); strings.Contains(log, "panic") || strings.Contains(log, renewed) {
		o.t.Errorf("the log:\n%s", log)
	}
}

// want puts some of the company's mailboxes into the wanted set.
func (o *org) want(from, to int) {
	o.t.Helper()
	for _, m := range o.sim.Company().Mailboxes()[from:to] {
		entry := events.Mailbox{Address: m.Address, Mode: events.ModeO365Pull, Enabled: true}
		_, err := o.bus.PutMailbox(o.t.Context(), events.MailboxToken(m.Address), entry)
		must(o.t, err)
	}
	o.wanted = to
}
