package worker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/testenv"
)

// booked is a booking of alice's, two days from now.
func booked(id string, revision int64, change func(*events.BookingUpserted)) events.BookingUpserted {
	start := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Hour)
	end := start.Add(time.Hour)
	b := events.BookingUpserted{BookingID: id, Revision: revision, Mailbox: alice, Subject: "Budget", Location: "Säntis",
		Start: &start, End: &end, TimeZone: events.TimeZone{IANA: "Europe/Zurich"}}
	if change != nil {
		change(&b)
	}
	return b
}

func publish(e *testenv.Env, typ, id string, data any) {
	e.T.Helper()
	raw, err := json.Marshal(data)
	testenv.Must(e.T, err)
	_, err = e.Bus.PublishChange(e.T.Context(), events.MailboxToken(alice), events.Event{
		ID: id, Source: "urn:rooms:test", Type: typ, Time: time.Now(), Data: raw,
	})
	testenv.Must(e.T, err)
}

func upsert(e *testenv.Env, b events.BookingUpserted) {
	e.T.Helper()
	publish(e, events.TypeBookingUpserted, fmt.Sprintf("%s/%d", b.BookingID, b.Revision), b)
}

func cancel(e *testenv.Env, id string, revision int64) {
	e.T.Helper()
	publish(e, events.TypeBookingCancelled, fmt.Sprintf("%s/%d", id, revision), events.BookingCancelled{BookingID: id, Revision: revision, Mailbox: alice})
}

// answer is the next event, which must be of the given type.
func answer[T any](e *testenv.Env, ch <-chan bus.Delivered, typ string) T {
	e.T.Helper()
	d := e.Next(ch, 10*time.Minute)
	if d.Type != typ {
		e.T.Fatalf("event %s, want %s: %s", d.Type, typ, d.Data)
	}
	return data[T](e, d)
}

func applied(e *testenv.Env, ch <-chan bus.Delivered, reason string) events.BookingApplied {
	e.T.Helper()
	a := answer[events.BookingApplied](e, ch, events.TypeBookingApplied)
	if a.Reason != reason {
		e.T.Fatalf("applied, %s; want %s: %+v", a.Reason, reason, a)
	}
	return a
}

// standing are the appointments in alice's calendar that carry a booking's id.
func standing(e *testenv.Env, id string) []*store.Item {
	e.T.Helper()
	m := e.Sim.Company().Mailbox(alice)
	items, err := m.Items(m.Calendar())
	testenv.Must(e.T, err)
	return slices.DeleteFunc(items, func(it *store.Item) bool { return it.Booking("BookingId") != id })
}

// one is the only appointment of a booking.
func one(e *testenv.Env, id string) *store.Item {
	e.T.Helper()
	all := standing(e, id)
	if len(all) != 1 {
		e.T.Fatalf("booking %s stands %d times in the calendar", id, len(all))
	}
	return all[0]
}

// edit is a person's change of an appointment.
func edit(e *testenv.Env, it *store.Item, change func(*store.Item)) *store.Item {
	e.T.Helper()
	now, _, err := e.Sim.Company().Mailbox(alice).Update(store.Actor{Name: "alice"}, it.ID, store.Basis{Resolution: store.AlwaysOverwrite}, func(it *store.Item) error {
		change(it)
		return nil
	})
	testenv.Must(e.T, err)
	return now
}

func TestBooking_FromItsBeginningToItsEnd(t *testing.T) {
	world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		b := booked("b-1", 1, nil)
		began := time.Now()
		upsert(e, b)
		a := applied(e, ch, events.AppliedCreated)
		if took := time.Since(began); took > time.Second {
			t.Errorf("created after %v", took)
		}
		it := one(e, "b-1")
		if it.ID != a.ItemID || it.ChangeKey != a.ChangeKey || it.Subject != "Budget" || it.Location != "Säntis" || !it.Start.Equal(*b.Start) || it.ReminderSet {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 5*time.Minute)

		b.Revision, b.Subject = 2, "Budget 2027"
		upsert(e, b)
		a = applied(e, ch, events.AppliedUpdated)
		if it = one(e, "b-1"); it.Subject != "Budget 2027" || it.ChangeKey != a.ChangeKey || it.ID != a.ItemID || a.UID != it.UID {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 5*time.Minute)

		upsert(e, b) // a copy that comes late has its answer already
		b.Revision = 3
		upsert(e, b)
		applied(e, ch, events.AppliedUnchanged)
		cancel(e, "b-1", 4)
		if a = applied(e, ch, events.AppliedCancelled); a.ItemID != "" || len(standing(e, "b-1")) > 0 {
			t.Errorf("cancelled, yet %d stand there: %+v", len(standing(e, "b-1")), a)
		}
		b.Revision = 4
		publish(e, events.TypeBookingUpserted, "late", b)
		if r := answer[events.BookingRejected](e, ch, events.TypeBookingRejected); r.Reason != events.RejectedStale {
			t.Errorf("a revision after the cancellation: %+v", r)
		}
		e.Quiet(ch, 5*time.Minute)
		if n := len(standing(e, "b-1")); n > 0 {
			t.Errorf("a cancelled booking stands there %d times", n)
		}
	})
}

