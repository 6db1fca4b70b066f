package exchangesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/exchangesim/faults"
)

// wire says for every implemented fault what a client sees, one entry for each of the turns that the fault takes.
var wire = map[string][]string{
	"H1":  {"503 retry-after=10 empty"},
	"H2":  {"503 empty", "503 retry-after=date empty", "503 retry-after=0 empty", "503 retry-after=-5 empty", "503 retry-after=31536000 empty", "503 retry-after=soon empty"},
	"H3":  {"429 retry-after=10 empty"},
	"H4":  {"500 fault ErrorServerBusy back-off=5000"},
	"H5":  {"500 html"},
	"H6":  {"500 x-caserrorcode=ServerNotFound empty"},
	"H7":  {"502 html", "504 html"},
	"H8":  {"408 empty", "time-out"},
	"H10": {"no answer"},
	"H11": {"200 part cut"},
	"H12": {"200 chunked part cut"},
	"H13": {"200 xml without an end"},
	"H14": {"200 part time-out"},
	"H15": {"time-out"},
	"H16": {"200 content-encoding=gzip 100 MB in less than 128 kB <nil>", "200 32 MB"},
	"H17": {"200 html"},
	"H18": {"200 empty", "200 json", "200 soap 1.2"},
	"H19": {`401 diagnostics=2000002 Bearer error="invalid_token" empty`},
	"H20": {"401 Bearer empty"},
	"H21": {"401 Bearer claims= empty"},
	"H22": {"403 empty"},
	"H23": {"302 location=/ews/genericerrorpage.htm empty"},
	"H24": {"307 location=https://elsewhere.example/EWS/Exchange.asmx empty", "302 location=https://login.microsoftonline.com/common/oauth2/authorize empty", "308 location=/EWS/Exchange.asmx empty"},
	"H25": {`407 proxy-authenticate=Basic realm="proxy" empty`},
	"H26": {"404 empty", "410 empty", "405 empty", "413 empty", "415 empty"},
	"H27": {"456 empty"},
	"H28": {"200 byte order mark NoError", "200 utf-16"},
	"H30": {"200 NoError 10m0s off", "200 NoError -10m0s off"},
	"E1":  {"500 fault ErrorServerBusy back-off=5000", "200 ErrorServerBusy back-off=5000"},
	"E2":  {"500 fault ErrorExceededConnectionCount"},
	"E3":  {"200 ErrorTooManyObjectsOpened", "200 ErrorInsufficientResources", "200 ErrorNotEnoughMemory"},
	"E4":  {"200 ErrorTimeoutExpired"},
	"E5":  {"200 ErrorInternalServerTransientError", "200 ErrorMailboxStoreUnavailable", "200 ErrorConnectionFailed", "200 ErrorADUnavailable", "200 ErrorADOperation", "200 ErrorMailboxFailover"},
	"E6":  {"200 ErrorInternalServerError inner=ErrorServerBusy back-off=5000", "200 ErrorInternalServerError"},
	"E7":  {"200 ErrorMailboxMoveInProgress", "200 ErrorCrossSiteRequest", "200 ErrorWrongServerVersion", "200 ErrorProxyRequestNotAllowed"},
	"E8":  {"200 ErrorInvalidSyncStateData"},
	"E9":  {"200 ErrorSyncFolderNotFound", "200 ErrorFolderNotFound"},
	"E10": {"500 fault ErrorNonExistentMailbox", "200 ErrorAccountDisabled"},
	"E11": {"500 fault ErrorNonPrimarySmtpAddress"},
	"E12": {"200 ErrorAccessDenied", "500 fault ErrorImpersonateUserDenied", "500 fault ErrorImpersonationDenied"},
	"E13": {"200 ErrorItemNotFound,NoError,NoError"},
	"E14": {"200 ErrorItemCorrupt,NoError,NoError", "200 ErrorCorruptData,NoError,NoError", "200 ErrorMimeContentConversionFailed,NoError,NoError"},
	"E15": {"200 NoError,NoError,NoError illegal character"},
	"E16": {"200 NoError,ErrorMailboxStoreUnavailable,ErrorBatchProcessingStopped"},
	"E17": {"200 NoError 10 changes"},
	"E18": {"200 NoError not the last"},
	"E21": {"200 ErrorIrresolvableConflict", "200 ErrorStaleObject"},
	"E22": {"no answer", "504 html", "200 part cut"},
	"E23": {"200 NoError"},
	"E24": {"200 NoError", "200 NoError"},
	"E25": {"200 NoError"},
	"E26": {"200 ErrorQuotaExceeded", "200 ErrorMessageSizeExceeded", "200 ErrorCalendarDurationIsTooLong", "200 ErrorItemSavePropertyError"},
	"E31": {"500 fault ErrorInvalidServerVersion"},
	"E35": {"503 retry-after=600 empty"},
	"T1":  {"401 invalid_client 7000215"},
	"T2":  {"401 invalid_client 7000222"},
	"T3":  {"401 invalid_client 700027"},
	"T4":  {"401 invalid_client 700024"},
	"T5":  {"401 invalid_client 700030", "401 invalid_client 50012"},
	"T6":  {"400 unauthorized_client 700016"},
	"T7":  {"400 unauthorized_client 70001"},
	"T8":  {"401 invalid_client 700025"},
	"T9":  {"400 invalid_request 90002"},
	"T10": {"400 invalid_resource 500011"},
	"T11": {"400 invalid_scope 70011"},
	"T12": {"400 invalid_grant 65001"},
	"T13": {"400 invalid_grant 50034"},
	"T14": {"400 invalid_grant 50126"},
	"T15": {"400 invalid_grant 50053"},
	"T16": {"400 invalid_grant 50055"},
	"T17": {"400 invalid_grant 50057"},
	"T18": {"400 interaction_required 50076", "400 interaction_required 50079"},
	"T19": {"400 invalid_grant 53003"},
	"T20": {"400 invalid_grant 50173"},
	"T21": {"400 invalid_grant 50196"},
	"T22": {"429 retry-after=10 temporarily_unavailable 90055"},
	"T23": {"503 temporarily_unavailable 90033", "500 server_error 90006"},
	"T24": {"200 html", "200 empty", "time-out", `200 token for "3599"`, "200 token for 0", "200 token for -60", "200 token for 99999999999", "200 token without expiry", "200 no token"},
	"T25": {"no answer"},
}

