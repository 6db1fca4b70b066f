package ewsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/internal/exchangesim/hook"
)

// script is an interceptor made of functions; nil ones let everything go on.
type script struct {
	before, after func(*hook.Call) *hook.Answer
	item          func(position int) *hook.ItemFault

	mu   sync.Mutex
	done []ended
}

type ended struct {
	call   hook.Call
	status int
	codes  []string
}

func (s *script) Before(c *hook.Call) *hook.Answer {
	if s.before == nil {
		return nil
	}
	return s.before(c)
}

func (s *script) After(c *hook.Call) *hook.Answer {
	if s.after == nil {
		return nil
	}
	return s.after(c)
}

func (s *script) Item(_ *hook.Call, position int, _ string) *hook.ItemFault {
	if s.item == nil {
		return nil
	}
	return s.item(position)
}

func (s *script) Done(c *hook.Call, status int, codes []string, _ time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, ended{*c, status, slices.Clone(codes)})
}

func (s *script) last(t *testing.T) ended {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.done) == 0 {
		t.Fatal("the end of the call was not told")
	}
	return s.done[len(s.done)-1]
}

func answering(a hook.Answer) func(*hook.Call) *hook.Answer {
	return func(*hook.Call) *hook.Answer { return &a }
}

func TestCallIsDescribed(t *testing.T) {
	sc := &script{}
	s := newServer(t, Options{Interceptor: sc, Auth: as{AppID: "app", MayImpersonate: true}})
	s.soap = impersonating("PrimarySmtpAddress", strings.ToUpper(ann))
	s.header = map[string]string{"client-request-id": "r1", "User-Agent": "test", "X-Roomsync-Fence": "7"}
	s.create(lunch + lunch).ok()
	s.create(lunch).ok()
	first, second := sc.done[0], sc.done[1]
	c := first.call
	if c.ID != 1 || c.Operation != "CreateItem" || c.Mailbox != ann || c.Caller.AppID != "app" || c.RequestID != "r1" || c.UserAgent != "test" || c.Fence != "7" || c.Items != 2 || c.Attempt != 1 || !c.Time.Equal(now) {
		t.Errorf("call is %+v", c)
	}
	if second.call.ID != 2 || second.call.Attempt != 2 || second.call.Items != 1 {
		t.Errorf("second call is %+v", second.call)
	}
	if first.status != 200 || strings.Join(first.codes, " ") != "NoError NoError" {
		t.Errorf("ended with %d %v", first.status, first.codes)
	}
	if e := s.company.Effects(0); len(e) != 3 || e[2].Call != 2 || e[2].Actor != "app" {
		t.Errorf("effects are %+v", e)
	}
}

// TestFaultBeforeTheEffect: the client is told to wait, and nothing has happened.
func TestFaultBeforeTheEffect(t *testing.T) {
	sc := &script{before: answering(hook.Answer{SOAPFault: &hook.SOAPFault{Code: "ErrorServerBusy", BackOff: 297749 * time.Millisecond}})}
	s := newServer(t, Options{Interceptor: sc})
	a := s.create(lunch).want("ErrorServerBusy")
	v := a.all("Value")
	if a.status != 500 || len(v) != 1 || v[0].text != "297749" || v[0].ns != nsTypes || v[0].attr("Name") != "BackOffMilliseconds" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a.text("Message") != "The server cannot service this request right now. Try again later." {
		t.Errorf("text %q", a.text("Message"))
	}
	if n := len(s.company.Effects(0)); n != 0 {
		t.Errorf("%d effects", n)
	}
	if end := sc.last(t); end.status != 500 || !slices.Equal(end.codes, []string{"ErrorServerBusy"}) {
		t.Errorf("ended with %+v", end)
	}
}

