package dispatcher

import (
	"time"

	"roomsync/internal/jobs"
)

// lateAgain is how often it is said that most mailboxes are late, while that stays so.
const lateAgain = 10 * time.Minute

// lateness is what is said of mailboxes that nobody looks at. Of the sweep alone, but for looks.
type lateness struct {
	looks int  // since the last sweep; guarded by Dispatcher.mu
	most  bool // were late in the sweep before: not just because NATS was away until now
	said  bool
	at    time.Time // when it was said
}

// looked notes that a worker has looked at a mailbox, or is at it: nobody else puts the time of its next token off. Callers
// hold mu.
func (d *Dispatcher) looked(was, is jobs.Digest) {
	if is.Due.After(was.Due) && is.Due.After(d.bus.Now()) {
		d.lateness.looks++
	}
}

// overdue counts the enabled mailboxes, those that are late, and by how much at most. Callers hold mu.
func (d *Dispatcher) overdue() (enabled, late int, most time.Duration) {
	now := d.bus.Now()
	for _, b := range d.boxes {
		if b.Enabled {
			enabled++
		}
		if by, is := b.Overdue(now); is {
			late++
			most = max(most, by)
		}
	}
	return enabled, late, most
}

// warnLate says, once and then every ten minutes, that most mailboxes are late in two sweeps, and when that is over: then
// three of four are in time.
func (d *Dispatcher) warnLate() {
	d.mu.Lock()
	enabled, late, by := d.overdue()
	looks := d.lateness.looks
	d.lateness.looks = 0
	d.mu.Unlock()
	l := &d.lateness
	before := l.most
	l.most = 2*late > enabled && d.bus.Up()
	switch {
	case l.said && 4*late <= enabled:
		l.said = false
		d.log.Info().Msg("the mailboxes are looked at in time again")
	case l.most && before && (l.at.IsZero() || time.Since(l.at) >= lateAgain):
		l.said, l.at = true, time.Now()
		d.log.Warn().Int("lookedAt", looks).Msgf("%d of %d mailboxes are overdue by up to %v: %s", late, enabled, by.Round(time.Second), whyLate(looks))
	}
}

func whyLate(looks int) string {
	if looks == 0 {
		return "does a worker run?"
	}
	return "workers cannot keep up (more of them, or a longer --poll-interval)"
}