// TestEveryFault_OnTheWire strikes a client with each fault of the catalogue that is implemented, in each of its forms.
// Each runs in time of its own, so that a fault of minutes takes none.
func TestEveryFault_OnTheWire(t *testing.T) {
	for _, f := range faults.Catalog() {
		want := wire[f.ID]
		if len(want) != len(f.Then) {
			t.Errorf("%s takes %d turns, the table has %d", f.ID, len(f.Then), len(want))
			continue
		}
		if !f.Implemented() {
			continue
		}
		t.Run(f.ID, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, Options{Mailboxes: 1, Items: 5, BusyShare: NoBusyShare})
				defer c.stop()
				strike(t, c, f, want)
			})
		})
	}
}

func strike(t *testing.T, c *client, f faults.Fault, want []string) {
	if _, err := c.sim.Faults().Add(faults.Rule{Fault: f.ID}); err != nil {
		t.Fatal(err)
	}
	operation, _, _ := strings.Cut(f.Operation, ",")
	for i, w := range want {
		before := len(c.items())
		if got := c.call(operation); got != w {
			t.Errorf("turn %d: the client sees %q, want %q", i+1, got, w)
		}
		if f.When == faults.After && operation == "CreateItem" && len(c.items()) != before+1 {
			t.Error("the write had no effect, although only its answer was to be lost")
		}
	}
	c.sim.Faults().Clear()
	if got := c.call(operation); !healthy(got) {
		t.Errorf("without the rule the client sees %q", got)
	}
	synctest.Wait() // the server has done with every call
	n := c.sim.Faults().Counters()
	if n.Faults[f.ID] != uint64(len(want)) || n.Running != 0 {
		t.Errorf("%s counted %d times, want %d; %d calls still run", f.ID, n.Faults[f.ID], len(want), n.Running)
	}
}

func (c *client) call(operation string) string {
	switch operation {
	case "token":
		return c.see(c.postToken)
	case "discovery":
		return c.see(func() (*http.Response, error) {
			return c.http.Get("http://sim.example/sim-tenant/v2.0/.well-known/openid-configuration")
		})
	}
	return c.ews(envelope("", c.soap(operation)), basic(anna))
}

func healthy(seen string) bool {
	return slices.Contains([]string{"200 NoError", "200 NoError,NoError,NoError", "200 token for 3600", "200 no token"}, seen)
}

