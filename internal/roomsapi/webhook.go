package roomsapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
)

// The webhook posts each event by itself, in order per mailbox and at least once. One process of the fleet posts at a time: order per
// mailbox could not be had from several, and a consumer of JetStream with explicit acknowledgement delivers what another process
// had not acknowledged after newer events of the same mailbox. So who posts, and what is posted, stands in one record in NATS, which
// is changed by compare-and-set like a mailbox's: a lease that the others wait for, a position, and a position for each mailbox that
// is behind. It is stored every second, so a successor of a process that died repeats a second's events at most, and one
// that stopped leaves nothing to repeat.

// webhookName is the webhook's in NATS; there is one in a fleet.
const webhookName = "rooms"

const (
	leaseTime  = 45 * time.Second
	renewEvery = 10 * time.Second
	saveEvery  = time.Second
	watchEvery = 2 * time.Second // looks of those who wait for the lease
	tellEvery  = time.Minute     // lines of the log while it is behind
	graceTime  = 5 * time.Second // for requests in hand when the process stops
)

type webhook struct {
	feed *feed
	bus  *bus.Bus
	log  zerolog.Logger
	name string
	*poster
}

func newWebhook(o Options, f *feed) (*webhook, error) {
	p, err := newPoster(*o.Webhook)
	if err != nil {
		return nil, err
	}
	return &webhook{f, o.Bus, o.Log, o.Name, p}, nil
}

// run posts whenever this process has the lease, until ctx ends.
func (w *webhook) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	said := ""
	for ctx.Err() == nil {
		err := w.lead(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			w.log.Warn().Err(err).Msg("webhook: its record cannot be had; trying again")
		}
		if err == nil {
			said = ""
		}
		pause(ctx, watchEvery)
	}
}

// lead posts if nobody else does, until the lease is lost or ctx ends.
func (w *webhook) lead(ctx context.Context) error {
	cursor, err := w.bus.OpenWebhook(ctx, webhookName)
	if err != nil {
		return err
	}
	record, at, err := cursor.Load(ctx)
	if err != nil {
		return err
	}
	if record.Owner != "" && record.Owner != w.name && w.bus.Now().Before(record.Lease) {
		return nil
	}
	if record, err = w.fitting(ctx, record); err != nil {
		return err
	}
	l := &lease{cursor: cursor, owner: w.name, at: at, now: w.bus.Now}
	if err := l.save(ctx, record); err != nil {
		if errors.Is(err, bus.ErrConflict) {
			return nil // another one was faster
		}
		return err
	}
	w.log.Info().Uint64("after", record.Read).Int("behind", len(record.Owed)).Msg("webhook: this process posts the events")
	w.deliver(ctx, l, record)
	return nil
}

// fitting is the record, or one that begins anew when the stream of events is another one than the record is of.
func (w *webhook) fitting(ctx context.Context, record bus.Webhook) (bus.Webhook, error) {
	_, last, err := w.bus.EventsKept(ctx)
	if err != nil || record.Read <= last {
		return record, err
	}
	w.log.Error().Uint64("read", record.Read).Uint64("last", last).Msg("webhook: the stream of events was made anew; ROOMS must compare everything anew")
	return bus.Webhook{}, nil
}

// lease is the right to post, for as long as it is renewed.
type lease struct {
	cursor *bus.WebhookCursor
	owner  string
	at     uint64 // sequence of the record
	now    func() time.Time
	until  time.Time // by our own clock, which does not jump
	last   time.Time // when it was renewed
}

// save stores the record and renews the lease.
func (l *lease) save(ctx context.Context, record bus.Webhook) error {
	began := time.Now()
	record.Owner, record.Lease = l.owner, l.now().Add(leaseTime)
	at, err := l.cursor.Save(ctx, record, l.at)
	if err == nil {
		l.at, l.until, l.last = at, began.Add(leaseTime), began
	}
	return err
}

// deliver posts until the lease is lost or ctx ends, and gives the lease back.
func (w *webhook) deliver(ctx context.Context, l *lease, record bus.Webhook) {
	soft, stop := context.WithCancel(ctx)
	hard, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	guard := newGuard(l.until)
	c := &courier{feed: w.feed, log: w.log, gate: newGate(), post: w.post, may: guard.may, soft: soft, hard: hard}
	c.resume(record)
	c.done.Go(func() {
		defer stop()
		w.read(soft, c)
	})
	lost := w.keep(soft, l, c, guard)
	stop()
	if lost {
		breakOff()
	} else {
		defer time.AfterFunc(graceTime, breakOff).Stop()
	}
	c.done.Wait()
	if lost {
		return
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	final, _ := c.record()
	l.owner = ""
	err := l.save(ending, final)
	if errors.Is(err, bus.ErrConflict) && w.ours(ending, l) { // the last save was broken off, and had worked
		err = l.save(ending, final)
	}
	if err != nil {
		w.log.Warn().Err(err).Msg("webhook: the last position could not be stored; what was posted in the last second will be posted again")
	}
}

// keep stores what is posted and renews the lease, until ctx ends. It reports whether the lease was lost.
func (w *webhook) keep(ctx context.Context, l *lease, c *courier, g *guard) (lost bool) {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	teller := teller{w: w}
	unsaved := false
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
		record, changed := c.record()
		unsaved = unsaved || changed
		if unsaved || time.Since(l.last) >= renewEvery {
			switch err := l.save(ctx, record); {
			case err == nil:
				unsaved = false
				g.extend(l.until)
			case errors.Is(err, bus.ErrConflict) && !w.ours(ctx, l):
				w.log.Warn().Msg("webhook: another process posts the events now")
				return true
			}
		}
		if time.Now().After(l.until) {
			w.log.Warn().Msg("webhook: NATS could not be told for too long that this process posts the events; it stops")
			return true
		}
		teller.tell(ctx, record, c.stuck())
	}
}

