package ewsapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// setter puts a property's element into an item.
type setter func(r *request, it *store.Item, e *element) error

// setters are the properties that clients may write, by the name of their element.
var setters = map[string]setter{
	"ItemClass":                  str(func(i *store.Item) *string { return &i.Class }),
	"Subject":                    str(func(i *store.Item) *string { return &i.Subject }),
	"Sensitivity":                str(func(i *store.Item) *string { return &i.Sensitivity }),
	"Importance":                 str(func(i *store.Item) *string { return &i.Importance }),
	"Location":                   str(func(i *store.Item) *string { return &i.Location }),
	"LegacyFreeBusyStatus":       str(func(i *store.Item) *string { return &i.FreeBusy }),
	"IsAllDayEvent":              boolean(func(i *store.Item) *bool { return &i.AllDay }),
	"IsResponseRequested":        boolean(func(i *store.Item) *bool { return &i.ResponseRequested }),
	"AllowNewTimeProposal":       boolean(func(i *store.Item) *bool { return &i.NewTimeProposal }),
	"ReminderIsSet":              boolean(func(i *store.Item) *bool { return &i.ReminderSet }),
	"IsRead":                     boolean(func(i *store.Item) *bool { return &i.IsRead }),
	"RequiredAttendees":          attendeeList(func(i *store.Item) *[]store.Attendee { return &i.Required }),
	"OptionalAttendees":          attendeeList(func(i *store.Item) *[]store.Attendee { return &i.Optional }),
	"Resources":                  attendeeList(func(i *store.Item) *[]store.Attendee { return &i.Resources }),
	"StartTimeZone":              zone(func(i *store.Item) *string { return &i.StartZone }),
	"EndTimeZone":                zone(func(i *store.Item) *string { return &i.EndZone }),
	"Start":                      setTime(func(i *store.Item) (*time.Time, string) { return &i.Start, i.StartZone }),
	"End":                        setTime(func(i *store.Item) (*time.Time, string) { return &i.End, i.EndZone }),
	"ReminderMinutesBeforeStart": setReminder,
	"Body":                       setBody,
	"Categories":                 setCategories,
	"ExtendedProperty":           setExtended,
	"Recurrence":                 setRecurrence,
	"UID":                        str(func(i *store.Item) *string { return &i.UID }),
	"MeetingTimeZone":            setMeetingTimeZone,
}

// ignored are properties that Exchange lets a client write and that this server does not keep.
var ignored = map[string]bool{"ReminderDueBy": true, "ConferenceType": true, "MeetingWorkspaceUrl": true, "NetShowUrl": true, "Culture": true,
	"InReplyTo": true, "Flag": true, "IsReadReceiptRequested": true, "IsDeliveryReceiptRequested": true, "ToRecipients": true,
	"CcRecipients": true, "BccRecipients": true, "From": true, "Sender": true, "InternetMessageId": true, "References": true, "ReplyTo": true}

// set writes one property. create tells a new item from a change.
func (r *request) set(it *store.Item, e *element, create bool) error {
	if ignored[e.name] {
		return nil
	}
	set := setters[e.name]
	if set == nil || e.name == "UID" && !create {
		return &store.Error{Code: "ErrorInvalidPropertySet"}
	}
	return set(r, it, e)
}

