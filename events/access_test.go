package events

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestRefusals_AreDocumented: every reason and every scope of package events stands in a schema and in the contract's text.
func TestRefusals_AreDocumented(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "access.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	contract, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	var schemas strings.Builder
	for _, typ := range []string{TypeAccessDenied, TypeMailboxBlocked} {
		s, _ := Schema(typ)
		schemas.Write(s)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		c, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		word, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if !strings.Contains(schemas.String(), word) {
			t.Errorf("%s (%q) stands in no schema", c.Names[0], word)
		}
		if !strings.Contains(string(contract), "`"+word+"`") {
			t.Errorf("docs/contract.md does not name `%s`", word)
		}
		return true
	})
	if n < 20 {
		t.Errorf("only %d constants were found", n)
	}
}
