package calsync

import (
	"slices"
	"time"

	"roomsync/events"
)

// Sight says whether somebody has looked into the calendar.
type Sight int

// What was seen.
const (
	Unseen Sight = iota // nobody has looked: it is taken to be as both sides agreed
	Gone                // no appointment of the booking is there
	Found
)

// Seen is what a look into the calendar found of a booking, put in order by [Look].
type Seen struct {
	Sight Sight
	Held  Held
	// Meetings are those of a series that differ from it, read or listed: what Held does not say of them.
	Meetings []Appointment

	// Successor is the series that is to take Held's place, by an attempt that did not come to its end.
	Successor         *Held
	SuccessorMeetings []Appointment
	// Doubles were made of one request by something on the way that repeated it.
	Doubles []Held

	// Overwritten are the parts that plans of this attempt named which broke off when they had written something.
	Overwritten []Part

	// Clashes are other appointments at the time of the booking, where double bookings are refused ([Clashes]).
	Clashes []Appointment
}

// StepKind says what a step does.
type StepKind string

// The kinds of steps.
const (
	StepCreate        StepKind = "create"         // [Writer.Create] with Content
	StepUpdate        StepKind = "update"         // [Writer.Update] of Parts
	StepMeeting       StepKind = "meeting"        // [Writer.Update] of Parts of the meeting with the original start Original
	StepCancelMeeting StepKind = "cancel meeting" // [Writer.Delete] of that meeting
	StepDelete        StepKind = "delete"         // [Writer.Delete]
)

// Step is one write. Steps are done in order. One that fails stops them; whoever goes on looks anew and decides anew.
type Step struct {
	Kind StepKind
	// ItemID and ChangeKey name the appointment; of a meeting, its series. Both are empty where it is the one that the
	// plan's StepCreate made.
	ItemID, ChangeKey string
	Original          time.Time
	Content           Content // of a meeting: the series' content with the meeting's own times and texts
	Parts             []Part
	Notify            bool
	Message           string
}

// AnswerKind is the type of the event that a revision is answered by.
type AnswerKind string

// The kinds of answers.
const (
	Applied  AnswerKind = events.TypeBookingApplied
	Conflict AnswerKind = events.TypeBookingConflict
	Rejected AnswerKind = events.TypeBookingRejected
)

// Answer is what ROOMS is told when the steps have succeeded.
type Answer struct {
	Kind   AnswerKind
	Reason string // one of the constants of package events
	// Lost are the parts of the revision that were not written. A conflict then goes with the appointment as it is.
	Lost []Part
	// Overwritten are the parts of the appointment that ROOMS may not have known. The answer then goes with the
	// appointment as it was, which is Seen.Held.
	Overwritten []Part
}

// Plan is what is to be done about one revision of a booking.
type Plan struct {
	// Look says that nothing can be decided before somebody has looked into the calendar. Nothing else is set then.
	Look   bool
	Steps  []Step
	Answer Answer
	// Untold says that the appointment has changes of others that ROOMS has not been told of: it is to be read when the steps
	// are done, and told of with the answer ([TellAnew]). The answer goes without a change key then, so that no revision is based
	// on what ROOMS does not know.
	Untold bool

	link Link
}

// Decide says what is to be done about a revision of a booking, from the three versions: ROOMS', Exchange's, and the one
// both agreed on last. It depends on nothing else, so that deciding again from what a broken-off attempt left leads to the
// same end. See docs/states.md, "A booking".
func Decide(b Booking, l Link, s Seen, p Policy) Plan {
	switch {
	case b.Revision <= l.Revision:
		return rejected(l, events.RejectedStale)
	case s.Sight == Unseen && mustLook(b, l):
		return Plan{Look: true}
	case s.Sight == Found && s.Held.Revision > b.Revision:
		// Our own memory is older than the appointment: it was restored from a backup, or lost.
		l.Revision = b.Revision
		return rejected(l, events.RejectedStale)
	case b.Cancelled:
		return decideCancelled(b, l, s, p)
	case s.Sight == Found && !s.Held.Cancelled:
		return decideUpdate(b, l, s, p)
	case s.Sight == Unseen && l.State == LinkLive:
		return decideUpdate(b, l, s, p)
	case l.State == LinkLive:
		return conflictDeleted(b, l)
	}
	return decideCreate(b, l, s, p)
}

