package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// fleet is what the commands need of the system. Addresses are in lower case.
type fleet interface {
	Mailboxes(ctx context.Context) ([]events.Mailbox, error)
	Put(ctx context.Context, m events.Mailbox) (changed bool, err error)
	Remove(ctx context.Context, address string) (found bool, err error)
	// Sync asks for a look at a mailbox now.
	Sync(ctx context.Context, address string) error
	// States tells how the mailboxes fare, by address in lower case.
	States(ctx context.Context, addresses []string) (map[string]jobs.Digest, error)
	GlanceOutage(ctx context.Context) (jobs.Outage, error)
	// Tail calls f for events, of one mailbox or of all when address is "", from a sequence of the stream on (0: only
	// new ones), until ctx ends or f returns an error.
	Tail(ctx context.Context, address string, from uint64, f func(bus.Delivered) error) error
	// Now is the time by the queue's clock.
	Now() time.Time
	Close()
}

// tool makes the commands.
type tool struct {
	env     config.Env
	connect func(context.Context, *cobra.Command, *config.Ops) (fleet, error)
}

// command returns a command that works on the fleet. It has the flags to reach it, and --json.
func (t tool) command(use, short string, args cobra.PositionalArgs, work func(*cobra.Command, *config.Ops, fleet, []string) error) *cobra.Command {
	var o config.Ops
	cmd := &cobra.Command{Use: use, Short: short, Args: args, Example: examples[strings.Fields(use)[0]]}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := t.connect(cmd.Context(), cmd, &o)
		if err != nil {
			return err
		}
		defer f.Close()
		return work(cmd, &o, f, args)
	}
	cmd.Flags().Bool("json", false, "print JSON")
	config.Attach(cmd, t.env, &o)
	return cmd
}

// show prints v as JSON if that is wanted, and the text otherwise.
func show(cmd *cobra.Command, v any, text string) error {
	if wanted, _ := cmd.Flags().GetBool("json"); wanted {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

// addresses checks the arguments of a command; the faults of all are reported.
func addresses(args []string) ([]string, error) {
	var list []string
	var errs []error
	for _, a := range args {
		address, err := config.ParseAddress(a)
		if err != nil {
			errs = append(errs, fmt.Errorf("address %q: %w", a, err))
		}
		list = append(list, address)
	}
	return list, config.Usage(errors.Join(errs...))
}

// natsFleet is the fleet at the other end of NATS.
type natsFleet struct {
	*bus.Bus
	token func(address string) string
}

func connect(ctx context.Context, cmd *cobra.Command, o *config.Ops) (fleet, error) {
	b, err := bus.Connect(ctx, bus.Options{
		URL: o.NATS.URL, CredsFile: o.CredsFile, Name: cmd.CommandPath(), Log: o.Logger(cmd.ErrOrStderr()),
	})
	if err != nil {
		return nil, err
	}
	if err := b.CheckOps(ctx); err != nil {
		b.Close()
		return nil, config.Usage(fmt.Errorf("%w\n(the dispatcher creates what is missing when it starts)", err))
	}
	return natsFleet{b, o.MailboxToken}, nil
}

func (n natsFleet) Put(ctx context.Context, m events.Mailbox) (bool, error) {
	return n.PutMailbox(ctx, n.token(m.Address), m)
}

func (n natsFleet) Remove(ctx context.Context, address string) (bool, error) {
	err := n.RemoveMailbox(ctx, n.token(address))
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (n natsFleet) Sync(ctx context.Context, address string) error {
	return n.Look(ctx, n.token(address))
}

func (n natsFleet) States(ctx context.Context, addresses []string) (map[string]jobs.Digest, error) {
	byToken, err := n.Digests(ctx)
	states := make(map[string]jobs.Digest, len(addresses))
	for _, a := range addresses {
		if d, ok := byToken[n.token(a)]; ok {
			states[strings.ToLower(a)] = d
		}
	}
	return states, err
}

func (n natsFleet) Tail(ctx context.Context, address string, from uint64, f func(bus.Delivered) error) error {
	mb := "*"
	if address != "" {
		mb = n.token(address)
	}
	return n.Events(ctx, mb, from, f)
}

// byAddress finds entries by address; ROOMS may have written it in any case.
func byAddress(list []events.Mailbox) map[string]events.Mailbox {
	m := make(map[string]events.Mailbox, len(list))
	for _, x := range list {
		m[strings.ToLower(x.Address)] = x
	}
	return m
}

// examples of the commands, by their first word.
var examples = map[string]string{
	"list":   "  roomsync mailboxes list\n  roomsync mailboxes list --state refused,late --wide\n  roomsync mailboxes list --json | jq '.[] | select(.state == \"denied\")'",
	"import": "  roomsync mailboxes import --dry-run mailboxes.csv\n  printf 'address,mode\\nroom7@contoso.com,O365\\n' | roomsync mailboxes import -",
	"set":    "  roomsync mailboxes set room7@contoso.com --mode O365Pull\n  roomsync mailboxes set room7@contoso.com --fields 'subject organizer' --future-days 90",
	"remove": "  roomsync mailboxes remove room7@contoso.com",
	"sync":   "  roomsync mailboxes sync room7@contoso.com\n  roomsync mailboxes sync --all",
	"tail":   "  roomsync events tail\n  roomsync events tail --mailbox room7@contoso.com --from 1\n  roomsync events tail --type access --json",
}
