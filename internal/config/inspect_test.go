package config

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// inspect is what "config check" would show.
func inspect(t *testing.T, env Env, line ...string) Inspection {
	t.Helper()
	var w Worker
	cmd := &cobra.Command{Use: "check"}
	f := AttachInspection(cmd, env, &w)
	if err := cmd.ParseFlags(line); err != nil {
		t.Fatal(err)
	}
	return f()
}

// value finds a setting.
func (i Inspection) value(name string) Value {
	k := slices.IndexFunc(i.Settings, func(v Value) bool { return v.Name == name })
	if k < 0 {
		return Value{}
	}
	return i.Settings[k]
}

func TestInspection_WhereFrom(t *testing.T) {
	env := world(map[string]string{"ROOMSYNC_SLOTS": "7", "ROOMSYNC_CERT_PASSWORD": canary}, with(files, "rooms", keys(tenant, appID, appSecret)))
	i := inspect(t, env, args("--rooms-config rooms --app-id other --impersonation")...)
	for _, want := range []Value{
		{"rooms-config", "rooms", "--rooms-config"},
		{"tenant-id", "sim-tenant", "rooms:2 ExchangeTenantId"},
		{"app-id", "other", "--app-id"},
		{"client-secret", "set", "rooms:4 ExchangeClientSecret"},
		{"cert-password", "set", "ROOMSYNC_CERT_PASSWORD"},
		{"password", "", "default"},
		{"auth", "secret", "found out from rooms:4 ExchangeClientSecret"},
		{"impersonation", "true", "--impersonation"},
		{"slots", "7", "ROOMSYNC_SLOTS"},
		{"booking-slots", "64", "default"},
	} {
		if got := i.value(want.Name); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if len(i.Faults) > 0 {
		t.Errorf("%v", i.Faults)
	}
	i = inspect(t, env, args("--rooms-config rooms --auth delegated --username u --slots x")...)
	for _, want := range []Value{
		{"impersonation", "false", "--auth delegated"}, {"slots", "(faulty)", "--slots"}, {"username", "(faulty)", "--username"}, {"password", "(missing)", "default"},
	} {
		if got := i.value(want.Name); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if len(i.Faults) != 3 {
		t.Errorf("%v", i.Faults)
	}
}

func TestInspection_Findings(t *testing.T) {
	tests := map[string]struct {
		args string
		want []string // level and a part of the text
	}{
		"Exchange Online":          {app, []string{"note for good on 2027-04-01", "note is not given, so each worker"}},
		"keys are shared":          {app + "--token-key-file key", []string{"note for good on 2027-04-01"}},
		"delegated":                {"--tenant-id t --app-id a --auth delegated --username u@b --password-file secret --token-key-file key", []string{"note for good", "note delegated access fails as soon as Entra demands a second factor"}},
		"on premises":              {onPremises + "--username u --password-file secret", []string{"note is not given, so workers cannot tell"}},
		"a token to strangers":     {app + onPremises + "--token-key-file key", []string{"warning is no host of Exchange Online, yet is sent access tokens"}},
		"a simulated one":          {app + "--token-key-file key --ews-url http://127.0.0.1:1/EWS/ --authority-url http://127.0.0.1:1", nil},
		"no path":                  {app + "--token-key-file key --ews-url http://127.0.0.1:1 --authority-url http://127.0.0.1:1", []string{"note the URL has no path, so /EWS/Exchange.asmx was added"}},
		"insecure":                 {app + "--token-key-file key --allow-insecure", []string{"note for good", "warning permits plain http"}},
		"open file":                {"--rooms-config open --token-key-file key", []string{"note for good", "warning can be read or changed by everybody on this host"}},
		"open, no secret from it":  {"--rooms-config open --token-key-file key --client-secret-file secret", []string{"note for good"}},
		"more than is needed":      {app + "--token-key-file key --auth secret --cert-thumbprint " + print40 + " --cert-dir d", []string{"note for good", "note is not used by this worker, which signs in by secret", "note is not used"}},
		"on premises, more keys":   {onPremises + app + "--username u --password-file secret", []string{"note is not given", "note is not used by this worker, which signs in by basic", "note is not used"}},
		"another cloud of theirs":  {app + "--token-key-file key --ews-url https://outlook.office365.us/EWS/Exchange.asmx", []string{"note for good"}},
		"upper case, and the port": {app + "--token-key-file key --ews-url https://OUTLOOK.office365.com:443/EWS/Exchange.asmx", []string{"note for good"}},
	}
	for name, tt := range tests {
		i := inspect(t, world(nil, with(files, "open", keys(tenant, appID, appSecret))), args(tt.args)...)
		said := ""
		for _, f := range i.Findings {
			said += "\n" + f.Level + " " + f.Problem
		}
		if len(i.Findings) != len(tt.want) || len(i.Faults) > 0 {
			t.Errorf("%s: faults %v, findings%s", name, i.Faults, said)
		}
		for _, want := range tt.want {
			level, text, _ := strings.Cut(want, " ")
			if !regexp.MustCompile(`(?m)^` + level + " .*" + regexp.QuoteMeta(text)).MatchString(said) {
				t.Errorf("%s: lacks %q:%s", name, want, said)
			}
		}
	}
}

// Every secret, given in every way, rightly and wrongly, shows up nowhere, in no form.
func TestInspection_ShowsNoSecret(t *testing.T) {
	secret := strings.Repeat(canary+"~", 3)
	rooms := keys(tenant, appID, "ExchangeClientSecret="+secret, user, "ExchangeServicePassword="+secret)
	content := map[string]string{
		"s": secret, "keys": secret + "\n" + secret, "two": secret + "\nx", "rooms": rooms, "twice": strings.ReplaceAll(rooms, "</R", "<s>"+keys("ExchangeClientSecret="+secret+"2")+"</s></R"),
		"broken": strings.Replace(rooms, "canary", "&canary", 1), "mixed": keys("ExchangeTenantId="+secret, "ExchangeAppId="+secret, "ExchangeCertThumbprint="+secret, "ExchangeUseImpersonation="+secret),
		"short": canary, "jwt": secret,
	}
	vars := map[string]string{}
	for _, name := range secretVariables {
		vars[name] = secret
	}
	for _, line := range []string{
		"--rooms-config rooms", "--rooms-config twice", "--rooms-config broken", "--rooms-config mixed", "--rooms-config rooms " + onPremises,
		"--rooms-config rooms --auth delegated", "--client-secret-file s --password-file s --token-key-file keys --cert-password-file s --mailbox-token hmac --mailbox-token-key-file s",
		"--client-secret-file two --password-file two --cert-password-file two --auth certificate", "--token-key-file short --mailbox-token hmac --mailbox-token-key-file short",
		"--federated-token-file jwt --tenant-id t --app-id a", "--ews-url https://u:" + secret + "@h/ --nats-url nats://" + secret + "@h:1 --authority-url https://" + secret + "@h",
	} {
		for _, v := range []map[string]string{nil, vars} {
			var w Worker
			i := inspect(t, world(v, content), args(line)...)
			err := Load(args(line), world(v, content), &w)
			again, err2 := w.Again()
			live, restart := w.Changes(&again)
			data, _ := json.Marshal(i)
			out := fmt.Sprintf("%s\n%+v %#v\n%v %v %v %v", data, i, i, err, err2, live, restart)
			if err == nil {
				out += fmt.Sprintf("\n%+v %#v", w, &w)
			}
			for _, form := range []string{canary, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(canary))} {
				if at := strings.Index(out, form); at >= 0 {
					t.Errorf("%s: shows %s: %s", line, form, out[max(0, at-200):min(len(out), at+100)])
				}
			}
		}
	}
}

func TestWorker_Again(t *testing.T) {
	content := with(files, "rooms", keys(tenant, appID, appSecret))
	env := world(map[string]string{"ROOMSYNC_MAILBOX_TOKEN": "hmac"}, content)
	var w Worker
	if err := Load(args("--rooms-config rooms --slots 7 --http=off --mailbox-token-key-file key --token-key-file key"), env, &w); err != nil {
		t.Fatal(err)
	}
	if got := w.Files(); !slices.Equal(got, []string{"rooms", "key", "key"}) {
		t.Errorf("files %q", got)
	}
	check := func(what string, live, restart []string) {
		t.Helper()
		later, err := w.Again()
		if err != nil || later.Slots != 7 || later.HTTP != "" {
			t.Fatalf("%s: %v, %d slots", what, err, later.Slots)
		}
		l, r := w.Changes(&later)
		if !slices.Equal(l, live) || !slices.Equal(r, restart) {
			t.Errorf("%s: live %q, restart %q", what, l, r)
		}
		w = later
	}
	check("nothing", nil, nil)
	content["rooms"] = "<!-- moved -->\n" + keys(tenant, appID, appSecret)
	check("lines moved", nil, nil)
	content["rooms"] = keys("ExchangeTenantId=other", appID, appSecret+"2")
	check("another tenant and secret", []string{"tenant-id (rooms:2 ExchangeTenantId)", "client-secret (rooms:4 ExchangeClientSecret)"}, nil)
	if s, err := w.ClientSecret(); err != nil || s.Reveal() != canary+"2" || w.TenantID != "other" {
		t.Errorf("%q, %v, tenant %s", s.Reveal(), err, w.TenantID)
	}
	content["rooms"] = keys("ExchangeTenantId=other", appID, user, password, asDelegate)
	check("delegated", []string{
		"auth", "impersonation (rooms:6 ExchangeUseImpersonation)", "client-secret",
		"username (rooms:4 ExchangeServiceUser)", "password (rooms:5 ExchangeServicePassword)",
	}, nil)
	content["key"] = strings.Repeat("n", 40)
	check("keys", []string{"token-key (--token-key-file)"}, []string{"mailbox-token-key (--mailbox-token-key-file)"})
	content["rooms"] = "<"
	if _, err := w.Again(); err == nil {
		t.Error("a broken file is no fault")
	}
}

func TestHelp_IsGrouped(t *testing.T) {
	var out bytes.Buffer
	var w Worker
	cmd := &cobra.Command{Use: "worker", Example: "  worker --rooms-config x", RunE: func(*cobra.Command, []string) error { return nil }}
	cmd.Flags().Bool("json", false, "print JSON")
	Attach(cmd, world(nil, nil), &w)
	cmd.SetOut(&out)
	if code := Run(t.Context(), cmd, []string{"--help"}, &out); code != ExitOK {
		t.Fatalf("exit code %d", code)
	}
	rest := out.String()
	for _, want := range []string{
		"\nExamples:\n  worker", "\nFlags:\n", "--json", "--help", "\nNATS:\n", "--nats-url", "\nExchange, and how to sign in:\n", "--rooms-config file",
		"\nSign-in as an app", "--tenant-id", "\nSign-in as a service user:\n", "--username", "\nWork:\n", "--slots", "\nLog:\n", "\nHealth:\n", "--http ",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is not there, or not in its place:\n%s", want, out.String())
		}
		rest = after
	}
}
