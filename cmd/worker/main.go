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
	cmd.Long += "\n\n" + reload
	cmd.Example = examples
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		x := daemon.Extra{Hangup: daemon.Hangup(cmd.Context())}
		return daemon.Worker(cmd.Context(), cfg, cfg.Logger(cmd.ErrOrStderr()), x)
	}
	config.Attach(cmd, env, &cfg)
	return cmd
}

const reload = `What changes in RoomsAppSettings.config and in files of secrets is taken up within half a minute, without a restart;
SIGHUP takes it up at once, and signs in anew in any case. "roomsync config check" shows what is in force and tries it.`

const examples = `  # the settings that ROOMS has, whichever way it signs in
  worker --rooms-config 'C:\Program Files (x86)\Garaio\ROOMS\Configuration\RoomsAppSettings.config'
  # an app with a secret, with a certificate, and in Kubernetes with neither
  worker --tenant-id 6e91… --app-id 0774… --client-secret-file /run/secrets/exchange
  worker --tenant-id 6e91… --app-id 0774… --cert-thumbprint 'A1 B2 …' --cert-dir /run/certs --cert-password-file /run/secrets/pfx
  AZURE_FEDERATED_TOKEN_FILE=… AZURE_TENANT_ID=… AZURE_CLIENT_ID=… worker
  # delegated access: a service user with rights on each calendar
  worker --auth delegated --tenant-id 6e91… --app-id 0774… --username svc@contoso.com --password-file /run/secrets/svc
  # a server on premises
  worker --username 'CONTOSO\svc' --password-file pw --ews-url https://mail.contoso.com/EWS/Exchange.asmx
  worker --auth ntlm --username 'CONTOSO\svc' --password-file pw --ews-url https://mail.contoso.com/EWS/Exchange.asmx`
