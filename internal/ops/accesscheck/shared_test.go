package accesscheck

import (
	"strings"
	"testing"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

const elsewhere = "https://mail.fabrikam.example/EWS/Exchange.asmx"

// apart are mailboxes of which the first ones are on a server of their own.
func apart(n, own int) []Mailbox {
	list := boxes(n)
	for i := range own {
		list[i].URL = elsewhere
	}
	return list
}

// ofOwn says f of mailboxes on the server of their own, the first ones, and grants the others.
func ofOwn(own int, f calsync.Fault) *exchange {
	return &exchange{script: func(address string, _ int) (calsync.Rights, error) {
		for _, m := range boxes(own) {
			if m.Address == address {
				return fault(f)
			}
		}
		return all, nil
	}}
}

// TestRun_WebPageOfOneMailbox: what one mailbox's own URL answers is its own row, and all others are asked for.
func TestRun_WebPageOfOneMailbox(t *testing.T) {
	r, _ := bubble(t, ofOwn(2, calsync.Fault{Kind: calsync.FaultHTML, Status: 200}), Options{}, apart(50, 2))
	if s := r.Summary; s.Granted != 48 || s.Failed != 2 || s.Unchecked != 0 || len(s.Stopped) != 0 {
		t.Errorf("%+v", s)
	}
	x := find(r, "room0000@contoso.example")
	if x.Access != Failed || !x.Finding || x.Reason != events.RefusedSignInPage || !strings.Contains(x.Hint, "the mailbox's own url leads to a proxy") {
		t.Errorf("%+v", x)
	}
}

// TestRun_WebPages: a server that answers nothing else is given up, the configured one at once.
func TestRun_WebPages(t *testing.T) {
	for server, want := range map[string]struct{ own, calls int }{"https://default.example": {0, 1}, elsewhere: {50, maxTries}} {
		x := ofOwn(50, calsync.Fault{Kind: calsync.FaultHTML, Status: 200})
		r, _ := bubble(t, x, Options{Server: "https://default.example"}, apart(50, want.own))
		if s := r.Summary; s.Failed != want.calls || s.Unchecked != 50-want.calls || len(s.Stopped) != 1 || s.Stopped[0].Server != server ||
			!strings.Contains(s.Stopped[0].Hint, "leads to a proxy") || len(x.calls) != want.calls {
			t.Errorf("%d calls, %+v", len(x.calls), s)
		}
	}
}

// TestRun_SignInRefusedByOneServer: a server that refuses a password, which another has taken, is asked no more, since that
// may lock the account. All others go on.
func TestRun_SignInRefusedByOneServer(t *testing.T) {
	refusal := calsync.Fault{Kind: calsync.FaultToken, Status: 401, Err: errSays("signin: wrong password")}
	x := ofOwn(10, refusal)
	r, _ := bubble(t, x, Options{Parallel: 1, Identity: jobs.Identity{SignIn: jobs.SignInOnPremises, User: "svc"}}, apart(30, 10))
	if s := r.Summary; s.Granted != 20 || s.Failed != 1 || s.Unchecked != 9 || len(s.Stopped) != 1 || s.Stopped[0].Server != elsewhere {
		t.Errorf("%+v", s)
	}
	if f := r.Mailboxes[0]; f.Access != Failed || f.Hint != "wrong password" {
		t.Errorf("%+v", f)
	}
}

// TestRun_SignInRefusedByTheFirst: as long as nobody has taken the password, one refusal is enough; and so it is for a token
// that cannot be had, and for a user who is locked.
func TestRun_SignInRefusedByTheFirst(t *testing.T) {
	password, app := jobs.Identity{SignIn: jobs.SignInOnPremises, User: "svc"}, jobs.Identity{SignIn: jobs.SignInApp}
	for what, c := range map[string]struct {
		id  jobs.Identity
		own int // of ten
		f   calsync.Fault
	}{
		"a password nobody took":             {password, 10, calsync.Fault{Kind: calsync.FaultToken, Status: 401, Err: errSays("wrong")}},
		"no token, on a server of their own": {app, 10, calsync.Fault{Kind: calsync.FaultToken, Status: 401, Code: "invalid_client", Err: errSays("wrong")}},
		"no token":                           {app, 0, calsync.Fault{Kind: calsync.FaultToken, Status: 401, Code: "invalid_client", Err: errSays("wrong")}},
		"a locked user":                      {password, 10, calsync.Fault{Kind: calsync.FaultHTTP, Status: 456}},
	} {
		x := ofOwn(10, c.f)
		r, _ := bubble(t, x, Options{Identity: c.id}, apart(10, c.own))
		if s := r.Summary; len(x.calls) != 1 || s.Unchecked != 10 || len(s.Stopped) != 1 || s.Stopped[0].Server != "" {
			t.Errorf("%s: %d calls, %+v", what, len(x.calls), s)
		}
	}
	// A token that another server does not take is good for Exchange Online all the same.
	x := ofOwn(1, calsync.Fault{Kind: calsync.FaultHTTP, Status: 401, Diagnostics: "2000003"})
	r, _ := bubble(t, x, Options{Identity: app}, apart(10, 1))
	if s := r.Summary; s.Granted != 9 || s.Failed != 1 || s.Unchecked != 0 {
		t.Errorf("%+v", s)
	}
}

type errSays string

func (e errSays) Error() string { return string(e) }

func TestAdvice(t *testing.T) {
	for want, f := range map[string]calsync.Fault{
		"is it /EWS/Exchange.asmx? Correct --ews-url": {Kind: calsync.FaultHTTP, Status: 404},
		"SSL_CERT_FILE": {Kind: calsync.FaultTLS},
		"HTTPS_PROXY":   {Kind: calsync.FaultHTTP, Status: 407},
		"no mailbox has this address: Get-Recipient a@b": {Kind: calsync.FaultSOAP, Status: 500, Code: "ErrorNonExistentMailbox"},
		"see whether this host reaches --ews-url":        {Kind: calsync.FaultTransport},
		"patience":  {Kind: calsync.FaultHTTP, Status: 429},
		"report it": {Kind: calsync.FaultHTTP, Status: 400},
	} {
		if got := Advice(&f, jobs.Judge(fact(&f, false)), jobs.Identity{}, "a@b", false); !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}
