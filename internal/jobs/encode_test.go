package jobs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRecord_AppendJSON: what is appended decodes to the record, as encoding/json's own encoding does.
func TestRecord_AppendJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Record{
			Want: rapid.Uint64().Draw(t, "want"), Owner: rapid.String().Draw(t, "owner"), Cursor: rapid.String().Draw(t, "cursor"),
			Lease: t0.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "lease"))), State: StateDenied,
			Settings: Settings{Address: "a@contoso.example", Enabled: true, Fields: []string{}},
		}
		for range rapid.IntRange(0, 3).Draw(t, "outbox") {
			data, _ := json.Marshal(map[string]string{"text": rapid.String().Draw(t, "text")})
			r.Outbox = append(r.Outbox, Outgoing{Kind: OutEvent, ID: rapid.String().Draw(t, "id"), Type: "x", Time: t0, Data: data})
		}
		got, err := r.AppendJSON([]byte("x"))
		if err != nil || got[0] != 'x' {
			t.Fatalf("%v %s", err, got)
		}
		plain, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var a, b Record
		if err := json.Unmarshal(got[1:], &a); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if err := json.Unmarshal(plain, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("got %+v\nwant %+v", a, b)
		}
	})
}

func TestDigest(t *testing.T) {
	for _, r := range []Record{
		{},
		{Want: 1, Settings: Settings{Enabled: true, Revision: 7}},
		{NextPoll: t0, State: StateOK, Throttled: 2, Settings: Settings{Enabled: true}},
		{NextPoll: t0, NotBefore: t0.Add(time.Hour), State: StateDenied},
	} {
		want := r.Digest()
		got, err := ParseDigest(strings.TrimSpace(want.String())) // as a header has it
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	busy := Record{Want: 1, NextPoll: t0, Lease: t0.Add(time.Minute)}
	if d := busy.Digest(); !d.Due.Equal(busy.Lease) {
		t.Errorf("work under a lease is due at %v", d.Due)
	}
	for _, bad := range []string{"", "1 1 1 x ok", "a 1 1 0 ok", "1 1 1 0"} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
