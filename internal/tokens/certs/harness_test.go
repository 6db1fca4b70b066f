package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"roomsync/internal/tokens"
)

// keys are made once: RSA takes its time.
var (
	keyA = sync.OnceValue(newKey)
	keyB = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issue makes a self-signed certificate that is valid from a year ago, for so long from now.
func issue(t *testing.T, key crypto.Signer, subject string, from, until time.Duration) *x509.Certificate {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: subject},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

const year = 365 * 24 * time.Hour

func good(t *testing.T, subject string, key crypto.Signer) *x509.Certificate {
	t.Helper()
	return issue(t, key, subject, -year, year)
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func pkcs8PEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pkcs1PEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func pfx(t *testing.T, e *pkcs12.Encoder, key any, cert *x509.Certificate, chain []*x509.Certificate, password string) string {
	t.Helper()
	data, err := e.Encode(key, cert, chain, password)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write fills a new folder with files that only their owner can read.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// warnings collects what a store warns of.
type warnings []string

func (w *warnings) add(err error) { *w = append(*w, err.Error()) }

func (w *warnings) has(part string) bool {
	for _, text := range *w {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func password(s string) func() (tokens.Secret, error) {
	return func() (tokens.Secret, error) { return tokens.NewSecret(s), nil }
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantError asks for the certificate, and wants an error with all of the parts.
func wantError(t *testing.T, o Options, parts ...string) {
	t.Helper()
	c, err := open(t, o).Certificate()
	if err == nil {
		t.Fatalf("got %v", c)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

// wantSigner wants a certificate whose signatures its public key confirms.
func wantSigner(t *testing.T, c *Certificate, err error, cert *x509.Certificate) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !c.Leaf().Equal(cert) {
		t.Fatalf("found %v, want %s", c, name(cert))
	}
	if err := c.try(); err != nil {
		t.Error(err)
	}
}

var errNoPassword = errors.New("no such file")

func secPEM(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
