package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/signin"
)

func serve(ctx context.Context, f flags, out io.Writer) error {
	sim, err := exchangesim.New(f.options)
	if err != nil {
		return usageError{err} // only the options can be wrong
	}
	if err := f.prepare(sim); err != nil {
		return usageError{err}
	}
	l, err := f.open()
	if err != nil {
		return err
	}
	fmt.Fprint(out, f.welcome(l.Addr(), len(sim.Company().Mailboxes()), sim.SignIn().Schemes()))
	return sim.Serve(ctx, l)
}

// open listens, and writes the certificate where that is asked for.
func (f *flags) open() (net.Listener, error) {
	if !f.tls {
		return exchangesim.Listen(f.listen, nil)
	}
	host, _, _ := net.SplitHostPort(f.listen)
	cert, pem, err := exchangesim.Certificate(append(f.hosts, host)...)
	if err != nil {
		return nil, err
	}
	if f.certOut != "" {
		if err := os.WriteFile(f.certOut, pem, 0o644); err != nil {
			return nil, fmt.Errorf("--tls-cert-out: %w", err)
		}
	}
	return exchangesim.Listen(f.listen, cert)
}

// welcome tells how to use it.
func (f *flags) welcome(address net.Addr, mailboxes int, on signin.Schemes) string {
	base, opts := "http://"+address.String(), ""
	if f.tls {
		base, opts = "https://"+address.String(), " -k"
		if f.certOut != "" {
			opts = " --cacert " + f.certOut
		}
	}
	return strings.NewReplacer("{base}", base, "{curl}", "curl -s"+opts, "{n}", fmt.Sprint(mailboxes), "{signin}", signInText(on)).Replace(
		`A simulated Exchange with {n} mailboxes: user0001@contoso.example …, room0001@contoso.example …
  EWS             {base}/EWS/Exchange.asmx
  authority       {base}  (tenant sim-tenant, app sim-app, secret sim-secret)
  sign-in         {signin}

Try:
  {curl} '{base}/admin/mailboxes?limit=3'
  {curl} {base}/admin/mailboxes/room0001@contoso.example/items
  {curl} {base}/admin/mailboxes/room0001@contoso.example/items -d '{"subject":"Board","start":"2027-01-11T09:00:00Z"}'
  {curl} {base}/admin/faults -d '{"fault":"H4","mailbox":"room*@contoso.example","attempt":"1-2"}'
  {curl} {base}/admin/counters
  {curl} {base}/sim-tenant/oauth2/v2.0/token -d grant_type=client_credentials -d client_id=sim-app -d client_secret=sim-secret -d scope=https://outlook.office365.com/.default
All operations: {base}/admin/openapi.json   Stop with Ctrl-C.
`)
}

// signInText tells who may sign in, and how.
func signInText(on signin.Schemes) string {
	var how []string
	if on.Bearer {
		how = append(how, "a token")
	}
	if on.Basic {
		how = append(how, "Basic")
	}
	if on.NTLM {
		how = append(how, "NTLM")
	}
	return "EWS takes " + strings.Join(how, ", ") + `; users are any address and svc@contoso.example, password "simulated"`
}
