package accesscheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/jobs"
)

// exchange answers as scripted and notes what was asked.
type exchange struct {
	latency time.Duration
	script  func(address string, try int) (calsync.Rights, error)

	mu      sync.Mutex
	calls   []string
	tries   map[string]int
	at      map[string][]time.Time
	running map[string]int
	most    int // calls at once
	doubled bool
}

func (x *exchange) Rights(ctx context.Context, t calsync.Target) (calsync.Rights, error) {
	x.mu.Lock()
	if x.tries == nil {
		x.tries, x.running, x.at = map[string]int{}, map[string]int{}, map[string][]time.Time{}
	}
	x.calls = append(x.calls, t.Address)
	x.at[t.Address] = append(x.at[t.Address], time.Now())
	x.tries[t.Address]++
	try := x.tries[t.Address]
	x.running[t.Address]++
	x.doubled = x.doubled || x.running[t.Address] > 1
	n := 0
	for _, r := range x.running {
		n += r
	}
	x.most = max(x.most, n)
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.running[t.Address]--
		x.mu.Unlock()
	}()
	select {
	case <-time.After(x.latency):
	case <-ctx.Done():
		return calsync.Rights{}, &calsync.Fault{Operation: "GetFolder", Kind: calsync.FaultTransport, Err: ctx.Err()}
	}
	return x.script(t.Address, try)
}

var all = calsync.Rights{Told: true, Read: true, Create: true}

func fault(f calsync.Fault) (calsync.Rights, error) {
	f.Operation = "GetFolder"
	return calsync.Rights{}, &f
}

func boxes(n int) []Mailbox {
	list := make([]Mailbox, n)
	for i := range list {
		list[i].Address = fmt.Sprintf("room%04d@contoso.example", i)
	}
	return list
}

// bubble checks boxes in fake time.
func bubble(t *testing.T, x *exchange, o Options, list []Mailbox) (r Report, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x.latency = 80 * time.Millisecond
		o.Asker = x
		began := time.Now()
		r = Run(t.Context(), o, list)
		took = time.Since(began)
	})
	if len(r.Mailboxes) != r.Summary.Total {
		t.Errorf("%d results of %d mailboxes", len(r.Mailboxes), r.Summary.Total)
	}
	if x.doubled {
		t.Error("two calls at once for one mailbox")
	}
	return r, took
}

func find(r Report, address string) Result {
	return r.Mailboxes[slices.IndexFunc(r.Mailboxes, func(x Result) bool { return x.Address == address })]
}

// TestRun_ManyAtOnce: as many as allowed run side by side, each mailbox is asked for once, and findings come first.
func TestRun_ManyAtOnce(t *testing.T) {
	x := &exchange{script: func(address string, _ int) (calsync.Rights, error) {
		switch address {
		case "room0007@contoso.example":
			return fault(calsync.Fault{Kind: calsync.FaultHTTP, Status: 403})
		case "room0300@contoso.example":
			return fault(calsync.Fault{Kind: calsync.FaultSOAP, Status: 500, Code: "ErrorNonExistentMailbox"})
		case "room0500@contoso.example":
			return calsync.Rights{Told: true, Read: true}, nil
		}
		return all, nil
	}}
	list := append(boxes(1000), boxes(10)...) // some twice
	r, took := bubble(t, x, Options{Identity: jobs.Identity{SignIn: jobs.SignInApp, App: "app-1"}}, list)
	s := r.Summary
	if s.Total != 1000 || s.Granted != 998 || s.ReadOnly != 1 || s.Denied != 1 || s.Blocked != 1 || s.Findings != 2 {
		t.Errorf("summary %+v", s)
	}
	if len(x.calls) != 1000 || x.most != 32 {
		t.Errorf("%d calls, %d at once", len(x.calls), x.most)
	}
	if limit := 3 * time.Second; took > limit {
		t.Errorf("took %v, want less than %v", took, limit)
	}
	first, second := r.Mailboxes[0], r.Mailboxes[1]
	if first.Reason != events.RefusedForbidden || first.Scope != events.ScopeMailbox || first.Evidence.Status != 403 ||
		!strings.Contains(first.Hint, "Test-ApplicationAccessPolicy -Identity room0007@contoso.example -AppId app-1") {
		t.Errorf("first %+v", first)
	}
	if second.Access != Blocked || second.Reason != events.RefusedMissing || !second.Finding || r.Mailboxes[2].Finding {
		t.Errorf("second %+v, third %+v", second, r.Mailboxes[2])
	}
}

