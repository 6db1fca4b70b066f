package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const canary = "canary-4711-secret"

// world is an Env made of two maps.
func world(vars, files map[string]string) Env {
	return Env{
		Getenv: func(name string) string { return vars[name] },
		Exists: func(file string) bool {
			_, ok := files[file]
			return ok
		},
		ReadSecret: func(file string) ([]byte, error) {
			if text, ok := files[file]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
		},
		ReadFile: func(file string, most int64) ([]byte, bool, error) {
			if text, ok := files[file]; ok && int64(len(text)) <= most {
				return []byte(text), strings.HasPrefix(file, "open"), nil
			}
			return nil, false, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
		},
	}
}

var files = map[string]string{
	"secret": canary + "\n", "empty": "\n", "two lines": canary + "\nx\n", "bom": "\ufeff" + canary + "\r\n",
	"key": strings.Repeat("k", 32), "short key": canary, "jwt": "eyJ.x.y\n",
	"creds": "-----BEGIN NATS USER JWT-----\neyJ.x\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\nSUX\n------END USER NKEY SEED------\n",
}

// secretVariables hold secrets themselves.
var secretVariables = []string{"ROOMSYNC_CLIENT_SECRET", "ROOMSYNC_PASSWORD", "ROOMSYNC_MAILBOX_TOKEN_KEY", "ROOMSYNC_CERT_PASSWORD", "ROOMSYNC_TOKEN_KEY"}

// with is files and one more.
func with(files map[string]string, name, content string) map[string]string {
	more := maps.Clone(files)
	more[name] = content
	return more
}

func args(s string) []string { return strings.Fields(s) }

const app = "--tenant-id sim-tenant --app-id sim-app --client-secret-file secret "

func TestLoad_Defaults(t *testing.T) {
	var w Worker
	if err := Load(args(app), world(nil, files), &w); err != nil {
		t.Fatal(err)
	}
	want := map[string][2]any{
		"nats":           {w.NATS.URL, "nats://127.0.0.1:4222"},
		"ews":            {w.EWSURL, "https://outlook.office365.com/EWS/Exchange.asmx"},
		"authority":      {w.AuthorityURL, "https://login.microsoftonline.com"},
		"auth":           {w.Auth, AuthSecret},
		"http":           {w.HTTP, "127.0.0.1:8081"},
		"slots":          {w.Slots, 256},
		"booking slots":  {w.BookingSlots, 64},
		"get batch":      {w.GetBatch, 10},
		"poll interval":  {w.PollInterval, time.Minute},
		"access recheck": {w.AccessRecheck, time.Hour},
		"impersonation":  {w.Impersonation, true},
		"insecure":       {w.AllowInsecure, false},
		"level":          {w.Level, "info"},
		"format":         {w.Format, "console"},
		"token":          {w.MailboxToken("Room@b.example"), "room=40b=2Eexample"},
	}
	for name, v := range want {
		if v[0] != v[1] {
			t.Errorf("%s: %v, want %v", name, v[0], v[1])
		}
	}
	if s, err := w.ClientSecret(); err != nil || s.Reveal() != canary {
		t.Errorf("client secret: %q, %v", s.Reveal(), err)
	}
	var d Dispatcher
	if err := Load(nil, world(nil, nil), &d); err != nil || d.HTTP != "127.0.0.1:8080" {
		t.Errorf("dispatcher: %v, http %s", err, d.HTTP)
	}
}

