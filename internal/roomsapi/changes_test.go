package roomsapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"roomsync/events"
)

func TestChanges_EveryModeStoresTheSameEvent(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	data := `{"bookingId":"b","revision":1,"mailbox":"Room0001@contoso.example","unknown":[1,"é"]}`
	one := `{"specversion":"1.0","id":"%s","source":"urn:rooms:contoso","type":"rooms.booking.upserted.v1","time":"2027-01-11T09:00:00Z","traceparent":"00-a-b-01","data":` + data + `}`
	for i, request := range [][]string{
		{fmt.Sprintf(one, "s-0"), "Content-Type", "application/cloudevents+json; charset=UTF-8"},
		{"[" + fmt.Sprintf(one, "s-1") + "]", "Content-Type", "application/cloudevents-batch+json"},
		{data, "Content-Type", "application/json", "ce-specversion", "1.0", "ce-id", "s-2", "ce-source", "urn:rooms:contoso", "ce-type", "rooms.booking.upserted.v1",
			"ce-time", "2027-01-11T09:00:00Z", "ce-traceparent", "00-a-b-01"},
	} {
		resp, body := do(t, http.MethodPost, url, request[0], request[1:]...)
		got := decodeAs[accepted](t, body)
		if resp.StatusCode != http.StatusAccepted || len(got.Results) != 1 || got.Results[0].Sequence != uint64(i+1) || got.Results[0].Status != statusStored {
			t.Fatalf("mode %d: %d %s", i, resp.StatusCode, body)
		}
	}
	stored, subjects := w.changesIn()
	for i, e := range stored {
		want := events.Event{ID: fmt.Sprint("s-", i), Source: "urn:rooms:contoso", Type: events.TypeBookingUpserted, Subject: "room0001=40contoso=2Eexample"}
		if e.ID != want.ID || e.Source != want.Source || e.Type != want.Type || e.Subject != want.Subject || e.Time.Year() != 2027 || e.Extensions["traceparent"] != "00-a-b-01" || string(e.Data) != data {
			t.Errorf("mode %d stored %+v, data %s", i, e, e.Data)
		}
		if subjects[i] != events.ChangesSubject(want.Subject) {
			t.Errorf("mode %d stored under %s", i, subjects[i])
		}
	}
	if len(stored) != 3 {
		t.Errorf("%d events are stored", len(stored))
	}
}

func TestChanges_ACopyIsStoredOnceAndAnotherEventUnderItsIdIsRefused(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	post := func(body string) (int, result) {
		resp, b := do(t, http.MethodPost, url, body, "Content-Type", typeStructured)
		return resp.StatusCode, decodeAs[accepted](t, b).Results[0]
	}
	post(booking("1", room1, 1))
	if status, r := post(strings.Replace(booking("1", room1, 1), `,"data"`, `, "data"`, 1)); status != 202 || r.Status != statusDuplicate || r.Sequence != 1 {
		t.Errorf("a copy: %d %+v", status, r)
	}
	for _, other := range []string{booking("1", room1, 2), booking("1", "room0002@contoso.example", 1)} {
		if status, r := post(other); status != http.StatusConflict || r.Status != statusRefused || r.Sequence != 1 {
			t.Errorf("another event with the id: %d %+v", status, r)
		}
	}
	if all, _ := w.changesIn(); len(all) != 1 {
		t.Errorf("%d events are stored", len(all))
	}
}

