package calsync

import "roomsync/events"

// Fields is a set of the properties that an event carries only where they are wanted: they are personal data.
type Fields uint8

// The optional properties.
const (
	FieldSubject Fields = 1 << iota
	FieldLocation
	FieldOrganizer
	FieldAttendees
)

// DefaultFields is what a mailbox that says nothing about it gets.
const DefaultFields = FieldSubject | FieldLocation | FieldOrganizer

var fieldNames = map[string]Fields{
	"subject":   FieldSubject,
	"location":  FieldLocation,
	"organizer": FieldOrganizer,
	"attendees": FieldAttendees,
}

// FieldsOf returns what a mailbox's entry asks for. Names of a later version of the contract count for nothing.
func FieldsOf(m events.Mailbox) Fields {
	if m.Fields == nil {
		return DefaultFields
	}
	var f Fields
	for _, name := range m.Fields {
		f |= fieldNames[name]
	}
	return f
}

// Has says whether all of x are in f.
func (f Fields) Has(x Fields) bool { return f&x == x }
