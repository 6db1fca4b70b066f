// Package admin is the HTTP API by which people, scripts and tests seed, change, break and inspect a simulated Exchange
// that runs. Its contract is the OpenAPI document at /admin/openapi.json.
package admin

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/exchangesim/store"
)

// Parts are what the API gives access to. All are needed.
type Parts struct {
	Company    *store.Company
	Faults     *faults.Engine
	Entra      *entra.Server
	Clock      Clock
	Seed       uint64        // for mailboxes and traffic asked for here, where the request names none
	Unanchored func() uint64 // calls with impersonation but without X-AnchorMailbox
	Users      *directory.Directory
	Policy     *policy.Tenant
	SignIn     *signin.Authenticator
}

// Clock is the simulator's wall clock.
type Clock interface {
	Now() time.Time
	Offset() time.Duration
	Jump(by time.Duration)
}

//go:embed openapi.json
var document []byte

// api answers the requests.
type api struct {
	Parts
	mux     *http.ServeMux
	backups backups
}

// route is one operation of the API.
type route struct {
	method, path string
	handle       func(*api, *http.Request) (any, error)
}

// routes are all operations; a test holds them against the OpenAPI document.
var routes = []route{
	{"GET", "/admin/openapi.json", (*api).openAPI},
	{"GET", "/admin/mailboxes", (*api).listMailboxes},
	{"POST", "/admin/mailboxes", (*api).addMailboxes},
	{"GET", "/admin/mailboxes/{address}", (*api).getMailbox},
	{"DELETE", "/admin/mailboxes/{address}", (*api).removeMailbox},
	{"GET", "/admin/mailboxes/{address}/items", (*api).listItems},
	{"POST", "/admin/mailboxes/{address}/items", (*api).createItem},
	{"GET", "/admin/mailboxes/{address}/items/{id}", (*api).getItem},
	{"PATCH", "/admin/mailboxes/{address}/items/{id}", (*api).updateItem},
	{"DELETE", "/admin/mailboxes/{address}/items/{id}", (*api).deleteItem},
	{"POST", "/admin/mailboxes/{address}/items/{id}/move", (*api).moveItem},
	{"POST", "/admin/mailboxes/{address}/items/{id}/copy", (*api).copyItem},
	{"POST", "/admin/mailboxes/{address}/snapshots", (*api).snapshot},
	{"POST", "/admin/mailboxes/{address}/restore", (*api).restore},
	{"PUT", "/admin/mailboxes/{address}/attendant", (*api).setAttendant},
	{"PUT", "/admin/mailboxes/{address}/access", (*api).setAccess},
	{"PUT", "/admin/mailboxes/{address}/ews", (*api).setMailboxEWS},
	{"PUT", "/admin/mailboxes/{address}/impersonation", (*api).denyImpersonation},
	{"GET", "/admin/mailboxes/{address}/permissions", (*api).listPermissions},
	{"PUT", "/admin/mailboxes/{address}/permissions/{user}", (*api).setPermissions},
	{"POST", "/admin/mailboxes/{address}/throttle", (*api).throttle},
	{"POST", "/admin/mailboxes/{address}/invalidate-sync-states", (*api).invalidateSyncStates},
	{"GET", "/admin/catalog", (*api).catalog},
	{"GET", "/admin/faults", (*api).listFaults},
	{"POST", "/admin/faults", (*api).addFault},
	{"DELETE", "/admin/faults", (*api).clearFaults},
	{"DELETE", "/admin/faults/{rule}", (*api).removeFault},
	{"GET", "/admin/effects", (*api).effects},
	{"GET", "/admin/invitations", (*api).invitations},
	{"GET", "/admin/calls", (*api).calls},
	{"GET", "/admin/violations", (*api).violations},
	{"GET", "/admin/counters", (*api).counters},
	{"GET", "/admin/tokens", (*api).listTokens},
	{"DELETE", "/admin/tokens", (*api).revokeTokens},
	{"DELETE", "/admin/tokens/{token}", (*api).revokeTokens},
	{"PUT", "/admin/tokens/lifetime", (*api).setLifetime},
	{"PUT", "/admin/tokens/secret", (*api).setSecret},
	{"GET", "/admin/certificates", (*api).listCertificates},
	{"POST", "/admin/certificates", (*api).addCertificate},
	{"DELETE", "/admin/certificates/{thumbprint}", (*api).removeCertificate},
	{"GET", "/admin/app", (*api).getApp},
	{"PATCH", "/admin/app", (*api).updateApp},
	{"GET", "/admin/secrets", (*api).listSecrets},
	{"POST", "/admin/secrets", (*api).addSecret},
	{"DELETE", "/admin/secrets/{id}", (*api).removeSecret},
	{"GET", "/admin/federated-credentials", (*api).listTrusts},
	{"POST", "/admin/federated-credentials", (*api).addTrust},
	{"DELETE", "/admin/federated-credentials/{name}", (*api).removeTrust},
	{"PUT", "/admin/issuers", (*api).setIssuer},
	{"POST", "/admin/federated-token", (*api).issueFederatedToken},
	{"GET", "/admin/users/{address}", (*api).getUser},
	{"PUT", "/admin/users/{address}", (*api).setUser},
	{"PUT", "/admin/lockout", (*api).setLockout},
	{"GET", "/admin/sign-in", (*api).getSignIn},
	{"PUT", "/admin/sign-in", (*api).setSignIn},
	{"GET", "/admin/policy", (*api).getPolicy},
	{"DELETE", "/admin/policy", (*api).clearPolicy},
	{"PUT", "/admin/policy/organization", (*api).setOrganization},
	{"PUT", "/admin/policy/groups/{group}", (*api).setGroup},
	{"POST", "/admin/policy/application-access", (*api).addAccessPolicy},
	{"GET", "/admin/policy/application-access/test", (*api).testAccessPolicy},
	{"DELETE", "/admin/policy/application-access/{id}", (*api).removeAccessPolicy},
	{"POST", "/admin/policy/role-assignments", (*api).addRoleAssignment},
	{"DELETE", "/admin/policy/role-assignments/{id}", (*api).removeRoleAssignment},
	{"PUT", "/admin/policy/impersonation/{principal}", (*api).setImpersonation},
	{"PUT", "/admin/policy/scream-test", (*api).setScreamTest},
	{"GET", "/admin/clock", (*api).clock},
	{"POST", "/admin/clock", (*api).jump},
	{"POST", "/admin/traffic", (*api).traffic},
	{"POST", "/admin/reset", (*api).reset},
}

