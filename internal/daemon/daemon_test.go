package daemon

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"roomsync/internal/config"
)

// A worker for Exchange Online says once, at its start, that EWS ends there; one for a server on premises does not.
func TestWorker_TellsOfTheEndOfEWS(t *testing.T) {
	env := config.Env{Getenv: func(name string) string {
		return map[string]string{"ROOMSYNC_CLIENT_SECRET": "s", "ROOMSYNC_TENANT_ID": "t", "ROOMSYNC_APP_ID": "a"}[name]
	}}
	for url, want := range map[string]int{
		"https://outlook.office365.com/EWS/Exchange.asmx": 1,
		"https://mail.b.example/EWS/Exchange.asmx":        0,
	} {
		var c config.Worker
		if err := config.Load([]string{"--nats-url=nats://127.0.0.1:1", "--http=off", "--ews-url=" + url}, env, &c); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if err := Worker(t.Context(), c, zerolog.New(&log), Extra{}); err == nil {
			t.Error("the worker ran without NATS")
		}
		if got := strings.Count(log.String(), "EWS off in Exchange Online"); got != want {
			t.Errorf("%s: told %d times, want %d:\n%s", url, got, want, log.String())
		}
	}
}
