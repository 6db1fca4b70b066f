package roomsapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"roomsync/events"
	"roomsync/internal/tokens"
)

func BenchmarkChanges(b *testing.B) {
	for _, c := range []struct{ clients, batch, mailboxes int }{{1, 1, 1}, {16, 1, 1000}, {1, 100, 1}, {1, 100, 100}, {4, 500, 1000}} {
		b.Run(fmt.Sprintf("clients=%d/batch=%d/mailboxes=%d", c.clients, c.batch, c.mailboxes), func(b *testing.B) {
			w := newWorld(b)
			url := w.serve(nil).URL + "/v1/changes"
			tr := &http.Transport{MaxIdleConnsPerHost: c.clients}
			defer tr.CloseIdleConnections()
			var next atomic.Int64
			var done sync.WaitGroup
			b.ResetTimer()
			for range c.clients {
				done.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						benchPost(b, tr, url, int(n)*c.batch, c.batch, c.mailboxes)
					}
				})
			}
			done.Wait()
			b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func benchPost(b *testing.B, tr http.RoundTripper, url string, first, batch, mailboxes int) {
	all, kind := make([]string, batch), typeBatch
	for i := range all {
		all[i] = booking(fmt.Sprint(first+i), fmt.Sprintf("room%d@contoso.example", (first+i)%mailboxes), first+i)
	}
	body := "[" + strings.Join(all, ",") + "]"
	if batch == 1 {
		body, kind = all[0], typeStructured
	}
	r, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+canary)
	r.Header.Set("Content-Type", kind)
	resp, err := tr.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		b.Error(resp, err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// BenchmarkEvents tells b.N events to so many readers: that are kept, or that come.
func BenchmarkEvents(b *testing.B) {
	for _, readers := range []int{1, 16} {
		for _, filter := range []string{"", "&mailbox=" + room1} {
			b.Run(fmt.Sprintf("kept/readers=%d/filtered=%t", readers, filter != ""), func(b *testing.B) { benchRead(b, readers, filter, true) })
		}
		b.Run(fmt.Sprintf("live/readers=%d", readers), func(b *testing.B) { benchRead(b, readers, "", false) })
	}
}

func benchRead(b *testing.B, readers int, filter string, kept bool) {
	w := newWorld(b)
	w.tell(room1, events.TypeCalendarChanged, 0)
	tell := func() {
		for i := range b.N {
			w.tell(room1, events.TypeCalendarChanged, i+1)
		}
	}
	if kept {
		tell()
	}
	url := w.serve(nil).URL
	var all []*source
	for range readers {
		all = append(all, open(b, http.DefaultClient, url+"/v1/events?after=0"+filter))
		all[len(all)-1].next()
	}
	var done sync.WaitGroup
	b.ResetTimer()
	for _, s := range all {
		done.Go(func() { countEvents(s.r, b.N) })
	}
	if !kept {
		tell()
	}
	done.Wait()
	b.ReportMetric(float64(b.N*readers)/b.Elapsed().Seconds(), "events/s")
}

func countEvents(r *bufio.Reader, n int) {
	for n > 0 {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 6 && string(line[:6]) == "data: " {
			n--
		}
	}
}

func BenchmarkWebhook(b *testing.B) {
	w := newWorld(b)
	for i := range b.N {
		w.tell(mailbox(i%100), events.TypeCalendarChanged, i)
	}
	var got atomic.Int64
	done := make(chan struct{})
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		if got.Add(1) == int64(b.N) {
			close(done)
		}
		return &http.Response{StatusCode: 204, Body: http.NoBody, Request: r}, nil
	})
	b.ResetTimer()
	w.serve(func(o *Options) {
		o.Webhook = &WebhookOptions{URL: "http://127.0.0.1/", Transport: rt, Secrets: func() ([]tokens.Secret, error) { return secrets, nil }}
	})
	<-done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
