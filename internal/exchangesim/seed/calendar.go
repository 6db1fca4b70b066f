package seed

import (
	"fmt"
	"math/rand/v2"
	"time"

	"roomsync/internal/exchangesim/store"
)

// calendar fills one mailbox's calendar with as many appointments as Options says: some kinds have a fixed place among
// the first ones, all others are single meetings. Each has an hour of its own.
func (f *filler) calendar(m *store.Mailbox) error {
	d := &day{filler: f, box: m, r: f.dice(m.Address, "calendar")}
	d.zone, _ = store.Location(m.Zone)
	d.slots()
	for i := range f.Items {
		var err error
		switch {
		case i%20 == 3:
			err = d.series(weekly, i)
		case i%20 == 7:
			err = d.series(daily, i)
		case i%20 == 11:
			err = d.allDay()
		default:
			err = d.single(i)
		}
		if err != nil {
			return err
		}
		f.made.Items++
	}
	return nil
}

// day is the making of one mailbox's calendar.
type day struct {
	*filler
	box  *store.Mailbox
	zone *time.Location
	r    *rand.Rand
	free []slot
}

// slot is an hour of a day, counted from today.
type slot struct{ day, hour int }

// The first hour of a day is left to series.
const firstHour, lastHour = 9, 17

// slots lists the hours of today in random order, before those of the days around it.
func (d *day) slots() {
	var today, around []slot
	for offset := -7; offset <= 28; offset++ {
		wd := (d.today + store.Date(offset)).Weekday()
		for h := firstHour; h <= lastHour; h++ {
			switch {
			case offset == 0:
				today = append(today, slot{0, h})
			case wd != time.Saturday && wd != time.Sunday:
				around = append(around, slot{offset, h})
			}
		}
	}
	d.r.Shuffle(len(today), func(i, j int) { today[i], today[j] = today[j], today[i] })
	d.r.Shuffle(len(around), func(i, j int) { around[i], around[j] = around[j], around[i] })
	d.free = append(today[:len(today)*2/3], around...)
}

// take is the next free hour; when all are gone, they are used again.
func (d *day) take(i int) slot { return d.free[i%len(d.free)] }

func (d *day) at(s slot, minute int) time.Time {
	base := (d.today + store.Date(s.day)).Midnight()
	return time.Date(base.Year(), base.Month(), base.Day(), s.hour, minute, 0, 0, d.zone)
}

func (d *day) single(i int) error {
	start := d.at(d.take(i), 30*d.r.IntN(2))
	it := &store.Item{
		Subject: pick(d.r, subjects), Start: start, End: start.Add(30 * time.Minute),
		Location: pick(d.r, buildings), Categories: []string{pick(d.r, categories)},
		ReminderSet: true, ReminderMinutes: 15,
		Body: store.Body{Text: "Agenda\n1. Status\n2. Next steps"},
	}
	if i%10 == 5 {
		it.Subject, it.Sensitivity, it.Location = pick(d.r, privateSubjects), "Private", ""
	}
	return d.save(it)
}

func (d *day) allDay() error {
	start := d.at(slot{day: d.r.IntN(20) - 5}, 0)
	return d.save(&store.Item{
		Subject: pick(d.r, allDaySubjects), AllDay: true, Start: start, End: start.AddDate(0, 0, 1+d.r.IntN(3)),
		FreeBusy: pick(d.r, []string{"OOF", "Free", "Tentative"}),
	})
}

type rhythm bool

const (
	weekly rhythm = true
	daily  rhythm = false
)

// series makes a series around today, with one occurrence moved and one deleted.
func (d *day) series(every rhythm, i int) error {
	start := d.at(slot{-21, firstHour - 1}, 30*(i/20%2))
	it := &store.Item{
		Subject: "Daily stand-up", Start: start, End: start.Add(15 * time.Minute),
		Recurrence: &store.Recurrence{Pattern: store.Weekly, Interval: 1, Days: store.Weekdays, FirstDay: time.Monday},
	}
	if every == weekly {
		it.Subject = "Team meeting " + pick(d.r, buildings)
		it.End = start.Add(25 * time.Minute)
		it.Recurrence.Days = store.On(d.today.Weekday())
	}
	it.Recurrence.Start = d.today - 21
	it.Recurrence.Count = 20 + d.r.IntN(20)
	master, err := d.create(it)
	if err != nil {
		return err
	}
	return d.exceptions(master)
}

func (d *day) exceptions(master *store.Item) error {
	by := store.Actor{Name: d.box.Address}
	moved, err := d.box.OccurrenceAt(master.ID, 5)
	if err != nil {
		return err
	}
	_, _, err = d.box.Update(by, moved.ID, store.Basis{}, func(it *store.Item) error {
		it.Subject += " (moved)"
		it.Start, it.End = it.Start.Add(time.Hour), it.End.Add(time.Hour)
		return nil
	})
	if err != nil {
		return err
	}
	gone, err := d.box.OccurrenceAt(master.ID, 6)
	if err != nil {
		return err
	}
	return d.box.Delete(by, gone.ID, "", store.MoveToDeletedItems)
}

func (d *day) save(it *store.Item) error {
	_, err := d.create(it)
	return err
}

// create saves an appointment. A room's meetings belong to somebody, whose calendar gets a copy with the same UID.
func (d *day) create(it *store.Item) (*store.Item, error) {
	it.StartZone, it.EndZone = d.box.Zone, d.box.Zone
	by := store.Actor{Name: d.box.Address}
	if d.box.Kind != store.KindRoom || len(d.people) == 0 {
		if d.r.IntN(2) == 0 && it.Sensitivity == "" && len(d.people) > 1 {
			it.Required = d.attendees()
			it.RequestSent, it.ResponseRequested = true, true
		}
		return d.box.Create(by, d.box.Calendar(), it)
	}
	host := pick(d.r, d.people)
	it.Organizer = store.Person{Name: host.Name, Address: host.Address}
	it.Location = d.box.Name
	it.Resources = []store.Attendee{{Person: store.Person{Name: d.box.Name, Address: d.box.Address}, Response: "Accept"}}
	it.MyResponse = "Accept"
	theirs := *it
	theirs.MyResponse = "Organizer"
	theirs.Resources = append([]store.Attendee(nil), it.Resources...)
	theirs.RequestSent = true
	if it.Recurrence != nil {
		r := *it.Recurrence
		theirs.Recurrence = &r
	}
	mine, err := d.box.Create(by, d.box.Calendar(), it)
	if err != nil {
		return nil, err
	}
	theirs.UID = mine.UID
	if _, err := host.Create(store.Actor{Name: host.Address}, host.Calendar(), &theirs); err != nil {
		return nil, fmt.Errorf("the organizer's copy: %w", err)
	}
	return mine, nil
}

func (d *day) attendees() []store.Attendee {
	all := make([]store.Attendee, 0, 4)
	for range 1 + d.r.IntN(4) {
		p := pick(d.r, d.people)
		if p != d.box {
			all = append(all, store.Attendee{
				Person:   store.Person{Name: p.Name, Address: p.Address},
				Response: pick(d.r, []string{"Accept", "Accept", "Tentative", "NoResponseReceived", "Decline"}),
			})
		}
	}
	return all
}
