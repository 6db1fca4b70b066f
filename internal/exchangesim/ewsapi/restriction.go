package ewsapi

import (
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/store"
)

// value is a property's value in a restriction: a text, a number (booleans are 0 and 1) or a time.
type value struct {
	ok   bool // the item has the property
	kind valueKind
	text string
	num  int64
	at   time.Time
}

type valueKind int

const (
	textValue valueKind = iota
	numberValue
	boolValue
	timeValue
)

func textOfValue(s string) value { return value{ok: s != "", text: s} }
func numOf(n int) value          { return value{ok: true, kind: numberValue, num: int64(n)} }
func timeOf(t time.Time) value   { return value{ok: !t.IsZero(), kind: timeValue, at: t} }

func boolOf(b bool) value {
	v := value{ok: true, kind: boolValue}
	if b {
		v.num = 1
	}
	return v
}

type operand func(*store.Item) value

// operands are the properties that can stand in a restriction.
var operands = map[string]operand{
	"item:Subject":                       func(i *store.Item) value { return textOfValue(i.Subject) },
	"item:Body":                          func(i *store.Item) value { return textOfValue(i.Body.Text) },
	"item:ItemClass":                     func(i *store.Item) value { return textOfValue(i.Class) },
	"item:Importance":                    func(i *store.Item) value { return textOfValue(i.Importance) },
	"item:Sensitivity":                   func(i *store.Item) value { return textOfValue(i.Sensitivity) },
	"item:Categories":                    func(i *store.Item) value { return textOfValue(strings.Join(i.Categories, "\x00")) },
	"item:DateTimeCreated":               func(i *store.Item) value { return timeOf(i.Created) },
	"item:DateTimeReceived":              func(i *store.Item) value { return timeOf(i.Created) },
	"item:DateTimeSent":                  func(i *store.Item) value { return timeOf(i.Created) },
	"item:LastModifiedTime":              func(i *store.Item) value { return timeOf(i.LastModified) },
	"item:LastModifiedName":              func(i *store.Item) value { return textOfValue(i.LastModifier) },
	"item:HasAttachments":                func(i *store.Item) value { return boolOf(false) },
	"item:ReminderIsSet":                 func(i *store.Item) value { return boolOf(i.ReminderSet) },
	"item:ReminderMinutesBeforeStart":    func(i *store.Item) value { return numOf(i.ReminderMinutes) },
	"item:Size":                          func(i *store.Item) value { return numOf(size(i)) },
	"message:IsRead":                     func(i *store.Item) value { return boolOf(i.IsRead) },
	"calendar:Start":                     func(i *store.Item) value { return timeOf(i.Start) },
	"calendar:End":                       func(i *store.Item) value { return timeOf(i.End) },
	"calendar:DateTimeStamp":             func(i *store.Item) value { return timeOf(i.Created) },
	"calendar:Location":                  func(i *store.Item) value { return textOfValue(i.Location) },
	"calendar:UID":                       func(i *store.Item) value { return textOfValue(i.UID) },
	"calendar:IsAllDayEvent":             func(i *store.Item) value { return boolOf(i.AllDay) },
	"calendar:IsCancelled":               func(i *store.Item) value { return boolOf(i.IsCancelled) },
	"calendar:IsMeeting":                 func(i *store.Item) value { return boolOf(i.IsMeeting()) },
	"calendar:IsRecurring":               func(i *store.Item) value { return boolOf(i.Recurrence != nil) },
	"calendar:IsResponseRequested":       func(i *store.Item) value { return boolOf(i.ResponseRequested) },
	"calendar:LegacyFreeBusyStatus":      func(i *store.Item) value { return textOfValue(i.FreeBusy) },
	"calendar:CalendarItemType":          func(i *store.Item) value { return textOfValue(string(i.Type)) },
	"calendar:MyResponseType":            func(i *store.Item) value { return textOfValue(i.MyResponse) },
	"calendar:AppointmentSequenceNumber": func(i *store.Item) value { return numOf(i.Sequence) },
}

// operandOf reads a path to a property.
func operandOf(path *element) (operand, error) {
	if path.name == "ExtendedFieldURI" {
		key, err := propertyKey(path)
		if err != nil {
			return nil, err
		}
		return func(it *store.Item) value { return extendedValue(it, key) }, nil
	}
	get := operands[path.attr("FieldURI")]
	if get == nil {
		return nil, &store.Error{Code: "ErrorUnsupportedPathForQuery"}
	}
	return get, nil
}

func extendedValue(it *store.Item, key store.PropertyKey) value {
	values, ok := it.Extended[key]
	if !ok || len(values) == 0 {
		return value{}
	}
	v := value{ok: true, text: strings.Join(values, "\x00")}
	switch key.Type {
	case "Integer", "Long", "Short":
		v.kind = numberValue
		v.num, _ = strconv.ParseInt(values[0], 10, 64)
	case "Boolean":
		v = boolOf(isTrue(values[0]))
	case "SystemTime":
		v.kind = timeValue
		v.at, _ = parseDateTime(values[0], time.UTC)
	}
	return v
}

