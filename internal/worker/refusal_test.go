package worker_test

import (
	"strings"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/jobs"
	"roomsync/internal/testenv"
	"roomsync/internal/worker"
)

// refuse scripts an answer for every call for alice and returns the rule's id.
func refuse(e *testenv.Env, fault string, then faults.Then) string {
	e.T.Helper()
	r, err := e.Sim.Faults().Add(faults.Rule{Fault: fault, Mailbox: alice, Then: []faults.Then{then}})
	testenv.Must(e.T, err)
	return r.ID
}

func record(e *testenv.Env, address string) jobs.Record {
	e.T.Helper()
	r, _, err := e.Bus.Record(e.T.Context(), events.MailboxToken(address))
	testenv.Must(e.T, err)
	return r
}

// TestRefused_TellsTheEvidence: both events say whom it concerns, why, by which answer, and since and until when.
func TestRefused_TellsTheEvidence(t *testing.T) {
	const id = "2b1c7a8e-0d3f-4a57-9a55-1e0c8d1f3b11"
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		began := time.Now()
		rule := refuse(e, "H22", faults.Then{Status: 403, Headers: map[string]string{"request-id": id}})
		denied := data[events.AccessDenied](e, e.Next(ch, 5*time.Minute))
		x := denied.Evidence
		if denied.Scope != events.ScopeMailbox || denied.Reason != events.RefusedForbidden || x == nil {
			e.T.Fatalf("got %+v", denied)
		}
		if x.Operation != "SyncFolderItems" || x.Status != 403 || x.Code != "" || x.RequestID == "" || x.ServerRequestID != id || x.At.Before(began) {
			e.T.Errorf("evidence %+v", x)
		}
		if !denied.FirstSeen.Equal(denied.Since) || !denied.LastSeen.Equal(x.At) || !strings.Contains(denied.Hint, "Get-CASMailbox "+alice) {
			e.T.Errorf("got %+v", denied)
		}
		time.Sleep(150 * time.Minute) // fake time: two more looks
		last := time.Now()
		allow(e, rule)
		restored := data[events.AccessRestored](e, e.Next(ch, 2*time.Hour))
		if restored.Scope != events.ScopeMailbox || restored.Reason != events.RefusedForbidden || !restored.FirstSeen.Equal(denied.FirstSeen) {
			e.T.Errorf("got %+v", restored)
		}
		if y := restored.Evidence; y == nil || !restored.LastSeen.Equal(y.At) || !y.At.After(x.At.Add(time.Hour)) || y.At.After(last) || y.RequestID == x.RequestID {
			e.T.Errorf("last seen %v, evidence %+v", restored.LastSeen, restored.Evidence)
		}
		if r := record(e, alice); r.Refusal != nil || !r.DeniedSince.IsZero() {
			e.T.Errorf("the record still holds %+v", r.Refusal)
		}
	})
}

// TestRefused_HintsFitTheSignIn: an app is told of policies, a service user on premises of roles.
func TestRefused_HintsFitTheSignIn(t *testing.T) {
	testenv.Bubble(t, func(t *testing.T) {
		e := testenv.Start(t, testenv.Options{Sim: exchangesim.Options{Mailboxes: 2, Items: -1}})
		ch := e.Events(events.MailboxToken(alice))
		e.Dispatcher()
		e.Worker("w1", func(o *worker.Options) {
			o.Identity = jobs.Identity{SignIn: jobs.SignInOnPremises, User: exchangesim.ServiceUser}
		})
		refuse(e, "E12", faults.Then{Code: "ErrorImpersonateUserDenied"})
		e.Want(alice)
		d := data[events.AccessDenied](e, e.Next(ch, time.Minute))
		if d.Reason != events.RefusedImpersonation || !strings.Contains(d.Hint, "-Role ApplicationImpersonation -User "+exchangesim.ServiceUser) {
			t.Errorf("got %+v", d)
		}
	})
}

func TestBlocked_TellsTheEvidence(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		refuse(e, "E10", faults.Then{Code: "ErrorAccountDisabled"})
		d := e.Next(ch, 5*time.Minute)
		got := data[events.MailboxBlocked](e, d)
		if d.Type != events.TypeMailboxBlocked || got.Scope != events.ScopeMailbox || got.Reason != events.RefusedDisabled {
			e.T.Fatalf("got %s %s", d.Type, d.Data)
		}
		if x := got.Evidence; x == nil || x.Code != "ErrorAccountDisabled" || x.Code != got.Code || x.RequestID == "" || !got.LastSeen.Equal(x.At) {
			e.T.Errorf("evidence %+v", x)
		}
	})
}

// TestFolderGone_BlocksTheMailbox: a folder that is not found without the old cursor either is told as what it is.
func TestFolderGone_BlocksTheMailbox(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		refuse(e, "E9", faults.Then{Code: "ErrorSyncFolderNotFound", Form: faults.ResponseMessage})
		d := e.Next(ch, 5*time.Minute)
		if got := data[events.MailboxBlocked](e, d); d.Type != events.TypeMailboxBlocked || got.Reason != events.RefusedFolder {
			e.T.Errorf("got %s %s", d.Type, d.Data)
		}
		e.Quiet(ch, time.Hour/2)
	})
}

// TestSignInPage_IsNoEmptyCalendar and no fault of one mailbox either: nothing is deleted, nothing given up.
func TestSignInPage_IsNoEmptyCalendar(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		it := create(e, "still there", time.Now().Add(time.Hour))
		page(e, e.Next(ch, 2*time.Minute))
		rule := refuse(e, "H17", faults.Then{})
		e.Quiet(ch, 3*time.Hour)
		if r := record(e, alice); r.State != jobs.StateOK || r.LastError == nil || r.LastError.Class != jobs.Credentials || r.LastError.Reason != events.RefusedSignInPage {
			e.T.Errorf("state %q, last error %+v", r.State, r.LastError)
		}
		if n := len(e.Sim.Faults().Calls(0, alice, 0)); n > 40 {
			e.T.Errorf("%d calls in three hours", n)
		}
		allow(e, rule)
		m := e.Sim.Company().Mailbox(alice)
		if _, err := m.Item(it.ID); err != nil {
			e.T.Fatal(err)
		}
		e.Quiet(ch, time.Hour)
	})
}

// TestUnexplained401_IsThrottlingAtFirst and a refused sign-in after some minutes.
func TestUnexplained401_IsThrottlingAtFirst(t *testing.T) {
	world(t, exchangesim.Options{}, func(e *testenv.Env, ch <-chan bus.Delivered) {
		synced(e, ch)
		refuse(e, "H20", faults.Then{})
		time.Sleep(3 * time.Minute)
		if r := record(e, alice); r.LastError == nil || r.LastError.Class != jobs.Throttled || r.Attempts != 0 {
			e.T.Errorf("after 3 minutes %+v, attempts %d", r.LastError, r.Attempts)
		}
		time.Sleep(30 * time.Minute)
		if r := record(e, alice); r.LastError.Class != jobs.Credentials || r.LastError.Reason != events.RefusedSignIn || r.State != jobs.StateOK {
			e.T.Errorf("after half an hour %+v", r.LastError)
		}
		e.Quiet(ch, time.Hour)
	})
}
