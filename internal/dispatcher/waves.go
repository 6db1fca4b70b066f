package dispatcher

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"roomsync/internal/jobs"
)

// waves are the looks at refused mailboxes after one with the same reason and sign-in was found to work again (ADR 6). They
// are not stored: when this process dies, the next mailbox that works begins one anew. Other dispatchers make the same
// ones, and find that the look they ask for is on its way. Guarded by Dispatcher.mu.
type waves map[jobs.Group]*wave

// wave is a group's wave, or the pause after it.
type wave struct {
	*jobs.Wave           // nil in the pause
	begun      time.Time // when the wave, or the pause, began
	rest       time.Duration
	again      bool // another mailbox was found to work meanwhile
}

const (
	waveTick = time.Second / 4
	waveMany = jobs.WaveRate / 4 // mailboxes that are asked for in a tick
)

// seen notes that a mailbox fares otherwise than it did.
func (d *Dispatcher) seen(mb string, was, is jobs.Digest) {
	for _, w := range d.waves {
		if w.Wave != nil {
			w.Seen(mb, is)
		}
	}
	g, refused := was.Group()
	if !refused || is.State != jobs.StateOK || !is.Enabled {
		return
	}
	if w, known := d.waves[g]; known {
		w.again = w.Wave == nil
		return
	}
	d.begin(g, 0)
}

// begin begins the wave of a group, unless nobody is left in it. Callers hold mu.
func (d *Dispatcher) begin(g jobs.Group, rest time.Duration) {
	members := map[string]jobs.Digest{}
	for mb, b := range d.boxes {
		if own, refused := b.Group(); refused && own == g {
			members[mb] = b
		}
	}
	if len(members) == 0 {
		delete(d.waves, g)
		return
	}
	d.waves[g] = &wave{Wave: jobs.NewWave(g, members), begun: d.bus.Now(), rest: rest}
	d.log.Info().Str("reason", g.Reason).Int("refused", len(members)).Msg("a refused mailbox works again: others refused for the same reason are looked at, a few at first")
}

// retry asks for what the waves want looked at, until ctx ends.
func (d *Dispatcher) retry(ctx context.Context) error {
	tick := time.NewTicker(waveTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if d.bus.Up() {
				d.ask(ctx, d.due())
			}
		}
	}
}

// due moves the waves on and returns which mailboxes are to be asked for now.
func (d *Dispatcher) due() []jobs.Probe {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.bus.Now()
	var next []jobs.Probe
	for g, w := range d.waves {
		if w.Wave != nil {
			next = append(next, w.Next(waveMany-len(next), now, func(mb string) jobs.Digest { return d.boxes[mb] })...)
		}
		d.end(g, w, now)
	}
	return next
}

// end ends a wave that is over, and a pause: then another wave begins if one of its mailboxes was found to work
// meanwhile. Callers hold mu.
func (d *Dispatcher) end(g jobs.Group, w *wave, now time.Time) {
	switch {
	case w.Wave != nil && w.Over():
		d.log.Info().Str("reason", g.Reason).Int("work", w.Works).Int("refused", w.Refused).Int("silent", w.Silent).Msg("looked at mailboxes refused for the same reason; the rest wait for their re-check")
		d.waves[g] = &wave{begun: now, rest: w.Rest(w.rest)}
	case w.Wave == nil && w.again && now.Sub(w.begun) >= w.rest:
		d.begin(g, w.rest)
	case w.Wave == nil && now.Sub(w.begun) >= 2*w.rest: // as if there had been none
		delete(d.waves, g)
	}
}

// ask has mailboxes looked at, side by side. One of which that cannot be stored counts as silent when its time is over.
func (d *Dispatcher) ask(ctx context.Context, next []jobs.Probe) {
	var all sync.WaitGroup
	var failed atomic.Bool
	for _, p := range next {
		all.Go(func() {
			switch comes, err := d.bus.Retry(ctx, p); {
			case err != nil && ctx.Err() == nil && !failed.Swap(true): // one stands for all that fail with it
				d.log.Warn().Str("mailbox", p.Mailbox).Err(err).Msg("a refused mailbox is not looked at early; its re-check comes")
			case err == nil && !comes:
				d.skip(p)
			}
		})
	}
	all.Wait()
}

// skip tells a wave that no look at a mailbox comes.
func (d *Dispatcher) skip(p jobs.Probe) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.waves[p.Group]; w != nil && w.Wave != nil {
		w.Skip(p.Mailbox)
	}
}
