package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
)

// twoway is both sides at work on the same appointments.
type twoway struct {
	*system
	desk *desk
	rnd  *rand.Rand
	ids  []string // of bookings

	people int // edits by people in Exchange
	rooms  int // edits in ROOMS
}

// edits is how many edits the test makes; ROOMSYNC_EDITS says otherwise.
func edits(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("ROOMSYNC_EDITS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// TestTwoWay: ROOMS and people in Exchange edit the same appointments, every fault of writes strikes, and workers are
// killed. When all is quiet again both sides are equal, every revision has had one answer, and nothing was made twice.
func TestTwoWay(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of real processes; run without -short")
	}
	t.Parallel()
	total := edits(t, 800)
	mailboxes, bookings := max(30, min(total/100, 1000)), 5
	s := &twoway{system: startSystem(t, exchangesim.Options{Seed: 11, Mailboxes: mailboxes, Items: -1}), rnd: rand.New(rand.NewPCG(7, 11))}
	s.desk = newDesk(t, s.bus)
	s.follow(func(e bus.Delivered) { s.desk.take(e) })
	s.dispatcher()
	workers := []*process{s.worker("--log-level=error"), s.worker("--log-level=error")}
	s.want()
	start := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Hour)
	for i := range mailboxes * bookings {
		id := fmt.Sprintf("B-%04d", i)
		s.ids = append(s.ids, id)
		address := s.sim.Company().Mailboxes()[i%mailboxes].Address
		s.desk.book(id, address, start.Add(time.Duration(i%1000)*time.Hour), func(*events.BookingUpserted) {})
	}
	eventually(t, slowly, func() error { return s.desk.settled(s.sim.Company()) })
	s.strike()
	began := time.Now()
	for n := 0; n < total; n++ {
		s.edit()
		s.pace(3 * mailboxes)
		if every := max(total/20, 250); n%every == every/2 {
			i := s.rnd.IntN(len(workers))
			workers[i].kill()
			workers[i] = s.worker("--log-level=error")
		}
	}
	t.Logf("%d edits by ROOMS and %d by people in %v", s.rooms, s.people, time.Since(began).Round(time.Second))
	s.struck()
	s.sim.Faults().Clear()
	s.lookAtAll()
	eventually(t, 3*slowly, func() error { return s.desk.settled(s.sim.Company()) })
	t.Logf("settled after %v; answers: %v", time.Since(began).Round(time.Second), s.desk.reasons)
	for i, f := range s.desk.faults {
		if i < 20 {
			t.Error(f)
		}
	}
	s.nothingTwice()
}

// writeFaults are those of the catalogue that concern writes, with what makes their outcomes unknown.
func writeFaults() []faults.Rule {
	var all []faults.Rule
	for i, then := range []faults.Then{{Reset: true}, {Status: 504}, {Cut: 80}} {
		all = append(all, faults.Rule{Fault: "E22", Operation: "CreateItem,UpdateItem,DeleteItem", Rate: 0.01, Seed: uint64(i + 1), Then: []faults.Then{then}})
	}
	for i, id := range []string{"E21", "E1", "E4", "E5", "H1", "H7", "H10", "H11", "H12", "E23"} {
		then := []faults.Then(nil)
		if id == "E1" || id == "H1" {
			then = []faults.Then{{BackOff: faults.Duration(50 * time.Millisecond), RetryAfter: "0"}}
		}
		all = append(all, faults.Rule{Fault: id, Operation: "CreateItem,UpdateItem,DeleteItem", Rate: 0.015, Seed: uint64(10 + i), Then: then})
	}
	return all
}

func (s *twoway) strike() {
	s.t.Helper()
	for _, r := range writeFaults() {
		_, err := s.sim.Faults().Add(r)
		must(s.t, err)
	}
}

// struck makes sure that every fault has.
func (s *twoway) struck() {
	s.t.Helper()
	for _, r := range s.sim.Faults().Rules() {
		if r.Fired == 0 {
			s.t.Errorf("fault %s has never struck", r.Fault)
		}
	}
}

// pace keeps the two sides from running away from the workers, so that they do meet.
func (s *twoway) pace(most int) {
	for s.open() > most {
		time.Sleep(2 * time.Millisecond)
	}
}

func (s *twoway) open() int {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	return s.desk.open
}

// edit is one edit by either side.
func (s *twoway) edit() {
	id := s.ids[s.rnd.IntN(len(s.ids))]
	if s.rnd.IntN(3) == 0 {
		s.people++
		s.person(id)
		return
	}
	s.rooms++
	shift := time.Duration(s.rnd.IntN(8)) * 15 * time.Minute
	text := fmt.Sprintf("ROOMS %d", s.rooms)
	switch s.rnd.IntN(10) {
	case 0:
		s.desk.cancel(id)
	case 1, 2:
		s.desk.change(id, func(b *events.BookingUpserted) { b.Location = text })
	case 3, 4:
		s.desk.change(id, func(b *events.BookingUpserted) {
			from, to := b.Start.Add(shift), b.End.Add(shift)
			b.Start, b.End = &from, &to
		})
	default:
		s.desk.change(id, func(b *events.BookingUpserted) { b.Subject = text })
	}
}

// person is an edit by somebody in Exchange of a booking's appointment, if there is one.
func (s *twoway) person(id string) {
	m := s.sim.Company().Mailbox(s.mailboxOf(id))
	items, err := m.Items(m.Calendar())
	must(s.t, err)
	i := slices.IndexFunc(items, func(it *store.Item) bool { return it.Booking("BookingId") == id })
	by := store.Actor{Name: m.Address}
	switch n := s.rnd.IntN(12); {
	case i < 0:
	case n == 0:
		_ = m.Delete(by, items[i].ID, "", store.MoveToDeletedItems)
	default:
		text := fmt.Sprintf("person %d", s.people)
		_, _, _ = m.Update(by, items[i].ID, store.Basis{Resolution: store.AlwaysOverwrite}, func(it *store.Item) error {
			switch n % 3 {
			case 0:
				it.Subject = text
			case 1:
				it.Location = text
			default:
				it.Start, it.End = it.Start.Add(15*time.Minute), it.End.Add(15*time.Minute)
			}
			return nil
		})
	}
}

func (s *twoway) mailboxOf(id string) string {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	return s.desk.bookings[id].data.Mailbox
}

// lookAtAll has every mailbox looked at, whatever it waits for.
func (s *twoway) lookAtAll() {
	s.t.Helper()
	for _, m := range s.sim.Company().Mailboxes() {
		must(s.t, s.bus.Look(s.t.Context(), events.MailboxToken(m.Address)))
	}
}

// nothingTwice judges by the simulator's log: an appointment is made only when there is none of its booking.
func (s *twoway) nothingTwice() {
	s.t.Helper()
	live := map[string]map[string]bool{}
	doubled := 0
	for _, e := range s.sim.Company().Effects(0) {
		if e.Booking == "" || e.Folder != "calendar" {
			continue
		}
		if live[e.Booking] == nil {
			live[e.Booking] = map[string]bool{}
		}
		switch e.Kind {
		case store.EffectCreate:
			if len(live[e.Booking]) > 0 {
				doubled++
			}
			live[e.Booking][e.ItemID] = true
		case store.EffectDelete:
			delete(live[e.Booking], e.ItemID)
			delete(live[e.Booking], e.OldID)
		}
	}
	twice := int(s.sim.Faults().Counters().Faults["E23"])
	if doubled > twice {
		s.t.Errorf("%d appointments were made beside another of the same booking, by %d requests that were repeated on the way", doubled, twice)
	}
}