func TestLoad_EveryFlagIsAVariableAndTheFlagWins(t *testing.T) {
	vars := map[string]string{
		"ROOMSYNC_NATS_URL": "nats://a:1,tls://b:2", "ROOMSYNC_NATS_CREDS": "creds", "ROOMSYNC_EWS_URL": "http://127.0.0.1:8445/EWS/Exchange.asmx", "ROOMSYNC_EWS_HOSTS": "*.contoso.com",
		"ROOMSYNC_AUTHORITY_URL": "http://127.0.0.1:8445", "ROOMSYNC_TENANT_ID": "t", "ROOMSYNC_APP_ID": "a",
		"ROOMSYNC_CLIENT_SECRET_FILE": "secret", "ROOMSYNC_AUTH": "secret", "ROOMSYNC_USERNAME": "u", "ROOMSYNC_PASSWORD_FILE": "secret",
		"ROOMSYNC_IMPERSONATION": "false", "ROOMSYNC_ALLOW_INSECURE": "true", "ROOMSYNC_HTTP": "off", "ROOMSYNC_LOG_LEVEL": "debug",
		"ROOMSYNC_LOG_FORMAT": "json", "ROOMSYNC_MAILBOX_TOKEN": "hmac", "ROOMSYNC_MAILBOX_TOKEN_KEY_FILE": "key",
		"ROOMSYNC_ROOMS_CONFIG": "rooms", "ROOMSYNC_CERT_THUMBPRINT": strings.Repeat("a", 40), "ROOMSYNC_CERT_DIR": "certs",
		"ROOMSYNC_CERT_PASSWORD_FILE": "secret", "ROOMSYNC_FEDERATED_TOKEN_FILE": "jwt", "ROOMSYNC_TOKEN_KEY_FILE": "key",
		"ROOMSYNC_POLL_INTERVAL": "250ms", "ROOMSYNC_ACCESS_RECHECK": "2h", "ROOMSYNC_SLOTS": "1", "ROOMSYNC_BOOKING_SLOTS": "2", "ROOMSYNC_GET_BATCH": "100",
	}
	asked := map[string]bool{}
	env := world(vars, with(files, "rooms", "<RoomsAppSettings/>"))
	get := env.Getenv
	env.Getenv = func(name string) string { asked[name] = true; return get(name) }
	var w Worker
	if err := Load(args("--slots 7 --impersonation"), env, &w); err != nil {
		t.Fatal(err)
	}
	for name := range vars {
		if !asked[name] && name != "ROOMSYNC_SLOTS" && name != "ROOMSYNC_IMPERSONATION" {
			t.Errorf("%s is not looked at", name)
		}
	}
	for name := range asked {
		if vars[name] == "" && !slices.Contains(secretVariables, name) {
			t.Errorf("%s is looked at, but this test does not know it", name)
		}
	}
	got := []any{w.NATS.URL, w.CredsFile, w.EWSURL, w.AuthorityURL, w.TenantID, w.AppID, w.Auth, w.Username, w.Impersonation,
		w.AllowInsecure, w.HTTP, w.Level, w.Format, w.PollInterval, w.AccessRecheck, w.Slots, w.BookingSlots, w.GetBatch,
		w.CertThumbprint, w.CertDir, w.TokenFile}
	want := []any{"nats://a:1,tls://b:2", "creds", "http://127.0.0.1:8445/EWS/Exchange.asmx", "http://127.0.0.1:8445", "t", "a", "secret", "u", true,
		true, "", "debug", "json", 250 * time.Millisecond, 2 * time.Hour, 7, 2, 100, strings.Repeat("A", 40), "certs", "jwt"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if tok := w.MailboxToken("room@b.example"); len(tok) != 26 || tok != w.MailboxToken("ROOM@B.example") {
		t.Errorf("keyed token %q", tok)
	}
}

// The keys before the colon are what must be named, the text after it what must be said.
func TestLoad_Faults(t *testing.T) {
	tests := []struct {
		args string
		vars map[string]string
		want []string
	}{
		{app + "--poll-interval 100ms --access-recheck never", nil, []string{`--poll-interval "100ms": must be from 250ms to 24h`, `--access-recheck "never": must be a time span`}},
		{app, map[string]string{"ROOMSYNC_SLOTS": "0", "ROOMSYNC_BOOKING_SLOTS": "many", "ROOMSYNC_GET_BATCH": "101"}, []string{
			`ROOMSYNC_SLOTS "0": must be a whole number from 1 to 4096`, `ROOMSYNC_BOOKING_SLOTS "many": must be`, `ROOMSYNC_GET_BATCH "101": must be a whole number from 1 to 100`}},
		{app + "--impersonation=perhaps", nil, []string{`--impersonation "perhaps": must be true or false`}},
		{app + "--log-level warning --log-format yaml", nil, []string{`--log-level "warning": must be trace, debug, info, warn or error; did you mean "warn"?`, `--log-format "yaml": must be console or json`}},
		{app + "--http 8081", nil, []string{`--http "8081": must be host:port`}},
		{app + "--http :99999", nil, []string{`--http ":99999": must be host:port`}},
		{app + "--nats-url localhost:4222", nil, []string{"--nats-url: must be a URL such as nats://host:4222"}},
		{app + "--nats-url nats://user:" + canary + "@host:4222", nil, []string{"--nats-url: must hold no user"}},
		{app + "--nats-url nats://a:1,nats://" + canary + "@host:4222", nil, []string{"--nats-url: must hold no user"}},
		{app + "--ews-url https://u:" + canary + "@host/", nil, []string{"--ews-url: must hold no user"}},
		{app + "--ews-url mail.contoso.example", nil, []string{"--ews-url: must be a URL"}},
		{app + "--ews-url http://mail.contoso.example/ --authority-url http://sim:8445", nil, []string{"--authority-url: must be https", "--ews-url: must be https"}},
		{app + "--authority-url https://login.microsoftonline.com/t", nil, []string{"--authority-url: must be a scheme and a host only"}},
		{app + "--mailbox-token hmac", nil, []string{"--mailbox-token-key-file: missing"}},
		{app + "--mailbox-token hash", nil, []string{`--mailbox-token "hash": must be address or hmac`}},
	}
	for _, tt := range tests {
		var w Worker
		err := Load(args(tt.args), world(tt.vars, files), &w)
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s %v: %v", tt.args, tt.vars, err)
			continue
		}
		expect(t, fmt.Sprint(tt.args, tt.vars), faults, tt.want)
	}
}