// TestRun_SignInRefused: one try, said once, and nothing more is asked.
func TestRun_SignInRefused(t *testing.T) {
	for name, f := range map[string]calsync.Fault{
		"no token":         {Kind: calsync.FaultToken, Code: "invalid_client", Status: 401},
		"token refused":    {Kind: calsync.FaultHTTP, Status: 401, Diagnostics: "2000003"},
		"password refused": {Kind: calsync.FaultHTTP, Status: 401},
		"user locked":      {Kind: calsync.FaultHTTP, Status: 456},
	} {
		x := &exchange{script: func(string, int) (calsync.Rights, error) { return fault(f) }}
		r, _ := bubble(t, x, Options{}, boxes(100))
		if len(x.calls) != 1 || r.Summary.Unchecked != 100 || len(r.Summary.Stopped) != 1 || r.Summary.Stopped[0].Server != "" {
			t.Errorf("%s: %d calls, %+v", name, len(x.calls), r.Summary)
		}
	}
}

// TestRun_BackOffIsObeyed: a mailbox that wants time gets it, the others go on; one that wants too much is given up.
func TestRun_BackOffIsObeyed(t *testing.T) {
	const short, long = "room0003@contoso.example", "room0004@contoso.example"
	x := &exchange{script: func(address string, try int) (calsync.Rights, error) {
		switch {
		case address == short && try == 1:
			return fault(calsync.Fault{Kind: calsync.FaultSOAP, Status: 500, Code: "ErrorServerBusy", BackOff: 70 * time.Second})
		case address == long:
			return fault(calsync.Fault{Kind: calsync.FaultSOAP, Status: 500, Code: "ErrorServerBusy", BackOff: 5 * time.Minute})
		}
		return all, nil
	}}
	r, took := bubble(t, x, Options{}, boxes(50))
	if find(r, short).Access != Granted || find(r, long).Access != Throttled || !find(r, long).Finding || r.Summary.Granted != 49 {
		t.Errorf("%+v, %+v, %+v", find(r, short), find(r, long), r.Summary)
	}
	if at := x.at[short]; len(at) != 2 || at[1].Sub(at[0]) < 70*time.Second || took > 75*time.Second {
		t.Errorf("asked at %v, took %v", at, took)
	}
}

// TestRun_ServerThatWantsTime gets it from every mailbox on it, and from no other.
func TestRun_ServerThatWantsTime(t *testing.T) {
	list := boxes(40)
	for i := range 20 {
		list[i].URL = "https://other.example/EWS/Exchange.asmx"
	}
	busy := true
	x := &exchange{}
	x.script = func(address string, _ int) (calsync.Rights, error) {
		if address == "room0025@contoso.example" && busy {
			busy = false
			return fault(calsync.Fault{Kind: calsync.FaultHTTP, Status: 503, BackOff: 30 * time.Second})
		}
		return all, nil
	}
	r, _ := bubble(t, x, Options{Parallel: 2}, list)
	if r.Summary.Granted != 40 {
		t.Fatalf("%+v", r.Summary)
	}
	told := x.at["room0025@contoso.example"][0].Add(80 * time.Millisecond)
	early := 0
	for _, b := range list {
		for _, at := range x.at[b.Address] {
			if b.URL == "" && at.After(told) && at.Before(told.Add(30*time.Second)) {
				early++
			}
		}
	}
	if early > 0 {
		t.Errorf("%d calls to a server that wanted to be left alone", early)
	}
}

func TestRun_TooManyConnectionsBecomeFewer(t *testing.T) {
	x := &exchange{}
	x.script = func(address string, try int) (calsync.Rights, error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		n := 0
		for _, r := range x.running {
			n += r
		}
		if n > 10 {
			return fault(calsync.Fault{Kind: calsync.FaultResponse, Status: 200, Code: "ErrorExceededConnectionCount", BackOff: time.Second})
		}
		return all, nil
	}
	r, _ := bubble(t, x, Options{}, boxes(500))
	if r.Summary.Granted != 500 {
		t.Errorf("%+v", r.Summary)
	}
	if extra := len(x.calls) - 500; extra > 150 {
		t.Errorf("%d calls were refused", extra)
	}
}

