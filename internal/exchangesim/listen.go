package exchangesim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"time"
)

// CheckAddress says why the simulator will not listen there. Without TLS it refuses every address but loopback:
// passwords and tokens, simulated ones included, do not belong on a network in the clear.
func CheckAddress(address string, tls bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: write host:port, such as 127.0.0.1:8445", address)
	}
	if !tls && !loopback(host) {
		return fmt.Errorf("listen address %q is not on loopback: plain HTTP is served on 127.0.0.1 only, use --tls", address)
	}
	return nil
}

// Listen opens the address for the simulator, with TLS when there is a certificate, if CheckAddress allows it.
func Listen(address string, cert *tls.Certificate) (net.Listener, error) {
	if err := CheckAddress(address, cert != nil); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{
			Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
	}
	return l, nil
}

// loopback knows addresses that cannot be reached from elsewhere. A name other than localhost might be.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Certificate makes a self-signed certificate for localhost, the loopback addresses and the given hosts, good for 30
// days, and returns it also in PEM form, for clients to trust.
func Certificate(hosts ...string) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "simulated Exchange", Organization: []string{"roomsync exchangesim"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 30),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if h != "" {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Serve answers on the listener until the context ends, together with Run. Calls that hang by script end then too. It
// returns nil after a clean stop.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: s.signIn.ConnContext,
	}
	failed := make(chan error, 2)
	go func() { failed <- srv.Serve(l) }()
	go func() { failed <- s.Run(ctx) }()
	var err error
	pending := 2
	select {
	case <-ctx.Done():
	case err = <-failed:
		pending--
	}
	stop()
	err = errors.Join(clean(err), shutdown(srv))
	for range pending {
		err = errors.Join(err, clean(<-failed))
	}
	return err
}

func clean(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown lets calls end, and cuts those that do not within a few seconds.
func shutdown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return srv.Close()
	}
	return nil
}
