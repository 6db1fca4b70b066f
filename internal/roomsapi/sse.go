package roomsapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Times of a stream.
const (
	heartbeat = 15 * time.Second // a client that hears nothing for twice as long should connect anew
	writeTime = 30 * time.Second // a client that takes nothing for so long is let go
	retryTime = 2 * time.Second  // that clients are told to wait before they connect anew
)

// stream tells events as they come (https://html.spec.whatwg.org/multipage/server-sent-events.html), until the client goes, or its
// token does, or it can go on only after its position was checked anew.
//
// An id without data is no event, but moves the client's position: so one whose mailbox is quiet for weeks does not come back with
// a position that is forgotten.
func (a *API) stream(w http.ResponseWriter, r *http.Request, q wanted, rd *reader) {
	s := &sse{w: w, rc: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", typeStream)
	h.Set("X-Accel-Buffering", "no") // of nginx
	s.buf.WriteString("retry: " + strconv.FormatInt(retryTime.Milliseconds(), 10) + "\n")
	s.position(rd.at)
	who := holderOf(r)
	a.log.Debug().Str("token", who.name).Uint64("after", rd.at).Msg("a reader of events comes")
	defer func() { a.log.Debug().Str("token", who.name).Uint64("at", rd.at).Msg("a reader of events goes") }()
	for beat := time.Now(); s.flush() == nil; {
		ctx, cancel := context.WithDeadline(r.Context(), beat.Add(heartbeat))
		found, err := rd.next(ctx, maxTake)
		cancel()
		if r.Context().Err() != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return
		}
		for _, e := range found {
			if q.takes(e) {
				s.event(e)
			}
		}
		if time.Since(beat) >= heartbeat {
			if !a.keys.valid(who) {
				return
			}
			s.buf.WriteString(":\n")
			s.position(rd.at)
			beat = time.Now()
		}
	}
}

// sse writes a stream.
type sse struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf bytes.Buffer
}

func (s *sse) position(at uint64) {
	s.buf.WriteString("id: " + strconv.FormatUint(at, 10) + "\n\n")
}

func (s *sse) event(e *entry) {
	text, err := e.text()
	if err != nil {
		return // it was read from JSON, so this cannot be
	}
	s.buf.WriteString("id: " + strconv.FormatUint(e.Sequence, 10) + "\nevent: " + e.Type + "\ndata: ")
	s.buf.Write(text)
	s.buf.WriteString("\n\n")
}

// flush sends what is buffered. The deadline is what ends a client that does not take it.
func (s *sse) flush() error {
	if s.buf.Len() == 0 {
		return nil
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	return errors.Join(err, s.rc.Flush())
}
