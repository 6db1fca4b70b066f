package main

import (
	"github.com/spf13/cobra"

	"roomsync/internal/version"
)

func (tool) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "show which build this is", Args: cobra.NoArgs}
	cmd.Example = "  roomsync version\n  roomsync version --json"
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := version.This()
		return show(cmd, b, "roomsync "+b.String()+"\n")
	}
	return cmd
}
