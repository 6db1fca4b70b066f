package config

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/plain"
)

// Log says what is logged and how.
type Log struct {
	Level  string // trace, debug, info, warn or error
	Format string // console or json
}

var levels = []string{"trace", "debug", "info", "warn", "error"}

func (l *Log) declare(s *settings) {
	s.group = groupLog
	s.choice(&l.Level, "log-level", "info", levels, "least important messages to log")
	s.choice(&l.Format, "log-format", "console", []string{"console", "json"}, "for people or for machines")
}

// zerolog knows these for the whole process only: milliseconds, and UTC like Exchange's own logs.
func init() {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
}

// Logger returns a logger that writes to w, with times in UTC. What looks like a credential is blotted out on the way,
// and the names of our packages are left out (package plain).
func (l *Log) Logger(w io.Writer) zerolog.Logger {
	if l.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "2006-01-02 15:04:05.000", TimeLocation: time.UTC, NoColor: !isTerminal(w)}
	}
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(redactor{w}).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// redactor is the second net below the type [tokens.Secret]: it blots out what looks like a credential in a line of
// JSON, wherever it came from. It works at the sink because call sites get forgotten. So it does with package names.
type redactor struct{ w io.Writer }

// Keys that credentials stand under, in JSON, in forms (inside a JSON string or not) and in headers.
const secretKeys = `authorization|proxy-authorization|password|passwd|client_secret|clientsecret|client_assertion|assertion|access_token|refresh_token|id_token|set-cookie|cookie|x-exchange-password`

var (
	// jwt is an access token; its header always begins so, because it is JSON in base64.
	jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,4}`)
	// scheme is the value of an Authorization header.
	scheme = regexp.MustCompile(`(?i)\b(bearer|basic|negotiate|ntlm)\s+[A-Za-z0-9+/._~=-]{8,}`)
	// field is a string under such a key in JSON, or the first of a list of them; nested is the same in JSON that
	// stands inside a JSON string.
	field  = regexp.MustCompile(`(?i)("(?:` + secretKeys + `)"\s*:\s*(?:\[\s*)?")(?:[^"\\]|\\.)*`)
	nested = regexp.MustCompile(`(?i)(\\"(?:` + secretKeys + `)\\"\s*:\s*(?:\[\s*)?\\")(?:[^"\\]|\\\\(?:\\.|[^\\]))*`)
	// form is a value under such a key in a form or a query.
	form = regexp.MustCompile(`(?i)\b((?:` + secretKeys + `)=)[^&\s"'\\]+`)
)

const blot = "[redacted]"

// stems occur in every line that the patterns could find something in. Looking for them takes a tenth of the time.
var stems = [][]byte{
	[]byte("eyj"), []byte("auth"), []byte("pass"), []byte("secret"), []byte("assertion"), []byte("_token"), []byte("cookie"),
	[]byte("bearer"), []byte("basic"), []byte("negotiate"), []byte("ntlm"),
}

func suspicious(line []byte) bool {
	lower := bytes.ToLower(line)
	return slices.ContainsFunc(stems, func(stem []byte) bool { return bytes.Contains(lower, stem) })
}

// Write implements [io.Writer].
func (r redactor) Write(line []byte) (int, error) {
	if _, err := r.w.Write(redact(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

func redact(line []byte) []byte {
	line = plain.Line(line)
	if !suspicious(line) {
		return line
	}
	line = jwt.ReplaceAll(line, []byte(blot))
	line = scheme.ReplaceAll(line, []byte("$1 "+blot))
	line = field.ReplaceAll(line, []byte("${1}"+blot))
	line = nested.ReplaceAll(line, []byte("${1}"+blot))
	return form.ReplaceAll(line, []byte("${1}"+blot))
}
