// Command roomsync is for operators: which mailboxes are wanted, and what is happening to them.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
)

func main() {
	os.Exit(config.Main(tool{env: config.OS(), connect: connect}.root()))
}

func (t tool) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "roomsync",
		Short: "keeps ROOMS and Exchange calendars in step",
		Long:  "roomsync keeps ROOMS and Exchange calendars in step.\n\n" + config.EnvHelp,
		Example: `  roomsync config check --rooms-config RoomsAppSettings.config --online
  roomsync mailboxes list
  roomsync events tail
  source <(roomsync completion bash)`,
	}
	mailboxes := &cobra.Command{Use: "mailboxes", Short: "which calendars are kept in step"}
	mailboxes.AddCommand(t.list(), t.importCSV(), t.set(), t.remove(), t.sync())
	events := &cobra.Command{Use: "events", Short: "what ROOMS is told"}
	events.AddCommand(t.tail())
	access := &cobra.Command{Use: "access", Short: "what Exchange lets us do"}
	access.AddCommand(t.accessCheck())
	root.AddCommand(mailboxes, events, access, t.setup(), t.config(), t.version())
	complete(root)
	return root
}
