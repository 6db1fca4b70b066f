package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// screen draws on a terminal, on its second page, so that the first one comes back as it was.
type screen struct {
	out   *os.File
	color bool
	begun bool
}

// Control sequences (ECMA-48, and xterm's for the second page; 2026 asks for frames to be shown whole, terminals that
// do not know it ignore it).
const (
	enter      = "\x1b[?1049h\x1b[?25l"
	leave      = "\x1b[?25h\x1b[?1049l"
	beginFrame = "\x1b[?2026h\x1b[H"
	endLine    = "\x1b[K"
	endFrame   = "\x1b[J\x1b[?2026l"
)

func (*screen) every() time.Duration { return 250 * time.Millisecond }

func (s *screen) close() error {
	if !s.begun {
		return nil
	}
	_, err := s.out.WriteString(leave)
	return err
}

func (s *screen) show(p picture) error {
	w, h, ok := terminalSize(s.out)
	if !ok || w <= 0 || h <= 0 {
		w, h = 80, 24
	}
	var b strings.Builder
	if !s.begun {
		s.begun = true
		b.WriteString(enter)
	}
	b.WriteString(beginFrame)
	for i, row := range frame(p, w, h) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(row.render(w, s.color) + endLine)
	}
	b.WriteString(endFrame)
	_, err := s.out.WriteString(b.String())
	return err
}

// style is how text looks; the values are those of SGR (ECMA-48, 8.3.117).
type style string

const (
	normal style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// row is one line of the screen.
type row []piece

type piece struct {
	text  string
	style style
}

func (r row) render(w int, color bool) string {
	var b strings.Builder
	for _, p := range r {
		text := cut(p.text, w)
		w -= measure(text)
		if color && p.style != normal && text != "" {
			text = "\x1b[" + string(p.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
		if w <= 0 {
			break
		}
	}
	return b.String()
}

func title(text string) row { return row{{text, bold}} }

// frame lays the picture out in h rows: numbers above, help below, refusals as far as there is room, and in the rest
// the events, the newest last. What is too wide is cut when it is drawn.
func frame(p picture, w, h int) []row {
	rows := header(p, w)
	bottom := append(refusals(p, w, h), help(p)...)
	if len(rows)+len(bottom)+minEvents > h {
		bottom = bottom[:max(h-len(rows)-minEvents, 0)]
	}
	rows = append(rows, happenings(p, h-len(rows)-len(bottom))...)
	rows = append(rows, bottom...)
	return rows[:min(len(rows), h)]
}

// minEvents is a title, three events and a blank row.
const minEvents = 5

func header(p picture, w int) []row {
	left := fmt.Sprintf("roomsync · %d mailboxes of a simulated Exchange, polled every %v", p.mailboxes, p.poll)
	right := p.now.Sub(p.began).Truncate(time.Second).String()
	gap := max(w-measure(left)-measure(right), 1)
	c := p.count
	counts := row{number("in sync", c.synced, green)}
	for _, n := range []piece{
		number("starting", c.starting, normal), number("refused", c.refused, red), number("throttled", c.throttled, yellow), number("late", c.late, red),
	} {
		counts = append(counts, piece{"   ", normal}, n)
	}
	late := row{}
	if text := p.late.String(); text != "" {
		late = row{{text, red}}
	}
	return []row{
		{{left, bold}, {strings.Repeat(" ", gap), normal}, {right, dim}},
		{},
		counts,
		{{fmt.Sprintf("%.1f syncs/s   %d edits → %d events   lag %v", p.rate, p.edits, p.rooms.events, p.lag), normal},
			{"  last minute", dim}},
		late,
	}
}

// number is colored when there is something to count.
func number(name string, n int, s style) piece {
	if n == 0 {
		s = dim
	}
	return piece{fmt.Sprintf("%s %d", name, n), s}
}

// happenings fills exactly n rows, of which the last is blank.
func happenings(p picture, n int) []row {
	rows := []row{title("Events for ROOMS")}
	space := max(n-2, 0)
	news := p.rooms.news
	for _, e := range news[max(len(news)-space, 0):] {
		s := normal
		if e.notable {
			s = yellow
		}
		rows = append(rows, row{{e.at.Local().Format(time.TimeOnly) + " ", dim}, {e.who, bold}, {" · " + e.what, s}})
	}
	for len(rows) < n {
		rows = append(rows, row{})
	}
	return rows
}

// refusals gives each refused mailbox a row, and on a high screen its hint a few rows of its own.
func refusals(p picture, w, h int) []row {
	if len(p.rooms.refusals) == 0 {
		return nil
	}
	rows := []row{title("Refused by Exchange")}
	for i, r := range p.rooms.refusals {
		if i == maxRefusals {
			rows = append(rows, row{{fmt.Sprintf("and %d more", len(p.rooms.refusals)-i), dim}})
			break
		}
		head := row{{r.name, bold}, {" " + r.answer, red}}
		if h < highScreen {
			rows = append(rows, append(head, piece{strings.TrimPrefix(" · "+r.hint, " · "+r.answer), normal}))
			continue
		}
		rows = append(rows, append(head, piece{" · " + r.address + " since " + r.since.Local().Format(time.TimeOnly), dim}))
		for _, l := range wrap(r.hint, w-2, 3) {
			rows = append(rows, row{{"  " + l, normal}})
		}
	}
	return append(rows, row{})
}

const (
	maxRefusals = 4
	highScreen  = 36 // rows from which on hints are shown whole
)

func help(p picture) []row {
	var rows []row
	for _, l := range p.look.lines(p.now) {
		rows = append(rows, row{{l, dim}})
	}
	return append(rows, row{{"Ctrl-C ends it.", dim}})
}
