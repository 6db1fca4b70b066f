package roomsapi

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/testenv"
	"roomsync/internal/tokens"
)

// piped serves an API in fake time.
func (w *world) piped(change func(*Options)) *http.Client {
	o := Options{Bus: w.bus, Log: w.log.logger(), Name: "test", MailboxToken: events.MailboxToken, Tokens: oneToken}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	must(w.t, err)
	p := testenv.NewPipe()
	srv := &http.Server{Handler: a.Handler(http.NotFoundHandler()), ReadTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		_ = srv.Serve(p)
		close(done)
	}()
	w.run(a.Run)
	tr := p.Transport()
	w.t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = srv.Close()
		<-done
	})
	return &http.Client{Transport: tr}
}

// A quiet stream beats, and moves the position over what others are told, so that it is not forgotten meanwhile.
func TestEvents_AQuietStreamBeatsAndMoves(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		client := w.piped(nil)
		s := open(t, client, "http://api/v1/events?mailbox="+room2+"&after=0")
		_, err := s.block()
		must(t, err)
		for i := range 20 {
			seq := w.tell(room1, events.TypeCalendarChanged, i)
			began := time.Now()
			b, err := s.block()
			must(t, err)
			if d := time.Since(began); !b.beat || b.kind != "" || b.id != seq || d < heartbeat-time.Second || d > heartbeat+time.Second {
				t.Fatalf("after %v came %+v, want a beat at %d", d, b, seq)
			}
		}
		w.tell(room2, events.TypeCalendarChanged, 0)
		if b := s.next(); b.id != 21 {
			t.Errorf("%+v", b)
		}
		_ = s.resp.Body.Close()
	})
}

// Tokens are taken up and revoked without a restart, and a stream ends with its token.
func TestTokens_AreReadAnew(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		names, broken := []string{"a", "b"}, false
		set := func(b bool, all ...string) {
			mu.Lock()
			defer mu.Unlock()
			broken, names = b, all
		}
		client := w.piped(func(o *Options) {
			o.Tokens = func() (all []Token, err error) {
				mu.Lock()
				defer mu.Unlock()
				if broken {
					return nil, errors.New("half a file")
				}
				for _, n := range names {
					all = append(all, Token{n, tokens.NewSecret(strings.Repeat(n, 40))})
				}
				return all, nil
			}
		})
		get := func(name string) int {
			r, _ := http.NewRequest(http.MethodGet, "http://api/v1/events", nil)
			r.Header.Set("Accept", typeJSON)
			r.Header.Set("Authorization", "bearer "+strings.Repeat(name, 40))
			resp, err := client.Do(r)
			must(t, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		check := func(when string, a, b, c int) {
			t.Helper()
			if x, y, z := get("a"), get("b"), get("c"); x != a || y != b || z != c {
				t.Errorf("%s: %d, %d, %d", when, x, y, z)
			}
		}
		check("at first", 200, 200, 401)
		r, _ := http.NewRequest(http.MethodGet, "http://api/v1/events", nil)
		r.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 40))
		stream, err := client.Do(r)
		must(t, err)
		set(false, "b", "c")
		time.Sleep(rereadEvery)
		check("rotated", 401, 200, 200)
		began := time.Now()
		if _, err := io.Copy(io.Discard, stream.Body); err != nil || time.Since(began) > 2*heartbeat {
			t.Errorf("the stream of a revoked token ended after %v: %v", time.Since(began), err)
		}
		_ = stream.Body.Close()
		set(true)
		time.Sleep(rereadEvery)
		check("unreadable", 401, 200, 200)
		check("still unreadable", 401, 200, 200)
		if n := strings.Count(w.log.String(), "those before stay in force"); n != 1 {
			t.Errorf("%d warnings of an unreadable file", n)
		}
		if strings.Contains(w.log.String(), "bbbbbbbb") {
			t.Error("a token stands in the log")
		}
	})
}

