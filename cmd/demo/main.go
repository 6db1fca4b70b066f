// Command demo shows the whole of roomsync at work, in one process and on this machine only: a simulated Exchange with
// a company whose calendars keep changing, an embedded NATS server, a dispatcher, two workers that sign in as an app,
// and a reader of the events in place of ROOMS. It needs nothing but Go, and leaves nothing behind.
//
// Its parts: world.go starts and stops everything, script.go says which mailboxes misbehave and when, rooms.go reads
// the events, lag.go measures how long an edit takes to get there, words.go puts a change into words, and screen.go
// and plain.go show it all.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // "demo | head" must not leave files behind: a write that fails ends it in order
	os.Exit(config.Main(command()))
}

const long = `Shows roomsync at work: a simulated Exchange whose calendars keep changing, an embedded NATS server, a dispatcher,
two workers, and a reader of the events in place of ROOMS, all in this process and on loopback addresses only.
Three mailboxes refuse access, of which one gives it back after a while; others ask for patience now and then.
On a terminal it draws a live summary, otherwise it prints lines. Events that do not come are called LATE. Ctrl-C ends it.

Exit codes: 0 done, 1 something failed, 2 called wrongly.`

func command() *cobra.Command {
	o := defaults()
	cmd := &cobra.Command{
		Use: "demo", Short: "shows roomsync at work", Long: long, Args: config.NoArgs,
		Example: `  go run ./cmd/demo
  go run ./cmd/demo --mailboxes 1000 --rate 20
  go run ./cmd/demo --duration 30s --json | jq -r .type`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return config.Usage(err)
			}
			return show(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.register(cmd.Flags())
	return cmd
}
