package roomsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"roomsync/events"
)

// wanted is what a reader asks for.
type wanted struct {
	mailbox string // token, or everybody
	types   []string
	after   uint64
	placed  bool // after was given; otherwise only what comes is wanted
	limit   int
	wait    time.Duration
}

func (q *wanted) takes(e *entry) bool { return len(q.types) == 0 || slices.Contains(q.types, e.Type) }

// Bounds of GET /v1/events with long polling.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxWait      = 60 * time.Second
)

// Media types of GET /v1/events.
const typeStream = "text/event-stream"

// events is GET /v1/events.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	media := form(r)
	if media == "" {
		refuse(w, http.StatusNotAcceptable, problem{Detail: "accept " + typeStream + ", or " + typeJSON + " for long polling"})
		return
	}
	q, faults := a.wanted(r)
	if len(faults) > 0 {
		refuse(w, http.StatusBadRequest, problem{Detail: strings.Join(faults, "; ")})
		return
	}
	if !bounded(r.Context(), a.readers, 0) {
		retryAfter(w, retryAway)
		refuse(w, http.StatusTooManyRequests, problem{Detail: fmt.Sprintf("%d readers are served already; one for all mailboxes is enough", MaxReaders)})
		return
	}
	defer func() { <-a.readers }()
	rd, err := a.place(r.Context(), q)
	if err != nil {
		a.lost(w, err)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // else the server would end the stream
	if media == typeStream {
		a.stream(w, r, q, rd)
	} else {
		a.poll(w, r, q, rd)
	}
}

// place makes a reader, once it is certain that nothing after its position is missing.
func (a *API) place(ctx context.Context, q wanted) (*reader, error) {
	rd := a.feed.reader(q.mailbox, q.after)
	first, last, err := a.opts.Bus.EventsKept(ctx)
	switch {
	case err != nil:
		return nil, err
	case !q.placed:
		rd.at = last
	case q.after > 0 && (q.after+1 < first || q.after > last):
		return nil, &forgottenError{first, last}
	}
	return rd, nil
}

// lost says why nothing can be read.
func (a *API) lost(w http.ResponseWriter, err error) {
	var f *forgottenError
	if !errors.As(err, &f) {
		retryAfter(w, retryAway)
		refuse(w, http.StatusServiceUnavailable, problem{Detail: "NATS does not answer at present"})
		return
	}
	oldest := f.first - 1
	refuse(w, http.StatusGone, problem{Type: problemForgotten, Oldest: &oldest, Detail: fmt.Sprintf(
		"events %d to %d are kept: some that you have not seen are gone. Read on after %d, and compare everything anew", f.first, f.last, oldest)})
}

// form chooses between the two forms of the answer.
func form(r *http.Request) string {
	all := strings.Join(r.Header.Values("Accept"), ",")
	if all == "" {
		return typeStream
	}
	for v := range strings.SplitSeq(all, ",") {
		switch mediaType, _, _ := mime.ParseMediaType(v); mediaType {
		case typeStream, "text/*", "*/*":
			return typeStream
		case typeJSON, "application/*":
			return typeJSON
		}
	}
	return ""
}

// tokenOnly is what a mailbox token looks like; anything else would be a pattern of NATS.
var tokenOnly = regexp.MustCompile(`^[a-z0-9_=A-F-]{1,800}$`)

// wanted reads the query, and names every fault in it. Last-Event-ID counts before after, as it is newer when a client
// comes back to the URL that it began with.
func (a *API) wanted(r *http.Request) (q wanted, faults []string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, []string{"the query is malformed"}
	}
	for name := range query {
		if !slices.Contains([]string{"mailbox", "type", "after", "limit", "wait"}, name) {
			faults = append(faults, "there is no parameter "+strconv.Quote(name))
		}
	}
	slices.Sort(faults)
	number := func(name, v string, low, high, standard uint64) uint64 {
		if v == "" {
			return standard
		}
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil || n < low || n > high {
			faults = append(faults, fmt.Sprintf("%s must be a whole number from %d to %d", name, low, high))
		}
		return n
	}
	name, at := "after", query.Get("after")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		name, at = "Last-Event-ID", id
	}
	q.placed = at != ""
	q.after = number(name, at, 0, 1<<63-1, 0)
	q.limit = int(number("limit", query.Get("limit"), 1, maxLimit, defaultLimit))
	q.wait = time.Duration(number("wait", query.Get("wait"), 0, uint64(maxWait/time.Second), 0)) * time.Second
	q.mailbox = everybody
	if v := query.Get("mailbox"); v != "" {
		if q.mailbox = v; isAddress(v) {
			q.mailbox = a.opts.MailboxToken(v)
		} else if !tokenOnly.MatchString(v) {
			faults = append(faults, "mailbox must be an SMTP address or a mailbox token")
		}
	}
	for _, v := range query["type"] {
		if q.types = append(q.types, v); !slices.Contains(events.Types(), v) {
			faults = append(faults, fmt.Sprintf("type must be one of %s", strings.Join(events.Types()[2:], ", ")))
		}
	}
	return q, faults
}

// polled is the answer to a long poll.
type polled struct {
	Events []json.RawMessage `json:"events"`
	After  uint64            `json:"after"` // the position to read on from
}

const (
	maxPolled = 4 << 20         // bytes after which an answer is not made longer
	scanTime  = 5 * time.Second // after which events of other types are not looked through any more
)

// poll answers with what there is, and when there is nothing, waits for the first event.
func (a *API) poll(w http.ResponseWriter, r *http.Request, q wanted, rd *reader) {
	ctx, cancel := context.WithTimeout(r.Context(), q.wait)
	defer cancel()
	p, size := polled{Events: []json.RawMessage{}}, 0
	began := time.Now()
	for len(p.Events) < q.limit && size < maxPolled && time.Since(began) < q.wait+scanTime {
		found, err := a.pollOnce(ctx, r.Context(), q, rd, len(p.Events))
		if err != nil && len(p.Events) == 0 && final(err) {
			if errors.Is(err, errInterrupted) {
				err = errors.New("the stream is not followed at present")
			}
			a.lost(w, err)
			return
		}
		if len(found) == 0 {
			break
		}
		for _, e := range found {
			if text, err := e.text(); err == nil && q.takes(e) {
				p.Events, size = append(p.Events, text), size+len(text)
			}
		}
	}
	p.After = rd.at
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(writeTime))
	answer(w, http.StatusOK, typeJSON, p)
	_ = rc.SetWriteDeadline(time.Time{})
}

// pollOnce waits only while nothing is found.
func (a *API) pollOnce(waiting, ctx context.Context, q wanted, rd *reader, have int) ([]*entry, error) {
	limit := min(q.limit-have, maxTake)
	if have == 0 && waiting.Err() == nil {
		found, err := rd.next(waiting, limit)
		if len(found) > 0 || final(err) || ctx.Err() != nil {
			return found, err
		}
	}
	found, _, err := rd.try(ctx, limit)
	return found, err
}
