// Command bench measures the whole system end to end: embedded NATS, dispatcher and worker in this process, the
// simulated Exchange in a process of its own, everything over TCP on loopback. docs/benchmarks.md holds the results.
//
//	go run ./test/bench
//	go run ./test/bench --scenario changes --latency 0s --sync-always
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// plan says what to measure.
type plan struct {
	scenarios  []string
	latencies  []time.Duration
	mailboxes  int
	slots      int
	interval   time.Duration
	warm, span time.Duration
	syncAlways bool
	getBatch   int
	profile    string
}

func main() {
	var p plan
	cmd := &cobra.Command{
		Use: "bench", Short: "measure jobs per second, CPU, allocations and memory, end to end", Args: cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&p.scenarios, "scenario", []string{"poll", "changes"}, "poll: nothing has changed; changes: 50 appointments have")
	f.DurationSliceVar(&p.latencies, "latency", []time.Duration{0, 80 * time.Millisecond}, "added to every answer of the simulator")
	f.IntVar(&p.mailboxes, "mailboxes", 6000, "mailboxes polled as fast as possible")
	f.DurationVar(&p.interval, "interval", time.Second, "between two polls of a mailbox; with the mailboxes it bounds the jobs per second that are asked for")
	f.IntVar(&p.slots, "slots", 1000, "jobs at once")
	f.DurationVar(&p.warm, "warm", 3*time.Second, "time not counted")
	f.DurationVar(&p.span, "span", 10*time.Second, "time counted")
	f.BoolVar(&p.syncAlways, "sync-always", false, "NATS flushes to the disk before every acknowledgement")
	f.IntVar(&p.getBatch, "get-batch", 10, "items in one GetItem")
	f.StringVar(&p.profile, "cpuprofile", "", "write a CPU profile of the counted time of the last measurement")
	cmd.AddCommand(simulator())
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", strings.TrimSpace(err.Error()))
		os.Exit(1)
	}
}
