package ews

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

const (
	// findLimit is EWSFindCountLimit, the most that one FindItem returns.
	findLimit = 1000
	// maxView is within the two years that a CalendarView may span (ErrorCalendarViewRangeTooBig).
	maxView = 2 * 365 * 24 * time.Hour
	// minView is the smallest window that is halved.
	minView = 2 * time.Second
	// maxViews bounds the requests that one List may need: some 100,000 appointments.
	maxViews = 256
)

var findItem = newOperation("FindItem")

// List implements calsync.Reader by FindItem with a CalendarView. A view cannot be paged, so a window that holds more
// than the server returns at once is halved, until every part is complete.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendarview
func (c *Client) List(ctx context.Context, t calsync.Target, w calsync.Window) ([]calsync.Appointment, error) {
	if !w.From.Before(w.To) {
		return nil, nil
	}
	byID := map[string]calsync.Appointment{}
	pending := []calsync.Window{{From: w.From.UTC().Truncate(time.Second), To: w.To.UTC().Add(time.Second - 1).Truncate(time.Second)}}
	for views := 0; len(pending) > 0; {
		part := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if part.To.Sub(part.From) > maxView {
			pending = append(pending, halves(part)...)
			continue
		}
		if views++; views > maxViews {
			return nil, malformed(findItem, "the window needs more requests than a calendar can: choose a smaller one")
		}
		found, complete, err := c.view(ctx, t, part)
		switch {
		case splittable(err) && part.To.Sub(part.From) >= minView:
			pending = append(pending, halves(part)...)
		case err != nil:
			return nil, err
		case !complete && part.To.Sub(part.From) < minView:
			return nil, malformed(findItem, "more appointments at one instant than the server lists")
		case !complete:
			pending = append(pending, halves(part)...)
		default:
			for _, a := range found {
				if overlaps(&a, w) {
					byID[a.ID] = a
				}
			}
		}
	}
	return inOrder(byID), nil
}

// halves returns the later half before the earlier one, so that a stack yields them in order.
func halves(w calsync.Window) []calsync.Window {
	middle := w.From.Add(w.To.Sub(w.From) / 2).Truncate(time.Second)
	return []calsync.Window{{From: middle, To: w.To}, {From: w.From, To: middle}}
}

// splittable says whether the server refused a window for its size or its content's.
func splittable(err error) bool {
	f, ok := errors.AsType[*calsync.Fault](err)
	return ok && (f.Code == ErrorExceededFindCountLimit || f.Code == ErrorCalendarViewRangeTooBig || f.Code == ErrorResultSetTooBig)
}

// overlaps applies the half-open window: a CalendarView also holds what ends at its very start (calendarview.md).
func overlaps(a *calsync.Appointment, w calsync.Window) bool {
	return a.Start.Before(w.To) && (a.End.After(w.From) || !a.Start.Before(w.From))
}

func inOrder(byID map[string]calsync.Appointment) []calsync.Appointment {
	list := make([]calsync.Appointment, 0, len(byID))
	for _, a := range byID {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b calsync.Appointment) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	return list
}

// view reads one CalendarView.
func (c *Client) view(ctx context.Context, t calsync.Target, w calsync.Window) (found []calsync.Appointment, complete bool, err error) {
	err = c.one(ctx, call{op: findItem, target: t, body: func(r *request) { r.calendarView(t.Folder, w) }}, func(m *message) (fault *calsync.Fault) {
		found, complete, fault = m.calendarView()
		return fault
	})
	if err != nil {
		return nil, false, err
	}
	return found, complete, nil
}

func (r *request) calendarView(folder string, w calsync.Window) {
	r.raw(`<m:FindItem Traversal="Shallow">`)
	r.itemShape(listed, listed07)
	r.raw(`<m:CalendarView MaxEntriesReturned="`)
	r.int(findLimit)
	r.raw(`" StartDate="`)
	r.buf = w.From.AppendFormat(r.buf, time.RFC3339)
	r.raw(`" EndDate="`)
	r.buf = w.To.AppendFormat(r.buf, time.RFC3339)
	r.raw(`"/><m:ParentFolderIds>`)
	r.folder(folder)
	r.raw(`</m:ParentFolderIds></m:FindItem>`)
}

// calendarView reads a FindItemResponseMessage.
func (m *message) calendarView() (found []calsync.Appointment, complete bool, fault *calsync.Fault) {
	rooted := false
	for d := m.Depth(); m.next(d); {
		if !m.Is(soap.NSMessages, "RootFolder") {
			continue
		}
		rooted = true
		last, given := soap.ParseBool(m.Attr("IncludesLastItemInRange"))
		found = m.items()
		complete = last || !given && len(found) < findLimit
	}
	if f := m.fault(); f != nil {
		return nil, false, f
	}
	if !rooted {
		m.lacking("RootFolder")
	}
	return found, complete, nil
}

func (m *message) items() []calsync.Appointment {
	var found []calsync.Appointment
	for d := m.Depth(); m.Child(d); {
		if !m.Is(soap.NSTypes, "Items") {
			continue
		}
		for d := m.Depth(); m.Child(d); {
			if !m.Is(soap.NSTypes, "CalendarItem") {
				continue
			}
			a, err := readAppointment(m.Scanner)
			if err != nil && m.problem == nil {
				m.problem = err
			}
			found = append(found, a)
		}
	}
	return found
}
