package events

// AppendJSON appends the page's JSON text to b. It fails for an instant beyond the year 9999 and for an Extra that
// holds no JSON.
func (c CalendarChanged) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.open()
	w.str("mailbox", c.Mailbox)
	w.str("reason", c.Reason)
	w.name("window")
	w.window(c.Window)
	list(&w, "changes", c.Changes, (*writer).change)
	if len(c.Extra) > 0 {
		w.extra(c.Extra, knownNames[CalendarChanged]())
	}
	w.close()
	return w.result()
}

// AppendJSON appends the change's JSON text to b, with the errors of [CalendarChanged.AppendJSON].
func (c Change) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.change(&c)
	return w.result()
}

// MarshalJSON implements [json.Marshaler].
func (c CalendarChanged) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil) }

// MarshalJSON implements [json.Marshaler].
func (c Change) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil) }

// MarshalJSON implements [json.Marshaler].
func (r Recurrence) MarshalJSON() ([]byte, error) {
	var w writer
	w.recurrence(&r)
	return w.result()
}

// MarshalJSON implements [json.Marshaler].
func (o Occurrence) MarshalJSON() ([]byte, error) {
	var w writer
	w.occurrence(&o)
	return w.result()
}

func (w *writer) window(v Window) {
	w.open()
	w.time("start", v.Start)
	w.time("end", v.End)
	w.close()
}

func (w *writer) change(c *Change) {
	w.open()
	w.str("kind", c.Kind)
	w.str("itemId", c.ItemID)
	w.optional("changeKey", c.ChangeKey)
	w.optional("uid", c.UID)
	w.optional("type", c.Type)
	w.times(c)
	w.optional("freeBusy", c.FreeBusy)
	w.flag("cancelled", c.Cancelled)
	w.optional("sensitivity", c.Sensitivity)
	if c.Recurrence != nil {
		w.name("recurrence")
		w.recurrence(c.Recurrence)
	}
	optionalList(w, "occurrences", c.Occurrences, (*writer).occurrence)
	w.details(c)
	w.optional("bookingId", c.BookingID)
	optionalList(w, "omitted", c.Omitted, (*writer).text)
	if len(c.Extra) > 0 {
		w.extra(c.Extra, knownNames[Change]())
	}
	w.close()
}

func (w *writer) times(c *Change) {
	w.instant("start", c.Start)
	w.instant("end", c.End)
	if c.TimeZone != nil {
		w.name("timeZone")
		w.open()
		w.optional("windows", c.TimeZone.Windows)
		w.optional("iana", c.TimeZone.IANA)
		w.close()
	}
	w.flag("allDay", c.AllDay)
	w.optional("startDate", c.StartDate)
	w.optional("endDate", c.EndDate)
}

func (w *writer) details(c *Change) {
	w.optional("subject", c.Subject)
	w.optional("location", c.Location)
	if c.Organizer != nil {
		w.name("organizer")
		w.open()
		w.person(*c.Organizer)
		w.close()
	}
	optionalList(w, "attendees", c.Attendees, (*writer).attendee)
}

func (w *writer) person(p Person) {
	w.optional("name", p.Name)
	w.optional("address", p.Address)
}

func (w *writer) attendee(a *Attendee) {
	w.open()
	w.person(a.Person)
	w.str("role", a.Role)
	w.optional("response", a.Response)
	w.close()
}

func (w *writer) text(s *string) { w.b = appendString(w.b, *s) }

func (w *writer) recurrence(r *Recurrence) {
	w.open()
	w.str("pattern", r.Pattern)
	w.number("interval", r.Interval)
	optionalList(w, "daysOfWeek", r.DaysOfWeek, (*writer).text)
	w.number("dayOfMonth", r.DayOfMonth)
	w.optional("weekIndex", r.WeekIndex)
	w.optional("month", r.Month)
	w.optional("weekStart", r.WeekStart)
	w.str("startDate", r.StartDate)
	w.optional("endDate", r.EndDate)
	w.number("occurrences", r.Occurrences)
	if len(r.Extra) > 0 {
		w.extra(r.Extra, knownNames[Recurrence]())
	}
	w.close()
}

func (w *writer) occurrence(o *Occurrence) {
	w.open()
	w.str("itemId", o.ItemID)
	w.str("type", o.Type)
	w.time("originalStart", o.OriginalStart)
	w.time("start", o.Start)
	w.time("end", o.End)
	w.optional("freeBusy", o.FreeBusy)
	w.flag("cancelled", o.Cancelled)
	w.optional("subject", o.Subject)
	w.optional("location", o.Location)
	optionalList(w, "cleared", o.Cleared, (*writer).text)
	if len(o.Extra) > 0 {
		w.extra(o.Extra, knownNames[Occurrence]())
	}
	w.close()
}
