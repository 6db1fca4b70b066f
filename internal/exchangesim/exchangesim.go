// Package exchangesim is a simulated Exchange: Exchange Web Services over calendars in memory, the Entra token endpoint
// that goes with it, and an admin API to seed, change, break and inspect it all. It exists so that a client can be
// proved against everything that a real Exchange does to it, and so that people can try one out without a tenant.
//
// # Parts
//
// store holds the company, ewsapi speaks SOAP, entra issues tokens, faults scripts what goes wrong and logs what
// clients do, seed and traffic make a believable company and keep it busy, admin is the HTTP API over all of them, and
// hook is the seam between them. This package puts them together behind one handler.
//
// # Guard
//
// Every answer carries the header X-Simulated-Exchange: true, so that nobody takes it for the real one; and [Listen]
// serves plain HTTP on loopback addresses only.
package exchangesim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"roomsync/internal/exchangesim/admin"
	"roomsync/internal/exchangesim/directory"
	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/ewsapi"
	"roomsync/internal/exchangesim/faults"
	"roomsync/internal/exchangesim/policy"
	"roomsync/internal/exchangesim/seed"
	"roomsync/internal/exchangesim/signin"
	"roomsync/internal/exchangesim/store"
	"roomsync/internal/exchangesim/traffic"
)

// EWSPath is where Exchange Web Services answer.
const EWSPath = "/EWS/Exchange.asmx"

// SimulatedHeader is set to true in every answer.
const SimulatedHeader = "X-Simulated-Exchange"

// ServiceUser is the address that may impersonate every mailbox, with the password that all have. It owns no mailbox.
const ServiceUser = "svc@contoso.example"

// DefaultBusyShare of all EWS calls is answered ErrorServerBusy unless it is switched off by name.
const DefaultBusyShare = 0.005

// NoBusyShare as Options.BusyShare switches the random ErrorServerBusy off.
const NoBusyShare = -1

// Options describes a simulated Exchange. The zero value is one without mailboxes.
type Options struct {
	Seed      uint64
	Mailboxes int      // made at the start, as package seed does; none when 0
	Items     int      // appointments in each of them; 20 when 0, none when negative
	Magic     bool     // add one mailbox for each magic address of package faults
	Faults    []string // rules in the short form of faults.Parse
	// BusyShare of the calls gets ErrorServerBusy without a rule; DefaultBusyShare when 0, none when negative.
	BusyShare     float64
	TokenLifetime time.Duration // an hour when 0
	RefreshIn     time.Duration // told with each token when greater than 0
	Latency       time.Duration // added to every EWS and token call
	Traffic       float64       // edits per second that Run makes
	// Online claims to be Exchange Online rather than Exchange 2019: only tokens are accepted, neither Basic nor NTLM,
	// and no user may impersonate, as there is no ApplicationImpersonation there any more.
	Online        bool
	Schemes       *signin.Schemes // kinds of sign-in that EWS accepts; nil: all, or Online only tokens
	MaxConcurrent int             // calls for one mailbox at once that are no violation; 27 when 0
	Calls         int             // how many calls the log holds; 10,000 when 0
	// Now is the clock underneath the simulator's, which can be made to jump; time.Now when nil.
	Now func() time.Time
}

// Server is a simulated Exchange.
type Server struct {
	opts    Options
	clock   *Clock
	company *store.Company
	faults  *faults.Engine
	entra   *entra.Server
	users   *directory.Directory
	policy  *policy.Tenant
	signIn  *signin.Authenticator
	ews     *ewsapi.Handler
	handler http.Handler
}

// New puts a simulated Exchange together and seeds it. It starts no goroutine.
func New(opts Options) (*Server, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.BusyShare == 0 {
		opts.BusyShare = DefaultBusyShare
	}
	s := &Server{opts: opts, clock: &Clock{base: opts.Now}}
	s.company = store.New(store.Options{Seed: int64(opts.Seed), Now: s.clock.Now})
	s.faults = faults.New(faults.Options{
		Seed: opts.Seed, Now: opts.Now, BusyShare: max(0, opts.BusyShare), MaxConcurrent: opts.MaxConcurrent, Calls: opts.Calls,
	})
	s.users = directory.New(directory.Options{Now: s.clock.Now, Exists: func(address string) bool {
		return address == ServiceUser || s.company.Mailbox(address) != nil
	}})
	s.policy = policy.New(policy.Options{Now: s.clock.Now, Seed: opts.Seed})
	s.entra = entra.New(entra.Options{
		Now: s.clock.Now, Lifetime: opts.TokenLifetime, RefreshIn: opts.RefreshIn, Users: s.users.SignIn, Interceptor: s.faults,
	})
	s.signIn = signin.New(s.signInOptions())
	s.ews = ewsapi.New(s.company, ewsapi.Options{Auth: s.signIn, Interceptor: s.faults, Gate: s.policy, Online: opts.Online})
	s.handler = s.routes()
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("exchangesim: %w", err)
	}
	return s, nil
}

