package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"roomsync/internal/tokens"
)

// Each secret, in each way that it can be given, by precedence: the flag's file, the variable, the variable's file, and
// the line of RoomsAppSettings.config.
func TestSecret_Precedence(t *testing.T) {
	secrets := []struct {
		flag, key string
		read      func(*Worker) (tokens.Secret, error)
	}{
		{"client-secret-file", keyClientSecret, func(w *Worker) (tokens.Secret, error) { return w.ClientSecret() }},
		{"password-file", keyPassword, func(w *Worker) (tokens.Secret, error) { return w.Password() }},
		{"cert-password-file", "", func(w *Worker) (tokens.Secret, error) { return w.CertPassword() }},
		{"token-key-file", "", func(w *Worker) (tokens.Secret, error) { return first(w.TokenKeys()) }},
		{"mailbox-token-key-file", "", func(w *Worker) (tokens.Secret, error) { return w.tokenKey.read() }},
	}
	long := strings.Repeat("-", minKey)
	for _, x := range secrets {
		file, variable := EnvName(x.flag), EnvName(strings.TrimSuffix(x.flag, "-file"))
		ways := []string{"flag", "variable", "variable's file"}
		if x.key != "" {
			ways = append(ways, "rooms")
		}
		all := map[string]string{"flag": "--" + x.flag + " byflag", "variable": variable, "variable's file": file + " byvariable", "rooms": "rooms:2 " + x.key}
		for i, way := range ways {
			vars, line := map[string]string{}, []string{"--rooms-config=rooms"}
			content := map[string]string{"rooms": keys(), "byflag": "flag" + long + "\r\n", "byvariable": "variable's file" + long + "\n"}
			for _, lower := range ways[i:] {
				switch lower {
				case "flag":
					line = append(line, "--"+x.flag+"=byflag")
				case "variable":
					vars[variable] = "variable" + long
				case "variable's file":
					vars[file] = "byvariable"
				case "rooms":
					content["rooms"] = keys(x.key + "=rooms" + long)
				}
			}
			var w Worker
			_ = Load(line, world(vars, content), &w) // faulty: only one secret is given
			if s, err := x.read(&w); err != nil || s.Reveal() != way+long {
				t.Errorf("%s by %s and what comes after: %q, %v", x.flag, way, s.Reveal(), err)
			}
			if from := w.fromOf(strings.TrimSuffix(x.flag, "-file")); from != all[way] {
				t.Errorf("%s by %s comes from %q, want %q", x.flag, way, from, all[way])
			}
		}
	}
}

func first(keys []tokens.Secret, err error) (tokens.Secret, error) {
	if len(keys) == 0 {
		return tokens.Secret{}, err
	}
	return keys[0], err
}

// fromOf is where a secret comes from.
func (w *Worker) fromOf(name string) string {
	for _, x := range []*secret{&w.clientSecret, &w.password, &w.certPassword, &w.tokenKeys, &w.tokenKey} {
		if x.name == name+"-file" {
			return x.from
		}
	}
	return ""
}

func TestSecret_WhatIsNotUsedIsSaid(t *testing.T) {
	vars := map[string]string{"ROOMSYNC_CLIENT_SECRET": canary, "ROOMSYNC_PASSWORD": canary, "ROOMSYNC_PASSWORD_FILE": "secret"}
	var w Worker
	if err := Load(args(app+"--username u"), world(vars, files), &w); err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprint(w.Findings())
	for _, want := range []string{
		"{note ROOMSYNC_CLIENT_SECRET is not used: --client-secret-file comes first}",
		"{note ROOMSYNC_PASSWORD_FILE is not used: ROOMSYNC_PASSWORD comes first}",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %s: %s", want, said)
		}
	}
}

func TestTokenKeys(t *testing.T) {
	one, two := strings.Repeat("1", 32), strings.Repeat("2", 64)
	tests := []struct {
		file  string
		want  []string
		fault string
	}{
		{one, []string{one}, ""},
		{"\ufeff" + one + "\r\n\r\n  " + two + " \r\n", []string{one, two}, ""},
		{one + "\n" + canary, nil, "the key in line 2 is too short: openssl rand -hex 32 makes a good one"},
		{"\n\n", nil, "there is no secret in it"},
		{" \n \n", nil, "there is no key in it"},
	}
	for _, tt := range tests {
		var w Worker
		err := Load(args(app+"--token-key-file keys"), world(nil, with(files, "keys", tt.file)), &w)
		keys, again := w.TokenKeys()
		var got []string
		for _, k := range keys {
			got = append(got, k.Reveal())
		}
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.fault == "") || (again == nil) != (tt.fault == "") {
			t.Errorf("%q: %q, %v", tt.file, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), `--token-key-file "keys": `+tt.fault) || strings.Contains(err.Error(), canary)) {
			t.Errorf("%q: %v", tt.file, err)
		}
	}
	var w Worker
	if err := Load(args(app), world(nil, files), &w); err != nil {
		t.Fatal(err)
	}
	if keys, err := w.TokenKeys(); keys != nil || err != nil {
		t.Errorf("without keys: %v, %v", keys, err)
	}
}
