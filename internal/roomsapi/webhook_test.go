package roomsapi

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/testenv"
)

func TestWebhook_PostsEverythingInOrder(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		for i := range 300 {
			w.tell(mailbox(i%20), events.TypeCalendarChanged, i)
		}
		w.post(rc, "a")
		until(t, 5*time.Second, "what was there before", func() bool { return rc.got() == 300 })
		_, err := w.js.Publish(t.Context(), events.EventsSubject("a"), []byte("no event")) // is passed over
		must(t, err)
		for i := range 100 {
			w.tell(mailbox(i%3), events.TypeCalendarChanged, 1000+i)
		}
		until(t, time.Second, "what comes", func() bool { return rc.got() == 400 })
		rc.ordered()
	})
}

// One mailbox's event that is never taken holds up that mailbox's others, and nobody else's.
func TestWebhook_OneMailboxHoldsUpNobodyElse(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		bad := events.MailboxToken(mailbox(0))
		well := false
		rc.answer = func(e events.Event, _ int) (int, http.Header) {
			rc.mu.Lock()
			defer rc.mu.Unlock()
			if e.Subject == bad && !well {
				return http.StatusInternalServerError, nil
			}
			return http.StatusOK, nil
		}
		w.post(rc, "a")
		for i := range 200 {
			w.tell(mailbox(i%4), events.TypeCalendarChanged, i)
		}
		until(t, 3*time.Second, "the others", func() bool { return rc.got() == 150 })
		time.Sleep(time.Hour)
		first := bad + "/1/0/0"
		rc.mu.Lock()
		tries, others := rc.attempts[first], len(rc.attempts)
		at := rc.times[first]
		well = true
		rc.mu.Unlock()
		if log := w.log.String(); strings.Count(log, "events wait") < 50 || strings.Contains(log, "nothing waits any more") {
			t.Error("the log does not say all the time that events wait")
		}
		if others != 151 || tries < 13 || tries > 40 {
			t.Errorf("%d events were posted, the bad one %d times in an hour", others, tries)
		}
		for i := 8; i < len(at)-1; i++ {
			if d := at[i+1].Sub(at[i]); d < 2*time.Minute || d > 6*time.Minute {
				t.Errorf("%v between attempts %d and %d", d, i, i+1)
			}
		}
		until(t, 6*time.Minute, "the bad one", func() bool { return rc.got() == 200 })
		rc.ordered()
	})
}

// While the receiver is down, few requests ask whether it is up again; then everything comes at once, in order.
func TestWebhook_TheReceiverIsDown(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		var mu sync.Mutex
		status := http.StatusBadGateway
		rc.answer = func(events.Event, int) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			return status, nil
		}
		w.post(rc, "a")
		for i := range 2000 { // of more mailboxes than may be owed something
			w.tell(mailbox(i%1500), events.TypeCalendarChanged, i)
		}
		time.Sleep(time.Hour)
		rc.mu.Lock()
		asked := rc.total
		rc.mu.Unlock()
		if asked < 60 || asked > 250 {
			t.Errorf("%d requests in an hour", asked)
		}
		if !strings.Contains(w.log.String(), `"lastError":"HTTP 502"`) {
			t.Error("the log does not say how the webhook fares")
		}
		mu.Lock()
		status = http.StatusOK
		mu.Unlock()
		until(t, 2*time.Minute, "everything", func() bool { return rc.got() == 2000 })
		rc.ordered()
		time.Sleep(2 * time.Minute)
		if !strings.Contains(w.log.String(), "nothing waits any more") {
			t.Error("the log does not say that it is over")
		}
	})
}

func TestWebhook_WaitsAsLongAsItIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  string
		wait   time.Duration
	}{
		"seconds":       {http.StatusTooManyRequests, "600", 10 * time.Minute},
		"a date":        {http.StatusServiceUnavailable, "Sat, 01 Jan 2000 00:20:00 GMT", 20 * time.Minute}, // fake time begins in that year
		"too long":      {http.StatusServiceUnavailable, "999999", time.Hour},
		"gone for good": {http.StatusGone, "", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			testenv.Bubble(t, func(t *testing.T) {
				w, rc := newWorld(t), newReceiver(t)
				began := time.Now()
				rc.answer = func(_ events.Event, attempt int) (int, http.Header) {
					if time.Since(began) < c.wait {
						return c.status, http.Header{"Retry-After": {c.after}}
					}
					return http.StatusOK, nil
				}
				w.tell(mailbox(0), events.TypeCalendarChanged, 0)
				w.post(rc, "a")
				until(t, time.Minute, "the first request", func() bool { rc.mu.Lock(); defer rc.mu.Unlock(); return rc.total > 0 })
				w.tell(mailbox(1), events.TypeCalendarChanged, 1)
				time.Sleep(time.Until(began.Add(c.wait - time.Second)))
				rc.mu.Lock()
				if rc.total != 1 {
					t.Errorf("%d requests within %v", rc.total, c.wait)
				}
				rc.mu.Unlock()
				until(t, 6*time.Minute, "both events", func() bool { return rc.got() == 2 })
				if gone := strings.Contains(w.log.String(), "410 Gone"); gone != (c.status == http.StatusGone) {
					t.Errorf("the log speaks of 410: %t", gone)
				}
			})
		})
	}
}

