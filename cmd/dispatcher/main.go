// Command dispatcher creates roomsync's streams, follows the list of mailboxes, and sees to it that each of them is
// looked at. Any number of dispatchers may run; one is enough.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
	"roomsync/internal/daemon"
)

func main() { os.Exit(config.Main(command(config.OS()))) }

func command(env config.Env) *cobra.Command {
	var cfg config.Dispatcher
	cmd := &cobra.Command{Use: "dispatcher", Short: "sees to it that every mailbox of roomsync is looked at", Args: config.NoArgs}
	cmd.Long = cmd.Short + "\n\n" + config.EnvHelp
	cmd.Example = `  dispatcher
  dispatcher --nats-url nats://nats-1:4222,nats://nats-2:4222 --nats-creds /run/secrets/nats --log-format json`
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return daemon.Dispatcher(cmd.Context(), cfg, cfg.Logger(cmd.ErrOrStderr()), daemon.Extra{})
	}
	config.Attach(cmd, env, &cfg)
	return cmd
}
