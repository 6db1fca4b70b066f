package roomsapi

import (
	"encoding/json"
	"net/http"
)

// problem is the body of every refusal, by RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	Errors  []fault  `json:"errors,omitempty"`  // of what was sent
	Results []result `json:"results,omitempty"` // of each event, when storing had begun
	// Oldest is the position before the oldest event that is kept: reading after it gives all there is.
	Oldest *uint64 `json:"oldest,omitempty"`
}

// fault is one thing that is wrong with what was sent.
type fault struct {
	Index  int    `json:"index"`        // of the event in the batch
	ID     string `json:"id,omitempty"` // of the event
	Where  string `json:"pointer"`      // JSON Pointer into the body, or the header's name in binary mode
	Detail string `json:"detail"`       // and what to do
}

// Types of problems; all others are about:blank, and the status says what they are.
const (
	problemInvalid   = "urn:roomsync:problem:invalid-events"
	problemNotStored = "urn:roomsync:problem:not-stored"
	problemForgotten = "urn:roomsync:problem:events-forgotten"
	problemOff       = "urn:roomsync:problem:api-off"
)

var titles = map[string]string{
	problemInvalid:   "Not all events keep to the contract; none was stored",
	problemNotStored: "Not all events were stored",
	problemForgotten: "Events after this position are not kept any more",
	problemOff:       "The HTTP API is off",
}

func refuse(w http.ResponseWriter, status int, p problem) {
	p.Status = status
	if p.Type == "" {
		p.Type = "about:blank"
	}
	if p.Title = titles[p.Type]; p.Title == "" {
		p.Title = http.StatusText(status)
	}
	answer(w, status, "application/problem+json", p)
}

func answer(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body)
}
