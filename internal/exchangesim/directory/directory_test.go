package directory

import (
	"testing"
	"time"
)

const svc = "svc@contoso.example"

func TestSignIn_LocksAfterWrongPasswords(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	d := New(Options{Now: func() time.Time { return now }, Exists: func(a string) bool { return a == svc }})
	try := func(password string, want Outcome) {
		t.Helper()
		if got := d.SignIn("SVC@contoso.example", password); got != want {
			t.Errorf("%q ends with %q, want %q", password, got, want)
		}
	}
	for range DefaultThreshold - 1 {
		try("guess", WrongPassword)
	}
	try(DefaultPassword, OK) // and the count begins anew
	for range DefaultThreshold {
		try("guess", WrongPassword)
	}
	try(DefaultPassword, Outcome(Locked))
	if u, ok := d.User(svc); !ok || u.LockedUntil == nil || u.State != Enabled {
		t.Errorf("account %+v", u)
	}
	now = now.Add(DefaultLockout)
	try(DefaultPassword, OK)
	d.SetLockout(1, time.Hour)
	try("guess", WrongPassword)
	d.SetState(svc, Enabled)
	try(DefaultPassword, OK)
	d.SetPassword(svc, "better")
	try(DefaultPassword, WrongPassword)
	d.Reset()
	try(DefaultPassword, OK)
	if d.SignIn("nobody@contoso.example", DefaultPassword) != UnknownUser {
		t.Error("nobody is somebody")
	}
}

// The password is looked at first: a disabled account does not tell a guesser that he was right.
func TestSignIn_States(t *testing.T) {
	d := New(Options{Exists: func(string) bool { return true }})
	for _, s := range States() {
		d.SetState(svc, s)
		want := Outcome(s)
		if s == Enabled {
			want = OK
		}
		if got := d.SignIn(svc, DefaultPassword); got != want {
			t.Errorf("%s: %q", s, got)
		}
		if got := d.SignIn(svc, "guess"); got != WrongPassword && s != Locked {
			t.Errorf("%s, wrong password: %q", s, got)
		}
		d.SetState(svc, s)
		local := want
		if s == MFARequired || s == MFAEnrolment || s == ConditionalAccess || s == NotAssigned {
			local = OK
		}
		if got := want.OnPremises(); got != local {
			t.Errorf("%s on premises: %q", s, got)
		}
	}
}

func TestAddress(t *testing.T) {
	d := New(Options{})
	for name, want := range map[string]string{
		"SVC@contoso.example": svc, `CONTOSO\svc`: svc, `contoso.example\Svc`: svc, "svc": svc,
		`FABRIKAM\svc`: "", `CONTOSO\svc@contoso.example`: svc,
	} {
		if got := d.Address(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
