// Package version knows which build of roomsync is running. It does no I/O.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build is what a binary knows of its origin.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // the commit; "" when it was not built in a checkout
	Modified bool   `json:"modified,omitempty"` // built from sources with uncommitted changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// This is the build that is running.
func This() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
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

// String is the build in one line: version, commit, Go's version and the platform.
func (b Build) String() string {
	commit := b.Revision
	switch {
	case commit == "":
		commit = "unknown"
	case b.Modified:
		commit += ", modified"
	}
	return fmt.Sprintf("%s (commit %s) %s %s", b.Version, commit, b.Go, b.Platform)
}
