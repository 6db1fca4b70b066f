package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"roomsync/internal/exchangesim"
)

func serve(ctx context.Context, f flags, out io.Writer) error {
	sim, err := exchangesim.New(f.options)
	if err != nil {
		return usageError{err} // only the options can be wrong
	}
	if err := f.registerApp(sim); err != nil {
		return usageError{err}
	}
	l, err := f.open()
	if err != nil {
		return err
	}
	fmt.Fprint(out, f.welcome(l.Addr(), len(sim.Company().Mailboxes())))
	return sim.Serve(ctx, l)
}

// registerApp adds the app's certificate.
func (f *flags) registerApp(sim *exchangesim.Server) error {
	if f.appCert == "" {
		return nil
	}
	text, err := os.ReadFile(f.appCert)
	if err != nil {
		return fmt.Errorf("--app-cert: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("--app-cert %s: no PEM block in it", f.appCert)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err == nil {
		err = sim.Entra().AddCertificate(cert)
	}
	if err != nil {
		return fmt.Errorf("--app-cert %s: %w", f.appCert, err)
	}
	return nil
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
func (f *flags) welcome(address net.Addr, mailboxes int) string {
	base, opts := "http://"+address.String(), ""
	if f.tls {
		base, opts = "https://"+address.String(), " -k"
		if f.certOut != "" {
			opts = " --cacert " + f.certOut
		}
	}
	return strings.NewReplacer("{base}", base, "{curl}", "curl -s"+opts, "{n}", fmt.Sprint(mailboxes)).Replace(
		`A simulated Exchange with {n} mailboxes: user0001@contoso.example …, room0001@contoso.example …
  EWS             {base}/EWS/Exchange.asmx
  authority       {base}  (tenant sim-tenant, app sim-app, secret sim-secret)
  basic sign-in   any address with the password "simulated"; svc@contoso.example may impersonate

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
