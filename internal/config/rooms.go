package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"roomsync/internal/tokens"
)

// The keys of RoomsAppSettings.config that say how to sign in to Exchange.
const (
	keyTenantID      = "ExchangeTenantId"
	keyAppID         = "ExchangeAppId"
	keyClientSecret  = "ExchangeClientSecret"
	keyThumbprint    = "ExchangeCertThumbprint"
	keyUser          = "ExchangeServiceUser"
	keyPassword      = "ExchangeServicePassword"
	keyImpersonation = "ExchangeUseImpersonation"
)

var roomsKeys = []string{keyTenantID, keyAppID, keyClientSecret, keyThumbprint, keyUser, keyPassword, keyImpersonation}

const (
	// maxRooms bounds the file; ROOMS' own is some ten kilobytes.
	maxRooms = 1 << 20
	// maxRoomsDepth bounds how deep its elements are nested.
	maxRoomsDepth = 64
)

// roomsFile is what a RoomsAppSettings.config holds for us. It may have been written by hand for years: whatever else
// stands in it is ROOMS' business.
type roomsFile struct {
	root    string // name of the root element
	entries []roomsEntry
	strange []roomsEntry // keys that look like slips of ours; their values are not kept
}

// roomsEntry is one <add key="…" value="…"/>.
type roomsEntry struct {
	line    int // of its "<"
	section int // which element it stands in; another number for each
	key     string
	value   tokens.Secret // any of them may hold a secret by mistake
	valued  bool          // has the attribute value, if only an empty one
}

// roomsError says what is wrong with the file as a whole. It never quotes the file: what stands at the place of a
// mistake may be a piece of a password.
type roomsError struct {
	line    int // 0 when it is the whole file
	problem string
}

func (e *roomsError) Error() string { return e.problem }

// parseRooms reads the file as .NET reads it (NameValueSectionHandler, AppSettingsSection): keys are the same in any
// case, <remove> and <clear> undo what stands before them in their section. Errors are *roomsError.
func parseRooms(data []byte) (*roomsFile, error) {
	text, err := roomsText(data)
	if err != nil {
		return nil, err
	}
	p := roomsParser{d: xml.NewDecoder(bytes.NewReader(text))}
	p.d.CharsetReader = roomsCharset
	for {
		p.line, _ = p.d.InputPos()
		t, err := p.d.Token()
		if err == io.EOF {
			return p.end()
		}
		if err == nil {
			err = p.take(t)
		}
		if err != nil {
			return nil, p.explain(err)
		}
	}
}

// roomsText returns the file in UTF-8, without a byte order mark, unless it is in an 8-bit encoding that it declares.
func roomsText(data []byte) ([]byte, error) {
	begins := func(with ...byte) bool { return bytes.HasPrefix(data, with) }
	order := unicode.LittleEndian
	switch {
	case begins(0xFF, 0xFE, 0, 0), begins(0, 0, 0xFE, 0xFF):
		return nil, &roomsError{1, "is UTF-32, which is not read: save it as UTF-8"}
	case begins(0xFE, 0xFF), begins(0, '<'):
		order = unicode.BigEndian
	case begins(0xFF, 0xFE), begins('<', 0):
	default:
		return bytes.TrimPrefix(data, []byte("\ufeff")), nil
	}
	text, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(data)
	if err != nil || len(data)%2 != 0 {
		return nil, &roomsError{0, "is UTF-16 that was cut off: copy it again, or save it as UTF-8"}
	}
	return text, nil
}

// roomsCharset reads what an XML declaration names. UTF-16 has been converted by then, and what claims it wrongly is
// UTF-8 or refused as that.
func roomsCharset(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(r), nil
	case "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(r), nil
	}
	return nil, &roomsError{1, "declares an encoding that is not read: save it as UTF-8"}
}

// roomsParser goes through the file once.
type roomsParser struct {
	d     *xml.Decoder
	line  int   // where the present token begins
	stack []int // the open elements
	count int   // elements so far
	file  roomsFile
}

func (p *roomsParser) take(t xml.Token) error {
	switch t := t.(type) {
	case xml.Directive:
		return &roomsError{p.line, "holds a document type declaration (<!DOCTYPE), which is refused: remove it"}
	case xml.CharData:
		if text := bytes.TrimLeft(t, " \t\r\n"); len(p.stack) == 0 && len(text) > 0 {
			last, _ := p.d.InputPos()
			return &roomsError{min(p.line+bytes.Count(t[:len(t)-len(text)], []byte("\n")), last), "is no XML file: RoomsAppSettings.config begins with <RoomsAppSettings>"}
		}
	case xml.StartElement:
		return p.open(t)
	case xml.EndElement:
		p.stack = p.stack[:len(p.stack)-1]
	}
	return nil
}

