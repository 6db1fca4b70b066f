package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/config"
)

// errEnough ends a tail that has shown what it was asked for.
var errEnough = errors.New("enough")

// tailPatience is after how long without an event it is said that the command waits.
const tailPatience = 2 * time.Second

// told are the types of events that ROOMS is sent.
var told = []string{
	events.TypeCalendarChanged, events.TypeBookingApplied, events.TypeBookingConflict, events.TypeBookingRejected,
	events.TypeAccessDenied, events.TypeAccessRestored, events.TypeMailboxBlocked, events.TypeSyncCompleted,
}

// tailing is what "events tail" was asked for.
type tailing struct {
	mailbox, kind string
	from          uint64
	count         int
}

func (t tool) tail() *cobra.Command {
	var x tailing
	cmd := t.command("tail", "show events to ROOMS as they come", cobra.NoArgs,
		func(cmd *cobra.Command, _ *config.Ops, f fleet, _ []string) error { return x.run(cmd, f) })
	cmd.Flags().StringVar(&x.mailbox, "mailbox", "", "only this address")
	cmd.Flags().StringVar(&x.kind, "type", "", "only types that contain this, such as access")
	cmd.Flags().Uint64Var(&x.from, "from", 0, "begin with this sequence of the stream; 1 is everything kept, 0 only what comes")
	cmd.Flags().IntVar(&x.count, "count", 0, "end after so many events; 0 never")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(told, cobra.ShellCompDirectiveNoFileComp))
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		return errors.Join(x.check(), check(cmd, args))
	}
	return cmd
}

// check judges what was asked for before anybody is asked.
func (x *tailing) check() error {
	var errs []error
	if x.mailbox != "" {
		given, err := addresses([]string{x.mailbox})
		errs = append(errs, err)
		x.mailbox = given[0]
	}
	if x.kind = strings.ToLower(strings.TrimSpace(x.kind)); !slices.ContainsFunc(told, x.wants) {
		errs = append(errs, config.Usage(fmt.Errorf("--type %q: no event has such a type; %w", x.kind, config.Choice("there are", x.kind, wordsOf(told)))))
	}
	return errors.Join(errs...)
}

func (x *tailing) wants(typ string) bool { return strings.Contains(typ, x.kind) }

// wordsOf are the types themselves, and the words of which they are made but for the version, for suggestions.
func wordsOf(types []string) []string {
	all := slices.Clone(types)
	for _, typ := range types {
		for _, word := range strings.Split(typ, ".")[1:3] {
			if !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	return all
}

func (x *tailing) run(cmd *cobra.Command, f fleet) error {
	if err := x.warnUnknown(cmd, f); err != nil {
		return err
	}
	heard := x.waiting(cmd)
	defer heard()
	shown := 0
	err := f.Tail(cmd.Context(), x.mailbox, x.from, func(d bus.Delivered) error {
		if !x.wants(d.Type) {
			return nil
		}
		heard()
		if err := show(cmd, d.Event, line(d)); err != nil {
			return err
		}
		if shown++; shown == x.count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// warnUnknown says when the mailbox is none of ours: nothing new will come of it.
func (x *tailing) warnUnknown(cmd *cobra.Command, f fleet) error {
	if x.mailbox == "" {
		return nil
	}
	list, err := f.Mailboxes(cmd.Context())
	if err != nil {
		return err
	}
	m, known := byAddress(list)[x.mailbox]
	switch {
	case !known:
		cmd.PrintErrf("warning: %s is not in the list of mailboxes (roomsync mailboxes list), so nothing new comes of it%s\n", x.mailbox, nearby(x.mailbox, list))
	case !m.Enabled:
		cmd.PrintErrf("warning: %s is switched off, so nothing new comes of it\n", x.mailbox)
	}
	return nil
}

// nearby names a mailbox of the list that was perhaps meant.
func nearby(address string, list []events.Mailbox) string {
	err := config.Choice("", address, addressesOf(list))
	if _, meant, ok := strings.Cut(err.Error(), "; did you mean "); ok {
		return "; did you mean " + meant
	}
	return ""
}

// waiting says, once, that nothing has come for a while, unless heard is called before.
func (x *tailing) waiting(cmd *cobra.Command) (heard func()) {
	ctx, stop := context.WithCancel(cmd.Context())
	var said sync.WaitGroup
	said.Go(func() {
		t := time.NewTimer(tailPatience)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
			cmd.PrintErrf("waiting for events of %s, Ctrl-C ends\n", x.of())
		}
	})
	return func() { stop(); said.Wait() } // two may not write at once
}

func (x *tailing) of() string {
	text := "all mailboxes"
	if x.mailbox != "" {
		text = x.mailbox
	}
	if x.kind != "" {
		text += fmt.Sprintf(" with a type that contains %q", x.kind)
	}
	return text
}

// line is an event for people, without anything of the appointments themselves.
func line(d bus.Delivered) string {
	mailbox := d.Mailbox
	if address, ok := events.AddressOf(d.Mailbox); ok {
		mailbox = address
	} else if strings.HasPrefix(mailbox, events.TenantToken("")) {
		mailbox = "(many mailboxes)"
	}
	return fmt.Sprintf("%s  #%d  %-32s  %s  %s\n", d.Time.UTC().Format(time.DateTime), d.Sequence, d.Type, mailbox, summary(d.Event))
}

// summary names what an operator wants to see first: how many changes, or why.
func summary(e events.Event) string {
	var data struct {
		Reason, Code, Operation, Hint string
		Partial                       bool
		Changes                       []events.Change
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return ""
	}
	var parts []string
	if data.Partial {
		parts = append(parts, "PARTIAL (some are refused still, and each is told of by itself)")
	}
	parts = append(parts, changes(data.Changes)...)
	for _, s := range []string{data.Reason, data.Operation, data.Code, data.Hint} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// changes counts changes by their kind; of one alone it says when, and nothing that is private.
func changes(all []events.Change) (parts []string) {
	counts := map[string]int{}
	for _, c := range all {
		counts[c.Kind]++
	}
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(parts)
	if len(all) == 1 && all[0].Start != nil { // no subject: it would stay in the terminal's history
		parts = append(parts, all[0].Start.UTC().Format("Mon 02 Jan 15:04Z"))
	}
	return parts
}
