package calsync

import (
	"slices"
	"time"

	"roomsync/events"
)

// mutants are planners that each forget one thing that matters.
func mutants() map[string]brain {
	m := map[string]brain{}
	add := func(name string, change func(*brain)) {
		b := sound()
		change(&b)
		m[name] = b
	}
	decide := func(name string, before func(*Booking, *Link, *Seen, *Policy), after func(*Plan)) {
		add(name, func(b *brain) {
			b.decide = func(bk Booking, l Link, s Seen, p Policy) Plan {
				if before != nil {
					before(&bk, &l, &s, &p)
				}
				plan := Decide(bk, l, s, p)
				if after != nil {
					after(&plan)
				}
				return plan
			}
		})
	}
	add("creates without a look after an attempt broke off", func(b *brain) { b.forgets = true })
	decide("does not know its own attempt", func(b *Booking, l *Link, s *Seen, _ *Policy) { s.Held.Revision = min(s.Held.Revision, l.Revision) }, nil)
	decide("forgets what ROOMS was told", func(_ *Booking, l *Link, _ *Seen, _ *Policy) { l.Told = Told{} }, nil)
	decide("forgets what is open", func(_ *Booking, l *Link, _ *Seen, _ *Policy) { l.Open = nil }, nil)
	decide("forgets what was lost", func(_ *Booking, l *Link, _ *Seen, _ *Policy) { l.Disputed = nil }, nil)
	decide("believes that ROOMS knows everything", func(b *Booking, _ *Link, s *Seen, _ *Policy) { b.BasedOn = s.Held.ChangeKey }, nil)
	decide("makes anew what people deleted", func(_ *Booking, l *Link, s *Seen, _ *Policy) {
		if s.Sight == Gone {
			l.State = LinkNone
		}
	}, nil)
	decide("leaves doubles", func(_ *Booking, _ *Link, s *Seen, _ *Policy) { s.Doubles = nil }, nil)
	decide("makes a second successor", func(_ *Booking, _ *Link, s *Seen, _ *Policy) { s.Successor = nil }, nil)
	decide("does not name what it overwrites", nil, func(p *Plan) { p.Answer.Overwritten = nil })
	decide("does not name what is lost", nil, func(p *Plan) { p.Answer.Lost = nil })
	decide("calls a conflict applied", nil, func(p *Plan) {
		if p.Answer.Reason == events.ConflictChanged {
			p.Answer.Kind, p.Answer.Reason = Applied, events.AppliedUpdated
		}
	})
	decide("tells nothing of what stays", nil, func(p *Plan) { p.Untold = false })
	decide("deletes before it creates", nil, func(p *Plan) {
		slices.SortStableFunc(p.Steps, func(a, b Step) int { return deletions(b) - deletions(a) })
	})
	decide("leaves the old one", nil, func(p *Plan) {
		if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Kind == StepCreate }) {
			p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Kind == StepDelete })
		}
	})
	decide("leaves the meetings to the pattern", nil, func(p *Plan) { p.Steps = slices.DeleteFunc(p.Steps, changesMeeting) })
	decide("moves meetings in any order", nil, func(p *Plan) {
		slices.SortStableFunc(p.Steps, func(a, b Step) int { return a.Original.Compare(b.Original) })
	})
	decide("keeps no tombstone", nil, func(p *Plan) {
		if p.link.State == LinkCancelled {
			p.link = Link{}
		}
	})
	decide("keeps no link", nil, func(p *Plan) { p.link.Rooms, p.link.Exchange = Digests{}, Digests{} })
	decide("counts no revisions", nil, func(p *Plan) { p.link.Revision = 0 })
	add("follows copies", func(b *brain) { b.follows = func(Link, Held, bool) bool { return true } })
	add("tells of its own writes as often as it is asked", func(b *brain) { b.tell = alwaysNews })
	add("tells nothing", func(b *brain) {
		b.tell = func(l Link, h Held, m []Appointment, p Policy, at time.Time) (Link, bool) {
			l, _ = Tell(l, h, m, p, at)
			return l, false
		}
	})
	add("takes the youngest for the booking's", func(b *brain) {
		b.look = func(bk Booking, l Link, found []Held) Seen {
			found = slices.Clone(found)
			slices.Reverse(found)
			l.ItemID = ""
			return Look(bk, l, found)
		}
	})
	return m
}

func deletions(s Step) int {
	if s.Kind == StepDelete {
		return 1
	}
	return 0
}

func alwaysNews(l Link, h Held, m []Appointment, p Policy, at time.Time) (Link, bool) {
	l, _ = Tell(l, h, m, p, at)
	return l, true
}
