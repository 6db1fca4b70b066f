package calsync

import (
	"math/rand/v2"
	"slices"
	"time"

	"roomsync/events"
)

const theBooking = "B1"

// brain is the planner, or a mutant of it.
type brain struct {
	decide  func(Booking, Link, Seen, Policy) Plan
	look    func(Booking, Link, []Held) Seen
	tell    func(Link, Held, []Appointment, Policy, time.Time) (Link, bool)
	follows func(Link, Held, bool) bool
	forgets bool // that an attempt broke off
}

func sound() brain { return brain{decide: Decide, look: Look, tell: Tell, follows: Follows} }

// world is one calendar, ROOMS, and an engine that carries out plans between them.
type world struct {
	r        *rand.Rand
	clock    time.Time
	exchange *exchange
	rooms    *rooms
	brain    brain
	policy   Policy
	calm     bool // nothing breaks and nobody interferes

	changes []change // ROOMS → roomsync
	applied int
	tried   bool
	link    Link
	ahead   map[string]bool

	edits, messages, signatures int
	answers                     map[int64]int
	superseded                  []int64      // revisions whose answers go with that of the one that superseded them
	erased                      map[Part]int // edits of people that this attempt has overwritten
	wandered                    bool
	faults                      []string
	verbose                     bool
	log                         []string
}

// change is a revision of ROOMS on its way.
type change struct {
	booking Booking
	knows   map[int]bool // edits of people that ROOMS knew
	dirty   map[Part]bool
}

func newWorld(r *rand.Rand, b brain) *world {
	w := &world{r: r, clock: monday.AddDate(0, 0, -7), brain: b, ahead: map[string]bool{}, answers: map[int64]int{}}
	w.policy.Winner = []Winner{WinnerRooms, WinnerExchange, WinnerNewest}[r.IntN(3)]
	w.exchange = &exchange{r: r, now: w.now}
	w.rooms = &rooms{world: w, sent: map[int64]Content{}, changedIn: map[Part]int64{}, values: map[string]bool{}, knows: map[int]bool{}}
	return w
}

func (w *world) now() time.Time {
	w.clock = w.clock.Add(time.Minute)
	return w.clock
}

func (w *world) fault(text string) { w.faults = append(w.faults, text) }

// chance is true once in n times, and never in calm.
func (w *world) chance(n int) bool { return !w.calm && w.r.IntN(n) == 0 }

// run does what is pending, as a worker does; false when it was killed on the way.
func (w *world) run() bool {
	batch := make([]Incoming, 0, 4)
	for _, c := range w.changes[w.applied:] {
		batch = append(batch, Incoming{Booking: c.booking})
	}
	fates := Supersede(batch, func(string) int64 { return w.link.Revision })
	w.superseded = nil
	w.replay()
	for i, fate := range fates {
		c := w.changes[w.applied+i]
		switch fate {
		case Do:
			c.booking = batch[i].Booking
			if !w.process(c) {
				w.tried = true
				return false
			}
		case Superseded:
			w.superseded = append(w.superseded, c.booking.Revision)
		default:
			w.fault("a revision that rises is " + string(fate))
		}
	}
	w.applied, w.tried = len(w.changes), false
	return true
}

// replay gives the planner a revision again that had its answer.
func (w *world) replay() {
	if w.applied == 0 || !w.chance(10) {
		return
	}
	old := w.changes[w.r.IntN(w.applied)].booking
	if plan := w.brain.decide(old, w.link, Seen{}, w.policy); plan.Answer.Reason != events.RejectedStale {
		w.fault("did an old revision again")
	}
}