// A copy that came over NATS, in the other mode, is a copy.
func TestChanges_ACopyThatCameOverNATS(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	m := nats.NewMsg(events.ChangesSubject(events.MailboxToken(room1)))
	m.Data = []byte(booking("1", room1, 1))
	m.Header.Set("content-type", typeStructured)
	m.Header.Set(jetstream.MsgIDHeader, "urn:rooms:contoso#1")
	_, err := w.js.PublishMsg(t.Context(), m)
	must(t, err)
	if resp, body := do(t, http.MethodPost, url, booking("1", room1, 1), "Content-Type", typeStructured); resp.StatusCode != 202 || decodeAs[accepted](t, body).Results[0].Status != statusDuplicate {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// HEAD of a stream would have no end.
func TestEvents_HeadIsRefused(t *testing.T) {
	w := newWorld(t)
	r, _ := http.NewRequest(http.MethodHead, w.serve(nil).URL+"/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+canary)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	if resp.StatusCode != 405 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestChanges_ABatchKeepsTheOrderOfEachMailbox(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	var batch []string
	for i := range 300 {
		batch = append(batch, booking(fmt.Sprint("e", i), fmt.Sprintf("room%d@contoso.example", i%7), i))
	}
	resp, body := do(t, http.MethodPost, url, "["+strings.Join(batch, ",")+"]", "Content-Type", typeBatch)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	all, _ := w.changesIn()
	results := decodeAs[accepted](t, body).Results
	last := map[string]int{}
	for at, e := range all {
		var n int
		_, _ = fmt.Sscanf(e.ID, "e%d", &n)
		if before, ok := last[e.Subject]; ok && before > n {
			t.Errorf("%s: event %d was stored after event %d", e.Subject, n, before)
		}
		last[e.Subject] = n
		if r := results[n]; r.Index != n || r.ID != e.ID || r.Sequence != uint64(at+1) {
			t.Errorf("the result of event %d is %+v, and it stands at %d", n, r, at+1)
		}
	}
	if len(all) != 300 || len(last) != 7 {
		t.Errorf("%d events of %d mailboxes are stored", len(all), len(last))
	}
}

func TestChanges_KeyedTokens(t *testing.T) {
	w := newWorld(t)
	key := []byte("k")
	url := w.serve(func(o *Options) {
		o.MailboxToken = func(address string) string { return events.MailboxTokenHMAC(key, address) }
	}).URL + "/v1/changes"
	resp, body := do(t, http.MethodPost, url, booking("1", room1, 1), "Content-Type", typeStructured)
	if _, subjects := w.changesIn(); resp.StatusCode != 202 || len(subjects) != 1 || subjects[0] != events.ChangesSubject(events.MailboxTokenHMAC(key, room1)) {
		t.Errorf("%d %s, stored under %v", resp.StatusCode, body, subjects)
	}
}

// TestChanges_NamesEveryFaultAtOnce: the pointers of the faults are compared, in order.
func TestChanges_NamesEveryFaultAtOnce(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	good := booking("1", room1, 1)
	long := strings.Repeat("x", maxAttribute+1)
	for name, c := range map[string]struct{ kind, body, want string }{
		"all at once":      {typeStructured, `{"specversion":"0.3","type":"x","time":"now","datacontenttype":"text/xml","data":{"mailbox":"nobody"}}`, "/id /source /specversion /time /datacontenttype /type /data/mailbox"},
		"two in a batch":   {typeBatch, "[" + good + `,{"id":"2","data":3},7]`, "/1/specversion /1/source /1/type /1/data /2"},
		"no JSON":          {typeStructured, `{"specversion":"1.0",`, ""},
		"no object":        {typeStructured, `[]`, ""},
		"no array":         {typeBatch, good, ""},
		"empty":            {typeStructured, "", ""},
		"null":             {typeStructured, "null", ""},
		"no UTF-8":         {typeStructured, strings.Replace(good, "contoso", "cont\xff", 1), ""},
		"no data":          {typeStructured, strings.Replace(good, `"data"`, `"dat"`, 1), "/dat /data"},
		"wrong subject":    {typeStructured, strings.Replace(good, `"id"`, `"subject":"other","id"`, 1), "/subject"},
		"id no text":       {typeStructured, strings.Replace(good, `"1"`, `{}`, 1), "/id /id"},
		"control":          {typeStructured, strings.Replace(good, `"1"`, `"a\u0001"`, 1), "/id"},
		"long id":          {typeStructured, strings.Replace(good, `"1"`, `"`+long+`"`, 1), "/id"},
		"the same twice":   {typeBatch, "[" + good + "," + good + "]", "/1/id"},
		"too many":         {typeBatch, "[" + strings.Repeat("1,", MaxBatch) + "1]", ""},
		"no base64":        {typeStructured, strings.Replace(good, `"data":`, `"data_base64":"?","dat":`, 1), "/dat /data_base64 /data"},
		"wildcard mailbox": {typeStructured, booking("1", "*", 1), "/data/mailbox"},
		"binary":           {typeJSON, `{"mailbox":1}`, "ce-specversion ce-id ce-source ce-type /mailbox"},
	} {
		resp, body := do(t, http.MethodPost, url, c.body, "Content-Type", c.kind)
		p := decodeAs[problem](t, body)
		var got []string
		for _, f := range p.Errors {
			got = append(got, f.Where)
		}
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Type") != "application/problem+json" || strings.Join(got, " ") != c.want || len(got) == 0 || p.Type != problemInvalid {
			t.Errorf("%s: %d, faults at %q, want %q: %s", name, resp.StatusCode, got, c.want, body)
		}
	}
	if all, _ := w.changesIn(); len(all) != 0 {
		t.Errorf("%d events of faulty requests are stored", len(all))
	}
}

func TestChanges_Refusals(t *testing.T) {
	w := newWorld(t)
	srv := w.serve(nil)
	url, good := srv.URL+"/v1/changes", booking("1", room1, 1)
	off := w.serve(func(o *Options) { o.Tokens = nil }).URL
	for _, c := range []struct {
		method, url, body string
		header            []string
		status            int
		says              string
	}{
		{"POST", url, good, []string{"Authorization", "", "Content-Type", typeStructured}, 401, "Authorization: Bearer"},
		{"POST", url, good, []string{"Authorization", "Bearer " + canary + "x", "Content-Type", typeStructured}, 401, "none of those"},
		{"POST", url, good, []string{"Authorization", "Basic " + canary, "Content-Type", typeStructured}, 401, "Bearer"},
		{"POST", off + "/v1/changes", good, []string{"Content-Type", typeStructured}, 404, "--api-token-file"},
		{"GET", off + "/v1/events", "", nil, 404, "--api-token-file"},
		{"GET", url, "", nil, 405, "only POST"},
		{"OPTIONS", url, "", nil, 405, "only POST"},
		{"DELETE", srv.URL + "/v1/events", "", nil, 405, "only GET"},
		{"GET", srv.URL + "/v1/nothing", "", nil, 404, "openapi.json"},
		{"POST", url, good, []string{"Content-Type", "application/xml"}, 415, typeBatch},
		{"POST", url, good, []string{"Content-Type", "application/cloudevents+avro"}, 415, typeBatch},
		{"POST", url, good, []string{"Content-Type", typeStructured + "; charset=latin1"}, 415, "UTF-8"},
		{"POST", url, good, []string{"Content-Type", typeStructured, "Content-Encoding", "gzip"}, 415, "not compressed"},
		{"POST", url, strings.Repeat(" ", MaxBody+1), []string{"Content-Type", typeStructured}, 413, "2097152"},
		{"POST", url, "{" + strings.Repeat(" ", 1<<20) + good[1:], []string{"Content-Type", typeStructured}, 202, ""},
		{"POST", url, strings.Replace(good, `"bookingId"`, `"x":"`+strings.Repeat("x", 1<<20)+`","bookingId"`, 1), []string{"Content-Type", typeStructured}, 400, "at most 1040384 are taken"},
		{"GET", srv.URL + "/v1/events", "", []string{"Accept", "application/xml"}, 406, typeStream},
		{"GET", srv.URL + "/v1/events?after=x&limit=0&wait=61&mailbox=*&type=y&from=3", "", nil, 400, `no parameter \"from\"; after must`},
		{"GET", srv.URL + "/v1/webhook", "", nil, 404, "--webhook-url"},
	} {
		resp, body := do(t, c.method, c.url, c.body, c.header...)
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s %v: %d %s, want %d and %q", c.method, c.url, c.header, resp.StatusCode, body, c.status, c.says)
		}
		if resp.StatusCode == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Error("401 without a challenge")
		}
		if resp.StatusCode == 405 && !strings.Contains(c.says, resp.Header.Get("Allow")) {
			t.Error("405 without Allow")
		}
		if resp.StatusCode >= 400 && decodeAs[problem](t, body).Status != c.status {
			t.Errorf("%s is no problem of its status", body)
		}
	}
}