// Of several processes one posts; when it stops or dies another goes on where it was.
func TestWebhook_TheFleetPostsOnce(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		stops := []func(){w.post(rc, "a"), w.post(rc, "b"), w.post(rc, "c")}
		n := 0
		more := func(k int) {
			for range k {
				w.tell(mailbox(n%50), events.TypeCalendarChanged, n)
				n++
			}
		}
		more(200)
		until(t, 10*time.Second, "the first events", func() bool { return rc.got() == n })
		for _, stop := range stops[:2] {
			more(100)
			stop() // whichever posts, in the midst of it
			more(100)
			until(t, 10*time.Second, "the events after a stop", func() bool { return rc.got() >= n })
		}
		time.Sleep(10 * time.Minute)
		if rc.got() != n {
			t.Errorf("%d events were taken, %d there are: a process that stops leaves nothing to repeat", rc.got(), n)
		}
		rc.ordered()
	})
}

// A process that dies leaves its lease behind, and a second's events may be repeated, in order still.
func TestWebhook_AProcessDies(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		b := w.connect()
		for i := range 100 {
			w.tell(mailbox(i%5), events.TypeCalendarChanged, i)
		}
		cursor, err := b.OpenWebhook(t.Context(), webhookName)
		must(t, err)
		l := &lease{cursor: cursor, owner: "dead", now: b.Now}
		record, _, err := cursor.Load(t.Context())
		must(t, err)
		record.Read, record.Owed = 60, map[string]uint64{events.MailboxToken(mailbox(0)): 31} // 31, 36, 41 … are of mailbox 0
		must(t, l.save(t.Context(), record))
		began := time.Now()
		w.post(rc, "a")
		time.Sleep(leaseTime - 5*time.Second)
		if rc.got() != 0 {
			t.Fatal("another process posts while the lease runs")
		}
		until(t, 15*time.Second, "what is owed", func() bool { return rc.got() == 40+6 })
		t.Logf("took over after %v", time.Since(began))
		time.Sleep(time.Minute)
		rc.ordered()
		if rc.got() != 46 {
			t.Errorf("%d events", rc.got())
		}
		if got := rc.taken[events.MailboxToken(mailbox(0))][0]; got != 31 {
			t.Errorf("mailbox 0 goes on at %d, want 31", got)
		}
	})
}

// Whoever loses the lease while NATS is away stops posting before another may begin.
func TestWebhook_NATSIsAway(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		w.post(rc, "a")
		w.post(rc, "b")
		for i := range 50 {
			w.tell(mailbox(i%5), events.TypeCalendarChanged, i)
		}
		until(t, 10*time.Second, "the first events", func() bool { return rc.got() == 50 })
		time.Sleep(5 * time.Second)
		w.store.stop()
		time.Sleep(5 * time.Minute)
		w.store.start()
		until(t, time.Minute, "a connection", w.bus.Up)
		for i := range 50 {
			w.tell(mailbox(i%5), events.TypeCalendarChanged, 100+i)
		}
		until(t, time.Minute, "the events after that", func() bool { return rc.got() == 100 })
		rc.ordered()
	})
}

func TestWebhook_FollowsNoRedirect(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		rc.answer = func(_ events.Event, attempt int) (int, http.Header) {
			if attempt < 5 {
				return []int{301, 302, 307, 308}[attempt-1], http.Header{"Location": {"//evil.example/"}}
			}
			return 200, nil
		}
		w.tell(mailbox(0), events.TypeCalendarChanged, 0)
		w.post(rc, "a")
		until(t, 5*time.Minute, "the event", func() bool { return rc.got() == 1 })
		rc.mu.Lock()
		defer rc.mu.Unlock()
		if rc.total != 5 || !strings.Contains(w.log.String(), "not followed") {
			t.Errorf("%d requests", rc.total)
		}
	})
}

// TestLogs_HoldNoSecret, through every way that a webhook can fail.
func TestLogs_HoldNoSecret(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		rc.answer = func(_ events.Event, attempt int) (int, http.Header) {
			switch attempt {
			case 1:
				panic(http.ErrAbortHandler)
			case 2:
				time.Sleep(time.Minute)
			case 3:
				return 500, nil
			}
			return 200, nil
		}
		w.tell(mailbox(0), events.TypeCalendarChanged, 0)
		w.post(rc, "a")
		until(t, 10*time.Minute, "the event", func() bool { return rc.got() > 0 })
		time.Sleep(time.Minute) // the slow answer ends
		log := w.log.String()
		for _, want := range []string{"no answer within 15s", "HTTP 500", "EOF"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not say %q", want)
			}
		}
		for _, secret := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:20], "hook?path"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// While NATS is away the lease cannot be renewed: no request is begun that could outlive it, and another process may begin after it.
func TestWebhook_NoRequestOutlivesTheLease(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w, rc := newWorld(t), newReceiver(t)
		rc.answer = func(events.Event, int) (int, http.Header) {
			time.Sleep(11 * time.Second)
			return http.StatusOK, nil
		}
		for i := range maxQueue {
			w.tell(mailbox(0), events.TypeCalendarChanged, i)
		}
		w.post(rc, "a")
		time.Sleep(5 * time.Second)
		w.store.stop()
		away := time.Now()
		time.Sleep(10 * time.Minute)
		rc.mu.Lock()
		begun := rc.total
		for id, at := range rc.times {
			if d := at[len(at)-1].Sub(away); d > leaseTime-postTime {
				t.Errorf("%s was posted %v after NATS was away", id, d)
			}
		}
		rc.mu.Unlock()
		if begun < 3 {
			t.Errorf("only %d requests", begun)
		}
		w.store.start()
		until(t, 5*time.Minute, "the others", func() bool { return len(rc.seen()) == maxQueue })
	})
}