// A client that takes nothing is let go, and holds no memory meanwhile.
func TestEvents_AClientThatTakesNothingIsLetGo(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		s := open(t, w.piped(nil), "http://api/v1/events?after=0")
		for i := range 500 {
			w.tell(room1, events.TypeCalendarChanged, i)
		}
		time.Sleep(writeTime + 2*heartbeat)
		n := 0
		for {
			b, err := s.block()
			if err != nil {
				break
			}
			if b.kind != "" {
				n++
			}
		}
		if n >= 500 {
			t.Errorf("all %d events were told to a client that took none for %v", n, writeTime)
		}
		if !strings.Contains(w.log.String(), "a reader of events goes") {
			t.Error("the reader is served still")
		}
	})
}

// While too many requests are being stored, the next is turned away.
func TestChanges_TooManyAtOnce(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		client := w.piped(nil)
		release := make(chan struct{})
		var done sync.WaitGroup
		var taken atomic.Int64
		for i := range maxPosts {
			done.Go(func() {
				r, _ := http.NewRequest(http.MethodPost, "http://api/v1/changes", &slow{text: booking(strconv.Itoa(i), room1, i), release: release})
				r.Header.Set("Authorization", "Bearer "+canary)
				r.Header.Set("Content-Type", typeStructured)
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode == 202 {
					taken.Add(1)
				}
			})
		}
		time.Sleep(time.Second)
		r, _ := http.NewRequest(http.MethodPost, "http://api/v1/changes", strings.NewReader(booking("x", room1, 1)))
		r.Header.Set("Authorization", "Bearer "+canary)
		r.Header.Set("Content-Type", typeStructured)
		resp, err := client.Do(r)
		must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d", resp.StatusCode)
		}
		close(release)
		done.Wait()
		if taken.Load() != maxPosts {
			t.Errorf("%d were taken", taken.Load())
		}
	})
}

// slow is a body that comes when it is released.
type slow struct {
	text    string
	release chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	<-s.release
	if s.text == "" {
		return 0, io.EOF
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}

// The webhook speaks TLS, checks whom it speaks to, and says how it fares.
func TestWebhook_OverTLS(t *testing.T) {
	w := newWorld(t)
	var got atomic.Int64
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0)
	receiver.StartTLS()
	defer receiver.Close()
	hook := func(t http.RoundTripper) func(*Options) {
		return func(o *Options) {
			o.Webhook = &WebhookOptions{URL: receiver.URL, Secrets: func() ([]tokens.Secret, error) { return secrets, nil }, Transport: t}
		}
	}
	w.tell(room1, events.TypeCalendarChanged, 0)
	p, err := newPoster(*func() *WebhookOptions { var o Options; hook(nil)(&o); return o.Webhook }())
	must(t, err)
	d, err := w.bus.NextEvent(t.Context(), everybody, 1)
	must(t, err)
	if err := p.post(t.Context(), newEntry(d)); !errors.As(err, new(x509.UnknownAuthorityError)) || strings.Contains(err.Error(), receiver.URL) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	url := w.serve(hook(receiver.Client().Transport)).URL
	for {
		resp, body := do(t, http.MethodGet, url+"/v1/webhook", "")
		s := decodeAs[WebhookState](t, body)
		if resp.StatusCode != 200 || s.Last != 1 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		if s.Read == 1 && s.Behind == 0 && !s.Posted.IsZero() && s.Oldest == 0 {
			if got.Load() != 1 {
				t.Errorf("the event came %d times", got.Load())
			}
			return
		}
	}
}

// The stream of events is lost and made anew: the webhook begins at its beginning, and says so.
func TestWebhook_TheStreamIsMadeAnew(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		stop := w.post(rc, "a")
		for i := range 10 {
			w.tell(mailbox(i), events.TypeCalendarChanged, i)
		}
		until(t, 5*time.Second, "the first events", func() bool { return rc.got() == 10 })
		time.Sleep(2 * time.Second)
		stop()
		must(t, w.js.DeleteStream(context.Background(), events.StreamEvents))
		must(t, w.bus.Ensure(t.Context()))
		w.tell(mailbox(3), events.TypeCalendarChanged, 100)
		w.post(rc, "b")
		until(t, 10*time.Second, "the new event", func() bool { return rc.got() == 11 })
		if !strings.Contains(w.log.String(), "was made anew") {
			t.Error("nothing says so")
		}
	})
}
