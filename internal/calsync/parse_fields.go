package calsync

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"roomsync/events"
	"roomsync/internal/zones"
)

const (
	maxLine      = 255     // UTF-16 units of a subject, location or category: what Outlook takes (MS-OXCMSG, PidTagSubject)
	maxBody      = 512_000 // bytes; a message of NATS has 1 MB
	maxReminder  = 1_051_200
	maxAttendees = 500 // a message's default limit of recipients in Exchange
	maxYears     = 5   // MS-OXWSMTGS, ErrorCalendarDurationIsTooLong
)

// The contract's words in Exchange's.
var (
	freeBusyOf = map[string]string{
		events.Free: "Free", events.Tentative: "Tentative", events.Busy: "Busy", events.OutOfOffice: "OOF", events.WorkingElsewhere: "WorkingElsewhere",
	}
	sensitivityOf = map[string]string{
		events.Normal: "Normal", events.Personal: "Personal", events.Private: "Private", events.Confidential: "Confidential",
	}
)

func (f *faults) word(field, word, absent string, known map[string]string) string {
	if word == "" {
		return absent
	}
	w, ok := known[word]
	f.check(ok, field, fmt.Sprintf("%q is not known", word), "use "+oneOf(known))
	return w
}

func oneOf[V any](known map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// line checks a text of one line. Exchange would cut off what is too long.
func (f *faults) line(field, text string) string {
	f.check(!strings.ContainsAny(text, "\r\n"), field, "has several lines", "send one line")
	n := len(utf16.Encode([]rune(text)))
	f.check(n <= maxLine, field, fmt.Sprintf("has %d characters", n), fmt.Sprintf("shorten it to %d (UTF-16)", maxLine))
	return Clean(text)
}

func (f *faults) body(b *events.Body) Body {
	if b == nil {
		return Body{}
	}
	f.check(len(b.Content) <= maxBody, "body.content", fmt.Sprintf("has %d bytes", len(b.Content)), fmt.Sprintf("send at most %d", maxBody))
	switch b.Type {
	case events.BodyText:
	case events.BodyHTML:
		what := activeMarkup(b.Content)
		f.check(what == "", "body.content", "has "+what+", which acts or is fetched from elsewhere", "send simple markup without scripts, forms and external content")
	default:
		f.add("body.type", fmt.Sprintf("%q is not known", b.Type), "use text or html")
	}
	return Body{HTML: b.Type == events.BodyHTML, Text: Clean(b.Content)}
}

func (f *faults) reminder(minutes *int) *int {
	if minutes != nil {
		f.check(*minutes >= 0 && *minutes <= maxReminder, "reminder", fmt.Sprintf("%d is no number of minutes that Exchange takes", *minutes),
			fmt.Sprintf("send 0 to %d, or nothing for no reminder", maxReminder))
	}
	return minutes
}

func (f *faults) categories(all []string) []string {
	seen := map[string]bool{}
	for i, c := range all {
		field := fmt.Sprintf("categories[%d]", i)
		f.check(oneLine(c) != "" && !strings.ContainsAny(c, ",;\r\n"), field, fmt.Sprintf("%q is no name of a category", c), "leave out commas, semicolons and line ends")
		f.line(field, c)
		key := strings.ToLower(oneLine(c))
		f.check(!seen[key], field, fmt.Sprintf("%q stands there twice", c), "name it once")
		seen[key] = true
	}
	return slices.Clone(all)
}

// address is plausible: one @, no blanks, a domain with a dot. What really exists only Exchange knows.
var address = regexp.MustCompile(`^[^\s@<>()",;:\\\[\]]{1,64}@[^\s@<>()",;:\\\[\]]+\.[^\s@<>()",;:\\\[\].]{2,}$`)

func (f *faults) attendees(all []events.Attendee, mailbox string) []Attendee {
	f.check(len(all) <= maxAttendees, "attendees", fmt.Sprintf("are %d", len(all)), fmt.Sprintf("send at most %d", maxAttendees))
	seen := map[string]bool{}
	var out []Attendee
	for i, a := range all {
		field := fmt.Sprintf("attendees[%d]", i)
		f.check(address.MatchString(a.Address) && len(a.Address) <= 320, field+".address", fmt.Sprintf("%q is no mail address", a.Address), "send an SMTP address")
		f.check(slices.Contains([]string{"required", "optional", "resource"}, a.Role), field+".role", fmt.Sprintf("%q is not known", a.Role), "use required, optional or resource")
		key := strings.ToLower(a.Address)
		f.check(!seen[key], field+".address", fmt.Sprintf("%q stands there twice", a.Address), "name everybody once")
		f.check(!strings.EqualFold(a.Address, mailbox), field+".address", "is the mailbox itself, which is the organizer", "leave it out")
		seen[key] = true
		out = append(out, Attendee{Person: Person{Name: Clean(a.Name), Address: a.Address}, Role: a.Role})
	}
	return out
}

// zone returns the Windows id of a zone, "" for one that is not known.
func (f *faults) zone(z events.TimeZone) string {
	windows, iana := f.oneZone("timeZone.windows", z.Windows), f.oneZone("timeZone.iana", z.IANA)
	f.check(z.Windows != "" || z.IANA != "", "timeZone", "is missing", "name the zone, such as {\"iana\":\"Europe/Zurich\"}")
	if windows != "" && iana != "" && windows != iana {
		f.add("timeZone", fmt.Sprintf("%q and %q are different zones", z.Windows, z.IANA), "send one of them")
	}
	return cmp.Or(windows, iana)
}

func (f *faults) oneZone(field, name string) string {
	if name == "" {
		return ""
	}
	id, ok := zones.Resolve(name)
	if !ok {
		do := "use an IANA name such as Europe/Zurich, or a Windows id such as W. Europe Standard Time"
		if near := zones.Suggest(name); near != "" {
			do = fmt.Sprintf("did you mean %q? Else %s", near, do)
		}
		f.add(field, fmt.Sprintf("%q is no zone that is known", name), do)
	}
	return id
}

// times sets start and end, and says whether both are good.
func (f *faults) times(c *Content, d events.BookingUpserted) bool {
	before := len(f.found)
	if c.AllDay = d.AllDay; d.AllDay {
		f.check(d.Start == nil, "start", "is given of an all-day booking", "send startDate instead")
		f.check(d.End == nil, "end", "is given of an all-day booking", "send endDate instead")
		loc := location(c.Zone)
		c.Start, c.End = f.date("startDate", d.StartDate, loc), f.date("endDate", d.EndDate, loc)
		f.span("startDate", "endDate", c.Start, c.End)
	} else {
		f.check(d.StartDate == "", "startDate", "is given of a booking that is not all-day", "leave it out, or send allDay")
		f.check(d.EndDate == "", "endDate", "is given of a booking that is not all-day", "leave it out, or send allDay")
		c.Start, c.End = f.instant("start", d.Start), f.instant("end", d.End)
		f.span("start", "end", c.Start, c.End)
	}
	return len(f.found) == before && !c.Start.IsZero() && !c.End.IsZero()
}

func (f *faults) date(field, date string, loc *time.Location) time.Time {
	if date == "" {
		f.add(field, "is missing", "send it as yyyy-mm-dd")
		return time.Time{}
	}
	day, err := time.Parse(dateLayout, date)
	if err != nil {
		f.add(field, fmt.Sprintf("%q is no date", date), "send it as yyyy-mm-dd")
		return time.Time{}
	}
	return atClock(day, day, loc)
}

func (f *faults) instant(field string, t *time.Time) time.Time {
	if t == nil {
		f.add(field, "is missing", "send it in RFC 3339")
		return time.Time{}
	}
	f.check(t.Equal(minute(*t)), field, "is not a whole minute", "send whole minutes: Exchange stores no seconds")
	return t.UTC()
}

func (f *faults) span(startField, endField string, start, end time.Time) {
	if start.IsZero() || end.IsZero() {
		return
	}
	f.check(end.After(start), endField, "is not after "+startField, "send an end after the start")
	f.check(!end.After(start.AddDate(maxYears, 0, 0)), endField, "is more than five years after "+startField, "send a shorter booking, or a series")
	f.check(start.Year() >= 1900 && end.Year() < 4500, startField, "is in a year that Exchange does not know", "send a year from 1900 to 4499")
}
