package store

import (
	"encoding/base64"
	"strings"
)

// Resolution says what becomes of an update that was based on an older version (MS-OXWSCORE 3.1.4.9.4.1).
type Resolution string

// Conflict resolutions.
const (
	NeverOverwrite  Resolution = "NeverOverwrite"  // refuse
	AutoResolve     Resolution = "AutoResolve"     // merge when others changed other properties, refuse otherwise
	AlwaysOverwrite Resolution = "AlwaysOverwrite" // the last writer wins
)

// Disposal says how an item is deleted (DisposalType).
type Disposal string

// Disposals.
const (
	HardDelete         Disposal = "HardDelete"
	SoftDelete         Disposal = "SoftDelete" // into the recoverable items
	MoveToDeletedItems Disposal = "MoveToDeletedItems"
)

// Create saves a new item in a folder and returns it as stored. It takes over draft: properties that Exchange sets are
// set in it, and the caller must not use it any more. A UID given in it is kept.
func (m *Mailbox) Create(by Actor, folderID string, draft *Item) (*Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.folder(folderID)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(draft.Class, "IPM.Note") {
		draft.fill(m)
		draft.midnights()
		if err := draft.check(); err != nil {
			return nil, err
		}
		m.alignSeries(draft)
	}
	draft.Created = m.now()
	n := m.insert(f, draft)
	if n.item.UID == "" && n.item.IsCalendar() {
		n.item.UID = m.uid(n.num, draft.Created)
	}
	m.touch(n, by, fieldEnd-1)
	m.effect(by, EffectCreate, n, Effect{})
	return n.item, nil
}

// alignSeries puts a master where its first occurrence is, and a pattern without a beginning where its master is.
func (m *Mailbox) alignSeries(it *Item) {
	if it.Recurrence == nil {
		return
	}
	for d := range it.Recurrence.Dates() {
		it.Start, it.End = m.series(it).times(d)
		return
	}
}

// insert gives an item a place and an id.
func (m *Mailbox) insert(f *folder, it *Item) *node {
	m.lastNum++
	n := &node{num: m.lastNum, folder: f, id: m.itemID(f.num, m.lastNum), item: it}
	n.created = m.seq + 1
	it.ID, it.FolderID = n.id, f.id
	m.nodes[n.num] = n
	f.live[n.num] = n
	return n
}

// touch records a change of n.item: its number, its change key, who made it.
func (m *Mailbox) touch(n *node, by Actor, what Fields) {
	m.seq++
	n.item.ChangeKey = m.changeKey(15, m.seq)
	n.item.LastModified = m.now()
	n.item.LastModifier = m.displayName(by.Name)
	if what != FieldRead { // an update that changes nothing is an update
		n.content = m.seq
	}
	for i := range n.fields {
		if what&(1<<i) != 0 {
			n.fields[i] = m.seq
		}
	}
	n.folder.record(n, m.seq)
}

func (m *Mailbox) displayName(actor string) string {
	if actor == "" || actor == m.Address {
		return m.Name
	}
	return actor
}

func (m *Mailbox) effect(by Actor, kind EffectKind, n *node, e Effect) {
	e.Time, e.Mailbox, e.Kind, e.Actor, e.Call = m.company.opts.Now(), m.Address, kind, by.Name, by.Call
	e.ItemID = n.id
	e.Folder = n.folder.name
	if e.Folder == "" {
		e.Folder = n.folder.id
	}
	if n.item != nil {
		e.ChangeKey, e.UID = n.item.ChangeKey, n.item.UID
		e.Booking = n.item.Booking(m.company.opts.BookingProperty)
	}
	m.company.effects.add(e)
	m.tidyLater(by, kind, n)
}

// Basis is the version that a write was based on.
type Basis struct {
	ChangeKey  string
	Resolution Resolution // AlwaysOverwrite when empty
}

// Update changes an item or one occurrence: change is called with a copy to modify. It returns the item as stored
// and how many concurrent changes were merged. Changing a series' times or pattern drops its exceptions, as Exchange
// does. It fails with [ErrConflict], [ErrChangeKeyRequired] or what change returns; then nothing has changed.
func (m *Mailbox) Update(by Actor, id string, on Basis, change func(*Item) error) (*Item, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, r, err := m.node(id)
	if err != nil {
		return nil, 0, err
	}
	changed := n.item.clone()
	date := ""
	if r.occurrence {
		date = r.date.String()
		err = m.changeOccurrence(changed, r.date, change)
	} else {
		err = m.changeWhole(n.item, changed, change)
	}
	if err != nil {
		return nil, 0, err
	}
	what := diff(n.item, changed)
	conflicts, err := m.resolve(n, on, what)
	if err != nil {
		return nil, 0, err
	}
	n.item = changed
	m.touch(n, by, what)
	m.effect(by, EffectUpdate, n, Effect{OriginalDate: date})
	if r.occurrence {
		return m.series(n.item).at(r.date), conflicts, nil
	}
	return n.item, conflicts, nil
}

func (m *Mailbox) changeWhole(old, changed *Item, change func(*Item) error) error {
	if err := change(changed); err != nil {
		return err
	}
	if !changed.IsCalendar() {
		return nil
	}
	changed.fill(m)
	changed.midnights()
	if err := changed.check(); err != nil {
		return err
	}
	if !samePattern(old.Recurrence, changed.Recurrence) || changed.Recurrence != nil && !sameTimes(old, changed) {
		changed.Exceptions, changed.Deleted = nil, nil
		m.alignSeries(changed)
	}
	return nil
}

