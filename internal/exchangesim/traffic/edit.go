package traffic

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"roomsync/internal/exchangesim/store"
)

// plan says how often people do what, in percent.
var plan = []struct {
	kind    Kind
	percent int
}{
	{Create, 30}, {EditItem, 20}, {Move, 20}, {Cancel, 12}, {EditSeries, 6}, {EditOccurrence, 8}, {CancelOccurrence, 4},
}

// full is the number of items at which a calendar's owner cancels instead of adding, so that a long run stays bounded.
const full = 100

// step makes one edit. What is wanted may be impossible (no series in this calendar, the item gone meanwhile): then the
// mailbox gets a new appointment.
func (g *Generator) step() (Edit, error) {
	m := g.boxes[g.r.IntN(len(g.boxes))]
	e, err := g.attempt(m, g.wanted())
	if errors.Is(err, errNothing) {
		e, err = g.create(m)
	}
	if err != nil {
		return e, fmt.Errorf("traffic: %s: %w", m.Address, err)
	}
	g.n++
	e.N, e.Mailbox = g.n, m.Address
	return e, nil
}

// errNothing: there is nothing of that kind to be edited.
var errNothing = errors.New("nothing to edit")

func (g *Generator) wanted() Kind {
	p := g.r.IntN(100)
	for _, w := range plan {
		if p -= w.percent; p < 0 {
			return w.kind
		}
	}
	return EditItem
}

func (g *Generator) attempt(m *store.Mailbox, kind Kind) (Edit, error) {
	all, err := m.Items(m.Calendar())
	if err != nil {
		return Edit{}, err
	}
	if kind == Create && len(all) < full {
		return g.create(m)
	}
	if kind == Create {
		kind = Cancel
	}
	series := kind == EditSeries || kind == EditOccurrence || kind == CancelOccurrence
	it := g.choose(all, series)
	if it == nil {
		return Edit{}, errNothing
	}
	e, err := g.change(m, kind, it)
	if gone(err) {
		return Edit{}, errNothing
	}
	return e, err
}

// gone: somebody else, a client of the simulator perhaps, was there before, or the series has run out.
func gone(err error) bool {
	return errors.Is(err, store.ErrItemNotFound) || errors.Is(err, store.ErrOccurrenceDeleted) ||
		errors.Is(err, store.ErrOccurrenceIndex) || errors.Is(err, store.ErrNoOccurrence) ||
		errors.Is(err, store.ErrCrossesBoundary)
}

func (g *Generator) choose(all []*store.Item, series bool) *store.Item {
	fit := slices.DeleteFunc(all, func(it *store.Item) bool {
		return (it.Type == store.RecurringMaster) != series ||
			g.opts.SpareBookings != "" && it.Booking(g.opts.SpareBookings) != ""
	})
	if len(fit) == 0 {
		return nil
	}
	return fit[g.r.IntN(len(fit))]
}

func (g *Generator) change(m *store.Mailbox, kind Kind, it *store.Item) (Edit, error) {
	e := Edit{Kind: kind, ItemID: it.ID, UID: it.UID, Subject: it.Subject}
	by := store.Actor{Name: m.Address}
	target := it.ID
	if kind == EditOccurrence || kind == CancelOccurrence {
		occ, err := m.OccurrenceAt(it.ID, 1+g.r.IntN(20))
		if err != nil {
			return e, err
		}
		zone, _ := store.Location(it.StartZone)
		e.OriginalDate = store.DateOf(occ.OriginalStart, zone).String()
		target = occ.ID
	}
	if kind == Cancel || kind == CancelOccurrence {
		return e, m.Delete(by, target, "", store.MoveToDeletedItems)
	}
	saved, _, err := m.Update(by, target, store.Basis{}, g.edit(kind))
	if err != nil {
		return e, err
	}
	e.Subject, e.ChangeKey = saved.Subject, saved.ChangeKey
	return e, nil
}

// edit is what an update does to the item.
func (g *Generator) edit(kind Kind) func(*store.Item) error {
	n, what, by := g.n+1, g.r.IntN(3), time.Duration(1+g.r.IntN(4))*30*time.Minute
	return func(it *store.Item) error {
		switch {
		case kind == Move:
			it.Start, it.End = it.Start.Add(by), it.End.Add(by)
		case what == 0:
			it.Location = fmt.Sprintf("Room %d", n%40+1)
		case what == 1:
			it.Body = store.Body{Text: fmt.Sprintf("Minutes, version %d", n)}
		default:
			it.Subject = fmt.Sprintf("%s #%d", base(it.Subject), n)
		}
		return nil
	}
}

// base is a subject without the number of an earlier edit.
func base(subject string) string {
	for i := len(subject) - 1; i > 0; i-- {
		if subject[i] == '#' && subject[i-1] == ' ' {
			return subject[:i-1]
		}
		if subject[i] < '0' || subject[i] > '9' {
			break
		}
	}
	return subject
}

func (g *Generator) create(m *store.Mailbox) (Edit, error) {
	start := g.company.Now().Truncate(time.Hour).Add(time.Duration(1+g.r.IntN(14*24)) * time.Hour)
	it, err := m.Create(store.Actor{Name: m.Address}, m.Calendar(), &store.Item{
		Subject: fmt.Sprintf("Ad-hoc meeting #%d", g.n+1), Start: start,
		End: start.Add(time.Duration(1+g.r.IntN(4)) * 30 * time.Minute), Location: m.Name,
	})
	if err != nil {
		return Edit{}, err
	}
	return Edit{Kind: Create, ItemID: it.ID, UID: it.UID, Subject: it.Subject, ChangeKey: it.ChangeKey}, nil
}
