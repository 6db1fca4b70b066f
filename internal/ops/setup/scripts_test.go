package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"roomsync/events"
)

const guid = "6e9157a8-801c-4f5c-9522-9ae9ffd2aa4f"

// plain is a configuration with everything in it.
func plain(online bool) Input {
	in := Input{
		Online: online, SignIn: "certificate", Impersonation: true,
		TenantID: "contoso.onmicrosoft.com", AppID: guid, AppName: "roomsync", ServicePrincipalID: guid,
		Thumbprint: strings.Repeat("AB", 20), ServiceUser: `CONTOSO\svc`, Group: "SyncIsAllowed",
		Mailboxes: []Mailbox{{"room1@b.example", ""}, {"room2@b.example", ""}},
	}
	if !online {
		in.SignIn = "ntlm"
	}
	return in
}

// variants calls f for every script that there is.
func variants(t *testing.T, f func(t *testing.T, name string, fill func(Input) (string, error), in Input)) {
	t.Helper()
	for _, online := range []bool{true, false} {
		for _, topic := range Topics() {
			for _, undo := range []bool{false, true} {
				in := plain(online)
				if undo && !topic.Undo || topic.Unfit(in) != "" && topic.Name != Delegate {
					continue
				}
				name := fmt.Sprintf("%s undo=%t online=%t", topic.Name, undo, online)
				t.Run(name, func(t *testing.T) {
					f(t, name, func(in Input) (string, error) { return in.Script(topic.Name, undo) }, in)
				})
			}
		}
	}
}

func TestScripts_AreWellFormed(t *testing.T) {
	seen := 0
	variants(t, func(t *testing.T, name string, fill func(Input) (string, error), in Input) {
		seen++
		script, err := fill(in)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(script, "\n") {
			if strings.HasPrefix(line, "#values") || strings.HasPrefix(line, "#part") || strings.HasPrefix(line, "#requires") {
				t.Errorf("line %d is a mark that was not replaced: %s", i+1, line)
			}
			if len([]rune(line)) > 230 || strings.TrimRight(line, " \t") != line || strings.Contains(line, "\t") {
				t.Errorf("line %d is too long, or has tabs or spaces at its end: %s", i+1, line)
			}
		}
		head := script[:strings.Index(script, "[CmdletBinding(")]
		for _, want := range []string{"# roomsync setup powershell ", "# It changes: ", "# It needs:   "} {
			if !strings.Contains(head, want) {
				t.Errorf("its head lacks %q", want)
			}
		}
		for _, want := range []string{"\nSet-StrictMode -Version Latest\n", "\n$ErrorActionPreference = 'Stop'\n"} {
			if strings.Count(script, want) != 1 {
				t.Errorf("lacks %q", want)
			}
		}
		check(t, script, strings.HasPrefix(name, Check))
	})
	if seen != 16 {
		t.Errorf("%d scripts were looked at", seen)
	}
}

