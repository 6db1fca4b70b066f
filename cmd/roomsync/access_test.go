package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roomsync/internal/config"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/ops/accesscheck"
)

// mall is a simulated Exchange, and the command in front of it.
type mall struct {
	t   *testing.T
	sim *exchangesim.Server
	env map[string]string
}

func newMall(t *testing.T) *mall {
	t.Helper()
	sim, err := exchangesim.New(exchangesim.Options{Mailboxes: 20, Items: -1, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	t.Cleanup(srv.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sim-secret"), 0o400); err != nil {
		t.Fatal(err)
	}
	return &mall{t, sim, map[string]string{
		"ROOMSYNC_EWS_URL": srv.URL + exchangesim.EWSPath, "ROOMSYNC_AUTHORITY_URL": srv.URL, "ROOMSYNC_TENANT_ID": "sim-tenant",
		"ROOMSYNC_APP_ID": "sim-app", "ROOMSYNC_CLIENT_SECRET_FILE": secret, "ROOMSYNC_NATS_URL": "nats://127.0.0.1:1",
	}}
}

func (m *mall) forbid(address string) {
	m.t.Helper()
	if err := m.sim.Faults().Forbid(address, faults.Denied403); err != nil {
		m.t.Fatal(err)
	}
}

// check is "roomsync access check args" and returns exit code, stdout and stderr.
func (m *mall) check(stdin string, args ...string) (int, string, string) {
	return m.run(stdin, append([]string{"access", "check"}, args...)...)
}

// run is "roomsync args".
func (m *mall) run(stdin string, args ...string) (int, string, string) {
	m.t.Helper()
	var out, stderr bytes.Buffer
	env := config.OS()
	env.Getenv = func(name string) string { return m.env[name] }
	root := tool{env: env, connect: connect}.root()
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	code := config.Run(ctx, root, args, &stderr)
	return code, out.String(), stderr.String()
}

func (m *mall) want(code int, stdout, stderr []string, args ...string) string {
	m.t.Helper()
	c, o, e := m.check("", args...)
	if c != code {
		m.t.Errorf("%q: code %d, want %d\n%s%s", args, c, code, o, e)
	}
	for _, s := range stdout {
		if !strings.Contains(o, s) {
			m.t.Errorf("%q: stdout lacks %q:\n%s", args, s, o)
		}
	}
	for _, s := range stderr {
		if !strings.Contains(e, s) {
			m.t.Errorf("%q: stderr lacks %q:\n%s", args, s, e)
		}
	}
	if len(stderr) == 0 && e != "" {
		m.t.Errorf("%q: stderr %q", args, e)
	}
	return o
}

func TestAccessCheck_FindingsFirst(t *testing.T) {
	m := newMall(t)
	m.want(0, []string{"GRANTED (1)\n  user0001@contoso.example  read, write\n", "1 mailbox in", ": 1 granted\n"}, nil, "User0001@contoso.example")
	m.forbid("user0002@contoso.example")
	out := m.want(1, []string{
		"DENIED (1): forbidden, HTTP 403\n    HTTP 403 without a reason: Test-ApplicationAccessPolicy -Identity user0002@contoso.example\n    -AppId sim-app; with RBAC",
		"BLOCKED (1): mailbox-missing, ErrorNonExistentMailbox\n",
		"3 mailboxes in", ": 1 granted, 1 denied, 1 blocked, 2 findings\n",
	}, []string{"2 findings"}, "user0001@contoso.example", "user0002@contoso.example", "nobody@contoso.example")
	if strings.Index(out, "GRANTED") < strings.Index(out, "BLOCKED") || strings.Index(out, "BLOCKED") < strings.Index(out, "DENIED") {
		t.Errorf("the order is\n%s", out)
	}
}

func TestAccessCheck_JSON(t *testing.T) {
	m := newMall(t)
	m.forbid("user0002@contoso.example")
	var r accesscheck.Report
	out := m.want(1, nil, []string{"1 finding"}, "--json", "user0001@contoso.example", "user0002@contoso.example")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if x := r.Mailboxes[0]; r.Summary.Total != 2 || r.Summary.Findings != 1 || x.Address != "user0002@contoso.example" || x.Reason != "forbidden" || x.Evidence.RequestID == "" {
		t.Errorf("%+v", r)
	}
}

// wide is a text of ASCII in UTF-16.
func wide(text string) string { return strings.Join(strings.Split(text, ""), "\x00") + "\x00" }

func TestAccessCheck_Lists(t *testing.T) {
	m := newMall(t)
	for name, text := range map[string]string{
		"a line each":         "user0001@contoso.example\nUSER0003@contoso.example\n",
		"Exchange's export":   "#TYPE Selected\n\"Name\",\"PrimarySmtpAddress\"\n\"A, B\",\"user0001@contoso.example\"\n\"C\",\"user0003@contoso.example\"\n",
		"PowerShell's >":      "\xff\xfe" + wide("user0001@contoso.example\r\nuser0003@contoso.example\r\n"),
		"our own, semicolons": "\ufeffaddress;mode;url\nuser0001@contoso.example;O365;\nuser0003@contoso.example;Exchange2016;\n",
	} {
		code, out, stderr := m.check(text, "--csv", "-", "--all")
		if code != 0 || !strings.Contains(out, "user0003@contoso.example  read, write") || !strings.Contains(out, "2 mailboxes in") {
			t.Errorf("%s: code %d\n%s%s", name, code, out, stderr)
		}
	}
	_, out, _ := m.check("user0001@contoso.example\n", "--csv", "-")
	if strings.Contains(out, "user0001") {
		t.Errorf("those in order are listed although nobody asked:\n%s", out)
	}
	for text, want := range map[string]string{
		"name\nx\n":                           `names no column "address"`,
		"user0001@contoso.example\nfoo\n@x\n": "standard input line 2: address \"foo\"",
		"":                                    "holds no addresses",
		"address,mode\nuser0001@contoso.example,O366\n": `did you mean "O365"?`,
	} {
		if code, _, stderr := m.check(text, "--csv", "-"); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%q: code %d, stderr %q, want %q", text, code, stderr, want)
		}
	}
}

func TestAccessCheck_Canary(t *testing.T) {
	m := newMall(t)
	m.want(1, []string{"CANARY GRANTED (1)\n    the app may read a mailbox that is out of bounds"}, []string{"1 finding"},
		"user0001@contoso.example", "--canary", "user0009@contoso.example")
	m.forbid("user0009@contoso.example")
	m.want(0, []string{"CANARY DENIED (1): forbidden"}, nil, "user0001@contoso.example", "--canary", "user0009@contoso.example")
}

func TestAccessCheck_WrongSecretIsSaidOnce(t *testing.T) {
	m := newMall(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("wrong"), 0o400); err != nil {
		t.Fatal(err)
	}
	m.env["ROOMSYNC_CLIENT_SECRET_FILE"] = wrong
	out := m.want(1, []string{"STOPPED\n    the sign-in is refused: no access token", "AADSTS7000215", "2 not asked for"}, []string{"stopped: 2 of 2"},
		"user0001@contoso.example", "user0002@contoso.example")
	if strings.Count(out, "AADSTS7000215") != 1 {
		t.Errorf("said more than once:\n%s", out)
	}
}

// TestAccessCheck_WebPageOfOneMailbox: what its own URL leads to is its own row, and ends nothing.
func TestAccessCheck_WebPageOfOneMailbox(t *testing.T) {
	m := newMall(t)
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><form>sign in</form></html>"))
	}))
	defer portal.Close()
	code, out, stderr := m.check("address,mode,url\nuser0001@contoso.example,O365,"+portal.URL+"/owa/\nuser0002@contoso.example,O365,\nuser0003@contoso.example,O365,\n", "--csv", "-")
	if code != 1 || !strings.Contains(out, "FAILED (1): sign-in-page, html\n    a web page came instead of an answer: the mailbox's own url leads to a proxy") ||
		!strings.Contains(out, ": 2 granted, 1 failed, 1 finding\n") || strings.Contains(out, "STOPPED") {
		t.Errorf("code %d\n%s%s", code, out, stderr)
	}
}

