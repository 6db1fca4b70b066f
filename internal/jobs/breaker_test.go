package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roomsync/events"
)

// looks feeds a spread: "x" is a mailbox newly refused, "." one that works, each a second after the other.
func looks(s *Spread, start time.Time, text string) time.Time {
	for i, c := range text {
		start = start.Add(time.Second)
		name := fmt.Sprint(start.UnixNano(), i)
		if c == 'x' {
			s.Refused(name, start)
		} else {
			s.Worked(name, start)
		}
	}
	return start
}

func TestSpread(t *testing.T) {
	cases := map[string]struct {
		text              string
		refused, observed int
		wide              bool
	}{
		"the whole tenant":         {"....................xxxxxxxxx", 9, 9, true},
		"fewer than it takes":      {"....................xxxxxxxx", 8, 8, false},
		"nearly all":               {"....................xxxxx.xxxxxxx", 12, 13, true},
		"one less":                 {"....................xxxxx.xxxxxx", 11, 12, false},
		"three of four":            {"....................xxx.xxx.xxx.xxx.xxx.xxx", 18, 23, false},
		"half of it":               {"..............x.x.x.x.x.x.x.x.x.x.x.x", 12, 23, false},
		"five of ten":              {"....................x..x.xx..x", 5, 10, false},
		"nobody":                   {"....................", 0, 0, false},
		"after many that are fine": {"x...................xxxxxxxxx", 9, 9, true},
	}
	for name, c := range cases {
		s := watched(20)
		looks(&s, t0, c.text)
		refused, observed, wide := s.Wide(false)
		if wide != c.wide || refused != c.refused || observed != c.observed {
			t.Errorf("%s: %d of %d, wide %v; want %d of %d, %v", name, refused, observed, wide, c.refused, c.observed, c.wide)
		}
	}
}

// watched is a spread that has seen n other mailboxes work for two rounds, the last of them at t0.
func watched(n int) Spread {
	var s Spread
	for i := range 2 * n {
		s.Worked(fmt.Sprint("before", i%n), t0.Add(time.Duration(i-2*n+1)*time.Minute/time.Duration(n)))
	}
	return s
}

// TestSpread_ATenantOfAFew opens at four fifths of all, if all have been seen.
func TestSpread_ATenantOfAFew(t *testing.T) {
	few := func(s *Spread, n, refused int) (r, o int, wide bool) {
		for i := range refused {
			s.Refused(fmt.Sprint("before", i), t0.Add(time.Duration(i)*time.Second))
		}
		return s.Wide(false)
	}
	for _, c := range []struct {
		all, refused int
		wide         bool
	}{{4, 4, false}, {5, 4, false}, {5, 5, true}, {6, 5, true}, {7, 5, false}, {7, 6, true}, {8, 6, false}, {8, 7, true}} {
		s := watched(c.all)
		if r, o, wide := few(&s, c.all, c.refused); wide != c.wide || wide && (r != c.refused || o != c.all) {
			t.Errorf("%d of %d are refused: %d of %d, wide %v", c.refused, c.all, r, o, wide)
		}
	}
	var s Spread
	if _, _, wide := few(&s, 5, 5); wide {
		t.Error("wide at the start, when nobody knows how many there are")
	}
	s = watched(5)
	looks(&s, t0.Add(time.Hour), ".") // nothing was looked at for an hour
	for i := range 5 {
		s.Refused(fmt.Sprint("before", i), t0.Add(time.Hour+time.Duration(i+2)*time.Second))
	}
	if _, _, wide := s.Wide(false); wide {
		t.Error("wide after a pause, when nobody knows any more how many there are")
	}
}

// TestSpread_OneMailboxIsOne, however often it is looked at; and what lies back for more than five minutes is over.
func TestSpread_OneMailboxIsOne(t *testing.T) {
	var s Spread
	for i := range 100 {
		s.Refused("room", t0.Add(time.Duration(i)*time.Second))
	}
	if refused, observed, wide := s.Wide(false); wide || refused != 1 || observed != 1 {
		t.Errorf("%d of %d, wide %v", refused, observed, wide)
	}
	s.Worked("room", t0.Add(101*time.Second))
	if list := s.RefusedSince(); len(list) != 0 {
		t.Errorf("%q are refused, though it works again", list)
	}
	s = Spread{}
	looks(&s, t0, "xxxx")
	looks(&s, t0.Add(6*time.Minute), "x")
	if refused, _, wide := s.Wide(false); wide || refused != 1 {
		t.Errorf("%d refused, wide %v: old ones count", refused, wide)
	}
}

