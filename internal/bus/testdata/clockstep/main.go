// Command clockstep shows what a step of the wall clock does to NATS's schedules. It is built by
// TestNATS_SchedulesSleepAfterAStepOfTheClock with a package time that has WallStep, seconds by which the wall clock is ahead
// of the system's; the monotonic clock and all timers stay as they are, as when NTP or a hypervisor sets the clock.
//
// It prints how many of two overdue schedules have fired: some seconds after the step, and after an update of the stream
// that changes nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/internal/bus"
	"roomsync/internal/bus/embedded"
	"roomsync/internal/jobs"
)

func main() {
	dir, err := os.MkdirTemp("", "clockstep-")
	must(err)
	defer os.RemoveAll(dir)
	srv, err := embedded.Start(embedded.Options{StoreDir: dir})
	must(err)
	defer srv.Stop()
	ctx := context.Background()
	b, err := bus.Connect(ctx, bus.Options{Name: "clockstep", InProcess: srv})
	must(err)
	defer b.Close()
	must(b.Ensure(ctx))
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(err)

	must(b.Park(ctx, "far", jobs.LanePoll, time.Now().Add(time.Minute), jobs.Hint{})) // sets the server's timer
	time.WallStep = 120
	must(b.Park(ctx, "near", jobs.LanePoll, time.Now(), jobs.Hint{}))
	time.Sleep(5 * time.Second)
	fmt.Print(tokens(ctx, js))

	s, err := js.Stream(ctx, "JOBS")
	must(err)
	_, err = js.UpdateStream(ctx, s.CachedInfo().Config)
	must(err)
	time.Sleep(time.Second)
	fmt.Println("", tokens(ctx, js))
}

// tokens counts what has fired. Nobody consumes it.
func tokens(ctx context.Context, js jetstream.JetStream) int {
	s, err := js.Stream(ctx, "JOBS")
	must(err)
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("jobs.run.>"))
	must(err)
	return len(info.State.Subjects)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
