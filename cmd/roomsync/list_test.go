package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// have puts a mailbox into the wanted set, and its record.
func (s *shop) have(address string, r jobs.Record) {
	s.t.Helper()
	mb := events.MailboxToken(address)
	if _, err := s.bus.PutMailbox(s.t.Context(), mb, events.Mailbox{Address: address, Mode: "O365", Enabled: true}); err != nil {
		s.t.Fatal(err)
	}
	r.Settings = jobs.Settings{Address: address, Enabled: true}
	if _, err := s.bus.PutRecord(s.t.Context(), mb, &r, 0); err != nil {
		s.t.Fatal(err)
	}
}

// troubled is a shop with a mailbox in each state that a record can be in.
func troubled(t *testing.T) (s *shop, now time.Time) {
	s = newShop(t)
	now = s.bus.Now().Truncate(time.Second)
	failed := func(c jobs.Class, code, reason string) *jobs.Failure {
		return &jobs.Failure{At: now.Add(-time.Minute), Since: now.Add(-3 * time.Hour), Class: c, Code: code, Reason: reason, Gate: "g"}
	}
	next, since := now.Add(time.Hour), now.Add(-3*time.Hour)
	s.have("busy@b.example", jobs.Record{State: jobs.StateOK, LastOK: now, NextPoll: next, NotBefore: next, Throttled: 1, LastError: failed(jobs.Throttled, "ErrorServerBusy", "")})
	s.have("denied@b.example", jobs.Record{State: jobs.StateDenied, Since: since, NextPoll: next, NotBefore: next, LastError: failed(jobs.Denied, "HTTP 403", "forbidden")})
	s.have("fine@b.example", jobs.Record{State: jobs.StateOK, LastOK: now, NextPoll: next})
	s.have("gone@b.example", jobs.Record{State: jobs.StateBlocked, Since: since, NextPoll: next, NotBefore: next, LastError: failed(jobs.Blocked, "ErrorNonExistentMailbox", "mailbox-missing")})
	s.have("held@b.example", jobs.Record{State: jobs.StateOK, NextPoll: now, Held: next, HeldSince: since, HeldReason: "permission-missing"})
	s.have("late@b.example", jobs.Record{State: jobs.StateOK, LastOK: now.Add(-13 * time.Minute), NextPoll: now.Add(-12 * time.Minute)})
	s.have("later@b.example", jobs.Record{State: jobs.StateDenied, Since: since, NextPoll: since, NotBefore: since, LastError: failed(jobs.Denied, "HTTP 403", "forbidden")})
	return s, now
}

func TestMailboxes_ListSaysWhy(t *testing.T) {
	s, now := troubled(t)
	_, out, _ := s.run("", "mailboxes", "list")
	lines := strings.Split(out, "\n")
	at := func(d time.Duration) string { return now.Add(d).Local().Format(time.DateTime) }
	want := [][]string{
		{"busy@b.example", "throttled", at(-3 * time.Hour), "ErrorServerBusy", at(time.Hour)},
		{"denied@b.example", "denied", at(-3 * time.Hour), "forbidden", at(time.Hour)},
		{"fine@b.example", "ok", "-", "-", at(time.Hour)},
		{"gone@b.example", "blocked", at(-3 * time.Hour), "mailbox-missing", at(time.Hour)},
		{"held@b.example", "held", at(-3 * time.Hour), "permission-missing", at(time.Hour)},
		{"late@b.example", "late", at(-12 * time.Minute), "due 12m ago, was ok", at(-12 * time.Minute)},
		{"later@b.example", "late", at(-3 * time.Hour), "due 3h0m ago, was denied: forbidden", at(-3 * time.Hour)},
	}
	for i, cells := range want {
		if got := strings.Fields(lines[i+1]); strings.Join(got, " ") != strings.Join(cells, " ") {
			t.Errorf("got  %q\nwant %q", got, cells)
		}
	}
	if want := "7 mailboxes: 1 ok, 1 throttled, 1 held, 2 late, 2 refused"; lines[8] != want {
		t.Errorf("got %q, want %q", lines[8], want)
	}
	if strings.Contains(out, "TOKEN") || strings.Index(lines[0], "REASON") != strings.Index(lines[2], "forbidden") {
		t.Errorf("not aligned, or too wide:\n%s", out)
	}
}

