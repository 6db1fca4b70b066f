package ews

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roomsync/internal/calsync"
)

// rotating gives out token-1, token-2, … and takes a new one after each rejection, as long as it may.
type rotating struct {
	generation atomic.Int32
	renew      bool
	rejected   []string
	err        error
}

func (r *rotating) Apply(_ context.Context, req *http.Request) (string, error) {
	token := fmt.Sprintf("token-%d", r.generation.Load())
	req.Header.Set("Authorization", "Bearer "+token)
	return token, r.err
}

func (r *rotating) Reject(_ context.Context, generation, claims string) (bool, error) {
	r.rejected = append(r.rejected, generation+"|"+claims)
	r.generation.Add(1)
	return r.renew, nil
}

// accepting answers 401 to every token but one.
func accepting(token string, requests *int, ids map[string]bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*requests++
		ids[r.Header.Get("Client-Request-Id")] = true
		if r.Header.Get("Authorization") == "Bearer "+token {
			xmlAnswer(200, noChange)(w, r)
			return
		}
		w.Header().Add("WWW-Authenticate", `Basic realm=""`)
		w.Header().Add("WWW-Authenticate", `Bearer client_id="x", error="insufficient_claims", claims="eyJhIjoxfQ=="`)
		w.Header().Set("X-Ms-Diagnostics", `2000002;reason="The token has expired.";error_category="token_expired"`)
		w.WriteHeader(401)
	}
}

func TestRenewedCredentials(t *testing.T) {
	creds := &rotating{renew: true}
	requests, ids := 0, map[string]bool{}
	guarded := 0
	ctx := calsync.WithCall(t.Context(), calsync.Call{Guard: func(string) error { guarded++; return nil }})
	c := client(t, serve(t, accepting("token-1", &requests, ids)), Options{Credentials: creds})
	if _, err := c.Probe(ctx, mailbox, "", 0); err != nil {
		t.Fatal(err)
	}
	if requests != 2 || guarded != 2 || len(ids) != 2 {
		t.Errorf("%d requests, %d guarded, %d ids", requests, guarded, len(ids))
	}
	if len(creds.rejected) != 1 || creds.rejected[0] != `token-0|{"a":1}` {
		t.Errorf("rejected %q", creds.rejected)
	}
}

// TestRefusedCredentials: one renewal, one repetition, and then it is a fact for others to judge.
func TestRefusedCredentials(t *testing.T) {
	for _, renew := range []bool{true, false} {
		creds := &rotating{renew: renew}
		requests, ids := 0, map[string]bool{}
		f := probe(t, accepting("never", &requests, ids), Options{Credentials: creds})
		want := 1
		if renew {
			want = 2
		}
		if requests != want || len(creds.rejected) != 1 {
			t.Errorf("renew %v: %d requests, rejected %q", renew, requests, creds.rejected)
		}
		if f.Kind != calsync.FaultHTTP || f.Status != 401 || f.Diagnostics != "2000002" || f.Claims != `{"a":1}` || f.Unknown {
			t.Errorf("%+v", f)
		}
	}
}

// tokenError has the methods that Credentials documents.
type tokenError struct{}

func (tokenError) Error() string             { return "no token" }
func (tokenError) OAuthError() string        { return "invalid_client" }
func (tokenError) HTTPStatus() int           { return 400 }
func (tokenError) RetryDelay() time.Duration { return time.Minute }

func TestNoToken(t *testing.T) {
	handler := func(http.ResponseWriter, *http.Request) { t.Error("a request without credentials was sent") }
	f := probe(t, handler, Options{Credentials: &rotating{err: fmt.Errorf("entra: %w", tokenError{})}})
	if f.Kind != calsync.FaultToken || f.Code != "invalid_client" || f.Status != 400 || f.BackOff != time.Minute || f.Unknown {
		t.Errorf("%+v", f)
	}
	f = probe(t, handler, Options{Credentials: &rotating{err: errors.New("plain")}})
	if f.Kind != calsync.FaultToken || f.Code != "" || f.Status != 0 {
		t.Errorf("%+v", f)
	}
}

