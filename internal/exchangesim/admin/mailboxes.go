package admin

import (
	"net/http"
	"strconv"
	"strings"

	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/seed"
	"roomsync/internal/exchangesim/store"
)

// mailbox is a mailbox as the API shows it.
type mailbox struct {
	Address string      `json:"address"`
	Name    string      `json:"name"`
	Kind    store.Kind  `json:"kind"`
	Zone    string      `json:"zone"`   // Windows time zone id
	Items   int         `json:"items"`  // in the calendar: single appointments and series
	Access  faults.Form `json:"access"` // allowed, or the form in which it is denied
}

func (a *api) show(m *store.Mailbox, bars map[string]faults.Form) mailbox {
	out := mailbox{Address: m.Address, Name: m.Name, Kind: m.Kind, Zone: m.Zone, Access: "allowed"}
	if f, ok := m.Folder("calendar"); ok {
		out.Items = f.Total
	}
	if form, ok := bars[m.Address]; ok {
		out.Access = form
	}
	return out
}

// find is the mailbox named in the path.
func (a *api) find(r *http.Request) (*store.Mailbox, error) {
	address := r.PathValue("address")
	if m := a.Company.Mailbox(address); m != nil {
		return m, nil
	}
	return nil, missing("mailbox", address, "GET /admin/mailboxes lists them")
}

func (a *api) listMailboxes(r *http.Request) (any, error) {
	limit, err := number(r, "limit", 1000)
	if err != nil {
		return nil, err
	}
	after := strings.ToLower(r.URL.Query().Get("after"))
	all := a.Company.Mailboxes()
	bars := a.Faults.Forbidden()
	page := struct {
		Total     int       `json:"total"`
		Mailboxes []mailbox `json:"mailboxes"`
	}{len(all), []mailbox{}}
	for _, m := range all {
		if m.Address > after && uint64(len(page.Mailboxes)) < limit {
			page.Mailboxes = append(page.Mailboxes, a.show(m, bars))
		}
	}
	return page, nil
}

// newMailboxes asks for one mailbox by its address, or for many by their number.
type newMailboxes struct {
	Address string     `json:"address"`
	Name    string     `json:"name"`
	Kind    store.Kind `json:"kind"`
	Zone    string     `json:"zone"`

	People int    `json:"people"`
	Rooms  int    `json:"rooms"`
	Items  int    `json:"items"` // appointments in each
	Seed   uint64 `json:"seed"`
}

// maxMailboxes bounds one request, by what fits into memory and a minute.
const maxMailboxes = 100_000

func (a *api) addMailboxes(r *http.Request) (any, error) {
	var in newMailboxes
	if err := read(r, &in); err != nil {
		return nil, err
	}
	switch {
	case in.Address != "" && in.People+in.Rooms > 0:
		return nil, invalid("address", "one mailbox and many are asked for", "give address, or people and rooms")
	case in.Address != "":
		return a.addOne(in)
	case in.People < 0 || in.Rooms < 0 || in.People+in.Rooms == 0:
		return nil, invalid("address", "no mailbox is asked for", `give address, or people and rooms, such as {"people": 80, "rooms": 20}`)
	case in.People+in.Rooms > maxMailboxes:
		return nil, invalid("people", "too many mailboxes at once", "ask for 100000 at most")
	}
	if in.Items == 0 {
		in.Items = -1
	}
	if in.Seed == 0 {
		in.Seed = a.Seed
	}
	person, room := a.seeded()
	made, err := seed.Fill(a.Company, seed.Options{
		Seed: in.Seed, People: in.People, Rooms: in.Rooms, Items: in.Items, FromPerson: person, FromRoom: room,
	})
	if err != nil {
		return nil, err
	}
	return created{made}, nil
}

func (a *api) addOne(in newMailboxes) (any, error) {
	if in.Kind != "" && in.Kind != store.KindPerson && in.Kind != store.KindRoom {
		return nil, invalid("kind", "the kind is unknown", "use person or room")
	}
	if _, ok := store.Location(in.Zone); in.Zone != "" && !ok {
		return nil, invalid("zone", "the time zone is unknown", "use a Windows id such as W. Europe Standard Time")
	}
	if a.Company.Mailbox(in.Address) != nil {
		return nil, &Error{status: http.StatusConflict, Message: "the mailbox exists", Field: "address", Hint: "choose another address"}
	}
	m, err := a.Company.AddMailbox(store.MailboxSpec{Address: in.Address, Name: in.Name, Kind: in.Kind, Zone: in.Zone})
	if err != nil {
		return nil, invalid("address", err.Error(), "write name@domain")
	}
	return created{a.show(m, nil)}, nil
}

// seeded is the highest number of a person and of a room with a seeded address, to number new ones after them.
func (a *api) seeded() (person, room int) {
	for _, m := range a.Company.Mailboxes() {
		local, _, _ := strings.Cut(m.Address, "@")
		if n, err := strconv.Atoi(strings.TrimPrefix(local, "user")); err == nil && m.Address == seed.Person(n, seed.DefaultDomain) {
			person = max(person, n)
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(local, "room")); err == nil && m.Address == seed.Room(n, seed.DefaultDomain) {
			room = max(room, n)
		}
	}
	return person, room
}

func (a *api) getMailbox(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	return a.show(m, a.Faults.Forbidden()), nil
}

func (a *api) removeMailbox(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	a.Company.RemoveMailbox(m.Address)
	return nil, nil
}

func (a *api) setAccess(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Access faults.Form `json:"access"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Access == "allowed" {
		a.Faults.Allow(m.Address)
	} else if a.Faults.Forbid(m.Address, in.Access) != nil {
		return nil, invalid("access", "the access is unknown", "use allowed, 403 or soap")
	}
	return a.show(m, a.Faults.Forbidden()), nil
}

func (a *api) throttle(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		For faults.Duration `json:"for"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.For <= 0 {
		return nil, invalid("for", "no time is given", `write a span such as "30s"`)
	}
	a.Faults.Throttle(m.Address, in.For.Std())
	return nil, nil
}

func (a *api) invalidateSyncStates(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	m.InvalidateSyncStates()
	return nil, nil
}