func TestBooking_InvalidOnesNameEveryFault(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		upsert(e, booked("b-1", 1, func(b *events.BookingUpserted) {
			b.End, b.FreeBusy, b.TimeZone.IANA = b.Start, "perhaps", "Europe/Atlantis"
		}))
		r := answer[events.BookingRejected](e, ch, events.TypeBookingRejected)
		if r.Reason != events.RejectedInvalid || len(r.Faults) != 3 || r.BookingID != "b-1" || r.Revision != 1 {
			t.Errorf("%+v", r)
		}
		upsert(e, booked("b-1", 2, nil))
		applied(e, ch, events.AppliedCreated)
	})
}

func TestBooking_SupersededByALaterOne(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1, BusyShare: exchangesim.NoBusyShare}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		e.Want(alice)
		for i := range 5 {
			upsert(e, booked("b-1", int64(i+1), func(b *events.BookingUpserted) { b.Subject = fmt.Sprint("version ", i+1) }))
		}
		cancel(e, "b-2", 1)
		time.Sleep(time.Second) // the dispatcher has passed them on by then
		e.Worker("w1", nil)
		for range 4 {
			applied(e, ch, events.AppliedSuperseded)
		}
		applied(e, ch, events.AppliedCreated)
		applied(e, ch, events.AppliedUnchanged)
		if it := one(e, "b-1"); it.Subject != "version 5" {
			t.Errorf("%q stands there", it.Subject)
		}
		if n := creates(e, "b-1"); n != 1 {
			t.Errorf("%d were created", n)
		}
	})
}

// creates counts the appointments that were made with a booking's id.
func creates(e *testenv.Env, id string) (n int) {
	for _, x := range e.Sim.Company().Effects(0) {
		if x.Kind == store.EffectCreate && x.Booking == id {
			n++
		}
	}
	return n
}

// TestBooking_AnswerLost: the write was done, and nobody could know.
func TestBooking_AnswerLost(t *testing.T) {
	for _, op := range []string{"CreateItem", "UpdateItem", "DeleteItem"} {
		for i, how := range []faults.Then{{Reset: true}, {Status: 504}, {Cut: 60}} {
			t.Run(fmt.Sprint(op, i), func(t *testing.T) {
				world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
					synced(e, ch)
					_, err := e.Sim.Faults().Add(faults.Rule{Fault: "E22", Mailbox: alice, Operation: op, Then: []faults.Then{how}, Until: faults.Until{Count: 2}})
					testenv.Must(e.T, err)
					b := booked("b-1", 1, nil)
					upsert(e, b)
					a := applied(e, ch, events.AppliedCreated)
					b.Revision, b.Location = 2, "Rigi"
					upsert(e, b)
					a2 := applied(e, ch, events.AppliedUpdated)
					if it := one(e, "b-1"); a.ItemID != it.ID || a2.ChangeKey != it.ChangeKey || it.Location != "Rigi" || creates(e, "b-1") != 1 {
						t.Errorf("%+v stands there, created %d times; %+v %+v", it, creates(e, "b-1"), a, a2)
					}
					cancel(e, "b-1", 3)
					applied(e, ch, events.AppliedCancelled)
					e.Quiet(ch, 10*time.Minute)
					if n := len(standing(e, "b-1")); n > 0 {
						t.Errorf("it stands there %d times", n)
					}
				})
			})
		}
	}
}

