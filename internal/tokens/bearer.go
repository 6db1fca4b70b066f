package tokens

import (
	"context"
	"net/http"
)

// Credentials authenticates HTTP requests with the token of a [Cache].
type Credentials struct{ cache *Cache }

// Bearer authenticates requests as RFC 6750 says, with the token of c.
func Bearer(c *Cache) Credentials { return Credentials{c} }

// Apply puts the present token on r and returns its generation, for [Credentials.Reject]. Errors are those of
// [Cache.Get].
func (b Credentials) Apply(ctx context.Context, r *http.Request) (generation string, err error) {
	t, err := b.cache.Get(ctx)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+t.Value.Reveal())
	return t.Generation, nil
}

// Reject says that a server answered 401 to a token of this generation, with the claims challenge of that answer if
// it had one. It reports whether the request is worth repeating with another token. See [Cache.Reject].
func (b Credentials) Reject(ctx context.Context, generation, claims string) (retry bool, err error) {
	return b.cache.Reject(ctx, generation, claims)
}