// compile turns a search expression into a test of items.
func (r *request) compile(e *element) (func(*store.Item) bool, error) {
	switch e.name {
	case "And", "Or":
		return r.compileAll(e)
	case "Not":
		test, err := r.compile(e.kids[0])
		if err != nil {
			return nil, err
		}
		return func(it *store.Item) bool { return !test(it) }, nil
	case "Excludes":
		return nil, &store.Error{Code: "ErrorUnsupportedPathForQuery"}
	}
	get, err := operandOf(e.kids[0])
	if err != nil {
		return nil, err
	}
	switch e.name {
	case "Exists":
		return func(it *store.Item) bool { return get(it).ok }, nil
	case "Contains":
		return contains(get, e), nil
	}
	return r.comparison(e, get)
}

func (r *request) compileAll(e *element) (func(*store.Item) bool, error) {
	tests := make([]func(*store.Item) bool, len(e.kids))
	for i, k := range e.kids {
		var err error
		if tests[i], err = r.compile(k); err != nil {
			return nil, err
		}
	}
	until := e.name == "Or" // the result of a test that settles the matter
	return func(it *store.Item) bool {
		for _, t := range tests {
			if t(it) == until {
				return until
			}
		}
		return !until
	}, nil
}

// comparison builds IsEqualTo and its kin. An item without the property satisfies only IsNotEqualTo.
func (r *request) comparison(e *element, get operand) (func(*store.Item) bool, error) {
	other, err := r.operandOrConstant(e.kids[1].kids[0])
	if err != nil {
		return nil, err
	}
	accept := map[string]func(c int) bool{
		"IsEqualTo":              func(c int) bool { return c == 0 },
		"IsGreaterThan":          func(c int) bool { return c > 0 },
		"IsGreaterThanOrEqualTo": func(c int) bool { return c >= 0 },
		"IsLessThan":             func(c int) bool { return c < 0 },
		"IsLessThanOrEqualTo":    func(c int) bool { return c <= 0 },
	}[e.name]
	return func(it *store.Item) bool {
		a := get(it)
		b := other(a.kind)(it)
		equal := a.ok && b.ok && compare(a, b) == 0
		if accept == nil {
			return !equal // IsNotEqualTo
		}
		return a.ok && b.ok && accept(compare(a, b))
	}, nil
}

// operandOrConstant reads the right side of a comparison. A constant is read as the kind of value it is compared with.
func (r *request) operandOrConstant(e *element) (func(valueKind) operand, error) {
	if e.name != "Constant" {
		get, err := operandOf(e)
		return func(valueKind) operand { return get }, err
	}
	s := e.attr("Value")
	at, _ := parseDateTime(s, r.zone)
	num, numErr := strconv.ParseInt(s, 10, 64)
	return func(k valueKind) operand {
		v := value{ok: true, kind: k}
		switch k {
		case timeValue:
			v.at, v.ok = at, !at.IsZero()
		case numberValue:
			v.num, v.ok = num, numErr == nil
		case boolValue:
			v = boolOf(isTrue(s))
		default:
			v.text = s
		}
		return func(*store.Item) value { return v }
	}, nil
}

// contains builds a text search.
func contains(get operand, e *element) func(*store.Item) bool {
	want := e.kid("Constant").attr("Value")
	fold := func(s string) string { return s }
	if c := e.attr("ContainmentComparison"); c != "" && c != "Exact" && c != "IgnoreNonSpacingCharacters" {
		fold = strings.ToLower
	}
	want = fold(want)
	match := map[string]func(s, sub string) bool{
		"FullString":    func(s, sub string) bool { return s == sub },
		"Prefixed":      strings.HasPrefix,
		"PrefixOnWords": wordPrefix,
	}[e.attr("ContainmentMode")]
	if match == nil {
		match = strings.Contains
	}
	return func(it *store.Item) bool {
		v := get(it)
		if !v.ok {
			return false
		}
		for s := range strings.SplitSeq(v.text, "\x00") {
			if match(fold(s), want) {
				return true
			}
		}
		return false
	}
}

func wordPrefix(s, sub string) bool {
	for _, word := range strings.Fields(s) {
		if strings.HasPrefix(word, sub) {
			return true
		}
	}
	return false
}

// compileFolders turns a search expression into a test of folders. A folder stands in for an item whose subject is the
// display name, so that the same rules apply.
func compileFolders(e *element) (func(store.Folder) bool, error) {
	test, err := (&request{zone: time.UTC}).compile(asItemPaths(e))
	if err != nil {
		return nil, err
	}
	return func(f store.Folder) bool { return test(&store.Item{Subject: f.Display, Class: f.Class}) }, nil
}

var itemPaths = map[string]string{"folder:DisplayName": "item:Subject", "folder:FolderClass": "item:ItemClass"}

// asItemPaths copies an expression with folder properties replaced by those of the item that stands in.
func asItemPaths(e *element) *element {
	c := *e
	c.kids = make([]*element, len(e.kids))
	for i, k := range e.kids {
		c.kids[i] = asItemPaths(k)
	}
	if path, ok := itemPaths[e.attr("FieldURI")]; ok {
		c.attrs = []attribute{{name: "FieldURI", value: path}}
	}
	return &c
}
