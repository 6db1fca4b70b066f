// Package tokens keeps one access token for everybody in the process who needs it.
//
// A [Cache] asks its [Source] once, however many callers wait; renews the token in the background before it expires,
// while the present one goes on serving; and spaces failures, so that neither a start of a thousand goroutines nor an
// outage of the token service nor a server that rejects every token turns into a storm of requests. [Bearer] puts
// the token on HTTP requests.
//
// A Source is a function. Package entra has one for Microsoft Entra. [Shared] wraps one so that all processes of a fleet
// have the same token, and one of them asks for it.
package tokens

import (
	"context"
	"time"
)

// Token is an access token.
type Token struct {
	Value   Secret
	Expires time.Time
	// RefreshAt is when the issuer wants it renewed (refresh_in); zero when it does not say.
	RefreshAt time.Time
	// Generation tells tokens of one credential apart, so that a rejection of an old one does not count against a new
	// one. The Cache numbers tokens whose Source leaves it empty.
	Generation string

	adopted bool // another process, or an earlier request, got it: the issuer was not asked now
}

// Request says why a token is asked for.
type Request struct {
	// Renewal says that a token is there, still serves and is due. Otherwise somebody waits for one.
	Renewal bool
	// Rejected is the generation that a server refused with 401, "" when a token is merely due.
	Rejected string
	// Prove says that the credential is new to this process: only a token that it got will do.
	Prove bool
	// Fresh says that somebody has put something right at the issuer's: neither a token nor a refusal of more than a
	// minute ago counts.
	Fresh bool
	// Claims is the challenge that came with the refusal (JSON), to be passed to the issuer, "" when there was none.
	Claims string
}

// Source asks for a new token; it must not answer from a cache of its own. Errors should be, or wrap, [*Error].
type Source func(ctx context.Context, r Request) (Token, error)
