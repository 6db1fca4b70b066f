package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

// logEverything writes the canary in each way that once got through somebody's redaction.
func logEverything(l Log, out *bytes.Buffer) {
	log := l.Logger(out)
	jwt := "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJhIjoi" + canary + "In0." + canary
	form := url.Values{"client_id": {"a"}, "client_secret": {canary}, "grant_type": {"client_credentials"}}.Encode()
	body, _ := json.Marshal(map[string]string{"access_token": `quo"te\` + canary, "token_type": "Bearer"})
	log.Info().Str("password", canary).Msg("m")
	log.Info().Str("Client_Secret", `with "quotes" and \ `+canary).Msg("m")
	log.Info().Any("secret", tokens.NewSecret(canary)).Msg("m")
	log.Info().Any("header", map[string][]string{"Authorization": {"Bearer " + canary}, "Set-Cookie": {canary}}).Msg("m")
	log.Info().Str("header", "Authorization: Basic "+canary+"=").Msg("m")
	log.Error().Err(errors.New("post " + form)).Msg("m")
	log.Error().Err(fmt.Errorf("answer %s", body)).Msg("m")
	log.Error().Msgf("token %s and %q", jwt, jwt)
	log.Error().RawJSON("doc", body).Msg("m")
}

func TestLogger_BlotsOutCredentials(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		logEverything(Log{Level: "trace", Format: format}, &out)
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, canary) {
				t.Errorf("%s: %s", format, line)
			}
			if !strings.Contains(line, blot) {
				t.Errorf("%s: nothing says that something is hidden: %s", format, line)
			}
		}
		if n := strings.Count(out.String(), "\n"); n != 9 {
			t.Errorf("%s: %d lines, want 9", format, n)
		}
	}
}

func TestLogger_LinesStayJSONAndKeepTheRest(t *testing.T) {
	var out bytes.Buffer
	l := Log{Level: "trace", Format: "json"}
	logEverything(l, &out)
	log := l.Logger(&out)
	log.Info().Str("mailbox", "room@contoso.example").Int("basic", 7).Msg("tokens of the basic kind are renewed; the password changed")
	var last map[string]any
	for line := range strings.Lines(out.String()) {
		last = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(last["time"])); err != nil || at.Location() != time.UTC || time.Since(at).Abs() > time.Minute {
		t.Errorf("time %v: want now, in UTC", last["time"])
	}
	if last["mailbox"] != "room@contoso.example" || last["message"] != "tokens of the basic kind are renewed; the password changed" {
		t.Errorf("harmless text was changed: %v", last)
	}
}

func TestLogger_Level(t *testing.T) {
	var out bytes.Buffer
	l := Log{Level: "warn", Format: "json"}
	log := l.Logger(&out)
	log.Info().Msg("quiet")
	log.Warn().Msg("loud")
	if strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), "loud") {
		t.Errorf("%s", out.String())
	}
}

func BenchmarkRedact(b *testing.B) {
	line := []byte(`{"level":"info","mailbox":"room0001=40contoso=2Eexample","lane":"poll","took":123,"changes":4,"time":"2026-11-23T12:00:00Z","message":"mailbox is up to date"}` + "\n")
	b.ReportAllocs()
	for b.Loop() {
		redact(line)
	}
}

func TestLogger_LeavesPackageNamesOut(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		log := (&Log{Level: "info", Format: format}).Logger(&out)
		log.Warn().Err(errors.Join(errors.New("bus: one"), errors.New("worker: tokens: two"))).Strs("faults", []string{"ews: three", "setup: four"}).Str("key", "bus").Msg("signin: five")
		for _, prefix := range []string{"bus: ", "worker: ", "tokens: ", "ews: ", "setup: ", "signin: "} {
			if strings.Contains(out.String(), prefix) {
				t.Errorf("%s: %s", format, out.String())
			}
		}
		for _, word := range []string{"one", "two", "three", "four", "five", "bus"} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%s lacks %q: %s", format, word, out.String())
			}
		}
	}
}
