package faults

import (
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/hook"
)

func TestViolation_TooEarly(t *testing.T) {
	for rule, wait := range map[string]time.Duration{
		"H4 attempt=1 backoff=2s":                               2 * time.Second,
		"E1 attempt=1 backoff=1500ms":                           1500 * time.Millisecond,
		"H1 attempt=1 retry-after=3":                            3 * time.Second,
		"H3 attempt=1 retry-after=7":                            7 * time.Second,
		"H2 attempt=1 retry-after=date+30s":                     30 * time.Second,
		"H1 attempt=1 retry-after=31536000":                     longestWait,
		"E14 GetItem attempt=1 code=ErrorServerBusy backoff=4s": 4 * time.Second,
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := engine(t, rule)
				c := call("a@x.example", "GetItem", 1)
				e.Before(c)
				e.Item(c, 0, "id")
				e.Done(c, 500, nil, 0)
				time.Sleep(wait - time.Millisecond)
				struck(e, "b@x.example", "GetItem", 1) // another mailbox may go on
				struck(e, "a@x.example", "GetItem", 2)
				time.Sleep(time.Millisecond)
				struck(e, "a@x.example", "GetItem", 3)
				v := e.Violations()
				if len(v) != 1 || v[0].Kind != TooEarly || v[0].Call != 2 || v[0].Mailbox != "a@x.example" || v[0].Early != milli {
					t.Errorf("violations %+v, want one of call 2, 1 ms early", v)
				}
			})
		})
	}
}

func TestViolation_NonsensicalRetryAfterBindsNobody(t *testing.T) {
	for _, value := range []string{"0", "-5", "soon"} {
		e := engine(t, "H2 attempt=1 retry-after="+value)
		struck(e, "a@x.example", "GetItem", 1)
		struck(e, "a@x.example", "GetItem", 2)
		if v := e.Violations(); len(v) != 0 {
			t.Errorf("Retry-After %s: %+v", value, v)
		}
	}
}

func TestViolation_OverlapAndConcurrency(t *testing.T) {
	e := New(Options{MaxConcurrent: 3})
	begin := func(id uint64, fence string) *hook.Call {
		c := &hook.Call{ID: id, Mailbox: "a@x.example", Operation: "GetItem", Fence: fence, Attempt: int(id)}
		e.Before(c)
		return c
	}
	one, two := begin(1, "f1"), begin(2, "f1") // one owner may do two things at once
	e.Done(one, 200, nil, 0)
	three := begin(3, "f2") // while 2 runs
	e.Done(two, 200, nil, 0)
	e.Done(three, 200, nil, 0)
	e.Done(begin(4, "f2"), 200, nil, 0)
	if v := e.Violations(); len(v) != 1 || v[0].Kind != Overlap || v[0].Call != 3 || v[0].Fence != "f2" || v[0].Other != "f1" {
		t.Fatalf("violations %+v, want one overlap of call 3 with f1", v)
	}
	for id := range uint64(4) {
		begin(10+id, "")
	}
	if v := e.Violations(); len(v) != 2 || v[1].Kind != Concurrency || v[1].Call != 13 || v[1].Running != 4 {
		t.Errorf("violations %+v, want a second one for the fourth call at once", v)
	}
	if n := e.Counters(); n.Violations[Overlap] != 1 || n.Running != 4 {
		t.Errorf("counters %+v", n)
	}
}

func TestLog_RingAndCounters(t *testing.T) {
	e := New(Options{Calls: 3})
	if _, err := e.Add(Rule{Fault: "H4", Attempt: Attempts{4, 4}}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 5; n++ {
		c := call("a@x.example", "GetItem", n)
		c.Caller, c.Fence = hook.Principal{AppID: "sim-app", TokenID: "sim-app/1"}, "7"
		status, codes := 200, []string{"NoError"}
		if e.Before(c) != nil {
			status, codes = 500, []string{"ErrorServerBusy"}
		}
		e.Done(c, status, codes, 5*time.Millisecond)
	}
	got := e.Calls(0, "", 0)
	if len(got) != 3 || got[0].Seq != 3 || got[2].Seq != 5 {
		t.Fatalf("the ring holds %+v", got)
	}
	if r := got[1]; r.Status != 500 || r.Codes[0] != "ErrorServerBusy" || r.Faults[0] != "H4 before" || r.TokenID != "sim-app/1" || r.Caller != "sim-app" || r.Fence != "7" {
		t.Errorf("record %+v", r)
	}
	if got := e.Calls(4, "A@x.example", 0); len(got) != 1 || got[0].Seq != 5 {
		t.Errorf("since 4: %+v", got)
	}
	if got := e.Calls(0, "b@x.example", 0); len(got) != 0 {
		t.Errorf("another mailbox: %+v", got)
	}
	n := e.Counters()
	if n.Calls != 5 || n.Running != 0 || n.ByStatus[200] != 4 || n.ByOperation["GetItem"] != 5 || n.ByCode["ErrorServerBusy"] != 1 || n.Faults["H4"] != 1 {
		t.Errorf("counters %+v", n)
	}
	e.Reset()
	if n := e.Counters(); n.Calls != 0 || len(e.Rules()) != 0 || len(e.Calls(0, "", 0)) != 0 {
		t.Errorf("after Reset: %+v", n)
	}
}

func TestCallsChanged(t *testing.T) {
	e := engine(t)
	changed := e.CallsChanged()
	c := call("a@x.example", "GetItem", 1)
	e.Before(c)
	select {
	case <-changed:
		t.Error("closed before the call ended")
	default:
	}
	e.Done(c, 200, nil, 0)
	<-changed
	if e.CallsChanged() == changed {
		t.Error("the channel is used twice")
	}
}

// Calls for nobody's mailbox share nothing that could be overrun.
func TestViolation_NotWithoutAMailbox(t *testing.T) {
	e := New(Options{MaxConcurrent: 1})
	if _, err := e.Add(Rule{Fault: "H4", Attempt: Attempts{1, 1}}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		c := call("", "GetServerTimeZones", n)
		c.Fence = string(rune('0' + n))
		e.Before(c)
	}
	if v := e.Violations(); len(v) != 0 {
		t.Errorf("violations %+v", v)
	}
}
