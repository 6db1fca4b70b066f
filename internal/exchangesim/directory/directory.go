// Package directory holds the user accounts of the simulated company: their passwords, what keeps them from signing in,
// and the lock-out after wrong passwords. Entra's token endpoint, Basic and NTLM all ask it.
package directory

import (
	"strings"
	"sync"
	"time"
)

// DefaultPassword is every account's until it is changed.
const DefaultPassword = "simulated"

// State is what keeps an account from signing in.
type State string

// States. The last four bear on Entra's password grant only: Basic and NTLM know nothing of them.
const (
	Enabled           State = "enabled"
	Disabled          State = "disabled"
	PasswordExpired   State = "passwordExpired"
	Locked            State = "locked"            // until somebody unlocks it
	MFARequired       State = "mfaRequired"       // a second factor is demanded
	MFAEnrolment      State = "mfaEnrolment"      // one has to be registered
	ConditionalAccess State = "conditionalAccess" // a policy blocks the sign-in
	NotAssigned       State = "notAssigned"       // to the app, which demands it
)

// States lists all of them.
func States() []State {
	return []State{Enabled, Disabled, PasswordExpired, Locked, MFARequired, MFAEnrolment, ConditionalAccess, NotAssigned}
}

// Outcome is how a sign-in ends: "" when it succeeds, a State that stands in its way, or one of the two below.
type Outcome string

// Outcomes that are no states.
const (
	OK            Outcome = ""
	UnknownUser   Outcome = "unknownUser"
	WrongPassword Outcome = "wrongPassword"
)

// OnPremises is what a sign-in without Entra ends with: nothing asks for a second factor there.
func (o Outcome) OnPremises() Outcome {
	switch State(o) {
	case MFARequired, MFAEnrolment, ConditionalAccess, NotAssigned:
		return OK
	}
	return o
}

// Options sets a Directory up.
type Options struct {
	Now    func() time.Time          // time.Now when nil
	Exists func(address string) bool // whether there is such an account
	// Domain is the accounts' DNS domain, so that DOMAIN\name and a bare name can be understood; its first label in
	// capitals is the NetBIOS name. contoso.example when empty.
	Domain string
}

// Directory holds the accounts. Its methods may be called concurrently.
type Directory struct {
	opts Options

	mu        sync.Mutex
	accounts  map[string]*account // those that were ever changed or failed
	threshold int
	lockout   time.Duration
}

type account struct {
	password string
	state    State
	failures int // wrong passwords in a row
	until    time.Time
}

// New makes a directory in which everybody who exists may sign in with the default password.
func New(opts Options) *Directory {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Domain == "" {
		opts.Domain = "contoso.example"
	}
	d := &Directory{opts: opts}
	d.Reset()
	return d
}

// DefaultThreshold and DefaultLockout are those of Entra's smart lockout: ten wrong passwords, a minute
// (https://learn.microsoft.com/entra/identity/authentication/howto-password-smart-lockout). Unlike it, this one does
// not lock longer each time and counts the same wrong password twice.
const (
	DefaultThreshold = 10
	DefaultLockout   = time.Minute
)

// Reset puts every account back to its default.
func (d *Directory) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts, d.threshold, d.lockout = map[string]*account{}, DefaultThreshold, DefaultLockout
}

// SetLockout changes how many wrong passwords in a row lock an account, and for how long.
func (d *Directory) SetLockout(threshold int, length time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.threshold, d.lockout = threshold, length
}

// Domain is the accounts' DNS domain.
func (d *Directory) Domain() string { return d.opts.Domain }

// NetBIOS is the domain's short name.
func (d *Directory) NetBIOS() string {
	label, _, _ := strings.Cut(d.opts.Domain, ".")
	return strings.ToUpper(label)
}

// Address is the account that a user name means: an address, DOMAIN\name, or a bare name. It is "" for a name of
// another domain.
func (d *Directory) Address(name string) string {
	domain, user, ok := strings.Cut(name, `\`)
	if !ok {
		domain, user = "", name
	}
	switch {
	case domain != "" && !strings.EqualFold(domain, d.NetBIOS()) && !strings.EqualFold(domain, d.opts.Domain):
		return ""
	case strings.Contains(user, "@"):
		return strings.ToLower(user)
	}
	return strings.ToLower(user + "@" + d.opts.Domain)
}

// SignIn checks a password. Wrong ones are counted, and lock the account; while it is locked the right one is of no use
// either.
func (d *Directory) SignIn(address, password string) Outcome {
	return d.Check(address, func(is string) bool { return is == password })
}

// Check is SignIn for a protocol that proves the knowledge of a password without showing it.
func (d *Directory) Check(address string, proves func(password string) bool) Outcome {
	address = strings.ToLower(address)
	if !d.opts.Exists(address) {
		return UnknownUser
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.account(address)
	now := d.opts.Now()
	switch {
	case a.state == Locked || now.Before(a.until):
		return Outcome(Locked)
	case !proves(a.password):
		a.failures++
		if a.failures >= d.threshold {
			a.failures, a.until = 0, now.Add(d.lockout)
		}
		return WrongPassword
	}
	a.failures = 0
	if a.state != Enabled {
		return Outcome(a.state)
	}
	return OK
}

func (d *Directory) account(address string) *account {
	a := d.accounts[address]
	if a == nil {
		a = &account{password: DefaultPassword, state: Enabled}
		d.accounts[address] = a
	}
	return a
}

// SetState changes what keeps an account from signing in. Enabled also ends a lock-out.
func (d *Directory) SetState(address string, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.account(strings.ToLower(address))
	a.state = s
	if s == Enabled {
		a.failures, a.until = 0, time.Time{}
	}
}

// SetPassword changes a password: the old one is wrong from now on.
func (d *Directory) SetPassword(address, password string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account(strings.ToLower(address)).password = password
}

// User is an account as an administrator sees it.
type User struct {
	Address     string     `json:"address"`
	State       State      `json:"state"`
	Failures    int        `json:"failures"`              // wrong passwords in a row
	LockedUntil *time.Time `json:"lockedUntil,omitempty"` // by wrong passwords
}

// User returns an account, false when there is none.
func (d *Directory) User(address string) (User, bool) {
	address = strings.ToLower(address)
	if !d.opts.Exists(address) {
		return User{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u := User{Address: address, State: Enabled}
	if a := d.accounts[address]; a != nil {
		u.State, u.Failures = a.state, a.failures
		if d.opts.Now().Before(a.until) {
			until := a.until.UTC()
			u.LockedUntil = &until
		}
	}
	return u, true
}
