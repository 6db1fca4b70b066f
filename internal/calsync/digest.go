package calsync

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DigestsOf are the digests of a content's parts, in their normal form. Two contents with the same digests mean the same.
// A digest is the first 12 bytes of a SHA-256 over the booking's id, the part and its value, an HMAC if p.Key is set. The id
// is the salt: equal subjects of two bookings have different digests. Whoever has a link but not the key can still find
// out whether a text that he guesses is right.
func DigestsOf(c Content, p Policy, bookingID string) Digests {
	d := Digests{}
	for part, value := range values(Normal(c, p)) {
		d[part] = digest(p.Key, bookingID, part, value)
	}
	return d
}

func digest(key []byte, bookingID string, part Part, value string) string {
	var space [256]byte
	text := space[:0]
	for _, s := range []string{bookingID, string(part), value} {
		text = append(strconv.AppendInt(text, int64(len(s)), 10), ':')
		text = append(text, s...)
	}
	if len(key) == 0 {
		sum := sha256.Sum256(text)
		return base64.RawStdEncoding.EncodeToString(sum[:digestSize])
	}
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:digestSize])
}

// digestSize is in bytes. Even among a billion parts no two of 12 bytes are alike by chance.
const digestSize = 12

// values are the parts of a normal content that are not as by default, each as one text.
func values(n Content) map[Part]string {
	v := map[Part]string{PartTime: timeValue(n)}
	put := func(p Part, value, absent string) {
		if value != absent {
			v[p] = value
		}
	}
	put(PartSubject, n.Subject, "")
	put(PartBody, n.Body.Text, "")
	put(PartLocation, n.Location, "")
	put(PartFreeBusy, n.FreeBusy, "Busy")
	put(PartSensitivity, n.Sensitivity, "Normal")
	put(PartCategories, strings.Join(n.Categories, "\n"), "")
	if n.Reminder != nil {
		v[PartReminder] = strconv.Itoa(*n.Reminder)
	}
	var people []string
	for _, a := range n.Attendees {
		people = append(people, a.Role+" "+a.Address)
	}
	put(PartAttendees, strings.Join(people, "\n"), "")
	for _, m := range n.Meetings {
		v[MeetingPart(m.Original)] = meetingValue(m)
	}
	return v
}

// timeValue says when it is. On whose clock makes a difference to a series only; an all-day item is on its days, in
// whatever zone these are midnights.
func timeValue(n Content) string {
	span := n.Start.Format(time.RFC3339) + "/" + n.End.Format(time.RFC3339)
	if n.AllDay {
		loc := location(n.Zone)
		span = "days " + nearestDay(n.Start, loc).Format(dateLayout) + "/" + nearestDay(n.End, loc).Format(dateLayout)
	}
	r := n.Recurrence
	if r == nil {
		return span
	}
	if !n.AllDay {
		span += " " + n.Zone
	}
	return fmt.Sprintf("%s %s %d %s %d %s %s %s %s %s %d", span, r.Pattern, r.Interval, strings.Join(r.DaysOfWeek, ","),
		r.DayOfMonth, r.WeekIndex, r.Month, r.WeekStart, r.StartDate, r.EndDate, r.Occurrences)
}

func meetingValue(m Meeting) string {
	if m.Cancelled {
		return cancelledMeeting
	}
	v := m.Start.Format(time.RFC3339) + "/" + m.End.Format(time.RFC3339)
	for _, own := range []*string{m.Subject, m.Location, m.FreeBusy} {
		if own == nil {
			v += "-"
		} else {
			v += strconv.Quote(*own)
		}
	}
	return v
}

// parts are all parts that any of the digests has, in the order of the parts' declaration, then meetings in time.
func parts(all ...Digests) []Part {
	var out []Part
	seen := map[Part]bool{}
	for _, d := range all {
		for p := range d {
			if !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b Part) int { return strings.Compare(partOrder(a), partOrder(b)) })
	return out
}

func partOrder(p Part) string {
	if i := slices.Index(allParts, p); i >= 0 {
		return string(rune('A' + i))
	}
	return "z" + string(p) // meetings: RFC 3339 in UTC sorts by time
}

// allParts are the parts of every content, without its meetings.
var allParts = []Part{
	PartTime, PartSubject, PartBody, PartLocation, PartFreeBusy, PartSensitivity, PartReminder, PartCategories, PartAttendees,
}

// ofMeeting says whether a part is a meeting of a series.
func (p Part) ofMeeting() bool { return strings.HasPrefix(string(p), "meeting ") }
