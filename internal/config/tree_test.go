package config

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// say runs "tool args" on a tree that has the flag --json at one command.
func say(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	root := tree(nil)
	list, _, _ := root.Find([]string{"mailboxes", "list"})
	list.Flags().Bool("json", false, "print JSON")
	root.SetOut(&out)
	code = Run(context.Background(), root, args, &errs)
	return code, out.String(), errs.String()
}

func TestRun_WrongWords(t *testing.T) {
	for line, want := range map[string]string{
		"mailboxes lst --json":    `tool mailboxes: unknown command "lst": there is import or list; did you mean "list"?`,
		"mailboxes lst x --jsn=1": `unknown command "lst"`,
		"mailboxes --json list":   "--json belongs behind the command, as in tool mailboxes list --json",
		"mailboxes --jsn":         "unknown flag --jsn",
		"help mailbox":            `tool help: unknown command "mailbox": there is completion or mailboxes; did you mean "mailboxes"?`,
		"help mailboxes lst":      `did you mean "list"?`,
		"completion bsh":          `did you mean "bash"?`,
	} {
		if code, out, stderr := say(strings.Fields(line)...); code != ExitUsage || out != "" || !strings.Contains(stderr, want) {
			t.Errorf("tool %s: code %d, stdout %q, stderr %q, want %q", line, code, out, stderr, want)
		}
	}
}

func TestRun_Help(t *testing.T) {
	for line, want := range map[string]string{
		"":                             "Usage:\n  tool COMMAND\n",
		"help":                         "Usage:\n  tool COMMAND\n",
		"help mailboxes":               "\nCommands:\n  import ",
		"help mailboxes list":          "tool mailboxes list [flags]",
		"help mailboxes import":        "--nats-url url",
		"--version":                    "tool ",
		"completion bash":              "# bash completion V2 for tool",
		"completion --help":            "source <(tool completion bash)",
		"__complete help mailboxes l":  "list\n",
		"__complete mailboxes import":  "import\n",
		"__complete mailboxes list --": "--json",
	} {
		if code, out, stderr := say(strings.Fields(line)...); code != ExitOK || !strings.Contains(out, want) {
			t.Errorf("tool %s: code %d, stderr %q, lacks %q:\n%s", line, code, stderr, want, out)
		}
	}
	if _, out, _ := say(); !strings.Contains(out, "\n  completion ") {
		t.Errorf("completion is not listed:\n%s", out)
	}
}

// TestCompletion_OfValues: flags with known values complete them, and those that name a file leave that to the shell.
func TestCompletion_OfValues(t *testing.T) {
	for flag, want := range map[string]string{
		"--auth": "ntlm\n", "--log-level": "debug\n", "--log-format": "json\n", "--mailbox-token": "hmac\n", "--impersonation=": "false\n",
		"--ews-url": ":4\n", "--client-secret-file": ":0\n", "--cert-dir": ":0\n",
	} {
		cmd := &cobra.Command{Use: "worker", RunE: func(*cobra.Command, []string) error { return nil }}
		Attach(cmd, world(nil, nil), &Worker{})
		var out, stderr bytes.Buffer
		cmd.SetOut(&out)
		line := []string{"__complete", flag, ""}
		if strings.HasSuffix(flag, "=") {
			line = line[:2]
		}
		if code := Run(t.Context(), cmd, line, &stderr); code != ExitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%s: code %d, %s lacks %q", flag, code, out.String(), want)
		}
	}
}
