package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// options are the command line, and the times of the script, which only tests change.
type options struct {
	mailboxes int
	rate      float64 // edits per second
	seed      uint64
	poll      time.Duration
	duration  time.Duration // 0: until Ctrl-C
	plain     bool
	json      bool

	recheck    time.Duration // between looks at a refused mailbox; an hour in real life
	mend       time.Duration // until a refused mailbox gives access again
	busyEvery  time.Duration // between two groups of mailboxes that ask for patience
	busyFor    time.Duration // how long each of them does
	busyAtOnce int           // mailboxes in a group
	stop       time.Duration // for jobs in hand, when all stops
	patience   time.Duration // for a part to stop
}

func defaults() options {
	return options{
		recheck: 10 * time.Second, mend: 20 * time.Second,
		busyEvery: 12 * time.Second, busyFor: 8 * time.Second, busyAtOnce: 3,
		stop: time.Second, patience: 5 * time.Second,
	}
}

func (o *options) register(fs *pflag.FlagSet) {
	fs.IntVar(&o.mailboxes, "mailboxes", 200, "people and rooms: four of five are people")
	fs.Float64Var(&o.rate, "rate", 4, "edits per second in all calendars together")
	fs.Uint64Var(&o.seed, "seed", 1, "decides names, appointments and edits")
	fs.DurationVar(&o.poll, "poll-interval", 3*time.Second, "between two looks at a mailbox; short, so that one sees something (the product's default is 1m)")
	fs.DurationVar(&o.duration, "duration", 0, "end after that time; 0 is until Ctrl-C")
	fs.BoolVar(&o.plain, "plain", false, "print lines also on a terminal")
	fs.BoolVar(&o.json, "json", false, "print the events as lines of JSON (CloudEvents) to stdout, and the summary to stderr")
}

func (o *options) check() error {
	switch {
	case o.mailboxes < minMailboxes || o.mailboxes > maxMailboxes:
		return fmt.Errorf("--mailboxes %d: use %d to %d", o.mailboxes, minMailboxes, maxMailboxes)
	case !(o.rate >= 0 && o.rate <= 1000): // so written, it refuses NaN
		return fmt.Errorf("--rate %v: use 0 to 1000 edits per second", o.rate)
	case o.poll < 250*time.Millisecond || o.poll > 24*time.Hour:
		return fmt.Errorf("--poll-interval %v: use 250ms to 24h", o.poll)
	case o.duration < 0:
		return fmt.Errorf("--duration %v: use a time such as 30s, or 0 to run until Ctrl-C", o.duration)
	}
	return nil
}

// lateAfter is when an edit has been on its way for too long: a mailbox that was asked for patience, and then some looks.
func (o *options) lateAfter() time.Duration { return o.busyFor + 3*o.poll + 5*time.Second }

// The script needs a handful of mailboxes; beyond the most, a demo is no longer one (cmd/exchangesim goes further).
const minMailboxes, maxMailboxes = 10, 2000
