package store

import (
	"maps"
	"slices"
)

// Fields is a set of properties that change together: what an exception overrides, what two writers may both change
// without a conflict.
type Fields uint32

// Properties, as bits of [Fields].
const (
	FieldSubject Fields = 1 << iota
	FieldBody
	FieldLocation
	FieldTimes // start, end and their zones
	FieldAllDay
	FieldFreeBusy
	FieldSensitivity
	FieldImportance
	FieldCategories
	FieldReminder
	FieldRequired
	FieldOptional
	FieldResources
	FieldCancelled
	FieldResponse
	FieldExtended
	FieldRecurrence
	FieldRead
	FieldOther
	fieldEnd

	fieldCount = 19
)

// part compares and copies one bit's worth of an item.
type part struct {
	bit  Fields
	same func(a, b *Item) bool
	copy func(to, from *Item)
}

var parts = []part{
	{FieldSubject, func(a, b *Item) bool { return a.Subject == b.Subject }, func(t, f *Item) { t.Subject = f.Subject }},
	{FieldBody, func(a, b *Item) bool { return a.Body == b.Body }, func(t, f *Item) { t.Body = f.Body }},
	{FieldLocation, func(a, b *Item) bool { return a.Location == b.Location }, func(t, f *Item) { t.Location = f.Location }},
	{FieldTimes, sameTimes, func(t, f *Item) {
		t.Start, t.End, t.StartZone, t.EndZone = f.Start, f.End, f.StartZone, f.EndZone
	}},
	{FieldAllDay, func(a, b *Item) bool { return a.AllDay == b.AllDay }, func(t, f *Item) { t.AllDay = f.AllDay }},
	{FieldFreeBusy, func(a, b *Item) bool { return a.FreeBusy == b.FreeBusy }, func(t, f *Item) { t.FreeBusy = f.FreeBusy }},
	{FieldSensitivity, func(a, b *Item) bool { return a.Sensitivity == b.Sensitivity }, func(t, f *Item) { t.Sensitivity = f.Sensitivity }},
	{FieldImportance, func(a, b *Item) bool { return a.Importance == b.Importance }, func(t, f *Item) { t.Importance = f.Importance }},
	{FieldCategories, func(a, b *Item) bool { return slices.Equal(a.Categories, b.Categories) }, func(t, f *Item) { t.Categories = f.Categories }},
	{FieldReminder, func(a, b *Item) bool {
		return a.ReminderSet == b.ReminderSet && a.ReminderMinutes == b.ReminderMinutes
	}, func(t, f *Item) { t.ReminderSet, t.ReminderMinutes = f.ReminderSet, f.ReminderMinutes }},
	{FieldRequired, func(a, b *Item) bool { return slices.Equal(a.Required, b.Required) }, func(t, f *Item) { t.Required = f.Required }},
	{FieldOptional, func(a, b *Item) bool { return slices.Equal(a.Optional, b.Optional) }, func(t, f *Item) { t.Optional = f.Optional }},
	{FieldResources, func(a, b *Item) bool { return slices.Equal(a.Resources, b.Resources) }, func(t, f *Item) { t.Resources = f.Resources }},
	{FieldCancelled, func(a, b *Item) bool { return a.IsCancelled == b.IsCancelled }, func(t, f *Item) { t.IsCancelled = f.IsCancelled }},
	{FieldResponse, func(a, b *Item) bool { return a.MyResponse == b.MyResponse }, func(t, f *Item) { t.MyResponse = f.MyResponse }},
	{FieldExtended, sameExtended, func(t, f *Item) { t.Extended = f.Extended }},
	{FieldRecurrence, sameSeries, func(t, f *Item) {
		t.Recurrence, t.Exceptions, t.Deleted = f.Recurrence, f.Exceptions, f.Deleted
	}},
	{FieldRead, func(a, b *Item) bool { return a.IsRead == b.IsRead }, func(t, f *Item) { t.IsRead = f.IsRead }},
	{FieldOther, sameOther, func(t, f *Item) {
		t.Class, t.Organizer, t.ResponseRequested, t.NewTimeProposal, t.UID = f.Class, f.Organizer, f.ResponseRequested, f.NewTimeProposal, f.UID
		t.RequestSent, t.Sequence = f.RequestSent, f.Sequence
	}},
}

// diff says in what two items differ.
func diff(a, b *Item) Fields {
	var f Fields
	for _, p := range parts {
		if !p.same(a, b) {
			f |= p.bit
		}
	}
	return f
}

func sameTimes(a, b *Item) bool {
	return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.StartZone == b.StartZone && a.EndZone == b.EndZone
}

func sameExtended(a, b *Item) bool {
	return maps.EqualFunc(a.Extended, b.Extended, func(x, y []string) bool { return slices.Equal(x, y) })
}

func sameSeries(a, b *Item) bool {
	return samePattern(a.Recurrence, b.Recurrence) && slices.Equal(a.Deleted, b.Deleted) &&
		slices.EqualFunc(a.Exceptions, b.Exceptions, func(x, y Override) bool { return x.Item == y.Item && x.Date == y.Date })
}

func samePattern(a, b *Recurrence) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameOther(a, b *Item) bool {
	return a.Class == b.Class && a.Organizer == b.Organizer && a.ResponseRequested == b.ResponseRequested &&
		a.NewTimeProposal == b.NewTimeProposal && a.UID == b.UID && a.RequestSent == b.RequestSent && a.Sequence == b.Sequence
}
