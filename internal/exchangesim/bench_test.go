package exchangesim

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// BenchmarkSyncNoChange is the call that a product makes most often, with sign-in, faults and log, without the network.
func BenchmarkSyncNoChange(b *testing.B) {
	sim, err := New(Options{Seed: 1, Mailboxes: 5, BusyShare: NoBusyShare})
	if err != nil {
		b.Fatal(err)
	}
	call := func(body string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, EWSPath, strings.NewReader(body))
		basic(anna)(req)
		rec := httptest.NewRecorder()
		sim.Handler().ServeHTTP(rec, req)
		return rec
	}
	first := call(envelope("", syncFolder)).Body.String()
	state := regexp.MustCompile(`<m:SyncState>([^<]+)<`).FindStringSubmatch(first)
	if state == nil {
		b.Fatal("no SyncState in " + first)
	}
	body := envelope("", strings.Replace(syncFolder, "<m:MaxChangesReturned>", "<m:SyncState>"+state[1]+"</m:SyncState><m:MaxChangesReturned>", 1))
	b.ReportAllocs()
	for b.Loop() {
		if rec := call(body); rec.Code != http.StatusOK {
			b.Fatal(rec.Body)
		}
	}
}
