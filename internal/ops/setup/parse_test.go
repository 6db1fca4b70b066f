package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real parser judges the scripts where there is one: PowerShell's own, or tree-sitter's grammar, which node finds in
// NODE_PATH after "npm install @vscode/tree-sitter-wasm". ROOMSYNC_REQUIRE_POWERSHELL_PARSER=1 makes its lack a failure.
func TestScripts_Parse(t *testing.T) {
	parse := parser(t)
	folder := t.TempDir()
	var files []string
	variants(t, func(t *testing.T, name string, fill func(Input) (string, error), in Input) {
		in.Group, in.ServiceUser = "Räume d’été", "o'brien@b.example"
		script, err := fill(in)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, name+".ps1")
		if err := os.WriteFile(file, Encode(script), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	})
	broken := filepath.Join(folder, "broken.ps1")
	if err := os.WriteFile(broken, []byte("if ($true) { 'x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := parse(append(files, broken)...)
	if err == nil {
		t.Error("the parser accepts everything")
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "broken.ps1") {
			t.Error(line)
		}
	}
}

const byPowerShell = `$failed = 0
foreach ($file in $args) {
    $errors = $null
    [void][Management.Automation.Language.Parser]::ParseFile($file, [ref]$null, [ref]$errors)
    foreach ($e in $errors) { "${file}: line $($e.Extent.StartLineNumber): $($e.Message)"; $failed = 1 }
}
exit $failed
`

func parser(t *testing.T) func(files ...string) ([]byte, error) {
	t.Helper()
	if pwsh, err := exec.LookPath("pwsh"); err == nil {
		script := filepath.Join(t.TempDir(), "parse.ps1")
		if err := os.WriteFile(script, []byte(byPowerShell), 0o600); err != nil {
			t.Fatal(err)
		}
		return func(files ...string) ([]byte, error) {
			return exec.Command(pwsh, append([]string{"-NoProfile", "-File", script}, files...)...).CombinedOutput()
		}
	}
	node, err := exec.LookPath("node")
	if err == nil {
		err = exec.Command(node, "-e", "require('@vscode/tree-sitter-wasm')").Run()
	}
	if err != nil {
		if os.Getenv("ROOMSYNC_REQUIRE_POWERSHELL_PARSER") == "1" {
			t.Fatal("neither pwsh nor node with @vscode/tree-sitter-wasm (NODE_PATH)")
		}
		t.Skip("neither pwsh nor node with @vscode/tree-sitter-wasm (NODE_PATH)")
	}
	return func(files ...string) ([]byte, error) {
		return exec.Command(node, append([]string{"--no-wasm-tier-up", "--liftoff-only", filepath.Join("testdata", "parse.js")}, files...)...).CombinedOutput()
	}
}
