package ews

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/calsync"
)

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipAnswer(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		xmlAnswer(200, string(body))(w, r)
	}
}

func TestGzip(t *testing.T) {
	good := zipped(t, []byte(noChange))
	c := client(t, serve(t, gzipAnswer(good)), Options{})
	for range 3 { // the second reuses the unpacker
		if delta, err := c.Probe(t.Context(), mailbox, "", 0); err != nil || delta.Cursor != "H4sI" {
			t.Errorf("%+v, %v", delta, err)
		}
	}
	for _, cut := range []int{0, 5, len(good) / 2, len(good) - 1} {
		if f := probe(t, gzipAnswer(good[:cut]), Options{}); f.Kind != calsync.FaultTransport || !f.Unknown {
			t.Errorf("cut after %d: %+v", cut, f)
		}
	}
	if f := probe(t, gzipAnswer([]byte("no gzip at all, really")), Options{}); f.Kind != calsync.FaultTransport {
		t.Errorf("%+v", f)
	}
}

// TestOversize: an answer is bounded after it is unpacked, and an endless one as well.
func TestOversize(t *testing.T) {
	bomb := zipped(t, bytes.Repeat([]byte(" "), 10<<20))
	if f := probe(t, gzipAnswer(bomb), Options{MaxBody: 1 << 20}); f.Kind != calsync.FaultOversize || f.Status != 200 || !f.Unknown {
		t.Errorf("%+v", f)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
	}
	if f := probe(t, endless, Options{MaxBody: 1 << 20}); f.Kind != calsync.FaultOversize {
		t.Errorf("%+v", f)
	}
	exact := client(t, serve(t, xmlAnswer(200, noChange)), Options{MaxBody: int64(len(noChange))})
	if _, err := exact.Probe(t.Context(), mailbox, "", 0); err != nil {
		t.Error(err)
	}
}

// transport answers without a network, so that time is the test's.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip is a body that gives one byte each time the pause is over.
type drip struct {
	ctx   context.Context
	pause time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (d drip) Close() error { return nil }

func dripping(pause time.Duration) transport {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}}, Body: drip{r.Context(), pause}}, nil
	}
}

func TestTimeouts(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := []struct {
		name      string
		transport transport
		want      error
		after     time.Duration
	}{
		{"H15 never answers", silent, errTimeout, 100 * time.Second},
		{"H14 a byte now and then", dripping(100 * time.Millisecond), errSlow, rateWindow},
		{"no byte of the body", dripping(time.Hour), errSlow, rateWindow},
		{"steady, and too long", dripping(time.Second / 200), errTimeout, 100 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Options{Transport: tt.transport})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = c.Probe(t.Context(), mailbox, "", 0)
				f, ok := errors.AsType[*calsync.Fault](err)
				if !ok || f.Kind != calsync.FaultTransport || !f.Unknown || !errors.Is(err, tt.want) {
					t.Errorf("%v", err)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("ended after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestCallerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := New(Options{Transport: dripping(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Probe(ctx, mailbox, "", 0); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
