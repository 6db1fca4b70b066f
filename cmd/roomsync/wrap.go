package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// lineWidth is how long lines of text are that people read.
const lineWidth = 100

// wrap breaks a text at spaces into lines of at most lineWidth columns, each with the indent. A word that is longer stays whole,
// so that it can be copied.
func wrap(text, indent string) string {
	var b strings.Builder
	column := 0
	for field := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(field)
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+n > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(field)
		column += n
	}
	if column > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// hanging is text beside a word.
func hanging(word, text string) string {
	const indent = "         "
	wrapped := wrap(text, indent)
	if wrapped == "" {
		return word + "\n"
	}
	return word + wrapped[min(len(word), len(indent)-1):]
}

// count is a number with its noun.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
