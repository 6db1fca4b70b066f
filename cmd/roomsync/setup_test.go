package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const appID = "6e9157a8-801c-4f5c-9522-9ae9ffd2aa4f"

// psRun is "roomsync setup powershell args" without NATS, for an app of Exchange Online.
func psRun(t *testing.T, stdin string, args ...string) (int, string, string) {
	t.Helper()
	return (&shop{t: t}).run(stdin, append([]string{"setup", "powershell", "--tenant-id", "contoso.com", "--app-id", appID}, args...)...)
}

func TestSetup_ListsTheTopics(t *testing.T) {
	s := &shop{t: t}
	code, out, stderr := s.run("", "setup", "powershell")
	if code != 0 || stderr != "" {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{"TOPIC ", "app ", "  yes\n", "  instead of rbac\n", "no: the EWS URL is Exchange Online", "prints the script"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	_, out, _ = s.run("", "setup", "powershell", "--ews-url", "https://mail.b.example/EWS/Exchange.asmx", "--username", "svc", "--impersonation=false", "--json")
	var rows []struct {
		Name, Title, Why string
		Fits, Undo       bool
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 7 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, r := range rows {
		want := r.Name == "delegate" || r.Name == "on-premises" || r.Name == "check"
		if r.Fits != want || (r.Why == "") != want || r.Title == "" || r.Undo != (r.Name != "check") {
			t.Errorf("%+v", r)
		}
	}
}

// TestSetup_Online: an authority that is named is one of Entra, wherever EWS is; a server that takes passwords is on premises.
func TestSetup_Online(t *testing.T) {
	const elsewhere, authority = "--ews-url=https://ews.b.example", "--authority-url=https://sim.example"
	for want, args := range map[string][]string{
		"no: the EWS URL is a server on premises": {elsewhere},
		"yes": {elsewhere, authority},
		"no: the EWS URL is a server on premises\n": {elsewhere, authority, "--auth=ntlm", "--username=svc"},
	} {
		_, out, _ := psRun(t, "", args...)
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "allow-list ") && !strings.HasSuffix(strings.TrimSpace(line), strings.TrimSpace(want)) {
				t.Errorf("%v: %s", args, line)
			}
		}
		if !strings.Contains(out, "\nallow-list ") {
			t.Errorf("%v: %s", args, out)
		}
	}
}

func TestSetup_PrintsAScript(t *testing.T) {
	code, out, stderr := psRun(t, "", "rbac", "Room7@B.example", "o'brien@b.example", "--group", "Räume")
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"$TenantId = 'contoso.com'\n$AppId = '" + appID + "'\n", "$GroupName = ('R' + [char]0x00E4 + 'ume')  # Räume\n",
		"$Mailboxes = @(\n    'o''brien@b.example'\n    'room7@b.example'\n)\n", "New-ManagementRoleAssignment",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if _, undo, _ := psRun(t, "", "rbac", "--undo"); !strings.Contains(undo, "Remove-ManagementRoleAssignment") || strings.Contains(undo, "New-") {
		t.Errorf("--undo:\n%s", undo)
	}
	_, out, _ = psRun(t, "", "allow-list", "check", "a@b.example", "--json")
	var list []filled
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 || list[1].File != "roomsync-check.ps1" || list[0].Undo || !strings.Contains(list[0].Script, "EwsAllowedAppIDs") {
		t.Errorf("--json: %v\n%s", err, out)
	}
}

func TestSetup_AllIsWhatFits(t *testing.T) {
	headings := func(out string) (list []string) {
		for line := range strings.Lines(out) {
			if after, ok := strings.CutPrefix(line, "# ===== "); ok {
				list = append(list, strings.Fields(after)[0])
			}
		}
		return list
	}
	_, out, _ := psRun(t, "", "all", "a@b.example")
	if got := strings.Join(headings(out), " "); got != "roomsync-app.ps1 roomsync-rbac.ps1 roomsync-allow-list.ps1 roomsync-check.ps1" {
		t.Errorf("all: %s", got)
	}
	_, out, _ = psRun(t, "", "all", "a@b.example", "--undo", "--username", "svc@b.example", "--impersonation=false")
	if got := strings.Join(headings(out), " "); got != "roomsync-allow-list-undo.ps1 roomsync-delegate-undo.ps1 roomsync-app-undo.ps1" {
		t.Errorf("all --undo: %s", got)
	}
}

func TestSetup_MailboxesFromAFileAndFromNATS(t *testing.T) {
	csv := "address;mode;enabled\nroom2@b.example;O365;true\noff@b.example;O365;false\nserver@b.example;Exchange2016;true\n"
	code, out, stderr := psRun(t, csv, "check", "room1@b.example", "--csv", "-")
	if code != 0 || stderr != "1 mailboxes that are not enabled are left out\n" || !strings.Contains(out, "$Mailboxes = @(\n    'room1@b.example'\n    'room2@b.example'\n)\n") {
		t.Errorf("--csv: code %d, stderr %q\n%s", code, stderr, out)
	}
	s := newShop(t)
	s.want(0, "room9@b.example: added\n", "", "mailboxes", "set", "room9@b.example", "--mode", "O365")
	_, out, stderr = s.run("", "setup", "powershell", "check", "--wanted", "--tenant-id", "t.example", "--app-id", appID)
	if !strings.Contains(out, "$Mailboxes = @(\n    'room9@b.example'\n)\n") {
		t.Errorf("--wanted: stderr %q\n%s", stderr, out)
	}
}

func TestSetup_WritesFiles(t *testing.T) {
	folder := t.TempDir()
	one := filepath.Join(folder, "one.ps1")
	if code, out, stderr := psRun(t, "", "check", "a@b.example", "--out", one); code != 0 || out != "wrote "+one+"\n" {
		t.Fatalf("code %d, %q, stderr %q", code, out, stderr)
	}
	data, err := os.ReadFile(one)
	if err != nil || !strings.HasPrefix(string(data), "\ufeff# roomsync setup powershell check\r\n") || strings.Count(string(data), "\n") != strings.Count(string(data), "\r\n") {
		t.Errorf("%v: %q", err, data[:60])
	}
	if code, _, stderr := psRun(t, "", "check", "b@b.example", "--out", one); code != 2 || !strings.Contains(stderr, "exists: --force overwrites it") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	if again, _ := os.ReadFile(one); string(again) != string(data) {
		t.Error("the file was changed")
	}
	if code, _, stderr := psRun(t, "", "check", "b@b.example", "--out", one, "--force"); code != 0 {
		t.Errorf("--force: code %d, stderr %q", code, stderr)
	}

	many := filepath.Join(folder, "new", "scripts")
	code, out, stderr := psRun(t, "", "all", "a@b.example", "--out", many)
	if code != 0 || strings.Count(out, "wrote ") != 4 {
		t.Fatalf("code %d, %q, stderr %q", code, out, stderr)
	}
	if err := os.Remove(filepath.Join(many, "roomsync-app.ps1")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := psRun(t, "", "all", "a@b.example", "--out", many); code != 2 || strings.Count(stderr, "--force") != 3 {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(many, "roomsync-app.ps1")); err == nil {
		t.Error("one was written although others exist")
	}
}

func TestSetup_Usage(t *testing.T) {
	for want, args := range map[string]string{
		"--username: missing":                           "delegate a@b.example --impersonation=false",
		"--username: missing: name the service user":    "delegate a@b.example",
		"--username: missing: name the":                 "delegate --undo a@b.example --impersonation=true",
		"mailboxes: missing: name them":                 "rbac",
		`topic "rbca": there is app, rbac`:              "rbca",
		"name a topic for these mailboxes":              "a@b.example",
		`address "a b@b"`:                               "check a\u00a0b@b",
		"--group: missing":                              "access-policy a@b.example --access-right DenyAccess",
		`--access-right "Deny": must be`:                "access-policy a@b.example --access-right Deny",
		"--wanted: are the mailboxes that the app must": "access-policy --wanted --access-right DenyAccess --group x",
		"exclude each other":                            "check a@b.example --json --out x",
		"no such file":                                  "check --csv nowhere.csv",
		`topic "on-premises": the EWS URL is Exchange`:  "on-premises a@b.example",
		"nothing to undo":                               "check a@b.example --undo",
		"did you mean --csv?":                           "check --cvs x",
	} {
		code, out, stderr := psRun(t, "", strings.Split(args, " ")...)
		if code != 2 || out != "" || !strings.Contains(strings.ReplaceAll(stderr, "\\u00a0", " "), want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q, want %q", args, code, out, stderr, want)
		}
	}
	s := &shop{t: t, url: "nats://127.0.0.1:1"}
	s.want(1, "", "cannot reach NATS", "setup", "powershell", "check", "--wanted")
	// All that is missing is said at once, and once.
	code, _, stderr := s.run("", "setup", "powershell", "all")
	if code != 2 || strings.Count(stderr, "--tenant-id: missing") != 1 || strings.Count(stderr, "--app-id: missing") != 1 || strings.Count(stderr, "mailboxes: missing") != 1 {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}
