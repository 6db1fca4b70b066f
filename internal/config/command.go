package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every binary.
const (
	ExitOK      = 0
	ExitFinding = 1 // it did not work, or something was found that needs attention
	ExitUsage   = 2 // it was called or configured wrongly; nothing was done
)

// EnvHelp explains the environment variables, for the help of commands.
const EnvHelp = `Every flag --some-name can also be given as the environment variable ROOMSYNC_SOME_NAME; the flag wins. Secrets are
read from files (--client-secret-file), or from variables that hold them (ROOMSYNC_CLIENT_SECRET), never from flags.
Exit codes: 0 done, 1 something failed or was found, 2 called or configured wrongly.`

// Attach gives cmd the flags of a configuration. It is filled and checked before the command runs.
func Attach(cmd *cobra.Command, env Env, to Section) {
	s := newSettings(cmd.Flags(), env)
	to.declare(s)
	explain(cmd, s)
	cmd.PreRunE = func(*cobra.Command, []string) error { return s.finish(to) }
}

// Main runs cmd as a process, prints its error, and returns the exit code. The command's context ends with the first
// SIGINT or SIGTERM; a second one kills.
func Main(cmd *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, cmd, os.Args[1:], os.Stderr)
}

// Run is Main without the process: it runs cmd with args and returns the exit code.
func Run(ctx context.Context, cmd *cobra.Command, args []string, stderr io.Writer) int {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetArgs(args)
	cmd.SetErr(stderr)
	started := false
	prepare(cmd, &started)
	ran, err := cmd.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	code := ExitFinding
	var usage *UsageError
	if !started || errors.As(err, &usage) {
		code = ExitUsage
	}
	_, _ = fmt.Fprintf(stderr, "%s: %v\n", ran.CommandPath(), err)
	return code
}

// prepare makes every command of the tree report unknown flags and subcommands in our words, and note that it
// started: what fails before that is a fault of the call.
func prepare(cmd *cobra.Command, started *bool) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return flagError(c.Flags(), err) })
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = subcommand
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

// subcommand refuses what is no subcommand of c.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q: %w", args[0], unknown("there is", args[0], names))
}

// NoArgs refuses arguments. Somebody who writes "--impersonation false" is told how it is meant.
func NoArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unexpected argument %q (a true-or-false flag takes its value after =, as in --impersonation=false)", args[0])
}

// UsageError is an error of a running command that is the caller's: a file that makes no sense, a wrong address.
type UsageError struct{ Err error }

// Error implements error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usage says that err is the caller's fault, so that the process ends with [ExitUsage].
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}
