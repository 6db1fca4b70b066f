package store

import (
	"cmp"
	"slices"
	"strings"
)

// Access is what a delegate may do in a folder.
type Access int

// Levels of access, each with more rights than the one before.
const (
	NoAccess         Access = iota
	AvailabilityOnly        // sees free and busy times
	LimitedDetails          // sees subjects and places of busy times too
	Reviewer                // may read
	Editor                  // may read, create, change and delete
	Owner
)

var accessNames = [...]string{"None", "AvailabilityOnly", "LimitedDetails", "Reviewer", "Editor", "Owner"}

// String names the level as Add-MailboxFolderPermission does.
func (a Access) String() string { return accessNames[a] }

// MarshalText implements encoding.TextMarshaler.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseAccess reads a level's name; case does not matter.
func ParseAccess(name string) (Access, bool) {
	i := slices.IndexFunc(accessNames[:], func(n string) bool { return strings.EqualFold(n, name) })
	return Access(max(0, i)), i >= 0
}

// Permission is what somebody may do in one folder of somebody else's.
type Permission struct {
	User   string `json:"user"`
	Folder string `json:"folder"` // distinguished id, or the id of a folder without one
	Access Access `json:"access"`
}

// grant says whose permission it is, in which folder.
type grant struct {
	user   string
	folder uint64
}

// Grant gives somebody rights in one folder, named by its distinguished id, its id, or as Exchange's cmdlets do it
// ("\Deleted Items"); [NoAccess] takes them away. It fails with [ErrFolderNotFound].
func (m *Mailbox) Grant(user, folder string, a Access) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.named(folder)
	if f == nil {
		return ErrFolderNotFound
	}
	key := grant{strings.ToLower(user), f.num}
	delete(m.grants, key)
	if a != NoAccess {
		m.grants[key] = a
	}
	return nil
}

func (m *Mailbox) named(folder string) *folder {
	name := strings.TrimPrefix(folder, `\`)
	for _, f := range m.order {
		if f.id == folder || strings.EqualFold(f.name, name) && name != "" || strings.EqualFold(f.display, name) && name != "" {
			return f
		}
	}
	return nil
}

// AccessOf says what somebody may do in the folder with that id, or in the folder of the item with that id. The owner
// may do everything.
func (m *Mailbox) AccessOf(address, id string) Access {
	if strings.EqualFold(address, m.Address) {
		return Owner
	}
	r, err := parseID(id)
	if err != nil {
		return NoAccess
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.grants[grant{strings.ToLower(address), r.folder}]
}

// Permissions lists who may do what, by user and folder.
func (m *Mailbox) Permissions() []Permission {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := []Permission{}
	for key, a := range m.grants {
		f := m.folders[key.folder]
		if f == nil {
			continue // removed since
		}
		all = append(all, Permission{User: key.user, Folder: cmp.Or(f.name, f.id), Access: a})
	}
	slices.SortFunc(all, func(a, b Permission) int {
		return cmp.Or(strings.Compare(a.User, b.User), strings.Compare(a.Folder, b.Folder))
	})
	return all
}
