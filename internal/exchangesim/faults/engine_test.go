package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/hook"
)

func engine(t *testing.T, rules ...string) *Engine {
	t.Helper()
	e := New(Options{Seed: 1})
	for _, text := range rules {
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func call(mailbox, op string, attempt int) *hook.Call {
	return &hook.Call{ID: uint64(attempt), Mailbox: mailbox, Operation: op, Attempt: attempt, Items: 1}
}

// struck makes a whole call and tells which fault hit it, "" for none.
func struck(e *Engine, mailbox, op string, attempt int) string {
	c := call(mailbox, op, attempt)
	defer e.Done(c, 200, nil, 0)
	if a := e.Before(c); a != nil {
		return a.FaultID
	}
	if a := e.After(c); a != nil {
		return a.FaultID + " after"
	}
	return ""
}

func TestRule_WhichCallsAreHit(t *testing.T) {
	const anna, room = "anna@contoso.example", "room0001@contoso.example"
	for _, c := range []struct {
		rule, mailbox, op string
		want              string // one letter for each attempt from 1: x hit, a hit after the effect, - not
	}{
		{"H4", anna, "GetItem", "xxx"},
		{"H4", "app", "token", "---"},
		{"H1 token", "app", "token", "xxx"},
		{"H15 token attempt=2", "app", "token", "-x-"},
		{"H4 attempt=2", anna, "GetItem", "-x--"},
		{"H4 attempt=2-3", anna, "GetItem", "-xx-"},
		{"H4 attempt=3-", anna, "GetItem", "--xxx"},
		{"H4 attempt=every until=2", anna, "GetItem", "xx--"},
		{"H4 FindItem,GetItem", anna, "GetItem", "xx"},
		{"H4 FindItem", anna, "GetItem", "--"},
		{"H4 room*@contoso.example", room, "GetItem", "xx"},
		{"H4 room*@contoso.example", anna, "GetItem", "--"},
		{"H4 " + anna, anna, "GetItem", "xx"},
		{"h4 Anna@Contoso.Example", anna, "GetItem", "xx"},
		{"E22", anna, "CreateItem", "aa"},
		{"E22", anna, "GetItem", "--"},
		{"E8 attempt=3", anna, "SyncFolderItems", "--x-"},
		{"E8", anna, "GetItem", "--"},
		{"T22", "app", "token", "xx"},
		{"T25", "", "discovery", "xx"},
	} {
		t.Run(c.rule+" "+c.op, func(t *testing.T) {
			e := engine(t, c.rule)
			var got strings.Builder
			for i := range len(c.want) {
				switch s := struck(e, c.mailbox, c.op, i+1); {
				case s == "":
					got.WriteByte('-')
				case strings.HasSuffix(s, "after"):
					got.WriteByte('a')
				default:
					got.WriteByte('x')
				}
			}
			if got.String() != c.want {
				t.Errorf("hits %s, want %s", &got, c.want)
			}
		})
	}
}

func TestRule_CountsAttemptsSinceItWasAdded(t *testing.T) {
	e := engine(t, "H4 attempt=1")
	if got := struck(e, "a@x.example", "GetItem", 41) + struck(e, "a@x.example", "GetItem", 42); got != "H4" {
		t.Errorf("hits %q, want the first call only", got)
	}
}

// The same calls in another order are decided alike, a rate is kept, and neighbouring attempts are independent of each
// other.
func TestRule_RateDependsOnTheCallOnly(t *testing.T) {
	decide := func(backwards bool) map[string]bool {
		e, got := engine(t, "H1 rate=0.5 seed=7"), map[string]bool{}
		for i := range 2000 {
			n := i
			if backwards {
				n = 1999 - i
			}
			box := fmt.Sprintf("user%04d@contoso.example", n/10)
			got[fmt.Sprint(box, n%10+1)] = struck(e, box, "GetItem", n%10+1) != ""
		}
		return got
	}
	forth, back := decide(false), decide(true)
	if !reflect.DeepEqual(forth, back) {
		t.Error("the order of arrival decides")
	}
	hits, alike := 0, 0
	for box := range 200 {
		for n := 1; n <= 10; n++ {
			key := fmt.Sprintf("user%04d@contoso.example%d", box, n)
			next := fmt.Sprintf("user%04d@contoso.example%d", box, n+1)
			if forth[key] {
				hits++
			}
			if n < 10 && forth[key] == forth[next] {
				alike++
			}
		}
	}
	if share := float64(hits) / 2000; math.Abs(share-0.5) > 0.04 {
		t.Errorf("rate 0.5 hit %.3f", share)
	}
	if share := float64(alike) / 1800; math.Abs(share-0.5) > 0.04 {
		t.Errorf("%.3f of neighbouring attempts are decided alike, want about half", share)
	}
}

func TestRule_ShareTakesTheSameMailboxesAlways(t *testing.T) {
	e := engine(t, "H22 share=0.3")
	hit := 0
	for i := range 1000 {
		box := fmt.Sprintf("user%04d@contoso.example", i)
		first := struck(e, box, "GetItem", 1)
		if again := struck(e, box, "FindItem", 5); again != first {
			t.Fatalf("%s: %q, then %q", box, first, again)
		}
		if first != "" {
			hit++
		}
	}
	if hit < 260 || hit > 340 {
		t.Errorf("share 0.3 took %d of 1000 mailboxes", hit)
	}
}

func TestRule_TurnsAndOverlay(t *testing.T) {
	e := engine(t)
	r, err := e.Add(Rule{Fault: "H1", Then: []Then{{RetryAfter: "3"}, {Status: 429, Headers: map[string]string{"X-Test": "y"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.ID == "" || r.Operation != "*" || r.When != Before {
		t.Errorf("not completed: %+v", r)
	}
	var got []string
	for n := range 3 {
		a := e.Before(call("a@x.example", "GetItem", n+1))
		got = append(got, fmt.Sprint(a.Status, " ", a.Header.Get("Retry-After"), a.Header.Get("X-Test")))
	}
	if want := []string{"503 3", "429 10y", "503 3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
}

func TestRule_UntilATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t, "H22 until=20m")
		if struck(e, "a@x.example", "GetItem", 1) != "H22" {
			t.Error("not hit at once")
		}
		time.Sleep(20 * time.Minute)
		if got := struck(e, "a@x.example", "GetItem", 2); got != "" {
			t.Errorf("%s after its end", got)
		}
	})
}

func TestItem_PoisonedAndStoppedBatch(t *testing.T) {
	codes := func(e *Engine, items int) string {
		c := call("a@x.example", "GetItem", 1)
		e.Before(c)
		var got []string
		for i := range items {
			code := "ok"
			if f := e.Item(c, i, fmt.Sprintf("id%d", i)); f != nil {
				code = strings.TrimPrefix(f.Code, "Error")
			}
			got = append(got, code)
		}
		return strings.Join(got, " ")
	}
	if got := codes(engine(t, "E14 item=2"), 4); got != "ok ok ItemCorrupt ok" {
		t.Errorf("E14: %s", got)
	}
	if got := codes(engine(t, "E16"), 4); got != "ok MailboxStoreUnavailable BatchProcessingStopped BatchProcessingStopped" {
		t.Errorf("E16: %s", got)
	}
	e := engine(t)
	if _, err := e.Add(Rule{Fault: "E13", Item: &Item{ID: "id1"}}); err != nil {
		t.Fatal(err)
	}
	if got := codes(e, 3); got != "ok ItemNotFound ok" {
		t.Errorf("E13: %s", got)
	}
	if n := e.Counters().Faults["E13"]; n != 1 {
		t.Errorf("E13 counted %d times", n)
	}
}

func TestAdd_RefusesWithTheField(t *testing.T) {
	for field, r := range map[string]Rule{
		"fault":           {Fault: "X1"},
		"share":           {Fault: "H1", Share: 2},
		"rate":            {Fault: "H1", Rate: -1},
		"when":            {Fault: "H1", When: "later"},
		"mailbox":         {Fault: "H1", Mailbox: "[a"},
		"operation":       {Fault: "T1", Operation: "GetItem"},
		"then[0].code":    {Fault: "E1", Then: []Then{{Code: "Busy"}}},
		"then[0].form":    {Fault: "E1", Then: []Then{{Form: "letter"}}},
		"then[0].status":  {Fault: "H1", Then: []Then{{Status: 99}}},
		"then[0].aadsts":  {Fault: "T1", Then: []Then{{AADSTS: 1}}},
		"then[0].special": {Fault: "H1", Then: []Then{{Special: "x"}}},
	} {
		var fe *FieldError
		if _, err := engine(t).Add(r); !errors.As(err, &fe) || fe.Field != field || fe.Hint == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, text := range []string{"", "H4 token", "E1 token", "H11 token", "H12 discovery", "E15 token", "T1 *", "H4 GetItems", "H4 GetItem,Find", "H4 denied", "H1 attempt=0", "H1 attempt=3-2", "H1 rate=x", "H1 colour=red", "H1 until=soon"} {
		if r, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v", text, r)
		}
	}
}

// Every fault of the catalogue is either implemented, and then a rule of one word works, or is refused by name.
func TestCatalog_EveryFaultWorksOrIsRefused(t *testing.T) {
	must := map[string]bool{}
	for _, id := range strings.Fields("H1 H2 H3 H4 H5 H6 H7 H8 H10 H11 H12 H13 H14 H15 H16 H17 H18 H19 H20 H22 H23 H24 H25 H26 " +
		"E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E12 E13 E14 E15 E16 T1 T2 T14 T18 T22 T23 T24") {
		must[id] = true
	}
	count := map[byte]int{}
	for _, f := range Catalog() {
		count[f.ID[0]]++
		_, err := New(Options{}).Add(Rule{Fault: f.ID})
		var fe *FieldError
		if f.Implemented() != (err == nil) || err != nil && (!errors.As(err, &fe) || fe.Field != "fault") {
			t.Errorf("%s: implemented %t, but %v", f.ID, f.Implemented(), err)
		}
		if must[f.ID] && !f.Implemented() {
			t.Errorf("%s is not implemented", f.ID)
		}
		for _, then := range f.Then {
			if then.answer(f.ID, time.Now()) == nil {
				t.Errorf("%s: no answer for %+v", f.ID, then)
			}
		}
	}
	if count['H'] != 30 || count['E'] != 35 || count['T'] != 25 {
		t.Errorf("catalogue has %v", count)
	}
}

func TestRule_JSONRoundTrip(t *testing.T) {
	const text = `{"fault":"H4","mailbox":"room*@x.example","share":0.5,"operation":"GetItem","attempt":"1-3","rate":0.1,"seed":9,` +
		`"when":"after","then":[{"code":"ErrorServerBusy","form":"response","backOff":"1.5s"}],"until":{"count":3,"for":"20m0s"},"fired":0}`
	var r Rule
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Attempt != (Attempts{1, 3}) || r.Until.For != Duration(20*time.Minute) || r.Then[0].BackOff != Duration(1500*time.Millisecond) {
		t.Errorf("%+v", r)
	}
	if out, err := json.Marshal(r); err != nil || string(out) != text {
		t.Errorf("%s %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"fault":"H4","attempt":2}`), &r); err != nil || r.Attempt != (Attempts{2, 2}) {
		t.Errorf("attempt as a number: %+v %v", r.Attempt, err)
	}
}

func TestAccessAndThrottleByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(t)
		if err := e.Forbid("A@x.example", Denied403); err != nil {
			t.Fatal(err)
		}
		if err := e.Forbid("a@x.example", "nicely"); err == nil {
			t.Error("an unknown form was accepted")
		}
		if a := e.Before(call("a@x.example", "GetItem", 1)); a == nil || a.Status != http.StatusForbidden || len(a.Body) != 0 {
			t.Errorf("forbidden: %+v", a)
		}
		if !e.Allow("a@x.example") || e.Allow("a@x.example") {
			t.Error("Allow does not tell what was")
		}
		e.Throttle("a@x.example", 10*time.Second)
		time.Sleep(4 * time.Second)
		if a := e.Before(call("a@x.example", "GetItem", 2)); a == nil || a.SOAPFault == nil || a.SOAPFault.BackOff != 6*time.Second {
			t.Errorf("throttled: %+v", a)
		}
		time.Sleep(6 * time.Second)
		if a := e.Before(call("a@x.example", "GetItem", 3)); a != nil {
			t.Errorf("after the throttle: %+v", a)
		}
	})
}

func TestMagicAddresses(t *testing.T) {
	e := engine(t)
	for prefix, want := range map[string]string{"denied403": "H22", "denied": "E12", "gone": "E10", "slow": "H8", "moving": "E7"} {
		if got := struck(e, prefix+"-anna@contoso.example", "GetItem", 1); got != want {
			t.Errorf("%s: %q, want %s", prefix, got, want)
		}
	}
	for prefix, want := range map[string]string{"busy503": "H1", "busy": "H4", "flaky": "H10"} {
		hits := 0
		for n := range 200 {
			switch got := struck(e, prefix+"@contoso.example", "GetItem", n+1); got {
			case want:
				hits++
			case "":
			default:
				t.Fatalf("%s: %q, want %s", prefix, got, want)
			}
		}
		if hits == 0 || hits == 200 {
			t.Errorf("%s: %d of 200 calls were hit", prefix, hits)
		}
	}
	if got := struck(e, "anna@busy.example", "GetItem", 1); got != "" {
		t.Errorf("the domain counts: %s", got)
	}
}

func TestBusyShare(t *testing.T) {
	e := New(Options{Seed: 1, BusyShare: 0.005})
	for n := range 20_000 {
		struck(e, fmt.Sprintf("user%04d@contoso.example", n%100), "GetItem", n/100+1)
	}
	if hits := e.Counters().Faults["E1"]; hits < 60 || hits > 150 {
		t.Errorf("a share of 0.005 hit %d of 20,000 calls", hits)
	}
}

func TestSpoilSubjects(t *testing.T) {
	got := string(spoilSubjects([]byte(`<t:Subject>one</t:Subject><Subject>two</Subject><t:Subject/><t:Body>Subject></t:Body>`)))
	want := `<t:Subject>&#xB;one</t:Subject><Subject>&#xB;two</Subject><t:Subject/><t:Body>Subject></t:Body>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func BenchmarkBeforeDone(b *testing.B) {
	e := New(Options{Seed: 1, BusyShare: 0.005})
	c := call("user0001@contoso.example", "SyncFolderItems", 1)
	b.ReportAllocs()
	for b.Loop() {
		e.Before(c)
		e.After(c)
		e.Done(c, 200, nil, 0)
	}
}
