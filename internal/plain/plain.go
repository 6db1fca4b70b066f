// Package plain makes messages of this program's packages such as users read: sentences. It does no I/O.
//
// By convention an error of package bus begins with "bus: ", which tells a developer where it comes from, and others
// nothing. So these names are left out where a message leaves the process: at the end of a command, in the log, in
// answers to health checks and in reports.
package plain

import (
	"bytes"
	"regexp"
	"strings"
)

// prefixes are the names that errors begin with; the last two are those of the NATS client.
var prefixes = []string{
	"bus", "certs", "daemon", "dispatcher", "embedded", "entra", "ews", "jobs", "ops", "roomsapi", "setup", "signin", "tokens", "worker",
	"exchangesim", "ntlm", "seed", "testenv", "traffic",
	"nats", "jetstream",
}

// begins finds such names where a message begins: at the start, after a colon or a bracket, and in the strings of a line
// of JSON, whose line ends are escaped.
var begins = regexp.MustCompile(`(^|\n|\\n|["(]|: )(?:(?:` + strings.Join(prefixes, "|") + `): )+`)

// Text is the message without the names of packages.
func Text(message string) string { return begins.ReplaceAllString(message, "$1") }

// Line is the same for a line of JSON.
func Line(line []byte) []byte {
	if !bytes.Contains(line, []byte(": ")) { // most lines of a log
		return line
	}
	return begins.ReplaceAll(line, []byte("$1"))
}
