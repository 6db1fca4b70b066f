package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A server that sends a byte now and then would hold a worker until the timeout. Once an answer has begun, each
// rateWindow has to bring at least minProgress bytes.
const (
	rateWindow  = 10 * time.Second
	minProgress = 1 << 10
)

var (
	errTimeout  = errors.New("no complete answer within the timeout")
	errSlow     = fmt.Errorf("the answer came slower than %d bytes in %v", minProgress, rateWindow)
	errOversize = errors.New("the answer is larger than is accepted")
	errEncoding = errors.New("the answer is compressed in a way that was not asked for")
)

// watchdog ends a request that takes too long or whose answer comes too slowly.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	read   atomic.Int64 // bytes of the answer so far

	mu       sync.Mutex
	timer    *time.Timer // nil until start
	deadline time.Time
	before   int64 // bytes at the window's start
	begun    bool  // the answer's header is there
	stopped  bool
}

func newWatchdog(ctx context.Context) *watchdog {
	w := new(watchdog)
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// start gives the request its time.
func (w *watchdog) start(timeout time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Now().Add(timeout)
	w.timer = time.AfterFunc(timeout, w.bark)
}

// answered says that the answer's header is there; from now on its body has to make progress.
func (w *watchdog) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	w.timer.Reset(min(rateWindow, time.Until(w.deadline)))
}

func (w *watchdog) bark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	read := w.read.Load()
	switch {
	case w.stopped:
	case !time.Now().Before(w.deadline):
		w.cancel(errTimeout)
	case w.begun && read-w.before < minProgress:
		w.cancel(errSlow)
	default:
		w.before = read
		w.timer.Reset(min(rateWindow, time.Until(w.deadline)))
	}
}

func (w *watchdog) stop() {
	w.mu.Lock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.cancel(context.Canceled)
}

// reason returns why the request ended if the watchdog or the caller ended it, else err.
func (w *watchdog) reason(err error) error {
	if err == nil || errors.Is(err, errOversize) || errors.Is(err, errEncoding) {
		return err
	}
	if cause := context.Cause(w.ctx); cause != nil {
		return cause
	}
	return err
}

func (w *watchdog) body(r io.Reader) io.Reader { return &watched{r, w} }

type watched struct {
	r io.Reader
	w *watchdog
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.w.read.Add(int64(n))
	return n, err
}

var unzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

// read reads the answer's body, unpacked, into x.answer.
func (x *exchange) read(body io.Reader, h http.Header) error {
	x.answer.Reset()
	switch h.Get("Content-Encoding") {
	case "", "identity":
		return x.fill(body)
	case "gzip":
	default:
		return errEncoding
	}
	z := unzippers.Get().(*gzip.Reader)
	defer unzippers.Put(z)
	if err := z.Reset(body); err != nil {
		return fmt.Errorf("gzip: %w", unexpected(err))
	}
	return x.fill(z)
}

func (x *exchange) fill(r io.Reader) error {
	limit := x.client.opt.MaxBody
	n, err := x.answer.ReadFrom(io.LimitReader(r, limit+1))
	if n > limit {
		return errOversize
	}
	return err
}

// unexpected makes of io.EOF, which says that nothing is missing, io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
