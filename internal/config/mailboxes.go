package config

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"roomsync/events"
)

var (
	modes = []string{
		events.ModeO365, events.ModeO365Pull,
		events.ModeExchange2010, events.ModeExchange2013, events.ModeExchange2016, events.ModeExchange2016Pull,
	}
	optionalFields = []string{"subject", "location", "organizer", "attendees"}
)

// Columns of the CSV list of mailboxes; the first two are needed.
const (
	colAddress = "address"
	colMode    = "mode"
	colURL     = "url"
	colFolder  = "folder"
	colEnabled = "enabled"
	colPast    = "past_days"
	colFuture  = "future_days"
	colFields  = "fields"
)

var columns = []string{colAddress, colMode, colURL, colFolder, colEnabled, colPast, colFuture, colFields}

// maxDays bounds the window on either side: ten years.
const maxDays = 3660

// SetMailboxField sets a property of m from text, under the name of its CSV column. An empty text leaves the default.
// The error says what is wrong with the value.
func SetMailboxField(m *events.Mailbox, column, text string) (err error) {
	switch column {
	case colAddress:
		m.Address, err = ParseAddress(text)
	case colMode:
		m.Mode, err = oneOf(text, modes)
	case colURL:
		m.URL, _ = withEWSPath(text)
		err = checkMailboxURL(text)
	case colFolder:
		m.Folder = text
	case colEnabled:
		m.Enabled, err = parseBool(text)
	case colPast:
		m.PastDays, err = parseDays(text)
	case colFuture:
		m.FutureDays, err = parseDays(text)
	case colFields:
		m.Fields, err = parseFields(text)
	default:
		err = unknown("unknown column; there is", column, columns)
	}
	return err
}

// ParseAddress checks an SMTP address and returns it in lower case, as roomsync names mailboxes.
func ParseAddress(text string) (string, error) {
	if text == "" {
		return "", errors.New("missing")
	}
	for _, c := range []byte(text) {
		if c >= utf8.RuneSelf || c <= ' ' {
			return "", errors.New("must be a plain SMTP address such as room@example.com, without spaces and letters beyond ASCII")
		}
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > 254 {
		return "", errors.New("must be a plain SMTP address such as room@example.com")
	}
	return strings.ToLower(text), nil
}

// Modes are the sync modes, by ROOMS' names.
func Modes() []string { return slices.Clone(modes) }

func oneOf(text string, choices []string) (string, error) {
	if text == "" {
		return "", errors.New("missing: must be " + listed(choices))
	}
	if !slices.Contains(choices, text) {
		return "", unknown("must be", text, choices)
	}
	return text, nil
}

func checkMailboxURL(text string) error {
	if text == "" {
		return nil
	}
	if err := checkURL(text, "https://mail.contoso.com"+ewsPath); err != nil {
		return err
	}
	if insecure(text) {
		return errors.New("must be https: credentials would travel readable; plain http is for this host only")
	}
	return nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "", "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

func parseDays(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxDays {
		return 0, fmt.Errorf("must be a number of days from 1 to %d, or empty for the default", maxDays)
	}
	return n, nil
}

// parseFields reads names between spaces or semicolons; "none" is an empty list, which is not the default.
func parseFields(text string) ([]string, error) {
	names := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ';' || c == ',' || c == '|' })
	if len(names) == 1 && names[0] == "none" {
		return []string{}, nil
	}
	for _, n := range names {
		if !slices.Contains(optionalFields, n) {
			return nil, fmt.Errorf("%q: %w, or none", n, unknown("may name", n, optionalFields))
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return nil, nil
	}
	return slices.Compact(names), nil
}

// ParseMailboxesCSV reads a list of mailboxes: a header line with the names of the columns, in any order (address and
// mode are needed; url, folder, enabled, past_days, future_days and fields may follow), then a line for each mailbox.
// Commas or semicolons separate. The error is [LineErrors] with every faulty line, and then there are no mailboxes.
func ParseMailboxesCSV(r io.Reader, name string) ([]events.Mailbox, error) {
	p, err := newCSV(r, name)
	if err != nil {
		return nil, err
	}
	p.header()
	for p.more() {
		p.row()
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return p.list, nil
}

// LineErrors is what is wrong with a file, one entry for each fault, as "file.csv line 7: what".
type LineErrors []string

// Error lists the faults, one on each line.
func (e LineErrors) Error() string { return strings.Join(e, "\n") }

// maxCSV bounds the file: a hundred thousand mailboxes take ten megabytes.
const maxCSV = 64 << 20

type csvFile struct {
	name    string
	r       *csv.Reader
	line    int // of the record in hand
	record  []string
	columns []string
	seen    map[string]int // line of each address
	list    []events.Mailbox
	errs    LineErrors
}

func newCSV(r io.Reader, name string) (*csvFile, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxCSV+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxCSV {
		return nil, fmt.Errorf("%s is larger than %d MB: split it", name, maxCSV>>20)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%s is not in UTF-8: save it as \"CSV UTF-8\"", name)
	}
	p := &csvFile{name: name, r: csv.NewReader(strings.NewReader(text)), seen: map[string]int{}}
	p.r.FieldsPerRecord, p.r.TrimLeadingSpace = -1, true
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, ";") && !strings.Contains(first, ",") {
		p.r.Comma = ';' // what spreadsheets write where the comma is the decimal point
	}
	return p, nil
}

