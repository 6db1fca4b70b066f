package daemon

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/retirement"
)

func TestCheckSignIn(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 2, Items: 3, BusyShare: exchangesim.NoBusyShare, Magic: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	const mailbox = "user0001@contoso.example"
	app := "--tenant-id sim-tenant --app-id sim-app --authority-url " + srv.URL
	tests := map[string]struct {
		args, secret, password, mailbox string
		want                            []string // the steps: ok or failed, and parts of what is said and to be done
	}{
		"token only":       {app, "sim-secret", "", "", []string{"ok access token: given by " + srv.URL}},
		"mailbox":          {app, "sim-secret", "", mailbox, []string{"ok access token", "ok calendar of " + mailbox + ": can be read; it holds "}},
		"wrong secret":     {app, canary, "", mailbox, []string{"failed access token: no access token (invalid_client, AADSTS7000215, HTTP 401)|the client secret is wrong"}},
		"wrong app":        {app + " --app-id other", "sim-secret", "", "", []string{"failed access token: no access token (unauthorized_client, AADSTS700016|check --app-id"}},
		"no such mailbox":  {app, "sim-secret", "", "nobody@contoso.example", []string{"ok access", "failed calendar of nobody@contoso.example: GetFolder: ErrorNonExistentMailbox|no mailbox has this address"}},
		"basic":            {"--username svc@contoso.example", "", "simulated", mailbox, []string{"ok calendar of " + mailbox}},
		"basic, untried":   {"--username svc@contoso.example", "", "simulated", "", []string{"skipped sign-in: the password goes with each request|--mailbox"}},
		"wrong password":   {"--username svc@contoso.example", "", canary, mailbox, []string{"failed calendar of " + mailbox + ": the sign-in is refused (HTTP 401)|check --username"}},
		"may not act":      {"--username user0002@contoso.example", "", "simulated", mailbox, []string{"failed calendar of " + mailbox + ": GetFolder: ErrorImpersonateUserDenied|ApplicationImpersonation"}},
		"no right":         {"--username user0002@contoso.example --impersonation=false", "", "simulated", mailbox, []string{"failed calendar of " + mailbox + ": GetFolder: Error|has no rights to this calendar"}},
		"Entra elsewhere":  {"--tenant-id t --app-id a --authority-url http://127.0.0.1:1", "sim-secret", "", "", []string{"failed access token: no access token: dial tcp 127.0.0.1:1|reaches the authority"}},
		"denied by policy": {app, "sim-secret", "", "denied@contoso.example", []string{"ok access token", "failed calendar of denied@contoso.example"}},
	}
	for name, tt := range tests {
		var c config.Worker
		env := config.Env{Getenv: func(n string) string {
			return map[string]string{"ROOMSYNC_CLIENT_SECRET": tt.secret, "ROOMSYNC_PASSWORD": tt.password}[n]
		}}
		if err := config.Load(strings.Fields("--ews-url "+srv.URL+exchangesim.EWSPath+" "+tt.args), env, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := CheckSignIn(t.Context(), c.Exchange, tt.mailbox)
		if err != nil || len(r.Steps) != len(tt.want) {
			t.Errorf("%s: %v, %+v", name, err, r)
			continue
		}
		for i, want := range tt.want {
			verdict, rest, _ := strings.Cut(want, " ")
			said, do, _ := strings.Cut(rest, "|")
			s := r.Steps[i]
			if s.OK != (verdict == "ok") || !strings.HasPrefix(s.Name+": "+s.Said, said) || !strings.Contains(s.Do, do) || !s.OK && s.Do == "" {
				t.Errorf("%s: %+v, want %q", name, s, want)
			}
		}
		if data, err := json.Marshal(r); err != nil || strings.Contains(string(data), canary) || !strings.Contains(string(data), `"tookMs":`) {
			t.Errorf("%s: %v, %s", name, err, data)
		}
	}
}

// Somebody is waiting: a server that says nothing does not hold the command for a minute.
func TestCheckSignIn_NoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var c config.Worker
	env := config.Env{Getenv: func(n string) string { return map[string]string{"ROOMSYNC_CLIENT_SECRET": canary}[n] }}
	url := "http://" + l.Addr().String()
	if err := config.Load([]string{"--tenant-id=t", "--app-id=a", "--authority-url=" + url, "--ews-url=" + url}, env, &c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := CheckSignIn(ctx, c.Exchange, "")
	if err != nil || r.OK() || len(r.Steps) != 1 || !strings.Contains(r.Steps[0].Said, "gave no answer within") || !strings.Contains(r.Steps[0].Do, "proxy or firewall") {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestCheckSignIn_WhereTheFaultLies: what to do depends on it.
func TestCheckSignIn_WhereTheFaultLies(t *testing.T) {
	sim, err := exchangesim.New(exchangesim.Options{Mailboxes: 2, Items: -1, BusyShare: exchangesim.NoBusyShare, Schemes: &signin.Schemes{NTLM: true}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	defer srv.Close()
	for _, tt := range []struct{ url, user, password, mailbox, fault, do string }{
		{srv.URL, "--auth=ntlm --username=svc@contoso.example", "simulated", "user0001@contoso.example", "", ""},
		{srv.URL, "--auth=basic --username=svc@contoso.example", "simulated", "user0001@contoso.example", FaultSignIn, "the server does not offer Basic but Negotiate, NTLM: use --auth ntlm, or switch Basic authentication on"},
		{srv.URL, "--auth=ntlm --username=svc@contoso.example", canary, "user0001@contoso.example", FaultSignIn, "check --username"},
		{srv.URL, "--auth=ntlm --username=svc@contoso.example", "simulated", "nobody@contoso.example", FaultMailbox, "Get-Recipient nobody@contoso.example"},
		{srv.URL + "/owa/", "--auth=ntlm --username=svc@contoso.example", "simulated", "user0001@contoso.example", FaultServer, "is it /EWS/Exchange.asmx? Correct --ews-url"},
		{"http://127.0.0.1:1", "--auth=ntlm --username=svc@contoso.example", "simulated", "user0001@contoso.example", FaultServer, "reaches --ews-url"},
	} {
		var c config.Worker
		env := config.Env{Getenv: func(n string) string { return map[string]string{"ROOMSYNC_PASSWORD": tt.password}[n] }}
		if err := config.Load(strings.Fields("--ews-url "+tt.url+" "+tt.user), env, &c); err != nil {
			t.Fatal(err)
		}
		r, err := CheckSignIn(t.Context(), c.Exchange, tt.mailbox)
		if err != nil || r.Fault() != tt.fault || r.OK() != (tt.fault == "") || !strings.Contains(r.Steps[0].Do, tt.do) {
			t.Errorf("%+v: %v, %+v", tt, err, r)
		}
	}
}

// TestCheckSignIn_WhileEWSIsSwitchedOff: what Microsoft does may be why a mailbox of Exchange Online is refused.
func TestCheckSignIn_WhileEWSIsSwitchedOff(t *testing.T) {
	for url, online := range map[string]bool{"https://outlook.office365.com/EWS/Exchange.asmx": true, "https://mail.contoso.example/EWS/Exchange.asmx": false} {
		var s Step
		s.refused(config.Exchange{EWSURL: url, Auth: config.AuthSecret}, &calsync.Fault{Operation: "GetFolder", Kind: calsync.FaultHTTP, Status: 403}, "a@b.example")
		if got := strings.HasPrefix(s.Do, retirement.Hint(time.Now())); got != online || !strings.Contains(s.Do, "Get-CASMailbox a@b.example") || s.Fault != FaultMailbox {
			t.Errorf("%s: %+v", url, s)
		}
	}
}
