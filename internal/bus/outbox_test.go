package bus

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"roomsync/internal/bus/embedded"
)

// TestResume_DoesNotWaitForEver for a write in flight that never settles.
func TestResume_DoesNotWaitForEver(t *testing.T) {
	runtime.GC() // drops what the NATS client pools and must not leave its bubble
	runtime.GC()
	synctest.Test(t, func(t *testing.T) {
		srv, err := embedded.Start(embedded.Options{StoreDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Stop()
		b, err := Connect(t.Context(), Options{Name: "test", InProcess: srv})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := &nats.Msg{Subject: subjectItems + "a"}
		seq, err := b.publish(t.Context(), m, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := chain{stream: streamItems, subject: m.Subject, last: seq, msgs: []*nats.Msg{m}}
		began := time.Now()
		for err == nil && time.Since(began) < time.Minute {
			_, err = b.resume(t.Context(), &c, 0)
		}
		if took := time.Since(began); err == nil || took < time.Second || took > 2*callTimeout {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
