package store

import (
	"slices"
	"time"
)

// Override is an occurrence that differs from its series.
type Override struct {
	Date   Date   // where the pattern puts it, in the series' zone
	Fields Fields // which properties of Item count; the others follow the master
	Item   *Item
}

// exceptionClass is the message class of the attachment that holds an exception.
const exceptionClass = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"

// series lays out the occurrences of one recurring master.
type series struct {
	m      *Mailbox
	master *Item
	ref    ref
	loc    *time.Location
	start  time.Duration // time of day
	span   Date          // days from start to end
	end    time.Duration // time of day of the end
}

func (m *Mailbox) series(master *Item) *series {
	s := &series{m: m, master: master}
	s.ref, _ = parseID(master.ID)
	s.loc, _ = Location(master.StartZone)
	s.start, s.end = clock(master.Start, s.loc), clock(master.End, s.loc)
	s.span = DateOf(master.End, s.loc) - DateOf(master.Start, s.loc)
	return s
}

func (s *series) times(d Date) (start, end time.Time) {
	return wall(d, s.start, s.loc), wall(d+s.span, s.end, s.loc)
}

// at makes the occurrence of a date on which the pattern has one that is not deleted.
func (s *series) at(d Date) *Item {
	it := *s.master
	it.ID = s.m.occurrenceID(s.ref.folder, s.ref.item, d)
	it.MasterID = s.master.ID
	it.Type, it.Class = Occurrence, it.Class+".Occurrence"
	it.Recurrence, it.Exceptions, it.Deleted = nil, nil, nil
	it.Start, it.End = s.times(d)
	it.OriginalStart = it.Start
	if o := s.override(d); o != nil {
		it.LastModified = o.Item.LastModified
		for _, p := range parts {
			if o.Fields&p.bit != 0 {
				p.copy(&it, o.Item)
			}
		}
		it.Type, it.Class = Exception, exceptionClass
	}
	return &it
}

func (s *series) override(d Date) *Override {
	i, found := slices.BinarySearchFunc(s.master.Exceptions, d, func(o Override, d Date) int { return int(o.Date - d) })
	if !found {
		return nil
	}
	return &s.master.Exceptions[i]
}

func (s *series) isDeleted(d Date) bool {
	_, found := slices.BinarySearch(s.master.Deleted, d)
	return found
}

// has reports whether the pattern has an occurrence on d, deleted or not.
func (s *series) has(d Date) bool {
	for x := range s.master.Recurrence.Dates() {
		if x >= d {
			return x == d
		}
	}
	return false
}

// occurrence returns the occurrence of a date, or why there is none.
func (s *series) occurrence(d Date) (*Item, error) {
	if s.isDeleted(d) {
		return nil, ErrOccurrenceDeleted
	}
	if !s.has(d) {
		return nil, ErrItemNotFound
	}
	return s.at(d), nil
}

// index returns the n-th occurrence, counted from 1 with deleted ones.
func (s *series) index(n int) (*Item, error) {
	i := 0
	for d := range s.master.Recurrence.Dates() {
		if i++; i == n {
			return s.occurrence(d)
		}
	}
	return nil, ErrOccurrenceIndex
}

// overlapping returns the occurrences and exceptions that a view from..to shows.
func (s *series) overlapping(from, to time.Time) []*Item {
	var found []*Item
	for _, o := range s.master.Exceptions {
		if it := s.at(o.Date); overlaps(it, from, to) {
			found = append(found, it)
		}
	}
	first, last := DateOf(from, s.loc)-s.span-1, DateOf(to, s.loc)
	for d := range s.master.Recurrence.Dates() {
		if d > last {
			break
		}
		if d < first || s.isDeleted(d) || s.override(d) != nil {
			continue
		}
		if start, end := s.times(d); !end.Before(from) && start.Before(to) {
			found = append(found, s.at(d))
		}
	}
	return found
}

// overlaps is the rule of CalendarView: what ends before from, or starts at or after to, is not shown.
func overlaps(it *Item, from, to time.Time) bool {
	return !it.End.Before(from) && it.Start.Before(to)
}

// Bounds are a series' first and last occurrence that are not deleted. Last is nil for a series without end.
type Bounds struct{ First, Last *Item }

// Bounds returns the ends of a recurring master's series.
func (m *Mailbox) Bounds(master *Item) Bounds {
	var b Bounds
	s := m.series(master)
	endless := !master.Recurrence.HasEnd && master.Recurrence.Count == 0
	last := Date(0)
	for d := range master.Recurrence.Dates() {
		if s.isDeleted(d) {
			continue
		}
		if last = d; b.First == nil {
			b.First = s.at(d)
		}
		if endless {
			return b
		}
	}
	if b.First != nil {
		b.Last = s.at(last)
	}
	return b
}

// Modified returns the exceptions of a recurring master in order of their original dates.
func (m *Mailbox) Modified(master *Item) []*Item {
	s := m.series(master)
	found := make([]*Item, 0, len(master.Exceptions))
	for _, o := range master.Exceptions {
		found = append(found, s.at(o.Date))
	}
	return found
}

// DeletedStarts returns when the deleted occurrences of a recurring master would have begun.
func (m *Mailbox) DeletedStarts(master *Item) []time.Time {
	s := m.series(master)
	starts := make([]time.Time, 0, len(master.Deleted))
	for _, d := range master.Deleted {
		start, _ := s.times(d)
		starts = append(starts, start)
	}
	return starts
}

// edit stores a changed occurrence in a copy of its master.
func (s *series) edit(d Date, changed *Item) error {
	if err := s.checkPlace(d, changed); err != nil {
		return err
	}
	s.withoutOverride(d)
	plain := s.at(d)
	changed.Class, changed.LastModified = plain.Class, s.m.now()
	o := Override{Date: d, Fields: diff(plain, changed), Item: changed}
	i, _ := slices.BinarySearchFunc(s.master.Exceptions, d, func(o Override, d Date) int { return int(o.Date - d) })
	s.master.Exceptions = slices.Insert(s.master.Exceptions, i, o)
	return nil
}

func (s *series) withoutOverride(d Date) {
	s.master.Exceptions = slices.DeleteFunc(s.master.Exceptions, func(o Override) bool { return o.Date == d })
}

// remove deletes an occurrence in a copy of its master.
func (s *series) remove(d Date) {
	s.withoutOverride(d)
	i, _ := slices.BinarySearch(s.master.Deleted, d)
	s.master.Deleted = slices.Insert(s.master.Deleted, i, d)
}

// checkPlace refuses an occurrence that would be on or beyond the day of a neighbour (MS-OXOCAL 2.2.1.44.1).
func (s *series) checkPlace(d Date, changed *Item) error {
	if tooLong(changed.Start, changed.End) {
		return ErrOccurrenceTooLong
	}
	place := DateOf(changed.Start, s.loc)
	for x := range s.master.Recurrence.Dates() {
		if s.isDeleted(x) || x == d {
			continue
		}
		other := x
		if o := s.override(x); o != nil && o.Fields&FieldTimes != 0 {
			other = DateOf(o.Item.Start, s.loc)
		}
		if x < d && other >= place || x > d && other <= place {
			return ErrCrossesBoundary
		}
		if x > d {
			break
		}
	}
	return nil
}
