package jobs

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Detail is the part of a [Digest] that says why a mailbox is in trouble and how often it is looked at. A record of an
// older version has none.
type Detail struct {
	Interval time.Duration // between the last look and the next poll; zero when there was no look
	Since    time.Time     // when the state, or the trouble, began
	Failed   time.Time     // the newest failure
	Gate     string        // by which sign-in and server, as the access breaker is named
	Reason   string        // in the words of package events, otherwise the verdict's code
}

func (r *Record) detail() Detail {
	d := Detail{Since: r.Since}
	last := r.LastOK
	if x := r.LastError; x != nil {
		last = later(last, x.At)
		d.Failed, d.Gate, d.Reason = x.At, x.Gate, or(x.Reason, x.Code)
		if d.Since.IsZero() {
			d.Since = x.Since
		}
	}
	if x := r.Refusal; x != nil && r.State == StateDenied && !r.LastError.refused() { // it fails otherwise since
		d.Gate, d.Reason = x.Gate, x.Reason
	}
	if !r.Held.IsZero() {
		d.Since, d.Reason = r.HeldSince, r.HeldReason
	}
	if !last.IsZero() {
		d.Interval = max(r.NextPoll.Sub(last), 0)
	}
	return d
}

// refused reports whether a failure, if there is one, is a refusal.
func (x *Failure) refused() bool { return x != nil && x.Refusal() }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Lateness: a mailbox that nobody looked at is late when that was due lateLeast ago, and three times the pause before it;
// after lateMost in any case.
const (
	lateLeast = time.Minute
	lateMost  = 15 * time.Minute
)

// Overdue is for how long nobody has come who ought to have looked at an enabled mailbox, and whether that is so long that
// something is wrong: no worker runs, or there are too few.
func (d Digest) Overdue(now time.Time) (by time.Duration, late bool) {
	if !d.Enabled || d.Due.IsZero() || !now.After(d.Due) {
		return 0, false
	}
	by = now.Sub(d.Due)
	return by, by > min(max(lateLeast, 3*d.Interval), lateMost)
}

// Why encodes the detail; [Digest.Explain] reads it. Neither does it begin or end with a space.
func (d Detail) Why() string {
	millis := func(t time.Time) string {
		if t.IsZero() {
			return "0"
		}
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return strings.Join([]string{
		strconv.FormatInt(d.Interval.Milliseconds(), 10), millis(d.Since), millis(d.Failed), or(d.Gate, "-"), or(url.QueryEscape(d.Reason), "-"),
	}, " ")
}

// Explain adds what Detail.Why wrote. A newer version may have more to say.
func (d *Digest) Explain(s string) error {
	part := strings.Split(s, " ")
	if len(part) < 5 {
		return fmt.Errorf("jobs: detail %q has %d parts, want 5", s, len(part))
	}
	var n [3]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(part[i], 10, 64); err != nil {
			return fmt.Errorf("jobs: detail %q is no detail", s)
		}
	}
	reason, err := url.QueryUnescape(named(part[4]))
	if err != nil {
		return fmt.Errorf("jobs: detail %q is no detail", s)
	}
	at := func(millis int64) (t time.Time) {
		if millis != 0 {
			t = time.UnixMilli(millis).UTC()
		}
		return t
	}
	d.Detail = Detail{Interval: time.Duration(n[0]) * time.Millisecond, Since: at(n[1]), Failed: at(n[2]), Gate: named(part[3]), Reason: reason}
	return nil
}

func named(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
