package signin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/Azure/go-ntlmssp"
)

const ntlmHint = "the server refuses the service user: name or password is wrong, or the account is locked, expired, disabled or not allowed to sign in over the network " +
	"(event 4625 in the server's security log says which; a proxy that ends TLS also makes Extended Protection refuse everybody); " +
	`check --username (ExchangeServiceUser, as DOMAIN\user or user@domain) and --password-file (ExchangeServicePassword)`

// NTLM signs connections in (MS-NLMP, MS-NTHT), with NTLMv2 only and never by Basic, whatever the server offers. A
// connection that is signed in serves one request after the other, and this user alone. It is credentials for package
// ews.
//
// The messages are those of go-ntlmssp. Its Negotiator is not used: it lets the three messages of a handshake go over
// whichever connections of a pool are free, so that they part when there are many requests at once, and it answers
// with the first 401 when a later message fails, so that a request which the server has carried out would count as
// refused. Nor has it channel bindings, without which Exchange's Extended Protection refuses everybody: see
// [withBinding]. What it cannot do, and what is not needed here: signing, sealing and the message integrity code.
type NTLM struct {
	none
	user   User
	guards *guards
}

// NewNTLM returns credentials. It sends and reads nothing yet.
func NewNTLM(u User) *NTLM { return &NTLM{user: u, guards: newGuards(ntlmHint, u.Fleet)} }

// String keeps the password out of whatever prints n.
func (n *NTLM) String() string { return "NTLM (redacted)" }

// GoString does so too.
func (n *NTLM) GoString() string { return "signin.NTLM(redacted)" }

// Barred says why no request can be signed in at present, or nothing. It sends nothing.
func (n *NTLM) Barred() error { return n.user.barred(n.guards) }

// Close ends what goes on beside requests. It can still sign in.
func (n *NTLM) Close() { n.guards.end() }

// Connect returns a transport whose connections are like those of base, but speak HTTP/1.1 only.
func (n *NTLM) Connect(base *http.Transport) http.RoundTripper {
	return &ntlmTransport{NTLM: n, lines: newPool(base)}
}

type ntlmTransport struct {
	*NTLM
	lines *pool

	schemes sync.Map // of a server to the scheme that it takes: "NTLM" or "Negotiate"
}

// CloseIdleConnections is for [http.Client].
func (t *ntlmTransport) CloseIdleConnections() { t.lines.closeIdle() }

// handshakes is how many connections are tried when the server closes one after the other before it has the request.
const handshakes = 3

// RoundTrip implements [http.RoundTripper].
func (t *ntlmTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := replayable(r)
	if err != nil {
		return nil, err
	}
	c := call{t, r, func() *http.Request { return withBody(r, body) }, serverOf(r.URL)}
	for failed := 0; failed < handshakes; {
		l, fresh := t.lines.take(c.server)
		resp, err := c.over(l)
		if err == nil {
			return t.lines.deliver(l, c.server, r, resp), nil
		}
		l.close()
		if !errors.Is(err, errGone) {
			return nil, err
		}
		if fresh { // an idle one may well be closed
			failed++
		}
	}
	return nil, &Error{Hint: "the server, or a proxy before it, closes the connection during the NTLM handshake: it must keep connections"}
}

// call is a request on its way.
type call struct {
	*ntlmTransport
	r      *http.Request
	anew   func() *http.Request // r with its body
	server string
}

// over sends the request by a line, which is signed in first if it must be. Unless the error is errGone or an *[Error],
// the server may have got the request.
func (c call) over(l *line) (*http.Response, error) {
	if l.signed && c.guards.of(c.server).check() {
		l.signed = false
	}
	if l.signed {
		resp, err := l.rt.RoundTrip(c.anew())
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
		drain(resp) // the server has forgotten this connection
		l.signed = false
	}
	for tried := ""; ; {
		password, err := c.user.password()
		if err != nil {
			return nil, err
		}
		resp, err := c.signIn(l, password)
		refusal, isRefusal := err.(*Error)
		if !isRefusal || refusal.Status == 0 || tried != "" || !c.changed(password) {
			return resp, err
		}
		tried = password
	}
}

