package worker_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is a log that a test reads.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

// entry is a line of the journal.
type entry struct {
	Level, Message, Mailbox, Codes, Reasons string
	Mailboxes                               int
	Time                                    time.Time
}

// with returns the lines of at least information whose message contains s.
func (j *journal) with(t *testing.T, s string) (found []entry) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range strings.Split(strings.TrimSpace(j.b.String()), "\n") {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Level != "debug" && strings.Contains(e.Message, s) {
			found = append(found, e)
		}
	}
	return found
}

// TestLog_AfterAPartialOutage: what each of many mailboxes meets is one warning a minute and worker, and says what is true.
func TestLog_AfterAPartialOutage(t *testing.T) {
	var log journal
	logged(t, 200, 2, &log, func(x *tenant) {
		x.forbid(x.addresses[20:])
		x.opened(2 * time.Minute)
		x.look(x.addresses[0]) // of the healthy; the canaries may by chance be of the others for hours
		x.restored(time.Minute)
		closed := time.Now()
		time.Sleep(14 * time.Minute)
		if got := log.with(x.T, "no longer all mailboxes wait"); len(got) != 2 {
			x.T.Errorf("%d lines say that the breaker closed, want one of each worker", len(got))
		}
		if got := log.with(x.T, "access is back"); len(got) != 0 {
			x.T.Errorf("the log says %q while nine of ten are refused", got[0].Message)
		}
		for _, e := range log.with(x.T, "Exchange refuses access") {
			if e.Time.After(closed.Add(time.Second)) {
				x.T.Errorf("%s by itself at %v", e.Mailbox, e.Time)
			}
		}
		told, lines := 0, log.with(x.T, "refused still")
		for _, e := range lines {
			if strings.Contains(e.Message, "no longer") {
				continue
			}
			if told += e.Mailboxes; e.Level != "warn" || !strings.HasPrefix(e.Reasons, "forbidden ") {
				x.T.Errorf("got %+v", e)
			}
		}
		if n := len(lines) - 2; told < 140 || told > 180 || n > 2*14 {
			x.T.Errorf("%d mailboxes in %d lines", told, n)
		}
	})
}

// TestLog_Throttled mailboxes are counted, and not named one by one.
func TestLog_Throttled(t *testing.T) {
	var log journal
	logged(t, 40, 1, &log, func(x *tenant) {
		for _, a := range x.addresses[:30] {
			x.Sim.Faults().Throttle(a, 5*time.Minute)
		}
		time.Sleep(10 * time.Minute)
		lines, told := log.with(x.T, "asked for pauses"), 0
		for _, e := range lines {
			if told += e.Mailboxes; e.Level != "info" || !strings.HasPrefix(e.Codes, "ErrorServerBusy ") {
				x.T.Errorf("got %+v", e)
			}
		}
		if told != 30 || len(lines) == 0 || len(lines) > 2 {
			x.T.Errorf("%d mailboxes in %d lines", told, len(lines))
		}
		if got := log.with(x.T, "Exchange refused"); len(got) != 0 {
			x.T.Errorf("%d lines of single mailboxes: %+v", len(got), got[0])
		}
	})
}
