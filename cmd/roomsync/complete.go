package main

import (
	"strings"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/config"
	"roomsync/internal/ops/setup"
)

// words makes a shell complete the values of a flag that cmd has.
func words(cmd *cobra.Command, flag string, values ...string) {
	if cmd.Flags().Lookup(flag) != nil {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // there, and once
	}
}

// complete makes a shell complete what is not a setting; the settings' values are known to package config.
func complete(root *cobra.Command) {
	for _, x := range []struct {
		path, flag string
		values     []string
	}{
		{"mailboxes set", "mode", config.Modes()},
		{"mailboxes set", "enabled", []string{"true", "false"}},
		{"mailboxes set", "fields", []string{"none", "subject", "location", "organizer", "attendees"}},
		{"events tail", "type", []string{
			events.TypeCalendarChanged, events.TypeSyncCompleted, events.TypeAccessDenied, events.TypeAccessRestored, events.TypeMailboxBlocked,
			events.TypeBookingApplied, events.TypeBookingConflict, events.TypeBookingRejected,
		}},
		{"setup powershell", "access-right", []string{restrict, deny}},
	} {
		if cmd, _, err := root.Find(strings.Fields(x.path)); err == nil {
			words(cmd, x.flag, x.values...)
		}
	}
}

// topicsBegun completes a topic of "setup powershell".
func topicsBegun(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var list []cobra.Completion
	for _, t := range append(setup.Topics(), setup.Topic{Name: "all", Title: "all that go with the configuration"}) {
		if strings.HasPrefix(t.Name, begun) {
			list = append(list, cobra.CompletionWithDesc(t.Name, t.Title))
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}
