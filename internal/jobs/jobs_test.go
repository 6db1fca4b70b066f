package jobs

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func TestAdmit(t *testing.T) {
	on := Settings{Enabled: true}
	cases := map[string]struct {
		rec  Record
		want Admission
	}{
		"work is acquired":                      {Record{Want: 1, Settings: on}, Admission{Action: Acquire}},
		"a due poll is acquired":                {Record{NextPoll: t0, Settings: on}, Admission{Action: Acquire}},
		"an outbox is acquired":                 {Record{NextPoll: t0.Add(time.Hour), Outbox: []Outgoing{{}}, Settings: on}, Admission{Action: Acquire}},
		"nothing due waits for the poll":        {Record{NextPoll: t0.Add(time.Minute), Settings: on}, Admission{Action: Park, At: t0.Add(time.Minute)}},
		"a mailbox that is held waits":          {Record{Want: 1, Held: t0.Add(time.Minute), Settings: on}, Admission{Action: Park, At: t0.Add(time.Minute)}},
		"an operator's look is not held":        {Record{Want: 1, Held: t0.Add(time.Minute), Look: true, Settings: on}, Admission{Action: Acquire}},
		"nor does it end a back-off":            {Record{Want: 1, NotBefore: t0.Add(time.Second), Held: t0.Add(time.Minute), Look: true, Settings: on}, Admission{Action: Park, At: t0.Add(time.Second)}},
		"a back-off is waited for":              {Record{Want: 1, NotBefore: t0.Add(time.Millisecond), Settings: on}, Admission{Action: Park, At: t0.Add(time.Millisecond)}},
		"an owner is left alone":                {Record{Want: 1, Owner: "w", Lease: t0.Add(20 * time.Second), Settings: on}, Admission{Action: Park, At: t0.Add(time.Second)}},
		"an outbox does not wait":               {Record{Outbox: []Outgoing{{}}, NotBefore: t0.Add(time.Hour), Settings: on}, Admission{Action: Acquire}},
		"a lease that is over means it died":    {Record{Owner: "w", Lease: t0, Settings: on, NextPoll: t0.Add(time.Hour)}, Admission{Action: Acquire, Steal: true}},
		"a mailbox switched off drops tokens":   {Record{Want: 1}, Admission{Action: Drop}},
		"switched off, its outbox still leaves": {Record{Outbox: []Outgoing{{}}}, Admission{Action: Acquire}},
	}
	for name, c := range cases {
		if got := Admit(&c.rec, t0); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestAdmit_NeverEarly: whatever the record says, no run begins before the end of a back-off or within another's
// lease.
func TestAdmit_NeverEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time {
			return t0.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, name)))
		}
		r := Record{
			Want: rapid.Uint64Range(0, 3).Draw(t, "want"), Done: rapid.Uint64Range(0, 3).Draw(t, "done"),
			NotBefore: at("notBefore"), NextPoll: at("nextPoll"), Held: at("held"), Look: rapid.Bool().Draw(t, "look"), Settings: Settings{Enabled: true},
		}
		if rapid.Bool().Draw(t, "owned") {
			r.Owner, r.Lease = "w", at("lease")
		}
		a := Admit(&r, t0)
		if a.Action == Acquire && t0.Before(r.NotBefore) {
			t.Fatalf("acquired %v before the end of a back-off", r.NotBefore.Sub(t0))
		}
		if a.Action == Acquire && !r.Look && t0.Before(r.Held) {
			t.Fatalf("acquired %v before the end of a hold", r.Held.Sub(t0))
		}
		if a.Action == Acquire && r.Owner != "" && t0.Before(r.Lease) {
			t.Fatal("acquired within a living owner's lease")
		}
		if a.Action == Drop {
			t.Fatal("dropped a token of an enabled mailbox: nothing would bring the next")
		}
		if a.Action == Park && !a.At.After(t0) {
			t.Fatalf("parked until %v, which is now: a loop", a.At)
		}
	})
}

func TestWait_ObeysTheServer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := Fact{Code: "ErrorServerBusy", BackOff: 297749 * time.Millisecond}
	if d := Wait(Judge(f), f, 1, rnd); d < f.BackOff || d > f.BackOff+time.Second {
		t.Errorf("asked for %v, waits %v", f.BackOff, d)
	}
	f.BackOff = 0
	for n := 1; n < 100; n++ {
		if d := Wait(Judge(f), f, n, rnd); d < 30*time.Second || d > 16*time.Minute {
			t.Errorf("no time named, attempt %d: waits %v", n, d)
		}
	}
	f.BackOff = 365 * 24 * time.Hour
	if d := Wait(Judge(f), f, 1, rnd); d > 16*time.Minute {
		t.Errorf("asked for a year, waits %v", d)
	}
}

