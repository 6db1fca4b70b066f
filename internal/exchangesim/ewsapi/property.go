package ewsapi

import (
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// property is one property of items: its name in requests, and how to write it.
type property struct {
	uri      string
	in       shapes // base shapes that have it
	calendar bool   // of appointments only
	message  bool   // of messages only
	write    func(*propContext)
}

type shapes int

const (
	byName     shapes = 0 // only when asked for
	inDefault  shapes = 1 << 0
	inAll      shapes = 1 << 1
	getItem    shapes = 1 << 2 // only GetItem returns it
	always            = inDefault | inAll
	inAllOfGet        = inAll | getItem
	inGet             = always | getItem
)

// propContext is an item being written.
type propContext struct {
	r     *request
	w     *writer
	m     *store.Mailbox
	it    *store.Item
	shape *shape
}

// The functions below make the writers of simple properties. Tags are put together once, because an answer repeats
// them for every item.

func text(tag string, get func(*store.Item) string) func(*propContext) {
	start, end, empty := tags(tag)
	return func(c *propContext) {
		s := get(c.it)
		if s == "" {
			c.w.raw(empty)
			return
		}
		c.w.raw(start)
		c.w.text(s)
		c.w.raw(end)
	}
}

func tags(tag string) (start, end, empty string) {
	return `<t:` + tag + `>`, `</t:` + tag + `>`, `<t:` + tag + `/>`
}

// filled is text that is left out when empty.
func filled(tag string, get func(*store.Item) string) func(*propContext) {
	write := text(tag, get)
	return func(c *propContext) {
		if get(c.it) != "" {
			write(c)
		}
	}
}

func flag(tag string, get func(*store.Item) bool) func(*propContext) {
	start, end, _ := tags(tag)
	yes, no := start+"true"+end, start+"false"+end
	return func(c *propContext) {
		if get(c.it) {
			c.w.raw(yes)
		} else {
			c.w.raw(no)
		}
	}
}

func number(tag string, get func(*store.Item) int) func(*propContext) {
	start, end, _ := tags(tag)
	return func(c *propContext) {
		c.w.raw(start)
		c.w.buf = strconv.AppendInt(c.w.buf, int64(get(c.it)), 10)
		c.w.raw(end)
	}
}

func moment(tag string, get func(*store.Item) time.Time) func(*propContext) {
	start, end, _ := tags(tag)
	return func(c *propContext) {
		c.w.raw(start)
		c.w.time(get(c.it))
		c.w.raw(end)
	}
}

func no(*store.Item) bool { return false }

var properties []property

var (
	propIndex  = map[string]int{}
	extendedAt int

	defaultProps, allProps, getOnly propSet
)

func init() {
	properties = append(itemProperties(), append(messageProperties(), calendarProperties()...)...)
	for i, p := range properties {
		propIndex[p.uri] = i
		if p.in&inDefault != 0 {
			defaultProps.add(i)
		}
		if p.in&inAll != 0 {
			allProps.add(i)
		}
		if p.in&getItem != 0 {
			getOnly.add(i)
		}
	}
	extendedAt = propIndex["extended"]
}

// itemProperties are those of every item, in the schema's order.
func itemProperties() []property {
	return []property{
		{"item:MimeContent", getItem, false, false, writeMIME},
		{"item:ItemId", always, false, false, func(c *propContext) { c.w.itemID("ItemId", c.it.ID, c.it.ChangeKey) }},
		{"item:ParentFolderId", inAll, false, false, func(c *propContext) { c.w.itemID("ParentFolderId", c.it.FolderID, "AQAAAA==") }},
		{"item:ItemClass", inAll, false, false, text("ItemClass", func(i *store.Item) string { return i.Class })},
		{"item:Subject", always, false, false, filled("Subject", func(i *store.Item) string { return i.Subject })},
		{"item:Sensitivity", inAll, false, false, text("Sensitivity", func(i *store.Item) string { return i.Sensitivity })},
		{"item:Body", inGet, false, false, func(c *propContext) { c.w.writeBody("Body", c.it.Body, c.shape.body) }},
		{"item:DateTimeReceived", inAll, false, false, moment("DateTimeReceived", created)},
		{"item:Size", inAll, false, false, number("Size", size)},
		{"item:Categories", inAll, false, false, writeCategories},
		{"item:Importance", inAll, false, false, text("Importance", func(i *store.Item) string { return i.Importance })},
		{"item:IsSubmitted", inAll, false, false, flag("IsSubmitted", no)},
		{"item:IsDraft", inAll, false, false, flag("IsDraft", no)},
		{"item:IsFromMe", inAll, false, false, flag("IsFromMe", no)},
		{"item:IsResend", inAll, false, false, flag("IsResend", no)},
		{"item:IsUnmodified", inAll, false, false, flag("IsUnmodified", no)},
		{"item:DateTimeSent", inAll, false, false, moment("DateTimeSent", created)},
		{"item:DateTimeCreated", inAll, false, false, moment("DateTimeCreated", created)},
		{"item:ResponseObjects", inGet, true, false, writeResponses},
		{"item:ReminderDueBy", inAll, true, false, moment("ReminderDueBy", func(i *store.Item) time.Time { return i.Start })},
		{"item:ReminderIsSet", inAll, false, false, flag("ReminderIsSet", func(i *store.Item) bool { return i.ReminderSet })},
		{"item:ReminderMinutesBeforeStart", inAll, false, false, number("ReminderMinutesBeforeStart", func(i *store.Item) int { return i.ReminderMinutes })},
		{"item:DisplayCc", inAll, false, false, text("DisplayCc", func(i *store.Item) string { return names(i.Optional) })},
		{"item:DisplayTo", inAll, false, false, text("DisplayTo", func(i *store.Item) string { return names(i.Required) })},
		{"item:HasAttachments", always, false, false, flag("HasAttachments", no)},
		{"extended", byName, false, false, func(c *propContext) { c.w.writeExtended(c.it, c.shape.extended) }},
		{"item:Culture", inAll, false, false, text("Culture", func(*store.Item) string { return "en-US" })},
		{"item:EffectiveRights", inAll, false, false, func(c *propContext) { c.w.rights(false, c.r.accessTo(c.m, c.it.ID) >= store.Editor) }},
		{"item:LastModifiedName", inAll, false, false, text("LastModifiedName", func(i *store.Item) string { return i.LastModifier })},
		{"item:LastModifiedTime", inAll, false, false, moment("LastModifiedTime", func(i *store.Item) time.Time { return i.LastModified })},
		{"item:IsAssociated", inAll, false, false, flag("IsAssociated", no)},
		{"item:TextBody", getItem, false, false, func(c *propContext) { c.w.writeBody("TextBody", c.it.Body, "Text") }},
	}
}

func messageProperties() []property {
	return []property{
		{"message:IsRead", always, false, true, flag("IsRead", func(i *store.Item) bool { return i.IsRead })},
	}
}

// calendarProperties are those of appointments, in the schema's order.
func calendarProperties() []property {
	return []property{
		{"calendar:UID", inAll, true, false, text("UID", func(i *store.Item) string { return i.UID })},
		{"calendar:RecurrenceId", inAll, true, false, ofOccurrence("RecurrenceId")},
		{"calendar:DateTimeStamp", inAll, true, false, moment("DateTimeStamp", created)},
		{"calendar:Start", always, true, false, moment("Start", func(i *store.Item) time.Time { return i.Start })},
		{"calendar:End", always, true, false, moment("End", func(i *store.Item) time.Time { return i.End })},
		{"calendar:OriginalStart", byName, true, false, ofOccurrence("OriginalStart")},
		{"calendar:IsAllDayEvent", inAll, true, false, flag("IsAllDayEvent", func(i *store.Item) bool { return i.AllDay })},
		{"calendar:LegacyFreeBusyStatus", always, true, false, text("LegacyFreeBusyStatus", func(i *store.Item) string { return i.FreeBusy })},
		{"calendar:Location", always, true, false, filled("Location", func(i *store.Item) string { return i.Location })},
		{"calendar:IsMeeting", inAll, true, false, flag("IsMeeting", (*store.Item).IsMeeting)},
		{"calendar:IsCancelled", inAll, true, false, flag("IsCancelled", func(i *store.Item) bool { return i.IsCancelled })},
		{"calendar:IsRecurring", inAll, true, false, flag("IsRecurring", func(i *store.Item) bool { return i.MasterID != "" })},
		{"calendar:MeetingRequestWasSent", inAll, true, false, flag("MeetingRequestWasSent", func(i *store.Item) bool { return i.RequestSent })},
		{"calendar:IsResponseRequested", inAll, true, false, flag("IsResponseRequested", func(i *store.Item) bool { return i.ResponseRequested })},
		{"calendar:CalendarItemType", always, true, false, text("CalendarItemType", func(i *store.Item) string { return string(i.Type) })},
		{"calendar:MyResponseType", inAll, true, false, text("MyResponseType", func(i *store.Item) string { return i.MyResponse })},
		{"calendar:Organizer", always, true, false, writeOrganizer},
		{"calendar:RequiredAttendees", inGet, true, false, attendees("RequiredAttendees", func(i *store.Item) []store.Attendee { return i.Required })},
		{"calendar:OptionalAttendees", inGet, true, false, attendees("OptionalAttendees", func(i *store.Item) []store.Attendee { return i.Optional })},
		{"calendar:Resources", inGet, true, false, attendees("Resources", func(i *store.Item) []store.Attendee { return i.Resources })},
		{"calendar:ConflictingMeetingCount", getItem, true, false, func(c *propContext) { c.w.tagInt("ConflictingMeetingCount", conflicts(c)) }},
		{"calendar:Duration", inAll, true, false, text("Duration", func(i *store.Item) string { return duration(i.End.Sub(i.Start)) })},
		{"calendar:TimeZone", inAll, true, false, text("TimeZone", func(i *store.Item) string { return i.StartZone })},
		{"calendar:AppointmentSequenceNumber", inAll, true, false, number("AppointmentSequenceNumber", func(i *store.Item) int { return i.Sequence })},
		{"calendar:AppointmentState", inAll, true, false, number("AppointmentState", state)},
		{"calendar:Recurrence", inGet, true, false, writeRecurrence},
		{"calendar:FirstOccurrence", inGet, true, false, func(c *propContext) { c.bound("FirstOccurrence") }},
		{"calendar:LastOccurrence", inGet, true, false, func(c *propContext) { c.bound("LastOccurrence") }},
		{"calendar:ModifiedOccurrences", inGet, true, false, writeModified},
		{"calendar:DeletedOccurrences", inGet, true, false, writeDeleted},
		{"calendar:StartTimeZone", byName, true, false, func(c *propContext) { c.w.zone("StartTimeZone", c.it.StartZone) }},
		{"calendar:EndTimeZone", byName, true, false, func(c *propContext) { c.w.zone("EndTimeZone", c.it.EndZone) }},
		{"calendar:AllowNewTimeProposal", inAll, true, false, flag("AllowNewTimeProposal", func(i *store.Item) bool { return i.NewTimeProposal })},
		{"calendar:IsOnlineMeeting", inAll, true, false, flag("IsOnlineMeeting", no)},
		{"calendar:StartWallClock", byName, true, false, func(c *propContext) { c.wallClock("StartWallClock", c.it.Start, c.it.StartZone) }},
		{"calendar:EndWallClock", byName, true, false, func(c *propContext) { c.wallClock("EndWallClock", c.it.End, c.it.EndZone) }},
		{"calendar:StartTimeZoneId", byName, true, false, text("StartTimeZoneId", func(i *store.Item) string { return i.StartZone })},
		{"calendar:EndTimeZoneId", byName, true, false, text("EndTimeZoneId", func(i *store.Item) string { return i.EndZone })},
		{"calendar:IsOrganizer", byName, true, false, flag("IsOrganizer", func(i *store.Item) bool { return i.MyResponse == "Organizer" })},
	}
}

func created(i *store.Item) time.Time { return i.Created }

// size is a plausible number of bytes.
func size(i *store.Item) int { return 4000 + len(i.Body.Text) + 2*len(i.Subject) }

// state is PidLidAppointmentStateFlags: 1 meeting, 2 received, 4 cancelled.
func state(i *store.Item) int {
	n := 0
	if i.IsMeeting() {
		n |= 1
		if i.MyResponse != "Organizer" {
			n |= 2
		}
	}
	if i.IsCancelled {
		n |= 4
	}
	return n
}

func names(list []store.Attendee) string {
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(a.Name)
	}
	return b.String()
}

// conflicts counts the other appointments at the same time.
func conflicts(c *propContext) int {
	n := 0
	for _, other := range c.m.Busy(c.it.Start, c.it.End) {
		if other.ID != c.it.ID && other.Start.Before(c.it.End) && other.End.After(c.it.Start) && other.FreeBusy != "Free" {
			n++
		}
	}
	return n
}
