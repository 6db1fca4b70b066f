package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim/store"
)

// desk is ROOMS in small: it makes bookings, changes them, takes over what it is told of Exchange, and keeps account of the
// answers. It knows nothing of the engine but the contract.
type desk struct {
	t   *testing.T
	bus *bus.Bus

	mu       sync.Mutex
	bookings map[string]*booked
	items    map[string]*booked // by the appointment's id
	asked    map[edition]bool   // that an answer came
	reasons  map[string]int     // answers by type and reason
	faults   []string
	open     int // revisions without an answer, of all bookings
}

// booked is a booking as ROOMS has it.
type booked struct {
	data      events.BookingUpserted // the newest, with what Exchange's users made of it
	cancelled bool
	item      string // the appointment's id, as last answered
	changeKey string
	open      int // revisions without an answer
}

// edition is a revision of a booking.
type edition struct {
	booking  string
	revision int64
}

func newDesk(t *testing.T, b *bus.Bus) *desk {
	return &desk{t: t, bus: b, bookings: map[string]*booked{}, items: map[string]*booked{}, asked: map[edition]bool{}, reasons: map[string]int{}}
}

// book makes a booking and publishes its first revision.
func (d *desk) book(id, mailbox string, start time.Time, change func(*events.BookingUpserted)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := start.Add(time.Hour)
	b := &booked{data: events.BookingUpserted{
		BookingID: id, Mailbox: mailbox, Subject: "booking " + id, Location: "Säntis", Start: &start, End: &end,
		TimeZone: events.TimeZone{IANA: "Europe/Zurich"}, FreeBusy: events.Busy, Sensitivity: events.Normal,
	}}
	d.bookings[id] = b
	d.publish(b, change)
}

// change publishes a next revision, unless the booking is cancelled.
func (d *desk) change(id string, change func(*events.BookingUpserted)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.bookings[id]
	if b.cancelled {
		return false
	}
	d.publish(b, change)
	return true
}

// cancel publishes a cancellation, unless the booking is cancelled.
func (d *desk) cancel(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.bookings[id]
	if b.cancelled {
		return false
	}
	b.cancelled = true
	b.data.Revision++
	d.send(b, events.TypeBookingCancelled, events.BookingCancelled{BookingID: id, Revision: b.data.Revision, Mailbox: b.data.Mailbox})
	return true
}

func (d *desk) publish(b *booked, change func(*events.BookingUpserted)) {
	b.data.Revision++
	change(&b.data)
	d.send(b, events.TypeBookingUpserted, b.data)
}

// send stores an event, for as long as it takes.
func (d *desk) send(b *booked, typ string, data any) {
	raw, err := json.Marshal(data)
	must(d.t, err)
	e := events.Event{ID: fmt.Sprintf("%s/%d", b.data.BookingID, b.data.Revision), Source: "urn:rooms:desk", Type: typ, Time: time.Now(), Data: raw}
	mb := events.MailboxToken(b.data.Mailbox)
	b.open++
	d.open++
	d.asked[edition{b.data.BookingID, b.data.Revision}] = false
	for try := 1; ; try++ {
		if _, err = d.bus.PublishChange(d.t.Context(), mb, e); err == nil {
			return
		}
		if try == 10 {
			d.t.Fatalf("publishing %s: %v", e.ID, err)
		}
	}
}

// take takes an event over.
func (d *desk) take(e bus.Delivered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e.Type {
	case events.TypeCalendarChanged:
		var page events.CalendarChanged
		d.decode(e, &page)
		for _, c := range page.Changes {
			d.told(c)
		}
	case events.TypeBookingApplied:
		var a events.BookingApplied
		d.decode(e, &a)
		if b := d.answered(e, a.BookingID, a.Revision, a.Reason); b != nil && a.Reason != events.AppliedSuperseded {
			d.stands(b, a.ItemID, a.ChangeKey)
		}
	case events.TypeBookingConflict:
		var a events.BookingConflict
		d.decode(e, &a)
		if b := d.answered(e, a.BookingID, a.Revision, a.Reason); b != nil {
			d.conflict(b, a)
		}
	case events.TypeBookingRejected:
		var a events.BookingRejected
		d.decode(e, &a)
		if d.answered(e, a.BookingID, a.Revision, a.Reason) != nil && a.Reason != events.RejectedStale {
			d.fault("%s/%d rejected: %s %s %v", a.BookingID, a.Revision, a.Reason, a.Code, a.Faults)
		}
	}
}

