package store

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// InvitationKind says what an attendee is told.
type InvitationKind string

// Kinds of invitations.
const (
	InviteRequest InvitationKind = "request"
	InviteUpdate  InvitationKind = "update"
	InviteCancel  InvitationKind = "cancellation"
)

// Invitation is a message about a meeting to one attendee. It is recorded and, but for rooms with a booking attendant, delivered
// to nobody.
type Invitation struct {
	Seq       uint64         `json:"seq"` // counts all invitations, from 1
	Time      time.Time      `json:"time"`
	Mailbox   string         `json:"mailbox"` // the organizer's
	Recipient string         `json:"recipient"`
	Kind      InvitationKind `json:"kind"`
	ItemID    string         `json:"itemId"`
	UID       string         `json:"uid"`
	Booking   string         `json:"booking,omitempty"` // the client's own extended property, see Options
	Call      uint64         `json:"call,omitempty"`
	Message   string         `json:"message,omitempty"` // what the organizer wrote to go along
	// OriginalDate names the occurrence (yyyy-mm-dd) that it is about.
	OriginalDate string `json:"originalDate,omitempty"`
}

// InvitationCount is how many of each kind an attendee got for a booking, or for a meeting that has none by its UID.
type InvitationCount struct {
	Booking       string `json:"booking,omitempty"`
	UID           string `json:"uid,omitempty"`
	Recipient     string `json:"recipient"`
	Requests      int    `json:"requests"`
	Updates       int    `json:"updates"`
	Cancellations int    `json:"cancellations"`
}

type invitationLog struct {
	mu  sync.Mutex
	seq uint64
	all []Invitation
}

// Invite records what the attendees in the list are told of a meeting.
func (m *Mailbox) Invite(by Actor, kind InvitationKind, it *Item, to []Attendee, message string) {
	for _, a := range to {
		if strings.EqualFold(a.Address, it.Organizer.Address) {
			continue
		}
		m.company.invitations.add(Invitation{
			Time: m.company.opts.Now(), Mailbox: m.Address, Recipient: strings.ToLower(a.Address), Kind: kind, ItemID: it.ID, UID: it.UID,
			Booking: it.Booking(m.company.opts.BookingProperty), Call: by.Call, Message: message, OriginalDate: originalDate(it),
		})
		m.company.deliver(m, kind, it, a.Address)
	}
}

func originalDate(it *Item) string {
	loc, ok := Location(it.StartZone)
	if it.OriginalStart.IsZero() || !ok {
		return ""
	}
	return DateOf(it.OriginalStart, loc).String()
}

func (l *invitationLog) add(i Invitation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	i.Seq = l.seq
	if len(l.all) >= maxEffects {
		l.all = append([]Invitation(nil), l.all[maxEffects/2:]...)
	}
	l.all = append(l.all, i)
}

// Invitations returns the invitations with a greater sequence number than since, oldest first.
func (c *Company) Invitations(since uint64) []Invitation {
	l := &c.invitations
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.all), func(i int) bool { return l.all[i].Seq > since })
	return append([]Invitation(nil), l.all[i:]...)
}

// InvitationCounts sums all invitations up: the judge of doubled ones.
func (c *Company) InvitationCounts() []InvitationCount {
	sums := map[InvitationCount]*InvitationCount{}
	for _, i := range c.Invitations(0) {
		key := InvitationCount{Booking: i.Booking, Recipient: i.Recipient}
		if i.Booking == "" {
			key.UID = i.UID
		}
		sum := sums[key]
		if sum == nil {
			fresh := key
			sum = &fresh
			sums[key] = sum
		}
		switch i.Kind {
		case InviteRequest:
			sum.Requests++
		case InviteUpdate:
			sum.Updates++
		case InviteCancel:
			sum.Cancellations++
		}
	}
	list := []InvitationCount{}
	for _, sum := range sums {
		list = append(list, *sum)
	}
	slices.SortFunc(list, func(a, b InvitationCount) int {
		return cmp.Or(cmp.Compare(a.Booking, b.Booking), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Recipient, b.Recipient))
	})
	return list
}
