package ewsapi

import (
	"encoding/base64"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// writeMIME writes an appointment as iCalendar and a message as RFC 5322 text: enough for a client that asks for it by
// habit, not a full conversion (recurrence and attendees are missing).
func writeMIME(c *propContext) {
	content := messageMIME(c.it)
	if c.it.IsCalendar() {
		content = calendarMIME(c.it)
	}
	c.w.raw(`<t:MimeContent CharacterSet="UTF-8">`, base64.StdEncoding.EncodeToString([]byte(content)), `</t:MimeContent>`)
}

func messageMIME(it *store.Item) string {
	return "Date: " + it.Created.Format(time.RFC1123Z) + "\r\nSubject: " + oneLine(it.Subject) +
		"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + it.Body.Text + "\r\n"
}

func calendarMIME(it *store.Item) string {
	const form = "20060102T150405Z"
	lines := []string{"BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:Microsoft Exchange Server 2010", "VERSION:2.0", "BEGIN:VEVENT",
		"UID:" + it.UID, "SUMMARY:" + oneLine(it.Subject), "LOCATION:" + oneLine(it.Location),
		"DTSTART:" + it.Start.Format(form), "DTEND:" + it.End.Format(form), "DTSTAMP:" + it.Created.Format(form),
		"END:VEVENT", "END:VCALENDAR", ""}
	return strings.Join(lines, "\r\n")
}

func oneLine(s string) string {
	return strings.NewReplacer("\\", "\\\\", "\r", "", "\n", "\\n", ",", "\\,", ";", "\\;").Replace(s)
}
