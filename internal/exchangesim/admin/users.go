package admin

import (
	"net/http"
	"slices"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/signin"
)

func (a *api) getUser(r *http.Request) (any, error) {
	u, ok := a.Users.User(r.PathValue("address"))
	if !ok {
		return nil, missing("account", r.PathValue("address"), "every mailbox has one, and svc@contoso.example")
	}
	return u, nil
}

func (a *api) setUser(r *http.Request) (any, error) {
	if _, err := a.getUser(r); err != nil {
		return nil, err
	}
	var in struct {
		State    directory.State `json:"state"`
		Password string          `json:"password"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.State != "" && !slices.Contains(directory.States(), in.State) {
		return nil, invalid("state", "the state is unknown", "use enabled, disabled, passwordExpired, locked, mfaRequired, mfaEnrolment, conditionalAccess or notAssigned")
	}
	address := r.PathValue("address")
	if in.State != "" {
		a.Users.SetState(address, in.State)
	}
	if in.Password != "" {
		a.Users.SetPassword(address, in.Password)
	}
	return a.getUser(r)
}

func (a *api) setLockout(r *http.Request) (any, error) {
	var in struct {
		Threshold int             `json:"threshold"`
		Duration  faults.Duration `json:"duration"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Threshold < 1 || in.Duration <= 0 {
		return nil, invalid("threshold", "no number of tries, or no time", `write {"threshold": 3, "duration": "30m"}`)
	}
	a.Users.SetLockout(in.Threshold, in.Duration.Std())
	return nil, nil
}

func (a *api) getSignIn(*http.Request) (any, error) { return a.SignIn.Schemes(), nil }

func (a *api) setSignIn(r *http.Request) (any, error) {
	was := a.SignIn.Schemes()
	in := struct{ Bearer, Basic, NTLM *bool }{}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	pick := func(b *bool, otherwise bool) bool {
		if b != nil {
			return *b
		}
		return otherwise
	}
	a.SignIn.SetSchemes(signin.Schemes{
		Bearer: pick(in.Bearer, was.Bearer), Basic: pick(in.Basic, was.Basic), NTLM: pick(in.NTLM, was.NTLM),
	})
	return a.getSignIn(r)
}
