package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roomsync/internal/config"
	"roomsync/internal/exchangesim"
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
	tests := map[string]struct {
		args   []string
		code   int
		out    []string
		stderr string
	}{
		"good":      {append(at, "--rooms-config", good), 0, []string{"client-secret         set", good + ":5 ExchangeClientSecret", "note     --token-key-file: is not given, so each worker"}, ""},
		"online":    {append(at, "--rooms-config", good, "--online", "--mailbox", "User0001@contoso.example"), 0, []string{"\nok       access token: given by " + srv.URL, "\nok       calendar of " + mailbox + ": can be read; it holds 20 items ("}, ""},
		"refused":   {append(at, "--rooms-config", wrong, "--online", "--mailbox", mailbox), 1, []string{"\nFAILED   access token: no access token (invalid_client, AADSTS7000215, HTTP 401) (", "\n         the client secret is wrong: a usual"}, "the sign-in does not work"},
		"a warning": {append(at, "--rooms-config", good, "--allow-insecure"), 1, []string{"\nwarning  --allow-insecure: permits plain http"}, "roomsync config check: 1 warning\n"},
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

func TestHanging(t *testing.T) {
	long := strings.Repeat("word ", 60)
	for _, line := range strings.Split(strings.TrimSuffix(hanging("note", long), "\n"), "\n")[1:] {
		if len(line) > 110 || !strings.HasPrefix(line, "         word") {
			t.Errorf("%q", line)
		}
	}
	if got := hanging("FAULT", strings.Repeat("x", 200)); strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
