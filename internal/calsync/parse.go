package calsync

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"roomsync/events"
)

// ParseBooking decodes an event of ROOMS about a booking in mailbox, the address whose changes it came with, and says
// everything that is wrong with it; nothing is corrected silently. With faults the booking has what of its id and its
// revision could be read, so that the event can be answered.
//
// Stored is left to the caller: it is the queue's.
func ParseBooking(e events.Event, mailbox string) (Booking, []events.Invalid) {
	var f faults
	b := Booking{Modified: e.Time}
	switch e.Type {
	case events.TypeBookingUpserted:
		var d events.BookingUpserted
		decode(&f, e.Data, &d)
		f.upserted(&b, d, mailbox)
	case events.TypeBookingCancelled:
		var d events.BookingCancelled
		decode(&f, e.Data, &d)
		f.cancelled(&b, d, mailbox)
	default:
		f.add("type", fmt.Sprintf("%q is no event about a booking", e.Type), "send "+events.TypeBookingUpserted+" or "+events.TypeBookingCancelled)
	}
	return b, f.found
}

// faults collects what is wrong with an event.
type faults struct {
	found  []events.Invalid
	broken map[string]bool // members of the data that could not be decoded: nothing more is said of them
}

func (f *faults) add(field, problem, do string) {
	member, _, _ := strings.Cut(field, ".")
	member, _, _ = strings.Cut(member, "[")
	if !f.broken[member] {
		f.found = append(f.found, events.Invalid{Field: field, Problem: problem, Do: do})
	}
}

// check adds a fault unless ok.
func (f *faults) check(ok bool, field, problem, do string) {
	if !ok {
		f.add(field, problem, do)
	}
}

// decode decodes data as far as that goes. A member that cannot be decoded is a fault, and left out.
func decode(f *faults, data json.RawMessage, into any) {
	if json.Unmarshal(data, into) == nil {
		return
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		f.add("", "the data is no JSON object: "+explain(err), "send the booking as a JSON object")
		f.broken = map[string]bool{"bookingId": true, "revision": true, "mailbox": true, "start": true, "end": true, "timeZone": true}
		return
	}
	broken := map[string]bool{}
	for name, raw := range members {
		one, _ := json.Marshal(map[string]json.RawMessage{name: raw})
		if err := json.Unmarshal(one, into); err != nil {
			field, problem := undecodable(name, err)
			f.add(field, problem, "see the schema of the event's type")
			broken[name] = true
			delete(members, name)
		}
	}
	f.broken = broken
	slices.SortFunc(f.found, func(a, b events.Invalid) int { return strings.Compare(a.Field, b.Field) })
	rest, _ := json.Marshal(members)
	_ = json.Unmarshal(rest, into) // every member was decoded on its own
}

func undecodable(name string, err error) (field, problem string) {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		field = name
		if _, below, ok := strings.Cut(wrong.Field, "."); ok {
			field += "." + below
		}
		return field, "is a JSON " + wrong.Value + ", which does not fit"
	}
	return name, explain(err)
}

func explain(err error) string {
	if err == nil {
		return "it is null"
	}
	return err.Error()
}

func (f *faults) cancelled(b *Booking, d events.BookingCancelled, mailbox string) {
	f.identity(b, d.BookingID, d.Revision, d.Mailbox, mailbox)
	b.Cancelled, b.Notify, b.Message = true, d.SendCancellations, Clean(d.Message)
	f.check(len(d.Message) <= maxBody, "message", "is too long", fmt.Sprintf("send at most %d bytes", maxBody))
}

func (f *faults) upserted(b *Booking, d events.BookingUpserted, mailbox string) {
	f.identity(b, d.BookingID, d.Revision, d.Mailbox, mailbox)
	if d.ModifiedAt != nil {
		b.Modified = *d.ModifiedAt
	}
	b.BasedOn, b.Notify = d.BasedOn, d.SendInvitations
	c := &b.Content
	c.Subject, c.Location = f.line("subject", d.Subject), f.line("location", d.Location)
	c.Body = f.body(d.Body)
	c.FreeBusy = f.word("freeBusy", d.FreeBusy, "Busy", freeBusyOf)
	c.Sensitivity = f.word("sensitivity", d.Sensitivity, "Normal", sensitivityOf)
	c.Reminder = f.reminder(d.Reminder)
	c.Categories = f.categories(d.Categories)
	c.Attendees = f.attendees(d.Attendees, mailbox)
	c.Zone = f.zone(d.TimeZone)
	timed := f.times(c, d)
	f.series(c, d, timed && c.Zone != "")
}

// maxID keeps the key of a link, and our property in Exchange, of a size that both can hold.
const maxID = 255

func (f *faults) identity(b *Booking, id string, revision int64, named, mailbox string) {
	b.ID, b.Revision = id, revision
	f.check(id != "", "bookingId", "is missing", "name the booking")
	f.check(len(id) <= maxID, "bookingId", "is too long", fmt.Sprintf("use at most %d bytes", maxID))
	f.check(Clean(id) == id && oneLine(id) == id, "bookingId", "has control characters or blanks at its ends", "use printable characters")
	f.check(revision >= 1, "revision", "is missing or below 1", "count revisions from 1")
	f.check(strings.EqualFold(named, mailbox), "mailbox", fmt.Sprintf("is %q, and the event came for %q", named, mailbox),
		"publish on the subject of the mailbox that the data names")
}
