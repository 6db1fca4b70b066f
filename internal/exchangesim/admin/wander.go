package admin

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
)

// What people and administrators do to items beside editing them: moving, copying, restoring, restoring a whole mailbox.

func (a *api) moveItem(r *http.Request) (any, error) { return a.wander(r, (*store.Mailbox).Move) }

func (a *api) copyItem(r *http.Request) (any, error) {
	answer, err := a.wander(r, (*store.Mailbox).Copy)
	return created{answer}, err
}

func (a *api) wander(r *http.Request, do func(*store.Mailbox, store.Actor, string, string) (*store.Item, error)) (any, error) {
	m, it, err := a.findItem(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Folder string `json:"folder"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	target, err := folder(m, in.Folder)
	if err != nil {
		return nil, err
	}
	moved, err := do(m, by(m), it.ID, target)
	if err != nil {
		return nil, err
	}
	return showItem(moved), nil
}

// folder is the id of a distinguished folder, the calendar's for "".
func folder(m *store.Mailbox, name string) (string, error) {
	if name == "" {
		return m.Calendar(), nil
	}
	if id := m.FolderID(name); id != "" {
		return id, nil
	}
	return "", invalid("folder", fmt.Sprintf("%q is unknown", name), "use calendar, deleteditems, recoverableitemsdeletions or inbox")
}

// backups are the snapshots that were taken, by their numbers.
type backups struct {
	mu  sync.Mutex
	all []*store.Snapshot
}

func (a *api) snapshot(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	s := m.Snapshot()
	a.backups.mu.Lock()
	defer a.backups.mu.Unlock()
	a.backups.all = append(a.backups.all, s)
	return created{struct {
		Snapshot int `json:"snapshot"`
		Items    int `json:"items"`
	}{len(a.backups.all), s.Items()}}, nil
}

func (a *api) restore(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Snapshot int  `json:"snapshot"`
		NewIDs   bool `json:"newIds"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	s := a.backups.get(in.Snapshot)
	if s == nil {
		return nil, invalid("snapshot", fmt.Sprintf("there is no snapshot %d", in.Snapshot), "POST …/snapshots takes one and tells its number")
	}
	if err := m.Restore(s, in.NewIDs); err != nil {
		return nil, invalid("snapshot", err.Error(), "take one of this mailbox")
	}
	return nil, nil
}

func (b *backups) get(n int) *store.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < 1 || n > len(b.all) {
		return nil
	}
	return b.all[n-1]
}

func (a *api) setAttendant(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	in := struct {
		Enabled bool            `json:"enabled"`
		Delay   faults.Duration `json:"delay"`
	}{Delay: faults.Duration(3 * time.Second)}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Delay < 0 {
		return nil, invalid("delay", "a negative span", `write a span such as "3s"`)
	}
	m.SetAttendant(in.Enabled, in.Delay.Std())
	return nil, nil
}

func (a *api) invitations(r *http.Request) (any, error) {
	since, limit, err := since(r)
	if err != nil {
		return nil, err
	}
	all := a.Company.Invitations(since)
	out := struct {
		Last        uint64                  `json:"last"` // to go on from
		Invitations []store.Invitation      `json:"invitations"`
		Counts      []store.InvitationCount `json:"counts"` // of all there were, not only of those shown
	}{since, all[:min(limit, len(all))], a.Company.InvitationCounts()}
	if n := len(out.Invitations); n > 0 {
		out.Last = out.Invitations[n-1].Seq
	} else {
		out.Invitations = []store.Invitation{}
	}
	return out, nil
}
