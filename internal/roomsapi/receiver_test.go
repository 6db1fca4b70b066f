package roomsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/testenv"
	"roomsync/internal/tokens"
)

// receiver plays ROOMS' side of a webhook.
type receiver struct {
	t      *testing.T
	pipe   *testenv.Pipe
	answer func(e events.Event, attempt int) (status int, header http.Header)

	mu       sync.Mutex
	attempts map[string]int
	taken    map[string][]uint64 // by mailbox, the sequences that were taken
	times    map[string][]time.Time
	total    int
	ids      map[string]string
}

var secrets = []tokens.Secret{tokens.NewSecret(canary), tokens.NewSecret("another-" + canary)}

func newReceiver(t *testing.T) *receiver {
	rc := &receiver{t: t, pipe: testenv.NewPipe(), attempts: map[string]int{}, taken: map[string][]uint64{}, times: map[string][]time.Time{}, ids: map[string]string{}}
	srv := &http.Server{Handler: rc}
	done := make(chan struct{})
	go func() {
		_ = srv.Serve(rc.pipe)
		close(done)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return rc
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var e events.Event
	if err := json.Unmarshal(body, &e); err != nil {
		rc.t.Errorf("%v in %s", err, body)
	}
	rc.verify(r, body)
	rc.mu.Lock()
	rc.attempts[e.ID]++
	rc.total++
	if id, ok := rc.ids[e.ID]; ok && id != r.Header.Get(headerID) {
		rc.t.Errorf("%s was posted as %s and %s", e.ID, id, r.Header.Get(headerID))
	}
	rc.ids[e.ID] = r.Header.Get(headerID)
	rc.times[e.ID] = append(rc.times[e.ID], time.Now())
	attempt, answer := rc.attempts[e.ID], rc.answer
	rc.mu.Unlock()
	status, header := http.StatusNoContent, http.Header(nil)
	if answer != nil {
		status, header = answer(e, attempt)
	}
	for name, v := range header {
		w.Header()[name] = v
	}
	if status/100 == 2 {
		var seq uint64
		_, _ = fmt.Sscan(r.Header.Get("Roomsync-Sequence"), &seq)
		rc.mu.Lock()
		rc.taken[e.Subject] = append(rc.taken[e.Subject], seq)
		rc.mu.Unlock()
	}
	w.WriteHeader(status)
}

// verify does what a receiver does by the specification, with either of the secrets.
func (rc *receiver) verify(r *http.Request, body []byte) {
	h := r.Header
	var matches int
	for _, s := range secrets {
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, got := range strings.Fields(h.Get("webhook-signature")) {
			if got == want {
				matches++
			}
		}
	}
	var stamp int64
	_, _ = fmt.Sscan(h.Get("webhook-timestamp"), &stamp)
	if age := time.Since(time.Unix(stamp, 0)); matches != len(secrets) || age < 0 || age > time.Minute || r.Header.Get("Content-Type") != typeStructured || strings.Contains(h.Get("webhook-id"), ".") {
		rc.t.Errorf("%d signatures fit; signed %v ago; %v", matches, age, h)
	}
}

// got is how many events were taken, each counted as often as it was.
func (rc *receiver) got() (n int) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, all := range rc.taken {
		n += len(all)
	}
	return n
}

// ordered checks that each mailbox's events came in order, and none twice.
func (rc *receiver) ordered() {
	rc.t.Helper()
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for mailbox, all := range rc.taken {
		for i := 1; i < len(all); i++ {
			if all[i] <= all[i-1] {
				rc.t.Errorf("%s: event %d came after event %d", mailbox, all[i], all[i-1])
			}
		}
	}
}

// post starts a process of the fleet that posts, over a connection of its own.
func (w *world) post(rc *receiver, name string) (stop func()) {
	tr := rc.pipe.Transport()
	w.t.Cleanup(tr.CloseIdleConnections)
	a, err := New(Options{Bus: w.connect(), Log: w.log.logger(), Name: name, MailboxToken: events.MailboxToken, Webhook: &WebhookOptions{
		URL: "http://127.0.0.1/hook?path=" + canary, Secrets: func() ([]tokens.Secret, error) { return secrets, nil }, Transport: tr,
	}})
	must(w.t, err)
	return w.run(a.Run)
}

func mailbox(i int) string { return fmt.Sprintf("room%04d@contoso.example", i) }

// until waits in fake time, at most so long.
func until(t *testing.T, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// seen are the events that were taken, each once.
func (rc *receiver) seen() map[uint64]bool {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	all := map[uint64]bool{}
	for _, taken := range rc.taken {
		for _, seq := range taken {
			all[seq] = true
		}
	}
	return all
}
