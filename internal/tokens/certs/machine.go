package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"syscall"
)

const machineStore = "Local Computer → Personal"

// machine is the store Local Computer → Personal of Windows, through the two things that only Windows can do.
type machine struct {
	// list returns the certificates, without those that cannot be decoded.
	list func() ([]*x509.Certificate, error)
	// sign signs a SHA-256 digest with the private key of a certificate (RSASSA-PSS, 32 bytes of salt). The key stays
	// in the store, and its handle is given back after each signature.
	sign func(cert *x509.Certificate, digest []byte) ([]byte, error)
}

// stamp cannot tell: the store is looked at each time, which costs no more.
func (machine) stamp() string { return "" }

func (m machine) find(thumbprint string) (*Certificate, error) {
	certs, err := m.list()
	if err != nil {
		return nil, fmt.Errorf("the certificates of %s cannot be listed: %w", machineStore, err)
	}
	if thumbprint == "" {
		return nil, errors.New("say which certificate of " + machineStore + " is meant with --cert-thumbprint (ExchangeCertThumbprint); found: " + list(certs))
	}
	cert := named(certs, thumbprint)
	switch {
	case cert == nil:
		return nil, fmt.Errorf("there is no certificate with the thumbprint %s in %s; found: %s", thumbprint, machineStore, list(certs))
	case !isRSA(cert):
		return nil, notRSA(cert)
	}
	c := &Certificate{cert, machineKey{m, cert}, machineStore}
	return c, c.try()
}

// try makes a signature, which is the only sure way to know that this user may.
func (c *Certificate) try() error {
	digest := sha256.Sum256(nil)
	signature, err := c.key.Sign(rand.Reader, digest[:], pss)
	if err != nil {
		return err
	}
	if rsa.VerifyPSS(c.leaf.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature, pss) != nil {
		return fmt.Errorf("the private key in %s does not belong to the certificate %s: import both together from a PFX file", c.source, c)
	}
	return nil
}

// pss is how an assertion is signed (PS256: RFC 7518, section 3.5).
var pss = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

// machineKey is a key that cannot be read, only used.
type machineKey struct {
	machine machine
	cert    *x509.Certificate
}

// Public implements [crypto.Signer].
func (k machineKey) Public() crypto.PublicKey { return k.cert.PublicKey }

// Sign implements [crypto.Signer] for PS256 only.
func (k machineKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	p, ok := opts.(*rsa.PSSOptions)
	if !ok || p.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size ||
		p.SaltLength != rsa.PSSSaltLengthEqualsHash && p.SaltLength != sha256.Size {
		return nil, errors.New("certs: keys of this store sign SHA-256 with PSS only")
	}
	signature, err := k.machine.sign(k.cert, digest)
	if err != nil {
		return nil, keyError(k.cert, err)
	}
	return signature, nil
}

// Errors of Windows' key storage (winerror.h).
const (
	accessDenied  syscall.Errno = 5          // ERROR_ACCESS_DENIED
	notPermitted  syscall.Errno = 0x80090010 // NTE_PERM
	badKeyset     syscall.Errno = 0x80090016 // NTE_BAD_KEYSET: "Keyset does not exist"
	noKeyProperty syscall.Errno = 0x8009200b // CRYPT_E_NO_KEY_PROPERTY
)

// keyError says what to do about a key that cannot be used.
func keyError(cert *x509.Certificate, err error) error {
	var code syscall.Errno
	if !errors.As(err, &code) {
		return fmt.Errorf("the private key of the certificate %s cannot be used: %w", name(cert), err)
	}
	switch code {
	case accessDenied, notPermitted, badKeyset:
		return fmt.Errorf("the certificate %s: %w", name(cert), keyset(machineStore, fmt.Sprintf("0x%x", uint32(code))))
	case noKeyProperty:
		return fmt.Errorf("the certificate %s has no private key in %s: import it from a PFX file that holds the key", name(cert), machineStore)
	}
	return fmt.Errorf("the private key of the certificate %s cannot be used (0x%x): import it from a PFX file into the Microsoft Software Key Storage Provider (certutil -csp)", name(cert), uint32(code))
}