func mustLook(b Booking, l Link) bool {
	switch {
	case l.Unsure:
		return true
	case b.Cancelled:
		return l.State != LinkCancelled || l.Told.known()
	case l.State == LinkLive:
		return l.Told.known() || len(l.Open) > 0
	case l.State == LinkNone:
		// A booking's first revision costs one call. A later one without a link was superseded or refused before, or the
		// links were lost.
		return b.Revision > 1
	}
	return true // somebody may have brought back what was deleted
}

// known says whether there is anything that ROOMS was told.
func (t Told) known() bool { return !t.At.IsZero() }

func rejected(l Link, reason string) Plan {
	return Plan{Answer: Answer{Kind: Rejected, Reason: reason}, link: l}
}

// conflictDeleted answers the first revision that meets an appointment that somebody deleted or cancelled in Exchange.
func conflictDeleted(b Booking, l Link) Plan {
	l.Revision, l.State, l.Told, l.Open, l.Unsure = b.Revision, LinkLost, Told{}, nil, false
	return Plan{Answer: Answer{Kind: Conflict, Reason: events.ConflictDeleted}, link: l}
}

func conflictBusy(b Booking, l Link) Plan {
	l.Revision = b.Revision
	return Plan{Answer: Answer{Kind: Conflict, Reason: events.ConflictBusy, Lost: []Part{PartTime}}, link: l}
}

func decideCreate(b Booking, l Link, s Seen, p Policy) Plan {
	if len(s.Clashes) > 0 {
		return conflictBusy(b, l)
	}
	digests := DigestsOf(b.Content, p, b.ID)
	next := Link{
		BookingID: b.ID, Revision: b.Revision, State: LinkLive, Generation: l.Generation + 1, Notified: b.Notify && len(b.Content.Attendees) > 0,
		Rooms: digests, Exchange: digests, Series: b.Content.Recurrence != nil,
	}
	steps := append([]Step{createStep(b, b.Content)}, meetingSteps(b, edits{series: b.Content, wanted: b.Content.Meetings, policy: p})...)
	next.Exceptions = slices.ContainsFunc(steps, changesMeeting)
	return Plan{Steps: steps, Answer: Answer{Kind: Applied, Reason: events.AppliedCreated}, link: next}
}

func createStep(b Booking, c Content) Step {
	c.Meetings = nil
	return Step{Kind: StepCreate, Content: c, Notify: b.Notify}
}

// decideCancelled takes the appointment away, whatever was done to it meanwhile.
func decideCancelled(b Booking, l Link, s Seen, p Policy) Plan {
	next := Link{BookingID: b.ID, Revision: b.Revision, State: LinkCancelled, Generation: l.Generation, UID: l.UID}
	plan := Plan{Answer: Answer{Kind: Applied, Reason: events.AppliedCancelled}, link: next}
	if s.Sight != Found {
		if l.State == LinkNone || l.State == LinkCancelled {
			plan.Answer.Reason = events.AppliedUnchanged
		}
		return plan
	}
	if l.State == LinkLive {
		plan.Answer.Overwritten = unknownChanges(b, l, s, p)
	}
	notify := b.Notify && !s.Held.Cancelled && (l.Notified || l.State != LinkLive)
	if s.Successor != nil {
		plan.Steps = append(plan.Steps, deleteStep(*s.Successor, b.Notify, b.Message))
	}
	plan.Steps = append(plan.Steps, deleteDoubles(s)...)
	plan.Steps = append(plan.Steps, deleteStep(s.Held, notify, b.Message))
	return plan
}

func deleteStep(h Held, notify bool, message string) Step {
	if !notify {
		message = ""
	}
	return Step{Kind: StepDelete, ItemID: h.ID, ChangeKey: h.ChangeKey, Notify: notify, Message: message}
}

// deleteDoubles deletes what a request made that something on the way repeated. Nobody is written to: the one that stays
// is the same meeting.
func deleteDoubles(s Seen) []Step {
	var steps []Step
	for _, h := range s.Doubles {
		steps = append(steps, deleteStep(h, false, ""))
	}
	return steps
}