func TestAccessCheck_Usage(t *testing.T) {
	m := newMall(t)
	m.want(2, nil, []string{"address \"foo\""}, "foo")
	m.want(2, nil, []string{"address \"bar\""}, "user0001@contoso.example", "--canary", "bar")
	m.want(2, nil, []string{"not both"}, "user0001@contoso.example", "--csv", "x")
	m.want(2, nil, []string{"--parallel: must be"}, "user0001@contoso.example", "--parallel=-1")
	m.want(2, nil, []string{"no such file"}, "--csv", filepath.Join(t.TempDir(), "nowhere"))
	m.want(1, nil, []string{"cannot reach NATS", "need no NATS"})
	delete(m.env, "ROOMSYNC_APP_ID")
	m.want(2, nil, []string{"--app-id: missing"}, "user0001@contoso.example")
}

// TestAccessCheck_WantedSet: without addresses, the wanted mailboxes are asked for; those switched off are not.
func TestAccessCheck_WantedSet(t *testing.T) {
	s, m := newShop(t), newMall(t)
	m.env["ROOMSYNC_NATS_URL"] = s.url
	m.want(2, nil, []string{"no mailboxes are wanted yet"})
	s.want(0, "added 3, changed 0, unchanged 0\n", "", "mailboxes", "import",
		file(t, "address,mode,enabled\nuser0001@contoso.example,O365,true\nuser0002@contoso.example,O365,true\nuser0003@contoso.example,O365,false\n"))
	m.want(0, []string{"2 mailboxes in", ": 2 granted\n"}, nil)
}