// TestSpread_LastWorked is none that was refused since.
func TestSpread_LastWorked(t *testing.T) {
	var s Spread
	for i, c := range []struct {
		mailbox string
		refused bool
		want    string
	}{{"a", false, "a"}, {"b", true, "a"}, {"c", false, "c"}, {"d", false, "d"}, {"d", true, "c"}, {"c", true, ""}, {"e", false, "e"}} {
		note := s.Worked
		if c.refused {
			note = s.Refused
		}
		if note(c.mailbox, t0.Add(time.Duration(i)*time.Second)); s.LastWorked() != c.want {
			t.Errorf("step %d: worked last: %q, want %q", i, s.LastWorked(), c.want)
		}
	}
}

func TestSpread_SureWantsMore(t *testing.T) {
	s := watched(200)
	at := looks(&s, t0, strings.Repeat("x", 99))
	if _, _, wide := s.Wide(true); wide {
		t.Error("ninety-nine are enough")
	}
	at = looks(&s, at, "x")
	if refused, observed, wide := s.Wide(true); !wide || refused != 100 || observed != 100 {
		t.Errorf("%d of %d, wide %v", refused, observed, wide)
	}
	looks(&s, at, "."+strings.Repeat("x", 99))
	if _, _, wide := s.Wide(true); wide {
		t.Error("a hundred with one that works between them are enough")
	}
}

func TestSpread_IsBounded(t *testing.T) {
	var s Spread
	at := t0
	for i := range 20_000 {
		at = at.Add(time.Millisecond)
		s.Worked(fmt.Sprint("fine", i), at)
	}
	if len(s.looks) != 0 {
		t.Errorf("%d looks are kept though nobody is refused", len(s.looks))
	}
	s.Refused("x", at)
	for i := range 20_000 {
		s.Worked(fmt.Sprint("fine", i), at)
	}
	if len(s.looks) > maxLooks {
		t.Errorf("%d looks are kept", len(s.looks))
	}
	if s.LastWorked() != "fine19999" {
		t.Errorf("worked last: %s", s.LastWorked())
	}
}

var refusal = &Failure{Class: Denied, Scope: ScopeMailbox, Code: "HTTP 403", Reason: events.RefusedForbidden, At: t0}

func opened(worked string) Breaker {
	var b Breaker
	b.Trip(Opening{Mailbox: "r", Address: "r@contoso.example", Refusal: refusal, Worked: worked, Refused: 5, Observed: 9}, t0, time.Hour)
	return b
}

// TestBreaker_Checks: the canaries go at the check's time and nobody else; each check that finds all refused makes the
// next one later, up to the re-check of access, with another mailbox beside the first.
func TestBreaker_Checks(t *testing.T) {
	b := opened("w")
	if !b.Open || b.Scope != ScopeTenant || !b.NextCheck.Equal(t0.Add(time.Minute)) {
		t.Fatalf("opened as %+v", b)
	}
	now := b.NextCheck
	if b.Admits("r", now.Add(-time.Millisecond)) || !b.Admits("r", now) || b.Admits("w", now) || b.Admits("x", now) {
		t.Error("others than the refused canary go, or it goes early")
	}
	if b.Enlist("x", true, now) {
		t.Error("a third canary is taken at the first check")
	}
	now = now.Add(checkHeadStart)
	if !b.Admits("w", now) {
		t.Error("the canary that worked does not go")
	}
	b.StillRefused("r", "r@contoso.example", refusal, now, time.Hour)
	if b.Admits("r", now) || b.Checks != 0 {
		t.Error("a canary is asked for twice in a check, or does for both")
	}
	last := "w"
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		b.StillRefused(last, "w@contoso.example", refusal, now, time.Hour)
		if got := b.NextCheck.Sub(now); got != want*time.Minute || b.Checks != i+1 || !b.Open {
			t.Fatalf("check %d: the next comes after %v, want %v minutes: %+v", b.Checks, got, want, b)
		}
		fresh := []string{fmt.Sprint("y", i), fmt.Sprint("z", i)}
		if !b.Enlist(fresh[0], true, now) || !b.Enlist(fresh[1], true, now) || b.Enlist("too many", true, now) || b.Enlist(fresh[0], true, now) {
			t.Fatalf("check %d: other canaries are not taken in turn: %+v", b.Checks, b.Canaries)
		}
		if !b.Admits(fresh[0], now) {
			t.Error("one that is taken does not go at once")
		}
		b.StillRefused(fresh[0], "", refusal, now, time.Hour)
		b.StillRefused(fresh[1], "", refusal, now, time.Hour)
		now, last = b.NextCheck, "r"
	}
}

