package ewsapi

import (
	"strconv"
	"strings"
	"time"
)

// Requests are checked against a digest of Exchange's schema (types.xsd, messages.xsd of Exchange SE) before anything
// is done, because the real server does so: a client that sends elements in the wrong order or a value that no enum
// has must fail here too. The digest covers what this server understands; see schema_types.go.

// complexType says what an element may contain.
type complexType struct {
	ns      string // of the children
	parts   []particle
	attrs   []attrRule
	simple  *simpleType // content is text of that type
	anyKids bool        // children are not checked
}

// particle is a place in a sequence: one of some elements, so many times.
type particle struct {
	kids     []kidRule
	min, max int
}

type kidRule struct{ name, typ string }

type attrRule struct {
	name     string
	typ      *simpleType
	required bool
}

// simpleType checks a text and names the violated constraint ("" for none).
type simpleType struct {
	name  string // as in the schema
	check func(string) string
}

func invalid(e *element, violation string) error { return &syntaxError{e.at, violation} }

// validate checks an element and everything in it.
func validate(e *element, typeName string) error {
	t := complexTypes[typeName]
	if t == nil || t.anyKids {
		return nil
	}
	if err := t.checkAttrs(e); err != nil {
		return err
	}
	if t.simple != nil {
		return t.simple.checkText(e)
	}
	if strings.TrimSpace(e.text) != "" {
		return invalid(e, "The element '"+e.name+"' in namespace '"+e.ns+"' cannot contain text.")
	}
	return t.checkKids(e)
}

func (t *complexType) checkAttrs(e *element) error {
	for _, a := range e.attrs {
		if a.ns == nsXSI || a.ns == nsXML || a.ns == nsSOAP {
			continue
		}
		rule := t.attr(a.name)
		if rule == nil || a.ns != "" {
			return invalid(e, "The '"+a.name+"' attribute is not declared.")
		}
		if bad := rule.typ.check(a.value); bad != "" {
			return invalid(e, "The '"+a.name+"' attribute is invalid - The value '"+a.value+
				"' is invalid according to its datatype '"+rule.typ.name+"' - "+bad)
		}
	}
	for i := range t.attrs {
		if r := &t.attrs[i]; r.required && !e.hasAttr(r.name) {
			return invalid(e, "The required attribute '"+r.name+"' is missing.")
		}
	}
	return nil
}

func (t *complexType) attr(name string) *attrRule {
	for i := range t.attrs {
		if t.attrs[i].name == name {
			return &t.attrs[i]
		}
	}
	return nil
}

func (s *simpleType) checkText(e *element) error {
	if len(e.kids) > 0 {
		return unexpected(e, e.kids[0], nil, "")
	}
	if bad := s.check(strings.TrimSpace(e.text)); bad != "" {
		return invalid(e, "The '"+e.ns+":"+e.name+"' element is invalid - The value '"+strings.TrimSpace(e.text)+
			"' is invalid according to its datatype '"+s.name+"' - "+bad)
	}
	return nil
}

// checkKids walks the children along the particles.
func (t *complexType) checkKids(e *element) error {
	at, count := 0, 0
	for _, k := range e.kids {
		for {
			if at == len(t.parts) {
				return unexpected(e, k, nil, t.ns)
			}
			p := &t.parts[at]
			rule := p.rule(k, t.ns)
			if rule != nil && (p.max < 0 || count < p.max) {
				count++
				if err := validate(k, rule.typ); err != nil {
					return err
				}
				break
			}
			if count < p.min {
				return unexpected(e, k, p, t.ns)
			}
			at, count = at+1, 0
		}
	}
	for ; at < len(t.parts); at, count = at+1, 0 {
		if p := &t.parts[at]; count < p.min {
			return invalid(e, "The element '"+e.name+"' in namespace '"+e.ns+"' has incomplete content."+p.expected(t.ns))
		}
	}
	return nil
}

func (p *particle) rule(k *element, ns string) *kidRule {
	if k.ns != ns {
		return nil
	}
	for i := range p.kids {
		if p.kids[i].name == k.name {
			return &p.kids[i]
		}
	}
	return nil
}

func (p *particle) expected(ns string) string {
	names := make([]string, len(p.kids))
	for i, k := range p.kids {
		names[i] = k.name
	}
	return " List of possible elements expected: '" + strings.Join(names, ", ") + "' in namespace '" + ns + "'."
}

func unexpected(parent, kid *element, p *particle, ns string) error {
	s := "The element '" + parent.name + "' in namespace '" + parent.ns + "' has invalid child element '" + kid.name +
		"' in namespace '" + kid.ns + "'."
	if p != nil {
		s += p.expected(ns)
	}
	return invalid(kid, s)
}

const enumFailed = "The Enumeration constraint failed."

func enum(name, values string) *simpleType {
	set := map[string]bool{}
	for _, v := range strings.Fields(values) {
		set[v] = true
	}
	return &simpleType{typesName(name), func(s string) string {
		if set[s] {
			return ""
		}
		return enumFailed
	}}
}

func typesName(name string) string { return nsTypes + ":" + name }

func integer(name string, low, high int) *simpleType {
	return &simpleType{typesName(name), func(s string) string {
		n, err := strconv.Atoi(s)
		switch {
		case err != nil:
			return "The string '" + s + "' is not a valid Int32 value."
		case n < low:
			return "The MinInclusive constraint failed."
		case n > high:
			return "The MaxInclusive constraint failed."
		}
		return ""
	}}
}

// matching builds a type of XML Schema itself from a function that knows its values.
func matching(name, dotNet string, ok func(string) bool) *simpleType {
	return &simpleType{"http://www.w3.org/2001/XMLSchema:" + name, func(s string) string {
		if ok(s) {
			return ""
		}
		return "The string '" + s + "' is not a valid " + dotNet + " value."
	}}
}

func isBool(s string) bool { return s == "true" || s == "false" || s == "1" || s == "0" }

func isTrue(s string) bool { return s == "true" || s == "1" }

// dateTimeForms are xs:dateTime with and without a zone; fractions of seconds are accepted by time.Parse.
var dateTimeForms = []string{time.RFC3339, "2006-01-02T15:04:05"}

// parseDateTime reads xs:dateTime. A value without a zone is a time of day in loc.
func parseDateTime(s string, loc *time.Location) (time.Time, bool) {
	for _, form := range dateTimeForms {
		if t, err := time.ParseInLocation(form, s, loc); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func isDateTime(s string) bool {
	_, ok := parseDateTime(s, time.UTC)
	return ok
}
