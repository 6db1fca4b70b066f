package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPatterns(t *testing.T) {
	first := NewDate(2026, 1, 1) // a Thursday
	for _, c := range []struct {
		name string
		r    Recurrence
		want string
	}{
		{"daily", Recurrence{Pattern: Daily, Interval: 3}, "2026-01-01 2026-01-04 2026-01-07 2026-01-10"},
		{"weekly, every second, Monday and Friday", Recurrence{Pattern: Weekly, Interval: 2, Days: On(time.Monday) | On(time.Friday), FirstDay: time.Monday},
			"2026-01-02 2026-01-12 2026-01-16 2026-01-26"},
		{"weekly, week begins Sunday", Recurrence{Pattern: Weekly, Interval: 2, Days: On(time.Sunday) | On(time.Friday)},
			"2026-01-02 2026-01-11 2026-01-16 2026-01-25"},
		{"weekly, week begins Monday", Recurrence{Pattern: Weekly, Interval: 2, Days: On(time.Sunday) | On(time.Friday), FirstDay: time.Monday},
			"2026-01-02 2026-01-04 2026-01-16 2026-01-18"},
		{"31st of the month", Recurrence{Pattern: AbsoluteMonthly, Interval: 1, DayOfMonth: 31}, "2026-01-31 2026-02-28 2026-03-31 2026-04-30"},
		{"last weekday", Recurrence{Pattern: RelativeMonthly, Interval: 1, Days: Weekdays, Index: 5}, "2026-01-30 2026-02-27 2026-03-31 2026-04-30"},
		{"second Tuesday of every third month", Recurrence{Pattern: RelativeMonthly, Interval: 3, Days: On(time.Tuesday), Index: 2},
			"2026-01-13 2026-04-14 2026-07-14 2026-10-13"},
		{"29 February", Recurrence{Pattern: AbsoluteYearly, Interval: 1, DayOfMonth: 29, Month: time.February}, "2026-02-28 2027-02-28 2028-02-29 2029-02-28"},
		{"first Monday of November", Recurrence{Pattern: RelativeYearly, Interval: 1, Days: On(time.Monday), Index: 1, Month: time.November},
			"2026-11-02 2027-11-01 2028-11-06 2029-11-05"},
		{"numbered", Recurrence{Pattern: Daily, Interval: 1, Count: 2}, "2026-01-01 2026-01-02"},
		{"with end", Recurrence{Pattern: Daily, Interval: 1, HasEnd: true, End: NewDate(2026, 1, 3)}, "2026-01-01 2026-01-02 2026-01-03"},
	} {
		c.r.Start = first
		var got []string
		for d := range c.r.Dates() {
			if got = append(got, d.String()); len(got) == 4 {
				break
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// TestWall checks the two hours that are special in Berlin: one that the clocks skip and one that they show twice.
func TestWall(t *testing.T) {
	loc, _ := Location(DefaultZone)
	for _, c := range []struct {
		d      Date
		hour   time.Duration
		wantUT string
	}{
		{NewDate(2026, 3, 28), 2, "2026-03-28T01:00:00Z"},
		{NewDate(2026, 3, 29), 1, "2026-03-29T00:00:00Z"},
		{NewDate(2026, 3, 29), 2, "2026-03-29T01:00:00Z"}, // does not exist: shown as 3 o'clock
		{NewDate(2026, 3, 29), 3, "2026-03-29T01:00:00Z"},
		{NewDate(2026, 10, 25), 1, "2026-10-24T23:00:00Z"},
		{NewDate(2026, 10, 25), 2, "2026-10-25T01:00:00Z"}, // exists twice: standard time
		{NewDate(2026, 10, 25), 3, "2026-10-25T02:00:00Z"},
	} {
		if got := wall(c.d, c.hour*time.Hour, loc).UTC().Format(time.RFC3339); got != c.wantUT {
			t.Errorf("%s %d o'clock is %s, want %s", c.d, c.hour, got, c.wantUT)
		}
	}
}

func starts(items []*Item) string {
	var s []string
	for _, it := range items {
		s = append(s, it.Start.Format("01-02T15"))
	}
	return strings.Join(s, " ")
}

// TestViewAcrossSummerTime: a series keeps its time of day, so its time in UTC changes.
func TestViewAcrossSummerTime(t *testing.T) {
	m := newMailboxT(t)
	addSeries(t, m, time.Date(2026, 3, 23, 9, 0, 0, 0, time.UTC), Recurrence{Pattern: Weekly, Interval: 1, Days: On(time.Monday)})
	v, err := m.View(m.Calendar(), time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC), 0)
	if got := starts(v.Items); err != nil || got != "03-23T09 03-30T08 04-06T08" {
		t.Errorf("starts %s (%v)", got, err)
	}
}

// TestViewOverlap is the documented rule: End < StartDate or Start >= EndDate is not shown.
func TestViewOverlap(t *testing.T) {
	m := newMailboxT(t)
	from, to := now, now.Add(4*time.Hour)
	for i, start := range []time.Time{from.Add(-61 * time.Minute), from.Add(-time.Hour), from, to.Add(-time.Minute), to} {
		add(t, m, string(rune('a'+i)), start)
	}
	v, err := m.View(m.Calendar(), from, to, 0)
	var got string
	for _, it := range v.Items {
		got += it.Subject
	}
	if err != nil || got != "bcd" || !v.Complete {
		t.Errorf("view shows %q (%v)", got, err)
	}
	if v, _ := m.View(m.Calendar(), from, to, 2); len(v.Items) != 2 || v.Complete {
		t.Errorf("limited view has %d items, complete %v", len(v.Items), v.Complete)
	}
	if _, err := m.View(m.Calendar(), from, from.AddDate(2, 0, 3), 0); !errors.Is(err, ErrViewTooBig) {
		t.Errorf("window over two years: %v", err)
	}
	if _, err := m.View(m.Calendar(), to, from, 0); !errors.Is(err, ErrEndBeforeStart) {
		t.Errorf("reversed window: %v", err)
	}
	if _, err := m.View(m.FolderID("inbox"), from, to, 0); !errors.Is(err, ErrNotACalendarForView) {
		t.Errorf("view of the inbox: %v", err)
	}
}

func TestViewCountLimit(t *testing.T) {
	m := newMailboxT(t)
	for range 1001 {
		add(t, m, "x", now)
	}
	if _, err := m.View(m.Calendar(), now, now.Add(time.Hour), 0); !errors.Is(err, ErrFindCountLimit) {
		t.Errorf("1001 entries: %v", err)
	}
	v, err := m.View(m.Calendar(), now, now.Add(time.Hour), 1000)
	if err != nil || len(v.Items) != 1000 || v.Complete {
		t.Errorf("with a limit: %d entries, complete %v (%v)", len(v.Items), v.Complete, err)
	}
}

func TestExceptions(t *testing.T) {
	m := newMailboxT(t)
	master := addSeries(t, m, now, Recurrence{Pattern: Weekly, Interval: 1, Days: On(time.Monday), Count: 4})
	second, _ := m.OccurrenceAt(master.ID, 2)
	third, _ := m.OccurrenceAt(master.ID, 3)
	moved := update(t, m, second.ID, func(it *Item) { it.Start, it.End = it.Start.Add(26*time.Hour), it.End.Add(26*time.Hour) })
	if moved.ID != second.ID || !moved.OriginalStart.Equal(second.Start) {
		t.Errorf("moved occurrence has original start %s, want %s", moved.OriginalStart, second.Start)
	}
	if err := m.Delete(Actor{}, third.ID, "", HardDelete); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Item(third.ID); !errors.Is(err, ErrOccurrenceDeleted) {
		t.Errorf("deleted occurrence: %v", err)
	}
	v, _ := m.View(m.Calendar(), now, now.AddDate(0, 2, 0), 0)
	if got := starts(v.Items); got != "03-02T09 03-10T11 03-23T09" {
		t.Errorf("view: %s", got)
	}
	// what the exception does not override follows the series
	update(t, m, master.ID, func(it *Item) { it.Subject = "Renamed" })
	if it, _ := m.Item(second.ID); it.Subject != "Renamed" || !it.Start.Equal(moved.Start) {
		t.Errorf("exception is %q at %s", it.Subject, it.Start)
	}
	_, _, err := m.Update(Actor{}, second.ID, Basis{}, func(it *Item) error {
		it.Start, it.End = it.Start.AddDate(0, 0, 14), it.End.AddDate(0, 0, 14)
		return nil
	})
	if !errors.Is(err, ErrCrossesBoundary) {
		t.Errorf("occurrence moved beyond its neighbour: %v", err)
	}
	// a new pattern drops exceptions
	whole := update(t, m, master.ID, func(it *Item) { it.Recurrence.Count = 3 })
	if len(whole.Exceptions)+len(whole.Deleted) != 0 {
		t.Error("exceptions survived a new pattern")
	}
}

func TestOccurrenceErrors(t *testing.T) {
	m := newMailboxT(t)
	single := add(t, m, "One", now)
	master := addSeries(t, m, now, Recurrence{Pattern: Daily, Interval: 2, Count: 3})
	r, _ := parseID(master.ID)
	for name, c := range map[string]struct {
		err  func() error
		want error
	}{
		"index too great":        {func() error { _, err := m.OccurrenceAt(master.ID, 4); return err }, ErrOccurrenceIndex},
		"occurrence of a single": {func() error { _, err := m.OccurrenceAt(single.ID, 1); return err }, ErrNotAnOccurrence},
		"master of a single":     {func() error { _, err := m.MasterOf(single.ID); return err }, ErrNotAMaster},
		"day without occurrence": {func() error { _, err := m.Item(m.occurrenceID(r.folder, r.item, DateOf(now, time.UTC)+1)); return err }, ErrItemNotFound},
		"recurring occurrence": {func() error {
			o, _ := m.OccurrenceAt(master.ID, 1)
			_, _, err := m.Update(Actor{}, o.ID, Basis{}, func(it *Item) error { it.Recurrence = &Recurrence{}; return nil })
			return err
		}, ErrInvalidPropertySet},
	} {
		if err := c.err(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestBounds(t *testing.T) {
	m := newMailboxT(t)
	master := addSeries(t, m, now, Recurrence{Pattern: Daily, Interval: 1, Count: 3})
	first, _ := m.OccurrenceAt(master.ID, 1)
	if err := m.Delete(Actor{}, first.ID, "", HardDelete); err != nil {
		t.Fatal(err)
	}
	master, _ = m.Item(master.ID)
	b := m.Bounds(master)
	if got := starts([]*Item{b.First, b.Last}); got != "03-03T09 03-04T09" {
		t.Errorf("bounds are %s", got)
	}
	if got := m.DeletedStarts(master); !slices.Equal(got, []time.Time{now}) {
		t.Errorf("deleted: %v", got)
	}
	endless := addSeries(t, m, now, Recurrence{Pattern: Daily, Interval: 1})
	if b := m.Bounds(endless); b.First == nil || b.Last != nil {
		t.Error("a series without end has a last occurrence, or no first")
	}
}
