package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// TestList_WithoutASignIn: while no worker can sign in, no mailbox is shown as ok, and the command says why and since when.
func TestList_WithoutASignIn(t *testing.T) {
	s := newShop(t)
	states := map[string]jobs.State{"a@x.example": jobs.StateOK, "b@x.example": jobs.StateDenied}
	for address, state := range states {
		if _, err := s.bus.PutMailbox(t.Context(), events.MailboxToken(address), events.Mailbox{Address: address, Mode: events.ModeO365, Enabled: true}); err != nil {
			t.Fatal(err)
		}
		r := jobs.Record{State: state, Settings: jobs.Settings{Address: address, Enabled: true}}
		if _, err := s.bus.PutRecord(t.Context(), events.MailboxToken(address), &r, 0); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	x := jobs.Outage{Open: true, Since: since, Cause: jobs.Cause{
		Reason: events.RefusedUserLocked, AADSTS: 50053, Problem: "no access token", Advice: "the service user's account is locked",
	}}
	seq, err := s.bus.PutOutage(t.Context(), &x, 0)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := s.run("", "mailboxes", "list")
	if code != 0 || !strings.Contains(lineWith(out, "a@x.example"), "no-sign-in") || !strings.Contains(lineWith(out, "b@x.example"), "denied") {
		t.Errorf("%d: %s", code, out)
	}
	const says = "No worker can sign in to Exchange since 2026-11-24 09:30:00 UTC (user-locked, AADSTS50053), and every mailbox waits: the service user's account is locked\n"
	if errOut != says {
		t.Errorf("said %q", errOut)
	}
	_, out, _ = s.run("", "mailboxes", "list", "--json")
	var list []struct{ Address, State, Reason, Since string }
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 || list[0].State != "no-sign-in" || list[0].Reason != "user-locked" || list[0].Since != "2026-11-24T09:30:00Z" {
		t.Errorf("%v: %s", err, out)
	}
	x.Open = false
	if _, err := s.bus.PutOutage(t.Context(), &x, seq); err != nil {
		t.Fatal(err)
	}
	if _, out, errOut = s.run("", "mailboxes", "list"); !strings.Contains(lineWith(out, "a@x.example"), " ok ") || errOut != "" {
		t.Errorf("%s%s", out, errOut)
	}
}

func lineWith(text, part string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, part) {
			return l
		}
	}
	return ""
}