// TestClearText: credentials cross no network in the clear, whether the URL is the fleet's or a target's.
func TestClearText(t *testing.T) {
	creds := Basic("u", "p")
	for url, want := range map[string]bool{
		"http://exchange.example/EWS/Exchange.asmx":  false,
		"http://10.0.0.5/EWS/Exchange.asmx":          false,
		"https://exchange.example/EWS/Exchange.asmx": true,
		"http://127.0.0.1:8445/EWS/Exchange.asmx":    true,
		"http://localhost/EWS/Exchange.asmx":         true,
		"http://[::1]/EWS/Exchange.asmx":             true,
		"http://localhost.example/":                  false,
		"https://user:secret@exchange.example/":      false,
		"ftp://exchange.example/":                    false,
		"exchange.example":                           false,
		"https://exchange.example:%zz/":              false,
	} {
		_, err := New(Options{URL: url, Credentials: creds})
		if (err == nil) != want {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %q", err)
		}
	}
	if _, err := New(Options{URL: "http://exchange.example/", Credentials: creds, AllowInsecure: true}); err != nil {
		t.Error(err)
	}
	sent := transport(func(*http.Request) (*http.Response, error) {
		t.Error("credentials were sent in the clear")
		return nil, errors.New("no")
	})
	c, err := New(Options{Credentials: creds, Transport: sent})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Probe(t.Context(), calsync.Target{Address: "a@b", URL: "http://exchange.example/"}, "", 0)
	if err == nil || !strings.Contains(err.Error(), "use https") {
		t.Errorf("%v", err)
	}
}

func TestOptionsFaultsComeTogether(t *testing.T) {
	_, err := New(Options{GetBatch: 101, PageSize: 513, Timeout: -1, MaxBody: -1, Connections: -1, Schema: "Exchange3000", URL: "nowhere"})
	for _, name := range []string{"GetBatch", "PageSize", "Timeout", "MaxBody", "Connections", "Schema", "URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is missing in %v", name, err)
		}
	}
}

func TestTargetFaults(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	c := client(t, s, Options{Impersonate: true})
	for _, target := range []calsync.Target{{Address: "a@b\r\nX-Evil: 1"}, {Address: "a b@c"}, {Address: "a@b", Schema: "Exchange3000"}} {
		_, err := c.Probe(t.Context(), target, "", 0)
		if f, ok := errors.AsType[*calsync.Fault](err); !ok || f.Kind != calsync.FaultMalformed || f.Unknown {
			t.Errorf("%+v: %v", target, err)
		}
	}
}

// TestSecretsAppearNowhere lets everything go wrong while a canary is the password, and looks at all that can be
// printed.
func TestSecretsAppearNowhere(t *testing.T) {
	const canary = "c4n4ry"
	creds := Basic("user", canary)
	encoded := strings.TrimPrefix(creds.(*basic).header, "Basic ")
	var texts []string
	see := func(vs ...any) {
		for _, v := range vs {
			texts = append(texts, fmt.Sprintf("%v %+v %#v %s", v, v, v, v))
		}
	}
	handlers := []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) },
		func(w http.ResponseWriter, r *http.Request) { // a server that repeats what it was sent
			xmlAnswer(200, r.Header.Get("Authorization")+"<"+r.Header.Get("Authorization"))(w, r)
		},
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://evil.example/?"+r.Header.Get("Authorization"))
			w.WriteHeader(302)
		},
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Ms-Diagnostics", r.Header.Get("Authorization"))
			w.Header().Set("Retry-After", r.Header.Get("Authorization"))
			w.WriteHeader(403)
		},
		func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		},
	}
	for _, h := range handlers {
		f := probe(t, h, Options{Credentials: creds})
		see(f.Error(), *f, f.Err)
	}
	see(creds, Options{Credentials: creds}.Credentials)
	for _, text := range texts {
		if strings.Contains(text, canary) || strings.Contains(text, encoded) {
			t.Errorf("a secret in %q", text)
		}
	}
	if len(texts) < 15 {
		t.Errorf("only %d texts were looked at", len(texts))
	}
}

func TestClaims(t *testing.T) {
	for header, want := range map[string]string{
		`Bearer realm="", claims="eyJhIjoiPz8/In0="`: `{"a":"???"}`,
		`Bearer realm="",claims="eyJhIjoiPz8_In0"`:   `{"a":"???"}`,
		`Bearer CLAIMS="eyJhIjoiPz8/In0"`:            `{"a":"???"}`,
		`Bearer claims="no base64!"`:                 "",
		`Bearer claims="bm8ganNvbg=="`:               "",
		`Bearer noclaims="eyJhIjoxfQ=="`:             "",
		`Bearer error="invalid_token"`:               "",
	} {
		if got := claims([]string{`Basic realm="x"`, header}); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}
