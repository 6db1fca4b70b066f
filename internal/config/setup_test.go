package config

import (
	"strings"
	"testing"
)

// The commands of "setup" take a worker's flags and variables as they are, and demand and read no secret.
func TestSetup(t *testing.T) {
	for name, c := range map[string]struct{ args, auth string }{
		"nothing":                      {"", ""},
		"an app":                       {"--tenant-id contoso.com --app-id a", "*"},
		"a secret that is not there":   {"--tenant-id contoso.com --app-id a --client-secret-file nowhere", AuthSecret},
		"a user":                       {"--username svc", "*"},
		"said":                         {"--auth basic", AuthBasic},
		"both a secret and a password": {app + "--username svc --password-file nowhere", "*"},
	} {
		var s Setup
		env := world(nil, nil)
		env.ReadSecret = func(file string) ([]byte, error) {
			t.Errorf("%s: %s was read", name, file)
			return nil, nil
		}
		if err := Load(args(c.args), env, &s); err != nil || c.auth != "*" && s.Auth != c.auth {
			t.Errorf("%s: %v, auth %q, want %q", name, err, s.Auth, c.auth)
		}
	}
	var s Setup
	vars := map[string]string{"ROOMSYNC_TENANT_ID": "contoso.com", "ROOMSYNC_APP_ID": "a", "ROOMSYNC_USERNAME": "u", "ROOMSYNC_IMPERSONATION": "false"}
	if err := Load(nil, world(vars, nil), &s); err != nil || s.TenantID != "contoso.com" || s.AppID != "a" || s.Username != "u" || s.Impersonation {
		t.Errorf("%v, %+v", err, s.Exchange)
	}
	err := Load(args("--nats-url x --ews-url y"), world(nil, nil), &Setup{})
	for _, want := range []string{"--nats-url", "--ews-url"} {
		if err == nil || !strings.Contains(err.Error(), "\n  "+want) {
			t.Errorf("lacks %s: %v", want, err)
		}
	}
}
