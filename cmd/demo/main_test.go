package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/config"
)

func run(ctx context.Context, stdout, stderr io.Writer, args ...string) int {
	cmd := command()
	cmd.SetOut(stdout)
	return config.Run(ctx, cmd, args, stderr)
}

// inEmptyTemp gives the demo a directory for temporary files, and demands that it is left empty.
func inEmptyTemp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// number finds a number in the closing summary.
func found(t *testing.T, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Errorf("no %s in\n%s", pattern, text)
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestDemo_EndsByItself(t *testing.T) {
	inEmptyTemp(t)
	var out, errs bytes.Buffer
	began := time.Now()
	code := run(t.Context(), &out, &errs, "--plain", "--duration=1s", "--mailboxes=12", "--poll-interval=1s")
	if code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if took := time.Since(began); took < time.Second || took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	if n := found(t, out.String(), `violations +(\d+)`); n != 0 {
		t.Errorf("%d violations", n)
	}
}

// until is an output that calls stop once enough of it satisfies done.
type until struct {
	text bytes.Buffer // not embedded: its WriteString would pass by Write
	done func(text string) bool
	stop func()
}

// Write implements [io.Writer].
func (u *until) Write(p []byte) (int, error) {
	u.text.Write(p)
	if u.done(u.text.String()) {
		u.stop()
	}
	return len(p), nil
}

func TestDemo_ShowsWhatHappens(t *testing.T) {
	inEmptyTemp(t)
	t.Setenv("ROOMSYNC_EWS_URL", "https://elsewhere.example/") // a real configuration is not touched
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	inSync := regexp.MustCompile(`in sync 9, refused 3\b.* ([3-9]\d|\d{3,}) events`)
	out := until{done: inSync.MatchString, stop: cancel}
	var errs bytes.Buffer
	if code := run(ctx, &out, &errs, "--plain", "--mailboxes=12", "--rate=20", "--poll-interval=1s"); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	text := out.text.String()
	for line := range strings.Lines(text) {
		if n := measure(strings.TrimSuffix(line, "\n")); n > lineWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !inSync.MatchString(text) {
		t.Error("never everything in sync")
	}
	for want, n := range map[string]int{"refused with ErrorAccessDenied": 1, "refused: HTTP 403": 2} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%q stands there %d times, want %d", want, got, n)
		}
	}
	for _, c := range []struct {
		what      string
		low, high int
	}{
		{`edits +(\d+)`, 1, 10_000}, {` (\d+) told`, 1, 10_000}, {`events +(\d+)`, 30, 10_000}, {`syncs +(\d+)`, 9, 10_000},
		{`signed in (\d+) times`, workers, workers}, {`refusals +(\d+)`, 3, 3}, {`violations +(\d+)`, 0, 0},
	} {
		if n := found(t, text, c.what); n < c.low || n > c.high {
			t.Errorf("%s is %d, want %d to %d", c.what, n, c.low, c.high)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestDemo_PrintsEventsAsJSONUntilItIsStopped(t *testing.T) {
	inEmptyTemp(t)
	ctx, ctrlC := context.WithCancel(t.Context())
	defer ctrlC()
	r, w := io.Pipe()
	var errs bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, w, &errs, "--json", "--mailboxes=10", "--poll-interval=1s")
		w.Close()
	}()
	types := map[string]int{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var e events.Event
		if err := e.UnmarshalJSON(lines.Bytes()); err != nil || e.Validate() != nil {
			t.Errorf("%s: %v", lines.Text(), err)
		}
		if types[e.Type]++; types[events.TypeSyncCompleted] == 5 {
			ctrlC()
		}
	}
	if code := <-exit; code != 0 {
		t.Errorf("exit %d", code)
	}
	if types[events.TypeCalendarChanged] == 0 || !strings.Contains(errs.String(), "violations       0 ") {
		t.Errorf("events %v, summary\n%s", types, &errs)
	}
}

func TestDemo_StoppedAtOnceIsNoFailure(t *testing.T) {
	inEmptyTemp(t)
	ctx, ctrlC := context.WithCancel(t.Context())
	ctrlC()
	var errs bytes.Buffer
	if code := run(ctx, io.Discard, &errs, "--mailboxes=10"); code != 0 {
		t.Errorf("exit %d: %s", code, &errs)
	}
}

func TestDemo_AFailureAtTheStartIsOneLineAndExit1(t *testing.T) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, "no/such/directory")
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), &out, &errs, "--mailboxes=10"); code != 1 || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "demo: ") {
		t.Errorf("exit %d, %q, %q", code, &out, &errs)
	}
}

func TestDemo_WrongUsageIsExit2(t *testing.T) {
	for want, args := range map[string][]string{
		"--mailboxes 9: use 10 to 2000":        {"--mailboxes=9"},
		"--mailboxes 2001":                     {"--mailboxes=2001"},
		"--rate -1":                            {"--rate=-1"},
		"--rate NaN":                           {"--rate=nan"},
		"--poll-interval 1ms: use 250ms":       {"--poll-interval=1ms"},
		"--duration -1s":                       {"--duration=-1s"},
		"unknown flag --plian: did you mean":   {"--plian"},
		`unexpected argument "extra"`:          {"extra"},
		`invalid argument "many" for "--seed"`: {"--seed=many"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), &out, &errs, args...); code != 2 || out.Len() > 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: exit %d, %q", args, code, &errs)
		}
	}
}

func TestWorld_APartThatFailsEndsTheDemo(t *testing.T) {
	inEmptyTemp(t)
	o := defaults()
	o.mailboxes, o.poll, o.duration = minMailboxes, time.Second, time.Minute
	w, err := start(t.Context(), o, func(events.Event) error { return errTest })
	if err != nil {
		t.Fatal(err)
	}
	if err := watch(t.Context(), w, &plain{out: io.Discard}); err == nil || err.Error() != "reader of events: no luck" {
		t.Errorf("error %v", err)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

func TestWorld_AccessComesBack(t *testing.T) {
	inEmptyTemp(t)
	o := defaults()
	o.mailboxes, o.poll, o.mend, o.recheck = minMailboxes, time.Second, time.Hour, 500*time.Millisecond
	refused, back := make(chan string, minMailboxes), make(chan string, minMailboxes)
	w, err := start(t.Context(), o, func(e events.Event) error {
		switch e.Type {
		case events.TypeAccessDenied:
			refused <- e.Subject
		case events.TypeAccessRestored:
			back <- e.Subject
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a refusal", refused, events.MailboxToken(w.cast.mended)) // only then is there something that can end
	w.sim.Faults().Allow(w.cast.mended)
	await(t, "access", back, events.MailboxToken(w.cast.mended))
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// await waits until something is said of a mailbox.
func await(t *testing.T, what string, said <-chan string, mailbox string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case m := <-said:
			if m == mailbox {
				return
			}
		case <-late:
			t.Errorf("no %s of %s within a minute", what, mailbox)
			return
		}
	}
}
