package store

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// A resource mailbox has a booking attendant that accepts or declines by itself, some seconds after an invitation came, and
// shows in the calendar who booked rather than what for: by default it replaces the subject by the organizer's name and
// drops the body (Set-CalendarProcessing: AutomateProcessing, AddOrganizerToSubject, DeleteSubject, DeleteComments, AllowConflicts).
// https://learn.microsoft.com/powershell/module/exchange/set-calendarprocessing
//
// Here it also tidies appointments that a client wrote into the room's calendar itself. The real one is not known to do so;
// a client that bears this bears both.

// attendantName is the actor of what attendants do.
const attendantName = "booking attendant"

// bookingWindow is how far ahead a series is checked for conflicts (BookingWindowInDays).
const bookingWindow = 180 * day

// tasks are what happens later by itself. It is done when somebody looks, see [Company.Work].
type tasks struct {
	doing sync.Mutex // one at a time: two answers to an invitation would make two copies
	mu    sync.Mutex
	list  []task
}

type task struct {
	due time.Time
	do  func()
}

func (c *Company) later(after time.Duration, do func()) {
	c.tasks.mu.Lock()
	defer c.tasks.mu.Unlock()
	c.tasks.list = append(c.tasks.list, task{c.opts.Now().Add(after), do})
}

// Work does what was to happen by now, in order. The EWS handler and the admin API call it before each request; whoever reads
// mailboxes directly calls it himself.
func (c *Company) Work() {
	c.tasks.doing.Lock()
	defer c.tasks.doing.Unlock()
	for {
		t, ok := c.tasks.next(c.opts.Now())
		if !ok {
			return
		}
		t.do()
	}
}

func (l *tasks) next(now time.Time) (task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return task{}, false
	}
	first := 0
	for i, t := range l.list {
		if t.due.Before(l.list[first].due) {
			first = i
		}
	}
	t := l.list[first]
	if t.due.After(now) {
		return task{}, false
	}
	l.list = slices.Delete(l.list, first, first+1)
	return t, true
}

// SetAttendant switches the mailbox's booking attendant on, to act so long after an invitation or a change, or off.
func (m *Mailbox) SetAttendant(on bool, delay time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attended, m.attendantDelay = on, delay
}

func (m *Mailbox) attendant() (delay time.Duration, on bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.attendantDelay, m.attended
}

// deliver hands an invitation to a room's attendant.
func (c *Company) deliver(from *Mailbox, kind InvitationKind, it *Item, recipient string) {
	room := c.Mailbox(recipient)
	if room == nil {
		return
	}
	delay, on := room.attendant()
	if !on {
		return
	}
	id, uid := it.ID, it.UID
	if it.MasterID != "" {
		id, kind = it.MasterID, InviteUpdate // what happens to a meeting changes its series
	}
	c.later(delay, func() {
		if kind == InviteCancel {
			room.forget(uid)
			return
		}
		room.consider(from, id)
	})
}

// consider answers an invitation: the room's calendar gets a copy, or the organizer a refusal.
func (m *Mailbox) consider(from *Mailbox, id string) {
	wanted, err := from.Item(id)
	if err != nil {
		return // gone meanwhile
	}
	if m.conflicts(from, wanted) {
		m.forget(wanted.UID)
		from.respond(id, m, "Decline")
		return
	}
	m.accept(wanted)
	from.respond(id, m, "Accept")
}

// conflicts says whether something else stands in the room's calendar when the meeting, or one of the series, takes place.
func (m *Mailbox) conflicts(from *Mailbox, wanted *Item) bool {
	meetings := []*Item{wanted}
	if wanted.Recurrence != nil {
		meetings = from.series(wanted).overlapping(wanted.Start, wanted.Start.Add(bookingWindow))
	}
	for _, meeting := range meetings {
		for _, other := range m.Busy(meeting.Start, meeting.End) {
			if other.UID != wanted.UID && other.FreeBusy != "Free" && other.Start.Before(meeting.End) && other.End.After(meeting.Start) {
				return true
			}
		}
	}
	return false
}

// accept puts a copy of the meeting into the room's calendar, or brings the one there up to date. Extended properties stay
// with the organizer; whether a real attendant copies them is not known.
func (m *Mailbox) accept(wanted *Item) {
	booked := wanted.clone()
	booked.Subject, booked.Body, booked.Extended = wanted.Organizer.Name, Body{}, nil
	booked.MyResponse, booked.FreeBusy, booked.ReminderSet = "Accept", "Busy", false
	if there := m.byUID(wanted.UID); there != nil {
		m.put(there.ID, func(it *Item) {
			booked.ID, booked.FolderID, booked.Created = it.ID, it.FolderID, it.Created
			*it = *booked
		})
		return
	}
	_, _ = m.Create(Actor{Name: attendantName}, m.Calendar(), booked) // what the organizer could save can be saved here
}

// forget takes the copy of a meeting out of the room's calendar.
func (m *Mailbox) forget(uid string) {
	if there := m.byUID(uid); there != nil {
		_ = m.Delete(Actor{Name: attendantName}, there.ID, "", MoveToDeletedItems)
	}
}

func (m *Mailbox) byUID(uid string) *Item {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, n := range m.byName["calendar"].live {
		if n.item.UID == uid {
			return n.item
		}
	}
	return nil
}

// respond notes an attendee's answer in the organizer's copy.
func (m *Mailbox) respond(id string, attendee *Mailbox, response string) {
	m.put(id, func(it *Item) {
		for _, list := range [][]Attendee{it.Required, it.Optional, it.Resources} {
			for i := range list {
				if strings.EqualFold(list[i].Address, attendee.Address) {
					list[i].Response, list[i].Replied = response, m.now()
				}
			}
		}
	})
}

// put changes an item without what a client's update leads to, such as the loss of a series' exceptions.
func (m *Mailbox) put(id string, change func(*Item)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.node(id)
	if err != nil {
		return
	}
	changed := n.item.clone()
	change(changed)
	what := diff(n.item, changed)
	if what == 0 {
		return
	}
	n.item = changed
	m.touch(n, Actor{Name: attendantName}, what)
	m.effect(Actor{Name: attendantName}, EffectUpdate, n, Effect{})
}

// tidyLater lets the attendant tidy an appointment that somebody else wrote into an attended calendar. m is locked.
func (m *Mailbox) tidyLater(by Actor, kind EffectKind, n *node) {
	written := kind == EffectCreate || kind == EffectUpdate
	if m.attended && written && by.Name != attendantName && n.folder.name == "calendar" {
		id := n.id
		m.company.later(m.attendantDelay, func() { m.tidy(id) })
	}
}

// TidyLater has an appointment tidied after so long, as if the mailbox had an attendant.
func (m *Mailbox) TidyLater(id string, after time.Duration) {
	m.company.later(after, func() { m.tidy(id) })
}

func (m *Mailbox) tidy(id string) {
	m.put(id, func(it *Item) { it.Subject, it.Body = it.Organizer.Name, Body{} })
}

// Touch gives an item a new change key and changes nothing else, as a server does that looks after its own properties.
func (m *Mailbox) Touch(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.node(id)
	if err != nil {
		return
	}
	n.item = n.item.clone()
	m.touch(n, Actor{Name: "server"}, FieldOther)
	m.effect(Actor{Name: "server"}, EffectUpdate, n, Effect{})
}
