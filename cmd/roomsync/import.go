package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/config"
)

// sample is docs/mailboxes.csv.
const sample = `address,mode,url,folder,enabled,past_days,future_days,fields
room0001@contoso.com,O365Pull,,,,,,
room0002@contoso.com,O365,,,true,7,180,subject location organizer
reception@contoso.com,O365Pull,,,true,,,none
boardroom@contoso.local,Exchange2016Pull,https://mail.contoso.local/EWS/Exchange.asmx,,false,1,30,subject
`

func (t tool) importCSV() *cobra.Command {
	var dry bool
	var list []events.Mailbox
	cmd := t.command("import FILE", "add and change mailboxes from a CSV file", cobra.ExactArgs(1),
		func(cmd *cobra.Command, o *config.Ops, f fleet, _ []string) error {
			if err := allowed(o.Hosts, list); err != nil {
				return err
			}
			present, err := f.Mailboxes(cmd.Context())
			if err != nil {
				return err
			}
			p := planOf(list, byAddress(present))
			if !dry {
				put := func(m events.Mailbox) error {
					_, err := f.Put(cmd.Context(), m)
					return err
				}
				if err := each(p.write, put); err != nil {
					return fmt.Errorf("not everything was imported (import again): %w", err)
				}
			}
			return show(cmd, p, p.text(dry))
		})
	cmd.Long = `Add and change mailboxes from a CSV file ("-": standard input).

The first line names the columns: address and mode, and any of url, folder, enabled, past_days, future_days and fields.
Each further line is a mailbox, whole: a column that is empty or not there means the default. Mailboxes that the file
does not name stay as they are. Nothing is imported unless every line is right. docs/mailboxes.csv is an example:

` + sample
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	// The file is read before NATS is asked for: its faults are the caller's.
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if list, err = readCSV(args[0], cmd.InOrStdin()); err != nil {
			return fmt.Errorf("nothing was imported:\n%w", err)
		}
		return check(cmd, args)
	}
	return cmd
}

func readCSV(name string, stdin io.Reader) ([]events.Mailbox, error) {
	if name == "-" {
		return config.ParseMailboxesCSV(stdin, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return config.ParseMailboxesCSV(f, name)
}

// plan is what an import does.
type plan struct {
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	write     []events.Mailbox
}

func planOf(list []events.Mailbox, present map[string]events.Mailbox) plan {
	var p plan
	for _, m := range list {
		old, known := present[m.Address]
		m.Extra = old.Extra // of a newer contract; not ours to drop
		switch {
		case !known:
			p.Added++
		case reflect.DeepEqual(old, m):
			p.Unchanged++
			continue
		default:
			p.Changed++
		}
		p.write = append(p.write, m)
	}
	return p
}

func (p plan) text(dry bool) string {
	s := fmt.Sprintf("added %d, changed %d, unchanged %d", p.Added, p.Changed, p.Unchanged)
	if dry {
		s += " (dry run: nothing was written)"
	}
	return s + "\n"
}

// parallel requests to NATS hide its latency: thousands of mailboxes are a matter of seconds.
const parallel = 32

// each calls f for every item, several at once, and returns the first ten errors.
func each[T any](items []T, f func(T) error) error {
	var mu sync.Mutex
	var errs []error
	var busy sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, item := range items {
		slots <- struct{}{}
		busy.Go(func() {
			defer func() { <-slots }()
			if err := f(item); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	busy.Wait()
	if n := len(errs); n > 10 {
		errs = append(errs[:10], fmt.Errorf("and %d more", n-10))
	}
	return errors.Join(errs...)
}
