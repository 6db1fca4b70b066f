package entra

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

type answer = http.HandlerFunc

// echo answers with a text, and what it was sent behind it.
func echo(status int, text string) answer {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text+" "+r.PostForm.Encode())
	}
}

// jwt is what an issuer of another house might have signed.
func jwt(t *testing.T, expires time.Time) string {
	t.Helper()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256","kid":"1"}`) + "." + part(fmt.Sprintf(`{"iss":"https://issuer.example","sub":"system:serviceaccount:rooms:worker","exp":%d}`, expires.Unix())) + "." + part("canary-signature")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFederated_ReadsTheFileForEachToken(t *testing.T) {
	a := newAuthority(t, nil)
	file := t.TempDir() + "/token"
	o := a.options()
	o.Secret, o.Assertion = nil, TokenFile(file)
	c := newClient(t, o)
	for i, life := range []time.Duration{time.Hour, 2 * time.Hour} {
		token := jwt(t, time.Now().Add(life))
		write(t, file, token+"\n")
		if _, err := c.Token(t.Context(), tokens.Request{}); err != nil {
			t.Fatal(err)
		}
		f := a.forms[i]
		if f.Get("client_assertion") != token || f.Get("grant_type") != "client_credentials" || !strings.Contains(f.Get("scope"), DefaultScope) {
			t.Errorf("sent %v", f)
		}
	}
	if a.discovery != 1 {
		t.Errorf("the discovery document was read %d times", a.discovery)
	}
}

func TestFederated_Faults(t *testing.T) {
	a := newAuthority(t, nil)
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"missing":         {"", "does not exist"},
		"empty":           {" \n", "is empty"},
		"expired":         {jwt(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), "expired at 2026-01-02T03:04:05Z"},
		"no JWT":          {"hello canary", "no JSON Web Token"},
		"no base64":       {"a.canary!.c", "no JSON Web Token"},
		"no JSON":         {"a." + base64.RawURLEncoding.EncodeToString([]byte("canary")) + ".c", "no JSON Web Token"},
		"exp that is odd": {"a." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":"canary"}`)) + ".c", "no JSON Web Token"},
	} {
		file := dir + "/" + strings.ReplaceAll(name, " ", "-")
		if tt.text != "" {
			write(t, file, tt.text)
		}
		o := a.options()
		o.Secret, o.Assertion = nil, TokenFile(file)
		_, err := newClient(t, o).Token(t.Context(), tokens.Request{})
		if e := asError(t, err); !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) || e.Status != 0 {
			t.Errorf("%s: %v", name, err)
		}
		wantNoSecret(t, err)
	}
	if len(a.forms)+a.discovery != 0 {
		t.Errorf("%d requests were sent", len(a.forms)+a.discovery)
	}
	o := a.options()
	o.Secret, o.Assertion = nil, func() (tokens.Secret, error) { return tokens.Secret{}, nil }
	if _, err := newClient(t, o).Token(t.Context(), tokens.Request{}); !errors.Is(err, errEmptySecret) {
		t.Errorf("nothing: %v", err)
	}
}

func TestFederated_WithoutExpiry(t *testing.T) {
	file := t.TempDir() + "/token"
	write(t, file, "a."+base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"x"}`))+".c")
	if s, err := TokenFile(file)(); err != nil || s.IsZero() {
		t.Errorf("a token without exp is for Entra to judge: %v", err)
	}
	if _, err := TokenFile(t.TempDir())(); err == nil {
		t.Error("read a folder")
	}
}
