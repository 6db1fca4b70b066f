package ews

import (
	"bytes"
	"fmt"
	"strconv"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// PropertySet is the GUID of our own extended properties. An appointment that ROOMS' booking became carries two of them:
// BookingId, the booking's key, and BookingRevision, the revision that was written last, in decimal digits. Both are strings:
// MAPI's Integer is too small for a revision, and one type is enough to search for.
//
// Microsoft: https://learn.microsoft.com/exchange/client-developer/web-service-reference/extendedfielduri
const PropertySet = "b0defe7b-aa30-4a61-9610-813ab2b94490"

const (
	bookingIDName = "BookingId"
	revisionName  = "BookingRevision"

	bookingIDPath = `<t:ExtendedFieldURI PropertySetId="` + PropertySet + `" PropertyName="` + bookingIDName + `" PropertyType="String"/>`
	revisionPath  = `<t:ExtendedFieldURI PropertySetId="` + PropertySet + `" PropertyName="` + revisionName + `" PropertyType="String"/>`
)

// ownProperty writes an ExtendedProperty.
func (r *request) ownProperty(path, value string) {
	r.raw(`<t:ExtendedProperty>`)
	r.raw(path)
	r.raw(`<t:Value>`)
	r.text(value)
	r.raw(`</t:Value></t:ExtendedProperty>`)
}

func (r *request) setOwnProperty(path, value string) {
	r.raw(`<t:SetItemField>`)
	r.raw(path)
	r.raw(`<t:CalendarItem>`)
	r.ownProperty(path, value)
	r.raw(`</t:CalendarItem></t:SetItemField>`)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// extended reads the current ExtendedProperty, if it is ours. A revision that is no number was not written by us: it counts as
// none, and the appointment stays readable.
func (r *reader) extended(a *calsync.Appointment) {
	name := ""
	for d := r.Depth(); r.Child(d); {
		switch {
		case r.Is(soap.NSTypes, "ExtendedFieldURI"):
			name = r.ownName()
		case !r.Is(soap.NSTypes, "Value"):
		case name == bookingIDName:
			a.BookingID = r.String()
		case name == revisionName:
			a.Revision, _ = strconv.ParseInt(r.String(), 10, 64)
		}
	}
}

// ownName is which of our properties the current ExtendedFieldURI names, "" for another. A GUID has no case.
func (r *reader) ownName() string {
	if !bytes.EqualFold(r.Attr("PropertySetId"), []byte(PropertySet)) {
		return ""
	}
	switch string(r.Attr("PropertyName")) {
	case bookingIDName:
		return bookingIDName
	case revisionName:
		return revisionName
	}
	return ""
}

// refuse notes why the request cannot be written. It is then never sent.
func (r *request) refuse(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}
