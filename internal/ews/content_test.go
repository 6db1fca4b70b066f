package ews

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
)

// contents draws bookings of every kind.
type contents struct{ *rand.Rand }

func drawContents(seed uint64) contents { return contents{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g contents, from ...T) T { return from[g.IntN(len(from))] }

func (g contents) text() string {
	return pick(g, "", "Sitzung", "a<b>&\"'", "\x00\x1f\x0b", "Zeile\r\nund\tZeile", "\xff\xed\xa0\x80", "]]>", "Übergabe 🏢 "+strings.Repeat("ä", 300), " ")
}

func (g contents) content() calsync.Content {
	start := time.Date(2026, time.Month(1+g.IntN(12)), 1+g.IntN(28), g.IntN(24), g.IntN(60), g.IntN(60), g.IntN(1e9), time.UTC)
	c := calsync.Content{
		Subject: g.text(), Location: g.text(), Body: calsync.Body{HTML: g.IntN(2) == 0, Text: g.text()},
		Start: start, End: start.Add(time.Duration(g.IntN(5000)) * time.Minute), AllDay: g.IntN(4) == 0,
		Zone:     pick(g, "", "W. Europe Standard Time", "UTC", "Tonga Standard Time"),
		FreeBusy: pick(g, "", "Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"), Sensitivity: pick(g, "", "Normal", "Personal", "Private", "Confidential"),
	}
	if g.IntN(2) == 0 {
		minutes := g.IntN(40000)
		c.Reminder = &minutes
	}
	for range g.IntN(3) {
		c.Categories = append(c.Categories, g.text())
	}
	for n := range g.IntN(5) {
		c.Attendees = append(c.Attendees, calsync.Attendee{Role: pick(g, "required", "optional", "resource"),
			Person: calsync.Person{Name: g.text(), Address: fmt.Sprintf("user%04d@contoso.example", n)}})
	}
	if g.IntN(2) == 0 {
		c.Recurrence = g.recurrence(start)
	}
	return c
}

func (g contents) recurrence(start time.Time) *calsync.Recurrence {
	day := pick(g, "Monday", "Tuesday", "Sunday")
	r := &calsync.Recurrence{Pattern: pick(g, "daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"), StartDate: start.Format(time.DateOnly)}
	if !strings.HasSuffix(r.Pattern, "Yearly") {
		r.Interval = 1 + g.IntN(50)
	}
	switch r.Pattern {
	case "weekly":
		r.DaysOfWeek, r.WeekStart = pick(g, []string{day}, []string{"Monday", "Wednesday", "Friday"}), pick(g, "", "Monday", "Sunday")
	case "absoluteMonthly", "absoluteYearly":
		r.DayOfMonth = 1 + g.IntN(31)
	default:
		if r.Pattern != "daily" {
			r.DaysOfWeek, r.WeekIndex = []string{pick(g, day, "Day", "Weekday", "WeekendDay")}, pick(g, "First", "Second", "Third", "Fourth", "Last")
		}
	}
	if strings.HasSuffix(r.Pattern, "Yearly") {
		r.Month = time.Month(1 + g.IntN(12)).String()
	}
	switch g.IntN(3) {
	case 0:
		r.EndDate = start.AddDate(1, 0, 0).Format(time.DateOnly)
	case 1:
		r.Occurrences = 1 + g.IntN(900)
	}
	return r
}

var allParts = []calsync.Part{calsync.PartTime, calsync.PartSubject, calsync.PartBody, calsync.PartLocation, calsync.PartFreeBusy,
	calsync.PartSensitivity, calsync.PartReminder, calsync.PartCategories, calsync.PartAttendees}

func (g contents) draft() calsync.Draft {
	d := calsync.Draft{ItemID: "AAMk" + g.text(), ChangeKey: pick(g, "", "DwAA"), BookingID: pick(g, "b-1", "B<&\"> 2"), Revision: g.Int64N(1 << 40), Content: g.content(), Notify: g.IntN(2) == 0}
	for _, part := range allParts {
		if g.IntN(2) == 0 {
			d.Parts = append(d.Parts, part)
		}
	}
	return d
}

// writes are all forms of a drawn write, of the whole and of one meeting.
func (g contents) writes() map[string]func(*request) {
	d := g.draft()
	meeting := d
	meeting.BookingID, meeting.Parts = "", append(meeting.Parts, calsync.PartSubject)
	deletion := calsync.Deletion{ItemID: d.ItemID, ChangeKey: d.ChangeKey, Notify: d.Notify, Message: g.text()}
	return map[string]func(*request){
		"create":  func(r *request) { r.createItem(pick(g, "", "AAA=&"), &d) },
		"update":  func(r *request) { r.updateItem(&d) },
		"meeting": func(r *request) { r.updateItem(&meeting) },
		"delete":  func(r *request) { r.deleteItem(&deletion) },
		"cancel":  func(r *request) { r.cancelCalendarItem(&deletion) },
		"find":    func(r *request) { r.findBooking("", d.BookingID, g.IntN(1000)) },
		"read":    func(r *request) { r.readItem([]string{d.ItemID, "b"}) },
	}
}

// xmllint checks documents against Microsoft's schema and returns its complaints. It skips the test where that cannot be done.
func xmllint(t *testing.T, files ...string) string {
	t.Helper()
	schema := filepath.Join(shared(t, "ews-schema"), "soap-ews.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		if os.Getenv("ROOMSYNC_REQUIRE_INTEROP") == "1" {
			t.Fatal("xmllint is missing: install libxml2-utils")
		}
		t.Skip("xmllint is missing: install libxml2-utils to check requests against the schema")
	}
	out, err := exec.Command("xmllint", append([]string{"--nonet", "--noout", "--schema", schema}, files...)...).CombinedOutput()
	if err == nil {
		return ""
	}
	var complaints strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(strings.TrimSpace(line), " validates") {
			complaints.WriteString(line)
		}
	}
	return complaints.String() + err.Error()
}