func (d *desk) decode(e bus.Delivered, data any) {
	if err := json.Unmarshal(e.Data, data); err != nil {
		d.fault("event %s: %v", e.ID, err)
	}
}

func (d *desk) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

// answered keeps account of an answer; every revision has one.
func (d *desk) answered(e bus.Delivered, id string, revision int64, reason string) *booked {
	key := edition{id, revision}
	had, known := d.asked[key]
	switch {
	case !known:
		d.fault("an answer to %v, which nobody asked", key)
		return nil
	case had:
		d.fault("a second answer to %v: %s %s", key, e.Type, reason)
	default:
		d.bookings[id].open--
		d.open--
	}
	d.asked[key] = true
	d.reasons[e.Type+" "+reason]++
	return d.bookings[id]
}

// stands notes which appointment is the booking's.
func (d *desk) stands(b *booked, item, changeKey string) {
	if b.item != item {
		delete(d.items, b.item)
	}
	b.item, b.changeKey = item, changeKey
	if item != "" {
		d.items[item] = b
	}
}

// conflict gives in: what stands in Exchange counts, unless a newer revision of ours is on its way.
func (d *desk) conflict(b *booked, a events.BookingConflict) {
	switch a.Reason {
	case events.ConflictDeleted:
		d.stands(b, "", "")
		if a.Revision == b.data.Revision {
			b.cancelled = true
		}
	case events.ConflictChanged:
		d.stands(b, a.ItemID, a.ChangeKey)
		if a.Current != nil && a.Revision == b.data.Revision {
			d.adopt(b, *a.Current)
		}
	}
}

// told takes over what somebody did in Exchange. While a revision of ours is on its way its answer will say who won.
func (d *desk) told(c events.Change) {
	b := d.items[c.ItemID]
	if c.BookingID != "" {
		if b = d.bookings[c.BookingID]; b == nil {
			d.fault("a change of booking %q, which nobody made", c.BookingID)
			return
		}
		d.stands(b, c.ItemID, c.ChangeKey)
	}
	switch {
	case b == nil:
	case c.Kind == events.KindDeleted:
		d.stands(b, "", "")
		if b.open == 0 {
			b.cancelled = true
		}
	case b.open == 0:
		b.cancelled = false
		d.adopt(b, c)
	}
}

func (d *desk) adopt(b *booked, c events.Change) {
	b.data.Subject, b.data.Location, b.data.Start, b.data.End = c.Subject, c.Location, c.Start, c.End
	b.changeKey = c.ChangeKey
}

// settled says what is still open, or where the two sides differ.
func (d *desk) settled(company *store.Company) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	stand := map[string][]*store.Item{}
	for _, m := range company.Mailboxes() {
		items, err := m.Items(m.Calendar())
		if err != nil {
			return err
		}
		for _, it := range items {
			if id := it.Booking("BookingId"); id != "" {
				stand[id] = append(stand[id], it)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.bookings)) {
		if err := d.differs(d.bookings[id], stand[id]); err != nil {
			return fmt.Errorf("booking %s: %w", id, err)
		}
	}
	return nil
}

func (d *desk) differs(b *booked, stand []*store.Item) error {
	switch {
	case b.open > 0:
		return fmt.Errorf("%d revisions up to %d have no answer", b.open, b.data.Revision)
	case b.cancelled && len(stand) > 0:
		return fmt.Errorf("is cancelled, yet %q stands in Exchange", stand[0].Subject)
	case b.cancelled:
		return nil
	case len(stand) != 1:
		return fmt.Errorf("stands %d times in Exchange", len(stand))
	}
	it := stand[0]
	if it.Subject != b.data.Subject || it.Location != b.data.Location || !it.Start.Equal(*b.data.Start) || !it.End.Equal(*b.data.End) {
		return fmt.Errorf("ROOMS has %q at %q %v to %v, Exchange %q at %q %v to %v", b.data.Subject, b.data.Location, b.data.Start, b.data.End,
			it.Subject, it.Location, it.Start, it.End)
	}
	return nil
}
