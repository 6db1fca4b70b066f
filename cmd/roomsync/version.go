package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the binary knows of its origin.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from sources with uncommitted changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "show which build this is", Args: cobra.NoArgs}
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := thisBuild()
		text := fmt.Sprintf("roomsync %s", b.Version)
		if b.Revision != "" {
			text += " (" + b.Revision + ")"
		}
		return show(cmd, b, text+fmt.Sprintf(" %s %s\n", b.Go, b.Platform))
	}
	return cmd
}

func thisBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
