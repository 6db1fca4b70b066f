package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/config"
)

// errEnough ends a tail that has shown what it was asked for.
var errEnough = errors.New("enough")

func (t tool) tail() *cobra.Command {
	var mailbox, kind string
	var from uint64
	var count int
	cmd := t.command("tail", "show events to ROOMS as they come", cobra.NoArgs,
		func(cmd *cobra.Command, _ *config.Ops, f fleet, _ []string) error {
			if mailbox != "" {
				given, err := addresses([]string{mailbox})
				if err != nil {
					return err
				}
				mailbox = given[0]
			}
			shown := 0
			err := f.Tail(cmd.Context(), mailbox, from, func(d bus.Delivered) error {
				if !strings.Contains(d.Type, kind) {
					return nil
				}
				if err := show(cmd, d.Event, line(d)); err != nil {
					return err
				}
				if shown++; shown == count {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		})
	cmd.Flags().StringVar(&mailbox, "mailbox", "", "only this address")
	cmd.Flags().StringVar(&kind, "type", "", "only types that contain this, such as access")
	cmd.Flags().Uint64Var(&from, "from", 0, "begin with this sequence of the stream; 1 is everything kept, 0 only what comes")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many events; 0 never")
	return cmd
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
		Changes                       []events.Change
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return ""
	}
	counts := map[string]int{}
	for _, c := range data.Changes {
		counts[c.Kind]++
	}
	var parts []string
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(parts)
	if len(data.Changes) == 1 && data.Changes[0].Start != nil { // no subject: it would stay in the terminal's history
		parts = append(parts, data.Changes[0].Start.UTC().Format("Mon 02 Jan 15:04Z"))
	}
	for _, s := range []string{data.Reason, data.Operation, data.Code, data.Hint} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}
