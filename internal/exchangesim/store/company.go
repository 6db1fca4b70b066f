// Package store is the simulated Exchange's memory: mailboxes, folders, calendar items, the log that SyncFolderItems
// reads, and a record of every effect for those who audit the product.
//
// It follows what Exchange does rather than what is convenient: ids with Exchange's layout (MS-OXWSITEMID), one change
// key for a series and all its occurrences, a new id for a moved item, occurrences that synchronization never lists.
// Everything is safe for concurrent use; there is one lock for each mailbox.
//
// Items are immutable once stored. A read hands out the stored item itself, a write replaces it; so readers pay
// nothing and see no half-made change. Callers must not modify an [Item] they were given.
package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultZone is the time zone of a mailbox that names none.
const DefaultZone = "W. Europe Standard Time"

// Options configures a [Company]. The zero value is ready to use.
type Options struct {
	// Seed makes ids reproducible: the same seed and the same calls in each mailbox give the same ids.
	Seed int64
	// Now is the server's clock; time.Now when nil.
	Now func() time.Time
	// BookingProperty names the extended property that effects carry in Booking; "BookingId" when empty.
	BookingProperty string
}

// Company is an Exchange organization.
type Company struct {
	opts    Options
	effects effectLog

	invitations invitationLog
	tasks       tasks

	mu        sync.RWMutex
	byAddress map[string]*Mailbox
	byGUID    map[guid]*Mailbox
	lists     []RoomList
}

// RoomList is a distribution group of rooms, as GetRoomLists reports it.
type RoomList struct {
	Name, Address string
	Rooms         []string // addresses
}

// New returns an empty organization.
func New(opts Options) *Company {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.BookingProperty == "" {
		opts.BookingProperty = "BookingId"
	}
	c := &Company{opts: opts, byAddress: map[string]*Mailbox{}, byGUID: map[guid]*Mailbox{}}
	c.effects.changed = make(chan struct{})
	return c
}

// Now is the time by the server's clock, UTC, in whole seconds as the calendar protocol reports it.
func (c *Company) Now() time.Time { return c.opts.Now().UTC().Truncate(time.Second) }

// MailboxSpec describes a mailbox to make.
type MailboxSpec struct {
	Address string // primary SMTP address
	Name    string // display name; the local part of Address when empty
	Kind    Kind   // KindPerson when empty
	Zone    string // Windows time zone id; DefaultZone when empty
}

// Kind says whose mailbox it is.
type Kind string

// Kinds of mailboxes.
const (
	KindPerson Kind = "person"
	KindRoom   Kind = "room"
)

// AddMailbox makes a mailbox with the usual folders. It fails when the address is taken or no address, or when the
// time zone is unknown.
func (c *Company) AddMailbox(spec MailboxSpec) (*Mailbox, error) {
	address := strings.ToLower(spec.Address)
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" {
		return nil, fmt.Errorf("mailbox address %q: want name@domain", spec.Address)
	}
	spec.Address = address
	spec.Name = cmp.Or(spec.Name, local)
	spec.Kind = cmp.Or(spec.Kind, KindPerson)
	spec.Zone = cmp.Or(spec.Zone, DefaultZone)
	if _, ok := Location(spec.Zone); !ok {
		return nil, fmt.Errorf("mailbox %s: unknown Windows time zone %q", address, spec.Zone)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byAddress[address] != nil {
		return nil, fmt.Errorf("mailbox %s exists already", address)
	}
	m := newMailbox(c, spec)
	c.byAddress[address] = m
	c.byGUID[m.guid] = m
	return m, nil
}

// RemoveMailbox forgets a mailbox and everything in it, and reports whether there was one.
func (c *Company) RemoveMailbox(address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byAddress[strings.ToLower(address)]
	if m == nil {
		return false
	}
	delete(c.byAddress, m.Address)
	delete(c.byGUID, m.guid)
	return true
}

// Mailbox returns the mailbox with that primary SMTP address (case does not matter), nil if there is none.
func (c *Company) Mailbox(address string) *Mailbox {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.byAddress[address]; m != nil {
		return m
	}
	return c.byAddress[strings.ToLower(address)]
}

// Mailboxes returns all mailboxes in order of their addresses.
func (c *Company) Mailboxes() []*Mailbox {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*Mailbox, 0, len(c.byAddress))
	for _, m := range c.byAddress {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *Mailbox) int { return strings.Compare(a.Address, b.Address) })
	return all
}

// AddRoomList adds a list of rooms.
func (c *Company) AddRoomList(l RoomList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists = append(c.lists, l)
}

// RoomLists returns the lists of rooms in the order in which they were added.
func (c *Company) RoomLists() []RoomList {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.lists)
}

func (c *Company) mailboxByGUID(g guid) *Mailbox {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byGUID[g]
}
