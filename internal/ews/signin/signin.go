// Package signin signs in to Exchange on premises with the name and password of a service user: by NTLM, which
// authenticates a connection, or by Basic, which authenticates a request.
//
// A wrong password must not lock the account. Until a password has worked it is tried by one request at a time while
// the others wait, and one that was refused is not tried again for ten minutes (see [guard]). A password that was
// changed meanwhile is tried at once.
package signin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// User is the service user.
type User struct {
	// Name is DOMAIN\user or a user principal name.
	Name string
	// Password returns the password as it is now. It is called when a connection is signed in, and after a refusal.
	Password func() (string, error)
	// Fleet shares with other processes what is known of passwords; nil for none.
	Fleet Fleet
}

// Error says why the service user cannot be signed in. It never holds the password.
type Error struct {
	Status int           // HTTP status of the refusal, 0 when there was none
	Retry  time.Duration // when it is worth trying again; 0 leaves it to the caller
	Hint   string        // what the operator can do
	Err    error
	// Unusable says that nothing was sent: the password cannot be had.
	Unusable bool
}

// Error gives the cause and the hint.
func (e *Error) Error() string {
	s := "signin: "
	if e.Err != nil {
		s += e.Err.Error() + ": "
	}
	return s + e.Hint
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns Status, for package ews.
func (e *Error) HTTPStatus() int { return e.Status }

// RetryDelay returns Retry, for package ews.
func (e *Error) RetryDelay() time.Duration { return e.Retry }

// CredentialUnusable returns Unusable, for package ews.
func (e *Error) CredentialUnusable() bool { return e.Unusable }

// SignInFailed tells package ews that the transport did not fail, but what it signs in with.
func (e *Error) SignInFailed() {}

// none are the parts of ews.Credentials that a transport which signs in has no use for.
type none struct{}

// Apply implements ews.Credentials.
func (none) Apply(context.Context, *http.Request) (string, error) { return "", nil }

// Reject implements ews.Credentials. A 401 that comes so far is one of a password that has worked before.
func (none) Reject(context.Context, string, string) (bool, error) { return false, nil }

func (u User) password() (string, error) {
	p, err := u.Password()
	if err == nil && p == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", &Error{Unusable: true, Err: err, Hint: "give the service user's password: --password-file (ExchangeServicePassword)"}
	}
	return p, nil
}

// barred says why the present password can be tried nowhere.
func (u User) barred(g *guards) error {
	g.mu.Lock()
	none := len(g.by) == 0
	g.mu.Unlock()
	if none { // nothing was tried yet, and the file is not read in vain
		return nil
	}
	p, err := u.password()
	if err != nil {
		return err
	}
	return g.barred(p)
}

// replayable returns the request's body as often as it is asked for, and closes the original.
func replayable(r *http.Request) (func() io.ReadCloser, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() io.ReadCloser { return http.NoBody }, nil
	}
	defer func() { _ = r.Body.Close() }()
	get := r.GetBody
	if get == nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		get = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	}
	return func() io.ReadCloser {
		body, err := get()
		if err != nil {
			return io.NopCloser(failing{err})
		}
		return body
	}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// withBody is r anew with its body.
func withBody(r *http.Request, body func() io.ReadCloser) *http.Request {
	q := r.WithContext(r.Context())
	q.Body = body()
	q.GetBody = func() (io.ReadCloser, error) { return body(), nil }
	return q
}

// authorized adds the header to a copy.
func authorized(q *http.Request, value string) *http.Request {
	q.Header = q.Header.Clone()
	q.Header.Set("Authorization", value)
	return q
}

// maxDrained bounds what is read of an answer that is thrown away, so that its connection can be used again.
const maxDrained = 64 << 10

func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrained)
	_ = resp.Body.Close()
}

// offers lists the schemes of a 401 (RFC 9110, section 11.6.1), and the token that came with one of them.
func offers(h http.Header, scheme string) (all []string, token string) {
	for _, line := range h.Values("Www-Authenticate") {
		for part := range strings.SplitSeq(line, ",") {
			words := strings.Fields(part)
			if len(words) == 0 || strings.Contains(words[0], "=") { // a parameter of the scheme before
				continue
			}
			all = append(all, words[0])
			if strings.EqualFold(words[0], scheme) && len(words) == 2 {
				token = words[1]
			}
		}
	}
	return all, token
}

func offered(all []string, scheme string) bool {
	for _, s := range all {
		if strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

// notOffered says that the server takes other ways to sign in.
func notOffered(scheme string, all []string, hint string) error {
	list := strings.Join(all, ", ")
	if list == "" {
		list = "nothing"
	}
	return &Error{Status: http.StatusUnauthorized, Hint: fmt.Sprintf("the server does not offer %s but %s: %s", scheme, list, hint)}
}
