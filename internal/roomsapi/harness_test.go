package roomsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/tokens"
)

func TestMain(m *testing.M) {
	ats.Register() // starts a ticker of the server's that must not be born in a bubble
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// store is a NATS server that can be stopped and started again on what it kept.
type store struct {
	t   testing.TB
	dir string
	mu  sync.Mutex
	srv *embedded.Server
}

func newStore(t testing.TB) *store {
	s := &store{t: t, dir: t.TempDir()}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *store) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv == nil {
		return nil, errors.New("down")
	}
	return s.srv.InProcessConn()
}

func (s *store) start() {
	srv, err := embedded.Start(embedded.Options{StoreDir: s.dir})
	must(s.t, err)
	s.mu.Lock()
	s.srv = srv
	s.mu.Unlock()
}

func (s *store) stop() {
	s.mu.Lock()
	srv := s.srv
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Stop()
	}
}

// world is a fleet of one process, and a test's own connection.
type world struct {
	t     testing.TB
	store *store
	js    jetstream.JetStream
	bus   *bus.Bus
	log   *logBook
}

const canary = "canary-4711-0123456789abcdef0123456789abcdef"

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: newStore(t), log: &logBook{}}
	nc, err := nats.Connect("", nats.InProcessServer(w.store), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	must(t, err)
	t.Cleanup(nc.Close)
	w.js, err = jetstream.New(nc)
	must(t, err)
	w.bus = w.connect()
	return w
}

func (w *world) connect() *bus.Bus {
	b, err := bus.Connect(context.Background(), bus.Options{Name: "test", InProcess: w.store, Log: w.log.logger()})
	must(w.t, err)
	w.t.Cleanup(b.Close)
	must(w.t, b.Ensure(context.Background()))
	return b
}

func oneToken() ([]Token, error) { return []Token{{"test", tokens.NewSecret(canary)}}, nil }

// serve runs an API, and serves it over TCP. change adjusts its options; it may be nil.
func (w *world) serve(change func(*Options)) *httptest.Server {
	w.t.Helper()
	o := Options{Bus: w.bus, Log: w.log.logger(), Name: "test", MailboxToken: events.MailboxToken, Tokens: oneToken}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	must(w.t, err)
	srv := httptest.NewUnstartedServer(a.Handler(http.NotFoundHandler()))
	srv.Config.ReadTimeout = 10 * time.Second // as the daemons have it
	srv.Start()
	w.t.Cleanup(srv.Close)
	w.run(a.Run)
	return srv
}

// run runs a part until the test ends, or the returned function is called.
func (w *world) run(f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(stop)
	return stop
}

// tell publishes an event as a worker would, and returns its sequence.
func (w *world) tell(mailbox, kind string, n int) uint64 {
	w.t.Helper()
	mb := events.MailboxToken(mailbox)
	e := events.Event{ID: fmt.Sprintf("%s/1/%d/0", mb, n), Source: "roomsync", Type: kind, Subject: mb, Time: time.Unix(1.8e9, 0).UTC(),
		Data: json.RawMessage(fmt.Sprintf(`{"mailbox":%q,"n":%d}`, mailbox, n))}
	ack, err := w.js.PublishMsg(context.Background(), &nats.Msg{Subject: events.EventsSubject(mb), Data: e.Data, Header: nats.Header(e.Header())})
	must(w.t, err)
	return ack.Sequence
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBook) logger() zerolog.Logger { return zerolog.New(l).Level(zerolog.TraceLevel) }

// booking is ROOMS' event in the JSON format.
func booking(id, mailbox string, revision int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"urn:rooms:contoso","type":"rooms.booking.cancelled.v1","data":{"bookingId":"b","revision":%d,"mailbox":%q}}`, id, revision, mailbox)
}

const room1 = "room0001@contoso.example"

// do sends a request with the right token, and returns the answer and its body.
func do(t testing.TB, method, url, body string, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+canary)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	h, err := judge() // every answer in these tests is held against the document
	must(t, err)
	if err := h.check(method, r.URL.Path, resp, b); err != nil {
		t.Errorf("%s %s: %v", method, r.URL.Path, err)
	}
	return resp, b
}

func decodeAs[T any](t testing.TB, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// changesIn are the stored changes, in order.
func (w *world) changesIn() (all []events.Event, subjects []string) {
	w.t.Helper()
	s, err := w.js.Stream(context.Background(), events.StreamChanges)
	must(w.t, err)
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(context.Background(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		must(w.t, err)
		e, err := events.Parse(m.Header, m.Data)
		must(w.t, err)
		all, subjects = append(all, e), append(subjects, m.Subject)
	}
	return all, subjects
}
