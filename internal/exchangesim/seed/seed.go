// Package seed fills a simulated Exchange with a believable company: people and rooms, calendars that are full today,
// series with exceptions, private and all-day appointments, several time zones. The same seed on the same day gives the
// same company.
package seed

import (
	"fmt"
	"math/rand/v2"
	"time"

	"roomsync/internal/exchangesim/store"
)

// DefaultDomain is the domain of the addresses.
const DefaultDomain = "contoso.example"

// Options describes the company. Zero fields have the defaults below.
type Options struct {
	Seed      uint64
	Mailboxes int    // four of five are people, the others rooms; 200 when 0, none when negative
	Items     int    // appointments and series of each mailbox's own; 20 when 0, none when negative
	Domain    string // DefaultDomain when empty
	// Magic lists beginnings of addresses, such as "busy": each gets one mailbox more, PREFIX@domain.
	Magic []string
	// From skips that many people and rooms, to add to a company that was seeded before.
	FromPerson, FromRoom int
	// People and Rooms replace Mailboxes when either is greater than 0.
	People, Rooms int
}

// Result counts what was made.
type Result struct {
	People int `json:"people"`
	Rooms  int `json:"rooms"`
	Items  int `json:"items"`
}

func (o Options) withDefaults() Options {
	if o.People == 0 && o.Rooms == 0 {
		if o.Mailboxes == 0 {
			o.Mailboxes = 200
		}
		n := max(o.Mailboxes, 0)
		o.Rooms = n / 5
		o.People = n - o.Rooms
	}
	if o.Items == 0 {
		o.Items = 20
	}
	if o.Domain == "" {
		o.Domain = DefaultDomain
	}
	return o
}

// Person is the address of the n-th person, counted from 1, and Room that of the n-th room.
func Person(n int, domain string) string { return fmt.Sprintf("user%04d@%s", n, domain) }

// Room is the address of the n-th room, counted from 1.
func Room(n int, domain string) string { return fmt.Sprintf("room%04d@%s", n, domain) }

// Fill makes the mailboxes and their appointments. It fails when an address is taken.
func Fill(c *store.Company, opts Options) (Result, error) {
	f := &filler{Options: opts.withDefaults(), company: c}
	f.today = store.DateOf(c.Now(), time.UTC)
	if err := f.mailboxes(); err != nil {
		return f.made, fmt.Errorf("seed: %w", err)
	}
	if f.Items < 0 {
		return f.made, nil
	}
	for _, m := range f.boxes {
		if err := f.calendar(m); err != nil {
			return f.made, fmt.Errorf("seed: %s: %w", m.Address, err)
		}
	}
	return f.made, nil
}

type filler struct {
	Options
	company *store.Company
	today   store.Date
	boxes   []*store.Mailbox // people before rooms
	people  []*store.Mailbox
	made    Result
}

func (f *filler) mailboxes() error {
	for n := f.FromPerson + 1; n <= f.FromPerson+f.People; n++ {
		if err := f.person(Person(n, f.Domain)); err != nil {
			return err
		}
	}
	for _, prefix := range f.Magic {
		if err := f.person(prefix + "@" + f.Domain); err != nil {
			return err
		}
	}
	f.people = f.boxes
	return f.rooms()
}

func (f *filler) person(address string) error {
	r := f.dice(address, "person")
	name := pick(r, firstNames) + " " + pick(r, lastNames)
	return f.add(store.MailboxSpec{Address: address, Name: name, Kind: store.KindPerson, Zone: pick(r, zones)}, &f.made.People)
}

func (f *filler) rooms() error {
	var addresses []string
	for n := f.FromRoom + 1; n <= f.FromRoom+f.Rooms; n++ {
		address := Room(n, f.Domain)
		r := f.dice(address, "room")
		name := fmt.Sprintf("%s %d.%02d (%d)", pick(r, buildings), 1+(n-1)/20%6, 1+(n-1)%20, 4+2*r.IntN(9))
		if err := f.add(store.MailboxSpec{Address: address, Name: name, Kind: store.KindRoom}, &f.made.Rooms); err != nil {
			return err
		}
		addresses = append(addresses, address)
	}
	if len(addresses) > 0 && f.FromRoom == 0 {
		f.company.AddRoomList(store.RoomList{Name: "All rooms", Address: "rooms@" + f.Domain, Rooms: addresses})
	}
	return nil
}

func (f *filler) add(spec store.MailboxSpec, count *int) error {
	m, err := f.company.AddMailbox(spec)
	if err != nil {
		return err
	}
	*count++
	f.boxes = append(f.boxes, m)
	return nil
}

// dice are thrown for one mailbox and purpose: what one mailbox gets does not depend on the others.
func (f *filler) dice(address, purpose string) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, b := range []byte(address + "|" + purpose) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(f.Seed, h))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