// TestWritesAreValid checks what is written of drawn contents against Microsoft's schema, for each version that a server may
// be asked for.
func TestWritesAreValid(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i := range 15 * len(schemas) {
		g := drawContents(uint64(i))
		for name, write := range g.writes() {
			r := request{schema: schemas[i%len(schemas)], address: "a&b@contoso.example", impersonate: i%2 == 0}
			doc := r.envelope(write)
			if r.err != nil {
				t.Fatalf("%d %s: %v", i, name, r.err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.xml", name, i, r.schema))
			if err := os.WriteFile(file, doc, 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	if complaints := xmllint(t, files...); complaints != "" {
		t.Error(complaints)
	}
	// The judge must be able to say no: two fields in the wrong order.
	r := request{schema: "Exchange2016"}
	doc := string(r.envelope(func(r *request) {
		r.createItem("", &calsync.Draft{Content: calsync.Content{Subject: "s", Start: time.Unix(0, 0), End: time.Unix(0, 0), Location: "l"}})
	}))
	doc = strings.Replace(strings.Replace(doc, "<t:Subject>s</t:Subject>", "", 1), "</t:CalendarItem>", "<t:Subject>s</t:Subject></t:CalendarItem>", 1)
	bad := filepath.Join(dir, "bad.xml")
	if err := os.WriteFile(bad, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if xmllint(t, bad) == "" {
		t.Error("a subject behind the location was accepted")
	}
}

// TestOldSchemas: the schema that judges knows what the newest server does; an older one must not be sent that.
func TestOldSchemas(t *testing.T) {
	c := calsync.Content{Start: at("2026-03-03T10:00:00Z"), End: at("2026-03-03T11:00:00Z"), Zone: "W. Europe Standard Time", FreeBusy: "WorkingElsewhere",
		Recurrence: &calsync.Recurrence{Pattern: "weekly", Interval: 1, DaysOfWeek: []string{"Tuesday"}, WeekStart: "Monday", StartDate: "2026-03-03"}}
	const old, zoned, week, elsewhere = `<t:MeetingTimeZone TimeZoneName="W. Europe Standard Time"/>`, `<t:StartTimeZone Id="W. Europe Standard Time"/>`, "<t:FirstDayOfWeek>Monday<", ">WorkingElsewhere<"
	for schema, want := range map[string][]string{
		"Exchange2007": {old}, "Exchange2007_SP1": {old}, "Exchange2010": {zoned}, "Exchange2010_SP1": {zoned, week}, "Exchange2010_SP2": {zoned, week},
		"Exchange2013": {zoned, week, elsewhere}, "Exchange2016": {zoned, week, elsewhere}, "V2017_07_11": {zoned, week, elsewhere},
	} {
		r := request{schema: schema}
		doc := string(r.envelope(func(r *request) { r.createItem("", &calsync.Draft{BookingID: "b", Content: c}) }))
		for _, part := range []string{old, zoned, week, elsewhere} {
			wanted := strings.Contains(strings.Join(want, "|"), part)
			if strings.Contains(doc, part) != wanted {
				t.Errorf("%s: %s is there: %v", schema, part, !wanted)
			}
		}
	}
}

// TestRefusedHere: what no server could take is not sent, and the error says why.
func TestRefusedHere(t *testing.T) {
	ok := calsync.Content{Start: at("2026-03-03T10:00:00Z"), End: at("2026-03-03T11:00:00Z")}
	regenerating, several, nameless, timeless := ok, ok, ok, calsync.Content{}
	regenerating.Recurrence = &calsync.Recurrence{Pattern: "dailyRegeneration", StartDate: "2026-03-03"}
	several.Recurrence = &calsync.Recurrence{Pattern: "relativeMonthly", DaysOfWeek: []string{"Monday", "Tuesday"}, WeekIndex: "First", StartDate: "2026-03-03"}
	nameless.Attendees = []calsync.Attendee{{Person: calsync.Person{Name: "X.500 only"}}}
	c, requests := scripted(t)
	for want, content := range map[string]calsync.Content{
		"dailyRegeneration": regenerating, "2 days of the week": several, "without an address": nameless, "without a start": timeless,
	} {
		_, err := c.Create(t.Context(), mailbox, calsync.Draft{BookingID: "b", Content: content})
		wantKind(t, err, calsync.FaultMalformed, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err := c.Update(t.Context(), mailbox, calsync.Draft{ItemID: "i", Content: ok})
	wantKind(t, err, calsync.FaultMalformed, "")
	if len(*requests) != 0 {
		t.Errorf("%d requests were sent", len(*requests))
	}
}
