package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func painting() picture {
	p := picture{
		began: monday.Add(-42 * time.Second), now: monday, poll: 3 * time.Second, mailboxes: 200,
		count: tally{synced: 194, refused: 3, throttled: 3}, rate: 66.7, edits: 168, lag: spread{1600 * time.Millisecond, 3400 * time.Millisecond, 150},
		look: look{"http://127.0.0.1:43125", "nats://127.0.0.1:41234", "user0041@contoso.example"},
	}
	p.rooms.events = 532
	for i := range 50 {
		p.rooms.news = append(p.rooms.news, entry{n: uint64(i + 1), at: monday, who: "Anna Keller", what: fmt.Sprintf("Team lunch 🍕 %d moved to Tue 10:00–11:00, because of a very long explanation", i)})
	}
	for i := range 3 {
		p.rooms.refusals = append(p.rooms.refusals, refusal{name: fmt.Sprintf("Room %d", i), address: "room@contoso.example", answer: "HTTP 403", since: monday,
			hint: "HTTP 403 without a reason: " + strings.Repeat("check the application access policy ", 8)})
	}
	return p
}

func draw(p picture, w, h int) []string {
	var all []string
	for _, r := range frame(p, w, h) {
		all = append(all, r.render(w, false))
	}
	return all
}

func TestFrame_FitsEveryScreen(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {80, 50}, {132, 36}, {40, 10}, {20, 6}, {1, 1}} {
		w, h := size[0], size[1]
		rows := draw(painting(), w, h)
		if len(rows) > h {
			t.Errorf("%dx%d: %d rows", w, h, len(rows))
		}
		for _, r := range rows {
			if measure(r) > w {
				t.Errorf("%dx%d: %d columns in %q", w, h, measure(r), r)
			}
		}
	}
}

// At 80x24 nothing of what a user may copy is cut, and the newest event stands last.
func TestFrame_At80x24ShowsAll(t *testing.T) {
	screen := strings.Join(draw(painting(), 80, 24), "\n")
	for _, want := range []string{
		"roomsync · 200 mailboxes", "42s\n", "in sync 194   starting 0   refused 3   throttled 3   late 0",
		"66.7 syncs/s   168 edits → 532 events   lag p50 1.6 s, p99 3.4 s", "12:00:00 Anna Keller · Team lunch 🍕 49 moved",
		"Room 2 HTTP 403 without a reason", "/user0041@contoso.example/items \\\n", `"start":"2026-11-24T09:00:00Z"}'` + "\n",
		"--nats-url nats://127.0.0.1:41234\n", "/admin/openapi.json\n", "Ctrl-C",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in\n%s", want, screen)
		}
	}
	if strings.Contains(screen, "Team lunch 🍕 0 ") {
		t.Error("the oldest event is shown")
	}
}

func TestFrame_HighScreensShowWholeHints(t *testing.T) {
	p := painting()
	p.rooms.refusals[0].hint = strings.Repeat("word ", 25) + "end."
	if screen := strings.Join(draw(p, 80, 50), "\n"); !strings.Contains(screen, "end.") {
		t.Errorf("no hint in\n%s", screen)
	}
	for range 5 {
		p.rooms.refusals = append(p.rooms.refusals, p.rooms.refusals[0])
	}
	if screen := strings.Join(draw(p, 80, 50), "\n"); !strings.Contains(screen, "and 4 more") {
		t.Errorf("not told that there are more refusals:\n%s", screen)
	}
}

func TestRender_ColorsOnlyWhereAllowed(t *testing.T) {
	r := row{{"red", red}, {" plain", normal}, {" lost", bold}}
	if got := r.render(8, true); got != "\x1b[31mred\x1b[0m pla…" {
		t.Errorf("%q", got)
	}
	if got := r.render(80, false); got != "red plain lost" {
		t.Errorf("%q", got)
	}
}

func TestCutAndWrap(t *testing.T) {
	for _, c := range []struct {
		s    string
		w    int
		want string
	}{{"short", 5, "short"}, {"longer", 5, "long…"}, {"🍕🍕🍕", 4, "🍕…"}, {"ab", 0, ""}, {"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"会議室", 6, "会議室"}, {"会議室", 5, "会議…"}} {
		if got := cut(c.s, c.w); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.s, c.w, got, c.want)
		}
	}
	for _, c := range []struct {
		s    string
		w, n int
		want string
	}{{"one two three", 8, 3, "one two|three"}, {"one two three", 7, 3, "one two|three"}, {"one two three", 7, 1, "one tw…"}, {"unbreakable", 5, 3, "unbr…"}, {"", 5, 3, ""}} {
		if got := strings.Join(wrap(c.s, c.w, c.n), "|"); got != c.want {
			t.Errorf("wrap(%q, %d, %d) = %q, want %q", c.s, c.w, c.n, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	if got := clean("a\x1b[31mb\r\n\u202Ec\u00a0é🍕\u0007"); got != "a[31mb  c é🍕" {
		t.Errorf("%q", got)
	}
}

// Refusals are printed whenever they come, and once; of the events a sample.
func TestPlain_PrintsEachRefusalOnceAndASampleOfEvents(t *testing.T) {
	p := painting()
	p.rooms.news[30].notable, p.rooms.news[30].what = true, "refused"
	var out bytes.Buffer
	d := &plain{out: &out}
	for range 2 {
		if err := d.show(p); err != nil {
			t.Fatal(err)
		}
	}
	text := out.String()
	for want, n := range map[string]int{
		"Anna Keller · refused\n": 1, "Team lunch": sampleSize, "Make an appointment": 1,
		"12:00:00 in sync 194, refused 3, throttled 3 · 67 syncs/s · 168 edits → 532 events · lag p50 1.6 s, p99 3.4 s\n": 2,
	} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%q stands there %d times, want %d:\n%s", want, got, n, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("control sequences in plain text")
	}
	if err := (&plain{out: broken{}}).show(p); err == nil {
		t.Error("a failed write was not reported")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestShow_Late(t *testing.T) {
	p := painting()
	if strings.Contains(strings.Join(draw(p, 80, 24), "\n"), "LATE") || strings.Contains(p.status(), "late") {
		t.Error("late although nothing is")
	}
	p.late, p.count.late = delay{12, 45 * time.Second}, 2
	var out bytes.Buffer
	if err := (&plain{out: &out}).show(p); err != nil {
		t.Fatal(err)
	}
	const want = "LATE: 12 edits not told yet, the oldest for 45s\n"
	if !strings.Contains(strings.Join(draw(p, 80, 24), "\n"), "\n"+want) || !strings.Contains(out.String(), " "+want) || !strings.Contains(out.String(), "throttled 3, late 2 ·") {
		t.Errorf("%s\n%s", strings.Join(draw(p, 80, 24), "\n"), out.String())
	}
}
