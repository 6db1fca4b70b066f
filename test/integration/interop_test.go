// Package integration tests from outside: real clients, real servers, the built product, nothing of its inside.
package integration

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/ewsapi"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
)

// python is Debian's interpreter: it sees the packaged python3-exchangelib.
const python = "/usr/bin/python3"

// needExchangelib skips, or fails when ROOMSYNC_REQUIRE_INTEROP=1, where the library is not installed.
func needExchangelib(t *testing.T) {
	t.Helper()
	out, err := exec.Command(python, "-c", "import exchangelib; print(exchangelib.__version__)").CombinedOutput()
	if err == nil {
		t.Logf("exchangelib %s", strings.TrimSpace(string(out)))
		return
	}
	why := "exchangelib cannot be imported by " + python + " (Debian: python3-exchangelib): " + err.Error()
	if os.Getenv("ROOMSYNC_REQUIRE_INTEROP") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// runScript runs a script of testdata/interop and decodes the JSON object it prints.
func runScript(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, append([]string{filepath.Join("testdata", "interop", script)}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", script, err, out, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%s printed %q: %v", script, out, err)
	}
}

func interopCompany(t *testing.T) *store.Company {
	t.Helper()
	c := store.New(store.Options{Seed: 1})
	for _, spec := range []store.MailboxSpec{
		{Address: "ann@contoso.example", Name: "Ann Archer"}, {Address: "bob@contoso.example", Name: "Bob Baker"},
		{Address: "room1@contoso.example", Name: "Room 1", Kind: store.KindRoom},
	} {
		if _, err := c.AddMailbox(spec); err != nil {
			t.Fatal(err)
		}
	}
	c.AddRoomList(store.RoomList{Name: "Rooms", Address: "rooms@contoso.example", Rooms: []string{"room1@contoso.example"}})
	return c
}

// TestExchangelibAppointments lets a client that other people wrote for the real Exchange work with the simulated one,
// and compares what it believes with what the server holds.
func TestExchangelibAppointments(t *testing.T) {
	needExchangelib(t)
	company := interopCompany(t)
	server := httptest.NewServer(ewsapi.New(company, ewsapi.Options{}))
	defer server.Close()

	var result struct {
		Edited, AllDay, Series, UID string
		Synced                      []string
	}
	runScript(t, &result, "appointments.py", server.URL+"/EWS/Exchange.asmx", "ann@contoso.example", "simulated")

	ann := company.Mailbox("ann@contoso.example")
	edited, err := ann.Item(result.Edited)
	if err != nil || edited.Location != "Haus 4" || edited.StartZone != "W. Europe Standard Time" {
		t.Errorf("edited item is %+v (%v)", edited, err)
	}
	if _, err := ann.Item(result.AllDay); err == nil {
		t.Error("the deleted item is still there")
	}
	series, err := ann.Item(result.Series)
	if err != nil {
		t.Fatal(err)
	}
	if series.UID != result.UID || len(series.Exceptions) != 2 || len(series.Deleted) != 1 {
		t.Errorf("series has uid %s, %d exceptions, %d deleted", series.UID, len(series.Exceptions), len(series.Deleted))
	}
	if want := []string{"Jour fixe", "Messe", "Umgezogen"}; !slices.Equal(result.Synced, want) {
		t.Errorf("synchronization listed %q, want %q", result.Synced, want)
	}
	var kinds []store.EffectKind
	for _, e := range company.Effects(0) {
		kinds = append(kinds, e.Kind)
		if e.Actor != "ann@contoso.example" || e.Call == 0 {
			t.Fatalf("effect without its cause: %+v", e)
		}
	}
	if !slices.Contains(kinds, store.EffectMove) || !slices.Contains(kinds, store.EffectDelete) {
		t.Errorf("effects are %v", kinds)
	}
}

// TestExchangelibOAuth lets exchangelib fetch a token from the simulated Entra and impersonate a mailbox with it.
func TestExchangelibOAuth(t *testing.T) {
	needExchangelib(t)
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 2, Items: -1, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	defer server.Close()

	var result struct{ Item string }
	runScript(t, &result, "oauth.py", server.URL, "user0001@contoso.example")

	it, err := sim.Company().Mailbox("user0001@contoso.example").Item(result.Item)
	if err != nil || it.Subject != "By an application" {
		t.Errorf("item is %+v (%v)", it, err)
	}
	effects := sim.Company().Effects(0)
	if len(effects) != 1 || effects[0].Actor != "sim-app" {
		t.Errorf("effects are %+v", effects)
	}
}

// TestExchangelibAccess lets exchangelib sign in by NTLM, and work as a delegate with a user's token.
func TestExchangelibAccess(t *testing.T) {
	needExchangelib(t)
	sim, err := exchangesim.New(exchangesim.Options{Seed: 1, Mailboxes: 3, Items: -1, BusyShare: exchangesim.NoBusyShare})
	if err != nil {
		t.Fatal(err)
	}
	const owner, service, stranger = "user0001@contoso.example", "user0002@contoso.example", "user0003@contoso.example"
	if err := sim.Delegate(service, store.Editor); err != nil {
		t.Fatal(err)
	}
	if err := sim.Company().Mailbox(stranger).Grant(service, "calendar", store.NoAccess); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	defer server.Close()

	var result struct{ NTLM, Delegate string }
	runScript(t, &result, "access.py", server.URL, owner, service, stranger)

	signIns := map[hook.SignIn]int{}
	for _, c := range sim.Faults().Calls(0, "", 0) {
		if c.Operation != "token" {
			signIns[c.SignIn]++
		}
	}
	if len(signIns) != 2 || signIns[hook.NTLM] == 0 || signIns[hook.Delegated] == 0 {
		t.Errorf("calls by kind of sign-in: %v", signIns)
	}
	mailbox := sim.Company().Mailbox(owner)
	for id, subject := range map[string]string{result.NTLM: "By NTLM", result.Delegate: "By a delegate"} {
		if it, err := mailbox.Item(id); err != nil || it.Subject != subject {
			t.Errorf("item is %+v (%v)", it, err)
		}
	}
	if trash, _ := mailbox.Folder("deleteditems"); trash.Total != 1 {
		t.Errorf("%d deleted items", trash.Total)
	}
}
