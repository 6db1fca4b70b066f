package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/signin"
)

const long = `A simulated Exchange: EWS at /EWS/Exchange.asmx, the Entra token endpoint at /sim-tenant/oauth2/v2.0/token,
and an admin API at /admin/ (OpenAPI document: /admin/openapi.json). Everything is in memory.

Each flag can also be given as an environment variable: --busy-share is EXCHANGESIM_BUSY_SHARE.`

// flags are the command line.
type flags struct {
	options exchangesim.Options
	listen  string
	tls     bool
	certOut string
	hosts   []string
	appCert string

	schemes     []string
	delegate    bool
	restrictTo  []string
	subject     string
	subjectFile string
}

func (f *flags) register(fs *pflag.FlagSet) {
	o := &f.options
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8445", "address to listen on; loopback only without --tls")
	fs.IntVar(&o.Mailboxes, "mailboxes", 200, "mailboxes to make: four of five are people, the others rooms")
	fs.IntVar(&o.Items, "items-per-mailbox", 20, "appointments and series in each mailbox")
	fs.Uint64Var(&o.Seed, "seed", 1, "decides names, appointments, traffic and random faults")
	fs.BoolVar(&f.tls, "tls", false, "serve HTTPS with a self-signed certificate")
	fs.StringVar(&f.certOut, "tls-cert-out", "", "write the certificate (PEM) there, for clients to trust")
	fs.StringSliceVar(&f.hosts, "tls-host", nil, "names and addresses for the certificate beside localhost")
	fs.Float64Var(&o.BusyShare, "busy-share", exchangesim.DefaultBusyShare, "share of the calls that get ErrorServerBusy at random; 0 switches it off")
	fs.DurationVar(&o.TokenLifetime, "token-lifetime", 0, "life of access tokens (default 1h)")
	fs.DurationVar(&o.RefreshIn, "token-refresh-in", 0, "refresh_in told with access tokens; none when 0")
	fs.StringVar(&f.appCert, "app-cert", "", "certificate (PEM) that is registered for the app beside its secret")
	fs.DurationVar(&o.Latency, "latency", 0, "time added to every EWS and token call")
	fs.Float64Var(&o.Traffic, "traffic", 0, "edits in calendars per second")
	fs.BoolVar(&o.Magic, "magic", false, "add a mailbox for each address that misbehaves by itself: busy@, denied@, slow@ …")
	fs.StringArrayVar(&o.Faults, "fault", nil, `fault rule such as "H4 SyncFolderItems room*@contoso.example attempt=1-2"; may be repeated`)
	fs.BoolVar(&o.Online, "online", false, "claim to be Exchange Online rather than Exchange 2019; takes tokens only")
	fs.StringSliceVar(&f.schemes, "sign-in", nil, "kinds of sign-in that EWS accepts, of bearer, basic and ntlm (default all, or bearer with --online)")
	fs.BoolVar(&f.delegate, "delegate", false, "make svc@contoso.example Editor of Calendar, Deleted Items and Drafts in every mailbox")
	fs.StringSliceVar(&f.restrictTo, "restrict-to", nil, "addresses that an application access policy restricts the app to")
	fs.StringVar(&f.subject, "federated-subject", "", "subject whose tokens of the simulated issuer the app trusts")
	fs.StringVar(&f.subjectFile, "federated-token-out", "", "write such a token there, good for a day")
	fs.IntVar(&o.MaxConcurrent, "max-concurrent", 27, "calls for one mailbox at once that are no violation")
}

// variable is the environment variable for a flag.
func variable(flag string) string {
	return "EXCHANGESIM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// complete takes flags that were not given from the environment, and checks them all.
func (f *flags) complete(fs *pflag.FlagSet, env func(string) (string, bool)) error {
	var err error
	fs.VisitAll(func(flag *pflag.Flag) {
		value, ok := env(variable(flag.Name))
		if err != nil || flag.Changed || !ok {
			return
		}
		values := []string{value}
		if flag.Name == "fault" {
			values = strings.Split(value, ";")
		}
		for _, v := range values {
			if e := fs.Set(flag.Name, v); e != nil && err == nil {
				err = fmt.Errorf("%s: %w", variable(flag.Name), e)
			}
		}
	})
	if err != nil {
		return err
	}
	return f.check()
}

func (f *flags) check() error {
	o := &f.options
	switch {
	case o.Mailboxes < 0 || o.Mailboxes > 200_000:
		return fmt.Errorf("--mailboxes %d: use 0 to 200000", o.Mailboxes)
	case o.Items < 0 || o.Items > 1000:
		return fmt.Errorf("--items-per-mailbox %d: use 0 to 1000", o.Items)
	case o.BusyShare < 0 || o.BusyShare > 1:
		return fmt.Errorf("--busy-share %v: use 0 to 1; 0.005 is one call in 200", o.BusyShare)
	case o.Traffic < 0 || o.TokenLifetime < 0 || o.RefreshIn < 0 || o.Latency < 0:
		return fmt.Errorf("--traffic, --token-lifetime, --token-refresh-in and --latency: use 0 or more")
	case o.Traffic > 0 && o.Mailboxes == 0:
		return fmt.Errorf("--traffic needs --mailboxes")
	case o.MaxConcurrent < 1:
		return fmt.Errorf("--max-concurrent %d: use 1 or more", o.MaxConcurrent)
	case f.subjectFile != "" && f.subject == "":
		return fmt.Errorf("--federated-token-out needs --federated-subject")
	case !f.tls && (f.certOut != "" || len(f.hosts) > 0):
		return fmt.Errorf("--tls-cert-out and --tls-host need --tls")
	}
	if err := f.signIn(); err != nil {
		return err
	}
	// Options say "none" where the command line says 0.
	if o.BusyShare == 0 {
		o.BusyShare = exchangesim.NoBusyShare
	}
	if o.Items == 0 {
		o.Items = -1
	}
	return exchangesim.CheckAddress(f.listen, f.tls)
}

// signIn reads --sign-in.
func (f *flags) signIn() error {
	if len(f.schemes) == 0 {
		return nil
	}
	on := signin.Schemes{}
	for _, scheme := range f.schemes {
		switch scheme {
		case "bearer":
			on.Bearer = true
		case "basic":
			on.Basic = true
		case "ntlm":
			on.NTLM = true
		default:
			return fmt.Errorf("--sign-in %s: use bearer, basic or ntlm", scheme)
		}
	}
	f.options.Schemes = &on
	return nil
}
