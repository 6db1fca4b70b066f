package roomsapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
	"roomsync/internal/testenv"
)

// told is a block of a stream of server-sent events.
type told struct {
	id    uint64
	kind  string // "" for a block without an event
	data  string
	beat  bool
	event events.Event
}

// source reads a stream as the specification has it.
type source struct {
	t    testing.TB
	resp *http.Response
	r    *bufio.Reader
}

func open(t testing.TB, client *http.Client, url string, header ...string) *source {
	t.Helper()
	s, status := try(t, client, url, header...)
	if status != http.StatusOK {
		t.Fatalf("%s: %d", url, status)
	}
	return s
}

// try opens a stream, or says why there is none.
func try(t testing.TB, client *http.Client, url string, header ...string) (*source, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+canary)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, resp.StatusCode
	}
	if got := resp.Header.Get("Content-Type"); got != typeStream {
		t.Fatalf("%s: %s", url, got)
	}
	return &source{t, resp, bufio.NewReader(resp.Body)}, resp.StatusCode
}

// block is the next block, an error at the stream's end.
func (s *source) block() (told, error) {
	var b told
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return b, err
		}
		name, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case line == "\n":
			if b.data != "" {
				must(s.t, json.Unmarshal([]byte(b.data), &b.event))
			}
			return b, nil
		case strings.HasPrefix(line, ":"):
			b.beat = true
		case name == "id":
			b.id, err = strconv.ParseUint(v, 10, 64)
			must(s.t, err)
		case name == "event":
			b.kind = v
		case name == "data":
			b.data = v
		case name != "retry":
			s.t.Errorf("a line %q", line)
		}
	}
}

// next is the next event.
func (s *source) next() told {
	s.t.Helper()
	for {
		b, err := s.block()
		must(s.t, err)
		if b.kind != "" {
			return b
		}
	}
}

const room2 = "room0002@contoso.example"

func TestEvents_AStreamTellsWhatIsKeptAndWhatComes(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/events"
	for i := range 100 {
		w.tell(room1, events.TypeCalendarChanged, i)
	}
	all := open(t, http.DefaultClient, url+"?after=0")
	live := open(t, http.DefaultClient, url)
	if b, err := live.block(); err != nil || b.id != 100 || b.kind != "" {
		t.Errorf("a reader of new events begins with %+v, %v: it must learn its position at once", b, err)
	}
	for i := range 100 {
		b := all.next()
		if b.id != uint64(i+1) || b.kind != events.TypeCalendarChanged || b.event.Subject != events.MailboxToken(room1) || !strings.Contains(string(b.event.Data), fmt.Sprintf(`"n":%d}`, i)) {
			t.Fatalf("event %d: %+v", i, b)
		}
	}
	_, err := w.js.Publish(t.Context(), events.EventsSubject("a"), []byte("no event")) // is passed over
	must(t, err)
	w.tell(room1, events.TypeSyncCompleted, 100)
	if a, l := all.next(), live.next(); a.id != 102 || l.id != 102 || a.data != l.data || a.kind != events.TypeSyncCompleted {
		t.Errorf("the new event came as %+v and %+v", a, l)
	}
}

func TestEvents_Filters(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/events?after=0"
	want := map[string][]uint64{}
	sources := map[string]*source{}
	for _, q := range []string{"mailbox=" + room2, "mailbox=room0002=40contoso=2Eexample", "type=" + events.TypeSyncCompleted, "type=" + events.TypeSyncCompleted + "&type=" + events.TypeCalendarChanged + "&mailbox=Room0002@Contoso.example"} {
		sources[q] = open(t, http.DefaultClient, url+"&"+q)
		want[q] = nil
	}
	add := func(mailbox, kind string, n int) {
		seq := w.tell(mailbox, kind, n)
		for q := range want {
			if (!strings.Contains(q, "mailbox") || mailbox == room2) && (!strings.Contains(q, "type") || strings.Contains(q, kind)) {
				want[q] = append(want[q], seq)
			}
		}
	}
	for i := range 60 {
		add([]string{room1, room2}[i%2], []string{events.TypeCalendarChanged, events.TypeSyncCompleted, events.TypeAccessDenied}[i%3], i)
	}
	for q, s := range sources {
		for i, seq := range want[q] {
			if b := s.next(); b.id != seq {
				t.Fatalf("%s: event %d is %d, want %d", q, i, b.id, seq)
			}
		}
		if len(want[q]) < 10 {
			t.Errorf("%s: only %d events", q, len(want[q]))
		}
	}
}

// TestEvents_ResumesWithoutLossOrRepetition breaks a stream off after every few events, while events come and NATS is started anew.
func TestEvents_ResumesWithoutLossOrRepetition(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		client := w.piped(nil)
		const all = 600
		var teller sync.WaitGroup
		teller.Go(func() {
			for i := range all {
				w.tell(room2, events.TypeCalendarChanged, i)
				w.tell(room1, events.TypeCalendarChanged, i)
				if i%200 == 150 {
					w.restart()
				}
			}
		})
		at, refused := uint64(0), 0
		for n := 0; n < all; {
			s, status := try(t, client, "http://api/v1/events?after=0&mailbox="+room2, "Last-Event-ID", strconv.FormatUint(at, 10)) // which counts before after
			if status == http.StatusServiceUnavailable {
				refused++
				time.Sleep(time.Second)
				continue
			}
			for range 1 + n%37 {
				b := s.next()
				if !strings.Contains(b.data, fmt.Sprintf(`"n":%d}`, n)) || b.id <= at {
					t.Fatalf("event %d after %d: %+v", n, at, b)
				}
				if at, n = b.id, n+1; n == all {
					break
				}
			}
			_ = s.resp.Body.Close()
		}
		teller.Wait()
	})
}