// A client that comes back too early, and one that waits as long as it was told.
func TestBackOff_IsEnforcedAsViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare, Faults: []string{"H4 attempt=1 backoff=2s"}})
		defer c.stop()
		call := func() string { return c.ews(envelope("", syncFolder), basic(anna)) }
		if got := call(); got != "500 fault ErrorServerBusy back-off=2000" {
			t.Fatal(got)
		}
		time.Sleep(1500 * time.Millisecond)
		call()
		time.Sleep(500 * time.Millisecond)
		call()
		v := c.sim.Faults().Violations()
		if len(v) != 1 || v[0].Kind != faults.TooEarly || v[0].Call != 2 || v[0].Early.Std() != 500*time.Millisecond {
			t.Errorf("violations %+v, want the second call, 500 ms early", v)
		}
	})
}

func TestFences_OverlapIsAViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare, Faults: []string{"H8 delay=5s status=200 until=1"}})
		defer c.stop()
		fence := func(f string) func(*http.Request) {
			return func(r *http.Request) { basic(anna)(r); r.Header.Set("X-Roomsync-Fence", f) }
		}
		done := make(chan string)
		go func() { done <- c.ews(envelope("", syncFolder), fence("1")) }()
		time.Sleep(time.Second)
		c.ews(envelope("", syncFolder), fence("2"))
		<-done
		synctest.Wait()
		v := c.sim.Faults().Violations()
		if len(v) != 1 || v[0].Kind != faults.Overlap || v[0].Fence != "2" || v[0].Other != "1" {
			t.Errorf("violations %+v", v)
		}
		if rec := c.sim.Faults().Calls(0, anna, 0); len(rec) != 2 || rec[0].Fence != "2" || rec[1].Took.Std() < 5*time.Second {
			t.Errorf("calls %+v", rec)
		}
	})
}

func TestMagicAddresses_NeedNoRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Items: -1, Magic: true, BusyShare: NoBusyShare})
		defer c.stop()
		if n := len(c.sim.Company().Mailboxes()); n != len(faults.Magic()) {
			t.Errorf("%d mailboxes, want one for each magic address", n)
		}
		for prefix, want := range map[string]string{
			"denied403": "403 empty", "denied": "200 ErrorAccessDenied", "gone": "500 fault ErrorNonExistentMailbox", "slow": "200 NoError",
			"moving": "200 ErrorMailboxMoveInProgress",
		} {
			began := time.Now()
			got := c.ews(envelope("", syncFolder), basic(prefix+"@contoso.example"))
			if took := time.Since(began); got != want || (prefix == "slow") != (took >= 3*time.Second) {
				t.Errorf("%s: %q after %v, want %q", prefix, got, took, want)
			}
		}
	})
}

func TestBusyShare_IsOnByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := func(opts Options) (busy int) {
			opts.Mailboxes, opts.Items, opts.Seed = 1, -1, 1
			c := newClient(t, opts)
			defer c.stop()
			for range 1500 {
				if c.ews(envelope("", syncFolder), basic(anna)) == "500 fault ErrorServerBusy back-off=1000" {
					busy++
				}
			}
			return busy
		}
		if n := count(Options{}); n < 2 || n > 20 {
			t.Errorf("%d of 1500 calls were busy, want about 0.5 %%", n)
		}
		if n := count(Options{BusyShare: NoBusyShare}); n != 0 {
			t.Errorf("%d calls were busy although that was switched off", n)
		}
	})
}

// A rule may name an operation if and only if EWS is asked for it by that name.
func TestOperations_AreThoseOfEWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{Mailboxes: 1, Items: -1, BusyShare: NoBusyShare})
		defer c.stop()
		known := func(op string) bool {
			return c.ews(envelope("", "<m:"+op+"/>"), basic(anna)) != "500 fault ErrorInvalidRequest"
		}
		for _, op := range faults.Operations {
			if !known(op) {
				t.Errorf("EWS does not know %s", op)
			}
		}
		if known("GetItemz") {
			t.Error("EWS knows every name")
		}
	})
}

func ExampleNew() {
	sim, err := New(Options{Seed: 1, Mailboxes: 10, Faults: []string{"H22 share=0.5", "E22 CreateItem attempt=1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(sim.Company().Mailboxes()), "mailboxes,", len(sim.Faults().Rules()), "rules")
	// Output: 10 mailboxes, 2 rules
}
