package ews

import (
	"context"
	"encoding/base64"
	"net/http"
)

// Credentials authenticates requests.
type Credentials interface {
	// Apply sets headers of the request, usually Authorization. The generation names the credentials used, so that
	// Reject can tell whether they have been renewed meanwhile. An error that has the methods OAuthError() string,
	// HTTPStatus() int, RetryDelay() time.Duration or RefusalReason() string gives the Fault its Code, Status, BackOff or Reason; one whose
	// CredentialUnusable() is true says that there is nothing to sign in with. Errors must not hold secrets.
	Apply(ctx context.Context, r *http.Request) (generation string, err error)

	// Reject reports that the server answered 401 to that generation, with the claims challenge (JSON) or "". It returns true
	// if other credentials are there now and the request is worth repeating.
	Reject(ctx context.Context, generation, claims string) (retry bool, err error)
}

// Connector is implemented by credentials that belong to connections, as those of NTLM do, or that have to see the
// answers. They carry the requests themselves, over connections like those of base; Apply and Reject have nothing to do
// then. An error of that transport that has the method SignInFailed() counts as one of Apply.
type Connector interface {
	Connect(base *http.Transport) http.RoundTripper
}

// Basic authenticates by user name and password. Exchange Online refuses it; servers on premises may allow it.
func Basic(user, password string) Credentials {
	return &basic{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

type basic struct{ header string }

func (b *basic) Apply(_ context.Context, r *http.Request) (string, error) {
	r.Header.Set("Authorization", b.header)
	return "", nil
}

func (b *basic) Reject(context.Context, string, string) (bool, error) { return false, nil }

// String and GoString keep the password out of whatever prints the credentials.
func (b *basic) String() string   { return "Basic (redacted)" }
func (b *basic) GoString() string { return "ews.Basic(redacted)" }

type anonymous struct{}

func (anonymous) Apply(context.Context, *http.Request) (string, error)         { return "", nil }
func (anonymous) Reject(context.Context, string, string) (retry bool, e error) { return false, nil }
