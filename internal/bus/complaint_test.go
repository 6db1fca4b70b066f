package bus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestComplaint: what is said again and again is a warning once a minute, and none while the connection is known to be lost.
func TestComplaint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{}
		for i, c := range []struct {
			up   bool
			text string
			want zerolog.Level
		}{
			{false, "consumer not active", zerolog.DebugLevel}, {true, "consumer not active", zerolog.WarnLevel}, {true, "consumer not active", zerolog.DebugLevel},
			{true, "slow consumer", zerolog.WarnLevel}, {false, "slow consumer", zerolog.DebugLevel},
		} {
			if got := b.complaint(c.up, c.text); got != c.want {
				t.Errorf("%d: %v, want %v", i, got, c.want)
			}
		}
		time.Sleep(time.Minute)
		if got := b.complaint(true, "slow consumer"); got != zerolog.WarnLevel {
			t.Errorf("after a minute: %v", got)
		}
	})
}
