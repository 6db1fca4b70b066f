package soap

import (
	"bytes"
	"fmt"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens. Text stands for character data and CDATA sections alike; one run of text may come in several
// tokens. Comments are skipped.
const (
	Done  Kind = iota // the document has ended, or an error occurred: see Err
	Start             // a start tag; an empty-element tag gives a Start and an End
	End               // an end tag
	Text
)

// SyntaxError says why a document was refused. It never quotes the document.
type SyntaxError struct {
	Offset int // in bytes
	What   string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("xml: %s at byte %d", e.What, e.Offset) }

// Scanner reads one document. Its methods stop at the first error, which [Scanner.Err] returns. Byte slices that it
// returns are parts of the document or of its own buffer, valid until the next call of Next.
// The zero value is ready for [Scanner.Reset], which also makes it ready for the next document.
type Scanner struct {
	data []byte
	pos  int
	err  error

	depth    int
	open     []element // the first depth of them are open
	elements int
	rooted   bool // the root's start was read
	empty    bool // the Start just returned was an empty-element tag: its End comes next

	bindings []binding
	space    string
	local    []byte
	attrs    []attribute
	text     []byte
	buf      []byte // rewritten characters of the current token
}

type element struct {
	name     []byte // as written, prefix included
	space    string
	local    []byte
	bindings int // namespace bindings before it
}

type binding struct {
	prefix []byte
	space  string
}

type attribute struct {
	prefix, local, value []byte
	space                string
}

// Reset makes s read data. The caller must not change data until it has finished with s.
func (s *Scanner) Reset(data []byte) {
	open, bindings, attrs, buf := s.open[:0], s.bindings[:0], s.attrs[:0], s.buf[:0]
	if cap(buf) > 64<<10 { // one long text must not be kept for ever in a pool
		buf = nil
	}
	*s = Scanner{data: data, open: open, bindings: bindings, attrs: attrs, buf: buf}
	if bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")) {
		s.pos = 3
	}
	s.declaration()
}

// Err returns the first error, nil at a proper end.
func (s *Scanner) Err() error { return s.err }

// Depth is the number of elements that are open; that of the current Start counts, that of the current End does not.
func (s *Scanner) Depth() int { return s.depth }

// Space returns the namespace URI of the current Start or End, "" for none.
func (s *Scanner) Space() string { return s.space }

// Local returns the local name of the current Start or End.
func (s *Scanner) Local() []byte { return s.local }

// Is says whether the current Start or End has the given namespace and local name.
func (s *Scanner) Is(space, local string) bool { return string(s.local) == local && s.space == space }

// Chars returns the characters of the current Text.
func (s *Scanner) Chars() []byte { return s.text }

// Attr returns an attribute of the current Start that is in no namespace, nil when it is absent.
func (s *Scanner) Attr(name string) []byte {
	for i := range s.attrs {
		if a := &s.attrs[i]; len(a.prefix) == 0 && string(a.local) == name {
			return a.value
		}
	}
	return nil
}

func (s *Scanner) fail(at int, what string) {
	if s.err == nil {
		s.err = &SyntaxError{Offset: at, What: what}
	}
}

// Next reads the next token.
func (s *Scanner) Next() Kind {
	if s.err != nil {
		return Done
	}
	if s.empty {
		s.empty = false
		s.pop()
		return End
	}
	s.buf = s.buf[:0]
	for s.err == nil {
		kind, found := s.token()
		if s.err != nil {
			break
		}
		if found {
			return kind
		}
	}
	return Done
}

// token reads one piece of the document. It returns false when that was nothing to report.
func (s *Scanner) token() (Kind, bool) {
	if s.pos == len(s.data) {
		s.finish()
		return Done, true
	}
	if s.data[s.pos] != '<' {
		return s.textToken()
	}
	rest := s.data[s.pos:]
	switch {
	case len(rest) < 2:
		s.fail(s.pos, "the document ends within a tag")
	case rest[1] == '/':
		s.endTag()
		return End, true
	case rest[1] == '!':
		return s.bang()
	case rest[1] == '?':
		s.fail(s.pos, "a processing instruction")
	default:
		s.startTag()
		return Start, true
	}
	return Done, false
}

func (s *Scanner) finish() {
	switch {
	case s.depth > 0:
		s.fail(s.pos, "the document ends before its elements do")
	case !s.rooted:
		s.fail(s.pos, "no element in the document")
	}
}

func (s *Scanner) textToken() (Kind, bool) {
	at := s.pos
	if s.depth > 0 {
		s.text = s.characters(inText)
		return Text, true
	}
	s.spaces()
	if s.pos < len(s.data) && s.data[s.pos] != '<' {
		s.fail(at, "text outside the root element")
	}
	return Text, false
}

// bang reads a comment or a CDATA section; anything else that starts with "<!" is refused.
func (s *Scanner) bang() (Kind, bool) {
	at, rest := s.pos, s.data[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		end := bytes.Index(rest[4:], []byte("--"))
		if end < 0 || !bytes.HasPrefix(rest[4+end:], []byte("-->")) {
			s.fail(at, "a malformed comment")
			return Done, false
		}
		s.pos += 4 + end + 3
		return Done, false
	case bytes.HasPrefix(rest, []byte("<![CDATA[")) && s.depth > 0:
		s.pos += len("<![CDATA[")
		s.text = s.characters(inCDATA)
		if s.pos == len(s.data) {
			s.fail(at, "a CDATA section without an end")
		}
		s.pos += len("]]>")
		return Text, true
	}
	s.fail(at, "a DOCTYPE or another directive")
	return Done, false
}

// spaces skips white space and says whether there was any.
func (s *Scanner) spaces() bool {
	at := s.pos
	for s.pos < len(s.data) && class[s.data[s.pos]]&white != 0 {
		s.pos++
	}
	return s.pos > at
}

// name reads a qualified name; the prefix is nil if there is none.
func (s *Scanner) name() (prefix, local []byte) {
	prefix = s.ncName()
	if s.pos == len(s.data) || s.data[s.pos] != ':' {
		return nil, prefix
	}
	s.pos++
	return prefix, s.ncName()
}

func (s *Scanner) ncName() []byte {
	at := s.pos
	if at == len(s.data) || class[s.data[at]]&nameStart == 0 {
		s.fail(at, "a malformed name")
		return nil
	}
	i := at + 1
	for i < len(s.data) && class[s.data[i]]&namePart != 0 {
		i++
	}
	s.pos = i
	return s.data[at:i:i]
}
