package roomsapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
)

// What became of an event.
const (
	statusStored    = "stored"
	statusDuplicate = "duplicate"  // it was stored before, and Sequence says where
	statusRefused   = "refused"    // it is not stored, and repeating it does not help
	statusNotStored = "not-stored" // it is not stored; repeat it
	statusUnknown   = "unknown"    // NATS did not answer: it may be stored. Repeat it, with the same id
	statusSkipped   = "skipped"    // it was not tried, since another one was not stored; repeat it
)

// result is what became of one event of a request.
type result struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Status   string `json:"status"` // one of the status constants
	Sequence uint64 `json:"sequence,omitempty"`
	Detail   string `json:"detail,omitempty"`

	err error
}

func (r *result) stored() bool { return r.Status == statusStored || r.Status == statusDuplicate }

// passing reports whether it helps to repeat the event as it is.
func (r *result) passing() bool { return r.Status == statusNotStored || r.Status == statusUnknown }

// changes is POST /v1/changes.
func (a *API) changes(w http.ResponseWriter, r *http.Request) {
	if mode(r) == "" || cmp.Or(r.Header.Get("Content-Encoding"), "identity") != "identity" {
		w.Header().Set("Accept-Post", typeStructured+", "+typeBatch+", "+typeJSON)
		refuse(w, http.StatusUnsupportedMediaType, problem{Detail: "send " + typeStructured + ", " + typeBatch + ", or " + typeJSON + " with the attributes as ce- headers; in UTF-8, and not compressed"})
		return
	}
	if !bounded(r.Context(), a.posts, postPatience) {
		retryAfter(w, time.Second)
		refuse(w, http.StatusTooManyRequests, problem{Detail: fmt.Sprintf("%d requests are being stored already", maxPosts)})
		return
	}
	defer func() { <-a.posts }()
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	all, faults := a.decode(r, body)
	if len(faults) > 0 {
		a.invalid(w, all, faults)
		return
	}
	a.stored(w, r, a.store(r.Context(), all))
}

// readBody reads a request's body, or says why not.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // the server's own is for small requests
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, problem{Detail: fmt.Sprintf("a request has at most %d bytes", MaxBody)})
	case err != nil:
		refuse(w, http.StatusBadRequest, problem{Detail: fmt.Sprintf("the body could not be read to its end within %v", bodyTime)})
	}
	return body, err == nil
}

// most is how many faults an answer names.
const most = 100

func (a *API) invalid(w http.ResponseWriter, all []incoming, faults []fault) {
	status, detail := http.StatusBadRequest, ""
	if all == nil {
		detail = "the body is no batch of events that is taken"
	}
	if len(faults) > most {
		faults, detail = faults[:most], fmt.Sprintf("%d faults; the first %d are named", len(faults), most)
	}
	refuse(w, status, problem{Type: problemInvalid, Detail: detail, Errors: faults})
}

// storeTime bounds the storing of one request, and parallel how many of its mailboxes are served at once.
const (
	storeTime = 20 * time.Second
	parallel  = 16
)

// store stores events: those of one mailbox one after the other, those of different mailboxes at once. After the first failure
// in passing nothing more is tried, and never an event whose predecessor in the mailbox is not stored: order holds.
// It goes on when the client goes away, so that what was begun has an end.
func (a *API) store(ctx context.Context, all []incoming) []result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	var order []string
	boxes := map[string][]int{}
	for i, in := range all {
		if boxes[in.mailbox] == nil {
			order = append(order, in.mailbox)
		}
		boxes[in.mailbox] = append(boxes[in.mailbox], i)
	}
	results := make([]result, len(all))
	var trouble atomic.Bool
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(parallel, len(order)) {
		done.Go(func() {
			for n := next.Add(1); n <= int64(len(order)); n = next.Add(1) {
				a.storeMailbox(ctx, all, boxes[order[n-1]], results, &trouble)
			}
		})
	}
	done.Wait()
	return results
}

func (a *API) storeMailbox(ctx context.Context, all []incoming, own []int, results []result, trouble *atomic.Bool) {
	broken := false
	for _, i := range own {
		r := result{Index: i, ID: all[i].ID, Status: statusSkipped}
		switch {
		case broken:
			r.Detail = "an earlier event of this mailbox was not stored"
		case trouble.Load():
			r.Detail = "NATS had not stored another event of the batch"
		default:
			r = a.storeOne(ctx, i, all[i])
		}
		results[i] = r
		if r.stored() {
			continue
		}
		broken = true
		if r.passing() {
			trouble.Store(true)
		}
	}
}

func (a *API) storeOne(ctx context.Context, index int, in incoming) result {
	at, err := a.opts.Bus.PublishChange(ctx, in.mailbox, in.Event)
	r := result{Index: index, ID: in.ID, Status: statusStored, Sequence: at.Sequence, err: err}
	switch {
	case err == nil && at.Known:
		r.Status = statusDuplicate
	case err == nil:
	case errors.Is(err, bus.ErrOtherEvent):
		r.Status, r.Detail = statusRefused, "another event with this source and id is stored at the sequence named; each event has an id of its own"
	case errors.Is(err, bus.ErrTooLarge):
		r.Status, r.Detail, r.Sequence = statusRefused, "is larger than NATS takes", 0
	case errors.Is(err, bus.ErrFull):
		r.Status, r.Detail = statusNotStored, "the stream of changes is full; its operator must make room"
	case errors.Is(err, bus.ErrAway), bus.Definite(err):
		r.Status, r.Detail = statusNotStored, "NATS does not take it at present"
	default:
		r.Status, r.Detail = statusUnknown, "NATS did not answer, so that it may be stored: repeat it with the same id"
	}
	return r
}

// How long a client is to wait before it repeats what was not stored.
const (
	retryAway = 5 * time.Second
	retryFull = 30 * time.Second
)

// accepted is the answer when everything is stored.
type accepted struct {
	Results []result `json:"results"`
}

// stored answers, and promises nothing that is not stored.
func (a *API) stored(w http.ResponseWriter, r *http.Request, results []result) {
	count, cause := 0, error(nil)
	for _, res := range results {
		if res.stored() {
			count++
		} else if cause == nil || res.passing() {
			cause = cmp.Or(res.err, cause)
		}
	}
	status := statusOf(results)
	level := zerolog.DebugLevel
	if status == http.StatusServiceUnavailable {
		level = zerolog.WarnLevel
	}
	a.log.WithLevel(level).Err(cause).Str("token", holderOf(r).name).Int("events", len(results)).Int("stored", count).Int("status", status).Msg("changes posted")
	if status == http.StatusAccepted {
		answer(w, status, typeJSON, accepted{results})
		return
	}
	detail := fmt.Sprintf("%d of %d events are stored", count, len(results))
	if status == http.StatusServiceUnavailable {
		wait := retryAway
		if errors.Is(cause, bus.ErrFull) {
			wait = retryFull
		}
		retryAfter(w, wait)
		detail += "; repeat the whole request: those stored already are not stored twice"
	}
	refuse(w, status, problem{Type: problemNotStored, Detail: detail, Results: results})
}

// statusOf is the answer's status: while it helps to repeat any event, that is what the client is to do.
func statusOf(results []result) int {
	status := http.StatusAccepted
	for _, res := range results {
		switch {
		case res.passing():
			return http.StatusServiceUnavailable
		case errors.Is(res.err, bus.ErrTooLarge):
			status = http.StatusRequestEntityTooLarge
		case res.Status == statusRefused && status == http.StatusAccepted:
			status = http.StatusConflict
		}
	}
	return status
}
