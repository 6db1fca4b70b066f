package store

import (
	"fmt"
	"slices"
)

// Snapshot is what a mailbox held at a moment: a backup.
type Snapshot struct {
	mailbox guid
	nodes   []node // copies
}

// Items is how many items the backup holds.
func (s *Snapshot) Items() int { return len(s.nodes) }

// Snapshot takes a backup.
func (m *Mailbox) Snapshot() *Snapshot {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := &Snapshot{mailbox: m.guid}
	for _, n := range m.nodes {
		kept := *n
		kept.history = slices.Clone(n.history)
		s.nodes = append(s.nodes, kept)
	}
	slices.SortFunc(s.nodes, func(a, b node) int { return int(a.last()) - int(b.last()) })
	return s
}

// restorer is the actor of what a restore does.
var restorer = Actor{Name: "restore"}

// Restore puts the mailbox back to a backup of it. Without newIDs it is the database that was restored: items have the ids and
// change keys of then, and every synchronization state is invalid. With newIDs the contents were put into the mailbox anew
// (New-MailboxRestoreRequest): what is in the calendar now is replaced by what was, under new ids.
func (m *Mailbox) Restore(s *Snapshot, newIDs bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.mailbox != m.guid {
		return fmt.Errorf("the backup is one of another mailbox")
	}
	if newIDs {
		m.refill(s)
	} else {
		m.rewind(s)
	}
	return nil
}

func (m *Mailbox) refill(s *Snapshot) {
	calendar := m.byName["calendar"]
	for _, n := range inOrder(calendar.live) {
		m.remove(n)
		m.effect(restorer, EffectDelete, n, Effect{})
		n.item = nil
	}
	for _, kept := range s.nodes {
		if kept.folder == calendar {
			fresh := m.insert(calendar, kept.item.clone())
			m.touch(fresh, restorer, fieldEnd-1)
			m.effect(restorer, EffectCreate, fresh, Effect{})
		}
	}
}

func (m *Mailbox) rewind(s *Snapshot) {
	before := m.nodes
	m.nodes = map[uint64]*node{}
	for _, f := range m.folders {
		f.live, f.log, f.stale, f.deleted, f.horizon = map[uint64]*node{}, nil, 0, 0, m.seq
	}
	m.epoch++
	for _, kept := range s.nodes {
		n := &kept
		n.history = slices.Clone(kept.history)
		if m.folders[n.folder.num] != n.folder {
			continue // its folder was made away with
		}
		m.nodes[n.num] = n
		n.folder.live[n.num] = n
		n.folder.log = append(n.folder.log, logEntry{n.last(), n})
	}
	m.tellRewound(before)
}

// tellRewound records what became of each item.
func (m *Mailbox) tellRewound(before map[uint64]*node) {
	for _, n := range inOrder(m.nodes) {
		old := before[n.num]
		switch {
		case old == nil:
			m.effect(restorer, EffectCreate, n, Effect{})
		case old.item != n.item:
			m.effect(restorer, EffectUpdate, n, Effect{})
		}
	}
	for _, n := range inOrder(before) {
		if m.nodes[n.num] == nil {
			m.effect(restorer, EffectDelete, n, Effect{})
		}
	}
}

// inOrder returns nodes in the order in which they were made.
func inOrder(nodes map[uint64]*node) []*node {
	list := make([]*node, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *node) int { return int(a.num) - int(b.num) })
	return list
}
