package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestStrangeVariables(t *testing.T) {
	for name, want := range map[string]string{
		"ROOMSYNC_NATS_ULR":              "did you mean ROOMSYNC_NATS_URL?",
		"ROOMSYNC_NATSURL":               "did you mean ROOMSYNC_NATS_URL?",
		"ROOMSYNC_SECRET":                "did you mean ROOMSYNC_CLIENT_SECRET?",
		"ROOMSYNC_CLIENT_SECRETFILE":     "did you mean ROOMSYNC_CLIENT_SECRET_FILE?",
		"ROOMSYNC_COLOR_OF_THE_BIKESHED": "named after none of the flags",
		"ROOMSYNC_":                      "named after none of the flags",
	} {
		found := Env{Environ: func() []string { return []string{"PATH=/", name + "=" + canary} }}.strange()
		if len(found) != 1 || found[0].About != name || found[0].Level != LevelWarning || !strings.Contains(found[0].Problem, want) {
			t.Errorf("%s: %v", name, found)
		}
	}
	fine := []string{
		"ROOMSYNC_NATS_URL=", "ROOMSYNC_SLOTS=1", "ROOMSYNC_HTTP=off", "ROOMSYNC_PASSWORD=x", "ROOMSYNC_TOKEN_KEY_FILE=x", "ROOMSYNC_REQUIRE_DOCKER=1", "ROOM=1", "EXCHANGESIM_SEED=1",
		// What Kubernetes sets for services that are called roomsync and roomsync-worker.
		"ROOMSYNC_SERVICE_HOST=10.0.0.1", "ROOMSYNC_SERVICE_PORT=80", "ROOMSYNC_SERVICE_PORT_HTTP=80", "ROOMSYNC_PORT=tcp://10.0.0.1:80", "ROOMSYNC_PORT_80_TCP=x",
		"ROOMSYNC_PORT_80_TCP_PROTO=tcp", "ROOMSYNC_WORKER_SERVICE_HOST=10.0.0.1", "ROOMSYNC_WORKER_PORT_8081_TCP_ADDR=10.0.0.1",
	}
	if found := (Env{Environ: func() []string { return fine }}).strange(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// TestStrangeVariables_AreToldByEveryProgram: they are no error, and stand before the fault that they explain.
func TestStrangeVariables_AreToldByEveryProgram(t *testing.T) {
	for _, to := range []Section{&Worker{}, &Dispatcher{}, &Ops{}, &Access{}, &Setup{}} {
		env := world(map[string]string{"ROOMSYNC_TENANT_ID": "t", "ROOMSYNC_APP_ID": "a"}, files)
		env.Environ = func() []string { return []string{"ROOMSYNC_CLIENT_SECERT=" + canary} }
		cmd := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return nil }}
		Attach(cmd, env, to)
		var stderr bytes.Buffer
		code := Run(t.Context(), cmd, []string{"--log-format=json"}, &stderr)
		want := `"variable":"ROOMSYNC_CLIENT_SECERT"`
		if said := stderr.String(); !strings.Contains(said, want) || !strings.Contains(said, "did you mean ROOMSYNC_CLIENT_SECRET?") || strings.Contains(said, canary) {
			t.Errorf("%T: %s", to, said)
		}
		_, worker := to.(*Worker)
		_, access := to.(*Access)
		if faulty := worker || access; faulty != (code == ExitUsage) {
			t.Errorf("%T: exit code %d: %s", to, code, stderr.String())
		}
	}
}
