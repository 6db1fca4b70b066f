package events

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// Every object that may grow has a field Extra, and the methods below (or in page.go) keep what stands in it. The
// small values Window, TimeZone, Person, Attendee and Body have none: they never grow, a later version would put new
// facts beside them.

var namesOf sync.Map // reflect.Type → map[string]bool

// knownNames returns the names that the JSON object of a T may have in this version of the contract.
func knownNames[T any]() map[string]bool {
	t := reflect.TypeFor[T]()
	if known, ok := namesOf.Load(t); ok {
		return known.(map[string]bool)
	}
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			known[name] = true
		}
	}
	namesOf.Store(t, known)
	return known
}

// encode marshals v, a T without its methods, and puts the fields of x behind its own.
func encode[T any](v any, x Extra) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(x) == 0 {
		return b, err
	}
	w := writer{b: b[:len(b)-1]} // without the closing brace
	w.extra(x, knownNames[T]())
	w.close()
	return w.result()
}

// decode unmarshals data into v, a T without its methods, and what v has no field for into x.
func decode[T any](data []byte, v any, x *Extra) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	var all Extra
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	known := knownNames[T]()
	for name := range all {
		if known[name] || knownFolded(known, name) {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		all = nil
	}
	*x = all
	return nil
}

// knownFolded says whether encoding/json took the name for one that we know: it disregards case.
func knownFolded(known map[string]bool, name string) bool {
	for k := range known {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *CalendarChanged) UnmarshalJSON(data []byte) error {
	type plain CalendarChanged
	return decode[CalendarChanged](data, (*plain)(c), &c.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Change) UnmarshalJSON(data []byte) error {
	type plain Change
	return decode[Change](data, (*plain)(c), &c.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Recurrence) UnmarshalJSON(data []byte) error {
	type plain Recurrence
	return decode[Recurrence](data, (*plain)(r), &r.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Occurrence) UnmarshalJSON(data []byte) error {
	type plain Occurrence
	return decode[Occurrence](data, (*plain)(o), &o.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v AccessDenied) MarshalJSON() ([]byte, error) {
	type plain AccessDenied
	return encode[AccessDenied](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *AccessDenied) UnmarshalJSON(data []byte) error {
	type plain AccessDenied
	return decode[AccessDenied](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v AccessRestored) MarshalJSON() ([]byte, error) {
	type plain AccessRestored
	return encode[AccessRestored](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *AccessRestored) UnmarshalJSON(data []byte) error {
	type plain AccessRestored
	return decode[AccessRestored](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v MailboxBlocked) MarshalJSON() ([]byte, error) {
	type plain MailboxBlocked
	return encode[MailboxBlocked](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *MailboxBlocked) UnmarshalJSON(data []byte) error {
	type plain MailboxBlocked
	return decode[MailboxBlocked](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v Evidence) MarshalJSON() ([]byte, error) {
	type plain Evidence
	return encode[Evidence](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Evidence) UnmarshalJSON(data []byte) error {
	type plain Evidence
	return decode[Evidence](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v SyncCompleted) MarshalJSON() ([]byte, error) {
	type plain SyncCompleted
	return encode[SyncCompleted](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *SyncCompleted) UnmarshalJSON(data []byte) error {
	type plain SyncCompleted
	return decode[SyncCompleted](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v Mailbox) MarshalJSON() ([]byte, error) {
	type plain Mailbox
	return encode[Mailbox](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Mailbox) UnmarshalJSON(data []byte) error {
	type plain Mailbox
	return decode[Mailbox](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingUpserted) MarshalJSON() ([]byte, error) {
	type plain BookingUpserted
	return encode[BookingUpserted](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingUpserted) UnmarshalJSON(data []byte) error {
	type plain BookingUpserted
	return decode[BookingUpserted](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingException) MarshalJSON() ([]byte, error) {
	type plain BookingException
	return encode[BookingException](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingException) UnmarshalJSON(data []byte) error {
	type plain BookingException
	return decode[BookingException](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingCancelled) MarshalJSON() ([]byte, error) {
	type plain BookingCancelled
	return encode[BookingCancelled](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingCancelled) UnmarshalJSON(data []byte) error {
	type plain BookingCancelled
	return decode[BookingCancelled](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingApplied) MarshalJSON() ([]byte, error) {
	type plain BookingApplied
	return encode[BookingApplied](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingApplied) UnmarshalJSON(data []byte) error {
	type plain BookingApplied
	return decode[BookingApplied](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingConflict) MarshalJSON() ([]byte, error) {
	type plain BookingConflict
	return encode[BookingConflict](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingConflict) UnmarshalJSON(data []byte) error {
	type plain BookingConflict
	return decode[BookingConflict](data, (*plain)(v), &v.Extra)
}

// MarshalJSON implements [json.Marshaler].
func (v BookingRejected) MarshalJSON() ([]byte, error) {
	type plain BookingRejected
	return encode[BookingRejected](plain(v), v.Extra)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *BookingRejected) UnmarshalJSON(data []byte) error {
	type plain BookingRejected
	return decode[BookingRejected](data, (*plain)(v), &v.Extra)
}
