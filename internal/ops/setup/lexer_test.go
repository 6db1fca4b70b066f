package setup

import (
	"fmt"
	"strings"
	"unicode"
)

// This is as much of a PowerShell lexer as the scripts need. It is strict where PowerShell is not: what it does not
// know (here-strings, line continuation by backtick, splatting) the scripts must not use.

type kind int

const (
	word      kind = iota // a command, a keyword, an argument, the name of a type or member
	parameter             // -Name, or an operator such as -eq
	text                  // what a string in single quotes says
	variable              // its name in lower case, without a scope
	punct                 // a bracket, |, ;, the end of a line and the rest
)

type token struct {
	kind kind
	text string
	line int
}

type lexer struct {
	in   []rune
	pos  int
	line int
	out  []token
}

// lex splits a script. Comments are dropped; what stands in strings in double quotes is flattened into the stream.
func lex(script string) (tokens []token, err error) {
	l := &lexer{in: []rune(script), line: 1}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("line %d: %v", l.line, p)
		}
	}()
	for l.pos < len(l.in) {
		l.step()
	}
	return l.out, nil
}

func (l *lexer) peek(n int) rune {
	if l.pos+n >= len(l.in) {
		return 0
	}
	return l.in[l.pos+n]
}

func (l *lexer) next() rune {
	r := l.peek(0)
	l.pos++
	if r == '\n' {
		l.line++
	}
	return r
}

func (l *lexer) emit(k kind, s string) {
	l.out = append(l.out, token{k, s, l.line})
}

func single(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201B }
func double(r rune) bool { return r == '"' || r >= 0x201C && r <= 0x201E }

// step reads one token, or a string with all that is in it.
func (l *lexer) step() {
	r := l.peek(0)
	switch {
	case r == '\n':
		l.next()
		l.emit(punct, "\n")
	case r == ' ' || r == '\t' || r == '\r':
		l.next()
	case r == '#':
		for l.pos < len(l.in) && l.peek(0) != '\n' {
			l.next()
		}
	case single(r):
		l.emit(text, l.singleQuoted())
	case double(r):
		l.doubleQuoted()
	case r == '$':
		l.dollar()
	case r == '`':
		panic("a backtick")
	case r == '@':
		l.next()
		if n := l.peek(0); n != '(' && n != '{' {
			panic("a here-string or splatting")
		}
	case r == '-' && unicode.IsLetter(l.peek(1)):
		l.next()
		l.emit(parameter, l.name())
	case isWord(r):
		l.emit(word, l.word())
	default:
		l.emit(punct, string(l.next()))
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '\\' }

func (l *lexer) name() string {
	start := l.pos
	for unicode.IsLetter(l.peek(0)) || unicode.IsDigit(l.peek(0)) || l.peek(0) == '_' {
		l.next()
	}
	return string(l.in[start:l.pos])
}

func (l *lexer) word() string {
	start := l.pos
	for isWord(l.peek(0)) || l.peek(0) == '-' && unicode.IsLetter(l.peek(1)) {
		l.next()
	}
	return string(l.in[start:l.pos])
}

func (l *lexer) singleQuoted() string {
	l.next()
	var b strings.Builder
	for {
		if l.pos >= len(l.in) {
			panic("a string does not end")
		}
		r := l.next()
		if single(r) {
			if !single(l.peek(0)) {
				return b.String()
			}
			l.next()
		}
		if r == '\n' {
			panic("a string goes over the end of a line")
		}
		b.WriteRune(r)
	}
}

// doubleQuoted flattens a string: its expressions become tokens between two quotes.
func (l *lexer) doubleQuoted() {
	l.next()
	l.emit(punct, `"`)
	for !double(l.peek(0)) {
		switch r := l.peek(0); {
		case l.pos >= len(l.in), r == '\n':
			panic("a string does not end")
		case r == '`':
			panic("a backtick")
		case r == '$' && (unicode.IsLetter(l.peek(1)) || l.peek(1) == '{' || l.peek(1) == '(' || l.peek(1) == '_'):
			braced := l.peek(1) == '{' || l.peek(1) == '('
			l.dollar()
			// "$x: " names a drive and "$x.Name" is not the member.
			if n := l.peek(0); !braced && (n == ':' || n == '.' && unicode.IsLetter(l.peek(1)) || n == '[') {
				panic("a variable in a string needs braces here")
			}
		default:
			l.next()
		}
	}
	l.next()
	l.emit(punct, `"`)
}

// dollar reads a variable or a subexpression.
func (l *lexer) dollar() {
	l.next()
	switch r := l.peek(0); {
	case r == '(':
		l.subexpression()
	case r == '{':
		l.next()
		n := l.name()
		if l.next() != '}' {
			panic("a name in braces does not end")
		}
		l.emit(variable, strings.ToLower(n))
	default:
		n := l.name()
		if n == "script" && l.peek(0) == ':' {
			l.next()
			n = l.name()
		}
		if n == "" {
			panic("a variable without a name")
		}
		l.emit(variable, strings.ToLower(n))
	}
}

func (l *lexer) subexpression() {
	l.next()
	l.emit(punct, "(")
	for open := 1; open > 0; {
		if l.pos >= len(l.in) {
			panic("$( does not end")
		}
		seen := len(l.out)
		l.step()
		for _, t := range l.out[seen:] {
			switch {
			case t.kind == punct && t.text == "(":
				open++
			case t.kind == punct && t.text == ")":
				open--
			}
		}
	}
}
