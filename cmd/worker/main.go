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
	cmd.Example = `  worker --tenant-id 6e91… --app-id 0774… --client-secret-file /run/secrets/exchange
  worker --auth basic --username 'CONTOSO\svc' --password-file pw --ews-url https://mail.contoso.com/EWS/Exchange.asmx
  ROOMSYNC_HTTP=off ROOMSYNC_SLOTS=64 worker …`
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return daemon.Worker(cmd.Context(), cfg, cfg.Logger(cmd.ErrOrStderr()), daemon.Extra{})
	}
	config.Attach(cmd, env, &cfg)
	return cmd
}
