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
		{NextPoll: t0, LastOK: t0.Add(-time.Minute), LastError: &Failure{At: t0.Add(-time.Second), Since: t0.Add(-time.Hour), Class: Transient, Code: "HTTP 503", Gate: "g"}},
		{NextPoll: t0, Held: t0.Add(time.Hour), HeldSince: t0, HeldReason: "a_b c\n+%", Settings: Settings{Enabled: true}},
	} {
		want := r.Digest()
		got, err := ParseDigest(strings.TrimSpace(want.String())) // as a header has it
		if err == nil {
			err = got.Explain(strings.TrimSpace(want.Why()))
		}
		if err != nil || got != want || strings.ContainsAny(want.Why(), "\r\n") {
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
	var d Digest
	for _, bad := range []string{"", "1 1 1 g", "1 x 1 g r", "1 1 1 g %"} {
		if err := d.Explain(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if err := d.Explain("60000 0 0 - - and what a newer version says"); err != nil || d.Interval != time.Minute {
		t.Errorf("of a newer version: %+v, %v", d, err)
	}
}

// TestDigest_Detail says why a mailbox is not in order, and by which sign-in.
func TestDigest_Detail(t *testing.T) {
	denied := &Failure{At: t0, Since: t0, Class: Denied, Code: "HTTP 403", Reason: "forbidden", Gate: "g"}
	busy := &Failure{At: t0.Add(time.Hour), Since: t0.Add(time.Hour), Class: Throttled, Code: "ErrorServerBusy", Gate: "g"}
	cases := map[string]struct {
		r    Record
		want Detail
	}{
		"new": {Record{}, Detail{}},
		"ok":  {Record{State: StateOK, LastOK: t0, NextPoll: t0.Add(time.Minute)}, Detail{Interval: time.Minute}},
		"denied": {Record{State: StateDenied, Since: t0, LastOK: t0.Add(-time.Hour), NextPoll: t0.Add(time.Hour), LastError: denied, Refusal: denied},
			Detail{time.Hour, t0, t0, "g", "forbidden"}},
		"denied, and throttled since": {Record{State: StateDenied, Since: t0, NextPoll: t0.Add(61 * time.Minute), LastError: busy, Refusal: denied, Throttled: 1},
			Detail{time.Minute, t0, busy.At, "g", "forbidden"}},
		"throttled": {Record{State: StateOK, LastOK: t0, NextPoll: busy.At, LastError: busy, Throttled: 1}, Detail{0, busy.At, busy.At, "g", "ErrorServerBusy"}},
		"held": {Record{State: StateDenied, Since: t0, NextPoll: t0, LastError: denied, Refusal: denied, Held: t0.Add(time.Hour), HeldSince: busy.At, HeldReason: "permission-missing"},
			Detail{0, busy.At, t0, "g", "permission-missing"}},
	}
	for name, c := range cases {
		if got := c.r.Digest().Detail; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestDigest_Overdue: a minute at least, three times the pause before it, and a quarter of an hour at most.
func TestDigest_Overdue(t *testing.T) {
	for _, c := range []struct{ interval, just, late time.Duration }{
		{0, time.Minute, time.Minute + 1},
		{10 * time.Second, time.Minute, time.Minute + 1},
		{time.Minute, 3 * time.Minute, 3*time.Minute + 1},
		{24 * time.Hour, 15 * time.Minute, 15*time.Minute + 1},
	} {
		d := Digest{Enabled: true, Due: t0, Detail: Detail{Interval: c.interval}}
		if by, late := d.Overdue(t0.Add(c.just)); late || by != c.just {
			t.Errorf("every %v: late %v after it was due", c.interval, by)
		}
		if _, late := d.Overdue(t0.Add(c.late)); !late {
			t.Errorf("every %v: not late %v after it was due", c.interval, c.late)
		}
		if d.Enabled = false; func() bool { _, late := d.Overdue(t0.Add(24 * time.Hour)); return late }() {
			t.Error("late, though nobody wants it")
		}
	}
}