// process brings one revision to its answer.
func (w *world) process(c change) bool {
	seen := Seen{}
	w.erased = map[Part]int{}
	if w.tried && !w.brain.forgets {
		seen = w.look(c.booking)
	}
	var overwritten []Part
	for range 8 {
		seen.Overwritten = overwritten
		plan := w.brain.decide(c.booking, w.link, seen, w.policy)
		if w.verbose {
			w.say("decide rev %d: %+v %+v", c.booking.Revision, plan.Answer, stepKinds(plan.Steps))
		}
		if plan.Look {
			seen = w.look(c.booking)
			continue
		}
		if seen.Sight == Gone && w.link.State == LinkLive && !c.booking.Cancelled && plan.Answer.Reason != events.ConflictDeleted {
			w.fault("made anew what people had just deleted")
		}
		if plan.Answer.Reason == events.ConflictDeleted && w.link.State == LinkCancelled {
			w.fault("called ROOMS' own cancellation somebody's")
		}
		written, end := w.execute(c.booking, plan.Steps)
		switch end {
		case "killed":
			return false
		case "":
			if w.chance(40) {
				return false
			}
			w.commit(c, plan, written)
			return true
		}
		w.wandered = true
		if len(plan.Steps) > 0 {
			overwritten = append(overwritten, plan.Answer.Overwritten...)
		}
		seen = w.look(c.booking)
	}
	w.fault("a revision comes to no end")
	return true
}

func stepKinds(steps []Step) []StepKind {
	var out []StepKind
	for _, s := range steps {
		out = append(out, s.Kind)
	}
	return out
}

func (w *world) look(b Booking) Seen {
	var found []Held
	for _, i := range w.exchange.items {
		if i.where == "calendar" && i.bookingID == b.ID {
			h, _ := i.held()
			found = append(found, h)
		}
	}
	seen := w.brain.look(b, w.link, found)
	if seen.Sight == Found {
		i := w.exchange.find(seen.Held.ID)
		w.wandered = w.wandered || w.link.State == LinkLive && i.id != w.link.ItemID
		_, seen.Meetings = w.exchange.find(seen.Held.ID).held()
	}
	if seen.Successor != nil {
		w.wandered = true
		_, seen.SuccessorMeetings = w.exchange.find(seen.Successor.ID).held()
	}
	return seen
}

// execute does the steps. It ends early when it is killed, or when somebody has interfered.
func (w *world) execute(b Booking, steps []Step) (last Written, end string) {
	var created *item
	keys := map[string]string{} // of what we have written to
	for _, s := range steps {
		if w.chance(60) {
			w.people()
		}
		if w.chance(40) {
			return last, "killed"
		}
		if s.ItemID == "" && created != nil {
			s.ItemID, s.ChangeKey = created.id, created.changeKey()
		}
		if key, ok := keys[s.ItemID]; ok {
			s.ChangeKey = key
		}
		i, failed := w.step(b, s)
		if w.chance(40) {
			return last, "killed"
		}
		if failed != "" {
			return last, failed
		}
		if s.Kind == StepCreate {
			created = i
			if w.chance(30) {
				w.exchange.create(b.ID, b.Revision, s.Content) // a proxy sends it twice
				return last, "killed"
			}
		}
		if s.Kind != StepDelete {
			keys[i.id] = i.changeKey()
			last = Written{i.id, i.changeKey()}
		}
	}
	return last, ""
}

func (w *world) step(b Booking, s Step) (*item, string) {
	x := w.exchange
	i := x.find(s.ItemID)
	signed := map[Part]int{}
	if i != nil {
		for p, n := range i.authors {
			signed[p] = n
		}
	}
	var failed string
	switch s.Kind {
	case StepCreate:
		return x.create(b.ID, b.Revision, s.Content), ""
	case StepUpdate:
		i, failed = x.update(s.ItemID, s.ChangeKey, b.Revision, s.Content, s.Parts)
	case StepMeeting:
		i, failed = x.meeting(s.ItemID, s.ChangeKey, s.Original, &s.Content, s.Parts)
	case StepCancelMeeting:
		i, failed = x.meeting(s.ItemID, s.ChangeKey, s.Original, nil, nil)
	case StepDelete:
		raced := i != nil && i.changeKey() != s.ChangeKey
		w.wandered = w.wandered || raced
		if failed = x.delete(s.ItemID); failed == "" {
			w.erase(b, i, signed, raced)
		}
		return i, failed
	}
	if failed == "" {
		w.overwrite(i, signed)
	}
	return i, failed
}

