package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim/store"
)

// auditor judges what ROOMS was told by what the simulator's own log says happened. It knows nothing of the engine.
type auditor struct {
	company *store.Company // nil when it is elsewhere
	log     func(since uint64) []store.Effect

	mu      sync.Mutex
	seen    map[string]bool    // event ids
	items   map[string]*told   // by item id
	commits map[string]commit  // by mailbox: the last event's
	faults  []string           // what is wrong, whatever comes later
	pages   int                // events of changes
	changes int                // changes told
	version map[version]uint64 // effect that made a version
	effects uint64             // the last one taken over
}

type version struct{ item, changeKey string }

type commit struct {
	epoch            string
	number, position uint64
}

// told is the state of an item as ROOMS has it.
type told struct {
	last    events.Change
	effect  uint64
	deleted bool
}

func newAuditor(c *store.Company) *auditor {
	a := newAuditorOf(c.Effects)
	a.company = c
	return a
}

// newAuditorOf judges by a log that may be that of another process. Without a company there is no settled.
func newAuditorOf(log func(since uint64) []store.Effect) *auditor {
	return &auditor{log: log, seen: map[string]bool{}, items: map[string]*told{}, commits: map[string]commit{}, version: map[version]uint64{}}
}

// take judges one event as it comes: its place in the mailbox's order, and each change's place in its item's.
func (a *auditor) take(d bus.Delivered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[d.ID] {
		a.fault("event %s came twice", d.ID)
	}
	a.seen[d.ID] = true
	a.order(d)
	if d.Type != events.TypeCalendarChanged {
		return
	}
	var page events.CalendarChanged
	if err := json.Unmarshal(d.Data, &page); err != nil {
		a.fault("event %s: %v", d.ID, err)
		return
	}
	a.pages++
	for _, c := range page.Changes {
		a.changes++
		a.change(d, page, c)
	}
}

func (a *auditor) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// order checks that the ids of a mailbox's events, "<mailbox>/<epoch>/<commit>/<position>", rise.
func (a *auditor) order(d bus.Delivered) {
	var now commit
	rest := strings.TrimPrefix(d.ID, d.Mailbox+"/")
	epoch, rest, _ := strings.Cut(rest, "/")
	if _, err := fmt.Sscanf(rest, "%d/%d", &now.number, &now.position); err != nil {
		a.fault("event id %q: %v", d.ID, err)
	}
	now.epoch = epoch
	last, seen := a.commits[d.Mailbox]
	if seen && now.epoch != last.epoch {
		a.fault("event %s is of another record than the one before (%s)", d.ID, last.epoch)
	}
	if now.number < last.number || now.number == last.number && now.position <= last.position {
		a.fault("event %s came after commit %d.%d", d.ID, last.number, last.position)
	}
	a.commits[d.Mailbox] = now
}

// change checks that the item's versions rise: none twice, none after a later one, nothing after its deletion.
func (a *auditor) change(d bus.Delivered, page events.CalendarChanged, c events.Change) {
	was := a.items[c.ItemID]
	if was == nil {
		was = &told{}
		a.items[c.ItemID] = was
	}
	if was.deleted {
		a.fault("event %s (%s): item %.12s… was deleted before", d.ID, page.Reason, c.ItemID)
	}
	if c.Kind == events.KindDeleted {
		was.deleted, was.last = true, c
		return
	}
	effect := a.made(version{c.ItemID, c.ChangeKey})
	switch {
	case effect == 0:
		a.fault("event %s: item %.12s… never had change key %s", d.ID, c.ItemID, c.ChangeKey)
	case effect == was.effect:
		a.fault("event %s (%s): %s of item %.12s… was told before", d.ID, page.Reason, c.Kind, c.ItemID)
	case effect < was.effect:
		a.fault("event %s: item %.12s… goes back from effect %d to %d", d.ID, c.ItemID, was.effect, effect)
	}
	was.effect, was.last = effect, c
}

// made finds the effect that made a version, 0 for none.
func (a *auditor) made(v version) uint64 {
	for _, e := range a.log(a.effects) {
		a.version[version{e.ItemID, e.ChangeKey}] = e.Seq
		a.effects = e.Seq
	}
	return a.version[v]
}

// settled says what ROOMS still lacks: for every calendar and every item in it, the newest version; for every item
// that is gone and had been told, its deletion.
func (a *auditor) settled() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lacking []string
	alive := map[string]bool{}
	for _, m := range a.company.Mailboxes() {
		items, err := m.Items(m.Calendar())
		if err != nil {
			return err
		}
		for _, it := range items {
			alive[it.ID] = true
			if why := a.lacks(m, it); why != "" {
				lacking = append(lacking, fmt.Sprintf("%s %q: %s", m.Address, it.Subject, why))
			}
		}
	}
	for id, t := range a.items {
		if !t.deleted && !alive[id] {
			lacking = append(lacking, fmt.Sprintf("deletion of item %.12s… (%q)", id, t.last.Subject))
		}
	}
	if len(lacking) > 0 {
		slices.Sort(lacking)
		return fmt.Errorf("%d items lacking, first: %s", len(lacking), strings.Join(lacking[:min(3, len(lacking))], "; "))
	}
	return nil
}

// lacks compares an item with what was told of it. One that lies outside the window need not be told.
func (a *auditor) lacks(m *store.Mailbox, it *store.Item) string {
	t := a.items[it.ID]
	if t == nil || t.deleted {
		if outside(it) {
			return ""
		}
		return "never told"
	}
	switch {
	case t.last.ChangeKey != it.ChangeKey:
		return "told in another version"
	case t.last.Subject != it.Subject && it.Sensitivity == "Normal":
		return fmt.Sprintf("told as %q", t.last.Subject)
	case !t.last.Start.Equal(it.Start) || !t.last.End.Equal(it.End):
		return fmt.Sprintf("told at %v", t.last.Start)
	case len(t.last.Occurrences) != a.occurrences(m, it):
		return fmt.Sprintf("told with %d occurrences of %d", len(t.last.Occurrences), a.occurrences(m, it))
	}
	return ""
}

func outside(it *store.Item) bool {
	now := time.Now()
	return it.Recurrence != nil || it.End.Before(now.AddDate(0, 0, -6)) || it.Start.After(now.AddDate(0, 0, 364))
}

// occurrences counts those of a series in the window, which begins and ends at midnight UTC.
func (a *auditor) occurrences(m *store.Mailbox, it *store.Item) int {
	if it.Recurrence == nil {
		return 0
	}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	view, err := m.View(m.Calendar(), day.AddDate(0, 0, -7), day.AddDate(0, 0, 366), 1_000_000)
	if err != nil {
		return -1
	}
	n := 0
	for _, o := range view.Items {
		if o.MasterID == it.ID {
			n++
		}
	}
	return n
}
