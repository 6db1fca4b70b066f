package roomsapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// keys are the bearer tokens in force.
type keys struct {
	load func() ([]Token, error)
	log  zerolog.Logger

	mu     sync.Mutex // held for a moment only
	known  []key
	read   time.Time
	broken bool // the last reading failed

	turned int // requests without a right token since the last warning
	warned time.Time
}

// key is a token's digest: digests have one length, so that comparing them tells nothing, not even of lengths.
type key struct {
	name   string
	digest [sha256.Size]byte
}

// rereadEvery is for how long the tokens are used without looking at their file.
const rereadEvery = 5 * time.Second

// current reads the tokens when it is time to. Those before stay in force while they cannot be read.
func (k *keys) current() ([]key, error) {
	k.mu.Lock()
	known, due := k.known, time.Since(k.read) >= rereadEvery
	if due {
		k.read = time.Now()
	}
	k.mu.Unlock()
	if !due && known != nil {
		return known, nil
	}
	fresh, err := k.load()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if !k.broken && known != nil {
			k.log.Warn().Err(err).Msg("the API's tokens cannot be read; those before stay in force")
		}
		k.broken = true
		return known, err
	}
	if k.broken {
		k.log.Info().Msg("the API's tokens can be read again")
	}
	k.broken, k.known = false, digests(fresh)
	return k.known, nil
}

func digests(all []Token) []key {
	known := make([]key, len(all))
	for i, t := range all {
		known[i] = key{t.Name, sha256.Sum256([]byte(t.Token.Reveal()))}
	}
	return known
}

// holder is who has the token, or nobody. Every token is compared, whichever it is.
func (k *keys) holder(token string) (key, bool) {
	digest := sha256.Sum256([]byte(token))
	known, _ := k.current()
	var found key
	for _, x := range known {
		if subtle.ConstantTimeCompare(x.digest[:], digest[:]) == 1 {
			found = x
		}
	}
	return found, found.name != ""
}

// valid reports whether a token is in force still.
func (k *keys) valid(who key) bool {
	known, _ := k.current()
	for _, x := range known {
		if x == who {
			return true
		}
	}
	return false
}

type holderKey struct{}

// holderOf is whose token a request came with.
func holderOf(r *http.Request) key {
	k, _ := r.Context().Value(holderKey{}).(key)
	return k
}

// signedIn lets through who shows a bearer token (RFC 6750, section 2.1).
func (a *API) signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.keys == nil {
			refuse(w, http.StatusNotFound, problem{Type: problemOff, Detail: "start the dispatcher with --api-token-file to switch it on"})
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			a.turnAway(w, `Bearer realm="roomsync"`, "send the header Authorization: Bearer, with one of the tokens in the dispatcher's --api-token-file")
			return
		}
		who, ok := a.keys.holder(token)
		if !ok {
			a.turnAway(w, `Bearer realm="roomsync", error="invalid_token"`, "the token is none of those in the dispatcher's --api-token-file")
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), holderKey{}, who)))
	}
}

func (a *API) turnAway(w http.ResponseWriter, challenge, detail string) {
	if n := a.keys.turnedAway(); n > 0 {
		a.log.Warn().Int("requests", n).Msg("requests to the HTTP API came without a right token")
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, problem{Detail: detail})
}

// turnedAway counts a request, and returns how many there were when a warning is due: one a minute.
func (k *keys) turnedAway() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turned++
	if time.Since(k.warned) < time.Minute {
		return 0
	}
	n := k.turned
	k.turned, k.warned = 0, time.Now()
	return n
}
