package ews

import (
	"bytes"
	"strings"
	"time"
	"unicode"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// recurrence reads the current Recurrence element: one pattern and one range.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/recurrence-recurrencetype
func (r *reader) recurrence() *calsync.Recurrence {
	rec := new(calsync.Recurrence)
	for d := r.Depth(); r.Child(d); {
		name := string(r.Local())
		switch {
		case r.Space() != soap.NSTypes:
		case name == "NoEndRecurrence", name == "EndDateRecurrence", name == "NumberedRecurrence":
			r.fields(rec)
		case strings.HasSuffix(name, "Recurrence"):
			rec.Pattern = lowerFirst(strings.TrimSuffix(name, "Recurrence"))
			r.fields(rec)
		case strings.HasSuffix(name, "Regeneration"):
			rec.Pattern = lowerFirst(name)
			r.fields(rec)
		}
	}
	if rec.Pattern == "" || rec.StartDate == "" {
		r.wrong("Recurrence")
	}
	return rec
}

func lowerFirst(s string) string {
	if s == "" {
		return ""
	}
	return string(unicode.ToLower(rune(s[0]))) + s[1:]
}

// fields reads the parts of a pattern or of a range; their names do not overlap.
func (r *reader) fields(rec *calsync.Recurrence) {
	for d := r.Depth(); r.Child(d); {
		if r.Space() != soap.NSTypes {
			continue
		}
		switch string(r.Local()) {
		case "Interval":
			rec.Interval = r.number("Interval")
		case "DaysOfWeek":
			for day := range bytes.FieldsSeq(r.Bytes()) {
				rec.DaysOfWeek = append(rec.DaysOfWeek, word(day))
			}
		case "DayOfMonth":
			rec.DayOfMonth = r.number("DayOfMonth")
		case "DayOfWeekIndex":
			rec.WeekIndex = r.word()
		case "Month":
			rec.Month = r.word()
		case "FirstDayOfWeek":
			rec.WeekStart = r.word()
		case "StartDate":
			rec.StartDate = r.date("StartDate")
		case "EndDate":
			rec.EndDate = r.date("EndDate")
		case "NumberOfOccurrences":
			rec.Occurrences = r.number("NumberOfOccurrences")
		}
	}
}

func (r *reader) number(element string) int {
	n, ok := r.Int()
	if !ok || n < 0 {
		r.wrong(element)
	}
	return n
}

// date reads an xs:date. Exchange writes a zone behind it, "2025-07-02Z" or "2014-03-08-08:00"; the date is meant in
// the series' own zone, so that suffix is dropped.
func (r *reader) date(element string) string {
	b := bytes.TrimSpace(r.Bytes())
	if len(b) < len(time.DateOnly) {
		r.wrong(element)
		return ""
	}
	day, zone := string(b[:len(time.DateOnly)]), string(b[len(time.DateOnly):])
	_, dayErr := time.Parse(time.DateOnly, day)
	_, zoneErr := time.Parse("Z07:00", zone)
	if dayErr != nil || zone != "" && zoneErr != nil {
		r.wrong(element)
	}
	return day
}

// occurrences reads ModifiedOccurrences.
func (r *reader) occurrences() []calsync.OccurrenceRef {
	var list []calsync.OccurrenceRef
	for d := r.Depth(); r.Child(d); {
		if r.Is(soap.NSTypes, "Occurrence") {
			list = append(list, r.occurrence())
		}
	}
	return list
}

func (r *reader) occurrence() calsync.OccurrenceRef {
	var o calsync.OccurrenceRef
	for d := r.Depth(); r.Child(d); {
		switch {
		case r.Is(soap.NSTypes, "ItemId"):
			o.ID, o.ChangeKey = itemID(r.Scanner)
		case r.Is(soap.NSTypes, "Start"):
			o.Start = r.time("Start of an occurrence")
		case r.Is(soap.NSTypes, "End"):
			o.End = r.time("End of an occurrence")
		case r.Is(soap.NSTypes, "OriginalStart"):
			o.OriginalStart = r.time("OriginalStart of an occurrence")
		}
	}
	return o
}

// deletedOccurrences reads the original starts in DeletedOccurrences.
func (r *reader) deletedOccurrences() []time.Time {
	var list []time.Time
	for d := r.Depth(); r.Child(d); {
		if !r.Is(soap.NSTypes, "DeletedOccurrence") {
			continue
		}
		for d := r.Depth(); r.Child(d); {
			if r.Is(soap.NSTypes, "Start") {
				list = append(list, r.time("Start of a deleted occurrence"))
			}
		}
	}
	return list
}
