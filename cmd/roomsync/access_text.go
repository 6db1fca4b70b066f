package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"roomsync/internal/ops/accesscheck"
)

// accessText is a report for people: what stopped the check, then the findings in groups of one cause, each with what to
// do, then those that are in order where that is wanted, and the sum.
func accessText(r accesscheck.Report, granted bool) string {
	var b bytes.Buffer
	for _, s := range r.Summary.Stopped {
		b.WriteString("STOPPED" + of(s.Server) + "\n" + wrap(s.Problem, "    ") + wrap(s.Hint, "    ") + "\n")
	}
	for rest := r.Mailboxes; len(rest) > 0; {
		n := 1
		for n < len(rest) && group(rest[n]) == group(rest[0]) {
			n++
		}
		if rest[0].Finding || granted && rest[0].Access != accesscheck.Unchecked {
			writeGroup(&b, rest[:n])
		}
		rest = rest[n:]
	}
	b.WriteString(sum(r.Summary))
	return b.String()
}

func of(server string) string {
	if server == "" {
		return ""
	}
	return " at " + server
}

// group is what mailboxes have in common that are shown together.
func group(r accesscheck.Result) string {
	return fmt.Sprint(r.Finding, r.Canary, r.Access, r.Reason, r.Code)
}

func writeGroup(b *bytes.Buffer, list []accesscheck.Result) {
	first := list[0]
	title := strings.ToUpper(string(first.Access))
	if first.Canary {
		title = "CANARY " + title
	}
	why := first.Code
	if first.Reason != "" {
		why = first.Reason + ", " + first.Code
	}
	if why != "" {
		why = ": " + why
	}
	fmt.Fprintf(b, "%s (%d)%s\n%s", title, len(list), why, wrap(first.Hint, "    "))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range list {
		_, _ = fmt.Fprintln(w, strings.TrimRight("  "+r.Address+"\t"+detail(r), "\t "))
	}
	_ = w.Flush() // into a buffer
	b.WriteByte('\n')
}

// detail is what tells one mailbox of a group from the others: our rights, or where to find the answer in logs.
func detail(r accesscheck.Result) string {
	switch {
	case r.Write:
		return "read, write"
	case r.Read:
		return "read only"
	case r.Evidence == nil:
		return ""
	case r.Evidence.ServerRequestID != "":
		return "request-id " + r.Evidence.ServerRequestID
	case r.Evidence.RequestID != "":
		return "client-request-id " + r.Evidence.RequestID
	}
	return ""
}

func sum(s accesscheck.Summary) string {
	parts := []string{fmt.Sprintf("%d granted", s.Granted)}
	if s.ReadOnly > 0 {
		parts[0] += fmt.Sprintf(" (%d for reading only)", s.ReadOnly)
	}
	for _, c := range []struct {
		n    int
		what string
	}{
		{s.Denied, "denied"}, {s.Blocked, "blocked"}, {s.Throttled, "throttled"}, {s.Failed, "failed"}, {s.Unchecked, "not asked for"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if s.Findings > 0 {
		parts = append(parts, count(s.Findings, "finding"))
	}
	mailboxes := fmt.Sprintf("%d mailboxes", s.Total)
	if s.Total == 1 {
		mailboxes = "1 mailbox"
	}
	return fmt.Sprintf("%s in %.1f s: %s\n", mailboxes, s.Took.Seconds(), strings.Join(parts, ", "))
}
