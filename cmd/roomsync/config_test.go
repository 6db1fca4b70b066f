package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"roomsync/internal/config"
	"roomsync/internal/daemon"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
)

const canary = "canary-4711-secret"

// checks runs "roomsync config check" with variables and returns exit code, stdout and stderr.
func checks(t *testing.T, vars map[string]string, args ...string) (int, string, string) {
	t.Helper()
	var out, stderr bytes.Buffer
	env := config.OS()
	env.Getenv = func(name string) string { return vars[name] }
	root := tool{env: env, connect: connect}.root()
	root.SetOut(&out)
	code := config.Run(t.Context(), root, append([]string{"config", "check"}, args...), &stderr)
	return code, out.String(), stderr.String()
}

func roomsConfig(t *testing.T, mode os.FileMode, words ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<RoomsAppSettings>\r\n")
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		b.WriteString(`  <add key="` + key + `" value="` + value + "\" />\r\n")
	}
	b.WriteString("</RoomsAppSettings>\r\n")
	name := filepath.Join(t.TempDir(), "RoomsAppSettings.config")
	if err := os.WriteFile(name, []byte(b.String()), mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestConfigCheck(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 2, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	at := []string{"--ews-url", srv.URL + exchangesim.EWSPath, "--authority-url", srv.URL}
	const tenant, app, mailbox = "ExchangeTenantId=sim-tenant", "ExchangeAppId=sim-app", "user0001@contoso.example"
	good := roomsConfig(t, 0o600, tenant, app, "ExchangeClientSecret=sim-secret")
	wrong := roomsConfig(t, 0o600, tenant, app, "ExchangeClientSecret="+canary)
	broken := roomsConfig(t, 0o600, "ExchangeTenantId=xxx", app, "ExchangeClientSecret="+canary, "ExchangeCertThumbprint=12")
	password, keyFile := filepath.Join(t.TempDir(), "password"), filepath.Join(t.TempDir(), "key")
	for file, text := range map[string]string{password: "simulated", keyFile: strings.Repeat("k", 32)} {
		if err := os.WriteFile(file, []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.Delegate(mailbox, store.Editor); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args   []string
		code   int
		out    []string
		stderr string
	}{
		"good":    {append(at, "--rooms-config", good), 0, []string{"client-secret  set", "  RoomsAppSettings.config:5 ExchangeClientSecret", "\nand 20 settings with the default value: --verbose", "note     --token-key-file: is not given, so each worker"}, ""},
		"online":  {append(at, "--rooms-config", good, "--online", "--mailbox", "User0001@contoso.example"), 0, []string{"\nok       access token: given by " + srv.URL, "\nok       calendar of " + mailbox + ": can be read; it holds 20 items ("}, ""},
		"verbose": {append(at, "--rooms-config", good, "--verbose"), 0, []string{"\npoll-interval         1m  "}, ""},
		"delegated": {append(at, "--tenant-id=sim-tenant", "--app-id=sim-app", "--auth=delegated", "--username=user0001@contoso.example", "--password-file", password, "--token-key-file", keyFile, "--online", "--mailbox", mailbox), 0,
			[]string{"\nnote     --password-file: delegated access fails", "\nok       calendar of"}, ""},
		"no mailbox": {append(at, "--rooms-config", good, "--online", "--mailbox", "nobody@contoso.example"), 1,
			[]string{"\nFAILED   calendar of nobody@contoso.example: GetFolder: ErrorNonExistentMailbox", "\nok       access token"}, "the sign-in works, but the calendar of nobody@contoso.example cannot be read"},
		"wrong path": {[]string{"--ews-url", srv.URL + "/owa/", "--authority-url", srv.URL, "--rooms-config", good, "--online", "--mailbox", mailbox}, 1,
			[]string{"\nFAILED   calendar of", "is it /EWS/Exchange.asmx? Correct --ews-url"}, "as Exchange could not be asked"},
		"a mere host": {[]string{"--ews-url", srv.URL, "--authority-url", srv.URL, "--rooms-config", good, "--online", "--mailbox", mailbox}, 0,
			[]string{"\nnote     --ews-url: the URL has no path, so /EWS/Exchange.asmx was added", exchangesim.EWSPath + "  ", "\nok       calendar"}, ""},
		"not tried":      {append(at, "--username=user0001@contoso.example", "--password-file", password, "--online"), 0, []string{"\nskipped  sign-in: the password goes with each request to Exchange"}, ""},
		"wrong password": {append(at, "--username=user0001@contoso.example", "--password-file", keyFile, "--online", "--mailbox", mailbox), 1, []string{"\nFAILED   calendar", "the sign-in is refused (HTTP 401)", "check --username"}, "the sign-in does not work"},
		"refused":        {append(at, "--rooms-config", wrong, "--online", "--mailbox", mailbox), 1, []string{"\nFAILED   access token: no access token (invalid_client, AADSTS7000215, HTTP 401) (", "\n         the client secret is wrong: a usual"}, "the sign-in does not work"},
		"a warning":      {append(at, "--rooms-config", good, "--allow-insecure"), 1, []string{"\nwarning  --allow-insecure: permits plain http"}, "roomsync config check: 1 warning\n"},
		"faults": {[]string{"--rooms-config", broken, "--slots=0", "--online"}, 2, []string{
			"\nFAULT    " + broken + ":3 ExchangeTenantId: is still the placeholder of the guide", "\nFAULT    --slots \"0\": must be", "has 2 hexadecimal digits", "\nFAULT    --auth: an app signs in with one thing", "\nnote     --ews-url: Microsoft switches EWS off in Exchange Online",
		}, "4 faults: a worker would not start"},
		"the mailbox without --online": {append(at, "--rooms-config", good, "--mailbox", mailbox), 2, nil, "--mailbox is for --online"},
		"no address":                   {append(at, "--rooms-config", good, "--mailbox", "x y", "--online"), 2, nil, "--mailbox: must be a plain SMTP address"},
		"no file":                      {[]string{"--rooms-config", good + "x"}, 2, []string{"FAULT    --rooms-config"}, "1 fault"},
		"a slip":                       {[]string{"--rooms-confg", good}, 2, nil, "did you mean --rooms-config?"},
		"a secret":                     {[]string{"--client-secret", canary}, 2, nil, "use --client-secret-file"},
		"an argument":                  {[]string{good}, 2, nil, "unexpected argument"},
	}
	for name, tt := range tests {
		code, out, stderr := checks(t, nil, tt.args...)
		if code != tt.code || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%s: exit code %d, want %d; stderr %q\n%s", name, code, tt.code, stderr, out)
		}
		for _, want := range tt.out {
			if unwrapped := strings.ReplaceAll(out, "\n         ", " "); !strings.Contains(out, want) && !strings.Contains(unwrapped, want) {
				t.Errorf("%s: lacks %q:\n%s", name, want, out)
			}
		}
		if strings.Contains(out+stderr, canary) || strings.Contains(out+stderr, "sim-secret") {
			t.Errorf("%s: shows the secret:\n%s%s", name, out, stderr)
		}
	}
	if n := len(sim.Faults().Calls(0, "", 10)); n == 0 {
		t.Error("the simulator was never asked") // guards the tests above against passing for nothing
	}
}

func TestConfigCheck_JSON(t *testing.T) {
	type document struct {
		Settings []config.Value
		Findings []config.Finding
		Faults   []config.Fault
		Online   *struct {
			Auth  string
			Steps []struct {
				Step   string
				OK     bool
				Said   string
				TookMs *int64
			}
		}
	}
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 1, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	parse := func(text string) (d document) {
		t.Helper()
		dec := json.NewDecoder(strings.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return d
	}
	vars := map[string]string{
		"ROOMSYNC_TENANT_ID": "sim-tenant", "ROOMSYNC_APP_ID": "sim-app", "ROOMSYNC_CLIENT_SECRET": "sim-secret",
		"ROOMSYNC_EWS_URL": srv.URL + exchangesim.EWSPath, "ROOMSYNC_AUTHORITY_URL": srv.URL,
	}
	code, out, _ := checks(t, vars, "--json", "--online")
	d := parse(out)
	if code != 0 || d.Online == nil || d.Online.Auth != "secret" || len(d.Online.Steps) != 1 || !d.Online.Steps[0].OK || d.Online.Steps[0].TookMs == nil || d.Faults == nil {
		t.Errorf("exit code %d: %s", code, out)
	}
	if strings.Contains(out, "sim-secret") || !strings.Contains(out, `{"name":"client-secret","value":"set","from":"ROOMSYNC_CLIENT_SECRET"}`) {
		t.Errorf("%s", out)
	}
	vars["ROOMSYNC_SLOTS"] = "0"
	code, out, _ = checks(t, vars, "--json")
	if d := parse(out); code != 2 || len(d.Faults) != 1 || d.Faults[0].Key != `ROOMSYNC_SLOTS "0"` || d.Online != nil {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// Every secret, by variable, by file and by RoomsAppSettings.config: neither the table nor the JSON nor an error shows it.
func TestConfigCheck_ShowsNoSecret(t *testing.T) {
	secret := strings.Repeat(canary, 3)
	inFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(inFile, []byte(secret+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	rooms := roomsConfig(t, 0o644, "ExchangeTenantId=t", "ExchangeAppId=a", "ExchangeClientSecret="+secret, "ExchangeServiceUser=u@b", "ExchangeServicePassword="+secret)
	byVariable, byFile := map[string]string{}, map[string]string{}
	for _, name := range []string{"CLIENT_SECRET", "PASSWORD", "CERT_PASSWORD", "TOKEN_KEY", "MAILBOX_TOKEN_KEY"} {
		byVariable["ROOMSYNC_"+name] = secret
		byFile["ROOMSYNC_"+name+"_FILE"] = inFile
	}
	for _, vars := range []map[string]string{nil, byVariable, byFile} {
		for _, auth := range []string{"secret", "certificate", "delegated", "federated", "basic", "ntlm"} {
			for _, format := range []string{"--json=false", "--json"} {
				code, out, stderr := checks(t, vars, "--rooms-config", rooms, "--auth", auth, "--mailbox-token=hmac", "--ews-url=https://mail.contoso.example/", format)
				if strings.Contains(out+stderr, canary) {
					t.Errorf("%s %s %v: shows the secret:\n%s%s", auth, format, vars, out, stderr)
				}
				if !strings.Contains(out, "client-secret") {
					t.Errorf("%s %s: exit code %d\n%s", auth, format, code, out)
				}
			}
		}
	}
}

// TestChecked_WorstFirst: what there is to say stands in one place, in the order of its weight.
func TestChecked_WorstFirst(t *testing.T) {
	c := checked{Inspection: config.Inspection{
		Findings: []config.Finding{{Level: config.LevelNote, About: "n"}, {Level: config.LevelWarning, About: "w"}},
		Faults:   config.Faults{{Key: "f"}},
	}, Online: &daemon.Report{Steps: []daemon.Step{{Name: "a", OK: true}, {Name: "b", Skipped: true}, {Name: "c", Fault: daemon.FaultServer}}}}
	var words []string
	for _, r := range c.remarks() {
		words = append(words, r.word)
	}
	if got := strings.Join(words, " "); got != "FAULT FAILED warning skipped note ok" {
		t.Error(got)
	}
}

func TestChecked_CertificateThatExpires(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for days, want := range map[int]string{400: "", 30: "", 29: "expires on 2026-12-23, in 29 days", 1: "in 1 day:", 0: "within a day"} {
		var c checked
		c.expires(now.AddDate(0, 0, days).Add(time.Minute), now)
		if c.Certificate.DaysLeft != days || (want == "") != (len(c.Findings) == 0) || want != "" && (!strings.Contains(c.Findings[0].Problem, want) || c.verdict() == nil) {
			t.Errorf("%d days: %+v", days, c)
		}
		if text := c.text(false); !strings.Contains(text, "certificate  until "+now.AddDate(0, 0, days).Format(time.DateOnly)+" ("+count(days, "day")+" left)") {
			t.Errorf("%d days:\n%s", days, text)
		}
	}
}

func TestHanging(t *testing.T) {
	long := strings.Repeat("wörd ", 60)
	for _, line := range strings.Split(strings.TrimSuffix(hanging("note", long), "\n"), "\n")[1:] {
		if utf8.RuneCountInString(line) > lineWidth || !strings.HasPrefix(line, "         wörd") {
			t.Errorf("%q", line)
		}
	}
	if got := hanging("FAULT", strings.Repeat("x", 200)); got != "FAULT    "+strings.Repeat("x", 200)+"\n" {
		t.Errorf("%q", got)
	}
	if got := hanging("", "a"); got != "         a\n" {
		t.Errorf("%q", got)
	}
}