// New returns the handler for everything below /admin/.
func New(parts Parts) http.Handler {
	a := &api{Parts: parts, mux: http.NewServeMux()}
	for _, r := range routes {
		a.mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) {
			a.Company.Work()
			req.Body = http.MaxBytesReader(w, req.Body, 1<<20)
			answer, err := r.handle(a, req)
			write(w, r.method, answer, err)
		})
	}
	a.mux.HandleFunc("/admin/", func(w http.ResponseWriter, req *http.Request) {
		write(w, req.Method, nil, &Error{status: http.StatusNotFound, Message: "no operation " + req.Method + " " + req.URL.Path,
			Hint: "GET /admin/openapi.json lists them all"})
	})
	return a.mux
}

// Error is the body of every answer that is not a success.
type Error struct {
	Message string `json:"error"`
	Field   string `json:"field,omitempty"` // of the request, where one is to blame
	Hint    string `json:"hint,omitempty"`  // what to do instead

	status int
}

func (e *Error) Error() string { return e.Message }

func invalid(field, message, hint string) *Error {
	return &Error{status: http.StatusBadRequest, Message: message, Field: field, Hint: hint}
}

func missing(what, name, hint string) *Error {
	return &Error{status: http.StatusNotFound, Message: fmt.Sprintf("no %s %s", what, name), Hint: hint}
}

// asError puts an error of the parts into the API's words.
func asError(err error) *Error {
	var e *Error
	var field *faults.FieldError
	var refusal *store.Error
	var senseless *policy.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &field):
		return invalid(field.Field, field.Problem, field.Hint)
	case errors.As(err, &senseless):
		return invalid(senseless.Field, senseless.Problem, senseless.Hint)
	case errors.As(err, &refusal):
		return &Error{status: statusOf(refusal), Message: refusal.Error(), Hint: "Exchange would answer " + refusal.Code}
	}
	return &Error{status: http.StatusBadRequest, Message: err.Error()}
}

func statusOf(e *store.Error) int {
	switch {
	case errors.Is(e, store.ErrItemNotFound), errors.Is(e, store.ErrFolderNotFound), errors.Is(e, store.ErrIDMalformed):
		return http.StatusNotFound
	case errors.Is(e, store.ErrConflict), errors.Is(e, store.ErrStaleObject):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

func write(w http.ResponseWriter, method string, answer any, err error) {
	status := http.StatusOK
	switch {
	case err != nil:
		e := asError(err)
		answer, status = e, e.status
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case method == http.MethodPost:
		if _, ok := answer.(created); ok {
			status = http.StatusCreated
		}
	}
	if c, ok := answer.(created); ok {
		answer = c.what
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if raw, ok := answer.(json.RawMessage); ok {
		_, _ = w.Write(raw)
		return
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(answer) // the client may be gone
}

// created marks an answer as that of a new thing: 201.
type created struct{ what any }

// read decodes the request's body into v and refuses fields that v does not have, so that a typing mistake is noticed.
func read(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		return nil
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return invalid(kind.Field, fmt.Sprintf("a %s is not a %s", kind.Value, kind.Type), "see /admin/openapi.json")
	}
	var field *faults.FieldError
	if errors.As(err, &field) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	name, _ := strings.CutPrefix(text, "unknown field ")
	if name != text {
		return invalid(strings.Trim(name, `"`), "the field is unknown", "see /admin/openapi.json")
	}
	return invalid("", "the body is not the JSON that is expected: "+text, "see /admin/openapi.json")
}

// number reads a query parameter that counts something.
func number(r *http.Request, name string, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, invalid(name, fmt.Sprintf("%q is not a number", text), "write a number of 0 or more")
	}
	return n, nil
}

func (a *api) openAPI(*http.Request) (any, error) { return json.RawMessage(document), nil }
