package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
)

// stepper is a third-party client that makes one change when it is asked to.
type stepper struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	err strings.Builder
}

// made is what the client says of its change.
type made struct {
	ID, ChangeKey, UID, Subject string
	Start, End                  time.Time
}

func startStepper(t *testing.T, url, address string) *stepper {
	t.Helper()
	s := &stepper{t: t}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "interop", "step.py"), url, address, "simulated")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = &s.err
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	s.in, s.out = in, bufio.NewScanner(out)
	return s
}

func (s *stepper) do(step string) made {
	s.t.Helper()
	_, err := fmt.Fprintln(s.in, step)
	must(s.t, err)
	if !s.out.Scan() {
		s.t.Fatalf("%s: the client ended: %s", step, s.err.String())
	}
	var m made
	must(s.t, json.Unmarshal(s.out.Bytes(), &m))
	return m
}

// TestExchangelibChange_BecomesExactlyThatEvent: a client that knows nothing of us changes a calendar; ROOMS is told
// exactly that, by real processes over real connections.
func TestExchangelibChange_BecomesExactlyThatEvent(t *testing.T) {
	needExchangelib(t)
	s := startSystem(t, exchangesim.Options{Seed: 1, Mailboxes: 5, Items: -1, BusyShare: exchangesim.NoBusyShare})
	const address = "user0001@contoso.example"
	told := make(chan events.Change, 100)
	synced := make(chan struct{}, 10)
	s.follow(func(d bus.Delivered) {
		switch {
		case d.Mailbox != events.MailboxToken(address):
		case d.Type == events.TypeSyncCompleted:
			synced <- struct{}{}
		case d.Type == events.TypeCalendarChanged:
			var page events.CalendarChanged
			if err := json.Unmarshal(d.Data, &page); err != nil {
				t.Error(err)
			}
			for _, c := range page.Changes {
				told <- c
			}
		}
	})
	s.dispatcher()
	s.worker()
	s.want()
	<-synced
	client := startStepper(t, s.ews.URL+exchangesim.EWSPath, address)
	next := func(step, kind string) events.Change {
		t.Helper()
		want := client.do(step)
		select {
		case c := <-told:
			if c.Kind != kind || c.ItemID != want.ID || c.ChangeKey != want.ChangeKey || c.UID != want.UID || c.Subject != want.Subject {
				t.Fatalf("%s: told %+v, the client made %+v", step, c, want)
			}
			if kind != events.KindDeleted && (!c.Start.Equal(want.Start) || !c.End.Equal(want.End)) {
				t.Fatalf("%s: told %v–%v, the client made %v–%v", step, c.Start, c.End, want.Start, want.End)
			}
			return c
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: no event", step)
			return events.Change{}
		}
	}
	if c := next("create", events.KindCreated); c.Location != "Room 7" || c.TimeZone.IANA != "Europe/Berlin" || c.Type != events.ItemSingle {
		t.Errorf("created: %+v", c)
	}
	next("move", events.KindUpdated)
	next("delete", events.KindDeleted)
	if c := next("series", events.KindCreated); c.Type != events.ItemMaster || c.Recurrence.Occurrences != 5 || len(c.Occurrences) != 5 {
		t.Errorf("series: %+v", c)
	}
	if c := next("cancel-third", events.KindUpdated); len(c.Occurrences) != 4 {
		t.Errorf("after one was cancelled there are %d occurrences", len(c.Occurrences))
	}
	c := next("move-second", events.KindUpdated)
	if o := c.Occurrences[1]; len(c.Occurrences) != 4 || o.Type != events.ItemException || o.Start.Equal(o.OriginalStart) {
		t.Errorf("after one was moved: %+v", c.Occurrences)
	}
	if len(told) > 0 {
		t.Errorf("told of more than was done: %+v", <-told)
	}
}
