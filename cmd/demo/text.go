package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// clean takes out of a text what could move the cursor, recolor the terminal or turn the line around: subjects are
// written by anybody.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// columns is how many columns of a terminal a character takes.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1F300 && r <= 0x1FAFF: // pictures
		return 2
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

func measure(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// cut shortens s to w columns, with an ellipsis where something is missing.
func cut(s string, w int) string {
	if measure(s) <= w {
		return s
	}
	n := 0
	for i, r := range s {
		if n += columns(r); n > w-1 {
			if w < 1 {
				return ""
			}
			return s[:i] + "…"
		}
	}
	return s
}

// wrap breaks s at spaces into at most n lines of w columns; the last one is cut.
func wrap(s string, w, n int) []string {
	var lines []string
	for s != "" && len(lines) < n-1 && measure(s) > w {
		at, used := 0, 0
		for i, r := range s {
			if used += columns(r); used > w+1 {
				break
			}
			if r == ' ' {
				at = i
			}
		}
		if at == 0 {
			break
		}
		lines = append(lines, s[:at])
		s = s[at+1:]
	}
	return append(lines, cut(s, w))
}
