package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"sort"
)

// Synchronization answers "what changed since": each folder keeps a log of its items' changes, and a state names the
// changes that its holder has seen. As with Exchange's own sets of seen changes, a state may have holes: changes are
// given newest first and in pages, and meanwhile new ones are made.

// logEntry is one change of an item. It counts only while it is the item's last.
type logEntry struct {
	seq  uint64
	node *node
}

const (
	// maxPage is the most that one answer holds (MS-OXWSSYNC_R389).
	maxPage = 512
	// maxHistory bounds what an item remembers of its changes; only a client in the middle of a synchronization that
	// sleeps through more than half of them could take an item it has for a new one.
	maxHistory = 64
	// maxTombstones bounds the deletions that a folder remembers. A state from before the oldest is too old.
	maxTombstones = 20_000
)

// record notes a change of n in the folder.
func (f *folder) record(n *node, seq uint64) {
	if len(n.history) > 0 {
		f.stale++
	}
	if n.history = append(n.history, seq); len(n.history) > maxHistory {
		n.history = slices.Delete(n.history, 0, len(n.history)-maxHistory/2)
	}
	f.changed = seq
	f.log = append(f.log, logEntry{seq, n})
	if f.stale > len(f.log)/2+64 || f.deleted > maxTombstones {
		f.compact()
	}
}

// compact drops entries that no longer count, and the older half of too many tombstones.
func (f *folder) compact() {
	drop := 0
	if f.deleted > maxTombstones {
		drop = f.deleted - maxTombstones/2
	}
	f.log = slices.DeleteFunc(f.log, func(e logEntry) bool {
		if e.seq != e.node.last() {
			return true
		}
		if e.node.item == nil && drop > 0 {
			drop--
			f.deleted--
			f.horizon = e.seq
			return true
		}
		return false
	})
	f.stale = 0
}

// span is a set of changes: after < number <= upto.
type span struct{ after, upto uint64 }

// state is what a synchronization state says. All changes up to base are seen, and those in seen, which is in
// ascending order.
type state struct {
	epoch uint32
	base  uint64
	seen  []span
}

// has reports whether a change was seen.
func (s *state) has(seq uint64) bool {
	if seq <= s.base {
		return true
	}
	for _, sp := range s.seen {
		if seq > sp.after && seq <= sp.upto {
			return true
		}
	}
	return false
}

// knows reports whether the state's holder was ever told of the item: it was there at the base, or one of the pages
// since then held the version that was current at that time.
func (s *state) knows(n *node) bool {
	if n.created <= s.base {
		return true
	}
	for _, sp := range s.seen {
		i := sort.Search(len(n.history), func(i int) bool { return n.history[i] > sp.upto })
		if i > 0 && n.history[i-1] > sp.after {
			return true
		}
	}
	return false
}

// ChangeKind says how an item differs from what a synchronization state's holder has.
type ChangeKind string

// Kinds of changes, with the schema's names.
const (
	ChangeCreate   ChangeKind = "Create"
	ChangeUpdate   ChangeKind = "Update"
	ChangeDelete   ChangeKind = "Delete"
	ChangeReadFlag ChangeKind = "ReadFlagChange"
)

// Change is one entry of a page.
type Change struct {
	Kind ChangeKind
	ID   string
	Item *Item // nil for a delete
}

// Page is one answer to SyncFolderItems.
type Page struct {
	State   string
	Changes []Change // newest first
	Last    bool     // there are no more changes
}

