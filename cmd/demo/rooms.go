package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
)

// rooms stands in for ROOMS: it reads EXCHANGE_EVENTS, keeps what they tell of every calendar, and puts the news into
// words. It is safe for concurrent use.
type rooms struct {
	names map[string]string // display names of mailboxes, by address
	guest string            // the mailbox whose changes are always shown
	lag   *lag
	each  func(events.Event) error // called with every event; may be nil

	mu       sync.Mutex
	items    map[place]known
	refusals map[string]refusal // by address
	refused  int                // refusals ever
	restored int
	events   uint64
	news     news
	warned   map[string]time.Time // when each warning was last shown
}

// refusal is a mailbox that Exchange refuses.
type refusal struct {
	address, name string
	since         time.Time
	answer        string // what Exchange said, in short
	hint          string
}

func newRooms(names map[string]string, guest string, l *lag) *rooms {
	return &rooms{names: names, guest: guest, lag: l, items: map[place]known{}, refusals: map[string]refusal{}, warned: map[string]time.Time{}}
}

// handle takes an event that arrived at that time. An error says that the event is not as the contract has it.
func (r *rooms) handle(d bus.Delivered, now time.Time) error {
	if err := r.take(d.Event, now); err != nil {
		return fmt.Errorf("event %s of type %s: %w", d.ID, d.Type, err)
	}
	if r.each != nil {
		return r.each(d.Event)
	}
	return nil
}

func (r *rooms) take(e events.Event, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
	switch e.Type {
	case events.TypeCalendarChanged:
		return decode(e, func(p events.CalendarChanged) { r.page(p, now) })
	case events.TypeSyncCompleted:
		return decode(e, func(s events.SyncCompleted) {
			r.reopen(s.Mailbox)
			r.lag.listed(s.Mailbox, func(item string) bool { _, known := r.items[place{s.Mailbox, item}]; return known })
			r.tell(now, false, s.Mailbox, fmt.Sprintf("calendar read, %d appointments", s.Items))
		})
	case events.TypeAccessDenied:
		return decode(e, func(a events.AccessDenied) { r.refuse(a, now) })
	case events.TypeMailboxBlocked:
		return decode(e, func(b events.MailboxBlocked) {
			r.refuse(events.AccessDenied{Mailbox: b.Mailbox, Since: b.Since, Code: b.Code, Hint: b.Hint}, now)
		})
	case events.TypeAccessRestored:
		return decode(e, func(a events.AccessRestored) {
			r.restored++
			r.reopen(a.Mailbox)
			r.tell(now, true, a.Mailbox, "access is back after "+a.Until.Sub(a.Since).Round(time.Second).String())
		})
	}
	return nil // a later version of the contract may have more
}

func decode[T any](e events.Event, f func(T)) error {
	var data T
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	f(data)
	return nil
}

// page takes a page of changes. Of a first reading, only that it is complete is news.
func (r *rooms) page(p events.CalendarChanged, now time.Time) {
	r.reopen(p.Mailbox)
	for _, c := range p.Changes {
		at := place{p.Mailbox, c.ItemID}
		var old *known
		if k, ok := r.items[at]; ok {
			old = &k
		}
		if c.Kind == events.KindDeleted {
			delete(r.items, at)
		} else {
			r.items[at] = remember(c)
		}
		r.lag.told(p.Mailbox, c, now)
		if p.Reason == events.ReasonChange {
			r.tell(now, p.Mailbox == r.guest, p.Mailbox, words(c, old, now))
		}
	}
}

func (r *rooms) refuse(a events.AccessDenied, now time.Time) {
	answer := a.Code
	if answer == "" {
		answer = fmt.Sprintf("HTTP %d", a.Status)
	}
	r.refused++
	r.refusals[a.Mailbox] = refusal{
		address: a.Mailbox, name: r.name(a.Mailbox), since: a.Since, answer: answer, hint: clean(a.Hint),
	}
	r.lag.refuse(a.Mailbox, true)
	what := "refused: " + a.Hint
	if !strings.HasPrefix(a.Hint, answer) {
		what = "refused with " + answer + ": " + a.Hint
	}
	r.tell(now, true, a.Mailbox, what)
}

// reopen notes that a mailbox can be read.
func (r *rooms) reopen(mailbox string) {
	if _, ok := r.refusals[mailbox]; ok {
		delete(r.refusals, mailbox)
		r.lag.refuse(mailbox, false)
	}
}

func (r *rooms) name(mailbox string) string {
	if name, ok := r.names[mailbox]; ok {
		return clean(name)
	}
	return clean(mailbox)
}

func (r *rooms) tell(now time.Time, notable bool, mailbox, what string) {
	r.news.add(entry{at: now, notable: notable, who: r.name(mailbox), what: clean(what)})
}

// warnEvery is how often the same warning is shown: trouble that concerns every mailbox would hide all else.
const warnEvery = 10 * time.Second

// warn puts a warning of one of the parts among the news.
func (r *rooms) warn(now time.Time, message, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.warned[message]; ok && now.Sub(last) < warnEvery {
		return
	}
	r.warned[message] = now
	r.news.add(entry{at: now, notable: true, who: "warning", what: clean(message + detail)})
}

// view is what rooms shows.
type view struct {
	events   uint64
	refused  int // ever
	restored int
	refusals []refusal // now, oldest first
	news     []entry   // all that are kept, oldest first
}

func (r *rooms) view() view {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.SortedFunc(maps.Values(r.refusals), func(a, b refusal) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return strings.Compare(a.address, b.address)
	})
	return view{events: r.events, refused: r.refused, restored: r.restored, refusals: all, news: slices.Clone(r.news.kept)}
}

// news are the newest entries.
type news struct {
	n    uint64
	kept []entry
}

// entry is something that happened, in words.
type entry struct {
	n       uint64 // counts all entries, from 1
	at      time.Time
	notable bool // never left out: a refusal, its end, a warning, or what the guest did
	who     string
	what    string
}

// maxNews is more than happens in a second, after which the lines are printed.
const maxNews = 2 * maxMailboxes

func (n *news) add(e entry) {
	n.n++
	e.n = n.n
	if len(n.kept) == maxNews {
		n.kept = slices.Delete(n.kept, 0, maxNews/2)
	}
	n.kept = append(n.kept, e)
}

// line is the entry as one line.
func (e entry) line() string {
	return e.at.Local().Format(time.TimeOnly) + " " + e.who + " · " + e.what
}