func (p *csvFile) fault(format string, args ...any) {
	p.errs = append(p.errs, fmt.Sprintf("%s line %d: ", p.name, p.line)+fmt.Sprintf(format, args...))
}

// more reads the next record. After a line that is no CSV nothing can be made of the rest.
func (p *csvFile) more() bool {
	if p.columns == nil {
		return false
	}
	record, err := p.r.Read()
	var bad *csv.ParseError
	switch {
	case errors.As(err, &bad):
		p.line = bad.Line
		p.fault("%v; the lines after it were not read", bad.Err)
		return false
	case err != nil:
		return false
	}
	p.line, _ = p.r.FieldPos(0)
	p.record = record
	return true
}

func (p *csvFile) header() {
	p.columns, p.line = []string{}, 1
	if !p.more() {
		if len(p.errs) == 0 {
			p.fault("is empty; it must name the columns, such as address,mode")
		}
		p.columns = nil
		return
	}
	for _, c := range p.record {
		c = strings.ToLower(strings.TrimSpace(c))
		if !slices.Contains(columns, c) {
			p.fault("column %q: %v", c, unknownColumn(c))
		} else if slices.Contains(p.columns, c) {
			p.fault("column %q: stands there twice", c)
		}
		p.columns = append(p.columns, c)
	}
	for _, c := range []string{colAddress, colMode} {
		if !slices.Contains(p.columns, c) {
			p.fault("column %q: missing; the first line must name the columns, such as address,mode", c)
		}
	}
	if len(p.errs) > 0 {
		p.columns = nil // every line would repeat it
	}
}

func (p *csvFile) row() {
	if len(p.record) != len(p.columns) {
		p.fault("has %d fields, but the first line names %d", len(p.record), len(p.columns))
		return
	}
	m := events.Mailbox{Enabled: true}
	for i, c := range p.columns {
		text := strings.TrimSpace(p.record[i])
		switch err := SetMailboxField(&m, c, text); {
		case err != nil && c == colURL: // may hold a password
			p.fault("%s: %v", c, err)
		case err != nil:
			p.fault("%s %q: %v", c, text, err)
		}
	}
	if first, ok := p.seen[m.Address]; ok && m.Address != "" {
		p.fault("%s %q: stands in line %d already", colAddress, m.Address, first)
	} else {
		p.seen[m.Address] = p.line
	}
	p.list = append(p.list, m)
}
