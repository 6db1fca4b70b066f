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

	"roomsync/internal/plain"
)

// Exit codes of every binary.
const (
	ExitOK      = 0
	ExitFinding = 1 // it did not work, or something was found that needs attention
	ExitUsage   = 2 // it was called or configured wrongly; nothing was done
)

// EnvHelp explains the environment variables, for the help of commands.
const EnvHelp = `Every flag under a heading of its own, such as --nats-url, can also be given as an environment variable, ROOMSYNC_NATS_URL;
the flag wins. Secrets are read from files (--client-secret-file), or from variables that hold them
(ROOMSYNC_CLIENT_SECRET), never from flags. A variable that looks like one of these and is none is warned of.
Exit codes: 0 done, 1 something failed or was found, such as NATS that cannot be reached, 2 called or configured wrongly.`

// Attach gives cmd the flags of a configuration. It is filled and checked before the command runs.
func Attach(cmd *cobra.Command, env Env, to Section) {
	s := newSettings(cmd.Flags(), env)
	to.declare(s)
	explain(cmd, s)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		err := s.finish(to)
		if l, ok := to.(logs); ok { // first, as it may be why something is missing
			warnStrange(l.sink().Logger(cmd.ErrOrStderr()), env.strange())
		}
		return err
	}
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
	cmd.SetArgs(args)
	cmd.SetErr(stderr)
	started := false
	furnish(cmd)
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
	_, _ = fmt.Fprintf(stderr, "%s: %s\n", ran.CommandPath(), plain.Text(err.Error()))
	return code
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
