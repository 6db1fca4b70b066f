//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize is the number of columns and rows, and whether f is a terminal at all.
func terminalSize(f *os.File) (w, h int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Col), int(size.Row), true
}

// isTerminal says whether f is a terminal that understands the sequences of screen.go.
func isTerminal(f *os.File) bool {
	_, _, ok := terminalSize(f)
	return ok
}