// TestWait_OperatorsFaultsAreSoonOver: a corrected secret or address must not wait for the end of an old back-off, and how
// often a token is asked for is not decided per mailbox.
func TestWait_OperatorsFaultsAreSoonOver(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, f := range []Fact{
		{Kind: "token", Code: "invalid_client", Status: 401, BackOff: 15 * time.Minute},
		{Kind: "http", Status: 404},
		{Kind: "tls"},
	} {
		if d := Wait(Judge(f), f, 10, rnd); d < 20*time.Second || d > 70*time.Second {
			t.Errorf("%+v: waits %v", f, d)
		}
	}
}

func TestJudge(t *testing.T) {
	cases := []struct {
		f    Fact
		want Class
	}{
		{Fact{Status: 200, Kind: "response", Code: "ErrorServerBusy"}, Throttled},
		{Fact{Status: 500, Kind: "soap", Code: "ErrorServerBusy"}, Throttled},
		{Fact{Status: 200, Kind: "response", Code: "ErrorInternalServerError", Inner: "ErrorServerBusy"}, Throttled},
		{Fact{Status: 200, Kind: "response", Code: "ErrorInternalServerError"}, Transient},
		{Fact{Status: 503, Kind: "http"}, Throttled},
		{Fact{Status: 429, Kind: "http"}, Throttled},
		{Fact{Status: 403, Kind: "http"}, Denied},
		{Fact{Status: 500, Kind: "soap", Code: "ErrorImpersonateUserDenied"}, Denied},
		{Fact{Status: 200, Kind: "response", Code: "ErrorAccessDenied"}, Denied},
		{Fact{Status: 401, Kind: "http", Diagnostics: "2000001"}, Credentials},
		{Fact{Status: 401, Kind: "http"}, Throttled},
		{Fact{Status: 302, Kind: "http"}, Transient},
		{Fact{Status: 307, Kind: "http"}, Config},
		{Fact{Status: 404, Kind: "http"}, Config},
		{Fact{Status: 400, Kind: "http"}, Bug},
		{Fact{Status: 500, Kind: "http"}, Transient},
		{Fact{Status: 200, Kind: "malformed"}, Transient},
		{Fact{Kind: "tls"}, Config},
		{Fact{Kind: "malformed"}, Config},
		{Fact{Kind: "transport"}, Transient},
		{Fact{Kind: "token", Code: "invalid_client", Status: 401}, Credentials},
		{Fact{Kind: "token", Code: "credential-unusable"}, Credentials},
		{Fact{Kind: "token", Code: "temporarily_unavailable", Status: 400}, Throttled},
		{Fact{Kind: "token", Status: 0}, Transient},
		{Fact{Status: 200, Kind: "response", Code: "ErrorInvalidSyncStateData"}, Resync},
		{Fact{Status: 200, Kind: "response", Code: "ErrorOfTomorrow"}, Transient},
	}
	for _, c := range cases {
		if got := Judge(c.f); got.Class != c.want || got.Code == "" {
			t.Errorf("%+v: got %+v, want %s", c.f, got, c.want)
		}
	}
	if Transient.GiveUp("ErrorOfTomorrow") == 0 {
		t.Error("an unknown code is tried for ever")
	}
	if Transient.GiveUp("ErrorMailboxStoreUnavailable") != 0 {
		t.Error("a store that is away for long would be given up")
	}
}

// TestVerdicts_AreRealCodes finds codes misspelt in the table. The one that Microsoft's own reference misspells stays.
func TestVerdicts_AreRealCodes(t *testing.T) {
	dir := os.Getenv("ROOMSYNC_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	schema, err := os.ReadFile(filepath.Join(dir, "ews-schema", "messages.xsd"))
	if err != nil {
		t.Skip("Microsoft's schema is not here (ROOMSYNC_SHARED names its folder)")
	}
	_, list, _ := strings.Cut(string(schema), `name="ResponseCodeType"`)
	list, _, _ = strings.Cut(list, "</xs:simpleType>")
	real := map[string]bool{"ErrorSubscriptionUnsubsribed": true}
	for _, m := range regexp.MustCompile(`value="(\w+)"`).FindAllStringSubmatch(list, -1) {
		real[m[1]] = true
	}
	if len(real) < 400 {
		t.Fatalf("only %d codes found in the schema", len(real))
	}
	seen := map[string]bool{}
	for _, line := range codesByVerdict {
		for _, c := range line.codes {
			if !real[c] {
				t.Errorf("%s is no ResponseCode", c)
			}
			if seen[c] {
				t.Errorf("%s has two verdicts", c)
			}
			seen[c] = true
		}
	}
}

func TestRecheck(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for checks, want := range map[int]time.Duration{0: time.Hour, 24: time.Hour, 25: 24 * time.Hour} {
		if d := Recheck("ErrorAccessDenied", checks, time.Hour, rnd); d < want*9/10 || d > want*11/10 {
			t.Errorf("check %d: after %v, want about %v", checks, d, want)
		}
	}
}
