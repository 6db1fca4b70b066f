// Command worker takes jobs from the queue and brings mailboxes up to date. It scales by running more of them.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
	"roomsync/internal/daemon"
)

func main() { os.Exit(config.Main(command(config.OS()))) }

func command(env config.Env) *cobra.Command {
	var cfg config.Worker
	cmd := &cobra.Command{Use: "worker", Short: "brings mailboxes of roomsync up to date", Args: config.NoArgs}
	cmd.Long = cmd.Short + "\n\n" + config.EnvHelp
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return daemon.Worker(cmd.Context(), cfg, cfg.Logger(cmd.ErrOrStderr()), daemon.Extra{})
	}
	config.Attach(cmd, env, &cfg)
	return cmd
}