// signInOptions differ between Exchange on premises and Online, which takes tokens only. ApplicationImpersonation of a
// service user went away Online in February 2025.
func (s *Server) signInOptions() signin.Options {
	o := signin.Options{
		Entra: s.entra, Users: s.users, Refused: s.policy.Count,
		Impersonator: ServiceUser, Schemes: signin.Schemes{Bearer: true, Basic: true, NTLM: true},
	}
	if s.opts.Online {
		o.Impersonator, o.Schemes = "", signin.Schemes{Bearer: true}
	}
	if s.opts.Schemes != nil {
		o.Schemes = *s.opts.Schemes
	}
	return o
}

// prepare seeds the company and adds the rules.
func (s *Server) prepare() error {
	o := seed.Options{Seed: s.opts.Seed, Mailboxes: s.opts.Mailboxes, Items: s.opts.Items}
	if s.opts.Magic {
		for _, m := range faults.Magic() {
			o.Magic = append(o.Magic, m.Prefix)
		}
	}
	if o.Mailboxes == 0 {
		o.Mailboxes = -1
	}
	if s.opts.Mailboxes > 0 || s.opts.Magic {
		if _, err := seed.Fill(s.company, o); err != nil {
			return err
		}
	}
	for _, text := range s.opts.Faults {
		r, err := faults.Parse(text)
		if err == nil {
			_, err = s.faults.Add(r)
		}
		if err != nil {
			return fmt.Errorf("fault %q: %w", text, err)
		}
	}
	return nil
}

func (s *Server) routes() http.Handler {
	api := admin.New(admin.Parts{
		Company: s.company, Faults: s.faults, Entra: s.entra, Clock: s.clock, Seed: s.opts.Seed,
		Unanchored: s.ews.Unanchored, Users: s.users, Policy: s.policy, SignIn: s.signIn,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(SimulatedHeader, "true")
		switch {
		case r.URL.Path == "/admin", strings.HasPrefix(r.URL.Path, "/admin/"):
			api.ServeHTTP(w, r)
		case r.URL.Path == "/" && r.Method == http.MethodGet:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "A simulated Exchange.\nEWS: %s\nToken endpoint: /%s/oauth2/v2.0/token\nAdmin API: /admin/openapi.json\n", EWSPath, entra.DefaultTenant)
		case !s.late(r.Context()):
		case len(r.URL.Path) >= len(EWSPath) && strings.EqualFold(r.URL.Path[len(r.URL.Path)-len(EWSPath):], EWSPath):
			held := &spoiler{ResponseWriter: w}
			s.ews.ServeHTTP(held, r)
			held.finish()
		default:
			s.entra.ServeHTTP(w, r)
		}
	})
}

// late adds the latency. It returns false when the client has gone meanwhile.
func (s *Server) late(ctx context.Context) bool {
	if s.opts.Latency <= 0 {
		return true
	}
	t := time.NewTimer(s.opts.Latency)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Handler serves EWS, the token endpoint and the admin API.
func (s *Server) Handler() http.Handler { return s.handler }

// Company is what is in the mailboxes.
func (s *Server) Company() *store.Company { return s.company }

// Faults scripts what goes wrong, and knows what was called.
func (s *Server) Faults() *faults.Engine { return s.faults }

// Policy is what administrators decide about access.
func (s *Server) Policy() *policy.Tenant { return s.policy }

// Users are the accounts.
func (s *Server) Users() *directory.Directory { return s.users }

// SignIn decides who makes an EWS request.
func (s *Server) SignIn() *signin.Authenticator { return s.signIn }

// Entra issues the tokens.
func (s *Server) Entra() *entra.Server { return s.entra }

// Delegate gives somebody rights in the three folders of every mailbox that there is now: Calendar, Deleted Items and
// Drafts, where ROOMS' delegated access demands [store.Editor].
func (s *Server) Delegate(user string, a store.Access) error {
	for _, m := range s.company.Mailboxes() {
		for _, folder := range []string{"calendar", "deleteditems", "drafts"} {
			if err := m.Grant(user, folder, a); err != nil {
				return fmt.Errorf("exchangesim: %s of %s: %w", folder, m.Address, err)
			}
		}
	}
	return nil
}

// Clock is the simulator's wall clock.
func (s *Server) Clock() *Clock { return s.clock }

// Run keeps the calendars changing at the rate of Options.Traffic until the context ends, and returns nil then.
func (s *Server) Run(ctx context.Context) error {
	if s.opts.Traffic <= 0 {
		<-ctx.Done()
		return nil
	}
	g, err := traffic.New(s.company, traffic.Options{Seed: s.opts.Seed, Rate: s.opts.Traffic})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

// Clock is a wall clock that can be made to jump: tokens then expire and change times are off, but nobody's back-off
// ends.
type Clock struct {
	base   func() time.Time
	offset atomic.Int64
}

// Now is the simulator's time.
func (c *Clock) Now() time.Time { return c.base().Add(c.Offset()) }

// Offset is how far the clock has jumped in all.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Jump puts the clock forward, or back when by is negative.
func (c *Clock) Jump(by time.Duration) { c.offset.Add(int64(by)) }