// overwrite accounts for the edits of people that a write has replaced.
func (w *world) overwrite(i *item, signed map[Part]int) {
	is := DigestsOf(i.content, w.policy, "")
	for p, n := range signed {
		if i.authors[p] == n {
			continue
		}
		if is[p] == i.signedAs[p] {
			i.authors[p] = n // it is as they made it
			delete(w.erased, p)
		} else {
			w.erased[p] = n
		}
	}
}

// erase accounts for a deleted item: what people had done to it must live on in the one that took its place.
func (w *world) erase(b Booking, old *item, signed map[Part]int, raced bool) {
	was := DigestsOf(old.content, w.policy, "")
	for _, i := range w.exchange.items {
		if i.where != "calendar" || i.revision != b.Revision || i == old || b.Cancelled {
			continue
		}
		is := DigestsOf(i.content, w.policy, "")
		for p, unsigned := range old.unsigned {
			i.unsigned[p] = i.unsigned[p] || unsigned
		}
		for p, n := range signed {
			if is[p] == was[p] {
				i.authors[p], i.signedAs[p], i.origins[p] = n, is[p], old.origins[p]
				delete(signed, p)
			}
		}
	}
	if old.id == w.link.ItemID && !raced { // a delete does not see a change right before it
		for p, n := range signed {
			w.erased[p] = n
		}
	}
}

// commit stores the answer and the link as one.
func (w *world) commit(c change, plan Plan, written Written) {
	b, a := c.booking, plan.Answer
	w.asTheyMadeIt(written.ItemID)
	for p, n := range w.erased {
		if !w.wandered && !c.knows[n] && !w.broughtBack(b, p) && !w.sentAlike(b, p) && !slices.Contains(a.Overwritten, p) {
			w.fault("overwrote silently: " + string(p))
		}
	}
	for _, revision := range w.superseded {
		w.send(message{revision: revision, answer: Answer{Kind: Applied, Reason: events.AppliedSuperseded}})
	}
	w.link = plan.Done(written, w.now())
	w.noteWandering()
	m := message{revision: b.Revision, answer: a, key: w.link.ChangeKey}
	if w.r.IntN(2) == 0 {
		w.ahead[w.link.ChangeKey] = true
	}
	if plan.Untold {
		m.key = ""
	}
	if i := w.exchange.find(w.link.ItemID); i != nil && !b.Cancelled {
		w.forgetAgreed(b, i)
		if !w.tried || !plan.Untold { // an attempt that broke off may have met a conflict
			w.checkWritten(c, a, i)
		}
		m.content, m.authors = i.told(), copyAuthors(i.authors)
		h, meetings := i.held()
		if plan.Untold {
			w.send(m)
			w.link = TellAnew(w.link, h, meetings, w.policy, w.now())
			w.send(message{kind: events.KindUpdated, key: i.changeKey(), content: i.told(), authors: copyAuthors(i.authors)})
			return
		}
		if w.r.IntN(2) == 0 {
			w.link = Settle(w.link, h, meetings, w.policy)
		}
	}
	w.send(m)
}

// sentAlike says whether a revision that this one superseded had a part as people made it: ROOMS has lost nothing by it.
func (w *world) sentAlike(b Booking, p Part) bool {
	if p.ofMeeting() && len(b.Earlier) > 0 {
		return true // writing a meeting leaves no trace of the revision: nothing tells whose it was
	}
	for _, e := range b.Earlier {
		for _, x := range w.exchange.items {
			if DigestsOf(stored(e.Content), w.policy, "")[p] == x.signedAs[p] {
				return true
			}
		}
	}
	return false
}

// broughtBack says whether people made a part what it was in a version that ROOMS knew, and may have based b on.
func (w *world) broughtBack(b Booking, p Part) bool {
	for _, x := range w.exchange.items {
		if signed, ok := x.signedAs[p]; ok && b.BasedOn != "" && (signed == "" || w.rooms.values[string(p)+signed]) {
			return true
		}
	}
	return false
}