// ours reports whether the record is ours still: a save whose answer was lost looks like a conflict afterwards.
func (w *webhook) ours(ctx context.Context, l *lease) bool {
	record, at, err := l.cursor.Load(ctx)
	if err != nil {
		return true // to be found out by the next save
	}
	if record.Owner != w.name {
		return false
	}
	l.at = at
	return true
}

// read hands all events to the courier, until ctx ends or the record is to be looked at anew.
func (w *webhook) read(ctx context.Context, c *courier) {
	r := w.feed.reader(everybody, c.read)
	for {
		found, err := r.next(ctx, maxTake)
		var f *forgottenError
		switch {
		case errors.As(err, &f) && r.at < f.first:
			w.log.Error().Uint64("after", r.at).Uint64("first", f.first).
				Msg("webhook: the stream has forgotten events that were not posted; ROOMS must compare everything anew")
			r = w.feed.reader(everybody, f.first-1)
		case err != nil:
			return
		}
		for _, e := range found {
			if c.add(e) != nil {
				return
			}
		}
		c.passOver(r.at)
	}
}

// teller writes a line about a webhook in trouble once a minute, and one when it is over.
type teller struct {
	w       *webhook
	last    time.Time
	trouble bool
}

// tell is told how many mailboxes wait because an event of theirs was not taken.
func (t *teller) tell(ctx context.Context, record bus.Webhook, stuck int) {
	if time.Since(t.last) < tellEvery {
		return
	}
	switch {
	case stuck > 0:
		_, last, _ := t.w.bus.EventsKept(ctx)
		t.w.log.Warn().Uint64("unread", last-min(record.Read, last)).Int("failing", stuck).Int("behind", len(record.Owed)).
			Time("posted", record.Posted).Str("lastError", record.LastError).Msg("webhook: events wait")
	case t.trouble:
		t.w.log.Info().Msg("webhook: nothing waits any more")
	}
	t.last, t.trouble = time.Now(), stuck > 0
}

// webhookState is GET /v1/webhook.
func (a *API) webhookState(w http.ResponseWriter, r *http.Request) {
	if a.webhook == nil {
		refuse(w, http.StatusNotFound, problem{Detail: "there is no webhook: start the dispatcher with --webhook-url and --webhook-secret-file"})
		return
	}
	s, err := a.webhook.state(r.Context())
	if err != nil {
		retryAfter(w, retryAway)
		refuse(w, http.StatusServiceUnavailable, problem{Detail: "NATS does not answer at present"})
		return
	}
	answer(w, http.StatusOK, typeJSON, s)
}

// WebhookState is how a webhook fares.
type WebhookState struct {
	Read      uint64    `json:"read"`             // every event up to it is posted, but for the mailboxes that are behind
	Last      uint64    `json:"last"`             // the newest event
	Behind    int       `json:"behind"`           // mailboxes whose events wait
	Oldest    uint64    `json:"oldest,omitempty"` // the first event that waits
	Posted    time.Time `json:"posted,omitzero"`
	Failed    time.Time `json:"failed,omitzero"`
	LastError string    `json:"lastError,omitempty"`
}

func (w *webhook) state(ctx context.Context) (WebhookState, error) {
	cursor, err := w.bus.OpenWebhook(ctx, webhookName)
	if err != nil {
		return WebhookState{}, err
	}
	record, _, err := cursor.Load(ctx)
	if err != nil {
		return WebhookState{}, err
	}
	_, last, err := w.bus.EventsKept(ctx)
	s := WebhookState{Read: record.Read, Last: last, Behind: len(record.Owed), Posted: record.Posted, Failed: record.Failed, LastError: record.LastError}
	for _, seq := range record.Owed {
		if s.Oldest == 0 || seq < s.Oldest {
			s.Oldest = seq
		}
	}
	if s.Oldest == 0 && record.Read < last {
		s.Oldest = record.Read + 1
	}
	return s, err
}
