package admin

import (
	"net/http"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/exchangesim/traffic"
)

func (a *api) catalog(*http.Request) (any, error) {
	type entry struct {
		faults.Fault
		Implemented bool `json:"implemented"`
	}
	out := struct {
		Faults []entry               `json:"faults"`
		Magic  []faults.MagicAddress `json:"magic"`
	}{nil, faults.Magic()}
	for _, f := range faults.Catalog() {
		out.Faults = append(out.Faults, entry{f, f.Implemented()})
	}
	return out, nil
}

func (a *api) listFaults(*http.Request) (any, error) {
	return struct {
		Rules []faults.Rule `json:"rules"`
	}{a.Faults.Rules()}, nil
}

func (a *api) addFault(r *http.Request) (any, error) {
	var in faults.Rule
	if err := read(r, &in); err != nil {
		return nil, err
	}
	rule, err := a.Faults.Add(in)
	if err != nil {
		return nil, err
	}
	return created{rule}, nil
}

func (a *api) clearFaults(*http.Request) (any, error) {
	a.Faults.Clear()
	return nil, nil
}

func (a *api) removeFault(r *http.Request) (any, error) {
	if !a.Faults.Remove(r.PathValue("rule")) {
		return nil, missing("rule", r.PathValue("rule"), "GET /admin/faults lists them")
	}
	return nil, nil
}

func (a *api) effects(r *http.Request) (any, error) {
	since, limit, err := since(r)
	if err != nil {
		return nil, err
	}
	all := a.Company.Effects(since)
	out := struct {
		Last    uint64         `json:"last"` // to go on from
		Effects []store.Effect `json:"effects"`
	}{since, all[:min(limit, len(all))]}
	if n := len(out.Effects); n > 0 {
		out.Last = out.Effects[n-1].Seq
	} else {
		out.Effects = []store.Effect{}
	}
	return out, nil
}

func since(r *http.Request) (since uint64, limit int, err error) {
	if since, err = number(r, "since", 0); err != nil {
		return 0, 0, err
	}
	n, err := number(r, "limit", 1000)
	return since, int(min(n, 100_000)), err
}

func (a *api) calls(r *http.Request) (any, error) {
	since, limit, err := since(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Last  uint64          `json:"last"` // to go on from
		Calls []faults.Record `json:"calls"`
	}{since, a.Faults.Calls(since, r.URL.Query().Get("mailbox"), limit)}
	if n := len(out.Calls); n > 0 {
		out.Last = out.Calls[n-1].Seq
	}
	return out, nil
}

func (a *api) violations(*http.Request) (any, error) {
	return struct {
		Violations []faults.Violation `json:"violations"`
	}{a.Faults.Violations()}, nil
}

func (a *api) counters(*http.Request) (any, error) {
	return struct {
		Mailboxes  int                   `json:"mailboxes"`
		EWS        faults.Counters       `json:"ews"`
		Tokens     entra.Stats           `json:"tokens"`
		Unanchored uint64                `json:"unanchored"`
		Refused    uint64                `json:"refused"`
		Refusals   map[hook.Cause]uint64 `json:"refusals"`
	}{len(a.Company.Mailboxes()), a.Faults.Counters(), a.Entra.Stats(), a.Unanchored(), a.SignIn.Refused(), a.Policy.Refusals()}, nil
}

func (a *api) clock(*http.Request) (any, error) {
	return struct {
		Now    time.Time       `json:"now"`
		Offset faults.Duration `json:"offset"`
	}{a.Clock.Now().UTC(), faults.Duration(a.Clock.Offset())}, nil
}

func (a *api) jump(r *http.Request) (any, error) {
	var in struct {
		Jump faults.Duration `json:"jump"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	a.Clock.Jump(in.Jump.Std())
	return a.clock(r)
}

// maxEdits bounds one request for traffic.
const maxEdits = 100_000

func (a *api) traffic(r *http.Request) (any, error) {
	in := struct {
		Edits     int      `json:"edits"`
		Seed      uint64   `json:"seed"`
		Mailboxes []string `json:"mailboxes"`
	}{Seed: a.Seed}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Edits < 1 || in.Edits > maxEdits {
		return nil, invalid("edits", "not between 1 and 100000", "say how many edits to make")
	}
	g, err := traffic.New(a.Company, traffic.Options{Seed: in.Seed, Mailboxes: in.Mailboxes})
	if err != nil {
		return nil, invalid("mailboxes", err.Error(), "GET /admin/mailboxes lists them")
	}
	edits, err := g.Do(in.Edits)
	if err != nil {
		return nil, err
	}
	return struct {
		Edits []traffic.Edit `json:"edits"`
	}{edits}, nil
}

// reset ends everything that was scripted, takes every policy away, puts the accounts and the app back to what they
// were, forgets what was logged, and puts the clock right. Mailboxes, tokens and the app's credentials stay.
func (a *api) reset(*http.Request) (any, error) {
	a.Faults.Reset()
	a.Policy.Reset()
	a.Users.Reset()
	a.Entra.SetApp(entra.WorkingApp())
	a.SignIn.Reset()
	a.Clock.Jump(-a.Clock.Offset())
	return nil, nil
}
