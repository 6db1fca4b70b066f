package ewsapi

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Namespaces of requests and answers.
const (
	nsSOAP     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsTypes    = "http://schemas.microsoft.com/exchange/services/2006/types"
	nsMessages = "http://schemas.microsoft.com/exchange/services/2006/messages"
	nsXML      = "http://www.w3.org/XML/1998/namespace"
	nsXSI      = "http://www.w3.org/2001/XMLSchema-instance"
)

// maxDepth is how deep elements may nest.
const maxDepth = 64

// syntaxError says why a document is not well-formed or not valid, and where.
type syntaxError struct {
	at        int
	violation string
}

func (e *syntaxError) Error() string { return e.violation }

// position turns an offset into line and column, from 1.
func position(doc string, at int) (line, column int) {
	before := doc[:min(at, len(doc))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}

// parseXML reads a document. It knows what a SOAP message may contain (XML 1.0 with namespaces, without a document
// type) and checks it strictly. Strings of the tree are parts of doc where possible.
func parseXML(doc string) (*element, error) {
	if !utf8.ValidString(doc) {
		return nil, &syntaxError{0, "Invalid character in the given encoding. Line 1, position 1."}
	}
	p := xmlParser{doc: strings.TrimPrefix(doc, "\ufeff")}
	root, err := p.document()
	if err != nil {
		line, column := position(p.doc, p.pos)
		return nil, &syntaxError{p.pos, err.Error() + " Line " + strconv.Itoa(line) + ", position " + strconv.Itoa(column) + "."}
	}
	return root, nil
}

type xmlError string

func (e xmlError) Error() string { return string(e) }

type xmlParser struct {
	doc   string
	pos   int
	depth int
	scope []binding
	slab  []element
}

type binding struct{ prefix, ns string }

func (p *xmlParser) document() (*element, error) {
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos >= len(p.doc) || p.doc[p.pos] != '<' {
		return nil, xmlError("Root element is missing.")
	}
	root, err := p.element()
	if err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos != len(p.doc) {
		return nil, xmlError("There are multiple root elements or text after the root element.")
	}
	return root, nil
}

// misc skips white space, comments and processing instructions.
func (p *xmlParser) misc() error {
	for {
		p.space()
		skipped, err := p.skipped()
		if !skipped || err != nil {
			return err
		}
	}
}

// skipped passes over a comment or processing instruction, if one begins here.
func (p *xmlParser) skipped() (bool, error) {
	rest := p.doc[p.pos:]
	end := ""
	switch {
	case strings.HasPrefix(rest, "<!--"):
		end = "-->"
	case strings.HasPrefix(rest, "<?"):
		end = "?>"
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return false, xmlError("For security reasons DTD is prohibited in this XML document.")
	default:
		return false, nil
	}
	i := strings.Index(rest[2:], end)
	if i < 0 {
		return false, xmlError("Unexpected end of file has occurred.")
	}
	p.pos += 2 + i + len(end)
	return true, nil
}

func (p *xmlParser) space() {
	for p.pos < len(p.doc) && isSpace(p.doc[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// name reads a qualified name.
func (p *xmlParser) qname() (prefix, local string, err error) {
	start, colon := p.pos, -1
	for p.pos < len(p.doc) && isName(p.doc[p.pos]) {
		if p.doc[p.pos] == ':' {
			colon = p.pos
		}
		p.pos++
	}
	if p.pos == start || !isNameStart(p.doc[start]) || colon == start || colon == p.pos-1 {
		return "", "", xmlError("Name cannot begin with this character.")
	}
	if colon < 0 {
		return "", p.doc[start:p.pos], nil
	}
	return p.doc[start:colon], p.doc[colon+1 : p.pos], nil
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isName(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':'
}

// newElement takes an element from a slab, because requests have dozens of them.
func (p *xmlParser) newElement() *element {
	if len(p.slab) == 0 {
		p.slab = make([]element, 32)
	}
	e := &p.slab[0]
	p.slab = p.slab[1:]
	return e
}

// element reads an element whose '<' is here.
func (p *xmlParser) element() (*element, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, xmlError("The maximum nesting depth has been exceeded.")
	}
	p.pos++
	e := p.newElement()
	e.at = p.pos
	prefix, local, err := p.qname()
	if err != nil {
		return nil, err
	}
	bound := len(p.scope)
	closed, err := p.attributes(e)
	if err != nil {
		return nil, err
	}
	e.name = local
	if e.ns, err = p.resolve(prefix); err != nil {
		return nil, err
	}
	if !closed {
		if err := p.content(e, prefix, local); err != nil {
			return nil, err
		}
	}
	p.scope = p.scope[:bound]
	p.depth--
	return e, nil
}

// attributes reads the rest of a start tag, and reports whether it closes the element.
func (p *xmlParser) attributes(e *element) (closed bool, err error) {
	first := true
	for {
		before := p.pos
		p.space()
		switch {
		case strings.HasPrefix(p.doc[p.pos:], "/>"):
			p.pos += 2
			return true, p.resolveAttributes(e)
		case strings.HasPrefix(p.doc[p.pos:], ">"):
			p.pos++
			return false, p.resolveAttributes(e)
		case p.pos >= len(p.doc):
			return false, xmlError("Unexpected end of file has occurred.")
		case before == p.pos && !first:
			return false, xmlError("White space is required between attributes.")
		}
		first = false
		if err := p.attribute(e); err != nil {
			return false, err
		}
	}
}

func (p *xmlParser) attribute(e *element) error {
	prefix, local, err := p.qname()
	if err != nil {
		return err
	}
	p.space()
	if p.pos+1 >= len(p.doc) || p.doc[p.pos] != '=' {
		return xmlError("'=' is expected after an attribute's name.")
	}
	p.pos++
	p.space()
	if p.pos >= len(p.doc) || p.doc[p.pos] != '"' && p.doc[p.pos] != '\'' {
		return xmlError("An attribute's value must be in quotes.")
	}
	quote := p.doc[p.pos]
	p.pos++
	end := strings.IndexByte(p.doc[p.pos:], quote)
	if end < 0 {
		return xmlError("Unexpected end of file has occurred.")
	}
	raw := p.doc[p.pos : p.pos+end]
	if strings.IndexByte(raw, '<') >= 0 {
		return xmlError("'<' is an invalid attribute character.")
	}
	value, err := p.unescape(raw)
	if err != nil {
		return err
	}
	p.pos += end + 1
	switch {
	case prefix == "xmlns":
		p.scope = append(p.scope, binding{local, value})
	case prefix == "" && local == "xmlns":
		p.scope = append(p.scope, binding{"", value})
	default:
		e.attrs = append(e.attrs, attribute{prefix, local, value})
	}
	return nil
}

// resolveAttributes replaces prefixes by namespaces, when all of a tag's declarations are known.
func (p *xmlParser) resolveAttributes(e *element) error {
	for i := range e.attrs {
		a := &e.attrs[i]
		if a.ns != "" {
			ns, err := p.resolve(a.ns)
			if err != nil {
				return err
			}
			a.ns = ns
		}
		for _, b := range e.attrs[:i] {
			if b.ns == a.ns && b.name == a.name {
				return xmlError("'" + a.name + "' is a duplicate attribute name.")
			}
		}
	}
	return nil
}

func (p *xmlParser) resolve(prefix string) (string, error) {
	for i := len(p.scope) - 1; i >= 0; i-- {
		if p.scope[i].prefix == prefix {
			return p.scope[i].ns, nil
		}
	}
	switch prefix {
	case "":
		return "", nil
	case "xml":
		return nsXML, nil
	}
	return "", xmlError("'" + prefix + "' is an undeclared prefix.")
}

// content reads up to and including the end tag.
func (p *xmlParser) content(e *element, prefix, local string) error {
	for {
		open := strings.IndexByte(p.doc[p.pos:], '<')
		if open < 0 {
			p.pos = len(p.doc)
			return xmlError("Unexpected end of file has occurred.")
		}
		if open > 0 {
			text, err := p.unescape(p.doc[p.pos : p.pos+open])
			if err != nil {
				return err
			}
			e.addText(text)
			p.pos += open
		}
		done, err := p.markup(e, prefix, local)
		if done || err != nil {
			return err
		}
	}
}

// markup reads what begins with '<' inside an element: its end tag, a child, CDATA, or something to skip.
func (p *xmlParser) markup(e *element, prefix, local string) (done bool, err error) {
	rest := p.doc[p.pos:]
	switch {
	case strings.HasPrefix(rest, "</"):
		p.pos += 2
		pre, loc, err := p.qname()
		if err == nil && (pre != prefix || loc != local) {
			err = xmlError("The start tag '" + local + "' does not match the end tag of '" + loc + "'.")
		}
		p.space()
		if err == nil && !strings.HasPrefix(p.doc[p.pos:], ">") {
			err = xmlError("'>' is expected.")
		}
		p.pos++
		return true, err
	case strings.HasPrefix(rest, "<![CDATA["):
		end := strings.Index(rest, "]]>")
		if end < 0 {
			return false, xmlError("Unexpected end of file has occurred.")
		}
		p.pos += 9
		if strings.IndexFunc(rest[9:end], func(r rune) bool { return !isXMLChar(r) }) >= 0 {
			return false, xmlError("An invalid character was found in a CDATA section.")
		}
		e.addText(lineEnds.Replace(rest[9:end]))
		p.pos += end - 9 + 3
		return false, nil
	case strings.HasPrefix(rest, "<!") || strings.HasPrefix(rest, "<?"):
		skipped, err := p.skipped()
		if err == nil && !skipped {
			err = xmlError("Unexpected markup declaration.")
		}
		return false, err
	}
	kid, err := p.element()
	if err == nil {
		e.kids = append(e.kids, kid)
	}
	return false, err
}

func (e *element) addText(s string) {
	if e.text == "" {
		e.text = s
	} else {
		e.text += s
	}
}