// A full stream refuses, and what of a batch is stored is said exactly.
func TestChanges_AFullStream(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	limit := func(n int64) {
		s, err := w.js.Stream(context.Background(), events.StreamChanges)
		must(t, err)
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs = n
		_, err = w.js.UpdateStream(context.Background(), cfg)
		must(t, err)
	}
	limit(3)
	batch := "[" + strings.Join([]string{booking("0", room1, 0), booking("1", room1, 1), booking("2", room1, 2), booking("3", room1, 3), booking("4", room1, 4)}, ",") + "]"
	resp, body := do(t, http.MethodPost, url, batch, "Content-Type", typeBatch)
	p := decodeAs[problem](t, body)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "30" || p.Type != problemNotStored || len(p.Results) != 5 {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	for i, want := range []string{statusStored, statusStored, statusStored, statusNotStored, statusSkipped} {
		if got := p.Results[i]; got.Status != want || (got.Sequence > 0) != (i < 3) {
			t.Errorf("event %d: %+v, want %s", i, got, want)
		}
	}
	limit(-1)
	resp, body = do(t, http.MethodPost, url, batch, "Content-Type", typeBatch)
	all, _ := w.changesIn()
	if resp.StatusCode != 202 || len(all) != 5 {
		t.Fatalf("repeated: %d %s; %d are stored", resp.StatusCode, body, len(all))
	}
	for i, e := range all {
		if e.ID != fmt.Sprint(i) {
			t.Errorf("at %d stands event %s", i+1, e.ID)
		}
	}
}

// Behind a refused event its mailbox's later ones wait, and nobody else's.
func TestChanges_NoneIsStoredBeforeItsPredecessor(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	do(t, http.MethodPost, url, booking("1", room1, 1), "Content-Type", typeStructured)
	resp, body := do(t, http.MethodPost, url, "["+booking("0", room1, 2)+","+booking("1", room1, 3)+","+booking("2", room1, 4)+","+booking("3", room2, 1)+"]", "Content-Type", typeBatch)
	var got []string
	for _, r := range decodeAs[problem](t, body).Results {
		got = append(got, r.Status)
	}
	if resp.StatusCode != 409 || strings.Join(got, " ") != "stored refused skipped stored" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// When NATS does not take an event, it is not asked for every other one.
func TestChanges_TroubleEndsABatch(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	var batch []string
	for i := range 200 {
		batch = append(batch, booking(fmt.Sprint(i), mailbox(i), 1))
	}
	w.store.stop()
	resp, body := do(t, http.MethodPost, url, "["+strings.Join(batch, ",")+"]", "Content-Type", typeBatch)
	count := map[string]int{}
	for _, r := range decodeAs[problem](t, body).Results {
		count[r.Status]++
	}
	if tried := 200 - count[statusSkipped]; resp.StatusCode != 503 || tried < 1 || tried > parallel {
		t.Errorf("%d %v", resp.StatusCode, count)
	}
}

// A stream with a limit for messages of its own refuses for good.
func TestChanges_LargerThanTheStreamTakes(t *testing.T) {
	w := newWorld(t)
	url := w.serve(nil).URL + "/v1/changes"
	s, err := w.js.Stream(context.Background(), events.StreamChanges)
	must(t, err)
	cfg := s.CachedInfo().Config
	cfg.MaxMsgSize = 100
	_, err = w.js.UpdateStream(context.Background(), cfg)
	must(t, err)
	resp, body := do(t, http.MethodPost, url, booking("1", room1, 1), "Content-Type", typeStructured)
	if p := decodeAs[problem](t, body); resp.StatusCode != 413 || p.Results[0].Status != statusRefused || resp.Header.Get("Retry-After") != "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
