package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// item is an appointment as the API shows it.
type item struct {
	ID          string    `json:"id"`
	ChangeKey   string    `json:"changeKey"`
	UID         string    `json:"uid"`
	Type        string    `json:"type"` // Single, RecurringMaster, Occurrence or Exception
	Subject     string    `json:"subject"`
	Body        string    `json:"body,omitempty"`
	Location    string    `json:"location,omitempty"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Zone        string    `json:"zone"` // Windows time zone id
	AllDay      bool      `json:"allDay"`
	FreeBusy    string    `json:"freeBusy"`
	Sensitivity string    `json:"sensitivity"`
	Categories  []string  `json:"categories,omitempty"`
	Organizer   string    `json:"organizer"`
	Required    []string  `json:"required,omitempty"` // addresses
	Optional    []string  `json:"optional,omitempty"`
	Resources   []string  `json:"resources,omitempty"`
	Cancelled   bool      `json:"cancelled,omitempty"`
	// Responses are those of the attendees who gave one, by address.
	Responses    map[string]string `json:"responses,omitempty"`
	Booking      string            `json:"booking,omitempty"` // the product's extended property BookingId
	MasterID     string            `json:"masterId,omitempty"`
	OriginalDate string            `json:"originalDate,omitempty"` // of an occurrence, yyyy-mm-dd
	Recurrence   *recurrence       `json:"recurrence,omitempty"`
	Exceptions   int               `json:"exceptions,omitempty"`
	Deleted      int               `json:"deleted,omitempty"` // occurrences
	LastModified time.Time         `json:"lastModified"`
}

// recurrence is the pattern of a series, as far as the API can write it.
type recurrence struct {
	Pattern    string   `json:"pattern"` // daily, weekly, monthly (same day of the month), yearly; "other" only in answers
	Interval   int      `json:"interval"`
	Days       []string `json:"days,omitempty"` // of the week, for weekly patterns: Monday …
	Count      int      `json:"count,omitempty"`
	Until      string   `json:"until,omitempty"` // last day, yyyy-mm-dd
	DayOfMonth int      `json:"dayOfMonth,omitempty"`
}

var patterns = map[store.Pattern]string{
	store.Daily: "daily", store.Weekly: "weekly", store.AbsoluteMonthly: "monthly", store.AbsoluteYearly: "yearly",
}

var weekdays = []time.Weekday{time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday}

func showItem(it *store.Item) item {
	out := item{
		ID: it.ID, ChangeKey: it.ChangeKey, UID: it.UID, Type: string(it.Type), Subject: it.Subject, Body: it.Body.Text,
		Location: it.Location, Start: it.Start.UTC(), End: it.End.UTC(), Zone: it.StartZone, AllDay: it.AllDay,
		FreeBusy: it.FreeBusy, Sensitivity: it.Sensitivity, Categories: it.Categories, Organizer: it.Organizer.Address,
		Required: addresses(it.Required), Optional: addresses(it.Optional), Resources: addresses(it.Resources),
		Cancelled: it.IsCancelled, Booking: it.Booking("BookingId"), MasterID: it.MasterID,
		Recurrence: showRecurrence(it.Recurrence), Exceptions: len(it.Exceptions), Deleted: len(it.Deleted),
		LastModified: it.LastModified.UTC(), Responses: responses(it),
	}
	if zone, ok := store.Location(it.StartZone); ok && !it.OriginalStart.IsZero() {
		out.OriginalDate = store.DateOf(it.OriginalStart, zone).String()
	}
	return out
}

func responses(it *store.Item) map[string]string {
	given := map[string]string{}
	for _, a := range slices.Concat(it.Required, it.Optional, it.Resources) {
		if !a.Replied.IsZero() {
			given[a.Address] = a.Response
		}
	}
	return given
}

func addresses(list []store.Attendee) []string {
	var all []string
	for _, p := range list {
		all = append(all, p.Address)
	}
	return all
}

func showRecurrence(r *store.Recurrence) *recurrence {
	if r == nil {
		return nil
	}
	out := &recurrence{Pattern: "other", Interval: r.Interval, Count: r.Count, DayOfMonth: r.DayOfMonth}
	if name, ok := patterns[r.Pattern]; ok {
		out.Pattern = name
	}
	for _, d := range weekdays {
		if r.Days.Has(d) {
			out.Days = append(out.Days, d.String())
		}
	}
	if r.HasEnd {
		out.Until = r.End.String()
	}
	return out
}

// listItems shows what the calendar or another folder holds, or with from and to what it shows in that time: series are then expanded.
func (a *api) listItems(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	var items []*store.Item
	if q.Get("from") == "" && q.Get("to") == "" {
		items, err = held(m, q.Get("folder"))
	} else {
		items, err = view(m, q.Get("from"), q.Get("to"))
	}
	if err != nil {
		return nil, err
	}
	out := struct {
		Items []item `json:"items"`
	}{[]item{}}
	for _, it := range items {
		out.Items = append(out.Items, showItem(it))
	}
	return out, nil
}

// held lists the appointments in a folder.
func held(m *store.Mailbox, name string) ([]*store.Item, error) {
	id, err := folder(m, name)
	if err != nil {
		return nil, err
	}
	items, err := m.Items(id)
	return slices.DeleteFunc(items, func(it *store.Item) bool { return !it.IsCalendar() }), err
}

func view(m *store.Mailbox, from, to string) ([]*store.Item, error) {
	start, err := moment("from", from)
	if err != nil {
		return nil, err
	}
	end, err := moment("to", to)
	if err != nil {
		return nil, err
	}
	v, err := m.View(m.Calendar(), start, end, 0)
	return v.Items, err
}

func moment(field, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalid(field, fmt.Sprintf("%q is no time", text), "write 2026-11-23T09:00:00Z or 2026-11-23")
}

func (a *api) getItem(r *http.Request) (any, error) {
	_, it, err := a.findItem(r)
	if err != nil {
		return nil, err
	}
	return showItem(it), nil
}

func (a *api) findItem(r *http.Request) (*store.Mailbox, *store.Item, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, nil, err
	}
	it, err := m.Item(r.PathValue("id"))
	return m, it, err
}

// by is who changes a calendar through the API: its owner.
func by(m *store.Mailbox) store.Actor { return store.Actor{Name: m.Address} }

func (a *api) createItem(r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	var in change
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Start == nil {
		return nil, invalid("start", "an appointment needs a start", "write 2026-11-23T09:00:00Z")
	}
	draft := &store.Item{Subject: "(no subject)", StartZone: m.Zone, EndZone: m.Zone}
	if err := in.apply(draft); err != nil {
		return nil, err
	}
	if in.End == nil {
		draft.End = draft.Start.Add(30 * time.Minute)
	}
	saved, err := m.Create(by(m), m.Calendar(), draft)
	if err != nil {
		return nil, err
	}
	return created{showItem(saved)}, nil
}

func (a *api) updateItem(r *http.Request) (any, error) {
	m, it, err := a.findItem(r)
	if err != nil {
		return nil, err
	}
	var in change
	if err := read(r, &in); err != nil {
		return nil, err
	}
	basis := store.Basis{ChangeKey: in.ChangeKey}
	if in.ChangeKey != "" {
		basis.Resolution = store.NeverOverwrite
	}
	saved, _, err := m.Update(by(m), it.ID, basis, in.apply)
	if err != nil {
		return nil, err
	}
	return showItem(saved), nil
}

func (a *api) deleteItem(r *http.Request) (any, error) {
	m, it, err := a.findItem(r)
	if err != nil {
		return nil, err
	}
	how := store.MoveToDeletedItems
	if text := r.URL.Query().Get("how"); text != "" {
		how = store.Disposal(text)
		if !slices.Contains([]store.Disposal{store.HardDelete, store.SoftDelete, store.MoveToDeletedItems}, how) {
			return nil, invalid("how", "the disposal is unknown", "use HardDelete, SoftDelete or MoveToDeletedItems")
		}
	}
	return nil, m.Delete(by(m), it.ID, "", how)
}

// change is what a request wants of an appointment; nil fields stay as they are.
type change struct {
	ChangeKey   string      `json:"changeKey"` // the version that an update is based on; any when empty
	Subject     *string     `json:"subject"`
	Body        *string     `json:"body"`
	Location    *string     `json:"location"`
	Start       *time.Time  `json:"start"`
	End         *time.Time  `json:"end"`
	Zone        *string     `json:"zone"`
	AllDay      *bool       `json:"allDay"`
	FreeBusy    *string     `json:"freeBusy"`
	Sensitivity *string     `json:"sensitivity"`
	Categories  *[]string   `json:"categories"`
	Required    *[]string   `json:"required"`
	Optional    *[]string   `json:"optional"`
	Resources   *[]string   `json:"resources"`
	Cancelled   *bool       `json:"cancelled"`
	Recurrence  *recurrence `json:"recurrence"`
}

func (c change) apply(it *store.Item) error {
	set(&it.Subject, c.Subject)
	set(&it.Location, c.Location)
	set(&it.AllDay, c.AllDay)
	set(&it.Categories, c.Categories)
	set(&it.IsCancelled, c.Cancelled)
	if c.Body != nil {
		it.Body = store.Body{Text: *c.Body}
	}
	if c.Zone != nil {
		it.StartZone, it.EndZone = *c.Zone, *c.Zone
	}
	set(&it.Start, c.Start)
	set(&it.End, c.End)
	for _, list := range []struct {
		to   *[]store.Attendee
		from *[]string
	}{{&it.Required, c.Required}, {&it.Optional, c.Optional}, {&it.Resources, c.Resources}} {
		if list.from != nil {
			*list.to = attendees(*list.from)
		}
	}
	if err := enum("freeBusy", &it.FreeBusy, c.FreeBusy, "Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"); err != nil {
		return err
	}
	if err := enum("sensitivity", &it.Sensitivity, c.Sensitivity, "Normal", "Personal", "Private", "Confidential"); err != nil {
		return err
	}
	if c.Recurrence == nil {
		return nil
	}
	return c.Recurrence.apply(it)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func enum(field string, to, from *string, allowed ...string) error {
	if from == nil {
		return nil
	}
	if !slices.Contains(allowed, *from) {
		return invalid(field, fmt.Sprintf("%q is unknown", *from), "use "+strings.Join(allowed, ", "))
	}
	*to = *from
	return nil
}

func attendees(list []string) []store.Attendee {
	var all []store.Attendee
	for _, address := range list {
		all = append(all, store.Attendee{Person: store.Person{Address: strings.ToLower(address)}})
	}
	return all
}

func (r *recurrence) apply(it *store.Item) error {
	zone, ok := store.Location(it.StartZone)
	if !ok {
		return invalid("zone", "the time zone is unknown", "use a Windows id such as W. Europe Standard Time")
	}
	first := store.DateOf(it.Start, zone)
	local := it.Start.In(zone)
	out := &store.Recurrence{
		Interval: max(r.Interval, 1), FirstDay: time.Monday, Start: first, Count: r.Count,
		DayOfMonth: local.Day(), Month: local.Month(),
	}
	for p, name := range patterns {
		if name == strings.ToLower(r.Pattern) {
			out.Pattern = p
		}
	}
	if out.Pattern == 0 {
		return invalid("recurrence.pattern", fmt.Sprintf("%q is unknown", r.Pattern), "use daily, weekly, monthly or yearly")
	}
	if err := r.days(out); err != nil {
		return err
	}
	if out.Pattern == store.Weekly && out.Days == 0 {
		out.Days = store.On(local.Weekday())
	}
	if r.DayOfMonth > 0 {
		out.DayOfMonth = r.DayOfMonth
	}
	if r.Until != "" {
		if out.End, ok = store.ParseDate(r.Until); !ok {
			return invalid("recurrence.until", fmt.Sprintf("%q is no day", r.Until), "write 2026-12-31")
		}
		out.HasEnd = true
	}
	it.Recurrence = out
	return nil
}

func (r *recurrence) days(out *store.Recurrence) error {
	for _, name := range r.Days {
		i := slices.IndexFunc(weekdays, func(d time.Weekday) bool { return strings.EqualFold(d.String(), name) })
		if i < 0 {
			return invalid("recurrence.days", fmt.Sprintf("%q is no day", name), "use Monday to Sunday")
		}
		out.Days |= store.On(weekdays[i])
	}
	return nil
}
