package ewsapi

import "strings"

// element is an XML element with everything in it.
type element struct {
	ns, name string
	attrs    []attribute
	kids     []*element
	text     string // character data directly in it, joined
	at       int    // offset of the name in the document
}

type attribute struct{ ns, name, value string }

// attr returns the value of an attribute without namespace, "" without it.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.name == name && a.ns == "" {
			return a.value
		}
	}
	return ""
}

// kid returns the first child with that name, nil without one. It may be called on nil.
func (e *element) kid(name string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// val returns the text of a child, "" without one.
func (e *element) val(name string) string {
	if k := e.kid(name); k != nil {
		return strings.TrimSpace(k.text)
	}
	return ""
}

// find returns the first element with that name at any depth below e, nil without one.
func (e *element) find(name string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
		if found := k.find(name); found != nil {
			return found
		}
	}
	return nil
}

func (e *element) hasAttr(name string) bool {
	for _, a := range e.attrs {
		if a.name == name && a.ns == "" {
			return true
		}
	}
	return false
}