func TestBreaker_AnyThatWorksCloses(t *testing.T) {
	now := t0.Add(time.Minute)
	b := opened("w")
	b.Worked("r", false, now)
	if b.Open || b.Partial || b.Sure(now) || !b.Admits("x", now) {
		t.Errorf("the one that was refused works: %+v", b)
	}
	b = opened("w")
	b.StillRefused("r", "", refusal, now, time.Hour)
	b.Worked("w", false, now)
	if b.Open || !b.Partial || !b.Sure(now.Add(14*time.Minute)) || b.Sure(now.Add(16*time.Minute)) {
		t.Errorf("the other works: %+v", b)
	}
	b = opened("w")
	b.Worked("x", true, now)
	if b.Open || b.Partial {
		t.Errorf("one that an operator sent, and that was refused, works: %+v", b)
	}
}

// TestBreaker_CanaryThatIsGone: another takes its place, so that the breaker does not stay open for ever.
func TestBreaker_CanaryThatIsGone(t *testing.T) {
	b := opened("w")
	now := b.NextCheck.Add(30 * time.Second)
	if b.Enlist("x", true, now) {
		t.Error("replaced after half a minute")
	}
	now = now.Add(time.Minute)
	if !b.Enlist("x", true, now) || !b.Admits("x", now) || b.Admits("r", now) {
		t.Errorf("not replaced: %+v", b.Canaries)
	}
	if !b.Enlist("y", true, now) || b.Enlist("z", true, now) {
		t.Errorf("both are gone: %+v", b.Canaries)
	}
	b.StillRefused("x", "", refusal, now, time.Hour)
	b.StillRefused("y", "", refusal, now, time.Hour)
	if b.Checks != 1 {
		t.Errorf("the check is not over: %+v", b)
	}
}

// TestBreaker_CanaryThatIsGone_AnybodyIsTaken in its place: there may be none left that was fine.
func TestBreaker_CanaryThatIsGone_AnybodyIsTaken(t *testing.T) {
	b := opened("")
	late := b.NextCheck.Add(61 * time.Second)
	if b.Enlist("denied", false, b.NextCheck) || !b.Enlist("denied", false, late) || !b.Admits("denied", late) {
		t.Errorf("not taken, or too early: %+v", b.Canaries)
	}
	b.StillRefused("denied", "", refusal, late, time.Hour)
	if b.Enlist("denied too", false, late) {
		t.Error("one that is denied is taken though nobody is missing")
	}
}

// TestBreaker_CheckExpires: the first canary was refused and the other says nothing; the first is asked for again.
func TestBreaker_CheckExpires(t *testing.T) {
	b := opened("w")
	now := b.NextCheck
	b.StillRefused("r", "", refusal, now, time.Hour)
	if b.Expire(now.Add(time.Minute), time.Hour) {
		t.Error("expired though the other may answer still")
	}
	now = now.Add(2 * time.Minute)
	if !b.Expire(now, time.Hour) || b.Checks != 1 || len(b.Canaries) != 1 || !b.Admits("r", now.Add(2*time.Minute)) {
		t.Errorf("not asked for again: %+v", b)
	}
	if b.Expire(now.Add(2*time.Hour), time.Hour) {
		t.Error("a check of which nobody said anything expires: it has nobody to ask but who comes")
	}
	b = opened("w") // the first is gone, the other answers late
	b.StillRefused("w", "", refusal, b.NextCheck.Add(2*time.Minute), time.Hour)
	if b.Checks != 1 || b.Canaries[0].Mailbox != "w" {
		t.Errorf("the check is not over: %+v", b)
	}
}

