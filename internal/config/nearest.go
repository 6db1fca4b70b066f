package config

import (
	"fmt"
	"strings"
)

// unknown says what a word may be, and which of the choices was probably meant.
func unknown(what, word string, choices []string) error {
	e := what + " " + listed(choices)
	if near := nearest(word, choices); near != "" {
		e += fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("%s", e)
}

func listed(choices []string) string {
	if len(choices) < 2 {
		return strings.Join(choices, "")
	}
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// nearest is the choice that word is most probably a slip of, or "".
func nearest(word string, choices []string) string {
	best, distance := "", 3
	for _, c := range choices {
		d := edits(strings.ToLower(word), strings.ToLower(c))
		if d < distance && d < len(c) {
			best, distance = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range choices {
		long, short := strings.ToLower(c), strings.ToLower(word)
		if len(long) < len(short) {
			long, short = short, long
		}
		if len(short) > 2 && strings.Contains(long, short) {
			return c
		}
	}
	return ""
}

// edits is the Levenshtein distance: how many bytes to insert, remove or replace.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
