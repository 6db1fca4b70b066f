package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"syscall"
	"testing"
)

// store plays the store of Windows: keys that sign and cannot be read.
type store struct {
	certs  []*x509.Certificate
	key    *rsa.PrivateKey
	err    error
	signed int
}

func (s *store) list() ([]*x509.Certificate, error) { return s.certs, s.err }

func (s *store) sign(_ *x509.Certificate, digest []byte) ([]byte, error) {
	s.signed++
	if s.err != nil {
		return nil, s.err
	}
	return rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, digest, pss)
}

func (s *store) open(thumbprint string) *Store {
	return &Store{place: machine{s.list, s.sign}, thumbprint: thumbprint}
}

func TestMachine(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	s := &store{certs: []*x509.Certificate{good(t, "other", keyB()), cert}, key: keyA()}
	c, err := s.open(Thumbprint(cert)).Certificate()
	wantSigner(t, c, err, cert)
	for _, tt := range []struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		{make([]byte, 32), crypto.SHA256},
		{make([]byte, 64), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}},
		{make([]byte, 20), pss},
		{make([]byte, 32), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256}},
	} {
		if _, err := c.Signer().Sign(rand.Reader, tt.digest, tt.opts); err == nil {
			t.Errorf("signed %d bytes with %v", len(tt.digest), tt.opts)
		}
	}
	digest := sha256.Sum256([]byte("x"))
	if _, err := c.Signer().Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}); err != nil {
		t.Error(err)
	}
}

// TestMachine_LooksEachTime: the store has no stamp, so that a right that is given later counts at once.
func TestMachine_LooksEachTime(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	s := &store{certs: []*x509.Certificate{cert}, key: keyB()}
	opened := s.open(Thumbprint(cert))
	if _, err := opened.Certificate(); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("a key of another certificate: %v", err)
	}
	s.key = keyA()
	for range 2 {
		c, err := opened.Certificate()
		wantSigner(t, c, err, cert)
	}
	s.err = syscall.Errno(0x80090016)
	if _, err := opened.Certificate(); err != nil {
		t.Errorf("the certificate found before is not used any more: %v", err)
	}
}

func TestMachine_Faults(t *testing.T) {
	cert, ec := good(t, "roomsync", keyA()), good(t, "elliptic", ecKey(t))
	thumb := Thumbprint(cert)
	tests := map[string]struct {
		s     store
		thumb string
		want  []string
	}{
		"not there":      {store{certs: []*x509.Certificate{ec}}, thumb, []string{"no certificate with the thumbprint " + thumb, machineStore, Thumbprint(ec)}},
		"not RSA":        {store{certs: []*x509.Certificate{ec}}, Thumbprint(ec), []string{"not RSA"}},
		"no thumbprint":  {store{certs: []*x509.Certificate{cert}}, "", []string{"--cert-thumbprint", thumb}},
		"cannot be read": {store{certs: []*x509.Certificate{cert}, err: errors.New("broken")}, thumb, []string{"cannot be listed", "broken"}},
	}
	for name, tt := range tests {
		_, err := tt.s.open(tt.thumb).Certificate()
		for _, part := range tt.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %q", name, err, part)
			}
		}
	}
}

func TestKeyError(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	for err, part := range map[error]string{
		syscall.Errno(0x80090016): `"Keyset does not exist"`,
		syscall.Errno(0x80090010): "Manage Private Keys",
		syscall.Errno(5):          `"Keyset does not exist"`,
		syscall.Errno(0x8009200b): "has no private key in Local Computer",
		syscall.Errno(0x80090029): "0x80090029",
		errors.New("other"):       "cannot be used: other",
	} {
		got := keyError(cert, err).Error()
		if !strings.Contains(got, part) || !strings.Contains(got, Thumbprint(cert)) {
			t.Errorf("%v: %q lacks %q", err, got, part)
		}
	}
}
