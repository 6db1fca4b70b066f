package entra

import (
	"net/http"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// call is a request on its way past the interceptor. As a ResponseWriter it remembers the status.
type call struct {
	http.ResponseWriter
	r      *http.Request
	hook   hook.Interceptor
	info   hook.Call
	status int
}

// open starts a call; the returned function must be called when it is over.
func (s *Server) open(w http.ResponseWriter, r *http.Request, operation, subject string) (*call, func()) {
	c := &call{ResponseWriter: w, r: r, hook: s.opts.Interceptor}
	s.mu.Lock()
	s.calls++
	s.tries[operation+" "+subject]++
	c.info = hook.Call{
		ID: s.calls, Time: s.opts.Now(), Operation: operation, Mailbox: subject, Items: 1,
		Attempt:   s.tries[operation+" "+subject],
		RequestID: r.Header.Get("client-request-id"), UserAgent: r.UserAgent(),
	}
	s.mu.Unlock()
	began := time.Now()
	return c, func() {
		if c.hook != nil {
			c.hook.Done(&c.info, c.status, nil, time.Since(began))
		}
	}
}

// WriteHeader implements http.ResponseWriter.
func (c *call) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// before reports whether a fault has answered the call, which then has no effect.
func (c *call) before() bool { return c.hook != nil && c.play(c.hook.Before(&c.info)) }

// after reports whether a fault has answered the call after its effect.
func (c *call) after() bool { return c.hook != nil && c.play(c.hook.After(&c.info)) }

// play sends a scripted answer. It returns false when the true answer is still to be sent.
func (c *call) play(a *hook.Answer) bool {
	if a == nil {
		return false
	}
	if a.Hang {
		<-c.r.Context().Done()
		return true
	}
	if !c.wait(a.Delay) {
		return true
	}
	if a.Reset {
		panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
	}
	for k, v := range a.Header {
		c.Header()[k] = v
	}
	if a.Status == 0 {
		return false
	}
	c.WriteHeader(a.Status)
	c.send(a)
	return true
}

func (c *call) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.r.Context().Done():
		return false
	}
}

func (c *call) send(a *hook.Answer) {
	if a.CutAfter > 0 && a.CutAfter < len(a.Body) {
		_, _ = c.Write(a.Body[:a.CutAfter])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	if a.Trickle <= 0 {
		_, _ = c.Write(a.Body)
		return
	}
	flush := http.NewResponseController(c.ResponseWriter)
	for i := range a.Body {
		if _, err := c.Write(a.Body[i : i+1]); err != nil || flush.Flush() != nil || !c.wait(a.Trickle) {
			return
		}
	}
}
