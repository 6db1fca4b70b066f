package exchangesim

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"

	"roomsync/internal/exchangesim/faults"
)

// spoiler is a ResponseWriter that holds an answer back when a fault is to change its bytes, and else passes it on.
type spoiler struct {
	http.ResponseWriter
	how    string // value of faults.SpoilHeader; empty: pass on
	status int
	body   bytes.Buffer
}

// Unwrap lets http.ResponseController reach the connection.
func (s *spoiler) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (s *spoiler) WriteHeader(status int) {
	h := s.Header()
	if how := h.Get(faults.SpoilHeader); how != "" {
		h.Del(faults.SpoilHeader)
		s.how, s.status = how, status
		return
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (s *spoiler) Write(b []byte) (int, error) {
	if s.how != "" {
		return s.body.Write(b)
	}
	return s.ResponseWriter.Write(b)
}

// finish sends what was held back. When the answer is to be cut it ends the request by a panic, as net/http wants it.
func (s *spoiler) finish() {
	if s.how == "" {
		return
	}
	h := s.Header()
	body := s.body.Bytes()
	if h.Get("Content-Encoding") == "gzip" {
		if plain, err := unzip(body); err == nil {
			body = plain
			h.Del("Content-Encoding")
		}
	}
	h.Del("Content-Length")
	body, cut := faults.Spoil(s.how, body)
	s.ResponseWriter.WriteHeader(s.status)
	_, _ = s.ResponseWriter.Write(body) // the client may be gone
	if cut {
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
}

func unzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
