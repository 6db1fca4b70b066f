package roomsapi

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestChanges_NothingIsAcceptedThatIsNotStored stops NATS again and again while clients post, each until it has its 202.
func TestChanges_NothingIsAcceptedThatIsNotStored(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	const clients, each = 8, 60
	var done sync.WaitGroup
	var mu sync.Mutex
	accepted, refused := map[string]bool{}, 0
	for c := range clients {
		done.Go(func() {
			for n := 0; n < each; {
				id := fmt.Sprintf("%d-%d", c, n)
				r, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(booking(id, fmt.Sprintf("room%d@contoso.example", c), n)))
				r.Header.Set("Authorization", "Bearer "+canary)
				r.Header.Set("Content-Type", typeStructured)
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				mu.Lock()
				switch {
				case resp.StatusCode == 202:
					accepted[id] = true
					n++
				case resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "5":
					refused++
				default:
					t.Errorf("%s: %d", id, resp.StatusCode)
					n = each
				}
				mu.Unlock()
			}
		})
	}
	restarts := 0
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	for running := true; running; restarts++ {
		w.store.stop()
		for before := refusals(&mu, &refused); refusals(&mu, &refused) < before+clients && running; {
			select {
			case <-finished:
				running = false
			default:
			}
		}
		w.store.start()
		for before := accepts(&mu, accepted); accepts(&mu, accepted) < before+clients*each/3 && running; {
			select {
			case <-finished:
				running = false
			default:
			}
		}
	}
	all, _ := w.changesIn()
	stored, last := map[string]bool{}, map[string]int{}
	for _, e := range all {
		var c, n int
		_, _ = fmt.Sscanf(e.ID, "%d-%d", &c, &n)
		if stored[e.ID] || n < last[e.Subject] {
			t.Errorf("%s is stored twice or out of order", e.ID)
		}
		stored[e.ID], last[e.Subject] = true, n
	}
	for id := range accepted {
		if !stored[id] {
			t.Errorf("%s was accepted and is not stored", id)
		}
	}
	if len(accepted) != clients*each || refused == 0 || restarts < 2 {
		t.Errorf("%d accepted, %d refused, %d restarts", len(accepted), refused, restarts)
	}
}

func refusals(mu *sync.Mutex, n *int) int {
	mu.Lock()
	defer mu.Unlock()
	return *n
}

func accepts(mu *sync.Mutex, all map[string]bool) int {
	mu.Lock()
	defer mu.Unlock()
	return len(all)
}