func TestMailboxes_ListJSON(t *testing.T) {
	s, now := troubled(t)
	_, out, _ := s.run("", "mailboxes", "list", "--json", "--state", "refused, LATE,throttled")
	var got []map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 5 {
		t.Fatalf("%v: %s", err, out)
	}
	d := got[1]
	if d["state"] != "denied" || d["reason"] != "forbidden" || d["since"] != now.Add(-3*time.Hour).Format(time.RFC3339) || d["nextRun"] != now.Add(time.Hour).Format(time.RFC3339) || d["token"] != "denied=40b=2Eexample" {
		t.Errorf("got %v", d)
	}
	if !strings.HasSuffix(d["since"].(string), "Z") {
		t.Errorf("not UTC: %v", d["since"])
	}
	_, out, _ = s.run("", "mailboxes", "list", "--state", "denied")
	if !strings.Contains(out, "2 refused; 1 shown") || strings.Contains(out, "gone@") {
		t.Errorf("got\n%s", out)
	}
	s.want(2, "", `--state "lte": must be ok, new, off, throttled, held, no-sign-in, late, denied, blocked, failed or refused; did you mean "late"?`, "mailboxes", "list", "--state", "lte")
}

func TestAlign(t *testing.T) {
	got := align([][]string{{"A", "B", "C"}, {"日本", "é", ""}, {"abcdef", "e\u0301", "x"}})
	if want := "A       B  C\n日本    é  \nabcdef  e\u0301  x\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRound(t *testing.T) {
	for d, want := range map[time.Duration]string{42 * time.Second: "42s", 61 * time.Second: "1m", 12 * time.Minute: "12m", 3*time.Hour + 12*time.Minute: "3h12m", 50 * time.Hour: "2d"} {
		if got := round(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestImport_Sample is the file that the help and the documents show, and it can be imported.
func TestImport_Sample(t *testing.T) {
	data, err := os.ReadFile("../../docs/mailboxes.csv")
	if err != nil || string(data) != sample {
		t.Fatalf("%v; docs/mailboxes.csv:\n%s", err, data)
	}
	list, err := config.ParseMailboxesCSV(strings.NewReader(sample), "sample")
	if err != nil || len(list) != 4 || list[1].FutureDays != 180 || list[2].Fields == nil || list[3].Enabled {
		t.Errorf("%v: %+v", err, list)
	}
}

func TestImport_OtherNames(t *testing.T) {
	s := newShop(t)
	for header, want := range map[string]string{
		"Address;SyncModus":         `column "syncmodus": there is address, mode, url, folder, enabled, past_days, future_days or fields; name it "mode"`,
		"PrimarySmtpAddress,mode":   `column "primarysmtpaddress": there is`,
		"E-Mail,mode":               `name it "address"`,
		"address,mode,Future Days":  `name it "future_days"`,
		"address,mode,enable":       `did you mean "enabled"?`,
		"address,mode,nothing-like": `column "nothing-like": there is`,
	} {
		if code, _, stderr := s.run(header+"\n", "mailboxes", "import", "-"); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %s\nwant %s", header, code, stderr, want)
		}
	}
}

// prompt is a terminal that calls f when something is written that contains s.
type prompt struct {
	bytes.Buffer
	s string
	f func()
}

func (p *prompt) Write(b []byte) (int, error) {
	if p.s != "" && strings.Contains(string(b), p.s) {
		p.s = ""
		p.f()
	}
	return p.Buffer.Write(b)
}

// TestEvents_TailWaits says so when nothing comes, and goes on when something does.
func TestEvents_TailWaits(t *testing.T) {
	s := newShop(t)
	data, err := json.Marshal(events.AccessRestored{Mailbox: "room1@b.example", Reason: "forbidden", Partial: true})
	if err != nil {
		t.Fatal(err)
	}
	stderr := &prompt{s: "waiting for events", f: func() {
		s.publish("room1@b.example", events.Event{ID: "1", Source: "test", Type: events.TypeAccessRestored, Time: time.Now(), Subject: "x", Data: data})
	}}
	var out bytes.Buffer
	env := config.OS()
	env.Getenv = func(name string) string { return map[string]string{"ROOMSYNC_NATS_URL": s.url}[name] }
	root := tool{env: env, connect: connect}.root()
	root.SetOut(&out)
	root.SetErr(stderr)
	code := config.Run(t.Context(), root, []string{"events", "tail", "--mailbox", "room1@b.example", "--type", "access", "--count", "1"}, stderr)
	if code != 0 || !strings.Contains(out.String(), "room1@b.example  PARTIAL (some are refused still") {
		t.Errorf("code %d, stdout %q", code, out.String())
	}
	for _, want := range []string{"warning: room1@b.example is not in the list of mailboxes", `waiting for events of room1@b.example with a type that contains "access", Ctrl-C ends`} {
		if strings.Count(stderr.String(), want) != 1 {
			t.Errorf("stderr lacks %q:\n%s", want, stderr.String())
		}
	}
	s.want(2, "", `--type "acess": no event has such a type; there are `, "events", "tail", "--type", "acess")
	s.want(2, "", `did you mean "access"?`, "events", "tail", "--type", "acess")
}
