package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/ops/accesscheck"
	"roomsync/internal/worker"
)

// targets are the mailboxes to ask for, with those that must be refused. A canary stands on the default server.
func targets(list []events.Mailbox, canaries []string) []accesscheck.Mailbox {
	var all []accesscheck.Mailbox
	for _, m := range list {
		t := calsync.Target{Address: strings.ToLower(m.Address), URL: m.URL, Folder: m.Folder, Schema: worker.Schema(m.Mode)}
		all = append(all, accesscheck.Mailbox{Target: t})
	}
	for _, address := range canaries {
		all = append(all, accesscheck.Mailbox{Target: calsync.Target{Address: address}, Canary: true})
	}
	return all
}

// maxList bounds a list of addresses; a hundred thousand take four megabytes.
const maxList = 64 << 20

// readAddresses reads a list of mailboxes: an address a line, or CSV whose first line names a column "address", or
// "PrimarySmtpAddress" as Exchange's own exports do. The columns "url", "folder" and "mode" are heeded, others are not.
func readAddresses(name string, stdin io.Reader) ([]events.Mailbox, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	} else {
		name = "standard input"
	}
	data, err := io.ReadAll(io.LimitReader(in, maxList+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxList {
		return nil, fmt.Errorf("%s is larger than %d MB: split it", name, maxList>>20)
	}
	data, err = config.Text(data)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %w", name, err)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s is not in UTF-8: save it as \"CSV UTF-8\" (Export-Csv -Encoding utf8)", name)
	}
	return parseAddresses(data, name)
}

// addressColumns may hold the addresses.
var addressColumns = []string{"address", "primarysmtpaddress", "emailaddress"}

func parseAddresses(data []byte, name string) ([]events.Mailbox, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = -1, true, '#'
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.Contains(first, []byte(";")) && !bytes.Contains(first, []byte(",")) {
		r.Comma = ';'
	}
	columns := []string{"address"}
	var list []events.Mailbox
	var errs []error
	for header := true; ; header = false {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if header && !strings.Contains(record[0], "@") {
			if columns, err = columnsOf(record); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		m, err := mailboxOf(record, columns)
		if err != nil {
			line, _ := r.FieldPos(0)
			errs = append(errs, fmt.Errorf("%s line %d: %w", name, line, err))
			continue
		}
		list = append(list, m)
	}
	if len(list) == 0 && len(errs) == 0 {
		return nil, fmt.Errorf("%s holds no addresses", name)
	}
	return list, errors.Join(errs...)
}

// columnsOf reads a first line that names the columns.
func columnsOf(record []string) ([]string, error) {
	columns := make([]string, len(record))
	for i, c := range record {
		columns[i] = strings.ToLower(strings.TrimSpace(c))
		if slices.Contains(addressColumns, columns[i]) {
			columns[i] = "address"
		}
	}
	if !slices.Contains(columns, "address") {
		return nil, fmt.Errorf("the first line is no address, and names no column %q", "address")
	}
	return columns, nil
}

func mailboxOf(record, columns []string) (m events.Mailbox, err error) {
	for i, text := range record {
		if i >= len(columns) {
			break
		}
		switch column, text := columns[i], strings.TrimSpace(text); column {
		case "address":
			if m.Address, err = config.ParseAddress(text); err != nil {
				return m, fmt.Errorf("address %q: %w", text, err)
			}
		case "url", "folder", "mode":
			if err = config.SetMailboxField(&m, column, text); err != nil && text != "" {
				return m, fmt.Errorf("%s: %w", column, err)
			}
		}
	}
	if m.Address == "" {
		return m, errors.New("no address")
	}
	return m, nil
}
