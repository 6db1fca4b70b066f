package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/config"
	"roomsync/internal/version"
)

// shop is a NATS server with roomsync's streams, and the command under test in front of it.
type shop struct {
	t   *testing.T
	url string
	bus *bus.Bus
}

func newShop(t *testing.T) *shop {
	t.Helper()
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &shop{t, srv.URL(), b}
}

// run is "roomsync args" and returns exit code, stdout and stderr.
func (s *shop) run(stdin string, args ...string) (int, string, string) {
	s.t.Helper()
	var out, stderr bytes.Buffer
	env := config.OS()
	env.Getenv = func(name string) string { return map[string]string{"ROOMSYNC_NATS_URL": s.url}[name] }
	root := tool{env: env, connect: connect}.root()
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	code := config.Run(ctx, root, args, &stderr)
	return code, out.String(), stderr.String()
}

// want runs and compares.
func (s *shop) want(code int, stdout, stderr string, args ...string) {
	s.t.Helper()
	c, o, e := s.run("", args...)
	if c != code || o != stdout || !strings.Contains(e, stderr) || stderr == "" && e != "" {
		s.t.Errorf("roomsync %s: code %d, want %d\nstdout %q\nwant   %q\nstderr %q\nwant   %q", strings.Join(args, " "), c, code, o, stdout, e, stderr)
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rooms.csv")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMailboxes(t *testing.T) {
	s := newShop(t)
	zone, _ := time.Now().Zone()
	s.want(0, fmt.Sprintf("ADDRESS  STATE  SINCE (%[1]s)  REASON  NEXT LOOK (%[1]s)\n0 mailboxes\n", zone), "", "mailboxes", "list")
	s.want(0, "[]\n", "", "mailboxes", "list", "--json")

	csv := file(t, "address,mode\nroom1@b.example,O365Pull\nRoom2@B.example,O365\nroom3@b.example,O365\n")
	s.want(0, "added 3, changed 0, unchanged 0 (dry run: nothing was written)\n", "", "mailboxes", "import", "--dry-run", csv)
	s.want(0, "added 3, changed 0, unchanged 0\n", "", "mailboxes", "import", csv)
	s.want(0, "added 0, changed 0, unchanged 3\n", "", "mailboxes", "import", csv)
	csv = file(t, "address,mode\nroom1@b.example,O365\nroom4@b.example,O365\nroom2@b.example,O365\n")
	s.want(0, `{"added":1,"changed":1,"unchanged":1}`+"\n", "", "mailboxes", "import", csv, "--json")

	s.want(0, "room5@b.example: added\n", "", "mailboxes", "set", "Room5@b.example", "--mode", "Exchange2016Pull", "--fields", "none", "--past-days=3")
	s.want(0, "room5@b.example: changed\n", "", "mailboxes", "set", "room5@b.example", "--enabled=false", "--url", "https://mail.b.example/EWS/Exchange.asmx")
	s.want(0, "room5@b.example: unchanged\n", "", "mailboxes", "set", "room5@b.example", "--mode", "Exchange2016Pull")
	s.want(0, "removed 1\n", "", "mailboxes", "remove", "room3@b.example")
	s.want(1, "removed 0\n", "not in the list of mailboxes: room3@b.example", "mailboxes", "remove", "room3@b.example")

	list := strings.ReplaceAll(`ADDRESS          STATE  SINCE (UTC)  REASON  NEXT LOOK (UTC)  MODE              WINDOW        FIELDS   URL                                       TOKEN
room1@b.example  new    -            -       -                O365              default       default  default                                   room1=40b=2Eexample
room2@b.example  new    -            -       -                O365              default       default  default                                   room2=40b=2Eexample
room4@b.example  new    -            -       -                O365              default       default  default                                   room4=40b=2Eexample
room5@b.example  off    -            -       -                Exchange2016Pull  -3d +default  none     https://mail.b.example/EWS/Exchange.asmx  room5=40b=2Eexample
4 mailboxes: 3 new, 1 off
`, "UTC", zone)
	if len(zone) == len("UTC") { // so that the columns are as wide
		s.want(0, list, "", "mailboxes", "list", "--wide")
	}
	_, out, _ := s.run("", "mailboxes", "list", "--json")
	var got []map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 4 || got[3]["token"] != "room5=40b=2Eexample" || got[3]["mode"] != "Exchange2016Pull" {
		t.Errorf("list --json: %v\n%s", err, out)
	}
}

func TestMailboxes_ImportKeepsWhatANewerContractWrote(t *testing.T) {
	s := newShop(t)
	var m events.Mailbox
	if err := json.Unmarshal([]byte(`{"address":"Room1@b.example","mode":"O365","enabled":true,"priority":7}`), &m); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bus.PutMailbox(t.Context(), events.MailboxToken(m.Address), m); err != nil {
		t.Fatal(err)
	}
	s.want(0, "added 0, changed 1, unchanged 0\n", "", "mailboxes", "import", file(t, "address,mode\nroom1@b.example,O365Pull\n"))
	_, out, _ := s.run("", "mailboxes", "list", "--json")
	if !strings.Contains(out, `"priority":7`) || strings.Count(out, "address") != 1 || !strings.Contains(out, "O365Pull") {
		t.Errorf("after the import:\n%s", out)
	}
}

func TestMailboxes_ImportIsAllOrNothing(t *testing.T) {
	s := newShop(t)
	bad := file(t, "address,mode\nroom1@b.example,O365\nfoo,O365\nroom2@b.example,O366\n")
	code, out, stderr := s.run("", "mailboxes", "import", bad)
	if code != 2 || out != "" {
		t.Errorf("code %d, stdout %q", code, out)
	}
	for _, want := range []string{"nothing was imported", `rooms.csv line 3: address "foo": `, `rooms.csv line 4: mode "O366": must be O365, `, `did you mean "O365"?`} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	s.want(0, "[]\n", "", "mailboxes", "list", "--json")

	code, out, stderr = s.run("address;mode\nroom1@b.example;O365\n", "mailboxes", "import", "-")
	if code != 0 || out != "added 1, changed 0, unchanged 0\n" {
		t.Errorf("from standard input: %d %q %q", code, out, stderr)
	}
}

func TestMailboxes_Usage(t *testing.T) {
	s := newShop(t)
	s.want(2, "", "no such file", "mailboxes", "import", filepath.Join(t.TempDir(), "nowhere.csv"))
	s.want(2, "", "--mode: missing: must be O365,", "mailboxes", "set", "room1@b.example")
	s.want(2, "", "--past-days: must be a number", "mailboxes", "set", "room1@b.example", "--mode=O365", "--past-days=x")
	s.want(2, "", `address "room": must be`, "mailboxes", "set", "room")
	s.want(2, "", `address "y z"`, "mailboxes", "remove", "x", "y z")
	s.want(2, "", "or say --all", "mailboxes", "sync")
	s.want(2, "", "or say --all", "mailboxes", "sync", "--all", "room1@b.example")
	s.want(2, "", `did you mean "mailboxes"?`, "mailbox", "list")
	s.want(2, "", "did you mean --dry-run?", "mailboxes", "import", "--dryrun", "-")
	s.want(2, "", `unknown command "extra"`, "version", "extra")
	s.url = "localhost"
	s.want(2, "", "ROOMSYNC_NATS_URL: must be a URL", "mailboxes", "list")
	s.url = "nats://127.0.0.1:1"
	s.want(1, "", "cannot reach NATS", "mailboxes", "list")
}

func TestMailboxes_BeforeTheDispatcherStarted(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	(&shop{t: t, url: srv.URL()}).want(2, "", "the dispatcher creates what is missing", "mailboxes", "list")
}

// TestMailboxes_WithADispatcherOfAnOlderVersion, which knew nothing of some buckets.
func TestMailboxes_WithADispatcherOfAnOlderVersion(t *testing.T) {
	s := newShop(t)
	nc, err := nats.Connect(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{events.BucketTokens, events.BucketThrottle} {
		if err := js.DeleteKeyValue(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	s.want(0, "room1@b.example: added\n", "", "mailboxes", "set", "room1@b.example", "--mode", "O365")
	if code, out, stderr := s.run("", "mailboxes", "list"); code != 0 || !strings.Contains(out, "room1@b.example") {
		t.Errorf("list: %d %q %q", code, out, stderr)
	}
}

func TestMailboxes_Sync(t *testing.T) {
	s := newShop(t)
	s.want(0, "added 3, changed 0, unchanged 0\n", "", "mailboxes", "import",
		file(t, "address,mode,enabled\nroom1@b.example,O365,true\nroom2@b.example,O365,true\noff@b.example,O365,false\n"))
	// The dispatcher would copy the entries into the records.
	for _, address := range []string{"room1@b.example", "room2@b.example"} {
		mb := events.MailboxToken(address)
		r, seq, err := s.bus.Record(t.Context(), mb)
		if err != nil {
			t.Fatal(err)
		}
		r.Settings.Address, r.Settings.Enabled = address, true
		if _, err := s.bus.PutRecord(t.Context(), mb, &r, seq); err != nil {
			t.Fatal(err)
		}
	}
	wants := func() (n uint64) {
		for _, address := range []string{"room1@b.example", "room2@b.example", "off@b.example"} {
			r, _, err := s.bus.Record(t.Context(), events.MailboxToken(address))
			if err != nil {
				t.Fatal(err)
			}
			n += r.Want
		}
		return n
	}
	s.want(0, "asked for 1\n", "", "mailboxes", "sync", "Room1@b.example")
	if n := wants(); n != 1 {
		t.Errorf("%d triggers, want 1", n)
	}
	s.want(0, "asked for 2\n", "", "mailboxes", "sync", "--all")
	if n := wants(); n != 3 {
		t.Errorf("%d triggers, want 3", n)
	}
	s.want(1, "asked for 0\n", "not enabled: off@b.example, nobody@b.example", "mailboxes", "sync", "off@b.example", "nobody@b.example")
}

func (s *shop) publish(address string, e events.Event) {
	s.t.Helper()
	nc, err := nats.Connect(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	m := &nats.Msg{Subject: events.EventsSubject(events.MailboxToken(address)), Header: e.Header(), Data: e.Data}
	if _, err := js.PublishMsg(s.t.Context(), m); err != nil {
		s.t.Fatal(err)
	}
}

func TestEvents_Tail(t *testing.T) {
	s := newShop(t)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	page, err := json.Marshal(events.CalendarChanged{
		Mailbox: "room1@b.example", Reason: events.ReasonChange,
		Changes: []events.Change{{Kind: "created", ItemID: "1", Subject: "very private"}, {Kind: "created", ItemID: "2"}, {Kind: "deleted", ItemID: "3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	denied, err := json.Marshal(events.AccessDenied{Mailbox: "room2@b.example", Operation: "SyncFolderItems", Code: "ErrorAccessDenied", Hint: "see the policy"})
	if err != nil {
		t.Fatal(err)
	}
	s.publish("room1@b.example", events.Event{ID: "1", Source: "test", Type: events.TypeCalendarChanged, Time: at, Subject: "x", Data: page})
	s.publish("room2@b.example", events.Event{ID: "2", Source: "test", Type: events.TypeAccessDenied, Time: at, Subject: "x", Data: denied})

	const first = "2026-11-23 12:00:00  #1  exchange.calendar.changed.v1      room1@b.example  created 2, deleted 1, change\n"
	const second = "2026-11-23 12:00:00  #2  exchange.access.denied.v1         room2@b.example  SyncFolderItems, ErrorAccessDenied, see the policy\n"
	for _, a := range []string{"room1@b.example", "room2@b.example"} {
		if _, err := s.bus.PutMailbox(t.Context(), events.MailboxToken(a), events.Mailbox{Address: a, Mode: "O365", Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	s.want(0, first+second, "", "events", "tail", "--from=1", "--count=2")
	s.want(0, second, "", "events", "tail", "--from=2", "--count=1")
	s.want(0, second, "", "events", "tail", "--from=1", "--count=1", "--mailbox", "ROOM2@b.example")
	s.want(0, second, "", "events", "tail", "--from=1", "--count=1", "--type", "access")
	_, out, _ := s.run("", "events", "tail", "--from=1", "--count=1", "--json")
	var e events.Event
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.ID != "1" || e.Type != events.TypeCalendarChanged || !bytes.Equal(e.Data, page) {
		t.Errorf("--json: %v\n%s", err, out)
	}
	s.want(2, "", `address "room"`, "events", "tail", "--mailbox", "room")
}

func TestVersion(t *testing.T) {
	s := &shop{t: t}
	code, out, _ := s.run("", "version")
	if code != 0 || !regexp.MustCompile(`^roomsync \S.* \(commit \S.*\) go1\.\S+ \S+/\S+\n$`).MatchString(out) {
		t.Errorf("code %d, %q", code, out)
	}
	_, out, _ = s.run("", "version", "--json")
	var b version.Build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Go == "" || b.Version == "" {
		t.Errorf("%v: %s", err, out)
	}
}