func (m *Mailbox) changeOccurrence(master *Item, d Date, change func(*Item) error) error {
	s := m.series(master)
	old, err := s.occurrence(d)
	if err != nil {
		return err
	}
	changed := old.clone()
	if err := change(changed); err != nil {
		return err
	}
	if changed.Recurrence != nil {
		return ErrInvalidPropertySet
	}
	changed.midnights()
	if err := changed.check(); err != nil {
		return err
	}
	return s.edit(d, changed)
}

// resolve decides whether an update may be made, and counts the changes it would be merged with.
func (m *Mailbox) resolve(n *node, on Basis, what Fields) (conflicts int, err error) {
	if on.ChangeKey == "" {
		if on.Resolution == NeverOverwrite || on.Resolution == AutoResolve {
			return 0, ErrChangeKeyRequired
		}
		return 0, nil
	}
	seen, ok := m.version(on.ChangeKey)
	if !ok {
		return 0, ErrInvalidChangeKey
	}
	if seen == n.last() || on.Resolution == AlwaysOverwrite || on.Resolution == "" {
		return 0, nil
	}
	if on.Resolution == NeverOverwrite || seen < n.created {
		return 0, ErrConflict
	}
	for i, changed := range n.fields {
		if changed <= seen {
			continue
		}
		if conflicts++; what&(1<<i) != 0 {
			return 0, ErrConflict
		}
	}
	return conflicts, nil
}

// version reads the number out of a change key.
func (m *Mailbox) version(changeKey string) (uint64, bool) {
	b, err := base64.StdEncoding.DecodeString(changeKey)
	if err != nil || len(b) != 30 {
		return 0, false
	}
	n := counter(b[24:])
	return n, m.changeKey(b[0], n) == changeKey
}

// Delete removes an item, or one occurrence of a series, which is an update of its master. A changeKey that is not
// empty must be current ([ErrStaleObject]).
func (m *Mailbox) Delete(by Actor, id, changeKey string, how Disposal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, r, err := m.node(id)
	if err != nil {
		return err
	}
	if changeKey != "" && changeKey != n.item.ChangeKey {
		return ErrStaleObject
	}
	if r.occurrence {
		return m.deleteOccurrence(by, n, r.date)
	}
	target := m.byName[map[Disposal]string{SoftDelete: "recoverableitemsdeletions", MoveToDeletedItems: "deleteditems"}[how]]
	if target != nil && target != n.folder {
		m.move(by, n, target, EffectDelete)
		return nil
	}
	m.remove(n)
	m.effect(by, EffectDelete, n, Effect{})
	n.item = nil
	return nil
}

func (m *Mailbox) deleteOccurrence(by Actor, n *node, d Date) error {
	changed := n.item.clone()
	s := m.series(changed)
	if _, err := s.occurrence(d); err != nil {
		return err
	}
	s.remove(d)
	n.item = changed
	m.touch(n, by, FieldRecurrence)
	m.effect(by, EffectUpdate, n, Effect{OriginalDate: d.String()})
	return nil
}

// remove takes a node out of its folder and leaves a tombstone in the folder's log.
func (m *Mailbox) remove(n *node) {
	m.seq++
	delete(m.nodes, n.num)
	delete(n.folder.live, n.num)
	n.content = m.seq
	n.folder.deleted++
	n.folder.record(n, m.seq)
}

// move puts an item into another folder under a new id; the old one becomes a tombstone. It tells of a delete or a
// move.
func (m *Mailbox) move(by Actor, n *node, target *folder, kind EffectKind) *node {
	it := n.item.clone()
	m.remove(n)
	fresh := m.insert(target, it)
	m.touch(fresh, by, fieldEnd-1)
	if kind == EffectDelete {
		m.effect(by, kind, n, Effect{})
	} else {
		m.effect(by, kind, fresh, Effect{OldID: n.id})
	}
	n.item = nil
	return fresh
}

// Move puts an item into another folder of the mailbox. The item gets a new id. An occurrence cannot be moved.
func (m *Mailbox) Move(by Actor, id, targetID string) (*Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, target, err := m.transfer(id, targetID)
	if err != nil {
		return nil, err
	}
	return m.move(by, n, target, EffectMove).item, nil
}

// Copy puts a copy of an item into a folder of the mailbox. The copy keeps the UID and the extended properties.
func (m *Mailbox) Copy(by Actor, id, targetID string) (*Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, target, err := m.transfer(id, targetID)
	if err != nil {
		return nil, err
	}
	fresh := m.insert(target, n.item.clone())
	m.touch(fresh, by, fieldEnd-1)
	m.effect(by, EffectCreate, fresh, Effect{})
	return fresh.item, nil
}

func (m *Mailbox) transfer(id, targetID string) (*node, *folder, error) {
	n, r, err := m.node(id)
	if err != nil {
		return nil, nil, err
	}
	if r.occurrence {
		return nil, nil, &Error{Code: "ErrorCalendarCannotMoveOrCopyOccurrence"}
	}
	target, err := m.folder(targetID)
	return n, target, err
}
