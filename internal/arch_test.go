// Package internal holds no code; this test holds the arrows between the packages below it.
package internal

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed lists, for each package, the packages of this module that it may import outside its tests. "…/x" below a
// package that is listed inherits its parent's line, and may import its parent and siblings' parent.
var allowed = map[string][]string{
	// say
	"events":           {},
	"internal/xmltext": {},
	// think: no I/O
	"internal/jobs":       {"internal/retirement", "events"},
	"internal/zones":      {},
	"internal/retirement": {},
	"internal/version":    {},
	"internal/plain":      {},
	"internal/calsync":    {"events", "internal/zones", "internal/xmltext"},
	// talk
	"internal/bus":          {"events", "internal/jobs"},
	"internal/ews/soap":     {"internal/xmltext"},
	"internal/ews":          {"internal/ews/soap", "internal/calsync"},
	"internal/tokens":       {},
	"internal/tokens/entra": {"internal/tokens"},
	"internal/tokens/certs": {"internal/tokens"},
	"internal/throttle":     {"internal/jobs"},
	// assemble
	"internal/config":     {"events", "internal/tokens", "internal/retirement", "internal/version", "internal/plain"},
	"internal/ops":        {"events", "internal/jobs", "internal/bus", "internal/retirement", "internal/calsync", "internal/plain"},
	"internal/dispatcher": {"events", "internal/jobs", "internal/bus", "internal/ops"},
	"internal/roomsapi":   {"events", "internal/bus", "internal/tokens"},
	"internal/worker":     {"events", "internal/jobs", "internal/bus", "internal/calsync", "internal/tokens", "internal/throttle", "internal/ops", "internal/retirement"},
	"internal/daemon":     {"internal/config", "internal/retirement", "internal/bus", "internal/dispatcher", "internal/worker", "internal/ews", "internal/tokens", "internal/tokens/entra", "internal/jobs", "internal/ops", "internal/tokens/certs", "internal/calsync", "internal/ews/signin", "internal/roomsapi", "events", "internal/ops/accesscheck", "internal/plain"},
	// prove: the product never imports these
	"internal/exchangesim": {"internal/exchangesim/…", "internal/ews/soap", "internal/zones"},
	"internal/testenv":     {"events", "internal/…"},
	"test/integration":     {"events", "internal/…"},
	"test/bench":           {"events", "internal/…"},
	// run
	"cmd/exchangesim": {"internal/exchangesim", "internal/exchangesim/…", "internal/version", "internal/plain"},
	"cmd/demo":        {"events", "internal/…"},
	"cmd/dispatcher":  {"internal/config", "internal/daemon"},
	"cmd/worker":      {"internal/config", "internal/daemon"},
	"cmd/roomsync":    {"events", "internal/config", "internal/daemon", "internal/bus", "internal/ops", "internal/dispatcher", "internal/worker", "internal/tokens/entra", "internal/tokens", "internal/ews", "internal/jobs", "internal/ops/setup", "internal/retirement", "internal/ops/…", "internal/calsync", "internal/version", "internal/plain"},
	".ci/summary":     {},
}

// only lists the imports from outside that few packages may have.
var only = map[string][]string{
	"github.com/nats-io/":                   {"internal/bus", "internal/daemon", "internal/testenv", "test/integration", "test/bench", "cmd/demo", "cmd/roomsync"},
	"github.com/AzureAD/":                   {"internal/tokens/entra"},
	"github.com/Azure/":                     {"internal/ews/signin"},
	"encoding/xml":                          {"internal/ews", "internal/exchangesim", "internal/config"},
	"github.com/testcontainers/":            {"test/integration"},
	"github.com/spf13/":                     {"internal/config", "cmd/roomsync", "cmd/dispatcher", "cmd/worker", "cmd/exchangesim", "cmd/demo", "test/bench"},
	"github.com/rs/zerolog":                 {"internal/config", "internal/daemon", "internal/dispatcher", "internal/worker", "internal/ops", "internal/roomsapi", "internal/bus", "internal/testenv", "internal/exchangesim", "cmd/", "test/"},
	"roomsync/internal/exchangesim":         {"internal/exchangesim", "internal/testenv", "test/", "cmd/exchangesim", "cmd/demo"},
	"roomsync/internal/testenv":             {"test/", "cmd/demo"},
	"pgregory.net/rapid":                    {},
	"github.com/santhosh-tekuri/jsonschema": {},
}

// pure packages import nothing that does I/O.
var pure = []string{"internal/jobs", "internal/calsync", "internal/retirement", "internal/xmltext", "events"}

var impure = []string{"net", "net/http", "os", "os/exec", "database/sql", "io/ioutil", "syscall"}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		rel, _ := filepath.Rel("..", file)
		pkg := path.Dir(filepath.ToSlash(rel))
		seen[pkg] = true
		check(t, file, pkg)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"events", "internal/jobs", "internal/calsync"} {
		if !seen[must] {
			t.Errorf("no sources of %s were read", must)
		}
	}
}

func check(t *testing.T, file, pkg string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range f.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		if why := forbidden(pkg, imp); why != "" {
			t.Errorf("%s imports %s: %s", file, imp, why)
		}
	}
}

func forbidden(pkg, imp string) string {
	for prefix, users := range only {
		if strings.HasPrefix(imp, prefix) && !within(pkg, users) {
			return "only " + strings.Join(users, ", ") + " may"
		}
	}
	for _, p := range pure {
		for _, x := range impure {
			if (pkg == p || strings.HasPrefix(pkg, p+"/")) && imp == x {
				return p + " does no I/O"
			}
		}
	}
	ours, ok := strings.CutPrefix(imp, "roomsync/")
	if !ok {
		return ""
	}
	owner := owning(pkg)
	if owner == "" {
		return pkg + " stands nowhere in arch_test.go"
	}
	if ours == owner || strings.HasPrefix(ours, owner+"/") {
		return "" // parent and child
	}
	for _, a := range allowed[owner] {
		if a == ours || strings.HasSuffix(a, "/…") && strings.HasPrefix(ours, strings.TrimSuffix(a, "…")) {
			return ""
		}
	}
	return "that arrow goes up or sideways"
}

// owning is pkg itself, or the nearest parent that has a line.
func owning(pkg string) string {
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := allowed[p]; ok {
			return p
		}
	}
	return ""
}

func within(pkg string, users []string) bool {
	for _, u := range users {
		if pkg == u || strings.HasPrefix(pkg, strings.TrimSuffix(u, "/")+"/") {
			return true
		}
	}
	return false
}
