package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEntry_ALeaseHoldsForNoLongerThanOneCan(t *testing.T) {
	now := sealTime
	for name, tt := range map[string]struct {
		holder string
		lease  time.Duration
		want   bool
	}{
		"held":                     {"other", 10 * time.Second, true},
		"just over":                {"other", 0, false},
		"one's own":                {"self", 10 * time.Second, false},
		"nobody's":                 {"", 10 * time.Second, false},
		"by a clock a little late": {"other", leaseTime + 30*time.Second, true},
		"nonsense":                 {"other", time.Hour, false},
	} {
		e := entry{Holder: tt.holder, Lease: now.Add(tt.lease)}
		if got := e.leased("self", now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEntry_ForcedLately(t *testing.T) {
	for ago, want := range map[time.Duration]bool{0: true, 9 * time.Minute: true, 10 * time.Minute: false, -30 * time.Second: true, -time.Hour: false} {
		e := entry{Forced: sealTime}
		if got := e.forcedLately(sealTime.Add(ago)); got != want {
			t.Errorf("%v after: %v", ago, got)
		}
	}
	if (&entry{}).forcedLately(sealTime) {
		t.Error("never forced, yet lately")
	}
}

func TestEntry_KeepsATokenOfEachKey(t *testing.T) {
	var e entry
	add := func(sealer string, at int) {
		issued := sealTime.Add(time.Duration(at) * time.Minute)
		e.add(sealed{Sealer: sealer, Generation: fmt.Sprint(sealer, at), Issued: issued, Expires: issued.Add(time.Hour)})
	}
	got := func() string {
		var all []string
		for _, t := range e.Tokens {
			all = append(all, t.Generation)
		}
		return strings.Join(all, " ")
	}
	for i, step := range []struct {
		sealer string
		at     int
		want   string
	}{
		{"a", 0, "a0"}, {"b", 1, "b1 a0"}, {"a", 2, "a2 b1"}, {"c", 3, "c3 a2 b1"}, {"d", 4, "d4 c3 a2 b1"},
		{"e", 5, "e5 d4 c3 a2"}, {"a", 64, "a64 e5"}, {"b", 200, "b200"},
	} {
		if add(step.sealer, step.at); got() != step.want {
			t.Errorf("step %d: %s, want %s", i, got(), step.want)
		}
	}
}

// mine says that marks with a prefix stand for the same credential.
func mine(prefix string) func(string) bool {
	return func(mark string) bool { return strings.HasPrefix(mark, prefix) }
}

func TestEntry_FailuresAreSpacedByWhoseTheyAre(t *testing.T) {
	var e entry
	now := sealTime
	refused := func(who string) {
		e.note(failure{Code: "invalid_client", Status: 401, Credential: who, At: now}, 15*time.Minute, 0, mine(who[:1]))
	}
	left := func(who string, after time.Duration) time.Duration {
		_, left := e.refusal(now.Add(after), mine(who))
		return left
	}
	refused("a1")
	if l := left("a", time.Second); l != 15*time.Minute-time.Second {
		t.Errorf("the refused waits %v", l)
	}
	if l := left("b", time.Second); l != 4*time.Second {
		t.Errorf("another credential waits %v, want the rest of five seconds", l)
	}
	refused("b1")
	refused("a2")
	if len(e.Refused) != 2 || e.Refused[0].Credential != "a2" || e.Refused[0].Count != 2 || e.Refused[1].Count != 1 {
		t.Errorf("refused: %+v", e.Refused)
	}
	e.note(failure{Status: 503, At: now}, time.Hour, 0, mine("a"))
	if l := left("c", time.Minute); l != 59*time.Minute {
		t.Errorf("an outage holds for another credential for %v", l)
	}
	if why, _ := e.refusal(now, mine("a")); why.Status != 503 {
		t.Errorf("the longest wait is that of %+v", why)
	}
	for i := range 3 * maxRefused {
		refused(fmt.Sprint(string(rune('c'+i)), "1"))
	}
	if len(e.Refused) != maxRefused {
		t.Errorf("%d credentials are remembered", len(e.Refused))
	}
}

func TestEntry_OutagesAreSpacedExponentially(t *testing.T) {
	var e entry
	want := []time.Duration{5, 10, 20, 40, 80, 160, 300, 300}
	for i, w := range want {
		e.note(failure{Status: 503, At: sealTime}, time.Second, 0, nil)
		if got := e.Outage.Until.Sub(sealTime); got != w*time.Second {
			t.Errorf("after %d failures %v, want %v", i+1, got, w*time.Second)
		}
	}
	e.note(failure{Status: 503, At: sealTime}, 1000*time.Hour, 0, nil)
	if got := e.Outage.Until.Sub(sealTime); got != maxRetryAfter {
		t.Errorf("an absurd Retry-After holds for %v", got)
	}
}

func TestEntry_NonsenseHoldsNobodyUp(t *testing.T) {
	nothing := func(string) bool { return true }
	for name, f := range map[string]failure{
		"from the future": {Status: 503, At: sealTime.Add(time.Hour), Until: sealTime.Add(2 * time.Hour)},
		"without times":   {Status: 503},
		"backwards":       {Status: 503, At: sealTime, Until: sealTime.Add(-time.Hour)},
	} {
		e := entry{Outage: &f}
		if _, left := e.refusal(sealTime, nothing); left > 0 {
			t.Errorf("%s: %v", name, left)
		}
	}
	e := entry{Outage: &failure{At: sealTime, Until: sealTime.Add(1000 * time.Hour)}}
	if _, left := e.refusal(sealTime, nothing); left > 3*time.Hour {
		t.Errorf("a wait of %v", left)
	}
	for name, s := range map[string]sealed{
		"from the future": {Issued: sealTime.Add(2 * time.Minute), Expires: sealTime.Add(time.Hour)},
		"expired":         {Issued: sealTime.Add(-time.Hour), Expires: sealTime},
		"without times":   {},
	} {
		if left := s.left(sealTime); left > 0 {
			t.Errorf("token %s: %v left", name, left)
		}
	}
}

func TestFacts(t *testing.T) {
	e := &Error{Code: "invalid_client", AADSTS: 7000215, Status: 401, Hint: "a hint", RetryAfter: time.Hour, Err: errors.New("canary")}
	f := facts(e, sealTime)
	if f.Code != e.Code || f.AADSTS != e.AADSTS || f.Status != e.Status || f.Hint != e.Hint {
		t.Errorf("%+v", f)
	}
	if data, err := json.Marshal(f); err != nil || strings.Contains(string(data), "canary") {
		t.Errorf("%s, %v", data, err)
	}
	if f := facts(&Error{Err: errors.New("no route"), Hint: "see this host"}, sealTime); !strings.Contains(f.Hint, "another process") {
		t.Errorf("hint %q is about another host", f.Hint)
	}
}

func TestError_RefusesCredential(t *testing.T) {
	for _, tt := range []struct {
		e    Error
		want bool
	}{
		{Error{Code: "invalid_client", Status: 401}, true},
		{Error{Code: "invalid_grant", Status: 400}, true},
		{Error{Code: "temporarily_unavailable", Status: 429}, false},
		{Error{Code: "server_error", Status: 500}, false},
		{Error{Status: 404}, false},
		{Error{Status: 307}, false},
		{Error{}, false},
	} {
		if got := tt.e.refusesCredential(); got != tt.want {
			t.Errorf("%+v: %v", tt.e, got)
		}
	}
}
