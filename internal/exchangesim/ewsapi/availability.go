package ewsapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

const halfHour = 30 * time.Minute

// maxFreeBusy is the longest window of free/busy information (ErrorTimeIntervalTooBig).
const maxFreeBusy = 62 * 24 * time.Hour

// checkAvailability validates a GetUserAvailabilityRequest, whose children are of two namespaces.
func checkAvailability(e *element) error {
	seen := ""
	for _, k := range e.kids {
		ns := nsTypes
		switch k.name {
		case "MailboxDataArray":
			ns = nsMessages
		case "TimeZone", "FreeBusyViewOptions", "SuggestionsViewOptions":
		default:
			ns = ""
		}
		if k.ns != ns || seen == k.name {
			return unexpected(e, k, nil, "")
		}
		seen = k.name
		if err := validate(k, k.name); err != nil {
			return err
		}
	}
	if e.kid("MailboxDataArray") == nil {
		return invalid(e, "The element '"+e.name+"' in namespace '"+nsMessages+"' has incomplete content. List of possible elements expected: 'MailboxDataArray' in namespace '"+nsMessages+"'.")
	}
	return nil
}

// freeBusy is what a GetUserAvailability request asks for.
type freeBusy struct {
	zone     wireZone
	from, to time.Time
	interval time.Duration
	view     string
}

// getUserAvailability is GetUserAvailability: one answer for each mailbox. Suggestions are not simulated.
func (r *request) getUserAvailability() {
	ask, err := r.readFreeBusy()
	r.each(func(e *element) error {
		if err != nil {
			return err
		}
		address := e.kid("Email").val("Address")
		m := r.h.company.Mailbox(address)
		if m == nil {
			return &store.Error{Code: "ErrorMailRecipientNotFound", Text: "Unable to resolve e-mail address " + address + " to an Active Directory object."}
		}
		r.writeFreeBusy(m, ask)
		return nil
	})
}

func (r *request) readFreeBusy() (freeBusy, error) {
	ask := freeBusy{zone: wireZoneOf(r.body.kid("TimeZone")), interval: halfHour, view: "FreeBusy"}
	options := r.body.kid("FreeBusyViewOptions")
	if options == nil {
		return ask, &store.Error{Code: "ErrorInvalidFreeBusyViewType", Text: "The FreeBusyViewOptions element is required."}
	}
	window := options.kid("TimeWindow")
	ask.from, ask.to = ask.zone.read(window.val("StartTime")), ask.zone.read(window.val("EndTime"))
	if n, err := strconv.Atoi(options.val("MergedFreeBusyIntervalInMinutes")); err == nil {
		if n < 5 || n > 1440 {
			return ask, &store.Error{Code: "ErrorInvalidMergedFreeBusyInterval", Text: "The merged free/busy interval is invalid."}
		}
		ask.interval = time.Duration(n) * time.Minute
	}
	if v := strings.Fields(options.val("RequestedView")); len(v) > 0 {
		ask.view = v[0]
	}
	switch {
	case !ask.to.After(ask.from):
		return ask, &store.Error{Code: "ErrorInvalidTimeInterval", Text: "The end of the time window must be after its start."}
	case ask.to.Sub(ask.from) > maxFreeBusy:
		return ask, &store.Error{Code: "ErrorTimeIntervalTooBig", Text: "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. The allowed limit = 62 days."}
	}
	return ask, nil
}

func (r *request) writeFreeBusy(m *store.Mailbox, ask freeBusy) {
	details := strings.HasPrefix(ask.view, "Detailed")
	if details && r.accessTo(m, m.Calendar()) < store.LimitedDetails {
		details, ask.view = false, strings.Replace(ask.view, "Detailed", "FreeBusy", 1)
	}
	busy := m.Busy(ask.from, ask.to)
	busy = slices.DeleteFunc(busy, func(it *store.Item) bool { return !it.End.After(ask.from) && it.End.After(it.Start) })
	w := r.w
	w.raw(`<m:FreeBusyView>`)
	w.tag("FreeBusyViewType", ask.view)
	if strings.HasSuffix(ask.view, "Merged") || ask.view == "MergedOnly" {
		w.tag("MergedFreeBusy", merged(busy, ask))
	}
	if ask.view != "MergedOnly" && ask.view != "None" {
		w.raw(`<t:CalendarEventArray>`)
		for _, it := range busy {
			w.event(it, ask.zone, details)
		}
		w.raw(`</t:CalendarEventArray>`)
	}
	w.workingHours(m)
	w.raw(`</m:FreeBusyView>`)
}

func (w *writer) event(it *store.Item, z wireZone, details bool) {
	w.raw(`<t:CalendarEvent><t:StartTime>`, z.write(it.Start), `</t:StartTime><t:EndTime>`, z.write(it.End), `</t:EndTime>`)
	w.tag("BusyType", it.FreeBusy)
	if details {
		private := it.Sensitivity == "Private"
		w.raw(`<t:CalendarEventDetails>`)
		w.tag("ID", strings.ToUpper(it.ID[len(it.ID)-16:]))
		if !private {
			w.tag("Subject", it.Subject)
			w.tag("Location", it.Location)
		}
		w.tagBool("IsMeeting", it.IsMeeting())
		w.tagBool("IsRecurring", it.MasterID != "")
		w.tagBool("IsException", it.Type == store.Exception)
		w.tagBool("IsReminderSet", it.ReminderSet)
		w.tagBool("IsPrivate", private)
		w.raw(`</t:CalendarEventDetails>`)
	}
	w.raw(`</t:CalendarEvent>`)
}

