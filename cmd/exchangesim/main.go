// Command exchangesim is a simulated Exchange: Exchange Web Services, the Entra token endpoint, and an admin API to
// seed, change, break and inspect it. It forgets everything when it ends. See docs/exchangesim.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"roomsync/internal/plain"
	"roomsync/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// usageError is a mistake of whoever typed the command: exit code 2.
type usageError struct{ error }

// run is the command: 0 after a clean stop, 1 when something failed, 2 for wrong usage.
func run(ctx context.Context, args []string, env func(string) (string, bool), out, errs io.Writer) int {
	cmd := command(env, out)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	err := cmd.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(errs, "exchangesim:", strings.ReplaceAll(plain.Text(err.Error()), "\n", "; "), "(exchangesim --help)")
		return 2
	}
	fmt.Fprintln(errs, "exchangesim:", plain.Text(err.Error()))
	return 1
}

func command(env func(string) (string, bool), out io.Writer) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use: "exchangesim", Short: "A simulated Exchange with EWS, token endpoint and admin API", Long: long,
		Version:      version.This().String(),
		SilenceUsage: true, SilenceErrors: true,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.complete(cmd.Flags(), env); err != nil {
				return usageError{err}
			}
			return serve(cmd.Context(), f, out)
		},
	}
	cmd.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f.register(cmd.Flags())
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}
