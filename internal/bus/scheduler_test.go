package bus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
)

// Tests of what NATS's scheduler does, on which the dispatcher's looking after forgotten mailboxes rests (ADR 7).

// TestNATS_AScheduleThatWasRefusedOnceIsNotTriedAgain has the stream refuse tokens for a moment, as a server does whose
// storage is full.
func TestNATS_AScheduleThatWasRefusedOnceIsNotTriedAgain(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		b, js := connect(t, srv), operator(t, srv)
		limit := func(size int32) {
			cfg := stream(t, js, events.StreamJobs).CachedInfo().Config
			cfg.MaxMsgSize = size
			_, err := js.UpdateStream(t.Context(), cfg)
			must(t, err)
		}
		at := b.Now().Add(2 * time.Second)
		must(t, b.Park(t.Context(), "a", jobs.LanePoll, at, jobs.Hint{}))
		limit(10)
		time.Sleep(5 * time.Second)
		limit(-1)
		time.Sleep(time.Hour)
		if p, err := b.Parked(t.Context(), "a"); err != nil || !p.At.Equal(at) {
			t.Fatalf("parked %+v, %v: NATS tries again now what it refused; shorten ADR 7", p, err)
		}
		must(t, b.Park(t.Context(), "a", jobs.LanePoll, b.Now(), jobs.Hint{}))
		if tok := next(t, take(t, b, jobs.LanePoll)); tok.Mailbox != "a" {
			t.Errorf("a newer schedule brought %+v", tok)
		}
	})
}

// TestNATS_SchedulesFireUnderChurn does for some minutes what a fleet does, at all times relative to the firing of a
// mailbox's schedule.
func TestNATS_SchedulesFireUnderChurn(t *testing.T) {
	for seed, mailboxes := range []int{1, 10, 100} {
		testenv.Bubble(t, func(t *testing.T) {
			h := &herd{T: t, b: connect(t, start(t)), rnd: rand.New(rand.NewPCG(uint64(seed), 7)), due: map[string]time.Time{}}
			h.run(mailboxes, 3*time.Minute)
			if h.tokens < 10*mailboxes {
				t.Errorf("%d mailboxes: only %d tokens came", mailboxes, h.tokens)
			}
		})
	}
}

// herd is some mailboxes and their worker.
type herd struct {
	*testing.T
	b *bus.Bus

	mu     sync.Mutex
	rnd    *rand.Rand
	due    map[string]time.Time // for which time a mailbox is parked; none while its worker has it
	tokens int
}

func (h *herd) upTo(d time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Duration(h.rnd.Int64N(int64(d)))
}

// soon is a time that is near or past, sometimes a whole second, sometimes further away than the server's wheel is long.
func (h *herd) soon() time.Time {
	at := h.b.Now().Add(h.upTo(4*time.Second) - 500*time.Millisecond)
	switch h.upTo(10) {
	case 0:
		return at.Round(time.Second)
	case 1:
		return at.Add(4096 * time.Second)
	}
	return at
}

func (h *herd) park(mb string) {
	at := h.soon()
	h.mu.Lock()
	h.due[mb] = at
	h.mu.Unlock()
	if err := h.b.Park(h.Context(), mb, jobs.LanePoll, at, jobs.Hint{Seq: 1}); err != nil {
		h.Error(err)
	}
}

func (h *herd) run(mailboxes int, d time.Duration) {
	q := take(h.T, h.b, jobs.LanePoll)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			tok, err := q.Next(h.Context())
			if err != nil {
				return
			}
			work.Go(func() { h.work(tok) })
		}
	})
	name := func(i time.Duration) string { return fmt.Sprintf("mb%03d", i) }
	for i := range mailboxes {
		h.park(name(time.Duration(i)))
	}
	for end := time.Now().Add(d); time.Now().Before(end) && !h.late(); {
		time.Sleep(h.upTo(20 * time.Second / time.Duration(mailboxes)))
		h.disturb(name(h.upTo(time.Duration(mailboxes))))
	}
	q.Stop()
	work.Wait()
}