// workingHours writes Monday to Friday from 8 to 17 in the mailbox's zone.
func (w *writer) workingHours(m *store.Mailbox) {
	loc, _ := store.Location(m.Zone)
	standard, daylight, back := rulesOf(loc, ruleYear)
	w.raw(`<t:WorkingHours><t:TimeZone>`)
	w.tagInt("Bias", -standard/60)
	w.zoneTime("StandardTime", 0, back)
	dayBias := 0
	if daylight != nil {
		dayBias = -(daylight.offset - standard) / 60
	}
	w.zoneTime("DaylightTime", dayBias, daylight)
	w.raw(`</t:TimeZone><t:WorkingPeriodArray><t:WorkingPeriod><t:DayOfWeek>Monday Tuesday Wednesday Thursday Friday</t:DayOfWeek>`)
	w.tagInt("StartTimeInMinutes", 8*60)
	w.tagInt("EndTimeInMinutes", 17*60)
	w.raw(`</t:WorkingPeriod></t:WorkingPeriodArray></t:WorkingHours>`)
}

func (w *writer) zoneTime(tag string, bias int, c *change) {
	at := time.Date(ruleYear, 1, 1, 0, 0, 0, 0, time.UTC)
	if c != nil {
		at = c.at
	}
	order := (at.Day()-1)/7 + 1
	if at.AddDate(0, 0, 7).Month() != at.Month() {
		order = 5
	}
	w.raw(`<t:`, tag, `>`)
	w.tagInt("Bias", bias)
	w.tag("Time", at.Format(time.TimeOnly))
	w.tagInt("DayOrder", order)
	w.tagInt("Month", int(at.Month()))
	w.tag("DayOfWeek", at.Weekday().String())
	w.raw(`</t:`, tag, `>`)
}

// busyDigits are the digits of merged free/busy information; the greatest of an interval counts.
var busyDigits = map[string]byte{"Free": '0', "Tentative": '1', "Busy": '2', "OOF": '3', "WorkingElsewhere": '4', "NoData": '0'}

func merged(busy []*store.Item, ask freeBusy) string {
	var b []byte
	for t := ask.from; t.Before(ask.to); t = t.Add(ask.interval) {
		digit := byte('0')
		for _, it := range busy {
			if it.Start.Before(t.Add(ask.interval)) && it.End.After(t) && rank(busyDigits[it.FreeBusy]) > rank(digit) {
				digit = busyDigits[it.FreeBusy]
			}
		}
		b = append(b, digit)
	}
	return string(b)
}

// rank orders the digits: working elsewhere is weaker than tentative.
func rank(digit byte) int { return strings.IndexByte("04123", digit) }

// wireZone is a time zone as availability requests spell it out: an offset and rules for summer time.
type wireZone struct {
	bias               int // minutes to add to local time to get UTC
	standard, daylight wireChange
}

type wireChange struct {
	bias    int
	ofDay   time.Duration
	order   int // 1 to 4, 5 for the last
	month   time.Month
	weekday time.Weekday
}

func wireZoneOf(e *element) wireZone {
	var z wireZone
	z.bias, _ = strconv.Atoi(e.val("Bias"))
	z.standard, z.daylight = wireChangeOf(e.kid("StandardTime")), wireChangeOf(e.kid("DaylightTime"))
	return z
}

func wireChangeOf(e *element) wireChange {
	var c wireChange
	c.bias, _ = strconv.Atoi(e.val("Bias"))
	c.order, _ = strconv.Atoi(e.val("DayOrder"))
	month, _ := strconv.Atoi(e.val("Month"))
	c.month = time.Month(month)
	if t, err := time.Parse(time.TimeOnly, e.val("Time")); err == nil {
		h, m, sec := t.Clock()
		c.ofDay = time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String() == e.val("DayOfWeek") {
			c.weekday = d
		}
	}
	return c
}

// in is when the change happens in a year, by the clock before it.
func (c wireChange) in(year int) time.Time {
	first := time.Date(year, c.month, 1, 0, 0, 0, 0, time.UTC)
	t := first.AddDate(0, 0, int(c.weekday-first.Weekday()+7)%7+7*(c.order-1))
	if t.Month() != first.Month() {
		t = t.AddDate(0, 0, -7)
	}
	return t.Add(c.ofDay)
}

// offset is what to add to local time to get UTC at a local time.
func (z wireZone) offset(local time.Time) time.Duration {
	total := z.bias
	if z.standard.month != 0 && z.daylight.month != 0 {
		start, end := z.daylight.in(local.Year()), z.standard.in(local.Year())
		summer := !local.Before(start) && local.Before(end)
		if end.Before(start) { // southern hemisphere
			summer = !local.Before(start) || local.Before(end)
		}
		if summer {
			total += z.daylight.bias
		} else {
			total += z.standard.bias
		}
	}
	return time.Duration(total) * time.Minute
}

// read reads a time; without an offset it is the zone's.
func (z wireZone) read(s string) time.Time {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC()
	}
	t, _ := parseDateTime(s, time.UTC)
	return t.Add(z.offset(t))
}

// write writes a time in the zone, without an offset.
func (z wireZone) write(t time.Time) string {
	guess := t.UTC().Add(-z.offset(t.UTC()))
	return t.UTC().Add(-z.offset(guess)).Format("2006-01-02T15:04:05")
}
