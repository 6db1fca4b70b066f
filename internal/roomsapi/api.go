// Package roomsapi serves a ROOMS that does not speak NATS, with the same events as on NATS (docs/http-api.md):
//
//   - POST /v1/changes takes ROOMS' bookings, and answers when JetStream has stored them;
//   - GET /v1/events tells what happened in Exchange, as server-sent events or by long polling, from any position on;
//   - a webhook posts the same events, signed, in order per mailbox.
//
// Nothing is kept in the process: the position of a reader is its own affair, that of the webhook stands in NATS. So any number
// of dispatchers may serve, and any of them may die.
package roomsapi

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/tokens"
)

// Bounds of what is taken and of what is done at once, by one process. docs/http-api.md and openapi.json name them.
const (
	MaxBody    = 2 << 20 // bytes of a request
	MaxBatch   = 500     // events of a request
	MaxReaders = 64      // streams and polls at once
	maxPosts   = 32      // requests that are being stored at once
)

const (
	postPatience = 2 * time.Second  // for one of the maxPosts
	bodyTime     = 30 * time.Second // to send a request's body
)

// Token is a bearer token and the name of who has it.
type Token struct {
	Name  string
	Token tokens.Secret
}

// Options say what an API works with. Bus is needed, and has been through Ensure or Check.
type Options struct {
	Bus *bus.Bus
	Log zerolog.Logger
	// Name tells this process from the others of the fleet.
	Name string
	// MailboxToken is how an address stands in subjects of this fleet.
	MailboxToken func(address string) string
	// Tokens reads the bearer tokens anew; nil switches the API off.
	Tokens func() ([]Token, error)
	// Webhook says where events are posted; nil for nowhere.
	Webhook *WebhookOptions
}

// API serves one ROOMS.
type API struct {
	opts    Options
	log     zerolog.Logger
	keys    *keys
	feed    *feed
	webhook *webhook
	posts   chan struct{}
	readers chan struct{}
}

// New makes an API; it does nothing until its Run.
func New(o Options) (*API, error) {
	if o.Bus == nil || o.MailboxToken == nil {
		return nil, errors.New("roomsapi: a bus and a way to name mailboxes are needed")
	}
	a := &API{opts: o, log: o.Log, feed: newFeed(o.Bus, o.Log), posts: make(chan struct{}, maxPosts), readers: make(chan struct{}, MaxReaders)}
	if o.Tokens != nil {
		a.keys = &keys{load: o.Tokens, log: o.Log}
		if _, err := a.keys.current(); err != nil {
			return nil, err
		}
	}
	if o.Webhook != nil {
		var err error
		if a.webhook, err = newWebhook(o, a.feed); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Run reads what is handed out, and posts, until ctx ends. Without it GET /v1/events tells nothing new.
func (a *API) Run(ctx context.Context) {
	if a.keys == nil && a.webhook == nil {
		<-ctx.Done()
		return
	}
	var parts sync.WaitGroup
	parts.Go(func() { a.feed.run(ctx) })
	if a.webhook != nil {
		parts.Go(func() { a.webhook.run(ctx) })
	}
	parts.Wait()
}

//go:embed openapi.json
var openAPI []byte

// route is one operation. Those that are not open ask for a token.
type route struct {
	method, path string
	open         bool
	serve        func(a *API, w http.ResponseWriter, r *http.Request)
}

var routes = []route{
	{http.MethodPost, "/v1/changes", false, (*API).changes},
	{http.MethodGet, "/v1/events", false, (*API).events},
	{http.MethodGet, "/v1/webhook", false, (*API).webhookState},
	{http.MethodGet, "/v1/openapi.json", true, (*API).document},
}

// Handler serves the paths below /v1/, and leaves all others to other.
func (a *API) Handler(other http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", other)
	mux.HandleFunc("/v1/", a.plain(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, problem{Detail: "there is nothing at this path; /v1/openapi.json lists what there is"})
	}))
	for _, rt := range routes {
		serve := func(w http.ResponseWriter, r *http.Request) { rt.serve(a, w, r) }
		if !rt.open {
			serve = a.signedIn(serve)
		}
		mux.HandleFunc(rt.path, a.plain(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != rt.method { // HEAD as well: a stream without events has no end
				w.Header().Set("Allow", rt.method)
				refuse(w, http.StatusMethodNotAllowed, problem{Detail: "only " + rt.method + " is served here"})
				return
			}
			serve(w, r)
		}))
	}
	return mux
}

// plain sets what every answer has.
func (a *API) plain(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next(w, r)
	}
}

func (a *API) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}

// bounded reports whether one of so many places was had; the caller gives it back. It waits for one, but not for long.
func bounded(ctx context.Context, places chan struct{}, patience time.Duration) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case places <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func retryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(d/time.Second)))
}
