package store

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Mailbox is one person's or room's mailbox.
type Mailbox struct {
	Address string // primary SMTP address, lower case
	Name    string
	Kind    Kind
	Zone    string // Windows time zone id

	company  *Company
	guid     guid
	provider guid // of MAPI entry ids
	database guid // replica id of folder and message counters

	mu      sync.RWMutex
	seq     uint64 // number of the last change
	lastNum uint64 // last counter given to a folder or item
	epoch   uint32 // of synchronization states; older ones are invalid
	folders map[uint64]*folder
	byName  map[string]*folder
	order   []*folder
	nodes   map[uint64]*node // all items there are
	grants  map[grant]Access // what others may do

	attended       bool // there is a booking attendant
	attendantDelay time.Duration
}

// folder is a folder with the log of its changes.
type folder struct {
	num     uint64
	id      string
	name    string // distinguished id; empty for folders that were created
	display string
	class   string
	parent  *folder
	changed uint64 // number of the last change in it
	log     []logEntry
	stale   int    // entries of log that a later one of the same item replaces
	horizon uint64 // deletions up to this change are forgotten
	deleted int    // tombstones in log
	live    map[uint64]*node
}

// node is an item's place in a folder over time.
type node struct {
	num     uint64
	id      string
	folder  *folder
	item    *Item    // nil when deleted
	created uint64   // change that put it there
	content uint64   // last change other than of the read flag
	history []uint64 // numbers of its changes, ascending
	fields  [fieldCount]uint64
}

func (n *node) last() uint64 { return n.history[len(n.history)-1] }

// wellKnown lists the folders of a new mailbox: distinguished id, display name, class, parent.
var wellKnown = [][4]string{
	{"root", "", "", ""},
	{"msgfolderroot", "Top of Information Store", "IPF.Note", "root"},
	{"calendar", "Calendar", "IPF.Appointment", "msgfolderroot"},
	{"inbox", "Inbox", "IPF.Note", "msgfolderroot"},
	{"drafts", "Drafts", "IPF.Note", "msgfolderroot"},
	{"sentitems", "Sent Items", "IPF.Note", "msgfolderroot"},
	{"deleteditems", "Deleted Items", "IPF.Note", "msgfolderroot"},
	{"outbox", "Outbox", "IPF.Note", "msgfolderroot"},
	{"junkemail", "Junk Email", "IPF.Note", "msgfolderroot"},
	{"recoverableitemsroot", "Recoverable Items", "", "root"},
	{"recoverableitemsdeletions", "Deletions", "", "recoverableitemsroot"},
}

func newMailbox(c *Company, spec MailboxSpec) *Mailbox {
	id := func(what string) guid { return hashGUID(c.opts.Seed, what, spec.Address) }
	m := &Mailbox{
		Address: spec.Address, Name: spec.Name, Kind: spec.Kind, Zone: spec.Zone,
		company: c, guid: id("mailbox"), provider: id("provider"), database: id("database"),
		folders: map[uint64]*folder{}, byName: map[string]*folder{}, nodes: map[uint64]*node{}, grants: map[grant]Access{},
	}
	m.lastNum = 0x100
	for _, w := range wellKnown {
		f := m.addFolder(m.byName[w[3]], w[1], w[2])
		f.name = w[0]
		m.byName[f.name] = f
	}
	return m
}

func (m *Mailbox) addFolder(parent *folder, display, class string) *folder {
	m.lastNum++
	m.seq++
	f := &folder{num: m.lastNum, parent: parent, display: display, class: class, changed: m.seq, live: map[uint64]*node{}}
	f.id = m.folderID(f.num)
	m.folders[f.num] = f
	m.order = append(m.order, f)
	return f
}

// Folder describes a folder.
type Folder struct {
	ID, ChangeKey    string
	ParentID         string // empty for the root
	Name             string // distinguished id, empty where there is none
	Display, Class   string
	Total, Unread    int
	Children         int // direct ones
	Mailbox          *Mailbox
	LastChangeNumber uint64 // grows with every change in the folder
}

// IsCalendar reports whether the folder holds appointments.
func (f Folder) IsCalendar() bool { return strings.HasPrefix(f.Class, "IPF.Appointment") }

func (m *Mailbox) describe(f *folder) Folder {
	d := Folder{ID: f.id, ChangeKey: m.changeKey(2, f.changed), Name: f.name, Display: f.display, Class: f.class,
		Total: len(f.live), Mailbox: m, LastChangeNumber: f.changed}
	if f.parent != nil {
		d.ParentID = f.parent.id
	}
	for _, other := range m.order {
		if other.parent == f {
			d.Children++
		}
	}
	if !d.IsCalendar() {
		for _, n := range f.live {
			if !n.item.IsRead {
				d.Unread++
			}
		}
	}
	return d
}

// Folder returns the folder with that distinguished id (calendar, inbox …), false if a mailbox has none such.
func (m *Mailbox) Folder(name string) (Folder, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f := m.byName[name]
	if f == nil {
		return Folder{}, false
	}
	return m.describe(f), true
}

// Calendar returns the id of the default calendar.
func (m *Mailbox) Calendar() string { return m.byName["calendar"].id }

// FolderID returns the id of a distinguished folder, "" if a mailbox has none such.
func (m *Mailbox) FolderID(name string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if f := m.byName[name]; f != nil {
		return f.id
	}
	return ""
}

// FolderByID returns a folder, or [ErrFolderNotFound].
func (m *Mailbox) FolderByID(id string) (Folder, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.folder(id)
	if err != nil {
		return Folder{}, err
	}
	return m.describe(f), nil
}

// Folders returns all folders, parents before children.
func (m *Mailbox) Folders() []Folder {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]Folder, 0, len(m.order))
	for _, f := range m.order {
		all = append(all, m.describe(f))
	}
	return all
}

// AddFolder makes a folder, such as a second calendar (class IPF.Appointment).
func (m *Mailbox) AddFolder(parentID, display, class string) (Folder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, err := m.folder(parentID)
	if err != nil {
		return Folder{}, err
	}
	return m.describe(m.addFolder(parent, display, class)), nil
}

// RemoveFolder deletes a folder that has no distinguished id, with its items.
func (m *Mailbox) RemoveFolder(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.folder(id)
	if err != nil {
		return err
	}
	if f.name != "" {
		return &Error{Code: "ErrorDeleteDistinguishedFolder"}
	}
	for num := range f.live {
		delete(m.nodes, num)
	}
	delete(m.folders, f.num)
	m.order = slices.DeleteFunc(m.order, func(o *folder) bool { return o == f })
	return nil
}

func (m *Mailbox) folder(id string) (*folder, error) {
	r, err := parseID(id)
	if err != nil {
		return nil, err
	}
	f := m.folders[r.folder]
	if f == nil || f.id != id {
		return nil, ErrFolderNotFound
	}
	return f, nil
}

// GUID is the mailbox GUID that all its ids contain.
func (m *Mailbox) GUID() string { return m.guid.String() }

// OwnerOf returns the mailbox that gave out an item's or folder's id. It fails with [ErrIDMalformed], and with
// [ErrItemNotFound] when there is no such mailbox.
func (c *Company) OwnerOf(id string) (*Mailbox, error) {
	r, err := parseID(id)
	if err != nil {
		return nil, err
	}
	if m := c.mailboxByGUID(r.mailbox); m != nil {
		return m, nil
	}
	return nil, ErrItemNotFound
}

// IsFolderID reports whether an id has the form of a folder's.
func IsFolderID(id string) bool {
	r, err := parseID(id)
	return err == nil && r.item == 0
}

func (m *Mailbox) now() time.Time { return m.company.Now() }
