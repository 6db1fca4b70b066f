package bus

import (
	"testing"
	"time"
)

// TestClock_KeepsTheBetterSample: an answer that took seconds does not replace one that took none, until that one is
// so old that the clocks may have drifted further apart than the slow answer can be wrong.
func TestClock_KeepsTheBetterSample(t *testing.T) {
	began := time.Now()
	at := func(after, rtt, wrong time.Duration) clockBase {
		return clockBase{local: began.Add(after), server: began.Add(after + wrong), rtt: rtt}
	}
	for _, c := range []struct {
		name  string
		s     clockBase
		taken bool
	}{
		{"slow", at(30*time.Second, 5*time.Second, 2*time.Second), false},
		{"somewhat slow", at(5*time.Minute, 200*time.Millisecond, 50*time.Millisecond), false},
		{"as fast", at(30*time.Second, 2*time.Millisecond, 0), true},
		{"faster", at(time.Second, 500*time.Microsecond, 0), true},
		{"a little slower, minutes later", at(10*time.Minute, 50*time.Millisecond, 0), true},
	} {
		var k clock
		k.offer(at(0, 2*time.Millisecond, 0))
		k.offer(c.s)
		if taken := k.base.Load().local.Equal(c.s.local); taken != c.taken {
			t.Errorf("%s: taken %v, want %v", c.name, taken, c.taken)
		}
	}
	var k clock
	k.offer(at(0, 5*time.Second, 0))
	if k.base.Load() == nil {
		t.Error("a slow sample is better than none")
	}
}