// expect checks that there are exactly the faults that are wanted, by their beginnings, and that they show no secret.
func expect(t *testing.T, what string, faults Faults, want []string) {
	t.Helper()
	if len(faults) != len(want) {
		t.Errorf("%s: %d faults, want %d:\n%v", what, len(faults), len(want), faults)
	}
	for _, w := range want {
		if !strings.Contains(faults.Error(), "\n  "+w) {
			t.Errorf("%s: lacks %q:\n%v", what, w, faults)
		}
	}
	if strings.Contains(faults.Error(), canary) {
		t.Errorf("%s: shows the secret:\n%v", what, faults)
	}
}

func TestLoad_FilesWithSpacesInTheirNames(t *testing.T) {
	for file, want := range map[string]string{"two lines": "more than one line", "short key": "too short"} {
		var d Dispatcher
		err := Load([]string{"--mailbox-token", "hmac", "--mailbox-token-key-file", file}, world(nil, files), &d)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestLoad_WordsThatAreNoFlags(t *testing.T) {
	for line, want := range map[string]string{
		"--pol-interval 5s":             "unknown flag --pol-interval: did you mean --poll-interval?",
		"--slot=3":                      "unknown flag --slot: did you mean --slots?",
		"--frobnicate":                  "unknown flag --frobnicate: --help lists the flags",
		"--client-secret " + canary:     "use --client-secret-file",
		"--client-secret=" + canary:     "use --client-secret-file",
		"--password=" + canary:          "use --password-file",
		"--cert-password " + canary:     "use --cert-password-file",
		"--token-key=" + canary:         "use --token-key-file",
		"--mailbox-token-key=" + canary: "use --mailbox-token-key-file",
		"--thumbprint x":                "did you mean --cert-thumbprint?",
		"--cert-thumprint x":            "did you mean --cert-thumbprint?",
		"--room-config x":               "did you mean --rooms-config?",
		"--certdir x":                   "did you mean --cert-dir?",
		"--slots":                       "flag needs an argument: --slots",
		app + " stray":                  `unexpected argument "stray"`,
	} {
		var w Worker
		err := Load(args(line), world(nil, files), &w)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestLoad_SecretIsReadAnewEachTime(t *testing.T) {
	changing := maps.Clone(files)
	var w Worker
	if err := Load(args(app), world(nil, changing), &w); err != nil {
		t.Fatal(err)
	}
	changing["secret"] = "rotated"
	if s, err := w.ClientSecret(); err != nil || s.Reveal() != "rotated" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

func TestConfig_ShowsNoSecret(t *testing.T) {
	vars := map[string]string{"ROOMSYNC_CLIENT_SECRET": canary, "ROOMSYNC_PASSWORD": canary, "ROOMSYNC_MAILBOX_TOKEN_KEY": strings.Repeat(canary, 3)}
	var w Worker
	if err := Load(args("--tenant-id t --app-id a --username u --auth secret --mailbox-token hmac"), world(vars, nil), &w); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %v %+v\n%s", w, w, w, &w, &w, data)
	if strings.Contains(out, canary) {
		t.Errorf("shows the secret:\n%s", out)
	}
}

func TestReadSecret(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are those of Unix")
	}
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, size int) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for file, want := range map[string]string{
		write("mine", 0o400, 10):             "",
		write("group", 0o440, 10):            "",
		write("everybody", 0o444, 10):        "chmod 0400",
		write("huge", 0o400, maxSecret+1):    "larger",
		dir:                                  "no regular file",
		filepath.Join(dir, "does-not-exist"): "no such file",
	} {
		if shared, everybody, err := OS().ReadFile(file, 10); want == "chmod 0400" && (err != nil || len(shared) != 10 || !everybody) || want == "" && everybody {
			t.Errorf("%s, read as a shared file: %d bytes, open to everybody %v, %v", file, len(shared), everybody, err)
		}
		data, err := OS().ReadSecret(file)
		if want == "" && (err != nil || len(data) != 10) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %d bytes, %v; want %q", file, len(data), err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"O365Pul": "O365Pull", "o365": "O365", "Exchange2015": "Exchange2010", "exchange2016pull": "Exchange2016Pull",
		"2013": "Exchange2013", "x": "", "": "", "something else": "",
	} {
		if got := nearest(word, modes); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("edits(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