// restart starts NATS anew, and waits until everybody is back.
func (w *world) restart() {
	w.store.stop()
	time.Sleep(time.Second)
	w.store.start()
	for !w.bus.Up() || !w.js.Conn().IsConnected() {
		time.Sleep(10 * time.Millisecond)
	}
}

func TestEvents_OverARestartOfNATS(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		s := open(t, w.piped(nil), "http://api/v1/events")
		for i := range 3 {
			w.tell(room1, events.TypeCalendarChanged, i)
			if b := s.next(); b.id != uint64(i+1) {
				t.Fatalf("event %d is %d", i, b.id)
			}
			w.restart()
		}
		_ = s.resp.Body.Close()
	})
}

func TestEvents_WhatIsForgottenIsSaid(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/events"
	for i := range 10 {
		w.tell(room1, events.TypeCalendarChanged, i)
	}
	s, err := w.js.Stream(t.Context(), events.StreamEvents)
	must(t, err)
	must(t, s.Purge(t.Context(), jetstream.WithPurgeSequence(6))) // 6 to 10 are kept
	for after, want := range map[string]int{"1": 410, "4": 410, "5": 200, "10": 200, "0": 200, "11": 410} {
		for _, accept := range []string{typeStream, typeJSON} {
			ctx, cancel := context.WithCancel(t.Context())
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			r.Header.Set("Authorization", "Bearer "+canary)
			r.Header.Set("Last-Event-ID", after)
			r.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(r)
			must(t, err)
			if resp.StatusCode != want {
				t.Errorf("after %s: %d, want %d", after, resp.StatusCode, want)
			}
			if want == 410 {
				b, _ := io.ReadAll(resp.Body)
				if p := decodeAs[problem](t, b); p.Oldest == nil || *p.Oldest != 5 || p.Type != problemForgotten {
					t.Errorf("after %s: %s", after, b)
				}
			}
			cancel()
			_ = resp.Body.Close()
		}
	}
}

// A reader that is overtaken by the stream's limits while it reads is let go before it is told anything newer, and then gets 410.
func TestReader_IsNotLedOverAGap(t *testing.T) {
	w := newWorld(t)
	f := newFeed(w.bus, w.log.logger()) // it does not run, so everything is read from the stream
	for i := range 10 {
		w.tell([]string{room1, room2}[i%2], events.TypeCalendarChanged, i)
	}
	for _, mailbox := range []string{everybody, events.MailboxToken(room2)} {
		r := f.reader(mailbox, 0)
		if found, _, err := r.try(t.Context(), 2); err != nil || len(found) != 2 {
			t.Fatalf("%d events, %v", len(found), err)
		}
		at := r.at
		s, err := w.js.Stream(t.Context(), events.StreamEvents)
		must(t, err)
		must(t, s.Purge(t.Context(), jetstream.WithPurgeSequence(at+5)))
		if found, _, err := r.try(t.Context(), 2); !final(err) || len(found) != 0 || r.at != at {
			t.Errorf("%s: after the gap came %d events, %v; the position went from %d to %d", mailbox, len(found), err, at, r.at)
		}
		if mailbox == everybody {
			for i := range 10 {
				w.tell([]string{room1, room2}[i%2], events.TypeCalendarChanged, 20+i)
			}
		}
	}
}

func TestEvents_LongPolling(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/events?mailbox=" + room1
	poll := func(query string) polled {
		t.Helper()
		resp, body := do(t, http.MethodGet, url+query, "", "Accept", typeJSON)
		if resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		return decodeAs[polled](t, body)
	}
	if p := poll("&after=0"); p.After != 0 || p.Events == nil || len(p.Events) != 0 {
		t.Errorf("an empty stream: %+v", p)
	}
	for i := range 150 {
		w.tell([]string{room1, room2, room2}[i%3], events.TypeCalendarChanged, i)
	}
	after, seen := uint64(0), 0
	for range 6 {
		p := poll(fmt.Sprintf("&limit=11&after=%d", after))
		after, seen = p.After, seen+len(p.Events)
		if len(p.Events) > 11 {
			t.Errorf("%d events", len(p.Events))
		}
	}
	if seen != 50 || after != 150 {
		t.Errorf("%d events, and the position %d is not behind those of others", seen, after)
	}
	got := make(chan polled)
	go func() { got <- poll("&wait=60&after=150") }()
	w.tell(room2, events.TypeCalendarChanged, 150)
	seq := w.tell(room1, events.TypeCalendarChanged, 151)
	if p := <-got; len(p.Events) != 1 || p.After != seq {
		t.Errorf("waiting: %+v, want the event at %d", p, seq)
	}
	if p := poll("&after=0&type=" + events.TypeAccessDenied); len(p.Events) != 0 || p.After != seq {
		t.Errorf("none of a type: %+v", p)
	}
}

func TestEvents_ReadersAreBounded(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/events"
	var sources []*source
	for range MaxReaders {
		sources = append(sources, open(t, http.DefaultClient, url))
	}
	if resp, body := do(t, http.MethodGet, url, ""); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %s", resp.StatusCode, body)
	}
	_ = sources[0].resp.Body.Close()
	for {
		resp, _ := do(t, http.MethodGet, url, "", "Accept", typeJSON)
		if resp.StatusCode == 200 {
			return
		}
	}
}
