package ewsapi

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/store"
	"roomsync/internal/zones"
)

// getServerTimeZones is GetServerTimeZones: the known zones, or those asked for, with or without their rules.
func (r *request) getServerTimeZones() {
	full := r.body.attr("ReturnFullTimeZoneData") == "" || isTrue(r.body.attr("ReturnFullTimeZoneData"))
	var ids []string
	if list := r.body.kid("Ids"); list != nil {
		for _, k := range list.kids {
			ids = append(ids, strings.TrimSpace(k.text))
		}
	} else {
		for _, z := range zones.All() {
			ids = append(ids, z.Windows)
		}
	}
	r.one(func() error {
		r.w.raw(`<m:TimeZoneDefinitions>`)
		for _, id := range ids {
			if _, ok := store.Location(id); !ok {
				continue // the server leaves out what it does not know
			}
			if full {
				r.w.zone("TimeZoneDefinition", id)
			} else {
				r.w.raw(`<t:TimeZoneDefinition Id="`, id, `" Name="`, zoneName(id), `"/>`)
			}
		}
		r.w.raw(`</m:TimeZoneDefinitions>`)
		return nil
	})
}

// zone writes a zone with its rules. They hardly ever change while the server runs, so they are made once.
func (w *writer) zone(tag, id string) {
	body, ok := zoneCache.Load(id)
	if !ok {
		body, _ = zoneCache.LoadOrStore(id, zoneBody(id, ruleYear))
	}
	w.raw(`<t:`, tag, body.(string), `</t:`, tag, `>`)
}

// ruleYear is the year whose rules a zone's definition describes.
const ruleYear = 2026

var zoneCache sync.Map

func zoneName(id string) string {
	loc, _ := store.Location(id)
	standard, _, _ := rulesOf(loc, ruleYear)
	sign := '+'
	if standard < 0 {
		sign, standard = '-', -standard
	}
	return fmt.Sprintf("(UTC%c%02d:%02d) %s", sign, standard/3600, standard/60%60, id)
}

// change is the day in a year on which the clocks change.
type change struct {
	at     time.Time // as the clocks show before the change
	offset int       // seconds east of UTC after it
}

// rulesOf finds a zone's standard offset and its changes in one year: none, or to daylight saving and back.
func rulesOf(loc *time.Location, year int) (standard int, daylight, back *change) {
	t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	_, standard = t.In(loc).Zone()
	if t.In(loc).IsDST() {
		_, standard = t.AddDate(0, 6, 0).In(loc).Zone()
	}
	for t.Year() == year {
		_, next := t.In(loc).ZoneBounds()
		if next.IsZero() || next.UTC().Year() != year {
			break
		}
		_, before := next.Add(-time.Second).In(loc).Zone()
		_, after := next.In(loc).Zone()
		c := &change{at: next.UTC().Add(time.Duration(before) * time.Second), offset: after}
		if after > before && daylight == nil {
			daylight = c
		} else if after < before {
			back = c
		}
		t = next.UTC().Add(time.Second)
	}
	if daylight == nil || back == nil {
		return standard, nil, nil
	}
	return back.offset, daylight, back
}

// zoneBody writes the attributes and the content of a time zone definition, as the registry of Windows has it: a
// standard and perhaps a daylight period, and the rule for the changes of one year.
func zoneBody(id string, year int) string {
	loc, _ := store.Location(id)
	standard, daylight, back := rulesOf(loc, year)
	var b strings.Builder
	key := "trule:Microsoft/Registry/" + id + "/1-"
	b.WriteString(` Id="` + id + `" Name="` + zoneName(id) + `"><t:Periods>`)
	period := func(name string, offset int) {
		b.WriteString(`<t:Period Bias="` + bias(offset) + `" Name="` + name + `" Id="` + key + name + `"/>`)
	}
	period("Standard", standard)
	if daylight != nil {
		period("Daylight", daylight.offset)
	}
	b.WriteString(`</t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">`)
	if daylight == nil {
		b.WriteString(`<t:Transition><t:To Kind="Period">` + key + `Standard</t:To></t:Transition>`)
	} else {
		b.WriteString(recurring(key+"Daylight", daylight.at) + recurring(key+"Standard", back.at))
	}
	b.WriteString(`</t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions>`)
	return b.String()
}

// recurring writes a change as "the n-th (or last) such week day of the month".
func recurring(to string, at time.Time) string {
	nth := (at.Day()-1)/7 + 1
	if at.AddDate(0, 0, 7).Month() != at.Month() {
		nth = -1
	}
	return `<t:RecurringDayTransition><t:To Kind="Period">` + to + `</t:To><t:TimeOffset>` + clockOffset(at) + `</t:TimeOffset><t:Month>` +
		strconv.Itoa(int(at.Month())) + `</t:Month><t:DayOfWeek>` + at.Weekday().String() + `</t:DayOfWeek><t:Occurrence>` +
		strconv.Itoa(nth) + `</t:Occurrence></t:RecurringDayTransition>`
}

func clockOffset(at time.Time) string {
	return duration(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second)
}

// bias is what to add to local time to get UTC, as xs:duration.
func bias(offset int) string {
	if offset > 0 {
		return "-PT" + strconv.Itoa(offset/60) + "M"
	}
	return "PT" + strconv.Itoa(-offset/60) + "M"
}
