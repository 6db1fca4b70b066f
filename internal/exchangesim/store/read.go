package store

import (
	"slices"
	"time"
)

// findLimit is how many entries FindItem returns at most (EWSFindCountLimit).
const findLimit = 1000

// maxView is the longest window of a CalendarView, two years.
const maxView = 2 * 366 * day

// Item returns a single appointment, a master, an occurrence or a message by its id.
func (m *Mailbox) Item(id string) (*Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, r, err := m.node(id)
	if err != nil || !r.occurrence {
		return itemOf(n), err
	}
	return m.series(n.item).occurrence(r.date)
}

func itemOf(n *node) *Item {
	if n == nil {
		return nil
	}
	return n.item
}

// node finds what an id names: the item, or an occurrence's master. The id must be exactly the one given out.
func (m *Mailbox) node(id string) (*node, ref, error) {
	r, err := parseID(id)
	if err != nil {
		return nil, r, err
	}
	n := m.nodes[r.item]
	if n == nil || n.folder.num != r.folder {
		return nil, r, ErrItemNotFound
	}
	want := n.id
	if r.occurrence {
		if n.item.Recurrence == nil {
			return nil, r, ErrItemNotFound
		}
		want = m.occurrenceID(r.folder, r.item, r.date)
	}
	if want != id {
		return nil, r, ErrItemNotFound
	}
	return n, r, nil
}

// MasterOf returns the recurring master of an occurrence.
func (m *Mailbox) MasterOf(occurrenceID string) (*Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, r, err := m.node(occurrenceID)
	if err == nil && !r.occurrence {
		return nil, ErrNotAMaster
	}
	return itemOf(n), err
}

// OccurrenceAt returns the n-th occurrence of a series, counted from 1; deleted ones count.
func (m *Mailbox) OccurrenceAt(masterID string, n int) (*Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	master, _, err := m.node(masterID)
	if err != nil {
		return nil, err
	}
	if master.item.Type != RecurringMaster {
		return nil, ErrNotAnOccurrence
	}
	return m.series(master.item).index(n)
}

// Items returns the single appointments and masters, or messages, of a folder: newest first.
func (m *Mailbox) Items(folderID string) ([]*Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.folder(folderID)
	if err != nil {
		return nil, err
	}
	nodes := make([]*node, 0, len(f.live))
	for _, n := range f.live {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b *node) int { return int(b.num) - int(a.num) })
	items := make([]*Item, len(nodes))
	for i, n := range nodes {
		items[i] = n.item
	}
	return items, nil
}

// View is what a calendar shows in a window, in order of start.
type View struct {
	Items    []*Item
	Complete bool // false when there was more than the caller wanted
}

// View returns the appointments, occurrences and exceptions that overlap from..to; never masters. At most limit are
// returned when limit is greater than 0. It fails with [ErrViewTooBig], [ErrEndBeforeStart], [ErrNotACalendarForView],
// and with [ErrFindCountLimit] for more than 1000 entries without a limit.
func (m *Mailbox) View(folderID string, from, to time.Time, limit int) (View, error) {
	if to.Before(from) {
		return View{}, ErrEndBeforeStart
	}
	if to.Sub(from) > maxView {
		return View{}, ErrViewTooBig
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.folder(folderID)
	if err != nil {
		return View{}, err
	}
	if !m.describe(f).IsCalendar() {
		return View{}, ErrNotACalendarForView
	}
	found := m.overlapping(f, from, to)
	if limit <= 0 && len(found) > findLimit {
		return View{}, ErrFindCountLimit
	}
	if limit <= 0 || limit > findLimit {
		limit = findLimit
	}
	return View{Items: found[:min(limit, len(found))], Complete: len(found) <= limit}, nil
}

func (m *Mailbox) overlapping(f *folder, from, to time.Time) []*Item {
	var found []*Item
	for _, n := range f.live {
		switch {
		case n.item.Recurrence != nil:
			found = append(found, m.series(n.item).overlapping(from, to)...)
		case n.item.IsCalendar() && overlaps(n.item, from, to):
			found = append(found, n.item)
		}
	}
	slices.SortFunc(found, func(a, b *Item) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return compareIDs(a.ID, b.ID)
	})
	return found
}

func compareIDs(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Busy returns what the default calendar shows in a window, in order of start; for free/busy information.
func (m *Mailbox) Busy(from, to time.Time) []*Item {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.overlapping(m.byName["calendar"], from, to)
}