// asTheyMadeIt leaves out of what was overwritten what is there again.
func (w *world) asTheyMadeIt(id string) {
	if i := w.exchange.find(id); i != nil {
		is := DigestsOf(i.content, w.policy, "")
		for p := range w.erased {
			if signed, ok := i.signedAs[p]; ok && is[p] == signed {
				delete(w.erased, p)
			}
		}
	}
}

// forgetAgreed forgets who made the parts that both sides have alike now.
func (w *world) forgetAgreed(b Booking, i *item) {
	want, is := DigestsOf(stored(b.Content), w.policy, ""), DigestsOf(i.content, w.policy, "")
	for _, p := range parts(want, is, i.marks()) {
		if want[p] == is[p] {
			delete(i.authors, p)
			delete(i.origins, p)
		}
	}
}

// marks are the parts that people have had a hand in.
func (i *item) marks() Digests {
	d := Digests{}
	for p := range i.authors {
		d[p] = "signed"
	}
	for p := range i.origins {
		d[p] = "signed"
	}
	return d
}

// checkWritten demands that what ROOMS changed is there, or named as lost, unless somebody changed it since.
func (w *world) checkWritten(c change, a Answer, i *item) {
	want, is := DigestsOf(stored(c.booking.Content), w.policy, ""), DigestsOf(i.content, w.policy, "")
	fits := fitting(mix(i.content, c.booking.Content, func(p Part) bool { return p.ofMeeting() }))
	for p, dirty := range c.dirty {
		if !dirty || w.wandered {
			continue // a copy that the link follows may be older than what ROOMS wrote
		}
		if p.ofMeeting() && (want[p] != "" && !fits(p) || i.peoplesPattern || i.unsigned[p]) {
			continue // Exchange's pattern has no such meeting, or somebody has set it anew
		}
		if want[p] != is[p] && !slices.Contains(a.Lost, p) && i.authors[p] == 0 && a.Reason != events.ConflictDeleted {
			w.fault("did not write silently: " + string(p))
		}
	}
}

// tellOf takes in an appointment as it is, and tells ROOMS of it if it is news.
func (w *world) tellOf(i *item) {
	h, meetings := i.held()
	var news bool
	own := i.changeKey() == w.link.ChangeKey && len(w.link.Open) == 0
	if w.link, news = w.brain.tell(w.link, h, meetings, w.policy, w.now()); news {
		if own {
			w.fault("told ROOMS of its own write")
		}
		w.send(message{kind: events.KindUpdated, key: i.changeKey(), content: i.told(), authors: copyAuthors(i.authors)})
	}
	w.noteWandering()
}

// noteWandering notes that the link follows what a person put there.
func (w *world) noteWandering() {
	if i := w.exchange.find(w.link.ItemID); i != nil && i.peoples {
		w.wandered = true
	}
}

func copyAuthors(m map[Part]int) map[Part]int {
	c := map[Part]int{}
	for p, n := range m {
		c[p] = n
	}
	return c
}

func (w *world) send(m message) {
	if m.answer.Kind != "" {
		w.answers[m.revision]++
	}
	w.messages++
	w.rooms.inbox = append(w.rooms.inbox, m)
}

// pull brings what changed in Exchange.
func (w *world) pull() {
	ids := w.exchange.pulled
	w.exchange.pulled = nil
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		w.pullItem(id)
	}
}

func (w *world) pullItem(id string) {
	i := w.exchange.find(id)
	if i == nil {
		if next := TellGone(w.link, id, w.now()); next.Told.Gone && !w.link.Told.Gone {
			w.link = next
			w.send(message{kind: events.KindDeleted})
		}
		return
	}
	if i.bookingID != theBooking || w.ahead[i.changeKey()] {
		return
	}
	h, meetings := i.held()
	linked := w.exchange.find(w.link.ItemID)
	switch {
	case i.cancelled:
		if next := TellGone(w.link, id, w.now()); next.Told.Gone && !w.link.Told.Gone {
			w.link = next
			w.send(message{kind: events.KindDeleted})
		}
	case w.brain.follows(w.link, h, linked != nil && !linked.cancelled):
		w.tellOf(i)
	case w.link.State == LinkCancelled:
		w.link = TellRestored(w.link, h, meetings, w.policy, w.now())
	}
}
