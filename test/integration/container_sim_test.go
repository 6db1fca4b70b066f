package integration

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/store"
)

// simAPI is the admin API of a simulator that runs elsewhere.
type simAPI struct {
	base string
	http *http.Client
}

// simItem is what the tests look at of an appointment.
type simItem struct {
	ID, ChangeKey, Subject string
	Start                  time.Time
}

func newSimAPI(t *testing.T, address string, ca []byte) *simAPI {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatalf("no certificate in %s", ca)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}
	t.Cleanup(transport.CloseIdleConnections)
	return &simAPI{base: "https://" + address + "/admin/", http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// call makes a request with the JSON of in and decodes the answer into out; nil for none.
func (s *simAPI) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, s.base+path, body)
	if err != nil {
		return err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %s (%v)", method, path, res.Status, data, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

func (s *simAPI) mailboxes() (addresses []string, err error) {
	var answer struct{ Mailboxes []struct{ Address string } }
	err = s.call("GET", "mailboxes", nil, &answer)
	for _, m := range answer.Mailboxes {
		addresses = append(addresses, m.Address)
	}
	return addresses, err
}

func (s *simAPI) items(address string) ([]simItem, error) {
	var answer struct{ Items []simItem }
	err := s.call("GET", "mailboxes/"+address+"/items", nil, &answer)
	return answer.Items, err
}

// create makes an appointment of half an hour that lies in the window.
func (s *simAPI) create(address, subject string, start time.Time) (it simItem, err error) {
	err = s.call("POST", "mailboxes/"+address+"/items", map[string]any{"subject": subject, "start": start.UTC().Truncate(time.Minute)}, &it)
	return it, err
}

func (s *simAPI) rename(address, id, subject string) (it simItem, err error) {
	err = s.call("PATCH", "mailboxes/"+address+"/items/"+url.PathEscape(id), map[string]any{"subject": subject}, &it)
	return it, err
}

func (s *simAPI) remove(address, id string) error {
	return s.call("DELETE", "mailboxes/"+address+"/items/"+url.PathEscape(id), nil, nil)
}

func (s *simAPI) effects(since uint64) ([]store.Effect, error) {
	var answer struct{ Effects []store.Effect }
	err := s.call("GET", fmt.Sprintf("effects?limit=100000&since=%d", since), nil, &answer)
	return answer.Effects, err
}

// struck says how many calls the fault rules have yet to hit.
func (s *simAPI) struck(want int) error {
	var answer struct{ Rules []faults.Rule }
	if err := s.call("GET", "faults", nil, &answer); err != nil {
		return err
	}
	hit := 0
	for _, r := range answer.Rules {
		hit += int(r.Fired)
	}
	if hit < want {
		return fmt.Errorf("%d of %d calls were hit", hit, want)
	}
	return nil
}

func (s *simAPI) violations() (list []json.RawMessage, err error) {
	var answer struct{ Violations []json.RawMessage }
	err = s.call("GET", "violations", nil, &answer)
	return answer.Violations, err
}

// edit changes n things in calendars at random: most are new appointments, the others new subjects and deletions.
func (s *simAPI) edit(t *testing.T, rnd *rand.Rand, addresses []string, n int) {
	t.Helper()
	for i := range n {
		address := addresses[rnd.IntN(len(addresses))]
		items, err := s.items(address)
		must(t, err)
		subject := fmt.Sprintf("Edit %d.%d", rnd.Uint32(), i)
		switch dice := rnd.IntN(10); {
		case dice < 5 || len(items) == 0:
			_, err = s.create(address, subject, time.Now().Add(time.Duration(24+rnd.IntN(1000))*time.Hour))
		case dice < 8:
			_, err = s.rename(address, items[rnd.IntN(len(items))].ID, subject)
		default:
			err = s.remove(address, items[rnd.IntN(len(items))].ID)
		}
		must(t, err)
	}
}

// witness takes down what ROOMS is told, and judges it, with the auditor, by the simulator's own log.
type witness struct {
	sim   *simAPI
	audit *auditor

	mu       sync.Mutex
	complete map[string]bool            // mailbox tokens whose first synchronization was reported
	told     map[string][]events.Change // by item id
	pages    int                        // events that tell of somebody's change
	err      error                      // why reading ended
}

func newWitness(sim *simAPI) *witness {
	w := &witness{sim: sim, complete: map[string]bool{}, told: map[string][]events.Change{}}
	w.audit = newAuditorOf(func(since uint64) []store.Effect {
		all, err := sim.effects(since)
		if err != nil {
			w.ended(err)
		}
		return all
	})
	return w
}

func (w *witness) take(d bus.Delivered) {
	w.audit.take(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch d.Type {
	case events.TypeSyncCompleted:
		w.complete[d.Mailbox] = true
	case events.TypeCalendarChanged:
		var page events.CalendarChanged
		_ = json.Unmarshal(d.Data, &page) // the auditor complains
		for _, c := range page.Changes {
			w.told[c.ItemID] = append(w.told[c.ItemID], c)
		}
		if page.Reason == events.ReasonChange {
			w.pages++
		}
	}
}

// ended notes that something could not be read.
func (w *witness) ended(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// verdict reports what was wrong until now.
func (w *witness) verdict(t *testing.T) {
	t.Helper()
	w.audit.mu.Lock()
	faults := slices.Clone(w.audit.faults)
	w.audit.mu.Unlock()
	for i, f := range faults {
		if i == 10 {
			t.Errorf("… and %d more", len(faults)-i)
			break
		}
		t.Error(f)
	}
	list, err := w.sim.violations()
	must(t, err)
	for _, v := range list {
		t.Errorf("violation: %s", v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		t.Errorf("reading events: %v", w.err)
	}
}

// settled says what ROOMS still lacks: an item's newest version, a deletion, a mailbox's first synchronization.
func (w *witness) settled() error {
	addresses, err := w.sim.mailboxes()
	if err != nil {
		return err
	}
	if err := w.knows(addresses); err != nil {
		return err
	}
	return w.knowsDeletions(addresses)
}

// knows says what of the mailboxes' items was not told as it is.
func (w *witness) knows(addresses []string) error {
	for _, address := range addresses {
		items, err := w.sim.items(address)
		if err != nil {
			return err
		}
		if err := w.knowsItems(address, items); err != nil {
			return err
		}
	}
	return nil
}

// knowsSome is knows for at least a quarter of the mailboxes: many may have been in the hands of somebody who was killed.
func (w *witness) knowsSome(addresses []string) error {
	var missing []error
	for _, address := range addresses {
		if err := w.knows([]string{address}); err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) <= len(addresses)*3/4 {
		return nil
	}
	return fmt.Errorf("%d of %d mailboxes wait: %w", len(missing), len(addresses), missing[0])
}

func (w *witness) knowsItems(address string, items []simItem) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.complete[events.MailboxToken(address)] {
		return fmt.Errorf("%s was not synchronized", address)
	}
	for _, it := range items {
		changes := w.told[it.ID]
		if len(changes) == 0 {
			return fmt.Errorf("%s: %q was not told", address, it.Subject)
		}
		last := changes[len(changes)-1]
		if last.ChangeKey != it.ChangeKey || last.Subject != it.Subject || last.Start == nil || !last.Start.Equal(it.Start) {
			return fmt.Errorf("%s: %q was told as %q of %v", address, it.Subject, last.Subject, last.Start)
		}
	}
	return nil
}

// knowsDeletions says what exists for ROOMS and no longer in a calendar.
func (w *witness) knowsDeletions(addresses []string) error {
	alive := map[string]bool{}
	for _, address := range addresses {
		items, err := w.sim.items(address)
		if err != nil {
			return err
		}
		for _, it := range items {
			alive[it.ID] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, changes := range w.told {
		if last := changes[len(changes)-1]; !alive[id] && last.Kind != events.KindDeleted {
			return fmt.Errorf("the deletion of %q was not told", last.Subject)
		}
	}
	return nil
}

// kinds lists what was told of an item, in order.
func (w *witness) kinds(id string) (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.told[id] {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

// changePages counts the events that told of somebody's change.
func (w *witness) changePages() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pages
}
