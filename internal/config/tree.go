package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"roomsync/internal/version"
)

// furnish gives a program what every one has: --version, and with subcommands help and completion for shells.
func furnish(root *cobra.Command) {
	root.Version = version.This().String()
	root.SetUsageTemplate(usage)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	if !root.HasSubCommands() {
		return
	}
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = "print a script by which a shell completes commands, flags and their values"
			c.Long = "Print a script by which a shell completes commands, flags and their values."
			c.Example = fmt.Sprintf("  source <(%[1]s completion bash)\n  %[1]s completion powershell | Out-String | Invoke-Expression", root.Name())
		}
	}
}

// helpCommand is cobra's, but takes a command that is not there for a fault.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND...]", Short: "show the help of a command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			if c, rest, err := root.Find(args); err == nil && len(rest) == 0 {
				for _, name := range subcommands(c) {
					if strings.HasPrefix(name, begun) {
						names = append(names, name)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 && c.HasSubCommands() {
				err = Usage(noSubcommand(c, rest))
			}
			if err != nil {
				return err
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// prepare makes every command of the tree report unknown flags and subcommands in our words, and note that it
// started: what fails before that is a fault of the call.
func prepare(cmd *cobra.Command, started *bool) {
	cmd.SetFlagErrorFunc(wrongFlag)
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = noSubcommand
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	if next := cmd.RunE; next != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			return next(c, args)
		}
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, started)
	}
}

// usage is that of commands without settings, whose own is made by explain; a command with subcommands does nothing itself.
const usage = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{if .HasAvailableSubCommands}}
"{{.CommandPath}} COMMAND --help" explains a command.
{{end}}`

// noSubcommand refuses what is no subcommand of c.
func noSubcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q: %w", args[0], unknown("there is", args[0], subcommands(c)))
}

func subcommands(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// wrongFlag explains a flag that c does not take. Behind a word that is no subcommand it is the word that is wrong, and
// before a subcommand the place.
func wrongFlag(c *cobra.Command, err error) error {
	if !c.HasSubCommands() {
		return flagError(c.Flags(), err)
	}
	if words := c.Flags().Args(); len(words) > 0 {
		return noSubcommand(c, words)
	}
	var flag *pflag.NotExistError
	if errors.As(err, &flag) {
		for _, sub := range c.Commands() {
			if name := flag.GetSpecifiedName(); sub.Flags().Lookup(name) != nil {
				return fmt.Errorf("--%s belongs behind the command, as in %s --%s", name, sub.CommandPath(), name)
			}
		}
	}
	return flagError(c.Flags(), err)
}
