package config

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Groups of flags, the headings of --help.
const (
	groupNATS     = "NATS"
	groupExchange = "Exchange, and how to sign in"
	groupApp      = "Sign-in as an app, or by its registration"
	groupUser     = "Sign-in as a service user"
	groupWork     = "Work"
	groupLog      = "Log"
	groupHealth   = "Health"
)

// explain makes cmd print its usage with the flags of its configuration in groups, and its own flags before them.
func explain(cmd *cobra.Command, s *settings) {
	cmd.Flags().SortFlags = false
	for _, v := range s.all {
		if v.kind != "file" && v.kind != "folder" { // which a shell completes by itself
			_ = cmd.RegisterFlagCompletionFunc(v.name, cobra.FixedCompletions(v.words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there, and new
		}
	}
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
		if cmd.HasExample() {
			fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
		}
		for _, g := range grouped(cmd, s) {
			fmt.Fprintf(&b, "\n%s:\n%s", g.heading, g.flags.FlagUsages())
		}
		_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
		return err
	})
}

type group struct {
	heading string
	flags   *pflag.FlagSet
}

// grouped are the flags of cmd in the order in which they were declared.
func grouped(cmd *cobra.Command, s *settings) []group {
	of := map[string]string{}
	order := []string{"Flags"}
	for _, v := range s.all {
		of[v.name] = v.group
		if order[len(order)-1] != v.group {
			order = append(order, v.group)
		}
	}
	var all []group
	for _, heading := range order {
		g := group{heading, pflag.NewFlagSet("", pflag.ContinueOnError)}
		g.flags.SortFlags = false
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if of[f.Name] == heading || of[f.Name] == "" && heading == "Flags" {
				g.flags.AddFlag(f)
			}
		})
		if g.flags.HasAvailableFlags() {
			all = append(all, g)
		}
	}
	return all
}