// TestRun_ServerThatIsNotThere is given up after a few tries, and its mailboxes are not waited for.
func TestRun_ServerThatIsNotThere(t *testing.T) {
	list := boxes(100)
	for i := range 50 {
		list[i*2].URL = "https://gone.example/EWS/Exchange.asmx"
	}
	x := &exchange{}
	x.script = func(address string, _ int) (calsync.Rights, error) {
		if i := slices.IndexFunc(list, func(b Mailbox) bool { return b.Address == address }); list[i].URL != "" {
			return fault(calsync.Fault{Kind: calsync.FaultTransport})
		}
		return all, nil
	}
	r, took := bubble(t, x, Options{}, list)
	s := r.Summary
	if s.Granted != 50 || s.Failed+s.Unchecked != 50 || len(s.Stopped) != 1 || !strings.Contains(s.Stopped[0].Server, "gone.example") {
		t.Errorf("%+v", s)
	}
	if n := len(x.calls) - 50; n > maxFailures+32 || took > time.Minute {
		t.Errorf("%d calls to it, took %v", n, took)
	}
}

func TestRun_WrongAddressOfTheServer(t *testing.T) {
	x := &exchange{script: func(string, int) (calsync.Rights, error) {
		return fault(calsync.Fault{Kind: calsync.FaultHTTP, Status: 404})
	}}
	r, _ := bubble(t, x, Options{Server: "https://mail.example/wrong"}, boxes(100))
	if len(x.calls) != 1 || r.Summary.Failed != 1 || r.Summary.Unchecked != 99 || r.Summary.Stopped[0].Server != "https://mail.example/wrong" {
		t.Errorf("%d calls, %+v", len(x.calls), r.Summary)
	}
}

// TestRun_Interrupted: what is known is reported.
func TestRun_Interrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &exchange{latency: time.Second, script: func(string, int) (calsync.Rights, error) { return all, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		r := Run(ctx, Options{Asker: x, Parallel: 10}, boxes(100))
		if s := r.Summary; s.Granted != 41 || s.Unchecked != 59 || s.Findings != 0 || s.Failed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestRun_Canary: a canary that may be read is a finding, and so is one that is not there.
func TestRun_Canary(t *testing.T) {
	x := &exchange{script: func(address string, _ int) (calsync.Rights, error) {
		switch address {
		case "room0001@contoso.example":
			return fault(calsync.Fault{Kind: calsync.FaultHTTP, Status: 403})
		case "room0002@contoso.example":
			return fault(calsync.Fault{Kind: calsync.FaultSOAP, Status: 500, Code: "ErrorNonExistentMailbox"})
		}
		return all, nil
	}}
	list := boxes(4)
	list[0].Canary, list[1].Canary, list[2].Canary = true, true, true
	r, _ := bubble(t, x, Options{Identity: jobs.Identity{SignIn: jobs.SignInApp, App: "app-1"}}, list)
	if r.Summary.Findings != 2 {
		t.Errorf("%+v", r.Summary)
	}
	if got := find(r, list[0].Address); !got.Finding || !strings.Contains(got.Hint, "New-ManagementRoleAssignment -App app-1") {
		t.Errorf("a canary that may be read: %+v", got)
	}
	if got := find(r, list[1].Address); got.Finding || got.Access != Denied {
		t.Errorf("a canary that is refused: %+v", got)
	}
	if got := find(r, list[2].Address); !got.Finding || !strings.Contains(got.Hint, "proves nothing") {
		t.Errorf("a canary that is not there: %+v", got)
	}
}

// TestRun_Delegate: rights are what the calendar's folder says, and ten calls at once are enough.
func TestRun_Delegate(t *testing.T) {
	x := &exchange{script: func(address string, _ int) (calsync.Rights, error) {
		switch address {
		case "room0001@contoso.example":
			return calsync.Rights{Told: true}, nil // the folder is visible, what is in it is not
		case "room0002@contoso.example":
			return fault(calsync.Fault{Kind: calsync.FaultResponse, Status: 200, Code: "ErrorFolderNotFound"})
		case "room0003@contoso.example":
			return calsync.Rights{Told: true, Read: true}, nil
		}
		return all, nil
	}}
	r, _ := bubble(t, x, Options{Identity: jobs.Identity{SignIn: jobs.SignInOnPremises, User: "svc", Delegate: true}}, boxes(100))
	for _, address := range []string{"room0001@contoso.example", "room0002@contoso.example"} {
		if got := find(r, address); got.Access != Denied || got.Reason != events.RefusedFolderRights || !strings.Contains(got.Hint, "-User svc") {
			t.Errorf("%+v", got)
		}
	}
	if got := find(r, "room0003@contoso.example"); got.Access != Granted || !got.Read || got.Write {
		t.Errorf("%+v", got)
	}
	if x.most != 10 {
		t.Errorf("%d calls at once", x.most)
	}
}
