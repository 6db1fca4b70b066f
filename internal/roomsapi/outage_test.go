package roomsapi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/internal/testenv"
)

// TestChanges_NothingIsAcceptedThatIsNotStored stops NATS again and again, in the midst of things, while clients post; each repeats an
// event until it has its 202.
func TestChanges_NothingIsAcceptedThatIsNotStored(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		w := newWorld(t)
		client := w.piped(nil)
		const clients, each = 8, 150
		var done sync.WaitGroup
		var mu sync.Mutex
		accepted, refused := map[string]bool{}, 0
		for c := range clients {
			done.Go(func() {
				for n := 0; n < each; {
					id := fmt.Sprintf("%d-%d", c, n)
					status := postOne(t, client, booking(id, mailbox(c), n))
					mu.Lock()
					switch status {
					case 202:
						accepted[id] = true
						n++
					case 503:
						refused++
					default:
						t.Errorf("%s: %d", id, status)
						n = each
					}
					mu.Unlock()
					time.Sleep(time.Duration(rand.N(100)) * time.Millisecond)
				}
			})
		}
		for range 5 {
			time.Sleep(time.Duration(rand.N(1000)) * time.Millisecond)
			w.restart()
		}
		done.Wait()
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
		if len(accepted) != clients*each || refused < 10 {
			t.Errorf("%d accepted, %d refused", len(accepted), refused)
		}
	})
}

func postOne(t *testing.T, client *http.Client, body string) int {
	t.Helper()
	r, _ := http.NewRequest(http.MethodPost, "http://api/v1/changes", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+canary)
	r.Header.Set("Content-Type", typeStructured)
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = resp.Body.Close()
	if resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "5" {
		t.Errorf("503 with %v", resp.Header)
	}
	return resp.StatusCode
}
