package ews

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCoverageTable: the files that docs/ews-coverage.md names are there, and every operation has its line.
func TestCoverageTable(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	table, err := os.ReadFile(filepath.Join(docs, "ews-coverage.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile(`\]\((\.\./[^)]+)\)`).FindAllSubmatch(table, -1)
	if len(files) < 15 {
		t.Errorf("only %d files are named", len(files))
	}
	for _, m := range files {
		if _, err := os.Stat(filepath.Join(docs, string(m[1]))); err != nil {
			t.Error(err)
		}
	}
	for op := range decoders {
		file := "../internal/ews/" + strings.ToLower(op) + ".go"
		if !regexp.MustCompile(`(?m)^\| \[` + op + `\].*` + regexp.QuoteMeta(file)).Match(table) {
			t.Errorf("%s has no line that names %s", op, file)
		}
	}
}