// setAll writes all properties of a new item; zones first, because times without an offset are read in them.
func (r *request) setAll(it *store.Item, e *element) error {
	for _, first := range []bool{true, false} {
		for _, k := range e.kids {
			if strings.HasSuffix(k.name, "TimeZone") != first {
				continue
			}
			if err := r.set(it, k, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func str(at func(*store.Item) *string) setter {
	return func(_ *request, it *store.Item, e *element) error {
		*at(it) = e.text
		return nil
	}
}

func boolean(at func(*store.Item) *bool) setter {
	return func(_ *request, it *store.Item, e *element) error {
		*at(it) = isTrue(strings.TrimSpace(e.text))
		return nil
	}
}

// setTime writes a start or an end. A time without an offset is read in the item's zone, else in the request's, else
// as UTC.
func setTime(at func(*store.Item) (*time.Time, string)) setter {
	return func(r *request, it *store.Item, e *element) error {
		target, zone := at(it)
		loc, ok := store.Location(zone)
		if !ok {
			loc = r.zone
		}
		t, ok := parseDateTime(strings.TrimSpace(e.text), loc)
		if !ok {
			return &store.Error{Code: "ErrorInvalidValueForProperty", Text: "The specified value is invalid for property."}
		}
		*target = t.Truncate(time.Second)
		return nil
	}
}

func zone(at func(*store.Item) *string) setter {
	return func(_ *request, it *store.Item, e *element) error {
		if _, ok := store.Location(e.attr("Id")); !ok {
			return store.ErrTimeZone
		}
		*at(it) = e.attr("Id")
		return nil
	}
}

// setMeetingTimeZone obeys the form of Exchange 2007 as far as the name is a known zone's.
func setMeetingTimeZone(_ *request, it *store.Item, e *element) error {
	if _, ok := store.Location(e.attr("TimeZoneName")); ok {
		it.StartZone, it.EndZone = e.attr("TimeZoneName"), e.attr("TimeZoneName")
	}
	return nil
}

func setReminder(_ *request, it *store.Item, e *element) error {
	n, err := strconv.Atoi(strings.TrimSpace(e.text))
	it.ReminderMinutes = n
	return err
}

func setBody(_ *request, it *store.Item, e *element) error {
	it.Body = store.Body{HTML: e.attr("BodyType") == "HTML", Text: e.text}
	return nil
}

func setCategories(_ *request, it *store.Item, e *element) error {
	it.Categories = nil
	for _, k := range e.kids {
		it.Categories = append(it.Categories, k.text)
	}
	return nil
}

func setExtended(_ *request, it *store.Item, e *element) error {
	key, err := propertyKey(e.kids[0])
	if err != nil {
		return err
	}
	values := []string{e.kids[1].text}
	if e.kids[1].name == "Values" {
		values = nil
		for _, v := range e.kids[1].kids {
			values = append(values, v.text)
		}
	}
	if !validValues(key.Type, values) {
		return &store.Error{Code: "ErrorInvalidExtendedPropertyValue", Text: "The extended property value is invalid."}
	}
	if it.Extended == nil {
		it.Extended = map[store.PropertyKey][]string{}
	}
	it.Extended[key] = values
	return nil
}

func validValues(mapi string, values []string) bool {
	single := strings.TrimSuffix(mapi, "Array")
	if single == mapi && len(values) != 1 {
		return false
	}
	for _, v := range values {
		var err error
		ok := true
		switch single {
		case "Integer":
			_, err = strconv.ParseInt(v, 10, 32)
		case "Short":
			_, err = strconv.ParseInt(v, 10, 16)
		case "Long", "Currency":
			_, err = strconv.ParseInt(v, 10, 64)
		case "Boolean":
			ok = isBool(v)
		case "Double", "Float":
			_, err = strconv.ParseFloat(v, 64)
		case "SystemTime":
			ok = isDateTime(v)
		case "CLSID":
			ok = checkGUID(v) == ""
		case "Binary":
			ok = simpleTypes["base64"].check(v) == ""
		}
		if err != nil || !ok {
			return false
		}
	}
	return true
}

func attendeeList(at func(*store.Item) *[]store.Attendee) setter {
	return func(r *request, it *store.Item, e *element) error {
		old := *at(it)
		var list []store.Attendee
		for _, k := range e.kids {
			a := r.attendee(k)
			if a.Address == "" && a.Name == "" {
				return &store.Error{Code: "ErrorInvalidRecipients", Text: "At least one recipient isn't valid."}
			}
			if i := slices.IndexFunc(old, func(o store.Attendee) bool { return strings.EqualFold(o.Address, a.Address) }); i >= 0 && k.kid("ResponseType") == nil {
				a.Response, a.Replied = old[i].Response, old[i].Replied
			}
			list = append(list, a)
		}
		*at(it) = list
		return nil
	}
}

func (r *request) attendee(e *element) store.Attendee {
	box := e.kid("Mailbox")
	a := store.Attendee{Person: store.Person{Name: box.val("Name"), Address: box.val("EmailAddress")}, Response: e.val("ResponseType")}
	if a.Name == "" {
		a.Name = a.Address
		if m := r.h.company.Mailbox(a.Address); m != nil {
			a.Name = m.Name
		}
	}
	if at, ok := parseDateTime(e.val("LastResponseTime"), time.UTC); ok {
		a.Replied = at
	}
	return a
}

// setRecurrence reads a pattern and a range.
func setRecurrence(_ *request, it *store.Item, e *element) error {
	pattern, limits := e.kids[0], e.kids[1]
	rec := &store.Recurrence{Interval: 1}
	for p, name := range patternNames {
		if name == pattern.name {
			rec.Pattern = p
		}
	}
	if n, err := strconv.Atoi(pattern.val("Interval")); err == nil {
		rec.Interval = n
	}
	rec.DayOfMonth, _ = strconv.Atoi(pattern.val("DayOfMonth"))
	for _, d := range strings.Fields(pattern.val("DaysOfWeek")) {
		rec.Days |= dayBits[d]
	}
	rec.Index = 1 + slices.Index(weekIndexes, pattern.val("DayOfWeekIndex"))
	for m := time.January; m <= time.December; m++ {
		if m.String() == pattern.val("Month") {
			rec.Month = m
		}
	}
	if day := pattern.val("FirstDayOfWeek"); day != "" {
		for rec.FirstDay.String() != day && rec.FirstDay < time.Saturday {
			rec.FirstDay++
		}
	}
	rec.Start, _ = store.ParseDate(limits.val("StartDate"))
	rec.End, rec.HasEnd = store.ParseDate(limits.val("EndDate"))
	rec.Count, _ = strconv.Atoi(limits.val("NumberOfOccurrences"))
	it.Recurrence = rec
	return nil
}
