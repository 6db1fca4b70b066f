// Package ops is what operators see of a running process.
package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"roomsync/internal/plain"
)

// Health answers the questions of an orchestrator: GET /healthz, is the process alive (always 200), and GET /readyz,
// can it do its work (200, or 503 with the reason that ready gives).
func Health(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, plain.Text(err.Error()))
			return
		}
		answer(w, http.StatusOK, "ok")
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// ErrAddress says that the address to serve on cannot be had; nothing has begun.
var ErrAddress = errors.New("ops: no HTTP address")

// Serve runs work with h served on address ("" for none) until work ends. Work is given the address that is really served,
// "" for none: port 0 stands for any that is free. Serve returns work's error, or why the address cannot be had; work is
// then not begun. When serving fails later, work's context ends.
func Serve(ctx context.Context, address string, h http.Handler, work func(ctx context.Context, served string) error) error {
	if address == "" {
		return work(ctx, "")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w: %w (choose another --http, or off)", ErrAddress, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- srv.Serve(l)
	}()
	err = work(ctx, l.Addr().String())
	_ = srv.Close()
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("ops: %w", failed))
	}
	return err
}
