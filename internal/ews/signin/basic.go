package signin

import (
	"encoding/base64"
	"net/http"
	"sync"
)

const basicHint = "the server refuses the service user: name or password is wrong, or the account is locked, expired or disabled; " +
	"check --username (ExchangeServiceUser) and --password-file (ExchangeServicePassword)"

// Basic signs each request in with name and password as they are (RFC 7617). Exchange Online refuses it; servers on
// premises may allow it. It is credentials for package ews.
type Basic struct {
	none
	user   User
	guards *guards

	mu       sync.Mutex
	password string // as read last
}

// NewBasic returns credentials. It sends and reads nothing yet.
func NewBasic(u User) *Basic { return &Basic{user: u, guards: newGuards(basicHint, u.Fleet)} }

// String keeps the password out of whatever prints b.
func (b *Basic) String() string { return "Basic (redacted)" }

// GoString does so too.
func (b *Basic) GoString() string { return "signin.Basic(redacted)" }

// Barred says why no request can be signed in at present, or nothing. It sends nothing.
func (b *Basic) Barred() error { return b.user.barred(b.guards) }

// Close ends what goes on beside requests. It can still sign in.
func (b *Basic) Close() { b.guards.end() }

// Connect returns a transport that signs requests in and carries them by base.
func (b *Basic) Connect(base *http.Transport) http.RoundTripper { return &basicTransport{b, base} }

type basicTransport struct {
	*Basic
	base *http.Transport
}

// RoundTrip implements [http.RoundTripper]. The password is read anew when the one in use is refused or barred; another
// one is tried at once.
func (b *basicTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := replayable(r)
	if err != nil {
		return nil, err
	}
	password, err := b.present(false)
	if err != nil {
		return nil, err
	}
	resp, err := b.try(r, withBody(r, body), password)
	_, isRefusal := err.(*Error)
	if !isRefusal && (err != nil || resp.StatusCode != http.StatusUnauthorized) {
		return resp, err
	}
	renewed, readErr := b.present(true)
	if readErr != nil || renewed == password {
		return resp, err
	}
	if resp != nil {
		drain(resp)
	}
	return b.try(r, withBody(r, body), renewed)
}

// present returns the password, read anew if anew says so or it was never read.
func (b *Basic) present(anew bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.password != "" && !anew {
		return b.password, nil
	}
	p, err := b.user.password()
	if err != nil {
		return "", err
	}
	b.password = p
	return p, nil
}

// try sends the request with one password. A refusal that bars the password is an *[Error].
func (b *basicTransport) try(r, q *http.Request, password string) (*http.Response, error) {
	leave, err := b.guards.of(serverOf(r.URL)).enter(r.Context(), password)
	if err != nil {
		return nil, err
	}
	resp, err := b.base.RoundTrip(authorized(q, "Basic "+base64.StdEncoding.EncodeToString([]byte(b.user.Name+":"+password))))
	if err != nil {
		_ = leave(unknown)
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		if all, _ := offers(resp.Header, ""); !offered(all, "Basic") && len(all) > 0 {
			_ = leave(unknown)
			drain(resp)
			return nil, notOffered("Basic", all, "use --auth ntlm, or switch Basic authentication on for the virtual directory /EWS")
		}
	}
	if barred := leave(outcomeOf(resp)); barred != nil {
		drain(resp)
		return nil, barred
	}
	resp.Request = r
	return resp, nil
}
