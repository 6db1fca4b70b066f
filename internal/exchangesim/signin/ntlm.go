package signin

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/hook"
	"roomsync/internal/exchangesim/ntlm"
)

// connection is what NTLM knows of one: it signs in a connection, not a request. The three messages must come on the
// same one, and what comes on it afterwards needs no more credentials.
type connection struct {
	mu        sync.Mutex
	handshake *ntlm.Handshake // that waits for its answer
	address   string          // who has signed in
}

type connectionKey struct{}

// ConnContext is for http.Server.ConnContext: it gives each connection the memory that NTLM needs.
func (a *Authenticator) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// maxConnections bounds the memory of a server without ConnContext.
const maxConnections = 4096

// connection finds a request's. A server that was not given ConnContext, such as a plain httptest.Server, is told apart
// by the client's address: a later connection from the same port would inherit the sign-in.
func (a *Authenticator) connection(r *http.Request) *connection {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.connections[r.RemoteAddr]
	if c == nil && r.Header.Get("Authorization") == "" {
		return &connection{} // nothing to remember
	}
	if c == nil {
		if len(a.connections) >= maxConnections {
			clear(a.connections)
		}
		c = &connection{}
		a.connections[r.RemoteAddr] = c
	}
	return c
}

// negotiate takes a step of NTLM, bare or as Negotiate, which carries it just so. Kerberos and SPNEGO are refused.
func (a *Authenticator) negotiate(r *http.Request, scheme, credential string) (hook.Principal, *hook.Answer) {
	c := a.connection(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	handshake := c.handshake
	c.handshake, c.address = nil, ""
	message, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credential))
	if err != nil {
		return a.refuse(hook.NoCredentials)
	}
	if ntlm.Type(message) == ntlm.Negotiate {
		return a.challenge(c, scheme, message)
	}
	answer, err := ntlm.Parse(message)
	if err != nil || handshake == nil {
		return a.refuse(hook.NoCredentials)
	}
	address := a.accountOf(answer)
	outcome := a.opts.Users.Check(address, func(password string) bool { return answer.Proves(handshake, password) })
	if outcome.OnPremises() != directory.OK {
		return a.refuse(hook.WrongPassword)
	}
	c.address = address
	return a.user(address, hook.NTLM), nil
}

func (a *Authenticator) accountOf(answer *ntlm.Answer) string {
	if answer.Domain == "" {
		return a.opts.Users.Address(answer.User)
	}
	return a.opts.Users.Address(answer.Domain + `\` + answer.User)
}

// challenge is the 401 that goes on with the handshake. It is no refusal and not counted as one.
func (a *Authenticator) challenge(c *connection, scheme string, negotiate []byte) (hook.Principal, *hook.Answer) {
	server := ntlm.Server{Domain: a.opts.Users.NetBIOS(), Computer: "SIM-FE01", DNS: a.opts.Users.Domain()}
	handshake, message, err := server.Challenge(negotiate, time.Now())
	if err != nil {
		return a.refuse(hook.NoCredentials)
	}
	c.handshake = handshake
	return hook.Principal{}, &hook.Answer{Status: http.StatusUnauthorized, Header: http.Header{
		"Www-Authenticate": {scheme + " " + base64.StdEncoding.EncodeToString(message)},
	}}
}

// signedIn is who signed in on the request's connection before; "" when nobody did.
func (a *Authenticator) signedIn(r *http.Request) string {
	c := a.connection(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.address
}