// check reads a script as PowerShell would and judges its commands.
func check(t *testing.T, script string, readOnly bool) {
	t.Helper()
	tokens, err := lex(script)
	if err != nil {
		t.Fatal(err)
	}
	list, functions, err := calls(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if missing := undefined(tokens); len(missing) > 0 {
		t.Errorf("nothing sets %s", strings.Join(missing, ", "))
	}
	for _, c := range list {
		if functions[c.name] {
			continue
		}
		for _, fault := range judge(c, readOnly) {
			t.Errorf("line %d: %s %s", c.line, c.name, fault)
		}
	}
	for f := range functions {
		if cmdlets[f] != nil || builtin[f] != nil || slices.Contains(taken, f) {
			t.Errorf("%s is the name of something else", f)
		}
		if !slices.ContainsFunc(list, func(c *call) bool { return c.name == f }) && !strings.HasPrefix(f, "Write-") && f != "Add-Failure" {
			t.Errorf("nothing calls %s", f)
		}
	}
}

// judge holds one use of a command against the table and says what is wrong with it.
func judge(c *call, readOnly bool) (faults []string) {
	known, theirs := cmdlets[c.name]
	if !theirs {
		if known = builtin[c.name]; known == nil {
			return []string{"is not known"}
		}
	}
	for _, p := range c.parameters {
		if !known[p] {
			faults = append(faults, "has no -"+p)
		}
	}
	// Preferences of a script do not reach the modules' commands.
	if theirs && c.name != "Get-MgContext" && !slices.Contains(c.parameters, "ErrorAction") {
		faults = append(faults, "says no -ErrorAction")
	}
	if changes(c.name) && (readOnly || !slices.Contains(c.within, "Invoke-Step")) {
		faults = append(faults, "stands outside of Invoke-Step: it would change something without -Apply")
	}
	if strings.HasPrefix(c.name, "Remove-") && !slices.Contains(c.parameters, "Confirm") {
		faults = append(faults, "asks once more")
	}
	return faults
}

// The checks above must be able to fail.
func TestScripts_TheChecksFail(t *testing.T) {
	for name, script := range map[string]string{
		"a quote that does not end":    "$a = 'x\n",
		"a bracket that is not shut":   "if ($true) { Write-Host 'x'\n",
		"the wrong bracket":            "if ($true) { Write-Host 'x' )\n",
		"a stray parameter":            "$a = 1 -Verbose\n",
		"a drive in a string":          "Write-Host \"$a: x\"\n",
		"a member in a string":         "Write-Host \"$a.Name\"\n",
		"line continuation":            "Get-Mailbox `\n -Identity x\n",
		"a subexpression not closed":   "Write-Host \"$(Get-MgContext\"\n",
		"splatting":                    "Get-Mailbox @a\n",
		"a typographic quote is one":   "$a = ‘x\n",
		"a typographic double as well": "$a = “x\n",
	} {
		tokens, err := lex(script)
		if err == nil {
			_, _, err = calls(tokens)
		}
		if err == nil {
			t.Errorf("%s was not noticed", name)
		}
	}
	tokens, _ := lex("param([switch]$Apply)\nforeach ($x in 1) { Get-Mailbox -Identity $y -Foo 1 | ForEach-Object { $_.Name } }\n")
	if missing := undefined(tokens); !slices.Equal(missing, []string{"$y in line 2"}) {
		t.Errorf("undefined: %v", missing)
	}
	list, _, err := calls(tokens)
	if err != nil || len(list) != 2 || !slices.Equal(list[0].parameters, []string{"Identity", "Foo"}) {
		t.Errorf("%v, %+v", err, list)
	}
	for want, bad := range map[string]*call{
		"-ErrorAction":           {name: "Get-Mailbox", parameters: []string{"Identity"}},
		"has no -Foo":            {name: "Get-Mailbox", parameters: []string{"Foo", "ErrorAction"}},
		"outside of Invoke-Step": {name: "Set-CASMailbox", parameters: []string{"ErrorAction"}},
		"asks once more":         {name: "Remove-ManagementScope", parameters: []string{"ErrorAction"}, within: []string{"Invoke-Step"}},
		"is not known":           {name: "Stop-Computer"},
	} {
		if faults := judge(bad, false); len(faults) != 1 || !strings.Contains(faults[0], want) {
			t.Errorf("%+v: %v", bad, faults)
		}
	}
	inStep := &call{name: "Set-CASMailbox", parameters: []string{"ErrorAction"}, within: []string{"Invoke-Step"}}
	if judge(inStep, false) != nil || judge(inStep, true) == nil {
		t.Error("a change in a step is right, and in a check it is not")
	}
}

func TestScript_MailboxesOfTheOtherSideAreLeftOut(t *testing.T) {
	in := plain(true)
	in.Mailboxes = []Mailbox{{"b@b.example", events.ModeO365}, {"on@b.example", events.ModeExchange2016}, {"a@b.example", events.ModeO365Pull}, {"a@b.example", ""}}
	script, err := in.Script(RBAC, false)
	if err != nil || !strings.Contains(script, "$Mailboxes = @(\n    'a@b.example'\n    'b@b.example'\n)\n") {
		t.Errorf("online: %v\n%s", err, script)
	}
	in.Online, in.SignIn = false, "basic"
	script, err = in.Script(OnPremises, false)
	if err != nil || !strings.Contains(script, "$Mailboxes = @(\n    'a@b.example'\n    'on@b.example'\n)\n") {
		t.Errorf("on premises: %v\n%s", err, script)
	}
	in.Mailboxes = in.Mailboxes[:1]
	if _, err = in.Script(OnPremises, false); err == nil || !strings.Contains(err.Error(), "none of the 1 is on premises") {
		t.Error(err)
	}
}

func TestScript_SaysEverythingThatIsMissing(t *testing.T) {
	in := Input{Online: true, Impersonation: true}
	_, err := in.Script(RBAC, false)
	for _, want := range []string{"--tenant-id: missing", "--app-id: missing", "--app-name: missing", "--group: missing", "mailboxes: missing: name them, or give --csv"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
	in = plain(true)
	in.TenantID, in.AppID, in.Group, in.ServicePrincipalID, in.ServiceUser = "a b", "sim-app", strings.Repeat("x", 56), "x", "svc\u202e"
	_, err = in.Script(RBAC, false)
	for _, want := range []string{`--tenant-id "a b": must be`, `--app-id "sim-app": must be an id`, `must have at most 55 characters; it has 56`, `--service-principal-id "x"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
	if _, err = in.Script(Delegate, false); err == nil || !strings.Contains(err.Error(), "U+202E, which cannot be seen") {
		t.Error(err)
	}
	if _, err = in.Script(OnPremises, false); err == nil || !strings.Contains(err.Error(), "is Exchange Online (--ews-url)") {
		t.Error(err)
	}
	if _, err = in.Script(Check, true); err == nil || !strings.Contains(err.Error(), "nothing to undo") {
		t.Error(err)
	}
	if _, err = in.Script("rabc", false); err == nil || !strings.Contains(err.Error(), "there is app, rbac,") {
		t.Error(err)
	}
}

// TestScript_RBACStopsAtTheAssignmentOfAnotherGroup before it changes anything, and says how to go on.
func TestScript_RBACStopsAtTheAssignmentOfAnotherGroup(t *testing.T) {
	script, err := plain(true).Script(RBAC, false)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(script, "\nStart-ExchangeSession\n")
	before, _, found := strings.Cut(body, "\n$group = Update-Group\n")
	if !found || strings.Contains(before, "Invoke-Step") {
		t.Fatalf("something is changed before the assignment is looked at:\n%s", before)
	}
	for _, want := range []string{"Get-ManagementRoleAssignment", "['CustomResourceScope']", "-notcontains $ScopeName", "throw ", "rbac --undo"} {
		if !strings.Contains(before, want) {
			t.Errorf("lacks %q:\n%s", want, before)
		}
	}
}

func TestScript_AnAppThatIsYetToBeRegisteredHasNoId(t *testing.T) {
	in := plain(true)
	in.AppID = ""
	if script, err := in.Script(App, false); err != nil || !strings.Contains(script, "\n$AppId = ''\n") {
		t.Error(err)
	}
	if _, err := in.Script(App, true); err == nil {
		t.Error("a grant of nobody was to be taken back")
	}
}

func TestTopics(t *testing.T) {
	fits := func(in Input) (list []string) {
		for _, topic := range Topics() {
			if topic.Unfit(in) == "" {
				list = append(list, topic.Name)
			}
		}
		return list
	}
	app := plain(true)
	delegate := plain(true)
	delegate.SignIn = "delegated"
	server := plain(false)
	rights := plain(false)
	rights.Impersonation = false
	for name, c := range map[string]struct {
		in   Input
		want []string
	}{
		"an app":                       {app, []string{App, RBAC, AccessPolicy, AllowList, Check}},
		"a service user online":        {delegate, []string{App, Delegate, AllowList, Check}},
		"impersonation on premises":    {server, []string{OnPremises, Check}},
		"delegated access on premises": {rights, []string{Delegate, OnPremises, Check}},
	} {
		if got := fits(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
