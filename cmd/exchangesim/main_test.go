package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func noEnv(string) (string, bool) { return "", false }

func TestRun_WrongUsageIsOneLineAndExit2(t *testing.T) {
	for want, args := range map[string][]string{
		"unknown flag: --mailboxen":    {"--mailboxen", "3"},
		"invalid argument \"many\"":    {"--mailboxes", "many"},
		"--mailboxes -1":               {"--mailboxes", "-1"},
		"--busy-share 2":               {"--busy-share", "2"},
		"--traffic needs":              {"--traffic", "1", "--mailboxes", "0"},
		"need --tls":                   {"--tls-cert-out", "x.pem"},
		"not on loopback":              {"--listen", "0.0.0.0:8445"},
		"write host:port":              {"--listen", "8445"},
		"unknown command \"serve\"":    {"serve"},
		`fault "H99 GetItem"`:          {"--mailboxes", "0", "--fault", "H99 GetItem"},
		"--items-per-mailbox":          {"--items-per-mailbox", "-1"},
		"no such file":                 {"--mailboxes", "0", "--app-cert", "nothing.pem"},
		"no PEM block":                 {"--mailboxes", "0", "--app-cert", "main.go"},
		"--token-lifetime, --token-re": {"--token-lifetime", "-1s"},
		"--sign-in kerberos":           {"--sign-in", "basic,kerberos"},
		"needs --federated-subject":    {"--federated-token-out", "x"},
		"--restrict-to nobody@x":       {"--mailboxes", "1", "--restrict-to", "nobody@x.example"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), args, noEnv, &out, &errs)
		if code != 2 || !strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%q: exit %d, %q, %q", args, code, &errs, &out)
		}
	}
}

func TestRun_WrongEnvironmentNamesTheVariable(t *testing.T) {
	env := func(name string) (string, bool) { return "x", name == "EXCHANGESIM_BUSY_SHARE" }
	var errs bytes.Buffer
	if code := run(t.Context(), nil, env, io.Discard, &errs); code != 2 || !strings.Contains(errs.String(), "EXCHANGESIM_BUSY_SHARE") {
		t.Errorf("exit %d, %q", code, &errs)
	}
}

func TestRun_AddressInUseIsExit1(t *testing.T) {
	s := start(t, noEnv, "--mailboxes", "0", "--listen", "127.0.0.1:0")
	var errs bytes.Buffer
	address := strings.TrimPrefix(s.base, "http://")
	if code := run(t.Context(), []string{"--mailboxes", "0", "--listen", address}, noEnv, io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), "in use") {
		t.Errorf("exit %d, %q", code, &errs)
	}
}

func TestHelp_NamesEveryFixedFlag(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, noEnv, &out, io.Discard); code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, flag := range strings.Fields("--listen --mailboxes --seed --tls --busy-share --token-lifetime --latency --traffic --items-per-mailbox") {
		if !strings.Contains(out.String(), flag+" ") {
			t.Errorf("no %s in the help", flag)
		}
	}
}

// running is the command at work in this process.
type running struct {
	base, text string
}

// start runs the command until the test ends, and then demands a clean stop.
func start(t *testing.T, env func(string) (string, bool), args ...string) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	exit := make(chan int, 1)
	var errs bytes.Buffer
	go func() { exit <- run(ctx, args, env, w, &errs); w.Close() }()
	buf := make([]byte, 64<<10)
	n, _ := r.Read(buf) // the welcome is one write
	t.Cleanup(func() {
		cancel()
		if code := <-exit; code != 0 {
			t.Errorf("exit %d: %s", code, &errs)
		}
	})
	text := string(buf[:n])
	base := regexp.MustCompile(`https?://[^/\s]+`).FindString(text)
	if base == "" {
		t.Fatalf("no address in %q, %q", text, &errs)
	}
	return running{base, text}
}

func TestRun_ServesAndTellsHowToUseIt(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"EXCHANGESIM_MAILBOXES": "7", "EXCHANGESIM_ITEMS_PER_MAILBOX": "2", "EXCHANGESIM_SEED": "9",
			"EXCHANGESIM_FAULT": "H22 room*@contoso.example;E8 attempt=3"}[name]
		return v, ok
	}
	s := start(t, env, "--listen", "127.0.0.1:0", "--mailboxes", "5") // a flag wins over the environment
	if !strings.Contains(s.text, "with 5 mailboxes") || !strings.Contains(s.text, "curl -s "+s.base) {
		t.Errorf("welcome %q", s.text)
	}
	var boxes struct {
		Total     int
		Mailboxes []struct{ Items int }
	}
	get(t, http.DefaultClient, s.base+"/admin/mailboxes?after=room", &boxes)
	if boxes.Total != 5 {
		t.Errorf("%+v", boxes)
	}
	var rules struct{ Rules []struct{ Fault string } }
	get(t, http.DefaultClient, s.base+"/admin/faults", &rules)
	if len(rules.Rules) != 2 || rules.Rules[1].Fault != "E8" {
		t.Errorf("%+v", rules)
	}
}

func TestRun_AccessAsTheFlagsSay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	s := start(t, noEnv, "--listen", "127.0.0.1:0", "--mailboxes", "5", "--sign-in", "bearer,ntlm", "--delegate",
		"--restrict-to", "room0001@contoso.example", "--federated-subject", "system:serviceaccount:rooms:worker", "--federated-token-out", file)
	var schemes struct{ Bearer, Basic, NTLM bool }
	get(t, http.DefaultClient, s.base+"/admin/sign-in", &schemes)
	if !schemes.Bearer || schemes.Basic || !schemes.NTLM {
		t.Errorf("sign-in %+v", schemes)
	}
	var permissions struct {
		Permissions []struct{ User, Folder, Access string }
	}
	get(t, http.DefaultClient, s.base+"/admin/mailboxes/user0001@contoso.example/permissions", &permissions)
	if len(permissions.Permissions) != 3 || permissions.Permissions[0].Access != "Editor" {
		t.Errorf("%+v", permissions)
	}
	var check struct{ AccessCheckResult string }
	get(t, http.DefaultClient, s.base+"/admin/policy/application-access/test?appId=sim-app&mailbox=user0001@contoso.example", &check)
	if check.AccessCheckResult != "Denied" {
		t.Errorf("%+v", check)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.PostForm(s.base+"/sim-tenant/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"sim-app"}, "scope": {"https://outlook.office365.com/.default"},
		"client_assertion": {string(token)}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("the token that was written got %d", res.StatusCode)
	}
}

func TestRun_TLSWithACertificateToTrust(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sim.pem")
	s := start(t, noEnv, "--listen", "127.0.0.1:0", "--mailboxes", "0", "--tls", "--tls-cert-out", file)
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.base, "https://") || !strings.Contains(s.text, "--cacert "+file) {
		t.Errorf("welcome %q", s.text)
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(pem)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}}}
	defer c.CloseIdleConnections()
	var doc struct{ Issuer string }
	get(t, c, s.base+"/sim-tenant/v2.0/.well-known/openid-configuration", &doc)
	if doc.Issuer != s.base+"/sim-tenant/v2.0" {
		t.Errorf("issuer %q", doc.Issuer)
	}
}

func get(t *testing.T, c *http.Client, url string, into any) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("X-Simulated-Exchange") != "true" {
		t.Errorf("%s: %d, headers %v", url, res.StatusCode, res.Header)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