// Sync returns at most limit (512 when less than 1) changes of a folder since a state ("" for everything), without those of ignored items.
// A series' occurrences never show; a change of one is an update of the master. It fails with [ErrSyncState] for a
// state that is not of this folder, is damaged, or is too old, and with [ErrSyncFolderNotFound].
func (m *Mailbox) Sync(folderID, stateText string, limit int, ignore []string) (Page, error) {
	if limit < 1 {
		limit = maxPage
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.folder(folderID)
	if err == ErrFolderNotFound {
		err = ErrSyncFolderNotFound
	}
	if err != nil {
		return Page{}, err
	}
	st := state{epoch: m.epoch}
	if stateText != "" {
		if st, err = m.parseState(f, stateText); err != nil {
			return Page{}, err
		}
	}
	if f.changed == st.base && len(st.seen) == 0 && stateText != "" {
		return Page{State: stateText, Last: true}, nil
	}
	return m.page(f, st, limit, ignore), nil
}

func (m *Mailbox) page(f *folder, st state, limit int, ignore []string) Page {
	var p Page
	lowest := f.changed
	first := sort.Search(len(f.log), func(i int) bool { return f.log[i].seq > st.base })
	for i := len(f.log) - 1; i >= first; i-- {
		e := f.log[i]
		if e.seq != e.node.last() || st.has(e.seq) {
			continue
		}
		c, visible := st.change(e.node)
		if visible && !slices.Contains(ignore, e.node.id) {
			if len(p.Changes) == limit {
				p.State = m.formatState(f, st.with(span{lowest, f.changed}))
				return p
			}
			p.Changes = append(p.Changes, c)
		}
		lowest = e.seq - 1
	}
	p.Last = true
	p.State = m.formatState(f, state{epoch: st.epoch, base: f.changed})
	return p
}

// change tells what to say about an item whose last change the holder has not seen.
func (s *state) change(n *node) (Change, bool) {
	c := Change{ID: n.id, Item: n.item}
	known := s.knows(n)
	switch {
	case n.item == nil:
		c.Kind = ChangeDelete
		return c, known
	case !known:
		c.Kind = ChangeCreate
	case s.has(n.content):
		c.Kind = ChangeReadFlag
	default:
		c.Kind = ChangeUpdate
	}
	return c, true
}

// with adds a page's span to the state. Spans that touch become one.
func (s state) with(page span) state {
	out := state{epoch: s.epoch, base: s.base}
	for _, sp := range s.seen {
		if sp.after >= page.after {
			continue // swallowed: the page reached below it
		}
		if sp.upto >= page.after {
			page.after = sp.after
			continue
		}
		out.seen = append(out.seen, sp)
	}
	out.seen = append(out.seen, page)
	return out
}

const (
	stateVersion = 1
	// stateSize is the least size of a state; in base64 it has 420 characters, as many as the shortest seen in use.
	stateSize = 315
	stateHead = 1 + 16 + 8 + 4 + 8 + 2
	stateSum  = 8
)

// formatState writes a state: version, mailbox, folder, epoch, base, spans, padding, checksum.
func (m *Mailbox) formatState(f *folder, s state) string {
	b := make([]byte, 0, stateSize)
	b = append(b, stateVersion)
	b = append(b, m.guid[:]...)
	b = binary.BigEndian.AppendUint64(b, f.num)
	b = binary.BigEndian.AppendUint32(b, s.epoch)
	b = binary.BigEndian.AppendUint64(b, s.base)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.seen)))
	for _, sp := range s.seen {
		b = binary.BigEndian.AppendUint64(b, sp.after)
		b = binary.BigEndian.AppendUint64(b, sp.upto)
	}
	for (len(b)+stateSum)%3 != 0 || len(b)+stateSum < stateSize {
		b = append(b, byte(len(b)))
	}
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(append(b, sum[:stateSum]...))
}

// parseState reads a state that this folder gave out.
func (m *Mailbox) parseState(f *folder, text string) (state, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < stateSize {
		return state{}, ErrSyncState
	}
	body := b[:len(b)-stateSum]
	sum := sha256.Sum256(body)
	if string(sum[:stateSum]) != string(b[len(body):]) || body[0] != stateVersion || guid(body[1:17]) != m.guid ||
		binary.BigEndian.Uint64(body[17:]) != f.num {
		return state{}, ErrSyncState
	}
	s := state{epoch: binary.BigEndian.Uint32(body[25:]), base: binary.BigEndian.Uint64(body[29:])}
	for i := range int(binary.BigEndian.Uint16(body[37:])) {
		at := body[stateHead+16*i:]
		s.seen = append(s.seen, span{binary.BigEndian.Uint64(at), binary.BigEndian.Uint64(at[8:])})
	}
	oldest := s.base
	if s.base == 0 && len(s.seen) > 0 {
		oldest = s.seen[0].upto
	}
	if s.epoch != m.epoch || oldest < f.horizon || s.base > f.changed {
		return state{}, ErrSyncState
	}
	return s, nil
}

// InvalidateSyncStates makes every synchronization state given out so far invalid, as moving a mailbox does.
func (m *Mailbox) InvalidateSyncStates() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
}
