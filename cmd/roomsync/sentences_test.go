package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"roomsync/internal/bus/embedded"
	"roomsync/internal/config"
	"roomsync/internal/plain"
)

// leaves are the commands that do something, with arguments that they take.
func leaves(root *cobra.Command) (all [][]string) {
	args := map[string][]string{
		"roomsync mailboxes import": {"-"}, "roomsync mailboxes set": {"room1@b.example", "--mode=O365"}, "roomsync mailboxes remove": {"room1@b.example"},
		"roomsync mailboxes sync": {"--all"}, "roomsync setup powershell": {"check", "--wanted"},
	}
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() {
			all = append(all, leaves(cmd)...)
		} else if cmd.Name() != "version" {
			path := strings.Fields(cmd.CommandPath())[1:]
			all = append(all, append(path, args[cmd.CommandPath()]...))
		}
	}
	return all
}

// TestErrorsAreSentences provokes errors of every command: none begins with the name of a package.
func TestErrorsAreSentences(t *testing.T) {
	empty, err := embedded.Start(embedded.Options{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(empty.Stop)
	m := newMall(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("wrong"), 0o400); err != nil {
		t.Fatal(err)
	}
	trouble := map[string][]string{
		"NATS is not there":     {"--nats-url=nats://127.0.0.1:1"},
		"NATS holds nothing":    {"--nats-url=" + empty.URL()},
		"no credentials":        {"--nats-creds=nowhere"},
		"a wrong secret":        {"--client-secret-file=" + wrong},
		"Entra is not there":    {"--authority-url=http://127.0.0.1:1"},
		"no certificate":        {"--auth=certificate", "--cert-dir=" + t.TempDir()},
		"Exchange is elsewhere": {"--ews-url=" + strings.TrimSuffix(m.env["ROOMSYNC_EWS_URL"], "/EWS/Exchange.asmx") + "/owa/"},
		"a wrong value":         {"--log-level=loud"},
		"no such flag":          {"--colour"},
	}
	commands := leaves(tool{env: config.OS(), connect: connect}.root())
	if len(commands) < 9 {
		t.Fatalf("only %v", commands)
	}
	failed := 0
	for what, flags := range trouble {
		for _, line := range commands {
			line := append(append([]string{}, line...), flags...)
			if line[0] == "config" {
				line = append(line, "--online", "--mailbox=user0001@contoso.example")
			} else if line[0] == "access" && !strings.Contains(flags[0], "nats") {
				line = append(line, "user0001@contoso.example", "--patience=1ms")
			}
			code, out, stderr := m.run("address,mode\nroom1@b.example,O365\n", line...)
			if code == 0 {
				continue
			}
			failed++
			_, message, named := strings.Cut(stderr, "roomsync "+strings.Join(line[:2], " ")+": ")
			if !named || message == "" || plain.Text(message) != message || plain.Text(out) != out {
				t.Errorf("%s: roomsync %s: code %d\n%s\n%s", what, strings.Join(line, " "), code, out, stderr)
			}
		}
	}
	if failed < 40 {
		t.Errorf("only %d errors were provoked", failed)
	}
}
