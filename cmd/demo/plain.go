package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// plain prints lines: how it stands each second, every refusal, and a sample of the events.
type plain struct {
	out     io.Writer
	printed uint64 // number of the last entry that was looked at
	begun   bool
}

// sampleSize is how many events are printed each second.
const sampleSize = 3

func (*plain) every() time.Duration { return time.Second }
func (*plain) close() error         { return nil }

func (p *plain) show(x picture) error {
	var b strings.Builder
	if !p.begun {
		p.begun = true
		b.WriteString(welcome(x))
	}
	ordinary := 0
	for _, e := range x.rooms.news {
		if e.n <= p.printed {
			continue
		}
		p.printed = e.n
		if !e.notable {
			ordinary++
		}
		if e.notable || ordinary <= sampleSize {
			writeLines(&b, e.line())
		}
	}
	writeLines(&b, x.now.Local().Format(time.TimeOnly)+" "+x.status())
	if late := x.late.String(); late != "" {
		writeLines(&b, x.now.Local().Format(time.TimeOnly)+" "+late)
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// lineWidth is how long lines are at most, in columns, and lineIndent what those begin with that go on behind a time.
const (
	lineWidth  = 110
	lineIndent = "         "
	mostLines  = 10
)

// writeLines writes a text that begins with a time in lines that can be read.
func writeLines(b *strings.Builder, text string) {
	if measure(text) <= lineWidth {
		fmt.Fprintln(b, text)
		return
	}
	fmt.Fprintln(b, strings.Join(wrap(text, lineWidth-len(lineIndent), mostLines), "\n"+lineIndent))
}

// status is how it stands; mailboxes of a kind of which there are none are left out.
func (x picture) status() string {
	c := x.count
	counts := []string{fmt.Sprintf("in sync %d", c.synced)}
	for _, n := range []struct {
		name string
		n    int
	}{{"starting", c.starting}, {"refused", c.refused}, {"throttled", c.throttled}, {"late", c.late}} {
		if n.n > 0 {
			counts = append(counts, fmt.Sprintf("%s %d", n.name, n.n))
		}
	}
	return fmt.Sprintf("%s · %.0f syncs/s · %d edits → %d events · lag %v", strings.Join(counts, ", "), x.rate, x.edits, x.rooms.events, x.lag)
}

// welcome says what one sees, and how to look further.
func welcome(x picture) string {
	var b strings.Builder
	fmt.Fprintf(&b, "roomsync with a simulated Exchange of %d mailboxes, each looked at every %v\n(the product's default is 1m). Ctrl-C ends it.\n\n", x.mailboxes, x.poll)
	for _, l := range x.look.lines(x.now) {
		b.WriteString(l + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

// lines tell how to look further. With ports of five digits they fit into 80 columns.
func (l look) lines(now time.Time) []string {
	tomorrow := now.UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	return []string{
		"Make an appointment, and see the event that follows:",
		"  curl " + l.sim + "/admin/mailboxes/" + l.guest + `/items \`,
		`    -d '{"subject":"Hello","start":"` + tomorrow + `T09:00:00Z"}'`,
		"See the events as ROOMS gets them:",
		"  go run ./cmd/roomsync events tail --nats-url " + l.nats,
		"All that the simulator can do: " + l.sim + "/admin/openapi.json",
	}
}
