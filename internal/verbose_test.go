package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// msalErrors has Verbose, which quotes whole requests with the client secret, password or assertion in them. So have
// its errors, as a method.
const msalErrors = "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

// TestNobodyAsksForVerboseErrors: MSAL's verbose errors would carry secrets into logs.
func TestNobodyAsksForVerboseErrors(t *testing.T) {
	read := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		read++
		for _, where := range verbose(t, file, nil) {
			t.Errorf("%s asks for verbose errors: MSAL puts secrets into them", where)
		}
		return nil
	})
	if err != nil || read < 100 {
		t.Errorf("%d files were read: %v", read, err)
	}
}

func TestVerboseErrorsAreFound(t *testing.T) {
	for src, want := range map[string]int{
		`import msal "` + msalErrors + `"; var s = msal.Verbose(nil)`:                1,
		`import "` + msalErrors + `"; var f = errors.Verbose`:                        1,
		`import . "` + msalErrors + `"`:                                              1,
		`func f(err interface{ Verbose() string }) string { return err.Verbose() }`:  2,
		`import "testing"; var v = testing.Verbose()`:                                0,
		`import "` + msalErrors + `"; func f(e errors.CallErr) string { return "" }`: 0,
		`import msal "` + msalErrors + `"; var s = msal.CallErr{}.Verbose()`:         1,
	} {
		if got := verbose(t, "x.go", "package x; "+src); len(got) != want {
			t.Errorf("%s: %q", src, got)
		}
	}
}

// verbose lists where a source file names something Verbose, testing.Verbose apart, or imports MSAL's errors in a way
// that would hide it.
func verbose(t *testing.T, file string, src any) []string {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, file, src, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	var found []string
	add := func(p token.Pos) { found = append(found, files.Position(p).String()) }
	for _, spec := range f.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); path == msalErrors && spec.Name != nil && spec.Name.Name == "." {
			add(spec.Pos())
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); n.Sel.Name == "Verbose" && (!ok || x.Name != "testing") {
				add(n.Pos())
			}
		case *ast.InterfaceType:
			for _, m := range n.Methods.List {
				if len(m.Names) == 1 && m.Names[0].Name == "Verbose" {
					add(m.Pos())
				}
			}
		}
		return true
	})
	return found
}
