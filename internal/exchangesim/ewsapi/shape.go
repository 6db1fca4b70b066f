package ewsapi

import (
	"cmp"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"roomsync/internal/exchangesim/store"
)

// shape says which properties of an item to write.
type shape struct {
	props    propSet
	extended []store.PropertyKey
	body     string // Best, HTML or Text
	// listing is true for FindItem and SyncFolderItems, which know less about an item than GetItem: no body, no series
	// information; and FindItem names the organizer by an X.500 address.
	listing bool
	find    bool
	mime    bool // IncludeMimeContent was given
}

// shapeOf reads an ItemShape.
func shapeOf(e *element, listing, find bool) (*shape, error) {
	s := &shape{listing: listing, find: find, body: cmp.Or(e.val("BodyType"), "Best"), mime: isTrue(e.val("IncludeMimeContent"))}
	switch e.val("BaseShape") {
	case "Default":
		s.props = defaultProps
	case "AllProperties":
		s.props = allProps
	}
	s.props.add(propIndex["item:ItemId"])
	if s.mime {
		s.props.add(propIndex["item:MimeContent"])
	}
	if more := e.kid("AdditionalProperties"); more != nil {
		for _, k := range more.kids {
			if err := s.include(k); err != nil {
				return nil, err
			}
		}
	}
	if listing {
		s.props = s.props.without(getOnly)
	}
	return s, nil
}

func (s *shape) include(path *element) error {
	if path.name == "ExtendedFieldURI" {
		key, err := propertyKey(path)
		if err != nil {
			return err
		}
		if !slices.Contains(s.extended, key) {
			s.extended = append(s.extended, key)
		}
		return nil
	}
	uri := path.attr("FieldURI")
	if i, ok := propIndex[uri]; ok {
		s.props.add(i)
	}
	return nil
}

// propertySets are the GUIDs that distinguished property sets stand for (MS-OXPROPS 1.3.2).
var propertySets = map[string]string{
	"Meeting":           "6ed8da90-450b-101b-98da-00aa003f1305",
	"Appointment":       "00062002-0000-0000-c000-000000000046",
	"Common":            "00062008-0000-0000-c000-000000000046",
	"PublicStrings":     "00020329-0000-0000-c000-000000000046",
	"Address":           "00062004-0000-0000-c000-000000000046",
	"InternetHeaders":   "00020386-0000-0000-c000-000000000046",
	"CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
	"UnifiedMessaging":  "4442858e-a9e3-4e80-b900-317a210cc15b",
	"Task":              "00062003-0000-0000-c000-000000000046",
	"Sharing":           "00062040-0000-0000-c000-000000000046",
}

// propertyKey reads an ExtendedFieldURI. Only some combinations of attributes are valid (MS-OXWSXPROP_R157 to R161).
func propertyKey(e *element) (store.PropertyKey, error) {
	k := store.PropertyKey{Type: e.attr("PropertyType"), Name: e.attr("PropertyName"), Set: strings.ToLower(e.attr("PropertySetId"))}
	bad := false
	if d := e.attr("DistinguishedPropertySetId"); d != "" {
		bad = k.Set != ""
		k.Set = propertySets[d]
	}
	if id := e.attr("PropertyId"); id != "" {
		n, _ := strconv.ParseInt(id, 10, 32)
		k.ID, k.HasID = int32(n), true
	}
	if tag := e.attr("PropertyTag"); tag != "" {
		n, err := strconv.ParseUint(tag, 0, 16)
		bad = err != nil || k.Set != "" || k.Name != "" || k.HasID
		k.Tag = uint16(n)
	} else {
		bad = bad || k.Set == "" || (k.Name == "") == !k.HasID
	}
	if bad {
		return k, &store.Error{Code: "ErrorInvalidExtendedProperty", Text: "The extended property attribute combination is invalid."}
	}
	return k, nil
}

// writeKey writes an ExtendedFieldURI; property sets that have a name are named, as Exchange does.
func (w *writer) writeKey(k store.PropertyKey) {
	w.raw(`<t:ExtendedFieldURI`)
	if k.Tag != 0 {
		w.raw(` PropertyTag="0x`, strconv.FormatUint(uint64(k.Tag), 16), `"`)
	}
	if name := distinguishedSet(k.Set); name != "" {
		w.raw(` DistinguishedPropertySetId="`, name, `"`)
	} else if k.Set != "" {
		w.raw(` PropertySetId="`, k.Set, `"`)
	}
	if k.Name != "" {
		w.raw(` PropertyName="`)
		w.text(k.Name)
		w.raw(`"`)
	}
	if k.HasID {
		w.raw(` PropertyId="`, strconv.Itoa(int(k.ID)), `"`)
	}
	w.raw(` PropertyType="`, k.Type, `"/>`)
}

func distinguishedSet(guid string) string {
	for name, g := range propertySets {
		if g == guid {
			return name
		}
	}
	return ""
}

func (w *writer) writeExtended(it *store.Item, keys []store.PropertyKey) {
	for _, k := range keys {
		values, ok := it.Extended[k]
		if !ok {
			continue
		}
		w.raw(`<t:ExtendedProperty>`)
		w.writeKey(k)
		if strings.HasSuffix(k.Type, "Array") {
			w.raw(`<t:Values>`)
		}
		for _, v := range values {
			w.tag("Value", v)
		}
		if strings.HasSuffix(k.Type, "Array") {
			w.raw(`</t:Values>`)
		}
		w.raw(`</t:ExtendedProperty>`)
	}
}

// writeItem writes an item with the shape's properties, in the schema's order.
func (r *request) writeItem(m *store.Mailbox, it *store.Item, s *shape) {
	tag := "CalendarItem"
	if !it.IsCalendar() {
		tag = "Message"
	}
	c := propContext{r: r, w: r.w, m: m, it: it, shape: s}
	r.w.raw(`<t:`, tag, `>`)
	for i := range properties {
		p := &properties[i]
		if !s.props.has(i) && !(i == extendedAt && len(s.extended) > 0) {
			continue
		}
		if p.calendar && !it.IsCalendar() || p.message && it.IsCalendar() {
			continue
		}
		p.write(&c)
	}
	r.w.raw(`</t:`, tag, `>`)
}

// propSet is a set of indexes into properties.
type propSet [2]uint64

func (s *propSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *propSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s propSet) without(o propSet) propSet {
	return propSet{s[0] &^ o[0], s[1] &^ o[1]}
}

var markup = regexp.MustCompile(`(?s)<(style|head)[^>]*>.*?</(style|head)>|<[^>]*>`)

// htmlOf is a plain text as a page.
func htmlOf(text string) string {
	return "<html><body><div>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>\n") + "</div></body></html>"
}

// writeBody writes the body in the form the client wants.
func (w *writer) writeBody(tag string, b store.Body, form string) {
	text, isHTML := b.Text, b.HTML
	switch {
	case form == "Text" && isHTML:
		text, isHTML = strings.TrimSpace(html.UnescapeString(markup.ReplaceAllString(text, ""))), false
	case form == "HTML" && !isHTML && text != "":
		text, isHTML = htmlOf(text), true
	case form == "HTML":
		isHTML = true
	}
	kind := "Text"
	if isHTML {
		kind = "HTML"
	}
	w.raw(`<t:`, tag, ` BodyType="`, kind, `"`)
	if text == "" {
		w.raw(`/>`)
		return
	}
	w.raw(`>`)
	w.text(text)
	w.raw(`</t:`, tag, `>`)
}
