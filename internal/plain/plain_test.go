package plain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for message, want := range map[string]string{
		"bus: cannot reach NATS: nats: no servers":              "cannot reach NATS: no servers",
		"workers: worker: lane poll: bus: x":                    "workers: lane poll: x",
		"a\ntokens: no access token":                            "a\nno access token",
		"GetFolder: token: tokens: entra: gone":                 "GetFolder: token: gone",
		"the omnibus: a film; jobs are done":                    "the omnibus: a film; jobs are done",
		"--nats-url \"bus: x\": must be":                        "--nats-url \"x\": must be",
		"read the tokens: five":                                 "read the tokens: five",
		"dial tcp 127.0.0.1:1: connect: connection refused":     "dial tcp 127.0.0.1:1: connect: connection refused",
		"the certificate's certs: none (certs: not to be seen)": "the certificate's certs: none (not to be seen)",
	} {
		if got := Text(message); got != want || string(Line([]byte(message))) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestText_KnowsAllPackages: a package whose errors begin with its name is among those that [Text] leaves out.
func TestText_KnowsAllPackages(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, `"`+f.Name.Name+": ") {
				seen[f.Name.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range seen {
		if !slices.Contains(prefixes, name) {
			t.Errorf("errors of package %s begin with its name", name)
		}
	}
	if !seen["bus"] || !seen["tokens"] {
		t.Errorf("only %v were found: the test proves nothing", seen)
	}
}
