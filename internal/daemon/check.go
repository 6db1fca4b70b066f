package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/ews"
	"roomsync/internal/jobs"
	"roomsync/internal/tokens"
)

// checkTimeout bounds each step of a check: somebody is waiting.
const checkTimeout = 15 * time.Second

// Report is what came of trying a sign-in.
type Report struct {
	Auth  string `json:"auth"`
	Steps []Step `json:"steps"`
}

// Step is one thing that was tried. Its texts hold nothing that a server wrote.
type Step struct {
	Name string        `json:"step"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"-"`
	Said string        `json:"said"`         // what happened
	Do   string        `json:"do,omitempty"` // what to do about it
}

// MarshalJSON implements [json.Marshaler]: it adds the time in milliseconds.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	return json.Marshal(struct {
		plain
		Took int64 `json:"tookMs"`
	}{plain(s), s.Took.Milliseconds()})
}

// OK reports whether everything that was tried works.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Steps, func(s Step) bool { return !s.OK })
}

// CheckSignIn signs in as configured: it asks for an access token, where the way to sign in has one, and reads the
// calendar folder of a mailbox, unless that is "". It is done within half a minute. The error says that the configured
// sign-in cannot even be tried, such as a certificate that is not there.
func CheckSignIn(ctx context.Context, c config.Exchange, mailbox string) (Report, error) {
	client, creds, closeIt, err := surroundings{}.signIn(c, config.Work{GetBatch: 1, Slots: 1, BookingSlots: 1})
	if err != nil {
		return Report{}, err
	}
	defer closeIt()
	r := Report{Auth: c.Auth}
	if c.Auth != config.AuthBasic && c.Auth != config.AuthNTLM {
		r.Steps = append(r.Steps, timed(ctx, "access token", func(ctx context.Context, s *Step) { checkToken(ctx, s, c, creds) }))
	} else if mailbox == "" {
		r.Steps = []Step{{Name: "sign-in", OK: true, Said: "not tried: the password goes with each request to Exchange", Do: "name a mailbox with --mailbox to make one"}}
	}
	if mailbox != "" && r.OK() {
		r.Steps = append(r.Steps, timed(ctx, "calendar of "+mailbox, func(ctx context.Context, s *Step) { checkMailbox(ctx, s, c, client, mailbox) }))
	}
	return r, nil
}

func timed(ctx context.Context, name string, f func(context.Context, *Step)) Step {
	s := Step{Name: name}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	began := time.Now()
	f(ctx, &s)
	s.Took = time.Since(began)
	return s
}

func checkToken(ctx context.Context, s *Step, c config.Exchange, creds ews.Credentials) {
	err := apply(ctx, c, creds)
	var e *tokens.Error
	switch {
	case err == nil:
		s.OK, s.Said = true, "given by "+c.AuthorityURL
	case errors.As(err, &e):
		s.Do = e.Hint
		s.Said = strings.TrimPrefix((&tokens.Error{Code: e.Code, AADSTS: e.AADSTS, Status: e.Status, Err: e.Err}).Error(), "tokens: ")
	case ctx.Err() != nil:
		s.Said, s.Do = fmt.Sprintf("%s gave no answer within %v", c.AuthorityURL, checkTimeout), "see whether this host reaches it; a proxy or firewall may stand in between"
	default:
		s.Said = err.Error()
	}
}

func checkMailbox(ctx context.Context, s *Step, c config.Exchange, client *ews.Client, mailbox string) {
	folder, err := client.GetFolder(ctx, calsync.Target{Address: mailbox})
	var f *calsync.Fault
	switch {
	case err == nil:
		s.OK, s.Said = true, fmt.Sprintf("can be read; it holds %d items", folder.Items)
	case ctx.Err() != nil:
		s.Said, s.Do = fmt.Sprintf("Exchange gave no answer within %v", checkTimeout), "see whether this host reaches --ews-url; a proxy or firewall may stand in between"
	case errors.As(err, &f):
		s.Said, s.Do = f.Error(), advice(c, f, mailbox)
	default:
		s.Said = err.Error()
	}
}

// advice says what to do about a refusal, as the events of workers do. Nobody waits here to see whether a 401 passes.
func advice(c config.Exchange, f *calsync.Fault, mailbox string) string {
	id := Identity(c)
	v := jobs.Judge(jobs.Fact{
		Operation: f.Operation, Kind: string(f.Kind), Code: f.Code, Inner: f.Inner, Status: f.Status, BackOff: f.BackOff,
		Diagnostics: f.Diagnostics, Policy: f.Policy, Claims: f.Claims != "", Reason: f.Reason, Delegate: id.Delegate,
	}).After(0, time.Hour)
	if v.Reason != "" {
		return jobs.Advice(v.Reason, id, mailbox)
	}
	return advices[v.Class]
}

var advices = map[jobs.Class]string{
	jobs.Throttled: "Exchange asks for patience: try again in a minute",
	jobs.Transient: "Exchange or the way to it has trouble of its own: try again; see whether this host reaches --ews-url",
	jobs.Config:    "check --ews-url, and whether its certificate is trusted here (SSL_CERT_FILE)",
	jobs.Bug:       "Exchange says that the request is wrong: report it, with the log of this command",
}
