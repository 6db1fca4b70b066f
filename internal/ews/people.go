package ews

import (
	"bytes"

	"roomsync/internal/calsync"
	"roomsync/internal/ews/soap"
)

// recipient reads a SingleRecipientType, such as Organizer.
func (r *reader) recipient() calsync.Person {
	var p calsync.Person
	for d := r.Depth(); r.Child(d); {
		if r.Is(soap.NSTypes, "Mailbox") {
			p = readMailbox(r.Scanner)
		}
	}
	return p
}

// attendees appends the attendees of the current element.
func (r *reader) attendees(list []calsync.Attendee, role string) []calsync.Attendee {
	for d := r.Depth(); r.Child(d); {
		if r.Is(soap.NSTypes, "Attendee") {
			list = append(list, r.attendee(role))
		}
	}
	return list
}

func (r *reader) attendee(role string) calsync.Attendee {
	a := calsync.Attendee{Role: role}
	for d := r.Depth(); r.Child(d); {
		switch {
		case r.Is(soap.NSTypes, "Mailbox"):
			a.Person = readMailbox(r.Scanner)
		case r.Is(soap.NSTypes, "ResponseType"):
			a.Response = r.word()
		}
	}
	return a
}

// readMailbox reads the current Mailbox element. An address that is not SMTP, such as the legacyExchangeDN that FindItem gives for
// organizers, is left out: nobody outside Exchange can use it.
func readMailbox(s *soap.Scanner) calsync.Person {
	var p calsync.Person
	smtp := true
	for d := s.Depth(); s.Child(d); {
		switch {
		case s.Is(soap.NSTypes, "Name"):
			p.Name = s.String()
		case s.Is(soap.NSTypes, "EmailAddress"):
			p.Address = s.String()
		case s.Is(soap.NSTypes, "RoutingType"):
			smtp = bytes.EqualFold(bytes.TrimSpace(s.Bytes()), []byte("SMTP"))
		}
	}
	if !smtp {
		p.Address = ""
	}
	return p
}
