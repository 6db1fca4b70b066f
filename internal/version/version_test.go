package version

import (
	"runtime"
	"strings"
	"testing"
)

func TestBuild(t *testing.T) {
	if b := This(); b.Version == "" || b.Go != runtime.Version() || !strings.Contains(b.Platform, runtime.GOARCH) {
		t.Errorf("%+v", b)
	}
	for want, b := range map[string]Build{
		"v1.2.0 (commit 0ab1) go1.26 linux/arm64":              {"v1.2.0", "0ab1", false, "go1.26", "linux/arm64"},
		"(devel) (commit 0ab1, modified) go1.26 windows/amd64": {"(devel)", "0ab1", true, "go1.26", "windows/amd64"},
		"(devel) (commit unknown) go1.26 linux/amd64":          {"(devel)", "", false, "go1.26", "linux/amd64"},
	} {
		if b.String() != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
}
