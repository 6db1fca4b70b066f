package integration

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roomsync/internal/exchangesim"
	"roomsync/internal/tokens/certs"
)

// faulty is a configuration that cannot work, which can be found out without asking anybody.
type faulty struct {
	prepare func(o *org) []string // the flags
	says    []string
	alien   bool // the process runs as a user to whom the files do not belong
}

func app(flags ...string) []string {
	return append([]string{"--tenant-id=sim-tenant", "--app-id=sim-app"}, flags...)
}

// inFolder writes one file with a certificate, and names the folder and that certificate's thumbprint, unless another one
// is given.
func (o *org) inFolder(name, content string, p pair, flags ...string) []string {
	o.put("certs/"+name, content)
	return app(append([]string{"--cert-dir=" + o.file("certs"), "--cert-thumbprint=" + certs.Thumbprint(p.cert)}, flags...)...)
}

var faultyStarts = map[string]faulty{
	"certificate expired": {
		prepare: func(o *org) []string {
			p := o.certificate("old", -time.Hour, false)
			return o.inFolder("a.pem", p.pem(), p)
		},
		says: []string{"the certificate ", "(CN=old) expired on ", "register a new one in Entra and set its thumbprint, --cert-thumbprint (ExchangeCertThumbprint)"},
	},
	"thumbprint not there": {
		prepare: func(o *org) []string {
			return o.inFolder("a.pem", o.certificate("another", time.Hour, false).pem(), o.certificate("named", time.Hour, false))
		},
		says: []string{"there is no certificate with the thumbprint ", "; found: ", "(CN=another)"},
	},
	"no private key": {
		prepare: func(o *org) []string {
			p := o.certificate("bare", time.Hour, false)
			bare, _, _ := strings.Cut(p.pem(), "-----BEGIN RSA")
			return o.inFolder("a.crt", bare, p)
		},
		says: []string{"(CN=bare) has no private key in ", "put it there, as PEM or with the certificate in a PFX file"},
	},
	"no right to the private key": {
		prepare: func(o *org) []string {
			p := o.certificate("locked", time.Hour, false)
			bare, key, _ := strings.Cut(p.pem(), "-----BEGIN RSA")
			flags := o.inFolder("key.pem", "-----BEGIN RSA"+key, p)
			o.put("certs/cert.pem", bare)
			must(o.t, os.Chmod(o.file("certs/cert.pem"), 0o444))
			must(o.t, os.Chmod(o.file("certs/key.pem"), keyOfOthers))
			return flags
		},
		says:  []string{`"Keyset does not exist"`, "has no right to the private key in key.pem", "Manage Private Keys", "chmod 0440"},
		alien: true,
	},
	"PFX without its password": {
		prepare: func(o *org) []string {
			p := o.certificate("sealed", time.Hour, false)
			return o.inFolder("a.pfx", p.pfx(o.t, "needed-4711"), p)
		},
		says: []string{"a.pfx needs a password: give it with --cert-password-file"},
	},
	"PFX with another password": {
		prepare: func(o *org) []string {
			p := o.certificate("sealed", time.Hour, false)
			o.put("pfx", renewed)
			return o.inFolder("a.pfx", p.pfx(o.t, "needed-4711"), p, "--cert-password-file="+o.file("pfx"))
		},
		says: []string{"a.pfx cannot be opened: its password is another than the one given (--cert-password-file)"},
	},
	"folder not there": {
		prepare: func(o *org) []string {
			return app("--auth=certificate", "--cert-dir="+o.file("nowhere"))
		},
		says: []string{"the folder of certificates (--cert-dir) cannot be read", "nowhere"},
	},
	"token file missing": {
		prepare: func(o *org) []string { return app("--federated-token-file=" + o.file("nowhere")) },
		says:    []string{"--federated-token-file", "is it the secret itself? That must stand in a file); if not, look at what is to write it"},
	},
	"token expired": {
		prepare: func(o *org) []string {
			o.put("token", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2ln")
			return app("--federated-token-file=" + o.file("token"))
		},
		says: []string{"the federated token in ", "expired at 2023-11-14T22:13:20Z: look at what is to renew it"},
	},
	"token file with something else": {
		prepare: func(o *org) []string {
			o.put("token", renewed)
			return app("--federated-token-file=" + o.file("token"))
		},
		says: []string{"holds no JSON Web Token: look at what is to write it"},
	},
	"secret file missing": {
		prepare: func(o *org) []string { return app("--client-secret-file=" + o.file("nowhere")) },
		says:    []string{"the file given in --client-secret-file does not exist", "ROOMSYNC_CLIENT_SECRET"},
	},
	"secret for everybody": {
		prepare: func(o *org) []string {
			o.put("secret", renewed)
			must(o.t, os.Chmod(o.file("secret"), 0o644))
			return app("--client-secret-file=" + o.file("secret"))
		},
		says: []string{"can be read or changed by everybody on this host: chmod 0400"},
	},
	"placeholder of the guide": {
		prepare: func(o *org) []string {
			return []string{"--rooms-config=" + o.roomsConfig(map[string]string{"ExchangeTenantId": "sim-tenant", "ExchangeAppId": "sim-app", "ExchangeClientSecret": "xxx"})}
		},
		says: []string{"RoomsAppSettings.config:", "ExchangeClientSecret", "is still the placeholder of the guide: replace it"},
	},
	"sealing key too short": {
		prepare: func(o *org) []string {
			o.put("secret", renewed)
			o.put("key", "short")
			return app("--client-secret-file="+o.file("secret"), "--token-key-file="+o.file("key"))
		},
		says: []string{"--token-key-file", "the key in line 1 is too short: openssl rand -hex 32 makes a good one"},
	},
}

// TestSignIn_FoundOutAtStart: what cannot work is one sentence and exit code 2, before Entra, Exchange or NATS hear of it.
func TestSignIn_FoundOutAtStart(t *testing.T) {
	bin := binaries(t)
	for name, f := range faultyStarts {
		t.Run(name, func(t *testing.T) {
			var heard atomic.Int64
			nobody := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
			defer nobody.Close()
			o := &org{system: &system{t: t, bin: bin}, dir: openFolder(t)}
			flags := append(f.prepare(o), "--nats-url=nats://127.0.0.1:1", "--http=off", "--log-format=json",
				"--ews-url="+nobody.URL+exchangesim.EWSPath, "--authority-url="+nobody.URL)
			cmd := exec.Command(o.exe("worker"), flags...)
			if f.alien && !alienate(cmd) {
				t.Skip("everybody may read everything here")
			}
			out, err := cmd.CombinedOutput()
			if f.alien && errors.Is(err, fs.ErrPermission) {
				t.Skipf("another user may not even run it: %v", err)
			}
			if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) || failed.ExitCode() != 2 {
				t.Fatalf("%v, want exit code 2:\n%s", err, out)
			}
			f.judge(t, string(out))
			if n := heard.Load(); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// judge looks for the sentence, which is what remains besides the log's lines.
func (f faulty) judge(t *testing.T, out string) {
	t.Helper()
	var said []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "{") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	text := strings.Join(said, " ")
	for _, want := range f.says {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if len(said) > 2 || strings.Contains(out, renewed) || strings.Contains(text, "daemon:") {
		t.Errorf("says\n%s", out)
	}
}

// openFolder is a folder of the test that other users of the host can look into.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "roomsync-files-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "certs"), 0o755))
	return dir
}