func TestBreaker_Abandoned(t *testing.T) {
	b := opened("w")
	late := b.NextCheck.Add(2*time.Hour + 10*time.Second)
	if b.Abandoned(late.Add(-time.Minute), time.Hour) || !b.Abandoned(late, time.Hour) {
		t.Error("not abandoned two hours after the check was due, or before")
	}
	if b.Enlist("x", false, late); b.Abandoned(late.Add(time.Hour), time.Hour) {
		t.Error("abandoned though a mailbox was asked for an hour ago")
	}
	b.Worked("x", false, late)
	if b.Abandoned(late.Add(9*time.Hour), time.Hour) {
		t.Error("a closed one is abandoned")
	}
}

func TestBreaker_ThatComesAndGoesIsCheckedLater(t *testing.T) {
	b := opened("w")
	for range 5 {
		for _, c := range slices.Clone(b.Canaries) {
			b.StillRefused(c.Mailbox, "", refusal, b.NextCheck, time.Hour)
		}
	}
	now := b.NextCheck
	b.Worked("r", false, now)
	b.Trip(Opening{Mailbox: "r", Refusal: refusal}, now.Add(time.Minute), time.Hour)
	if got := b.NextCheck.Sub(b.Since); got != 8*time.Minute {
		t.Errorf("opened again a minute later, it is checked after %v", got)
	}
	b.Worked("r", false, now)
	b.Trip(Opening{Mailbox: "r", Refusal: refusal}, now.Add(time.Hour), time.Hour)
	if got := b.NextCheck.Sub(b.Since); got != time.Minute {
		t.Errorf("opened again an hour later, it is checked after %v", got)
	}
}

// TestBreaker_HoldsForAWhile: never for ever, never into the past, and spread so that those held are no flood.
func TestBreaker_HoldsForAWhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := opened(rapid.SampledFrom([]string{"w", ""}).Draw(t, "worked"))
		now := t0.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "now")))
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		for range rapid.IntRange(0, 8).Draw(t, "checks") {
			for _, c := range slices.Clone(b.Canaries) {
				b.StillRefused(c.Mailbox, "", refusal, now, time.Hour)
			}
		}
		mailbox := rapid.SampledFrom([]string{"r", "w", "x"}).Draw(t, "mailbox")
		at := b.Hold(mailbox, rapid.Bool().Draw(t, "urgent"), now, rnd)
		if !at.After(now) {
			t.Fatalf("held until %v ago", now.Sub(at))
		}
		if at.Sub(now) > heldMost+heldSpread { // the breaker may close early
			t.Fatalf("held for %v", at.Sub(now))
		}
	})
}

// TestBreaker_NeverStuck: whatever comes, somebody may ask for access in the end.
func TestBreaker_NeverStuck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := opened(rapid.SampledFrom([]string{"w", "r", ""}).Draw(t, "worked"))
		now := t0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "later")))
			mailbox := rapid.SampledFrom([]string{"r", "w", "x", "y", "z"}).Draw(t, "mailbox")
			if b.Admits(mailbox, now) || b.Enlist(mailbox, true, now) {
				if rapid.Bool().Draw(t, "answers") {
					b.StillRefused(mailbox, "", refusal, now, time.Hour)
				}
			}
			if len(b.Canaries) == 0 || len(b.Canaries) > maxCanaries {
				t.Fatalf("%d canaries", len(b.Canaries))
			}
			later := now.Add(2 * time.Hour)
			c := b.Clone()
			c.Expire(later, time.Hour)
			if !c.Admits(c.Canaries[0].Mailbox, later.Add(time.Hour)) {
				t.Fatalf("the first canary is not asked for three hours later: %+v", c)
			}
			if c = b.Clone(); !c.Enlist("somebody denied", false, later) {
				t.Fatalf("nobody may ask two hours later: %+v", b)
			}
		}
	})
}
