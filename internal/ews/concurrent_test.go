package ews

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"roomsync/internal/calsync"
)

// TestConcurrentUse: buffers are reused between requests, and no answer must ever reach another's caller.
func TestConcurrentUse(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, rest, _ := strings.Cut(string(body), "<m:SyncState>")
		cursor, _, _ := strings.Cut(rest, "</m:SyncState>")
		changes := strings.Repeat(`<t:Delete><t:ItemId Id="`+cursor+`"/></t:Delete>`, 1+len(cursor)%7)
		doc := success("SyncFolderItems", `<m:SyncState>`+cursor+`+</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes>`+changes+`</m:Changes>`)
		if len(cursor)%2 == 0 {
			gzipAnswer(zipped(t, []byte(doc)))(w, r)
			return
		}
		xmlAnswer(200, doc)(w, r)
	})
	c := client(t, s, Options{})
	var deltas sync.Map
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			for i := range 20 {
				cursor := fmt.Sprintf("%d-%s", n, strings.Repeat("x", i))
				delta, err := c.Probe(t.Context(), mailbox, cursor, 0)
				if err != nil {
					t.Error(err)
				}
				deltas.Store(cursor, delta)
			}
		})
	}
	wg.Wait()
	seen := 0
	deltas.Range(func(cursor, value any) bool { // only now: what was returned must not change afterwards
		seen++
		delta := value.(calsync.Delta)
		if delta.Cursor != cursor.(string)+"+" || len(delta.Changes) == 0 || delta.Changes[0].ID != cursor {
			t.Errorf("%s got %+v", cursor, delta)
		}
		return true
	})
	if seen != 400 {
		t.Errorf("%d of 400 answers", seen)
	}
}
