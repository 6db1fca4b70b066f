package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// tree is a root with a group and two commands, one of them with a configuration.
func tree(result error) *cobra.Command {
	root := &cobra.Command{Use: "tool"}
	group := &cobra.Command{Use: "mailboxes"}
	plain := &cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return result }}
	configured := &cobra.Command{Use: "import FILE", Args: cobra.ExactArgs(1), RunE: plain.RunE}
	Attach(configured, world(nil, nil), &Ops{})
	group.AddCommand(plain, configured)
	root.AddCommand(group)
	root.SetOut(&bytes.Buffer{})
	return root
}

func TestRun_ExitCodes(t *testing.T) {
	tests := []struct {
		args   string
		result error
		code   int
		want   string // on stderr
	}{
		{"mailboxes list", nil, ExitOK, ""},
		{"mailboxes list", errors.New("no NATS"), ExitFinding, "tool mailboxes list: no NATS\n"},
		{"mailboxes list", fmt.Errorf("x: %w", Usage(errors.New("bad file"))), ExitUsage, "bad file"},
		{"mailboxes list", errors.New("bus: no NATS: nats: gone"), ExitFinding, "tool mailboxes list: no NATS: gone\n"},
		{"mailboxes list extra", nil, ExitUsage, "unknown command \"extra\""},
		{"mailboxes list --jsn", nil, ExitUsage, "unknown flag --jsn"},
		{"mailboxes import", nil, ExitUsage, "accepts 1 arg"},
		{"mailboxes import f", nil, ExitOK, ""},
		{"mailboxes import f --nats-ur x", nil, ExitUsage, "did you mean --nats-url?"},
		{"mailboxes import f --nats-url x --log-level y", nil, ExitUsage, "--log-level \"y\""},
		{"mailboxes import f --nats-url=nats://a:1", errors.New("no NATS"), ExitFinding, "no NATS"},
		{"mailboxes lst", nil, ExitUsage, `did you mean "list"?`},
		{"mailbox", nil, ExitUsage, `did you mean "mailboxes"?`},
		{"mailboxes", nil, ExitOK, ""},
		{"", nil, ExitOK, ""},
		{"--help", nil, ExitOK, ""},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		code := Run(context.Background(), tree(tt.result), args(tt.args), &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.want) || tt.want == "" && stderr.Len() > 0 {
			t.Errorf("tool %s: code %d, want %d; stderr %q, want %q", tt.args, code, tt.code, stderr.String(), tt.want)
		}
	}
}

func TestUsage_OfNothing(t *testing.T) {
	if err := Usage(nil); err != nil {
		t.Errorf("%v", err)
	}
}
