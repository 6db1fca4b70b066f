package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretFileFlags take the name of a file that holds a secret.
var secretFileFlags = []string{
	"client-secret-file", "password-file", "cert-password-file", "token-key-file", "federated-token-file", "mailbox-token-key-file", "nats-creds",
}

// TestSecretInPlaceOfItsFile: whoever gives the secret itself where its file belongs does not find it in any message.
func TestSecretInPlaceOfItsFile(t *testing.T) {
	long := strings.Repeat(canary, 30) // longer than a file's name may be
	for _, secret := range []string{canary, "~" + canary + "/+x==", "a/" + canary, canary + "\"<>|?*", long} {
		for _, flag := range secretFileFlags {
			for _, auth := range append([]string{""}, authModes...) {
				args, vars := args(app+"--mailbox-token hmac --username u@b --cert-dir d --auth="+auth), map[string]string{}
				noSecret(t, secret, osWith(vars), append(args, "--"+flag+"="+secret))
				vars[EnvName(flag)] = secret
				noSecret(t, secret, osWith(vars), args)
				noSecret(t, secret, world(vars, files), args)
			}
		}
	}
	noSecret(t, canary, osWith(map[string]string{"AZURE_FEDERATED_TOKEN_FILE": canary}), args("--tenant-id t --app-id a"))
}

// osWith is the process's environment with other variables.
func osWith(vars map[string]string) Env {
	env := OS()
	env.Getenv = func(name string) string { return vars[name] }
	return env
}

func noSecret(t *testing.T, secret string, env Env, args []string) {
	t.Helper()
	var w Worker
	err := Load(args, env, &w)
	text, _ := json.Marshal(inspect(t, env, args...))
	said := string(text)
	if err != nil {
		said += err.Error()
	}
	for _, f := range w.Findings() {
		said += f.About + f.Problem
	}
	_, restart := (&Worker{}).Changes(&w)
	said += strings.Join(restart, " ")
	if strings.Contains(said, canary) {
		t.Errorf("%q: shows the secret: %s", args, said)
	}
	if err == nil && !strings.Contains(said, "no such file") && !strings.Contains(said, `"set"`) {
		t.Errorf("%q: proves nothing: %s", args, said)
	}
}

func TestSecretFile_ThatIsThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(canary), 0o400); err != nil {
		t.Fatal(err)
	}
	i := inspect(t, osWith(nil), args("--tenant-id t --app-id a --client-secret-file "+file)...)
	if got, want := i.value("client-secret"), (Value{"client-secret", "set", "--client-secret-file " + file}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	i = inspect(t, osWith(nil), args("--tenant-id t --app-id a --client-secret-file "+file+"x")...)
	if got, want := i.value("client-secret"), (Value{"client-secret", "(faulty)", "--client-secret-file"}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSecretFile_Encodings(t *testing.T) {
	wide := func(mark string, big bool) string {
		b := []byte(mark)
		for _, r := range canary + "\r\n" {
			if big {
				b = append(b, 0, byte(r))
			} else {
				b = append(b, byte(r), 0)
			}
		}
		return string(b)
	}
	for _, tt := range []struct{ what, content, problem string }{
		{"UTF-16 as PowerShell writes it", wide("\xff\xfe", false), ""},
		{"UTF-16, the other order", wide("\xfe\xff", true), ""},
		{"UTF-8 with a mark", "\ufeff" + canary + "\n", ""},
		{"UTF-16 without a mark", wide("", false), "it holds a zero byte, as UTF-16 without a mark does: save it in UTF-8"},
		{"UTF-16 cut off", "\xff\xfec\x00a", "is in UTF-16 that was cut off"},
		{"UTF-32", "\xff\xfe\x00\x00c\x00\x00\x00", "is in UTF-32, which is not read"},
	} {
		var w Worker
		err := Load(args("--tenant-id t --app-id a --client-secret-file s"), world(nil, with(files, "s", tt.content)), &w)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%s: %v", tt.what, err)
			}
			continue
		}
		if s, again := w.ClientSecret(); err != nil || again != nil || s.Reveal() != canary {
			t.Errorf("%s: %q, %v", tt.what, s.Reveal(), err)
		}
	}
	var w Worker
	err := Load(args("--tenant-id t --app-id a --federated-token-file s"), world(nil, with(files, "s", wide("\xff\xfe", false))), &w)
	if err == nil || !strings.Contains(err.Error(), "--federated-token-file \"s\": holds a zero byte, as UTF-16 does") {
		t.Errorf("%v", err)
	}
}

func TestNATSCredentials(t *testing.T) {
	content := with(with(files, "open", files["creds"]), "dos", strings.ReplaceAll(files["creds"], "\n", "\r\n"))
	for file, want := range map[string]string{
		"creds": "", "dos": "", "open": "", "nosuch": "--nats-creds: the file given in --nats-creds does not exist (6 characters",
		"secret": "--nats-creds \"secret\": is no NATS credentials file",
	} {
		var d Dispatcher
		err := Load([]string{"--nats-creds", file}, world(nil, content), &d)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
	var w Worker
	if err := Load(args(app+"--nats-creds open"), world(nil, content), &w); err != nil || w.Findings()[0].Level != LevelWarning || !strings.Contains(w.Findings()[0].Problem, "chmod 0400") {
		t.Errorf("%v, %v", err, w.Findings())
	}
}