func (h *herd) work(tok bus.Token) {
	h.mu.Lock()
	h.tokens++
	delete(h.due, tok.Mailbox)
	h.mu.Unlock()
	time.Sleep(h.upTo(40 * time.Millisecond))
	if h.upTo(10) == 0 {
		_ = tok.Ack()
		h.park(tok.Mailbox)
		return
	}
	h.park(tok.Mailbox)
	_ = tok.Ack()
}

// disturb does what triggers do, and dispatchers.
func (h *herd) disturb(mb string) {
	var err error
	switch h.upTo(4) {
	case 0:
		h.park(mb)
	case 1:
		err = h.b.Kick(h.Context(), mb, jobs.LanePoll, h.soon())
	default:
		_, err = h.b.PutToken(h.Context(), mb, jobs.LanePoll, jobs.Hint{})
	}
	if err != nil {
		h.Error(err)
	}
}

// late reports mailboxes whose token ought to have come.
func (h *herd) late() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for mb, at := range h.due {
		if late := h.b.Now().Sub(at); late > 2*time.Second {
			h.Errorf("%s is %v late", mb, late)
			return true
		}
	}
	return false
}

// TestNATS_SchedulesSleepAfterAStepOfTheClock builds a program anew with all it links, so it runs only when asked for:
// ROOMSYNC_CLOCK_STEP=1 go test -run AStepOfTheClock ./internal/bus
func TestNATS_SchedulesSleepAfterAStepOfTheClock(t *testing.T) {
	if os.Getenv("ROOMSYNC_CLOCK_STEP") != "1" {
		t.Skip("set ROOMSYNC_CLOCK_STEP=1 to run it; it takes minutes")
	}
	bin := filepath.Join(t.TempDir(), "clockstep")
	build := exec.Command("go", "build", "-overlay", overlay(t), "-o", bin, "./testdata/clockstep")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.Command(bin).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "0 2" {
		t.Errorf("fired after the step, and after an update of the stream: %s, want 0 2; if NATS is awake now, shorten ADR 7", got)
	}
}

// overlay makes a package time whose wall clock can be set.
func overlay(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	src, err := os.ReadFile(original)
	must(t, err)
	const now, reads = "func Now() Time {\n", "\tsec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(src), now+reads) {
		t.Skipf("time.Now of this Go is written in another way: %s", original)
	}
	changed := strings.Replace(string(src), now+reads, now+reads+"\tsec += WallStep\n", 1) + "\nvar WallStep int64\n"
	dir := t.TempDir()
	file, list := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	must(t, os.WriteFile(file, []byte(changed), 0o600))
	data, err := json.Marshal(map[string]map[string]string{"Replace": {original: file}})
	must(t, err)
	must(t, os.WriteFile(list, data, 0o600))
	return list
}

func TestParked_IsWhatParkStored(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		srv := start(t)
		b := connect(t, srv)
		if p, err := b.Parked(t.Context(), "a"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("nothing is parked: %+v, %v", p, err)
		}
		at := b.Now().Add(time.Minute + 7)
		must(t, b.Park(t.Context(), "a", jobs.LaneNotify, at, jobs.Hint{Seq: 7, Record: jobs.Record{Want: 3}}))
		p, err := b.Parked(t.Context(), "a")
		if err != nil || !p.At.Equal(at) || p.Lane != jobs.LaneNotify || p.Hint.Seq != 7 || p.Hint.Record.Want != 3 {
			t.Errorf("%+v, %v", p, err)
		}
		time.Sleep(2 * time.Minute)
		if p, err := b.Parked(t.Context(), "a"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("it has fired: %+v, %v", p, err)
		}
		_, err = operator(t, srv).Publish(t.Context(), "jobs.wait.a", []byte("somebody's"))
		must(t, err)
		if p, err := b.Parked(t.Context(), "a"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("what is there is no schedule: %+v, %v", p, err)
		}
	})
}
