package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"roomsync/events"
	"roomsync/internal/calsync"
	"roomsync/internal/config"
	"roomsync/internal/ews"
	"roomsync/internal/ews/signin"
	"roomsync/internal/jobs"
	"roomsync/internal/ops/accesscheck"
	"roomsync/internal/plain"
	"roomsync/internal/retirement"
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
	Name    string        `json:"step"`
	OK      bool          `json:"ok"`
	Skipped bool          `json:"skipped,omitempty"` // it was not tried
	Took    time.Duration `json:"-"`
	Said    string        `json:"said"`            // what happened
	Do      string        `json:"do,omitempty"`    // what to do about it
	Fault   string        `json:"fault,omitempty"` // where that lies, of a step that failed: one of the constants
}

// Where a failed step's fault lies.
const (
	FaultSignIn  = "sign-in" // whom we sign in as, or by what
	FaultMailbox = "mailbox" // the mailbox, or what we may do in it
	FaultServer  = "server"  // Exchange, its address or the way to it
)

// MarshalJSON implements [json.Marshaler]: it adds the time in milliseconds.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	return json.Marshal(struct {
		plain
		Took int64 `json:"tookMs"`
	}{plain(s), s.Took.Milliseconds()})
}

// OK reports whether everything that was tried works.
func (r Report) OK() bool { return r.Fault() == "" }

// Fault is where the fault of the first step that failed lies; "" when none did.
func (r Report) Fault() string {
	for _, s := range r.Steps {
		if !s.OK && !s.Skipped {
			return s.Fault
		}
	}
	return ""
}

// CertificateEnd is when the certificate that the app signs in with expires; zero for other ways to sign in. The error says
// why there is none that can be used.
func CertificateEnd(c config.Exchange) (time.Time, error) {
	if c.Auth != config.AuthCertificate {
		return time.Time{}, nil
	}
	i, err := NewIssuer(c, nil)
	if err != nil {
		return time.Time{}, err
	}
	return i.NotAfter(), nil
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
		r.Steps = []Step{{Name: "sign-in", Skipped: true, Said: "the password goes with each request to Exchange", Do: "name a mailbox with --mailbox to make one"}}
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
	s.Took, s.Said, s.Do = time.Since(began), plain.Text(s.Said), plain.Text(s.Do)
	return s
}

func checkToken(ctx context.Context, s *Step, c config.Exchange, creds ews.Credentials) {
	err := apply(ctx, c, creds)
	s.Fault = FaultSignIn
	var e *tokens.Error
	switch {
	case err == nil:
		s.OK, s.Said, s.Fault = true, "given by "+c.AuthorityURL, ""
	case errors.As(err, &e):
		s.Do = e.Hint
		s.Said = (&tokens.Error{Code: e.Code, AADSTS: e.AADSTS, Status: e.Status, Err: e.Err}).Error()
	case ctx.Err() != nil:
		s.Said, s.Do = fmt.Sprintf("%s gave no answer within %v", c.AuthorityURL, checkTimeout), "see whether this host reaches it; a proxy or firewall may stand in between"
	default:
		s.Said = err.Error()
	}
}

func checkMailbox(ctx context.Context, s *Step, c config.Exchange, client *ews.Client, mailbox string) {
	folder, err := client.GetFolder(ctx, calsync.Target{Address: mailbox})
	s.Fault = FaultServer
	var f *calsync.Fault
	switch {
	case err == nil:
		s.OK, s.Said, s.Fault = true, fmt.Sprintf("can be read; it holds %d items", folder.Items), ""
	case ctx.Err() != nil:
		s.Said, s.Do = fmt.Sprintf("Exchange gave no answer within %v", checkTimeout), "see whether this host reaches --ews-url; a proxy or firewall may stand in between"
	case errors.As(err, &f):
		s.refused(c, f, mailbox)
	default:
		s.Said = err.Error()
	}
}

// refused says what an answer means and what to do about it, as the events of workers do. Nobody waits here to see whether a
// 401 passes.
func (s *Step) refused(c config.Exchange, f *calsync.Fault, mailbox string) {
	id := Identity(c)
	v := jobs.Judge(jobs.Fact{
		Operation: f.Operation, Kind: string(f.Kind), Code: f.Code, Inner: f.Inner, Status: f.Status, BackOff: f.BackOff,
		Diagnostics: f.Diagnostics, Policy: f.Policy, Claims: f.Claims != "", Reason: f.Reason, Delegate: id.Delegate,
	}).After(0, time.Hour)
	switch v.Class {
	case jobs.Denied, jobs.Blocked:
		s.Fault = FaultMailbox
	case jobs.Credentials:
		if f.Kind != calsync.FaultHTML {
			s.Fault = FaultSignIn
		}
	}
	s.Said, s.Do = f.Error(), accesscheck.Advice(f, v, id, mailbox, false)
	var user *signin.Error
	switch {
	case errors.As(f.Err, &user) && user.Hint != "": // which knows better than the verdict
		s.Said, s.Do = "the sign-in is refused", user.Hint
		if f.Status != 0 {
			s.Said += fmt.Sprintf(" (HTTP %d)", f.Status)
		}
		if user.Err != nil {
			s.Said += ": " + user.Err.Error()
		}
	case retirement.Online(c.EWSURL) && slices.Contains([]string{events.RefusedForbidden, events.RefusedEWSDisabled, events.RefusedEWSPolicy}, v.Reason):
		s.Do = retirement.Hint(time.Now()) + ". " + s.Do
	}
}
