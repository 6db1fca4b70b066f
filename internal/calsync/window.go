package calsync

import (
	"time"

	"roomsync/events"
)

// WindowFor returns the window around now: today, past days before it and future days after it, by the days of UTC, so
// that every process computes the same one and it moves once a day. Negative numbers of days count as 0.
func WindowFor(now time.Time, past, future int) Window {
	y, m, d := now.UTC().Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return Window{From: today.AddDate(0, 0, -max(past, 0)), To: today.AddDate(0, 0, max(future, 0)+1)}
}

// Rolled says whether now reaches over something that old did not, so that series have to be expanded over it.
func Rolled(old, now Window) bool { return len(Entered(old, now)) > 0 }

// Entered returns the parts of now that lie outside old, in order: after a day's roll one day at the end; after a
// longer pause more; all of now when old is empty or lies elsewhere; two parts when the window was widened both ways.
func Entered(old, now Window) []Window {
	if !now.From.Before(now.To) {
		return nil
	}
	if !old.From.Before(old.To) || !old.Overlaps(now.From, now.To) {
		return []Window{now}
	}
	var parts []Window
	if now.From.Before(old.From) {
		parts = append(parts, Window{From: now.From, To: old.From})
	}
	if now.To.After(old.To) {
		parts = append(parts, Window{From: old.To, To: now.To})
	}
	return parts
}

// Equal says whether both are the same span of time.
func (w Window) Equal(x Window) bool { return w.From.Equal(x.From) && w.To.Equal(x.To) }

// Contains says whether From <= t < To.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Overlaps says whether an appointment from start to end (exclusive) takes place in w. One without length does where it
// starts. (Exchange also returns those that end at w.From; they share no instant with it.)
func (w Window) Overlaps(start, end time.Time) bool {
	if !end.After(start) {
		return w.Contains(start)
	}
	return start.Before(w.To) && end.After(w.From)
}

// Event is the window in the contract's form.
func (w Window) Event() events.Window { return events.Window{Start: w.From.UTC(), End: w.To.UTC()} }