// TestFaultAfterTheEffect: the client cannot know that it has happened.
func TestFaultAfterTheEffect(t *testing.T) {
	sc := &script{after: answering(hook.Answer{Status: 504, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<html/>")})}
	s := newServer(t, Options{Interceptor: sc})
	a := s.create(lunch)
	if a.status != 504 || a.body != "<html/>" || a.header.Get("Content-Type") != "text/html" {
		t.Errorf("status %d %q: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if n := len(s.company.Effects(0)); n != 1 {
		t.Errorf("%d effects", n)
	}
}

// TestErrorInEveryMessage is throttling with HTTP 200.
func TestErrorInEveryMessage(t *testing.T) {
	sc := &script{before: answering(hook.Answer{Response: &hook.ItemFault{Code: "ErrorInternalServerError", Inner: "ErrorServerBusy", BackOff: time.Second}})}
	s := newServer(t, Options{Interceptor: sc})
	for _, a := range []answer{
		s.create(lunch + lunch), s.sync(""), s.call(`<m:GetRoomLists/>`), s.find(idOnly, ""), s.get(idOnly, itemID("x")), s.call(getCalendar),
		s.availability(ann, "FreeBusy", "2026-03-07T08:00:00", "2026-03-07T09:00:00"),
		s.call(`<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>x</m:UnresolvedEntry></m:ResolveNames>`),
		s.call(`<m:GetServerTimeZones/>`), s.remove("HardDelete", itemID("x")), s.update("x", "", "AlwaysOverwrite", set("item:Subject", `<t:Subject/>`)),
	} {
		if codes := a.codes(); a.status != 200 || len(codes) == 0 || slices.ContainsFunc(codes, func(c string) bool { return c != "ErrorInternalServerError" }) {
			t.Errorf("status %d, codes %v", a.status, codes)
		}
		values := map[string]string{}
		for _, v := range a.all("Value") {
			values[v.attr("Name")] = v.text
		}
		if values["InnerErrorResponseCode"] != "ErrorServerBusy" || values["BackOffMilliseconds"] != "1000" {
			t.Errorf("values are %v", values)
		}
	}
	if n := len(sc.done[0].codes); n != 2 {
		t.Errorf("%d messages for two items", n)
	}
}

func TestItemFaults(t *testing.T) {
	sc := &script{}
	s := newServer(t, Options{Interceptor: sc})
	id, _ := s.create(lunch).ok().id()
	ids := strings.Repeat(itemID(id), 3)
	sc.item = func(position int) *hook.ItemFault {
		if position == 1 {
			return &hook.ItemFault{Code: "ErrorItemCorrupt", Message: "Broken."}
		}
		return nil
	}
	if a := s.get(idOnly, ids).want("NoError", "ErrorItemCorrupt", "NoError"); a.text("MessageText") != "Broken." {
		t.Errorf("text %q", a.text("MessageText"))
	}
	sc.item = func(position int) *hook.ItemFault {
		if position == 1 {
			return &hook.ItemFault{Code: "ErrorMailboxStoreUnavailable"}
		}
		return nil
	}
	s.get(idOnly, ids).want("NoError", "ErrorMailboxStoreUnavailable", "ErrorBatchProcessingStopped")
	sc.item = func(int) *hook.ItemFault { return &hook.ItemFault{Code: "ErrorInvalidSyncStateData"} }
	s.sync("").want("ErrorInvalidSyncStateData")
}

// overHTTP serves one call over a real connection and returns how the client fares, once the server is done with it too:
// a client sees a reset before the server has told of its end.
func overHTTP(t *testing.T, ctx context.Context, opts Options) (status int, body []byte, err error) {
	t.Helper()
	s := newServer(t, opts)
	served := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		s.h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	defer func() { <-served }()
	r, _ := http.NewRequestWithContext(ctx, "POST", server.URL+"/EWS/Exchange.asmx", strings.NewReader(document(getCalendar)))
	r.SetBasicAuth(ann, "x")
	resp, err := server.Client().Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// TestSpoiltAnswers is about what a client sees of an answer that does not come whole.
func TestSpoiltAnswers(t *testing.T) {
	_, whole, err := overHTTP(t, t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reset", func(t *testing.T) {
		sc := &script{before: answering(hook.Answer{Reset: true})}
		if _, _, err := overHTTP(t, t.Context(), Options{Interceptor: sc}); err == nil {
			t.Error("no error")
		}
		if end := sc.last(t); end.status != 0 || end.codes != nil {
			t.Errorf("ended with %+v", end)
		}
	})
	t.Run("cut", func(t *testing.T) {
		status, body, err := overHTTP(t, t.Context(), Options{Interceptor: &script{after: answering(hook.Answer{CutAfter: 100})}})
		if status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != string(whole[:100]) {
			t.Errorf("status %d, %v, %d bytes", status, err, len(body))
		}
	})
	t.Run("cut without a length", func(t *testing.T) {
		_, body, err := overHTTP(t, t.Context(), Options{Interceptor: &script{after: answering(hook.Answer{CutAfter: 100, Close: true})}})
		if err != nil || len(body) != 100 {
			t.Errorf("%v, %d bytes; want no error: only the missing end tag shows it", err, len(body))
		}
	})
	t.Run("trickle", func(t *testing.T) {
		var naps int
		opts := Options{Interceptor: &script{after: answering(hook.Answer{Trickle: time.Hour})}, Sleep: func(d time.Duration, _ <-chan struct{}) {
			if naps++; d != time.Hour {
				t.Errorf("nap of %s", d)
			}
		}}
		if _, body, err := overHTTP(t, t.Context(), opts); err != nil || !bytes.Equal(body, whole) || naps != len(whole) {
			t.Errorf("%v, %d of %d bytes, %d naps", err, len(body), len(whole), naps)
		}
	})
	t.Run("hang", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sc := &script{before: func(*hook.Call) *hook.Answer {
			cancel()
			return &hook.Answer{Hang: true}
		}}
		if _, _, err := overHTTP(t, ctx, Options{Interceptor: sc}); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("delay", func(t *testing.T) {
		var slept []time.Duration
		opts := Options{Interceptor: &script{before: answering(hook.Answer{Delay: time.Minute}), after: answering(hook.Answer{Delay: time.Hour})},
			Sleep: func(d time.Duration, _ <-chan struct{}) { slept = append(slept, d) }}
		if _, body, err := overHTTP(t, t.Context(), opts); err != nil || !bytes.Equal(body, whole) || !slices.Equal(slept, []time.Duration{time.Minute, time.Hour}) {
			t.Errorf("%v, %d bytes, slept %v", err, len(body), slept)
		}
	})
}

func TestGzip(t *testing.T) {
	s := newServer(t, Options{})
	r := httptest.NewRequest("POST", "/EWS/Exchange.asmx", strings.NewReader(document(`<m:GetServerTimeZones/>`)))
	r.Header.Set("Accept-Encoding", "gzip, deflate")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatal("the answer is not compressed")
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !bytes.HasSuffix(plain, []byte("</s:Envelope>")) {
		t.Errorf("%v: %d bytes", err, len(plain))
	}
}

func TestDeniedSignIn(t *testing.T) {
	s := newServer(t, Options{Auth: denied{}})
	r := httptest.NewRequest("POST", "/ews/exchange.asmx", strings.NewReader("not read"))
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Basic" {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
}

type denied struct{}

func (denied) Authenticate(*http.Request) (hook.Principal, *hook.Answer) {
	return hook.Principal{}, &hook.Answer{Status: 401, Header: http.Header{"Www-Authenticate": {"Basic"}}}
}

func TestOtherPathsAndMethods(t *testing.T) {
	s := newServer(t, Options{})
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/EWS/Exchange.asmx", 405}, {"POST", "/EWS/Other.asmx", 404}, {"POST", "/x/ews/exchange.ASMX", 500}} {
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader("")))
		if w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
	}
}