func (p *roomsParser) open(e xml.StartElement) error {
	switch {
	case len(p.stack) == 0 && p.count > 0:
		return &roomsError{p.line, "has a second root element: XML allows one"}
	case len(p.stack) == maxRoomsDepth:
		return &roomsError{p.line, fmt.Sprintf("has elements nested deeper than %d", maxRoomsDepth)}
	case p.count == 0:
		p.file.root = e.Name.Local
	}
	attrs := map[string]string{}
	for _, a := range e.Attr {
		if _, twice := attrs[a.Name.Local]; twice && a.Name.Space == "" {
			return &roomsError{p.line, "has an element with the same attribute twice: XML allows it once"}
		}
		if a.Name.Space == "" {
			attrs[a.Name.Local] = a.Value
		}
	}
	if _, encrypted := attrs["configProtectionProvider"]; encrypted {
		return &roomsError{p.line, "is encrypted for .NET (configProtectionProvider), which only .NET on that computer can read: decrypt the section " +
			"with aspnet_regiis -pdf, or give the settings as flags and files"}
	}
	if len(p.stack) > 0 {
		p.entry(e.Name, attrs)
	}
	p.count++
	p.stack = append(p.stack, p.count)
	return nil
}

// entry takes <add>, <remove> and <clear>; others are none of ours.
func (p *roomsParser) entry(name xml.Name, attrs map[string]string) {
	section, f := p.stack[len(p.stack)-1], &p.file
	undo := func(gone func(roomsEntry) bool) {
		kept := f.entries[:0]
		for _, e := range f.entries {
			if e.section != section || !gone(e) {
				kept = append(kept, e)
			}
		}
		f.entries = kept
	}
	key, known := roomsKey(attrs["key"])
	switch {
	case name.Local == "clear":
		undo(func(roomsEntry) bool { return true })
	case name.Local == "remove":
		undo(func(e roomsEntry) bool { return e.key == key })
	case name.Local != "add":
	case known:
		value, valued := attrs["value"]
		f.entries = append(f.entries, roomsEntry{p.line, section, key, tokens.NewSecret(value), valued})
	case slip(attrs["key"]) != "":
		f.strange = append(f.strange, roomsEntry{line: p.line, key: attrs["key"]})
	}
}

// roomsKey is the key as we write it: for .NET they are the same in any case (StringComparer.OrdinalIgnoreCase).
func roomsKey(key string) (string, bool) {
	for _, k := range roomsKeys {
		if strings.EqualFold(k, key) {
			return k, true
		}
	}
	return "", false
}

// slip is the key of ours that a key was probably meant to be, or "".
func slip(key string) string {
	for _, k := range roomsKeys {
		if len(key) < 2*len(k) && edits(strings.ToLower(strings.TrimSpace(key)), strings.ToLower(k)) <= 2 {
			return k
		}
	}
	return ""
}

func (p *roomsParser) end() (*roomsFile, error) {
	if p.count == 0 {
		return nil, &roomsError{0, "is empty: RoomsAppSettings.config begins with <RoomsAppSettings>"}
	}
	return &p.file, nil
}

// malformed are our words for the decoder's messages, by their beginnings. Those themselves quote the file.
var malformed = []struct{ begins, problem string }{
	{"invalid character entity", "has an & that begins no entity: in a value it is written &amp;"},
	{"unescaped <", "has a < inside a value: it is written &lt; there"},
	{"invalid UTF-8", "holds bytes that are no UTF-8 (was it saved as ANSI?): save it as UTF-8"},
	{"unexpected EOF", "ends before its elements do: it was cut off, or is being written"},
	{"element <", "has an element that is closed by another one's end tag"},
	{"unexpected end element", "has an end tag without its element"},
	{"unquoted or missing attribute value", `has an attribute without a quoted value: a " inside a value is written &quot;`},
	{"attribute name without =", `has an attribute without a value: a " inside a value is written &quot;`},
	{"expected attribute name", `has something that is no attribute inside an element: a " inside a value is written &quot;`},
}

func (p *roomsParser) explain(err error) error {
	if ours := (*roomsError)(nil); errors.As(err, &ours) {
		return ours
	}
	var syntax *xml.SyntaxError
	if !errors.As(err, &syntax) {
		return &roomsError{p.line, "cannot be read as XML"}
	}
	if p.count == 0 && !strings.HasPrefix(syntax.Msg, "invalid UTF-8") {
		return &roomsError{syntax.Line, "is no XML file: RoomsAppSettings.config begins with <RoomsAppSettings>"}
	}
	for _, m := range malformed {
		if strings.HasPrefix(syntax.Msg, m.begins) {
			return &roomsError{syntax.Line, m.problem}
		}
	}
	return &roomsError{syntax.Line, "is not well-formed XML here"}
}
