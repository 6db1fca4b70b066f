package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim"
)

// TestFleet_WorkersShareTheirToken starts eight workers that all need a token at the same moment, takes every token away
// while they work, and lets a ninth come later.
func TestFleet_WorkersShareTheirToken(t *testing.T) {
	const workers = 8
	s := startSystem(t, exchangesim.Options{Seed: 5, Mailboxes: 10 * workers, Items: 1, BusyShare: exchangesim.NoBusyShare, Latency: 100 * time.Millisecond})
	key := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(key, []byte("a key for tests, of 32 bytes or more\n"), 0o400))
	s.dispatcher()
	// With few slots no worker can take the jobs of all.
	fleet := make([]*process, 0, workers+1)
	start := func() {
		fleet = append(fleet, s.worker("--token-key-file", key, "--slots=4"))
	}
	for range workers {
		start()
	}
	for _, p := range fleet {
		p.says(t, 0, `"message":"started"`)
	}
	s.want()
	s.speak(fleet, "sim-app/1")
	s.wantRequests(1)

	s.sim.Entra().Revoke("")
	s.speak(fleet, "sim-app/2")
	s.wantRequests(2)

	start()
	s.speak(fleet, "sim-app/2")
	s.wantRequests(2)
	for _, p := range fleet {
		if log := p.log.String(); strings.Contains(log, `"level":"warn"`) || strings.Contains(log, `"level":"error"`) {
			t.Errorf("a worker complains:\n%s", log)
		}
	}
}

// speak waits until every process of a fleet has asked Exchange for something with a token.
func (s *system) speak(fleet []*process, token string) {
	s.t.Helper()
	eventually(s.t, slowly, func() error {
		clients := map[string]bool{}
		for _, c := range s.sim.Faults().Calls(0, "", 0) {
			if c.TokenID == token && c.Status == 200 {
				clients[c.RequestID[:max(0, strings.LastIndex(c.RequestID, "-"))]] = true // the rest counts requests
			}
		}
		if len(clients) != len(fleet) {
			return fmt.Errorf("%d of %d processes have used the token %s\n%s", len(clients), len(fleet), token, fleet[len(fleet)-1].log)
		}
		return nil
	})
}

func (s *system) wantRequests(n uint64) {
	s.t.Helper()
	if got := s.sim.Entra().Stats(); got.Requests != n || got.Issued != n {
		s.t.Errorf("%d token requests, %d tokens issued, want %d", got.Requests, got.Issued, n)
	}
}
