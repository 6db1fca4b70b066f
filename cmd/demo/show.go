package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"roomsync/events"
)

// display is a way to show what happens.
type display interface {
	every() time.Duration // between two calls of show
	show(picture) error
	close() error // leaves the terminal as it was
}

// show runs the demo until ctx ends, or for o.duration.
func show(ctx context.Context, o options, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed: go in order, too
	defer stop()
	out, each := stdout, func(events.Event) error { return nil }
	if o.json {
		lines := json.NewEncoder(stdout)
		out, each = stderr, func(e events.Event) error { return lines.Encode(e) }
	}
	w, err := start(ctx, o, each)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C at once
		}
		return err
	}
	began := time.Now()
	err = watch(ctx, w, newDisplay(out, o))
	err = errors.Join(err, w.stop())
	_, failed := io.WriteString(out, closing(w, time.Since(began)))
	if err = errors.Join(err, failed); errors.Is(err, syscall.EPIPE) {
		return nil // whoever was reading has seen enough
	}
	return err
}

func newDisplay(out io.Writer, o options) display {
	if f, ok := out.(*os.File); ok && !o.plain && os.Getenv("TERM") != "dumb" && isTerminal(f) {
		return &screen{out: f, color: os.Getenv("NO_COLOR") == ""}
	}
	return &plain{out: out}
}

// watch shows what happens until ctx ends, the duration is over or something fails.
func watch(ctx context.Context, w *world, d display) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	if w.opts.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.opts.duration)
		defer cancel()
	}
	tick := time.NewTicker(d.every())
	defer tick.Stop()
	began, speed := time.Now(), &meter{}
	for now := began; ; now = time.Now() {
		if err := d.show(w.picture(began, now, speed)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.failed:
			return err
		case <-tick.C:
		}
	}
}

// picture is what is shown, at one moment.
type picture struct {
	began, now time.Time
	poll       time.Duration
	mailboxes  int
	count      tally
	rate       float64 // syncs per second
	edits      int
	lag        spread // of the last minute
	late       delay  // events that do not come
	rooms      view
	look       look
}

// tally says how the mailboxes fare; each is counted once, except that a late one is one of the others too.
type tally struct{ starting, synced, refused, throttled, late int }

// look is where to look further.
type look struct{ sim, nats, guest string }

func (w *world) picture(began, now time.Time, speed *meter) picture {
	return picture{
		began: began, now: now, poll: w.opts.poll, mailboxes: w.opts.mailboxes, count: w.tally(),
		rate: speed.rate(now, w.syncs.Load()), edits: w.lag.total().Edits, lag: w.lag.since(now.Add(-time.Minute)),
		late:  w.lag.late(now, w.opts.lateAfter()),
		rooms: w.rooms.view(), look: look{w.simURL, w.natsURL, w.cast.guest},
	}
}

// tally sums up the dispatcher's count. Those that are asked for patience are among its OK; one that never was read
// is too rare to tell apart.
func (w *world) tally() tally {
	d := w.dispatcher.Load()
	if d == nil {
		return tally{starting: w.opts.mailboxes}
	}
	c := d.Count()
	throttled := min(c.Throttled, c.OK)
	return tally{
		starting: w.opts.mailboxes - c.Enabled + c.New, synced: c.OK - throttled,
		refused: c.Denied + c.Blocked + c.Failed, throttled: throttled, late: c.Late,
	}
}

// closing is what is said at the end.
func closing(w *world, took time.Duration) string {
	a, all, v := w.lag.total(), w.lag.since(time.Time{}), w.rooms.view()
	violations := w.sim.Faults().Violations()
	text := fmt.Sprintf(`Stopped after %v.
  edits       %6d   %d told, %d undone before anybody looked, %d in refused mailboxes, %d on their way
  events      %6d   lag from an edit to its event: %v
  syncs       %6d   by %d workers, which signed in %d times
  refusals    %6d   %d of them gave access again
  violations  %6d   calls for a mailbox that came too early, overlapped, or were too many at once
`, took.Round(time.Second), a.Edits, a.Told, a.Undone, a.Refused, a.Waiting, v.events, all,
		w.syncs.Load(), workers, w.sim.Entra().Stats().Issued, v.refused, v.restored, len(violations))
	for _, x := range violations {
		text += fmt.Sprintf("    %s: %s of %s, %v early, other fence %q, %d at once\n", x.Kind, x.Operation, x.Mailbox, x.Early.Std(), x.Other, x.Running)
	}
	return text
}
