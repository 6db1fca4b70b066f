package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"roomsync/events"
	"roomsync/internal/config"
)

func addressesOf(list []events.Mailbox) []string {
	all := make([]string, len(list))
	for i, m := range list {
		all[i] = m.Address
	}
	return all
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// window shows the days before and after today; the default is 7 before and 365 after.
func window(m events.Mailbox) string {
	if m.PastDays == 0 && m.FutureDays == 0 {
		return "default"
	}
	days := func(sign string, n int) string {
		if n == 0 {
			return sign + "default"
		}
		return fmt.Sprintf("%s%dd", sign, n)
	}
	return days("-", m.PastDays) + " " + days("+", m.FutureDays)
}

func fields(names []string) string {
	switch {
	case names == nil:
		return "default"
	case len(names) == 0:
		return "none"
	}
	return strings.Join(names, ",")
}

// setFlags are the flags of "mailboxes set", with the CSV columns they stand for.
var setFlags = []struct{ flag, column, usage string }{
	{"mode", "mode", "O365, O365Pull, Exchange2010, Exchange2013, Exchange2016 or Exchange2016Pull; needed for a new mailbox"},
	{"url", "url", `EWS endpoint; "" for the fleet's default`},
	{"folder", "folder", `folder id; "" for the default calendar`},
	{"enabled", "enabled", "true or false; a new mailbox is enabled"},
	{"past-days", "past_days", `days before today; "" for the default`},
	{"future-days", "future_days", `days after today; "" for the default`},
	{"fields", "fields", `what events carry: "subject location organizer attendees", or none; "" for the default`},
}

func (t tool) set() *cobra.Command {
	cmd := t.command("set ADDRESS", "add a mailbox, or change what is given", cobra.ExactArgs(1),
		func(cmd *cobra.Command, o *config.Ops, f fleet, args []string) error {
			given, err := addresses(args)
			if err != nil {
				return err
			}
			list, err := f.Mailboxes(cmd.Context())
			if err != nil {
				return err
			}
			m, known := byAddress(list)[given[0]]
			if !known {
				m = events.Mailbox{Enabled: true}
			}
			m.Address = given[0]
			if err := change(&m, cmd.Flags()); err != nil {
				return config.Usage(err)
			}
			if err := o.Hosts.Check(m.URL); err != nil {
				return config.Usage(fmt.Errorf("--url: %w", err))
			}
			changed, err := f.Put(cmd.Context(), m)
			if err != nil {
				return err
			}
			what := outcome(known, changed)
			return show(cmd, map[string]string{"address": m.Address, "outcome": what}, m.Address+": "+what+"\n")
		})
	for _, f := range setFlags {
		cmd.Flags().String(f.flag, "", f.usage)
	}
	return cmd
}

// change applies the flags that were given; all faults are reported.
func change(m *events.Mailbox, flags *pflag.FlagSet) error {
	var errs []error
	for _, f := range setFlags {
		text, _ := flags.GetString(f.flag)
		if !flags.Changed(f.flag) && !(f.flag == "mode" && m.Mode == "") {
			continue
		}
		if err := config.SetMailboxField(m, f.column, text); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", f.flag, err))
		}
	}
	return errors.Join(errs...)
}

func outcome(known, changed bool) string {
	switch {
	case !known:
		return "added"
	case changed:
		return "changed"
	}
	return "unchanged"
}

func (t tool) remove() *cobra.Command {
	return t.command("remove ADDRESS...", "stop keeping mailboxes in step", cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, _ *config.Ops, f fleet, args []string) error {
			given, err := addresses(args)
			if err != nil {
				return err
			}
			removed, missing := []string{}, []string{}
			for _, a := range given {
				found, err := f.Remove(cmd.Context(), a)
				if err != nil {
					return fmt.Errorf("%s: %w", a, err)
				}
				if found {
					removed = append(removed, a)
				} else {
					missing = append(missing, a)
				}
			}
			text := fmt.Sprintf("removed %d\n", len(removed))
			if err := show(cmd, map[string][]string{"removed": removed, "missing": missing}, text); err != nil {
				return err
			}
			return notListed(missing)
		})
}

// notListed is the finding that addresses are no mailboxes of ours.
func notListed(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("not in the list of mailboxes: %s", strings.Join(missing, ", "))
}

func (t tool) sync() *cobra.Command {
	var all bool
	cmd := t.command("sync ADDRESS... | --all", "look at mailboxes now", nil,
		func(cmd *cobra.Command, _ *config.Ops, f fleet, args []string) error {
			given, err := addresses(args)
			if err != nil {
				return err
			}
			list, err := f.Mailboxes(cmd.Context())
			if err != nil {
				return err
			}
			known := byAddress(list)
			if all {
				given = nil
				for _, m := range list {
					if m.Enabled {
						given = append(given, strings.ToLower(m.Address))
					}
				}
				// What is mended for a part must not be met in a row: that would look like an outage of all (ADR 6).
				rand.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
			}
			var asked, missing []string
			for _, a := range given {
				if !known[a].Enabled {
					missing = append(missing, a)
				} else {
					asked = append(asked, a)
				}
			}
			return wake(cmd, f, asked, missing)
		})
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return errors.New("name the mailboxes, or say --all")
		}
		return nil
	}
	cmd.Flags().BoolVar(&all, "all", false, "every enabled mailbox")
	return cmd
}

func wake(cmd *cobra.Command, f fleet, asked, missing []string) error {
	err := each(asked, func(a string) error { return f.Sync(cmd.Context(), a) })
	if err != nil {
		return err
	}
	v := map[string][]string{"asked": append([]string{}, asked...), "missing": append([]string{}, missing...)}
	if err := show(cmd, v, fmt.Sprintf("asked for %d\n", len(asked))); err != nil || len(missing) == 0 {
		return err
	}
	return fmt.Errorf("not in the list of mailboxes, or not enabled: %s", strings.Join(missing, ", "))
}