func TestBooking_APersonsChange(t *testing.T) {
	world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		b := booked("b-1", 1, nil)
		upsert(e, b)
		applied(e, ch, events.AppliedCreated)
		e.Quiet(ch, 3*time.Minute)

		// It is told, and a revision that does not know of it leaves it there.
		edit(e, one(e, "b-1"), func(it *store.Item) { it.Location = "Rigi" })
		b.Revision, b.Subject = 2, "Budget 2027"
		upsert(e, b)
		applied(e, ch, events.AppliedUpdated)
		c := page(e, e.Next(ch, 3*time.Minute)).Changes[0]
		if c.BookingID != "b-1" || c.Location != "Rigi" || c.Subject != "Budget 2027" {
			t.Errorf("told %+v", c)
		}
		e.Quiet(ch, 3*time.Minute)

		// One that knows insists.
		b.Revision = 3
		upsert(e, b)
		a := applied(e, ch, events.AppliedUpdated)
		if it := one(e, "b-1"); it.Location != "Säntis" {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 3*time.Minute)

		// Where both changed the same ROOMS wins, and says what was lost.
		edit(e, one(e, "b-1"), func(it *store.Item) { it.Subject = "Brunch" })
		b.Revision, b.Subject = 4, "Budget 2028"
		upsert(e, b)
		a = applied(e, ch, events.AppliedUpdated)
		if it := one(e, "b-1"); it.Subject != "Budget 2028" || fmt.Sprint(a.Lost) != "[subject]" || a.Previous == nil || a.Previous.Subject != "Brunch" {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 3*time.Minute)
	})
}

func TestBooking_DeletedByAPerson(t *testing.T) {
	world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		b := booked("b-1", 1, nil)
		upsert(e, b)
		applied(e, ch, events.AppliedCreated)
		e.Quiet(ch, 3*time.Minute)
		it := one(e, "b-1")
		testenv.Must(t, e.Sim.Company().Mailbox(alice).Delete(store.Actor{}, it.ID, "", store.MoveToDeletedItems))
		b.Revision = 2
		upsert(e, b)
		if c := answer[events.BookingConflict](e, ch, events.TypeBookingConflict); c.Reason != events.ConflictDeleted || c.Revision != 2 {
			t.Errorf("%+v", c)
		}
		if c := page(e, e.Next(ch, 3*time.Minute)).Changes[0]; c.Kind != events.KindDeleted || c.ItemID != it.ID {
			t.Errorf("told %+v", c)
		}
		e.Quiet(ch, 3*time.Minute)
		if n := len(standing(e, "b-1")); n != 0 {
			t.Errorf("it stands there %d times", n)
		}
		b.Revision = 3
		upsert(e, b)
		applied(e, ch, events.AppliedCreated)
		one(e, "b-1")
		e.Quiet(ch, 3*time.Minute)
	})
}

func TestBooking_RefusedByExchange(t *testing.T) {
	world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		_, err := e.Sim.Faults().Add(faults.Rule{Fault: "E26", Mailbox: alice, Operation: "CreateItem", Until: faults.Until{Count: 1}})
		testenv.Must(t, err)
		upsert(e, booked("b-1", 1, nil))
		if r := answer[events.BookingRejected](e, ch, events.TypeBookingRejected); r.Reason != events.RejectedRefused || r.Code == "" {
			t.Errorf("%+v", r)
		}
		upsert(e, booked("b-2", 1, nil)) // the mailbox goes on
		applied(e, ch, events.AppliedCreated)
		one(e, "b-2")
	})
}

func TestBooking_ASeries(t *testing.T) {
	world(t, exchangesim.Options{BusyShare: exchangesim.NoBusyShare}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		var first time.Time
		b := booked("b-1", 1, func(b *events.BookingUpserted) {
			first = *b.Start
			b.TimeZone = events.TimeZone{Windows: "UTC"}
			b.Recurrence = &events.Recurrence{Pattern: "daily", Interval: 1, StartDate: first.Format(time.DateOnly), Occurrences: 6}
			b.Exceptions = []events.BookingException{{OriginalStart: first.AddDate(0, 0, 2), Start: first.AddDate(0, 0, 2).Add(2 * time.Hour), End: first.AddDate(0, 0, 2).Add(3 * time.Hour), Subject: "elsewhere"}}
			b.CancelledOccurrences = []time.Time{first.AddDate(0, 0, 4)}
		})
		upsert(e, b)
		a := applied(e, ch, events.AppliedCreated)
		it := one(e, "b-1")
		if it.Type != store.RecurringMaster || len(it.Exceptions) != 1 || len(it.Deleted) != 1 || a.ChangeKey != it.ChangeKey {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 3*time.Minute)
		b.Revision, b.CancelledOccurrences = 2, append(b.CancelledOccurrences, first.AddDate(0, 0, 1))
		upsert(e, b)
		a = applied(e, ch, events.AppliedUpdated)
		if it = one(e, "b-1"); len(it.Exceptions) != 1 || len(it.Deleted) != 2 || a.ChangeKey != it.ChangeKey {
			t.Errorf("%+v stands there; answered %+v", it, a)
		}
		e.Quiet(ch, 3*time.Minute)
	})
}
