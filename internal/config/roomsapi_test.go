package config

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

var (
	bearer = strings.Repeat("t", 40)
	whsec  = "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary+"-"+canary))
)

func apiFiles() map[string]string {
	return map[string]string{
		"tokens": "# ours\nrooms " + bearer + "\n\nrooms-next\t" + bearer + "2\r\n", "hooks": whsec + "\n" + whsec + "\n",
		"short": "rooms " + canary, "nameless": canary + bearer, "odd": "rooms " + canary + bearer + "ä", "twice": "a " + bearer + "\na " + bearer + "2", "same": "a " + bearer + "\nb " + bearer,
		"bad name": "-x " + bearer, "none": "# nothing\n", "plain": canary, "no base64": "whsec_" + canary + "!", "small": "whsec_" + base64.StdEncoding.EncodeToString([]byte(canary)[:12]),
		"large": "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 65))),
	}
}

func TestAPI(t *testing.T) {
	var d Dispatcher
	if err := Load(args("--api-token-file tokens --webhook-url https://rooms.example/hook --webhook-secret-file hooks"), world(nil, apiFiles()), &d); err != nil {
		t.Fatal(err)
	}
	all, err := d.APITokens()
	if err != nil || !d.APIOn() || len(all) != 2 || all[0].Name != "rooms" || all[0].Token.Reveal() != bearer || all[1].Name != "rooms-next" || all[1].Token.Reveal() != bearer+"2" {
		t.Errorf("%v, %v", all, err)
	}
	keys, err := d.WebhookSecrets()
	if err != nil || len(keys) != 2 || keys[0].Reveal() != canary+"-"+canary {
		t.Errorf("%d secrets, %v", len(keys), err)
	}
	if text := fmt.Sprintf("%v %+v %#v", d, d, all); strings.Contains(text, bearer) || strings.Contains(text, canary) {
		t.Error("a secret is printed")
	}
	var off Dispatcher
	if err := Load(nil, world(nil, nil), &off); err != nil || off.APIOn() || off.WebhookURL != "" {
		t.Errorf("by default: %v, on %t", err, off.APIOn())
	}
	var vars Dispatcher
	env := world(map[string]string{"ROOMSYNC_API_TOKEN": "rooms " + bearer, "ROOMSYNC_WEBHOOK_SECRET": whsec, "ROOMSYNC_WEBHOOK_URL": "http://127.0.0.1:5000/x"}, nil)
	if err := Load(nil, env, &vars); err != nil || !vars.APIOn() {
		t.Errorf("from variables: %v", err)
	}
}

func TestAPI_Faults(t *testing.T) {
	for line, want := range map[string]string{
		"--api-token-file short":                                                "too short",
		"--api-token-file nameless":                                             "a name, a space and a token",
		"--api-token-file odd":                                                  "characters that a bearer token cannot have",
		"--api-token-file twice":                                                "line 2 has a name or a token that stands above",
		"--api-token-file same":                                                 "line 2 has a name or a token that stands above",
		"--api-token-file none":                                                 "there is no token in it",
		"--api-token-file missing":                                              "does not exist",
		"--api-token-file tokens --http off":                                    "--http",
		"--webhook-secret-file hooks":                                           "--webhook-url: missing",
		"--webhook-url https://a.example/secret":                                "--webhook-secret-file: missing",
		"--webhook-url http://a.example/secret --webhook-secret-file hooks":     "must be https",
		"--webhook-url https://u:secret@a.example/ --webhook-secret-file hooks": "must hold no user",
		"--webhook-url ftp://a.example/secret --webhook-secret-file hooks":      "must be a URL",
		"--webhook-url https://a.example/secret --webhook-secret-file plain":    "line 1 must be whsec_",
		"--webhook-url https://a.example/secret --webhook-secret-file nobase":   "does not exist",
		"--webhook-url https://a.example/secret --webhook-secret-file small":    "24 to 64 bytes",
		"--webhook-url https://a.example/secret --webhook-secret-file large":    "24 to 64 bytes",
		"--webhook-url https://a.example/secret --webhook-secret-file none":     "there is no secret in it",
		"--api-token x": "use --api-token-file",
	} {
		var d Dispatcher
		err := Load(args(line), world(nil, apiFiles()), &d)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "/secret") || strings.Contains(err.Error(), bearer) || strings.Contains(err.Error(), whsec)) {
			t.Errorf("%s: a secret is in %v", line, err)
		}
	}
}