// changed says whether there is another password by now.
func (c call) changed(password string) bool {
	now, err := c.user.password()
	return err == nil && now != password
}

// signIn makes the handshake, whose last message carries the request.
func (c call) signIn(l *line, password string) (*http.Response, error) {
	leave, err := c.guards.of(c.server).enter(c.r.Context(), password)
	if err != nil {
		return nil, err
	}
	resp, o, err := c.handshake(l, password)
	barred := leave(o)
	if err != nil {
		return nil, err
	}
	if barred != nil {
		drain(resp)
		return nil, barred
	}
	return resp, nil
}

func (c call) handshake(l *line, password string) (*http.Response, outcome, error) {
	scheme, challenge, resp, err := c.challenge(l)
	if err != nil || resp != nil {
		return resp, unknown, err
	}
	message, err := ntlmssp.NewAuthenticateMessage(challenge, c.user.Name, password, nil)
	if err != nil {
		return nil, unknown, errChallenge
	}
	resp, err = l.rt.RoundTrip(authorized(c.anew(), scheme+" "+base64.StdEncoding.EncodeToString(message)))
	if err != nil {
		return nil, unknown, err
	}
	o := outcomeOf(resp)
	l.signed = o != refused && resp.Header.Get("Persistent-Auth") != "false"
	return resp, o, nil
}

var errChallenge = &Error{Hint: "the server gives no NTLM challenge that is understood: it must speak NTLMv2"}

// challenge sends the first message, without the request's body, and returns the server's challenge with the channel
// binding in it. A server that asks nobody to sign in gets the request at once; what else it answers is the answer.
func (c call) challenge(l *line) (scheme string, challenge []byte, answer *http.Response, err error) {
	scheme = "NTLM"
	if s, ok := c.schemes.Load(c.server); ok {
		scheme = s.(string)
	}
	for range 2 {
		resp, err := l.rt.RoundTrip(c.negotiate(scheme))
		if err != nil {
			return "", nil, nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized {
			answer, err := c.unasked(l, resp)
			return "", nil, answer, err
		}
		all, token := offers(resp.Header, scheme)
		drain(resp)
		if token != "" {
			challenge, err := base64.StdEncoding.DecodeString(token)
			if err != nil {
				return "", nil, nil, errChallenge
			}
			c.schemes.Store(c.server, scheme)
			return scheme, withBinding(challenge, resp.TLS), nil, nil
		}
		other := map[string]string{"NTLM": "Negotiate", "Negotiate": "NTLM"}[scheme]
		switch {
		case offered(all, scheme):
			return "", nil, nil, errChallenge
		case !offered(all, other):
			return "", nil, nil, notOffered("NTLM", all, "switch Windows authentication on for the virtual directory /EWS, or use another --auth")
		}
		scheme = other
	}
	return "", nil, nil, errChallenge
}

// negotiate is the first message. MS-NTHT lets it go without a body, which would only be sent to be refused.
func (c call) negotiate(scheme string) *http.Request {
	q := c.r.WithContext(c.r.Context())
	q.Body, q.GetBody, q.ContentLength = http.NoBody, nil, 0
	return authorized(q, scheme+" "+negotiateMessage())
}

var negotiateMessage = sync.OnceValue(func() string {
	message, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		panic(fmt.Sprintf("signin: %v", err)) // there is nothing in it that could be wrong
	}
	return base64.StdEncoding.EncodeToString(message)
})

// unasked handles an answer to the first message that is no 401.
func (c call) unasked(l *line, resp *http.Response) (*http.Response, error) {
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusBadRequest {
		return resp, nil
	}
	drain(resp)
	l.signed = true
	return l.rt.RoundTrip(c.anew())
}
