package setup

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// literal returns a PowerShell expression for s that means s wherever it stands, whatever s holds and in whatever
// encoding the script is read.
//
// Printable ASCII stands in single quotes, where only the quote itself has a meaning. Everything else becomes a [char]:
// PowerShell takes U+2018 to U+201B for quotes as well, and Windows PowerShell 5.1 reads a script without a byte order
// mark in the ANSI code page, where the UTF-8 of many a letter holds a byte that is such a quote
// (about_Quoting_Rules, about_Character_Encoding).
func literal(s string) string {
	if isASCII(s) {
		return quote(s)
	}
	parts := []string{}
	run := ""
	for _, unit := range utf16.Encode([]rune(s)) {
		if unit < utf8.RuneSelf {
			run += string(rune(unit))
			continue
		}
		if run != "" || len(parts) == 0 { // the first part must be a string for + to join strings
			parts = append(parts, quote(run))
		}
		run = ""
		parts = append(parts, fmt.Sprintf("[char]0x%04X", unit))
	}
	if run != "" {
		parts = append(parts, quote(run))
	}
	return "(" + strings.Join(parts, " + ") + ")"
}

func quote(ascii string) string { return "'" + strings.ReplaceAll(ascii, "'", "''") + "'" }

// readable is a comment that shows what a literal with [char] in it says; "" for the others.
func readable(s string) string {
	if isASCII(s) {
		return ""
	}
	return "  # " + s
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// checkText refuses what would make a script hard to review: line breaks, invisible and direction-changing characters.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("is not in UTF-8")
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("holds the character %U, which cannot be seen: leave it out", r)
		}
	}
	return nil
}
